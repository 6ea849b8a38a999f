"""The intent model: kernel ridge regression over words and sentence embeddings, with calibrated confidence.

A linear kernel on the sparse part (words and their pieces) generalises along words; a Gaussian kernel on the
embeddings compares a message with the training messages near it, which a linear model over frozen embeddings cannot.
One Cholesky factorisation solves it, and its inverse gives in closed form what the model would say of messages, had
their writer been left out. The temperature is fitted on those, so confidence holds for writers never seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from nlu.core.sparse import SparseFeatures, Words
from nlu.progress import report

Floats = NDArray[np.float32]

NOTHING = "nothing"
"""Label of training messages that ask nothing by themselves ("не помню", "срочно", "завтра"): they are no intent of
their own but pull all of them down, so that such a message is read with little confidence."""


@dataclass(frozen=True)
class Settings:
    """What is set by hand; chosen by leaving one writer out, see nlu/evaluate.py."""

    words: float = 1.0
    """Weight of the linear kernel over words."""
    near: float = 2.0
    """Weight of the Gaussian kernel over the embeddings."""
    sharpness: float = 0.75
    """How quickly likeness fades, per mean squared distance from the centre."""
    ridge: float = 0.2
    """The regularisation."""
    straight: float = 0.0
    """Weight of a linear kernel over the embeddings; 0 in use, there for comparison."""


@dataclass
class Space:
    """The training messages as points: all embeddings side by side, each centred and equally loud, of unit length."""

    mean: Floats
    scale: Floats
    points: Floats = field(repr=False)

    def __post_init__(self) -> None:
        """Keep the points' lengths."""
        self._lengths = (self.points**2).sum(axis=1)

    @classmethod
    def of(cls, embeddings: Sequence[Floats]) -> Space:
        """Learn centre and scale from the training messages."""
        means = [vectors.mean(axis=0) for vectors in embeddings]
        lengths = [
            ((vectors - mean) ** 2).sum(axis=1).mean() ** 0.5 for vectors, mean in zip(embeddings, means, strict=True)
        ]
        scales = [
            np.full(len(mean), length * len(means) ** 0.5 or 1.0) for mean, length in zip(means, lengths, strict=True)
        ]
        mean, scale = np.concatenate(means), np.concatenate(scales).astype(np.float32)
        return cls(mean, scale, ((np.concatenate(embeddings, axis=1) - mean) / scale).astype(np.float32))

    def likeness(self, embeddings: Sequence[Floats], sharpness: float) -> Floats:
        """Return how near each message lies to each training message, from 0 to 1."""
        given = self._place(embeddings)
        likeness: Floats = given @ self.points.T
        likeness *= 2
        likeness -= self._lengths
        likeness -= (given**2).sum(axis=1)[:, None]
        np.minimum(likeness, 0, out=likeness)
        likeness *= sharpness
        return np.exp(likeness, out=likeness)

    def product(self, embeddings: Sequence[Floats]) -> Floats:
        """Return the linear kernel of messages with the training messages."""
        product: Floats = self._place(embeddings) @ self.points.T
        return product

    def _place(self, embeddings: Sequence[Floats]) -> Floats:
        return ((np.concatenate(embeddings, axis=1) - self.mean) / self.scale).astype(np.float32)


@dataclass(frozen=True)
class Solution:
    """A solved model with what is needed to say how it would read messages that it had not learnt from."""

    inverse: Floats = field(repr=False)
    weights: Floats = field(repr=False)
    targets: Floats = field(repr=False)

    def left_out(self, groups: Sequence[str]) -> Floats:
        """Return the scores of each group's messages as the model without that group gives them, in closed form."""
        scores = np.empty_like(self.targets)
        for group in set(groups):
            inside = np.array([at for at, name in enumerate(groups) if name == group])
            block = self.inverse[np.ix_(inside, inside)]
            scores[inside] = self.targets[inside] - np.linalg.solve(block, self.weights[inside])
        return scores


