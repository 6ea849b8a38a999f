"""Telephone numbers in what agents are shown at a glance: all but the last four digits are hidden (ruling 31).

The full number stays where it was written: in the transcript, and on the customer's card.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_GAP = r"[\s\-–.()]*"
_PHONE = re.compile(rf"(?<![\d+])(?:\+\d|[78]){_GAP}(?:\d{_GAP}){{9}}\d(?!\d)")
"""A number of eleven digits that begins as telephone numbers do; longer ones are a parcel's or a card's."""


def mask(text: str) -> str:
    """Return a text with its telephone numbers masked: «+7 916 123-45-67» becomes «•••4567»."""
    return _PHONE.sub(lambda found: f"•••{re.sub(r'[^0-9]', '', found[0])[-4:]}", text)


def masked(value: Any) -> Any:
    """Return JSON-like data with the telephone numbers of all its texts masked; keys stay as they are."""
    if isinstance(value, str):
        return mask(value)
    if isinstance(value, Mapping):
        return {key: masked(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [masked(one) for one in value]
    return value
