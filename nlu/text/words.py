"""The Russian dictionary: is a word known, what is its lemma, what can it be. Every answer is cached."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from pymorphy3 import MorphAnalyzer

_CACHE = 50_000


def words_of(table: str) -> frozenset[str]:
    """Return the words of a table written as text; lines that begin with # are comments."""
    lines = (line for line in table.splitlines() if not line.lstrip().startswith("#"))
    return frozenset(word for line in lines for word in line.split())


@lru_cache(maxsize=1)
def dictionary() -> Any:
    """Return the one analyzer of the process; the first call loads it (about 0.2 s)."""
    return MorphAnalyzer(lang="ru")


@lru_cache(maxsize=_CACHE)
def known(word: str) -> bool:
    """Tell whether a word, or each part of a hyphenated one, is in the dictionary."""
    word = word.lower()
    if "-" in word:
        return all(part and known(part) for part in word.split("-"))
    return bool(dictionary().word_is_known(word))


@lru_cache(maxsize=_CACHE)
def parses(word: str) -> tuple[Any, ...]:
    """Return pymorphy's parses of a word, the likeliest first."""
    return tuple(dictionary().parse(word.lower()))


@lru_cache(maxsize=_CACHE)
def lemma(word: str) -> str:
    """Return the dictionary form of a word, ё written as е; a number or a foreign word as it stands."""
    found = parses(word)
    form: str = found[0].normal_form if found else word.lower()
    return form.replace("ё", "е")


@lru_cache(maxsize=_CACHE)
def grammemes(word: str) -> frozenset[str]:
    """Return the grammemes of all parses of a word together."""
    return frozenset().union(*(parse.tag.grammemes for parse in parses(word)))


@lru_cache(maxsize=_CACHE)
def begins_word(prefix: str) -> bool:
    """Tell whether any dictionary word starts with these letters."""
    return next(iter(dictionary().dictionary.words.iterkeys(prefix)), None) is not None
