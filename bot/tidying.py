"""Tidying up the file store: what was kept long enough goes, and what killed processes have left behind."""

from __future__ import annotations

import asyncio
import logging
import time
from datetime import timedelta

from sqlalchemy import ARRAY, Text, func, literal, select

from bot.errors import FileStoreUnavailable
from bot.fetching import Files
from bot.files import FileState, Reason
from bot.models import File

log = logging.getLogger(__name__)

TIDY_LOCK = 7_264_004
EVERY = 3600.0
"""Seconds between two looks of one process."""
DAYS = 3
"""So many days are looked through for bytes that belong to no row."""
LEFT_BEHIND = timedelta(hours=1)
"""What is stored and belongs to nothing after this time was left by a killed process: no fetch lasts so long."""
AT_ONCE = 200


async def tidy_hourly(work: Files) -> None:
    """`tidy`, when this process has not done so within the last hour."""
    now = time.monotonic()
    if now - work.tidied >= EVERY:
        work.tidied = now
        await tidy(work)


async def tidy(work: Files, *, left_behind: timedelta = LEFT_BEHIND) -> int:
    """Delete files whose time is over, and what killed processes have left in the store; return how many went.

    Does nothing when another process is at it; when the store does not answer it is done the next time.
    """
    gone = 0
    async with work.sessions.begin() as lock:
        if not await lock.scalar(select(func.pg_try_advisory_xact_lock(TIDY_LOCK))):
            return 0
        try:
            while (some := await _let_go_of_old(work)) > 0:
                gone += some
            gone += await _clear(work, left_behind)
            gone += await asyncio.to_thread(work.store.clear, older=left_behind)
        except FileStoreUnavailable as error:
            log.error("file_store_down", extra={"error": str(error)})
    if gone:
        log.info("files_deleted", extra={"files": gone})
    return gone


async def _let_go_of_old(work: Files) -> int:
    """Delete some of what was kept long enough: the bytes first, so that none are left without a row."""
    before = work.clock.now() - work.limits.keep
    old = select(File).where(File.state == FileState.KEPT, File.at < before).order_by(File.id).limit(AT_ONCE)
    async with work.sessions.begin() as session:
        batch = list(await session.scalars(old))
        await work.store.delete([file.key for file in batch if file.key])
        for file in batch:
            file.state, file.reason, file.key = FileState.LOST, Reason.OLD, None
        return len(batch)


async def _clear(work: Files, left_behind: timedelta) -> int:
    """Delete what stands in the store of the last days and in no row."""
    today, unused = work.clock.now().date(), []
    for days in range(DAYS):
        keys = await work.store.keys(today - timedelta(days=days), older=left_behind)
        known = select(File.key).where(File.key == func.any(literal(keys, ARRAY(Text))))
        async with work.sessions() as session:
            used = set(await session.scalars(known)) if keys else set()
        unused += [key for key in keys if key not in used]
    await work.store.delete(unused)
    return len(unused)
