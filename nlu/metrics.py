"""Figures of how well messages are read. Plain Python: values in, values out."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Prediction:
    """What was to be read and what was read: a ranking, the best first."""

    truth: str
    ranking: Sequence[tuple[str, float]]

    @property
    def best(self) -> str:
        """The first reading."""
        return self.ranking[0][0]

    @property
    def confidence(self) -> float:
        """The confidence of the first reading."""
        return self.ranking[0][1]

    @property
    def right(self) -> bool:
        """Whether the first reading is the true one."""
        return self.best == self.truth


@dataclass(frozen=True)
class Score:
    """Precision, recall and F1 over counts of hits, of what was found, and of what was to be found."""

    hits: int
    found: int
    expected: int

    @property
    def precision(self) -> float:
        """The share of what was found that is right."""
        return self.hits / self.found if self.found else 0.0

    @property
    def recall(self) -> float:
        """The share of what was to be found that was."""
        return self.hits / self.expected if self.expected else 0.0

    @property
    def f1(self) -> float:
        """The harmonic mean of both."""
        return 2 * self.hits / (self.found + self.expected) if self.found + self.expected else 0.0


def accuracy(predictions: Sequence[Prediction], top: int = 1) -> float:
    """Return the share of messages whose true intent is among the first `top`."""
    hits = sum(any(name == given.truth for name, _ in given.ranking[:top]) for given in predictions)
    return hits / len(predictions) if predictions else 0.0


def per_intent(predictions: Sequence[Prediction]) -> dict[str, Score]:
    """Return a score for every intent that occurs, by name."""
    expected = Counter(given.truth for given in predictions)
    found = Counter(given.best for given in predictions)
    hits = Counter(given.truth for given in predictions if given.right)
    return {name: Score(hits[name], found[name], expected[name]) for name in sorted(expected | found)}


def macro_f1(predictions: Sequence[Prediction]) -> float:
    """Return the mean F1 over the intents that were to be found."""
    scores = [score.f1 for score in per_intent(predictions).values() if score.expected]
    return sum(scores) / len(scores) if scores else 0.0


@dataclass(frozen=True)
class Bin:
    """Messages of like confidence: how sure the model was, and how often it was right."""

    count: int
    confidence: float
    accuracy: float


def reliability(predictions: Sequence[Prediction], bins: int = 10) -> list[Bin]:
    """Return the bins of equal width that hold any message."""
    grouped: dict[int, list[Prediction]] = defaultdict(list)
    for given in predictions:
        grouped[min(int(given.confidence * bins), bins - 1)].append(given)
    return [
        Bin(
            len(some),
            sum(given.confidence for given in some) / len(some),
            sum(given.right for given in some) / len(some),
        )
        for _, some in sorted(grouped.items())
    ]


def calibration_error(predictions: Sequence[Prediction], bins: int = 10) -> float:
    """Return the expected calibration error: how far confidence and accuracy are apart, on average."""
    total = len(predictions)
    return sum(part.count / total * abs(part.confidence - part.accuracy) for part in reliability(predictions, bins))


def coverage(predictions: Sequence[Prediction], steps: int = 20) -> list[tuple[float, float]]:
    """Return (share of the surest messages, accuracy on them), from the surest few to all."""
    surest = sorted(predictions, key=lambda given: -given.confidence)
    return [(count / steps, accuracy(surest[: max(1, len(surest) * count // steps)])) for count in range(1, steps + 1)]


def accuracy_at(predictions: Sequence[Prediction], share: float) -> float:
    """Return the accuracy on that share of messages about which the model is surest."""
    surest = sorted(predictions, key=lambda given: -given.confidence)
    return accuracy(surest[: max(1, round(len(surest) * share))])


def confusions(predictions: Iterable[Prediction]) -> Counter[tuple[str, str]]:
    """Return how often one intent was taken for another: (truth, reading)."""
    return Counter((given.truth, given.best) for given in predictions if not given.right)


def sets(pairs: Iterable[tuple[Iterable[Hashable], Iterable[Hashable]]]) -> Score:
    """Return the score over (expected, found) sets: intents of a message, or entities."""
    hits = found = expected = 0
    for wanted, given in pairs:
        wanted_set, given_set = set(wanted), set(given)
        hits += len(wanted_set & given_set)
        found += len(given_set)
        expected += len(wanted_set)
    return Score(hits, found, expected)


@dataclass(frozen=True)
class Cut:
    """What a threshold would set apart: how many messages fall below, and how often the first readings are right."""

    threshold: float
    below: float
    first_right: float
    """Of those below: the first reading is right."""
    two_right: float
    """Of those below: one of the first two is."""


def cuts(predictions: Sequence[Prediction], thresholds: Sequence[float], *, lead: bool = False) -> list[Cut]:
    """Return what thresholds on the confidence, or on its lead over the second reading's, would set apart."""
    measured = [
        (
            given.confidence - (given.ranking[1][1] if len(given.ranking) > 1 else 0.0) if lead else given.confidence,
            given,
        )
        for given in predictions
    ]
    found = []
    for threshold in thresholds:
        below = [given for measure, given in measured if measure < threshold]
        share = len(below) / len(predictions) if predictions else 0.0
        found.append(Cut(threshold, share, accuracy(below), accuracy(below, 2)))
    return found
