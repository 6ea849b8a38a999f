"""The marks of a request in a run of words: where a question or an order opens."""

from __future__ import annotations

import re
from collections.abc import Sequence

from nlu.text.clauses import joints
from nlu.text.normalise import Token
from nlu.text.words import parses

BREAK = re.compile(r"[.!?…\n;]")
"""Between two words it ends a sentence."""


def opens_question(tokens: Sequence[Token], index: int, gap: str) -> bool:
    """Tell whether a word opens a question or a wish of its own here."""
    token = tokens[index]
    before = tokens[index - 1] if index else None
    if token.norm in joints.OPENING_WISHES:
        return before is None or "," in gap or before.norm in ("и", "а", "еще", "но") or BREAK.search(gap) is not None
    asks_whether = index + 1 < len(tokens) and tokens[index + 1].norm == "ли"
    if token.norm not in joints.QUESTION_WORDS and not _is_what_about(tokens, index) and not asks_whether:
        return False
    if token.norm == "как" and not _asks_how(tokens, index):
        return False
    if before is None or before.norm in ("и", "а", "но") or BREAK.search(gap) or asks_whether:
        return True
    if before.norm in joints.PROCLITICS:
        before = tokens[index - 2] if index > 1 else before
    return before.lemma not in joints.QUESTION_WORDS and before.lemma not in joints.GOVERNORS


def _asks_how(tokens: Sequence[Token], index: int) -> bool:
    """Tell 'как вернуть', 'как мне быть' from 'как обычно', 'как все'."""
    return any(
        "INFN" in parses(word.norm)[0].tag.grammemes or word.norm == "можно" for word in tokens[index + 1 : index + 4]
    )


def _is_what_about(tokens: Sequence[Token], index: int) -> bool:
    """Tell 'что с …', 'что за …', 'что по …' from the conjunction."""
    following = tokens[index + 1].norm if index + 1 < len(tokens) else ""
    return tokens[index].norm == "что" and following in ("с", "со", "за", "по", "там")


def is_imperative(word: str) -> bool:
    """Tell whether a word is most likely an imperative: верните, отмените, уберите."""
    if len(word) < 4 or "VERB" not in parses(word)[0].tag.grammemes:
        return word == "пусть"
    return any("impr" in parse.tag.grammemes and parse.score >= 0.2 for parse in parses(word))
