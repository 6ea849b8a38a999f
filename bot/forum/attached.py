"""What agents attach to their messages in a group, on its way into the store."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bot import outgoing_files
from bot.channels import Channel
from bot.errors import FileRefused, FirstlineError
from bot.file_store import FileStore

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Attached:
    """An agent's attachment: in the store, or why not."""

    kept: outgoing_files.Kept | None
    why: str = ""
    # `FileRefused.reason`; empty: it could not be fetched


async def keep(
    attachment: Mapping[str, Any], channel: Channel, store: FileStore, *, limit: int, now: datetime
) -> Attached:
    """Bring an attachment of an update into the store. `limit`: bytes."""
    ref = attachment.get("ref")
    if ref is None:
        return Attached(None)

    async def pieces() -> AsyncIterator[bytes]:
        async for piece in channel.fetch(ref):
            yield piece

    try:
        kept = await outgoing_files.keep(store, attachment.get("name"), pieces(), limit=limit, now=now)
    except FileRefused as error:
        return Attached(None, error.reason)
    except FirstlineError as error:
        log.warning("forum_file_failed", extra={"error": type(error).__name__})
        return Attached(None)
    return Attached(kept)
