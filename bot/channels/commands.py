"""Commands and links of a messenger as words that a customer could have written: the pack says which."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

START = "start"
_COMMAND = re.compile(r"/(?P<name>[A-Za-z0-9_]{1,32})(?:@\w+)?(?:\s+(?P<rest>.*))?", re.DOTALL)
_PAYLOAD = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True)
class Commands:
    """What commands and links mean."""

    words: Mapping[str, str] = field(default_factory=dict)
    # command without slash -> the words that it stands for
    links: Mapping[str, str] = field(default_factory=dict)
    # first part of a link's payload -> words, with {} for the rest: order_48213 by {"order": "Где заказ {}?"}

    def read(self, text: str) -> str:
        """Return the words that a command stands for, with what was written behind it; other texts as they are."""
        found = _COMMAND.fullmatch(text)
        if found is None or (words := self.words.get(found["name"].lower())) is None:
            return text
        rest = (found["rest"] or "").strip()
        if found["name"].lower() == START and _PAYLOAD.fullmatch(rest):
            return self.linked(rest)
        return f"{words}\n{rest}" if rest else words

    def linked(self, payload: str) -> str:
        """Return the words that the payload of a link stands for; those of a plain start for an unknown one.

        Anybody can make such a link, so what it says is no more than if the customer had typed it.
        """
        name, _, rest = payload.partition("_")
        words = self.links.get(name, "")
        if _PAYLOAD.fullmatch(payload) and words and ("{}" in words) == bool(rest):
            return words.replace("{}", rest)
        return self.words.get(START, "")
