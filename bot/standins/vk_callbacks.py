"""The Callback API of the VK stand-in: servers that are told of events, as documented.

Only a confirmed server is told, of the kinds it was set to. An answer that is not exactly `ok` with status 200 is an error:
the event comes again, with X-Retry-Counter, and after several errors in a row VK stops sending for a while; what happens
meanwhile is not told later.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp

Json = dict[str, Any]
TRIES = 12
ERRORS_IN_A_ROW = 8
PAUSE_SECONDS = 60.0
CALL_SECONDS = 10.0
LIMIT = 10
# servers of a community


@dataclass
class CallbackServer:
    """An address that is told of events."""

    id: int
    url: str
    title: str
    secret: str
    status: str = "unconfigured"
    # ok, failed
    kinds: set[str] = field(default_factory=set)
    errors: int = 0
    # in a row
    silent_until: float = 0.0
    # of the loop's clock

    def shown(self) -> Json:
        """As groups.getCallbackServers tells it."""
        names = {"id": self.id, "creator_id": 1, "url": self.url, "title": self.title}
        return {**names, "secret_key": self.secret, "status": self.status}


class Callbacks:
    """The servers of one community, and the events on their way to them."""

    def __init__(self, group: int) -> None:
        self.servers: dict[int, CallbackServer] = {}
        self.code = "code-0"
        self.hurry = 1.0
        # what waiting times are multiplied with
        self.answers: list[tuple[int, str]] = []
        # status and text of every answer to an event
        self.lost: list[Json] = []
        # events that no server was told of
        self._group = group
        self._numbers = itertools.count(1)
        self._turns: dict[tuple[int, Any], asyncio.Lock] = defaultdict(asyncio.Lock)
        # the first tries of one dialogue's events keep their order
        self._tasks: set[asyncio.Task[None]] = set()

    # ---------------------------------------------------------------------------------------------- the API
    def add(self, url: str, title: str, secret: str) -> int:
        """groups.addCallbackServer."""
        server = CallbackServer(next(self._numbers), url, title, secret)
        self.servers[server.id] = server
        self._confirm_soon(server)
        return server.id

    def edit(self, number: int, url: str, title: str, secret: str) -> None:
        """groups.editCallbackServer: the address has to be confirmed anew."""
        server = self.servers[number]
        server.url, server.title, server.secret, server.status = url, title, secret, "unconfigured"
        self._confirm_soon(server)

    def _confirm_soon(self, server: CallbackServer) -> None:
        self.code = f"code-{next(self._numbers)}"
        server.errors, server.silent_until = 0, 0.0
        self._start(self._confirm(server))

    async def _confirm(self, server: CallbackServer) -> None:
        answer = await self._post(server, {"type": "confirmation", "group_id": self._group}, {})
        server.status = "ok" if answer is not None and answer[:2] == (200, self.code) else "failed"

    # ---------------------------------------------------------------------------------------------- events
    def tell(self, event: Json, dialogue: Any) -> None:
        """Tell all servers of an event."""
        now = asyncio.get_running_loop().time()
        told = False
        for server in self.servers.values():
            if server.status == "ok" and event["type"] in server.kinds and server.silent_until <= now:
                self._start(self._deliver(server, event, self._turns[server.id, dialogue]))
                told = True
        if not told:
            self.lost.append(event)

    async def _deliver(self, server: CallbackServer, event: Json, turn: asyncio.Lock) -> None:
        for tries in range(TRIES):
            if self.servers.get(server.id) is not server:
                break
            headers = {"X-Retry-Counter": str(tries)} if tries else {}
            if tries:
                answer = await self._post(server, {**event, "secret": server.secret}, headers)
            else:
                async with turn:
                    answer = await self._post(server, {**event, "secret": server.secret}, headers)
            if answer is not None:
                self.answers.append(answer[:2])
                if answer[:2] == (200, "ok"):
                    server.errors = 0
                    return
                if answer[:2] == (200, "remove"):
                    self.servers.pop(server.id, None)
            server.errors += 1
            if server.errors >= ERRORS_IN_A_ROW:
                server.status = "failed"
                server.silent_until = asyncio.get_running_loop().time() + PAUSE_SECONDS * self.hurry
            await asyncio.sleep(self._wait(answer, tries) * self.hurry)
        self.lost.append(event)

    def _wait(self, answer: tuple[int, str, str | None] | None, tries: int) -> float:
        if answer is not None and answer[0] in (410, 429, 503) and answer[2]:
            with suppress(ValueError):
                return max(0.0, (parsedate_to_datetime(answer[2]) - datetime.now(UTC)).total_seconds())
        return float(min(10.0 * 2**tries, 600.0))

    async def _post(self, server: CallbackServer, body: Json, headers: Json) -> tuple[int, str, str | None] | None:
        """Status, text and Retry-After of the answer; None when there is none."""
        timeout = aiohttp.ClientTimeout(total=CALL_SECONDS)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout) as http,
                http.post(server.url, json=body, headers=headers) as answer,
            ):
                return answer.status, await answer.text(), answer.headers.get("Retry-After")
        except (aiohttp.ClientError, TimeoutError):
            return None

    def _start(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Stop telling."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
