"""What a message is about: leading greetings and introductions are left out of what the classifier reads.

"Привет, когда придёт заказ" asks about an order, and "меня зовут Иван Петров, хочу отменить" changes no recipient.
Entities are still looked for in the whole text.
"""

from __future__ import annotations

from collections.abc import Sequence

from nlu.text.normalise import Normalised, Token
from nlu.text.words import grammemes

_GREETINGS = (
    "здравствуйте", "здравствуй", "привет", "приветствую", "здрасте", "здрасьте", "хай", "ку", "алло", "салют",
    "добрый день", "добрый вечер", "доброе утро", "доброй ночи", "доброго дня", "доброго вечера", "доброго утра",
    "доброго времени суток", "доброго здоровья", "добрый", "день добрый", "вечер добрый", "утро доброе",
)  # fmt: skip
_STARTS = frozenset(tuple(greeting.split()) for greeting in _GREETINGS)
_LONGEST = max(map(len, _STARTS))
_INTRODUCTIONS = frozenset((("меня", "зовут"), ("моё", "имя"), ("мое", "имя"), ("мои", "фио"), ("с", "вами")))
_NAME = frozenset(("Name", "Surn", "Patr"))
_FEWEST = 2
"""So many words must be left, else the message stays as it is."""


def focus(normalised: Normalised) -> tuple[str, list[Token]]:
    """Return the mended text and the words without greeting and introduction.

    >>> from nlu.text.normalise import normalise
    >>> focus(normalise("Добрый день! Меня зовут Анна Петрова, где мой заказ"))[0]
    'где мой заказ'
    """
    tokens = list(normalised.tokens)
    dropped = set(range(_greeting(tokens))) | _introduction(tokens)
    kept = [token for at, token in enumerate(tokens) if at not in dropped]
    if not dropped or sum(any(char.isalpha() for char in token.norm) for token in kept) < _FEWEST:
        return normalised.text, tokens
    spans = [(tokens[at].start, tokens[at].end) for at in dropped]
    text = "".join(
        char
        for char, origin in zip(normalised.text, normalised.offsets, strict=True)
        if not any(start <= origin < end for start, end in spans)
    )
    return text.lstrip(" ,.!?;:)-\n"), kept


def _greeting(tokens: Sequence[Token]) -> int:
    """Return how many words at the start are a greeting."""
    norms = [token.norm for token in tokens[:_LONGEST]]
    return next((size for size in range(len(norms), 0, -1) if tuple(norms[:size]) in _STARTS), 0)


def _introduction(tokens: Sequence[Token]) -> set[int]:
    """Return the words of «меня зовут …» with the names that follow it."""
    for at in range(len(tokens) - 2):
        if (tokens[at].norm, tokens[at + 1].norm) not in _INTRODUCTIONS:
            continue
        end = at + 2
        while end < len(tokens) and end < at + 5 and _NAME & grammemes(tokens[end].norm):
            end += 1
        if end > at + 2:
            return set(range(at, end))
    return set()
