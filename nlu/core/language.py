"""Marks of a message's writing: which scripts it has, whether it has words at all."""

from __future__ import annotations

import re

_LETTERS = re.compile(r"[^\W\d_]")
_SCRIPTS = (
    ("latin", re.compile("[a-zA-Z\u00c0-\u024f\u1e00-\u1eff]")),
    ("cyrillic", re.compile("[а-яА-ЯёЁ]")),
    ("ukrainian", re.compile("[іїєґІЇЄҐ]")),
    ("turkic", re.compile("[әіңғүұқөһӘІҢҒҮҰҚӨҺ]")),
    ("belarusian", re.compile("[ўЎ]")),
)
_ENGLISH = frozenset(
    "the is are was my your you where when what why how order please have has not can could would do does did "
    "to of in it for and this that with from about need want hello hi help speak english been but".split()
)


def is_wordless(text: str) -> bool:
    """Tell whether a message has neither letters nor digits."""
    return not any(char.isalnum() for char in text)


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
