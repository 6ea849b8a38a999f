"""Upkeep: every few seconds one of the processes does what has fallen due and finds what was left behind."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import func, select

from bot import conversations, files, pace, planned
from bot.clock import Clock
from bot.database import Sessions
from bot.outside import calls, outbox
from bot.sweep import sweep
from bot.timeline import Desk

UPKEEP_LOCK = 7_264_003
RECEIPTS_KEPT = timedelta(days=30)
"""Telegram repeats updates for a day; VK's event ids are kept as long, to be sure."""


async def upkeep(sessions: Sessions, desk: Desk, clock: Clock, *, hooks: bool = False) -> int:
    """Do what has fallen due, add jobs that got lost, forget what is old; 0 when another process is at it.

    `hooks`: an outside system is told of requests.
    """
    async with sessions.begin() as session:
        if not await session.scalar(select(func.pg_try_advisory_xact_lock(UPKEEP_LOCK))):
            return 0
        now = clock.now()
        done = await sweep(session, desk, now)
        done += await conversations.recover(session, desk.jobs, now=now)
        done += await files.recover(session, desk.jobs, now=now)
        if hooks:
            done += await outbox.recover(session, desk.jobs, now=now)
        await outbox.forget(session, now=now)
        done += await planned.recover(session, desk.jobs, now=now)
        await calls.forget(session, now=now)
        await conversations.forget_receipts(session, before=now - RECEIPTS_KEPT)
        await pace.forget(session)
        return done
