"""Joins what the model reads in a whole message and in its clauses: which intents are acted upon."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nlu.text.clauses.cut import Clause
from nlu.text.clauses.marks import is_request, requests_in
from nlu.text.entities import Entity

Ranking = Sequence[tuple[str, float]]
"""Intents with their confidence, the best first."""


@dataclass(frozen=True, slots=True)
class Reading:
    """An intent to act upon and the clauses that say it."""

    intent: str
    confidence: float
    clauses: tuple[int, ...]


SOCIAL = frozenset(("greet", "goodbye", "thanks", "affirm", "deny", "chitchat", "insult", "bot_challenge"))
"""Said beside a request these are manners or mood, not requests."""
LONE = SOCIAL | {"foreign_language", "out_of_scope", "not_helpful"}
"""These count only where nothing else is asked."""
_FAINT = 0.003
"""What an intent has that the whole message's ranking does not list."""


def join(
    message_ranking: Ranking,
    clauses: Sequence[Clause],
    clause_rankings: Sequence[Ranking],
    *,
    request: float = 0.25,
    story: float = 0.6,
    support: float = 0.05,
    backing: float = 0.5,
    whole: float = 1.01,
    second: float = 0.5,
) -> list[Reading]:
    """Return the intents to act upon, in order of mention.

    request: confidence from which a clause with the mark of a request counts.
    story: the same for a clause without such a mark.
    support: what the whole message must give the intent of such a clause besides.
    backing: how much the whole message has a say in what a clause means; 0: none, 1: as much as the clause.
    whole: a whole message as sure as this is one request, whatever its parts say; above 1: never.
    second: share of the best reading from which the second one of a clause with two requests in it counts too; above 1:
        never.
    """
    if not message_ranking:
        return []
    best, confidence = message_ranking[0]
    everything = tuple(range(len(clauses)))
    one = [Reading(best, confidence, everything)]
    if not clauses or confidence >= whole:
        return one
    heard = dict(message_ranking)
    kept: list[Reading] = []
    for index, (clause, ranking) in enumerate(zip(clauses, clause_rankings, strict=True)):
        readings = _backed(ranking, heard, backing) if len(clauses) > 1 else list(ranking)
        if not readings or readings[0][0] in LONE:
            continue
        intent, sure = readings[0]
        if sure < request or (not is_request(clause.text) and (sure < story or heard.get(intent, 0.0) < support)):
            continue
        kept.append(Reading(*readings[0], (index,)))
        close = len(readings) > 1 and readings[1][1] >= second * sure and readings[1][0] not in LONE
        if close and requests_in(clause.text) > 1:
            kept.append(Reading(*readings[1], (index,)))
    found = _merged(kept)
    if len(found) > 1:
        return found
    if found and best in LONE:
        return [Reading(found[0].intent, found[0].confidence, everything)]
    return one


def _backed(ranking: Ranking, heard: Mapping[str, float], backing: float) -> list[tuple[str, float]]:
    """Return a clause's ranking with the whole message's say in it: half its own confidence, half the shared one."""
    shared = [confidence * (heard.get(intent, 0.0) + _FAINT) ** backing for intent, confidence in ranking]
    total = sum(shared) or 1.0
    order = sorted(range(len(ranking)), key=lambda place: -shared[place])
    return [(ranking[place][0], (ranking[place][1] + shared[place] / total) / 2) for place in order]


def _merged(readings: Sequence[Reading]) -> list[Reading]:
    """Make one of the readings with the same intent, at the place of the first."""
    merged: dict[str, Reading] = {}
    for reading in readings:
        earlier = merged.get(reading.intent)
        if earlier is None:
            merged[reading.intent] = reading
        else:
            merged[reading.intent] = Reading(
                reading.intent, max(earlier.confidence, reading.confidence), earlier.clauses + reading.clauses
            )
    return list(merged.values())


def attach(entities: Sequence[Entity], clauses: Sequence[Clause], readings: Sequence[Reading]) -> list[int | None]:
    """Return for each entity the index of the reading it belongs to: its clause's, else the nearest one's."""
    owner: dict[int, int] = {}
    for index, reading in enumerate(readings):
        for number in reading.clauses:
            owner.setdefault(number, index)
    found: list[int | None] = []
    for entity in entities:
        home = next((number for number, clause in enumerate(clauses) if clause.start <= entity.start < clause.end), 0)
        nearest = min(owner, key=lambda number: (abs(number - home), number < home), default=None)
        found.append(owner[nearest] if nearest is not None else None)
    return found
