"""Divides a message into its requests: cut in two where the parts, read alone, say more than the whole; then again.

Every place where a second request may begin is weighed: by the signs in the words around it (`bounds`), and by what a cheap
reading makes of the two parts. The weights are learnt by `nlu/joining.py` and stand in thresholds.yml.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from nlu.text.clauses.bounds import Bound, bounds
from nlu.text.entities import Entity
from nlu.text.normalise import Token

Ranking = Sequence[tuple[str, float]]
"""Intents with their confidence, the best first."""
Read = Callable[[Sequence[str]], Sequence[Ranking]]
"""Reads some parts of a message, in one batch."""

SOCIAL = frozenset(("greet", "goodbye", "thanks", "affirm", "deny", "chitchat", "insult", "bot_challenge"))
"""Said beside a request these are manners or mood, not requests."""
LONE = SOCIAL | {"foreign_language", "out_of_scope", "not_helpful"}
"""These count only where nothing else is asked."""

MOST_BOUNDS = 5
"""So many places of a part are read, those with the best signs."""
MOST_READ = 4000
"""So many characters are read to find a cut, as long as that is two places or more."""
LONGEST = 2000
"""A longer message is a letter, and is not divided."""
DEEPEST = 3
"""How often a part of a part is divided again."""
UNDERSTOOD = 0.3
"""Confidence from which a part is said to ask something."""
_SURE_OF_LONE = 0.5
_ASKED = 0.9
_BACKED = 0.1
"""Confidence from which a request counts that stands beside manners: alone, and in the whole message."""
_FAINT = 1e-6


@dataclass(frozen=True, slots=True)
class Reading:
    """An intent to act upon, and the part of the message that says it."""

    intent: str
    confidence: float
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Part:
    """A run of a message's characters with its reading."""

    start: int
    end: int
    ranking: Ranking


def divide(
    text: str,
    tokens: Sequence[Token],
    entities: Sequence[Entity],
    ranking: Ranking,
    read: Read,
    weights: Mapping[str, float],
) -> list[Reading]:
    """Return the requests of a message in order of mention; their parts cover it.

    `ranking` is the reading of the whole, `weights` has one for every sign and measure, `start` to begin with, `gain`
    that a cut must reach, and `hope`: the gain that a place must promise before its parts are read.
    """
    if not ranking:
        return []
    whole = Part(0, len(text), ranking)
    cuts = bounds(text, tokens, entities) if len(text) <= LONGEST else []
    heard: list[Part] = []
    parts = _divided(text, whole, cuts, read, weights, heard, DEEPEST)
    if len(parts) == 1:
        return [_beside_manners(text, ranking, heard)]
    readings: list[Reading] = []
    for part in parts:
        intent, confidence = _asks(part.ranking)
        same = next((at for at, one in enumerate(readings) if one.intent == intent), None)
        if same is None:
            readings.append(Reading(intent, confidence, part.start, part.end))
            continue
        one = readings[same]
        end = part.end if one.end == part.start else one.end
        readings[same] = replace(one, confidence=max(one.confidence, confidence), end=end)
    return readings


def _divided(
    text: str,
    part: Part,
    cuts: Sequence[Bound],
    read: Read,
    weights: Mapping[str, float],
    heard: list[Part],
    depth: int,
) -> list[Part]:
    """Return the part, or the parts that it falls into; all that was read on the way is added to `heard`."""
    hoped = _most(part.ranking, weights)
    inside = [
        cut
        for cut in cuts
        if part.start < cut.start < part.end and hoped + _weigh(cut.signs, weights) >= weights["hope"]
    ]
    inside = sorted(inside, key=lambda cut: -_weigh(cut.signs, weights))[: _affordable(part)]
    if not inside or not depth:
        return [part]
    spans = [span for cut in inside for span in ((part.start, cut.start), (cut.start, part.end))]
    rankings = read([text[start:end] for start, end in spans])
    halves = [Part(start, end, ranking) for (start, end), ranking in zip(spans, rankings, strict=True)]
    heard += halves
    best, first, second = max(
        (
            (gain(cut, part.ranking, first.ranking, second.ranking, weights), first, second)
            for cut, first, second in zip(inside, halves[::2], halves[1::2], strict=True)
        ),
        key=lambda found: found[0],
    )
    if best < weights["gain"]:
        return [part]
    return [found for half in (first, second) for found in _divided(text, half, cuts, read, weights, heard, depth - 1)]


def _affordable(part: Part) -> int:
    """Return how many places of a part may be read: each takes the whole part, in two halves."""
    return max(2, min(MOST_BOUNDS, MOST_READ // max(1, part.end - part.start)))


def _most(ranking: Ranking, weights: Mapping[str, float]) -> float:
    """Return the most that reading two parts can speak for a cut."""
    best, next_best, *_ = [*(math.log(sure + _FAINT) for _, sure in ranking[:2]), math.log(_FAINT), math.log(_FAINT)]
    heard = max(weights["heard"], weights["other_heard"]) * (best + next_best)
    return weights["start"] + heard + (weights["mixed"] + weights["other_mixed"]) * math.log(_FAINT)


def gain(cut: Bound, whole: Ranking, first: Ranking, second: Ranking, weights: Mapping[str, float]) -> float:
    """Return what speaks for two requests that meet at a place; minus infinity where there cannot be two."""
    measured = measures(whole, first, second)
    if measured is None:
        return -math.inf
    return weights["start"] + _weigh(cut.signs, weights) + _weigh(measured, weights)


def measures(whole: Ranking, first: Ranking, second: Ranking) -> dict[str, float] | None:
    """Return what the readings say of two parts; None where one asks nothing, or both ask the same.

    `heard`, `other_heard`: what the whole gives the first part's intent, and the second's; `mixed`, `other_mixed`: what the
    first part gives the second's intent, and the second the first's. All are logarithms of confidences.
    """
    if any(part[0][0] in LONE and part[0][1] > _SURE_OF_LONE for part in (first, second)):
        return None
    (one, sure), (other, other_sure) = _asks(first), _asks(second)
    if one == other or min(sure, other_sure) < UNDERSTOOD:
        return None
    given = {
        "heard": dict(whole).get(one, 0.0),
        "other_heard": dict(whole).get(other, 0.0),
        "mixed": dict(first).get(other, 0.0),
        "other_mixed": dict(second).get(one, 0.0),
    }
    return {name: math.log(confidence + _FAINT) for name, confidence in given.items()}


def _weigh(values: Mapping[str, float], weights: Mapping[str, float]) -> float:
    return sum(weights[name] * value for name, value in values.items())


def _asks(ranking: Ranking) -> tuple[str, float]:
    """Return the best reading that is a request, else the best one."""
    return next(((name, sure) for name, sure in ranking if name not in LONE), ranking[0])


def _beside_manners(text: str, ranking: Ranking, heard: Sequence[Part]) -> Reading:
    """Return the one reading of a message: what is asked in a part of it where the whole sounds like mere manners."""
    intent, confidence = ranking[0]
    if intent in LONE:
        backed = {name for name, sure in ranking if name not in LONE and sure >= _BACKED}
        asked = [part.ranking[0] for part in heard if part.ranking[0][0] in backed and part.ranking[0][1] >= _ASKED]
        intent, confidence = max(asked, key=lambda found: found[1], default=(intent, confidence))
    return Reading(intent, confidence, 0, len(text))
