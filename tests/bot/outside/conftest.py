"""A world whose requests an outside system is told of, and that system: it keeps what it gets and answers as it is told."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from bot import jobs, signs
from bot.outside import outbox
from bot.outside.sending import Outside
from tests.bot.world import World

URL = "https://help.example.ru/hooks"
KEY = bytes(range(32))
SECRET = "whsec_" + base64.b64encode(KEY).decode()


class Receiver:
    """The outside system's end of the wire."""

    def __init__(self) -> None:
        self.calls: list[httpx.Request] = []
        self.answers: list[httpx.Response | Exception] = []
        # for the next calls, one each; then it takes all

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        self.calls.append(request)
        answer = self.answers.pop(0) if self.answers else httpx.Response(204)
        if isinstance(answer, Exception):
            raise answer
        return answer

    @property
    def got(self) -> list[dict[str, Any]]:
        return [json.loads(one.content) for one in self.calls]

    def types(self, number: str | None = None) -> list[str]:
        """The events of a request, in the order in which they came."""
        return [
            str(one["type"]).removeprefix("request.")
            for one in self.got
            if number in (None, one["data"]["request"]["number"])
        ]


@pytest.fixture
def receiver() -> Receiver:
    signs.forget()
    return Receiver()


@pytest.fixture
async def told(world: World, receiver: Receiver) -> AsyncIterator[World]:
    """A world that tells the receiver of its requests."""
    outside = Outside(
        URL, KEY, sessions=world.sessions, work=world.jobs, clock=world.clock, transport=httpx.MockTransport(receiver)
    )  # fmt: skip
    stop = outbox.keep(world.sessions, world.clock.now)
    world.jobs.register(jobs.HOOKS, outside.send)
    yield world
    stop()
    await outside.close()
