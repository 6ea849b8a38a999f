"""Messengers that misbehave: lost answers, waits, errors, garbage, hung calls, now and then or all at once."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable

from aiohttp import web

from bot.benches.ledger import Ledger
from bot.standins import telegram, vk
from bot.standins.faults import Answer, Fault, Faults, garbage, lost, slow

SENDS = {"telegram": "sendMessage", "vk": "messages.send"}
FETCHES = {"telegram": "getUpdates", "vk": "a_check"}
LONGER_THAN_A_CALL = 13.0
"""Seconds that a call hangs: longer than any client waits for it."""
WAIT = 2
"""Seconds that a messenger which is asked too much tells the sender to wait."""
NOW_AND_THEN = 0.06
"""Part of the calls that go wrong by themselves."""


class Troubles(Faults):
    """A stand-in's faults by a seeded random, in place of the list of those to come."""

    def __init__(self, channel: str, ledger: Ledger, luck: random.Random) -> None:
        super().__init__()
        self._channel, self._ledger, self._luck = channel, ledger, luck
        self.now_and_then = False
        self.outage: Fault | None = None
        # what becomes of every call while it lasts
        self.at_send: Callable[[int], None] | None = None
        # called when the next message has been sent, before the sender knows, with the sender's port
        self.at_fetch: Callable[[int], None] | None = None
        # called when the next updates have been handed out, with the receiver's port
        self.counted = 0

    async def answer(self, method: str, request: web.Request, answer: Answer) -> web.StreamResponse:
        """Answer a call, or not."""
        if method == SENDS[self._channel]:
            return await self._send(request, answer)
        if method == FETCHES[self._channel]:
            return await self._fetch(request, answer)
        return await (self.outage(request, answer) if self.outage else answer())

    async def _send(self, request: web.Request, answer: Answer) -> web.StreamResponse:
        if self.at_send is not None:
            struck, self.at_send = self.at_send, None
            response = await self._unknowingly(request, answer)
            struck(_port(request))
            return response
        fault = self.outage or (self._pick() if self.now_and_then and self._luck.random() < NOW_AND_THEN else None)
        if fault is None:
            return await answer()
        self.counted += 1
        return await fault(request, lambda: self._unknowingly(request, answer))

    async def _unknowingly(self, request: web.Request, answer: Answer) -> web.StreamResponse:
        """Do a call whose answer will be kept from the sender."""
        form = await request.post()
        self._ledger.unclear.append((self._channel, int(str(form.get("chat_id") or form["peer_id"])), time.monotonic()))
        return await answer()

    def _pick(self) -> Fault:
        lot = self._luck.random()
        if lot < 0.4:
            return lost()
        if lot < 0.6:
            return slow(3.0)
        return too_many(self._channel) if lot < 0.9 else garbage()

    async def _fetch(self, request: web.Request, answer: Answer) -> web.StreamResponse:
        if self.outage is not None:
            return await self.outage(request, answer)
        if self.now_and_then and self._luck.random() < NOW_AND_THEN / 3:
            self.counted += 1
            return await self._luck.choice((lost(), garbage()))(request, answer)
        response = await answer()
        if self.at_fetch is not None and _brings_something(response):
            struck, self.at_fetch = self.at_fetch, None
            asyncio.get_running_loop().call_later(self._luck.uniform(0.0, 0.2), struck, _port(request))
        return response


def too_many(channel: str) -> Fault:
    """The messenger asks the sender to wait: 429 of Telegram, error 6 of VK."""
    return telegram.too_many(WAIT) if channel == "telegram" else vk.refuses(6)


def _port(request: web.Request) -> int:
    peer = request.transport.get_extra_info("peername") if request.transport is not None else None
    return int(peer[1]) if peer else 0


def _brings_something(response: web.StreamResponse) -> bool:
    text = response.text if isinstance(response, web.Response) else None
    return text is not None and ('"update_id"' in text or '"event_id"' in text)
