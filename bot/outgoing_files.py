"""Agents' own files for customers: the bytes are stored first, then the message with its delivery job in one transaction.

    kept = await outgoing_files.keep(store, name, pieces, limit=limits.file, now=now)      # no transaction is open
    async with sessions.begin() as session:
        await outgoing_files.send(session, desk, agent, conversation_id, kept, caption=text, now=now)

What is stored and never sent belongs to no row, and `bot.tidying` deletes it. Delivery reads the bytes from the store.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePosixPath

from sqlalchemy.ext.asyncio import AsyncSession

from bot import desk as desks
from bot.channels import MOST_CAPTION
from bot.errors import FileTooBig
from bot.file_kinds import Kind, extension
from bot.file_store import FileStore, new_key
from bot.files import OURS, FileState
from bot.models import File, Message
from bot.timeline import Desk

MOST_BYTES = 50 * 1024 * 1024
"""Telegram takes no larger file of a bot, whatever the settings allow."""
MOST_NAME = 100
PHOTOS = ("image/jpeg", "image/png")
"""What both messengers show as a picture; all else goes as a file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A file that is in the store and may be sent."""

    key: str
    name: str
    # what the customer's messenger calls it
    kind: str
    # photo, file
    mime: str
    # by its content
    size: int
    # bytes
    sha256: str


async def keep(store: FileStore, name: str | None, pieces: AsyncIterator[bytes], *, limit: int, now: datetime) -> Kept:
    """Store a file that an agent wants to send. Nothing is kept when it is not taken.

    name: what the agent calls it; a path before it is left out
    limit: bytes (`fetching.Limits.file`: the setting `file_mb`)
    Raises FileTooBig (413), FileNotTaken (415) for a kind that no customer's file may be either, FileStoreUnavailable (503).
    """
    seen = _Seen(name, min(limit, MOST_BYTES))
    key = new_key(0, now.date())
    try:
        await store.put(key, seen.through(pieces))
    except Exception as error:
        raise seen.failed or error from None
    return Kept(
        key=key, name=_called(name, seen.mime), kind="photo" if seen.mime in PHOTOS else "file", mime=seen.mime,
        size=seen.size, sha256=seen.digest.hexdigest(),
    )  # fmt: skip


async def send(
    session: AsyncSession,
    desk: Desk,
    agent_name: str,
    conversation_id: int,
    kept: Kept,
    *,
    caption: str = "",
    now: datetime,
    request_id: int | None = None,
) -> Message:
    """Send the customer a file that is in the store: a reply of the agent's, under the same rules (`desk.reply`).

    A caption that no messenger takes goes before it as a message of its own. Returns the message with the file.
    """
    caption = caption.strip()
    if len(caption) > MOST_CAPTION:
        await desks.reply(session, desk, agent_name, conversation_id, caption, now=now, request_id=request_id)
        caption = ""
    message = await desks.reply(session, desk, agent_name, conversation_id, caption, now=now, request_id=request_id)
    message.attachments = [{"kind": kept.kind, "name": kept.name}]
    session.add(
        File(
            conversation_id=conversation_id, message_id=message.id, place=0, request_id=message.request_id, ref=OURS,
            size=kept.size, mime=kept.mime, state=FileState.KEPT, key=kept.key, sha256=kept.sha256, at=now,
        )
    )  # fmt: skip
    await session.flush()
    return message


class _Seen:
    """Counts, hashes and judges the bytes of one file while they pass."""

    def __init__(self, name: str | None, limit: int) -> None:
        self.size, self.mime, self.digest = 0, "", hashlib.sha256()
        self.failed: Exception | None = None
        # what stopped it, other than the store
        self._kind, self._limit = Kind(name), limit

    async def through(self, pieces: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
        """The pieces as they come. Raises FileRefused as soon as the file is too large or of a kind that is not taken."""
        try:
            async for piece in pieces:
                self.size += len(piece)
                if self.size > self._limit:
                    raise FileTooBig
                self.digest.update(piece)
                self._kind.feed(piece)
                yield piece
            self.mime = self._kind.finish()
        except Exception as error:
            self.failed = error
            raise


def _called(name: str | None, mime: str) -> str:
    """The name that the customer reads: without a path and what no name may hold, with the ending of its real kind."""
    last = re.split(r"[/\\]", name or "")[-1]
    plain = " ".join(re.sub(r'[\x00-\x1f\x7f<>:"|?*\u200e\u200f\u202a-\u202e\u2066-\u2069]', " ", last).split()).strip(
        ". "
    )
    suffix, right = PurePosixPath(plain).suffix.lower(), f".{extension(mime)}"
    same = suffix in {right, *_SAME.get(right, ())}
    stem = plain[: -len(suffix)] if suffix and same else plain
    return f"{(stem or 'file')[:MOST_NAME]}{suffix if same else right}"


_SAME = {".jpg": (".jpeg", ".jpe", ".jfif"), ".tif": (".tiff",), ".txt": (".log", ".tsv"), ".mpg": (".mpeg",)}
