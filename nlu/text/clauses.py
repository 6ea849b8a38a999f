"""Several requests in one message: cut it into clauses, and join what the model reads in them.

`split` cuts rather too often; `join` then keeps only what is surely another request.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nlu.text import joints
from nlu.text.entities import Entity
from nlu.text.normalise import Token, normalise
from nlu.text.words import parses

Ranking = Sequence[tuple[str, float]]
"""Intents with their confidence, the best first."""


@dataclass(frozen=True, slots=True)
class Clause:
    """A part of a message that may hold a request of its own."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Reading:
    """An intent to act upon and the clauses that say it."""

    intent: str
    confidence: float
    clauses: tuple[int, ...]


# ── Cutting ──────────────────────────────────────────────────────────────────────────────────────
_SENTENCE_END = re.compile(r"[.!?…]+[)\"»'\s]*|\n+|[;)]+\s+|\s[-–—]\s")
_LIST_MARK = re.compile(r"(?:^|(?<=[\s,;.]))(?:\d[.)]|[-•*–—])\s+(?=\S)", re.MULTILINE)
_WORD = re.compile(r"\w")
_FEWEST_WORDS = 2


def split(text: str, entities: Sequence[Entity] = ()) -> list[Clause]:
    """Return the clauses of a message; together they cover it, and none begins inside an entity."""
    tokens = normalise(text).tokens
    cuts = _sentence_cuts(text, tokens) | _joint_cuts(text, tokens) | _request_cuts(text, tokens)
    inside = [(entity.start, entity.end) for entity in entities]
    starts = [0]
    for cut in sorted(cuts):
        if any(start < cut < end for start, end in inside):
            continue
        if _words_between(tokens, starts[-1], cut) and _words_between(tokens, cut, len(text)):
            starts.append(cut)
    ends = [*starts[1:], len(text)]
    return [Clause(start, end, text[start:end]) for start, end in zip(starts, ends, strict=True)]


def _words_between(tokens: Sequence[Token], start: int, end: int) -> int:
    return sum(start <= token.start < end for token in tokens)


def _sentence_cuts(text: str, tokens: Sequence[Token]) -> set[int]:
    """Cut after sentence ends and newlines, before the marks of a list."""
    cuts = set()
    before = {token.end: token for token in tokens}
    for match in _SENTENCE_END.finditer(text):
        sign = match.group()[0]
        token = before.get(match.start())
        if sign == "." and (text[match.end() : match.end() + 1].isdigit() and match.group() == "."):
            continue
        if match.group()[:1] == "." and not match.group()[1:].strip() and token is not None:
            if token.norm in joints.ABBREVIATIONS or match.group() == "." and not text[match.end() :][:1].isupper():
                continue
        if match.group().strip() in ("-", "–", "—") and not _asks_at(tokens, match.end()):
            continue
        cuts.add(match.end())
    cuts |= {match.start() for match in _LIST_MARK.finditer(text) if match.group()[0].isdigit()}
    return cuts


def _joint_cuts(text: str, tokens: Sequence[Token]) -> set[int]:
    """Cut before 'и ещё', 'кстати', 'заодно', unless too little is said on a side."""
    return {
        match.start()
        for match in joints.JOINTS.finditer(text)
        if _words_between(tokens, 0, match.start()) >= _FEWEST_WORDS
        and _words_between(tokens, match.end(), len(text)) >= _FEWEST_WORDS
    }


def _request_cuts(text: str, tokens: Sequence[Token]) -> set[int]:
    """Cut before a question or an imperative in the middle of a run of words: 'где 123 когда вернёте за 456'."""
    cuts = set()
    begun = 0
    for index, token in enumerate(tokens):
        if index == 0:
            continue
        gap = text[tokens[index - 1].end : token.start]
        if re.search(r"[.!?\n;]", gap):
            begun = index
            continue
        if not (opens_question(tokens, index, gap) or _opens_order(tokens, index, gap)):
            continue
        first = _with_conjunction(tokens, index)
        said = [word for word in tokens[begun:first] if word.norm not in joints.GREETINGS]
        if len(said) < _FEWEST_WORDS or len(tokens) - index < _FEWEST_WORDS:
            continue
        cuts.add(tokens[first].start)
        begun = index
    return cuts


def _with_conjunction(tokens: Sequence[Token], index: int) -> int:
    """Return the first word of 'и сколько', 'а можно ли', 'и во сколько', 'не звоните'."""
    while index > 0 and tokens[index - 1].norm in ("и", "а", "но", "да", "не", "ну", "во", "за", "на", "в", "с", "до", "по"):
        index -= 1
    return index


