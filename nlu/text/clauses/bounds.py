"""The places of a message where one request may end and the next begin, and the signs of it in the words around."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from nlu.text.clauses import joints, marks
from nlu.text.entities import Entity
from nlu.text.normalise import Token
from nlu.text.words import parses, words_of

_PAUSE = re.compile(r"[.,!?\n;:)—…-]")
_STOP = re.compile(r"[.!…]")
_CONJUNCTIONS = frozenset(("и", "а", "но", "да"))
_NEVER_LAST = words_of("не ни и а но да или что чтобы если очень мой моя мое мои ваш этот")
"""After these nothing ends, unless there is a pause."""
_NEVER_FIRST = words_of("ли же бы б ж то мне меня нет")
_REACH = 2
"""So many small words may stand before the word that opens a request: 'а за что …'."""


@dataclass(frozen=True, slots=True)
class Bound:
    """A place between two words, with the signs that a second request begins there: 1.0 or 0.0 each."""

    start: int
    """Character at which the second part begins."""
    signs: dict[str, float]


def bounds(text: str, tokens: Sequence[Token], entities: Sequence[Entity]) -> list[Bound]:
    """Return the places where a message may be cut: between words, inside no entity, after no word that leans on the next.

    The signs: `stop`, `asked`, `none` (a full stop, a question mark, no mark stands there), `conjunction`, `joint` ('и ещё',
    'кстати'), `question`, `verb`, `noun` (what the second part opens with), `both` (each part has the mark of a request).
    """
    requests = _requests(text, tokens)
    inside = {at for entity in entities for at in range(entity.start + 1, entity.end)}
    return [
        Bound(tokens[index].start, _signs(text, tokens, index, requests))
        for index in range(1, len(tokens))
        if _may_cut(text, tokens, index) and tokens[index].start not in inside
    ]


def _may_cut(text: str, tokens: Sequence[Token], index: int) -> bool:
    before, token = tokens[index - 1], tokens[index]
    if before.norm.isdigit() and token.norm.isdigit():
        return False
    if _PAUSE.search(text[before.end : token.start]):
        return True
    leans = bool(parses(before.norm)[0].tag.grammemes & {"PREP", "CONJ"}) or before.norm in _NEVER_LAST
    return not leans and token.norm not in _NEVER_FIRST


def _requests(text: str, tokens: Sequence[Token]) -> list[bool]:
    """Return for each word whether it is the mark of a request, or a question mark follows it."""
    gaps = [text[before.end : token.start] for before, token in pairwise(tokens)]
    following = [*gaps, text[tokens[-1].end :] if tokens else ""]
    return [
        "?" in following[index]
        or token.norm in joints.REQUEST_WORDS
        or marks.is_imperative(token.norm)
        or marks.opens_question(tokens, index, gaps[index - 1] if index else "")
        for index, token in enumerate(tokens)
    ]


def _signs(text: str, tokens: Sequence[Token], index: int, requests: Sequence[bool]) -> dict[str, float]:
    gap = text[tokens[index - 1].end : tokens[index].start]
    opening = index
    while opening < len(tokens) - 1 and opening < index + _REACH and tokens[opening].norm in joints.PROCLITICS:
        opening += 1
    asks = tokens[opening].norm in joints.QUESTION_WORDS
    kind = parses(tokens[opening].norm)[0].tag.grammemes
    signs = {
        "stop": bool(_STOP.search(gap)) and tokens[index - 1].norm not in joints.ABBREVIATIONS,
        "asked": "?" in gap,
        "none": not gap.strip(),
        "conjunction": tokens[index].norm in _CONJUNCTIONS,
        "joint": bool(joints.JOINTS.match(text, tokens[index].start)),
        "question": asks,
        "verb": bool(kind & {"VERB", "PRED"}),
        "noun": "NOUN" in kind,
        "both": any(requests[:index]) and (asks or any(requests[index:])),
    }
    return {name: float(sign) for name, sign in signs.items()}