class IntentModel:
    """Reads a message's words and embeddings as probabilities of intents."""

    def __init__(self, settings: Settings | None = None) -> None:
        """Make an untrained model."""
        self.settings = settings or Settings()
        self.intents: list[str] = []
        self.temperature = 1.0
        self._sparse = SparseFeatures()
        self._word_weights: Floats = np.zeros((0, 0), dtype=np.float32)
        self._space = Space(np.zeros(0, np.float32), np.ones(0, np.float32), np.zeros((0, 0), np.float32))
        self._weights: Floats = np.zeros((0, 0), dtype=np.float32)

    def fit(
        self,
        words: Sequence[Words],
        embeddings: Sequence[Floats],
        labels: Sequence[str],
        writers: Sequence[str] = (),
    ) -> Solution:
        """Learn from messages; the temperature is set on what each writer's messages look like to the others."""
        self.intents = sorted(set(labels) - {NOTHING})
        index = {intent: at for at, intent in enumerate(self.intents)}
        telling = np.array([label != NOTHING for label in labels])
        truth = np.array([index[label] for label in labels if label != NOTHING])
        report("fit", f"learning from {len(labels)} messages of {len(self.intents)} intents")
        rows = self._sparse.fit(words).transform(words)
        self._space = Space.of(embeddings)
        kernel = self._near(embeddings) + self.settings.words * (rows @ rows.T).toarray().astype(np.float32)
        kernel[np.diag_indices(len(labels))] += self.settings.ridge
        targets = np.zeros((len(labels), len(self.intents)), dtype=np.float32)
        targets[telling] = np.eye(len(self.intents), dtype=np.float32)[truth] - 1 / len(self.intents)
        inverse = _inverse(kernel)
        self._weights = inverse @ targets
        self._word_weights = self.settings.words * (rows.T @ self._weights)
        solution = Solution(inverse, self._weights, targets)
        groups = list(writers) if len(set(writers)) > 1 else folds(len(labels))
        report("calibrate", f"calibrating on {len(set(groups))} parts left out in turn")
        self.temperature = best_temperature(solution.left_out(groups)[telling], truth)
        return solution

    def probabilities(self, scores: Floats) -> Floats:
        """Return calibrated probabilities for raw scores."""
        probabilities: Floats = np.exp(log_softmax(scores / self.temperature, axis=1))
        return probabilities

    def predict(self, words: Sequence[Words], embeddings: Sequence[Floats]) -> Floats:
        """Return one row of probabilities a message, in the order of `intents`."""
        scores = self._sparse.transform(words) @ self._word_weights + self._near(embeddings) @ self._weights
        return self.probabilities(scores)

    def _near(self, embeddings: Sequence[Floats]) -> Floats:
        near = self.settings.near * self._space.likeness(embeddings, self.settings.sharpness)
        if self.settings.straight:
            near += self.settings.straight * self._space.product(embeddings)
        return near

    def save(self, path: Path) -> None:
        """Write all that was learnt as plain arrays."""
        state: dict[str, Any] = {f"sparse.{name}": value for name, value in self._sparse.state().items()}
        np.savez_compressed(
            path,
            settings=np.array(astuple(self.settings)),
            intents=np.array(self.intents),
            temperature=self.temperature,
            weights=self._weights,
            word_weights=self._word_weights.astype(np.float16),
            mean=self._space.mean,
            scale=self._space.scale,
            points=self._space.points.astype(np.float16),
            **state,
        )

    @classmethod
    def load(cls, path: Path) -> IntentModel:
        """Read what `save` wrote."""
        with np.load(path, allow_pickle=False) as state:
            model = cls(Settings(*(float(value) for value in state["settings"])))
            model.intents = state["intents"].tolist()
            model.temperature = float(state["temperature"])
            model._weights = state["weights"]
            model._word_weights = state["word_weights"].astype(np.float32)
            model._space = Space(state["mean"], state["scale"], state["points"].astype(np.float32))
            model._sparse = SparseFeatures.restore(
                {name[7:]: state[name] for name in state.files if name.startswith("sparse.")}
            )
        return model


def _inverse(kernel: Floats) -> Floats:
    """Return the inverse of a positive definite matrix, which is used up."""
    factor, failed = lapack.spotrf(kernel, lower=1, overwrite_a=1)
    inverse, failed_too = lapack.spotri(factor, lower=1, overwrite_c=1)
    if failed or failed_too:
        raise ArithmeticError("The kernel is not positive definite: raise the ridge.")
    lower = np.tril(inverse)
    full: Floats = lower + np.tril(lower, -1).T
    return full


def folds(count: int, parts: int = 5, seed: int = 7) -> list[str]:
    """Return a seeded, even division of `count` messages into parts."""
    return [str(part) for part in np.random.default_rng(seed).permutation(count) % parts]


def best_temperature(scores: Floats, truth: NDArray[np.int64]) -> float:
    """Return the temperature under which the true intents are likeliest."""

    def loss(log_temperature: float) -> float:
        scaled = log_softmax(scores / np.exp(log_temperature), axis=1)
        return -float(scaled[np.arange(len(truth)), truth].mean())

    return float(np.exp(minimize_scalar(loss, bounds=(-6.0, 3.0), method="bounded").x))
