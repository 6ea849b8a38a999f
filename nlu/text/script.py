"""Russian typed in another script: with the wrong keyboard layout, in Latin letters, with look-alike letters."""

from __future__ import annotations

from functools import lru_cache

from nlu.text import lexicon
from nlu.text.words import begins_word, known, words_of

_CACHE = 20_000
_BEAM = 32
_LONGEST_GROUP = max(map(len, lexicon.TRANSLIT))
_ONE_LETTER_WORDS = frozenset("аиоуявкс")
_EDGES = ".,;:'\"<>[]{}`~"
_LONGEST_WORD = 60
"""A longer run of letters is no word, and is left as it is."""


def is_word(word: str) -> bool:
    """Tell whether this is a Russian word one may rely on: known, and not a stray letter or abbreviation."""
    word = word.lower()
    if len(word) == 1:
        return word in _ONE_LETTER_WORDS
    if len(word) == 2:
        return word in _TWO_LETTER_WORDS
    return known(word) or word in lexicon.SLANG


_TWO_LETTER_WORDS = words_of(
    "да не ну на но ни за до от из по мы вы ты он мне же ли бы ко об со их ее её им ей то та те ту ок ой эх ах чё че "
    "лк уж во ща"
)


@lru_cache(maxsize=_CACHE)
def from_latin_keys(chunk: str) -> str | None:
    """Return what the keys give in the Russian layout if these are known words: 'ult' is 'где'. Length stays.

    Keys at the edges may be letters (ж, э, х, ъ, б, ю, ё) or real punctuation: the reading with known words wins.
    """
    if len(chunk) > _LONGEST_WORD:
        return None
    lead_max = len(chunk) - len(chunk.lstrip(_EDGES))
    tail_max = len(chunk) - len(chunk.rstrip(_EDGES))
    for tail in range(tail_max + 1):
        for lead in range(lead_max + 1):
            core = chunk[lead : len(chunk) - tail]
            if core and is_word(switched := switch_to_russian(core)):
                return chunk[:lead] + switched + chunk[len(chunk) - tail :]
    return None


def switch_to_russian(text: str) -> str:
    """Return the same keys in the Russian layout."""
    return "".join(lexicon.TO_RUSSIAN_KEYS.get(char, char) for char in text)


@lru_cache(maxsize=_CACHE)
def from_russian_keys(word: str) -> str | None:
    """Return what the keys give in the Latin layout if that is an English or brand word: 'руддщ' is 'hello'."""
    if len(word) < 3 or known(word) or not all(char in lexicon.TO_LATIN_KEYS for char in word):
        return None
    latin = "".join(lexicon.TO_LATIN_KEYS[char] for char in word)
    return latin if latin.lower() in lexicon.ENGLISH or latin.lower() in lexicon.BRANDS else None


@lru_cache(maxsize=_CACHE)
def from_translit(word: str) -> str | None:
    """Return the cheapest reading of Latin letters that is a known Russian word: 'posylka' is 'посылка'."""
    if len(word) > _LONGEST_WORD:
        return None
    lower = word.lower()
    fixed = lexicon.TRANSLIT_WORDS.get(lower)
    if fixed is None and "-" in lower:
        parts = [from_translit(part) for part in lower.split("-")]
        fixed = "-".join(part for part in parts if part) if all(parts) else None
    if fixed is None:
        readings = [reading for reading in _readings(lower) if is_word(reading[1])]
        fixed = min(readings)[1].replace("ё", "е") if readings else None
    if fixed and word[0].isupper():
        return fixed.upper() if word.isupper() and len(word) > 1 else fixed[0].upper() + fixed[1:]
    return fixed


def transcribe(word: str) -> str:
    """Return the plain reading of Latin letters, known word or not: for names and misspellings."""
    readings = _readings(word.lower(), known_only=False) if len(word) <= _LONGEST_WORD else []
    plain = min(readings)[1] if readings else word
    return plain[0].upper() + plain[1:] if word[:1].isupper() else plain


def _readings(word: str, *, known_only: bool = True) -> list[tuple[float, str]]:
    """Search the cheapest readings from left to right, keeping only beginnings of dictionary words."""
    beams: list[dict[str, float]] = [{} for _ in range(len(word) + 1)]
    beams[0][""] = 0.0
    for position in range(len(word)):
        best = sorted(beams[position].items(), key=lambda item: item[1])[:_BEAM]
        for size in range(1, min(_LONGEST_GROUP, len(word) - position) + 1):
            for group, price in lexicon.TRANSLIT.get(word[position : position + size], ()):
                # A group read as one letter is likelier than its letters one by one.
                step = price - 0.1 * (size - 1)
                for prefix, cost in best:
                    _offer(beams[position + size], prefix + group, cost + step, known_only)
                    if known_only and group[-1] in lexicon.TRANSLIT_SOFT:
                        _offer(beams[position + size], prefix + group + "ь", cost + step + 0.6, known_only)
    return [(cost, text) for text, cost in beams[-1].items()]


def _offer(beam: dict[str, float], text: str, cost: float, known_only: bool) -> None:
    if cost < beam.get(text, 99.0) and (not known_only or begins_word(text)):
        beam[text] = cost


@lru_cache(maxsize=_CACHE)
def one_alphabet(word: str) -> str | None:
    """Return a word of mixed alphabets in the one that fits: 'зaкaз' in Cyrillic, 'iРhоnе' in Latin. Length stays."""
    cyrillic = "".join(lexicon.LATIN_TO_CYRILLIC.get(char, char) for char in word)
    if not any(char.isascii() and char.isalpha() for char in cyrillic):
        latin_letters = sum(char.isascii() for char in word if char.isalpha())
        if is_word(cyrillic) or latin_letters * 2 <= len(word):
            return cyrillic
    latin = "".join(lexicon.CYRILLIC_TO_LATIN.get(char, char) for char in word)
    return latin if latin.isascii() else None
