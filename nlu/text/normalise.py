"""Mends a customer's message (layout, transliteration, letters, case, slang) and cuts it into words.

The mended text is for the model; every character of it and every word keeps its place in the text as it was sent.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from nlu.text import lexicon, script
from nlu.text.words import grammemes, known, lemma, words_of


@dataclass(frozen=True, slots=True)
class Token:
    """A word of the message."""

    start: int
    end: int
    """Place in the text as it was sent."""
    text: str
    """As it was sent."""
    lemma: str
    norm: str
    """The mended word in lower case."""


@dataclass(frozen=True, slots=True)
class Normalised:
    """A mended message."""

    text: str
    offsets: tuple[int, ...]
    """For each character of the mended text its position in the original."""
    tokens: tuple[Token, ...]


@dataclass(frozen=True, slots=True)
class _Draft:
    """A text on its way: each character with the span of the original that it stands for."""

    text: str
    starts: Sequence[int]
    ends: Sequence[int]

    def edited(self, edits: Iterable[tuple[int, int, str]]) -> _Draft:
        """Return the draft with (start, end, new text) replacements, given in order and apart from each other."""
        parts: list[str] = []
        starts: list[int] = []
        ends: list[int] = []
        done = 0
        for start, end, new in edits:
            parts += (self.text[done:start], new)
            starts += self.starts[done:start]
            ends += self.ends[done:start]
            if len(new) == end - start:
                starts += self.starts[start:end]
                ends += self.ends[start:end]
            else:
                sources = [start + index * (end - start) // len(new) for index in range(len(new))]
                starts += [self.starts[source] for source in sources]
                ends += [self.ends[source] for source in sources[1:]] + ([self.ends[end - 1]] if new else [])
            done = end
        if not parts:
            return self
        parts.append(self.text[done:])
        starts += self.starts[done:]
        ends += self.ends[done:]
        return _Draft("".join(parts), starts, ends)


def normalise(text: str) -> Normalised:
    """Return the mended text, the place of each of its characters, and its words."""
    draft = _Draft(text, range(len(text)), range(1, len(text) + 1))
    draft = draft.edited(_sign_edits(draft.text))
    draft = draft.edited(_script_edits(draft.text))
    draft = draft.edited(_word_edits(draft.text))
    return Normalised(draft.text, tuple(draft.starts), _tokens(text, draft))


# ── Signs ────────────────────────────────────────────────────────────────────────────────────────
_EMOJI = "\u2190-\u21ff\u2300-\u23ff\u2460-\u24ff\u25a0-\u27bf\u2900-\u29ff\u2b00-\u2bff\U0001f000-\U0001faff"
_SIGNS = re.compile(
    "(?P<nothing>[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff\ufe0e\ufe0f\u0301]+)"
    f"|(?P<emoji>[{_EMOJI}](?:[{_EMOJI}\u200d\ufe0f\u20e3\\s]*[{_EMOJI}\u200d\ufe0f\u20e3])?)"
    "|(?P<short_i>[иИ]\u0306)|(?P<yo_parts>[еЕ]\u0308)"
    "|(?P<yo>[ёЁ])"
    "|(?P<quote>[«»“”„‟″])|(?P<apostrophe>[‘’‛′´])"
    "|(?P<dash>[‐-―−﹘﹣－])"
    "|(?P<space>[\u00a0\u2000-\u200a\u202f\u205f\u3000])"
    "|(?P<again>!{2,}|\\?{2,}|,{2,}|;{2,}|:{2,})|(?P<dots>\\.{2,}|…)|(?P<brackets>\\){2,}|\\({2,})"
)
_PLAIN = {"quote": '"', "apostrophe": "'", "dash": "-", "space": " ", "nothing": "", "dots": "...", "emoji": " "}


def _sign_edits(text: str) -> list[tuple[int, int, str]]:
    """Plain signs for fancy ones, one for many; emoji stand for a word only where there are no words."""
    wordless = not any(char.isalnum() for char in text)
    edits = []
    for match in _SIGNS.finditer(text):
        kind, found = str(match.lastgroup), match.group()
        if kind == "emoji" and wordless:
            new = next((lexicon.EMOJI_WORDS[char] for char in found if char in lexicon.EMOJI_WORDS), " ")
        elif kind in ("yo", "yo_parts"):
            new = "е" if found[0] in "ёе" else "Е"
        elif kind == "short_i":
            new = "й" if found[0] == "и" else "Й"
        elif kind in ("again", "brackets"):
            new = found[0]
        else:
            new = _PLAIN[kind]
        edits.append((match.start(), match.end(), new))
    return edits


# ── Scripts ──────────────────────────────────────────────────────────────────────────────────────
_PROTECTED = re.compile(
    r"https?://\S+|www\.\S+|[\w.+-]{1,64}@[\w-]+\.[\w.-]+|@\w+|\b[\w-]+\.(?:ru|com|рф|org|net|me|io)\b(?:/\S*)?"
    r"|(?<!\w)\w{0,3}\d[\d\s-]{3,}\d(?:[A-Za-zА-Яа-я]{2}\b)?|\b[A-Za-z]+\d+\w*(?<!4)\b",
    re.IGNORECASE,
)
_CHUNK = re.compile(r"[^\s\d!?()&/№#%*+=|\\-]+")
_LATIN_WORD = re.compile(r"(?<![\w])(?:[46](?=[A-Za-z]))?[A-Za-z](?:[A-Za-z'`46-]*[A-Za-z'`4])?(?![\w])")
_LETTERS = re.compile(r"[A-Za-zА-Яа-яЁё]+")
_LATIN, _CYRILLIC = re.compile("[A-Za-z]"), re.compile("[А-Яа-яЁё]")
_CYRILLIC_WORD = re.compile(r"[А-Яа-яЁё]{3,}")
_OTHER_LETTERS = re.compile(r"[ßäöüşğıçñáéíóúãõêâîôûœæøåšžčćłżźśą]")
_SURE_SHARE = 0.6
"""Share of letters in words of a script, from which the whole message is taken for it."""
_LONE_LETTERS = {"a": "а", "c": "с", "o": "о", "y": "у", "k": "к", "b": "в", "A": "А", "C": "С", "O": "О", "K": "К"}


def _script_edits(text: str) -> list[tuple[int, int, str]]:
    """Find words to bring back to Russian letters: the whole message's script first, then word by word."""
    edits = []
    if any(char.isascii() and char.isalpha() for char in text):
        shielded = _shield(text)
        has_cyrillic = _CYRILLIC_WORD.search(text) is not None
        if not _OTHER_LETTERS.search(text.lower()):
            edits = _latin_edits(shielded, has_cyrillic=has_cyrillic)
        if has_cyrillic:
            taken = {start for start, _, _ in edits}
            for match in _LETTERS.finditer(shielded):
                if not (_LATIN.search(match.group()) and _CYRILLIC.search(match.group())):
                    continue
                whole = script.one_alphabet(match.group())
                if whole and whole != match.group() and match.start() not in taken:
                    edits.append((*match.span(), whole))
    edits += [
        (*match.span(), latin)
        for match in _CYRILLIC_WORD.finditer(text)
        if (latin := script.from_russian_keys(match.group()))
    ]
    return _apart(edits)


