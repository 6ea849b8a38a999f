"""What a stand-in messenger can be told to do wrong with its next calls."""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

Answer = Callable[[], Awaitable[web.StreamResponse]]
Fault = Callable[[web.Request, Answer], Awaitable[web.StreamResponse]]
"""Gets the request and what would have been answered."""


class Faults:
    """Faults per method, each used up by one call."""

    def __init__(self) -> None:
        self._next: dict[str, deque[Fault]] = defaultdict(deque)

    def add(self, method: str, fault: Fault, times: int = 1) -> None:
        """Let the next calls of a method go wrong."""
        self._next[method].extend([fault] * times)

    def first(self, method: str, fault: Fault) -> None:
        """Let the very next call of a method go wrong, before those that were to."""
        self._next[method].appendleft(fault)

    async def answer(self, method: str, request: web.Request, answer: Answer) -> web.StreamResponse:
        """Answer a call, with the next fault if there is one."""
        if self._next[method]:
            return await self._next[method].popleft()(request, answer)
        return await answer()


def says(body: Any, status: int = 200) -> Fault:
    """Nothing is done; this is the answer."""

    async def fault(request: web.Request, answer: Answer) -> web.StreamResponse:
        return web.json_response(body, status=status)

    return fault


def garbage(status: int = 502) -> Fault:
    """A gateway's page instead of an answer; nothing is done."""

    async def fault(request: web.Request, answer: Answer) -> web.StreamResponse:
        return web.Response(text="<html>Bad Gateway</html>", status=status, content_type="text/html")

    return fault


def lost() -> Fault:
    """The call is done, but the line breaks before the answer."""

    async def fault(request: web.Request, answer: Answer) -> web.StreamResponse:
        response = await answer()
        if request.transport is not None:
            request.transport.abort()
        return response

    return fault


def slow(seconds: float) -> Fault:
    """The call is done, but the answer takes its time."""

    async def fault(request: web.Request, answer: Answer) -> web.StreamResponse:
        response = await answer()
        await asyncio.sleep(seconds)
        return response

    return fault
