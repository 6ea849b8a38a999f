"""How much of what comes in is kept: sizes that no customer needs, and nothing beyond them.

Whatever is cut is counted and, where people read it, marked. Ids are never cut, for then two would become one: a long one
is replaced by its digest.
"""

from __future__ import annotations

import hashlib
import logging
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from bot import metrics
from bot.channels import Incoming, Media
from bot.errors import CrmUnavailable

log = logging.getLogger(__name__)

TEXT = 16_000
"""Characters of one message: four times what the messengers take."""
CUT = " […]"
NAME, FILE_NAME = 200, 200
PRESS = 64
"""What we put into a button is shorter."""
CONTACT = 20
ID = 200
ATTACHMENTS = 20
"""An album has ten at most."""
REF = 4_000
FILE_BYTES = 2**31 - 1
"""What a column holds; a larger file is refused as well."""
ANSWER = 1_000_000
"""Characters of one answer of the shop's systems, roughly: names, values, and one for each part."""


def trimmed(incoming: Incoming) -> Incoming:
    """An update with everything in it cut to its size."""
    cut: list[str] = []

    def upto(part: str, value: str | None, most: int, mark: str = "") -> str | None:
        if value is None or len(value) <= most:
            return value
        cut.append(part)
        return value[: most - len(mark)] + mark

    def identity(part: str, value: str | None) -> str | None:
        if value is None or len(value) <= ID:
            return value
        cut.append(part)
        return hashlib.sha256(value.encode("utf-8", "replace")).hexdigest()

    def media(one: Media) -> Media:
        ref = one.ref if one.ref is None or len(one.ref) <= REF else None  # half a reference fetches nothing
        return replace(
            one, kind=str(upto("attachment", one.kind, 20)), ref=ref, mime=upto("attachment", one.mime, 100),
            name=upto("file_name", visible(one.name), FILE_NAME), size=min(one.size, FILE_BYTES) if one.size else one.size,
        )  # fmt: skip

    if len(incoming.attachments) > ATTACHMENTS:
        cut.append("attachments")
    kept = replace(
        incoming, text=str(upto("text", incoming.text, TEXT, CUT)), name=upto("name", visible(incoming.name), NAME),
        press=upto("press", incoming.press, PRESS), contact=upto("contact", incoming.contact, CONTACT),
        external_id=str(identity("external_id", incoming.external_id)), chat=str(identity("chat", incoming.chat)),
        message_id=identity("message_id", incoming.message_id), album=identity("album", incoming.album),
        attachments=tuple(media(one) for one in incoming.attachments[:ATTACHMENTS]),
    )  # fmt: skip
    for part in dict.fromkeys(cut):
        metrics.CUT.labels(metrics.label(incoming.channel), part).inc()
    if cut:
        log.warning("update_cut", extra={"channel": incoming.channel, "parts": sorted(set(cut))})
    return kept


def visible(name: str | None) -> str | None:
    """A name without what cannot be seen: it could turn the words around it, or break a line."""
    if name is None:
        return None
    return "".join(" " if unicodedata.category(one) in ("Cc", "Zl", "Zp") else one for one in name if one not in _TURNS)


_TURNS = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Marks that change the direction of writing: "photo[mark]gpj.exe" is shown as "photoexe.jpg"."""


def bounded(answer: Any, *, system: str) -> Any:
    """An answer of the shop's systems, if it is of a size that a conversation can need. Raises CrmUnavailable."""
    if _size(answer, ANSWER) > ANSWER:
        log.error("crm_answer_too_large", extra={"system": system})
        raise CrmUnavailable("The answer is too large.", system=system)
    return answer


def _size(value: Any, most: int) -> int:
    """About how large a value is; the count ends when it is more than `most`."""
    size, left = 0, [value]
    while left and size <= most:
        one = left.pop()
        size += len(one) if isinstance(one, str | bytes) else 1
        if isinstance(one, Mapping):
            left += [*one.keys(), *one.values()]
        elif isinstance(one, Sequence) and not isinstance(one, str | bytes):
            left += one
    return size
