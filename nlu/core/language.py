"""Marks of a message's writing: which scripts it has, whether it has words at all, whether they can be words."""

from __future__ import annotations

import re
from collections.abc import Sequence

from nlu.text.words import known, words_of

_LETTERS = re.compile(r"[^\W\d_]")
_SCRIPTS = (
    ("latin", re.compile("[a-zA-Z\u00c0-\u024f\u1e00-\u1eff]")),
    ("cyrillic", re.compile("[а-яА-ЯёЁ]")),
    ("ukrainian", re.compile("[іїєґІЇЄҐ]")),
    ("turkic", re.compile("[әіңғүұқөһӘІҢҒҮҰҚӨҺ]")),
    ("belarusian", re.compile("[ўЎ]")),
)
_ENGLISH = words_of(
    "the is are was my your you where when what why how order please have has not can could would do does did "
    "to of in it for and this that with from about need want hello hi help speak english been but"
)


def marks(mended: str) -> tuple[str, ...]:
    """Return the marks of a mended text, as words for a classifier: `<latin>`, `<mostly_other>`, `<english>`…

    >>> marks("where is my order")
    ('<mostly_latin>', '<english>')
    """
    letters = len(_LETTERS.findall(mended))
    if not letters:
        return ("<wordless>",)
    found: list[str] = []
    known = 0
    for name, pattern in _SCRIPTS:
        count = len(pattern.findall(mended))
        known += count if name in ("latin", "cyrillic") else 0
        if name != "cyrillic" and count:
            found.append(f"<mostly_{name}>" if 2 * count > letters else f"<some_{name}>")
    if 2 * known < letters:
        found.append("<other_script>")
    english = sum(word in _ENGLISH for word in re.findall(r"[a-z']+", mended.lower()))
    if english >= 2:
        found.append("<english>")
    return tuple(found)


_LATIN_VOWEL = re.compile("[aeiouyà-ÿ]")
_STRANGE_SHARE = 0.6
_UNSPEAKABLE = re.compile(r"(.)\1{2}|[bcdfghjklmnpqrstvwxz]{5}|asdf|qwer|zxcv|uiop")


def is_gibberish(words: Sequence[str]) -> bool:
    """Tell whether most of a message's words look like none: Russian ones by the dictionary, Latin by their letters.

    >>> is_gibberish(["фывапролд"]), is_gibberish(["asdfghjkl", "qwe"]), is_gibberish(["hablas", "ruso"])
    (True, True, False)
    """
    lettered = [word.lower() for word in words if any(char.isalpha() for char in word)]
    strange = sum(len(word) for word in lettered if _is_strange(word))
    return bool(lettered) and strange >= _STRANGE_SHARE * sum(map(len, lettered))


def _is_strange(word: str) -> bool:
    if "а" <= word[0] <= "я":
        return len(word) == 1 or not known(word)
    if word.isascii():
        return bool(_UNSPEAKABLE.search(word)) or (len(word) > 2 and not _LATIN_VOWEL.search(word))
    return False