def opens_question(tokens: Sequence[Token], index: int, gap: str) -> bool:
    """Tell whether a word opens a question of its own here."""
    token = tokens[index]
    if token.norm not in joints.QUESTION_WORDS and not _is_what_about(tokens, index):
        return token.norm in ("можно", "хочу", "хотела", "хотел", "нужен", "нужна", "есть") and (
            "," in gap or tokens[index - 1].norm in ("и", "а")
        )
    before = tokens[index - 1]
    if before.norm in ("и", "а", "но") and index > 1:
        return True
    if before.norm in ("во", "за", "на", "в", "с", "до", "по"):
        before = tokens[index - 2] if index > 1 else before
    if before.lemma in joints.QUESTION_WORDS or before.norm in joints.FILLERS:
        return False
    return before.lemma not in joints.GOVERNORS


def _is_what_about(tokens: Sequence[Token], index: int) -> bool:
    """Tell 'что с …', 'что за …', 'что по …' from the conjunction."""
    following = tokens[index + 1].norm if index + 1 < len(tokens) else ""
    return tokens[index].norm == "что" and following in ("с", "со", "за", "по", "там")


def _opens_order(tokens: Sequence[Token], index: int, gap: str) -> bool:
    """Tell whether an imperative opens a request of its own here."""
    token = tokens[index]
    if token.norm in joints.FILLERS or not is_imperative(token.norm):
        return False
    before = tokens[index - 1]
    if before.norm in ("не", "и", "а") and index > 1:
        return True
    return "," in gap or before.lemma not in joints.IMPERATIVE_GOVERNORS and before.norm not in joints.FILLERS


def is_imperative(word: str) -> bool:
    """Tell whether a word is most likely an imperative: верните, отмените, уберите."""
    best = parses(word)[0]
    return "impr" in best.tag.grammemes and best.score > 0.3 and len(word) > 3


def _asks_at(tokens: Sequence[Token], position: int) -> bool:
    """Tell whether a request begins at a position."""
    for index, token in enumerate(tokens):
        if token.start >= position:
            return token.norm in joints.QUESTION_WORDS or is_imperative(token.norm) or token.norm in joints.REQUEST_WORDS
    return False


def is_request(text: str) -> bool:
    """Tell whether a clause has the mark of a question or a request, as against a piece of the story."""
    if "?" in text:
        return True
    tokens = normalise(text).tokens
    return any(
        token.norm in joints.REQUEST_WORDS
        or token.norm in joints.QUESTION_WORDS
        and (index == 0 or tokens[index - 1].lemma not in joints.GOVERNORS or index == 1)
        or is_imperative(token.norm)
        for index, token in enumerate(tokens)
    )


# ── Joining ──────────────────────────────────────────────────────────────────────────────────────
SOCIAL = frozenset(("greet", "goodbye", "thanks", "affirm", "deny", "chitchat", "insult", "bot_challenge"))
"""Said beside a request these are manners or mood, not requests."""
LONE = SOCIAL | {"foreign_language", "out_of_scope", "not_helpful", "cancel_request"}
"""These count only where nothing else is asked."""


def join(
    message_ranking: Ranking,
    clauses: Sequence[Clause],
    clause_rankings: Sequence[Ranking],
    *,
    request: float = 0.55,
    story: float = 0.9,
    support: float = 0.02,
    sure_alone: float = 0.9,
    whole: float = 0.97,
) -> list[Reading]:
    """Return the intents to act upon, in order of mention.

    request: confidence from which a clause with the mark of a request counts.
    story: the same for a clause without such a mark.
    support: what the whole message must give an intent that is to stand beside another.
    sure_alone: a clause as sure as this needs no support.
    whole: a whole message as sure as this is one request, whatever its parts say.
    """
    if not message_ranking:
        return []
    best, confidence = message_ranking[0]
    everything = tuple(range(len(clauses)))
    one = [Reading(best, confidence, everything)]
    if len(clauses) < 2 or confidence >= whole:
        return one
    backing = dict(message_ranking)
    kept: list[Reading] = []
    for index, (clause, ranking) in enumerate(zip(clauses, clause_rankings, strict=True)):
        if not ranking:
            continue
        intent, sure = ranking[0]
        if intent in LONE or sure < (request if is_request(clause.text) else story):
            continue
        if sure < sure_alone and backing.get(intent, 0.0) < support:
            continue
        kept.append(Reading(intent, sure, (index,)))
    readings = _merged(kept)
    if len(readings) > 1:
        return readings
    if readings and best in LONE:
        return [Reading(readings[0].intent, readings[0].confidence, everything)]
    return one


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
    owner: Mapping[int, int] = {clause: index for index, reading in enumerate(readings) for clause in reading.clauses}
    found: list[int | None] = []
    for entity in entities:
        home = next((index for index, clause in enumerate(clauses) if clause.start <= entity.start < clause.end), 0)
        nearest = min(owner, key=lambda clause: (abs(clause - home), clause < home), default=None)
        found.append(owner[nearest] if nearest is not None else None)
    return found
