"""What of a long message is read for its meaning; numbers and names are looked for to its end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

_Word = TypeVar("_Word")

WHOLE = 700
"""So many characters are read whole."""
BEGINNING, END = 300, 200
"""So many of a longer message: a customer comes to the point at its beginning or at its end."""
FIRST_WORDS, LAST_WORDS = 120, 80


def excerpt(text: str) -> str:
    """Return what an encoder is to read: never empty, without zero characters, of a letter its beginning and its end."""
    if len(text) > WHOLE:
        text = f"{text[:BEGINNING]} … {text[-END:]}"
    return text.replace("\0", " ").strip() or "."


def telling(words: Sequence[_Word]) -> list[_Word]:
    """Return the words of a message that are read, of a letter those of its beginning and its end."""
    if len(words) <= FIRST_WORDS + LAST_WORDS:
        return list(words)
    return [*words[:FIRST_WORDS], *words[-LAST_WORDS:]]
