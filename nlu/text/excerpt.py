"""What of a long message is read for its meaning; its words and numbers are read to the last."""

from __future__ import annotations

BEGINNING, END = 450, 250
"""So many characters of a longer message: a customer comes to the point at its beginning or at its end."""


def excerpt(text: str) -> str:
    """Return what an encoder is to read: never empty, without zero characters, of a letter its beginning and its end."""
    if len(text) > BEGINNING + END:
        text = f"{text[:BEGINNING]} … {text[-END:]}"
    return text.replace("\0", " ").strip() or "."