def _shield(text: str) -> str:
    """Hide addresses, numbers with letters and the like, keeping every position."""
    return _PROTECTED.sub(lambda match: "0" * len(match.group()), text)


def _latin_edits(text: str, *, has_cyrillic: bool) -> list[tuple[int, int, str]]:
    words = [match for match in _LATIN_WORD.finditer(text) if match.group().lower() not in lexicon.BRANDS]
    chunks = [
        match
        for match in _CHUNK.finditer(text)
        if _LATIN.search(match.group()) and match.group().strip(".,;:'\"").lower() not in lexicon.BRANDS
    ]
    layout = _weight(chunks, [script.from_latin_keys(match.group()) is not None for match in chunks])
    translit = _weight(words, [script.from_translit(match.group()) is not None for match in words])
    foreign = _weight(words, [_is_foreign(match.group()) for match in words])
    if layout >= _SURE_SHARE and layout >= max(translit, foreign):
        return [_layout_edit(match) for match in chunks]
    if translit >= _SURE_SHARE and (translit - foreign > 0.15 or (has_cyrillic and foreign < 0.5)):
        return _translit_edits(words)
    return _word_by_word(words, chunks, foreign) if has_cyrillic else []


def _weight(matches: Sequence[re.Match[str]], hits: Sequence[bool]) -> float:
    """Return the share of letters that the hits hold."""
    total = sum(len(match.group()) for match in matches)
    return sum(len(match.group()) for match, hit in zip(matches, hits, strict=True) if hit) / total if total else 0.0


def _is_foreign(word: str) -> bool:
    word = word.lower()
    return (word in lexicon.ENGLISH and word not in lexicon.TRANSLIT_WORDS) or word in lexicon.FOREIGN


def _layout_edit(match: re.Match[str]) -> tuple[int, int, str]:
    chunk = match.group()
    found = script.from_latin_keys(chunk)
    if found is None:
        core = chunk.rstrip(".,;:")
        found = script.switch_to_russian(core) + chunk[len(core) :]
    return (*match.span(), found)


_BEFORE_INFINITIVE = words_of(
    "хочу хотел хотела хотим могу может можем можно нельзя надо нужно как где куда чтобы чтоб прошу"
)


