"""Leadership: of all processes one does what must be done once, and another takes over when it dies.

A messenger's updates are fetched by one process per bot (Telegram ends a second poll with 409). The leader holds a session
lock of PostgreSQL on a connection of its own: the lock goes with the connection, however the process ends. A leader that
cannot reach PostgreSQL stops at once, before the server has noticed and let another lead; one that is there but stands
still has its connection ended by those who wait.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Callable, Coroutine
from typing import Any

import psycopg

from bot import database

log = logging.getLogger(__name__)

EVERY = 1.0
"""Seconds between two looks: of the leader, whether its connection still lives; of the others, whether it is their turn."""
ANSWER_WITHIN = 3.0
"""Seconds that PostgreSQL may take to answer the leader. Shorter than what the server needs to notice a lost leader."""
STANDS_STILL = 8.0
"""Seconds without a look by the leader after which it is taken to stand still."""
_SERVER_NOTICES = (
    "-c tcp_keepalives_idle=3 -c tcp_keepalives_interval=1 -c tcp_keepalives_count=3 -c tcp_user_timeout=6000"
)
# The leader's looks are the last thing that its connection was used for.
_END_WHO_STANDS_STILL = """
SELECT count(pg_terminate_backend(held.pid)) FROM pg_locks held JOIN pg_stat_activity seen ON seen.pid = held.pid
WHERE held.locktype = 'advisory' AND held.granted AND held.objsubid = 1
    AND held.database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND held.classid::bigint = (%(key)s::bigint >> 32) & 4294967295 AND held.objid::bigint = %(key)s::bigint & 4294967295
    AND seen.state_change < clock_timestamp() - make_interval(secs => %(seconds)s)
"""


class Leader:
    """One candidate for one leadership, for instance of "telegram:1000" (the bot whose updates are fetched)."""

    def __init__(self, address: str, name: str, *, every: float = EVERY) -> None:
        self.name = name
        self.leading = False
        # whether this process does the work now (health, metrics)
        self._address, self._every = address, every

    @property
    def key(self) -> int:
        """The lock's number, the same in all processes: 64 bits, signed."""
        return int.from_bytes(hashlib.sha256(f"firstline:{self.name}".encode()).digest()[:8], signed=True)

    async def run(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Do the work whenever this process leads, until the work has ended by itself or this is cancelled.

        What the work raises is raised. A lost connection stops it; it is begun anew by the next leader, here or elsewhere.
        """
        while True:
            try:
                connection = await self._connect()
                try:
                    await self._wait_for_turn(connection)
                    if await self._lead(connection, work):
                        return
                finally:
                    await connection.close()
            except (psycopg.Error, OSError) as error:
                log.warning("leader_without_store", extra={"of": self.name, "error": type(error).__name__})
            await asyncio.sleep(self._every)

    async def _connect(self) -> psycopg.AsyncConnection:
        info = database.conninfo(self._address)
        return await psycopg.AsyncConnection.connect(info, autocommit=True, options=_SERVER_NOTICES, **database.LIVELY)  # type: ignore[arg-type]

    async def _wait_for_turn(self, connection: psycopg.AsyncConnection) -> None:
        waiting = False
        while True:
            found = await connection.execute("SELECT pg_try_advisory_lock(%s)", (self.key,))
            row = await found.fetchone()
            if row is not None and row[0]:
                return
            if not waiting:
                log.info("standing_by", extra={"of": self.name})
                waiting = True
            given = {"key": self.key, "seconds": STANDS_STILL}
            ended = await (await connection.execute(_END_WHO_STANDS_STILL, given)).fetchone()
            if ended is not None and ended[0]:
                log.warning("leader_stood_still", extra={"of": self.name})
            await asyncio.sleep(self._every)

    async def _lead(self, connection: psycopg.AsyncConnection, work: Callable[[], Coroutine[Any, Any, None]]) -> bool:
        """Work while the connection lives; True when the work has ended by itself."""
        log.info("leading", extra={"of": self.name})
        self.leading, task = True, asyncio.create_task(work(), name=self.name)
        look: asyncio.Task[object] | None = None
        try:
            while True:
                await asyncio.wait({task}, timeout=self._every)
                if task.done():
                    task.result()
                    return True
                look = asyncio.create_task(connection.execute("SELECT 1"))
                await asyncio.wait({task, look}, timeout=ANSWER_WITHIN, return_when=asyncio.FIRST_COMPLETED)
                if look.done():
                    look.result()
                elif not task.done():
                    raise psycopg.OperationalError("PostgreSQL does not answer the leader")
        finally:
            self.leading = False
            task.cancel()  # first of all: another may lead soon
            await asyncio.gather(task, return_exceptions=True)
            if look is not None:
                look.cancel()
                await asyncio.gather(look, return_exceptions=True)
            log.info("leading_no_more", extra={"of": self.name})
