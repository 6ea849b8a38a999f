"""Cuts a message into clauses that may each hold a request; rather too often than too rarely."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from nlu.text.clauses import joints, marks
from nlu.text.entities import Entity
from nlu.text.normalise import Token, normalise
from nlu.text.words import parses


@dataclass(frozen=True, slots=True)
class Clause:
    """A part of a message that may hold a request of its own."""

    start: int
    end: int
    text: str


_SENTENCE_END = re.compile(r"[.!?…]+[)\"»'\s]*|\n+|;\s+|\)+\s+(?=[А-ЯЁA-Z])")
_LIST_MARK = re.compile(r"(?:^|(?<=[\s,;.:]))\d[.)]\s+(?=\S)", re.MULTILINE)
_FEWEST_WORDS = 2
_STORY_WORDS = 4
_LOOK_BACK = 7
"""How many words of its object may stand before a question word or an imperative: 'и деньги за него когда…'."""


def split(text: str, entities: Sequence[Entity] = ()) -> list[Clause]:
    """Return the clauses of a message; together they cover it, and none begins inside an entity.

    Cuts: sentence ends, lists, joints ('и ещё', 'кстати'), and between two requests of one run of words
    ('где 123 когда вернёте за 456'). A story stays with the request that follows it in the same sentence, and a
    sentence too short to be understood alone ('где они?') stays with the one before.
    """
    tokens = normalise(text).tokens
    ends = _sentence_cuts(text, tokens)
    firm = _joint_cuts(text, tokens, ends)
    cuts = ends | firm | _coordination_cuts(text, tokens)
    cuts |= _request_cuts(text, tokens, cuts)
    inside = [(entity.start, entity.end) for entity in entities]
    starts = [0]
    for cut in sorted(cuts):
        if any(start < cut < end for start, end in inside) or not _words(tokens, starts[-1], cut):
            continue
        if _words(tokens, cut, len(text)):
            starts.append(cut)
    bounds = [*starts, len(text)]
    kept = [0] + [
        start
        for index, start in enumerate(starts[1:], start=1)
        if start in firm or not _leans_on_previous(_words(tokens, start, bounds[index + 1]), inside=start not in ends)
    ]
    return [Clause(start, end, text[start:end]) for start, end in zip(kept, [*kept[1:], len(text)], strict=True)]


def _words(tokens: Sequence[Token], start: int, end: int) -> list[Token]:
    return [token for token in tokens if start <= token.start < end]


def _leans_on_previous(words: Sequence[Token], *, inside: bool) -> bool:
    """Tell whether a clause says nothing alone: 'где они?', 'когда ждать?', 'разберитесь с ним'.

    An order `inside` a sentence that goes on ('и оформите новый') is a request of its own.
    """
    if inside and any(marks.is_imperative(word.norm) for word in words):
        return False
    if len(words) > 4 or any(word.norm.isdigit() for word in words):
        return False
    if all(word.lemma in joints.MANNERS or word.norm in joints.MANNERS for word in words):
        return False
    return not any(_has_content(word) for word in words)


def _has_content(word: Token) -> bool:
    """Tell whether a word can tell a topic: a noun, or a verb that is no mere demand."""
    if word.norm in joints.EMPTY or word.lemma in joints.EMPTY:
        return False
    tags = parses(word.norm)[0].tag.grammemes
    return "NOUN" in tags or "LATN" in tags or "UNKN" in tags


def _sentence_cuts(text: str, tokens: Sequence[Token]) -> set[int]:
    """Cut after sentence ends and newlines, before the marks of a list."""
    cuts = {match.start() for match in _LIST_MARK.finditer(text)}
    marks = [match.span() for match in _LIST_MARK.finditer(text)]
    before = {token.end: token for token in tokens}
    for match in _SENTENCE_END.finditer(text):
        if any(start <= match.start() < end for start, end in marks):
            continue
        if match.group().startswith("."):
            token = before.get(match.start())
            glued = match.group() == "." and not text[match.end() :][:1].isupper()
            if glued or (match.group().strip() == "." and token is not None and token.norm in joints.ABBREVIATIONS):
                continue
        cuts.add(match.end())
    return cuts


def _coordination_cuts(text: str, tokens: Sequence[Token]) -> set[int]:
    """Cut before ', и …' and ', а …' where what follows asks for something: ', и живого сотрудника мне сюда'."""
    cuts = set()
    for index in range(_STORY_WORDS, len(tokens) - _FEWEST_WORDS):
        if tokens[index].norm not in ("и", "а", "да") or "," not in text[tokens[index - 1].end : tokens[index].start]:
            continue
        stop = index + 1
        while stop < len(tokens) and not re.search(r"[,.!?\n;]", text[tokens[stop - 1].end : tokens[stop].start]):
            stop += 1
        said = tokens[index + 1 : stop + _LOOK_BACK]
        asks = marks.is_request(text[tokens[index + 1].start : said[-1].end]) or any(
            word.norm in ("мне", "нам", "ли") for word in tokens[index + 1 : stop]
        )
        told = tokens[index].norm == "а" and any(
            "VERB" in parses(word.norm)[0].tag.grammemes for word in tokens[index + 1 : index + 6]
        )
        if (asks or told) and tokens[index + 1].norm not in joints.CONTRASTS:
            cuts.add(tokens[index].start)
    return cuts


def _joint_cuts(text: str, tokens: Sequence[Token], ends: set[int]) -> set[int]:
    """Cut before 'и ещё', 'кстати', 'заодно', unless too little is said on a side."""
    cuts = set()
    for match in joints.JOINTS.finditer(text):
        begun = max((end for end in ends if end <= match.start()), default=0)
        stop = min((end for end in ends if end > match.end()), default=len(text))
        said = [word for word in _words(tokens, begun, match.start()) if word.norm not in joints.GREETINGS]
        if len(said) >= _FEWEST_WORDS and len(_words(tokens, match.end(), stop)) >= _FEWEST_WORDS:
            cuts.add(match.start())
    return cuts


def _request_cuts(text: str, tokens: Sequence[Token], cuts: set[int]) -> set[int]:
    """Cut between two requests of one sentence: 'где 123 когда вернёте за 456', 'снимите это и оформите то'."""
    found = set()
    asked: int | None = None
    begun = 0
    for index, token in enumerate(tokens):
        gap = text[tokens[index - 1].end : token.start] if index else ""
        if index and (marks.BREAK.search(gap) or any(tokens[index - 1].start < cut <= token.start for cut in cuts)):
            asked, begun = None, index
        if not (marks.opens_question(tokens, index, gap) or marks.opens_order(tokens, index)):
            if asked is None and token.norm in joints.FILLERS:
                asked = index
            continue
        if asked is None:
            first = _conjunction_before(text, tokens, begun, index)
            if first is None and _asks_after_story(tokens, begun, index):
                first = index
        else:
            first = _boundary(text, tokens, max(asked, begun + 1), index)
            if first - begun < _FEWEST_WORDS or first <= asked:
                first = None
        if first is not None and len(tokens) - index >= _FEWEST_WORDS:
            found.add(tokens[first].start)
            begun = first
        elif asked is not None and token.norm not in joints.QUESTION_WORDS:
            continue
        asked = index
    return found


def _conjunction_before(text: str, tokens: Sequence[Token], begun: int, index: int) -> int | None:
    """Return the place of 'и' or 'а' that joins a request to a story: '… и снимите меня', '…, а вы что ответили'."""
    for back in range(index - 1, max(begun + _STORY_WORDS - 1, index - _LOOK_BACK), -1):
        if tokens[back].norm in ("и", "а") and (
            back == index - 1 or "," in text[tokens[back - 1].end : tokens[back].start]
        ):
            return back
        if parses(tokens[back].norm)[0].tag.grammemes & {"VERB", "INFN"}:
            return None
    return None


def _asks_after_story(tokens: Sequence[Token], begun: int, index: int) -> bool:
    """Tell whether a question follows a finished statement without a pause: 'посылки ходят какой у парки утеплитель'."""
    if (
        index - begun < _FEWEST_WORDS + 1
        or not tokens[index].norm.startswith(("как", "скольк"))
        or tokens[index].norm == "как"
    ):
        return False
    return bool(parses(tokens[index - 1].norm)[0].tag.grammemes & {"VERB"})


def _boundary(text: str, tokens: Sequence[Token], asked: int, index: int) -> int:
    """Return where the second request begins: before its conjunction, or before the object it names first."""
    first = index
    while first > asked + 1 and tokens[first - 1].norm in joints.PROCLITICS:
        first -= 1
    if first < index and tokens[first].norm in ("и", "а", "но", "да"):
        return first
    back = first - 1
    while back > max(asked, first - 2 * _LOOK_BACK):
        if parses(tokens[back].norm)[0].tag.grammemes & {"VERB", "INFN"}:
            relative = [
                other for other in range(back - 1, max(asked, back - _LOOK_BACK), -1) if _is_relative(tokens[other])
            ]
            if not relative:
                break
            back = relative[0]
        elif first - back <= _LOOK_BACK and (
            tokens[back].norm in ("и", "а") or "," in text[tokens[back - 1].end : tokens[back].start]
        ):
            first = back if tokens[back].norm in ("и", "а") or not _is_relative(tokens[back]) else first
            if tokens[back].norm in ("и", "а"):
                return back
        back -= 1
    return first


def _is_relative(token: Token) -> bool:
    return token.lemma == "который"