def _translit_edits(words: Sequence[re.Match[str]]) -> list[tuple[int, int, str]]:
    """Read every word; one that may lack its soft sign is an infinitive after 'хочу', 'как', 'можно'."""
    edits = []
    near: list[str] = []
    for match in words:
        reading = script.from_translit(match.group()) or script.transcribe(match.group())
        if reading.endswith("т") and _BEFORE_INFINITIVE & set(near[-3:]) and "INFN" in grammemes(reading + "ь"):
            reading += "ь"
        near.append(reading.lower())
        edits.append((*match.span(), reading))
    return edits


def _word_by_word(
    words: Sequence[re.Match[str]], chunks: Sequence[re.Match[str]], foreign: float
) -> list[tuple[int, int, str]]:
    """In a Russian message with some Latin words: only those that are surely Russian."""
    edits = []
    for match in words:
        word = match.group()
        if word in _LONE_LETTERS:
            edits.append((*match.span(), _LONE_LETTERS[word]))
        elif len(word) > 2 and foreign < 0.5 and not _is_foreign(word) and (reading := script.from_translit(word)):
            edits.append((*match.span(), reading))
        elif (alike := script.one_alphabet(word)) and not alike.isascii() and len(word) > 2 and script.is_word(alike):
            edits.append((*match.span(), alike))
    for match in chunks:
        if len(match.group()) > 3 and (switched := script.from_latin_keys(match.group())):
            edits.append((*match.span(), switched))
    return _apart(edits)


def _apart(edits: list[tuple[int, int, str]]) -> list[tuple[int, int, str]]:
    """Return the edits in order; of two that overlap the earlier one."""
    kept: list[tuple[int, int, str]] = []
    for edit in sorted(edits):
        if not kept or edit[0] >= kept[-1][1]:
            kept.append(edit)
    return kept


# ── Words ────────────────────────────────────────────────────────────────────────────────────────
_RUSSIAN_WORD = re.compile(r"[А-Яа-я]+(?:-[А-Яа-я]+)*")
_REPEATED = re.compile(r"([а-я])\1+", re.IGNORECASE)
_SHOUTED_SHARE = 0.6


def _word_edits(text: str) -> list[tuple[int, int, str]]:
    """Lower shouting, drop drawn-out letters, put slang and common misspellings right."""
    letters = [char for char in text if char.isalpha()]
    shouted = len(letters) > 5 and sum(char.isupper() for char in letters) > _SHOUTED_SHARE * len(letters)
    edits = []
    for match in _RUSSIAN_WORD.finditer(text):
        word = match.group()
        new = _mended_word(word)
        if shouted:
            new = new.lower()
        if new != word:
            edits.append((*match.span(), new))
    return edits


@lru_cache(maxsize=50_000)
def _mended_word(word: str) -> str:
    lower = word.lower()
    if _REPEATED.search(lower) and not (known(lower) and not re.search(r"([а-я])\1\1", lower)):
        lower = _undrawn(lower)
    lower = lexicon.SLANG.get(lower, lower)
    if lower == word.lower():
        return word
    return lower[0].upper() + lower[1:] if word[0].isupper() else lower


def _undrawn(word: str) -> str:
    """Return a drawn-out word with as many letters as make it known: 'нууу' is 'ну', 'длиннннный' is 'длинный'."""
    one, two = (_REPEATED.sub(form, word) for form in (r"\1", r"\1\1"))
    if script.is_word(two):
        return two
    runs = list(_REPEATED.finditer(word))
    for run in runs:
        if len(runs) > 1:
            kept = word[: run.start()] + run.group(1) * 2 + word[run.end() :]
            if script.is_word(
                candidate := _REPEATED.sub(lambda m: m.group(1), kept[: run.start()]) + kept[run.start() :]
            ):
                return candidate
    if script.is_word(one):
        return one
    return _REPEATED.sub(lambda m: m.group(1) * (1 if len(m.group()) > 2 else 2), word)


_TOKEN = re.compile(
    r"https?://\S+|[\w.+-]{1,64}@[\w-]+\.[\w.-]+"
    r"|[A-Za-zА-Яа-я]{2}\d{9}[A-Za-zА-Яа-я]{2}"
    r"|\d+(?:[.,:/-]\d+)*"
    r"|[^\W\d_]+(?:[-'][^\W\d_]+)*"
)


def _tokens(original: str, draft: _Draft) -> tuple[Token, ...]:
    tokens = []
    done = 0
    for match in _TOKEN.finditer(draft.text):
        start, end = max(done, draft.starts[match.start()]), draft.ends[match.end() - 1]
        done = max(start, end)
        norm = match.group().lower()
        tokens.append(Token(start, done, original[start:done], lemma(norm), norm))
    return tuple(tokens)
