"""What has changed in the store, told to whoever shows it, whichever process changed it.

The database's triggers notify (see migration 0004); one connection of a process listens and passes each `Change` on to
those who asked for it. Nothing is kept: who begins to listen reads the store first. While the connection is away nobody
knows what is missed, so `Change("everything")` is told once it is back.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Literal, Self

import psycopg
from psycopg.conninfo import make_conninfo

from bot import database

log = logging.getLogger(__name__)

CHANNEL = "firstline"
PAUSE_SECONDS = 1.0
"""Before a connection that was lost is tried again."""
MOST = 1000
"""Changes that a listener may leave unread: then it is told `everything` instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Something is different now: which kind of thing, and the ids of it that are known."""

    kind: Literal["message", "request", "planned", "agent", "typing", "forum", "everything"]
    conversation: int | None = None
    request: int | None = None
    agent: int | None = None


EVERYTHING = Change(kind="everything")


class Listener:
    """The changes that one listener has not read yet."""

    def __init__(self) -> None:
        self._waiting: dict[Change, None] = {}
        self._some = asyncio.Event()

    def put(self, change: Change) -> None:
        """Tell of a change; one that waits already is not told twice."""
        if len(self._waiting) >= MOST:
            self._waiting = {EVERYTHING: None}
        else:
            self._waiting[change] = None
        self._some.set()

    async def read(self) -> list[Change]:
        """Wait until there are changes and take them all, each once, in order."""
        await self._some.wait()
        self._some.clear()
        taken, self._waiting = list(self._waiting), {}
        return taken


class Live:
    """Passes changes on to listeners for the time of a block. Use as an asynchronous context manager."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._listeners: set[Listener] = set()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        ready = asyncio.Event()
        self._task = asyncio.create_task(self._run(ready), name="live")
        await ready.wait()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    @contextlib.contextmanager
    def listening(self) -> Iterator[Listener]:
        """A listener for the time of a block."""
        listener = Listener()
        self._listeners.add(listener)
        try:
            yield listener
        finally:
            self._listeners.discard(listener)

    async def changes(self) -> AsyncIterator[list[Change]]:
        """All changes from now on, as they come, those of one moment together."""
        with self.listening() as listener:
            while True:
                yield await listener.read()

    def tell(self, change: Change) -> None:
        """Pass a change on within this process."""
        for listener in self._listeners:
            listener.put(change)

    async def _run(self, ready: asyncio.Event) -> None:
        while True:
            try:
                connection = await psycopg.AsyncConnection.connect(
                    make_conninfo(database.conninfo(self._address), **database.LIVELY), autocommit=True
                )
                async with connection:
                    await connection.execute(f"LISTEN {CHANNEL}")
                    if ready.is_set():
                        self.tell(EVERYTHING)
                    ready.set()
                    async for notice in connection.notifies():
                        self._pass_on(notice.payload)
            except (psycopg.Error, OSError) as error:
                log.warning("live_away", extra={"error": type(error).__name__})
                ready.set()  # pages are shown all the same, and grow lively later
                await asyncio.sleep(PAUSE_SECONDS)

    def _pass_on(self, payload: str) -> None:
        try:
            change = Change(**json.loads(payload))
        except (ValueError, TypeError):
            log.warning("live_unreadable")
            return
        self.tell(change)


async def announce(connection: psycopg.AsyncConnection, change: Change) -> None:
    """Tell all processes of something that no table holds (a customer who is typing)."""
    told = {"kind": change.kind, "conversation": change.conversation, "request": change.request, "agent": change.agent}
    body = json.dumps({key: value for key, value in told.items() if value is not None})
    await connection.execute("SELECT pg_notify(%s, %s)", (CHANNEL, body))
