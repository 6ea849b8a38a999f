"""Remarks: what a customer says after being asked for a mark, or for a few words about it. A question is never one.

Whoever asks stands back at once when the customer has something else to say: what the NLU surely understands goes before,
but short words of praise or blame, which it was not made to read, are taken as such.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from flows.decision import Turn, Verdict
from flows.facts import occurs
from flows.manifest import Marks
from flows.pack import Pack
from flows.russian import plain

MARK = "mark:"
"""What the values of the buttons begin with."""
LOWEST, HIGHEST = 1, 5
SURE_OTHER = 0.8
"""A reading above this is believed even where words of praise or blame stand …"""
OPINION = 6
"""… unless the message has no more words than these."""
TWO_WORDS = 2
"""«Спасибо большое» is thanks, no comment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """What a message says to the question for a mark or for words about it."""

    mark: int | None = None
    comment: str | None = None
    declined: bool = False
    # the customer would rather say nothing
    back: bool = False
    # the matter is not solved after all


def remark(pack: Pack, turn: Turn, *, for_words: bool) -> Remark | None:
    """What a message says to the question that stands last; None when it is none, and to be answered like any other.

    for_words: a few words were asked for, the mark is given; else it is the mark that was asked for
    """
    marks, text = pack.manifest.marks, turn.text.strip()
    other = turn.press is not None or turn.stale_press or turn.contact or turn.attachments or turn.edited
    if marks is None or other or not text:
        return None
    if not for_words and (typed := _typed(marks, text)) is not None:
        return typed
    if _whole(marks.skips, text):
        return Remark(declined=True)
    if "?" in text or turn.parse is None:
        return None
    read = {one.name for one in turn.parse.intents}
    if turn.parse.verdict is Verdict.SURE and read and read <= set(marks.back_intents):
        return Remark(back=True, comment=text)
    if _is_opinion(pack, marks, turn):
        return Remark(comment=text)
    return _by_reading(pack, marks, turn) if for_words else None


def _by_reading(pack: Pack, marks: Marks, turn: Turn) -> Remark | None:
    """What a message without words of praise or blame says, where a few words were asked for."""
    assert turn.parse is not None
    text, read = turn.text.strip(), {one.name for one in turn.parse.intents}
    match turn.parse.verdict:
        case Verdict.SURE:
            if read and read <= set(marks.refusing_intents):
                return Remark(declined=True)
            talk = bool(read) and read <= set(marks.comment_intents)
            return Remark(comment=text) if talk and len(text.split()) > TWO_WORDS else None
        case Verdict.AMBIGUOUS:
            likely = {one.name for one in (*turn.parse.intents, *turn.parse.ranking[:2])}
            return Remark(comment=text) if likely <= {*marks.comment_intents, *marks.service_intents} else None
    asks = occurs(pack.answers.get("question", ("\\?",)), text)
    data = bool(turn.parse.entities) or occurs(marks.matters, text)
    return None if asks or data or not re.search(r"\w", text) else Remark(comment=text)


def _is_opinion(pack: Pack, marks: Marks, turn: Turn) -> bool:
    """Whether a message is words of praise or blame for how one was served, and nothing besides."""
    parse, text = turn.parse, turn.text
    assert parse is not None
    if not marks.opinions or not occurs(marks.opinions, text):
        return False
    if len(parse.intents) > 1 or occurs(marks.matters, text):
        return False
    others = [one for one in parse.intents if one.name not in marks.comment_intents]
    if parse.verdict is not Verdict.SURE or not others:
        return True
    asks = occurs(pack.answers.get("question", ("\\?",)), text)
    return not asks and (others[0].confidence < SURE_OTHER or len(text.split()) <= OPINION)


def _typed(marks: Marks, text: str) -> Remark | None:
    """A mark that was written: alone, or before words about it («5, всё отлично»)."""
    for mark, pattern in marks.typed.items():
        found = re.match(rf"(?:{plain(pattern)})(?P<rest>$|\W.*$)", plain(text), re.DOTALL)
        if found is None:
            continue
        rest = text[found.start("rest") :].strip(" \t\n,.;:!-—–)")
        if not re.search(r"\w", rest):
            return Remark(mark=mark)
        if "?" not in rest and occurs(marks.opinions, rest) and not occurs(marks.matters, rest):
            return Remark(mark=mark, comment=rest)
    return None


def _whole(patterns: tuple[str, ...], text: str) -> bool:
    words = plain(text).strip(" .!,…")
    return any(re.fullmatch(plain(pattern), words) for pattern in patterns)
