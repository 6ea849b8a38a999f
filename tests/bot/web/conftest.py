"""A process's HTTP side, and an outside help desk that calls its API, served for real on a free port."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from bot import database, signs
from bot.channels import Channel, HookAnswer, Incoming, Kind, Outgoing, Receive
from bot.clock import SystemClock
from bot.web import Parts, make_app, serving
from tests.bot.web.api_calls import Client, HelpDesk, help_desk
from tests.bot.world import World

Served = Callable[..., AbstractAsyncContextManager[httpx.AsyncClient]]


class HookChannel(Channel):
    """A messenger whose calls carry one line each: "secret id words"."""

    def __init__(self, name: str = "telegram") -> None:
        self.name = name
        self.headers: list[Mapping[str, str]] = []

    async def run(self, receive: Receive) -> None:
        raise NotImplementedError

    async def send(self, message: Outgoing) -> str:
        raise NotImplementedError

    async def hook(self, headers: Mapping[str, str], body: bytes, receive: Receive) -> HookAnswer:
        self.headers.append(headers)
        secret, number, words = body.decode().split(" ", 2)
        if secret != "secret":
            return HookAnswer(403, "")
        at = SystemClock().now()
        await receive(Incoming(channel=self.name, chat="1", external_id=number, kind=Kind.MESSAGE, at=at, text=words))
        return HookAnswer()


class Inbox:
    """Keeps what is received, or fails as it is told."""

    def __init__(self) -> None:
        self.got: list[Incoming] = []
        self.tried = 0
        self.act: Callable[[Incoming], Any] | None = None

    async def __call__(self, incoming: Incoming) -> None:
        self.tried += 1
        if self.act is not None:
            await self.act(incoming)
        self.got.append(incoming)


@pytest.fixture(autouse=True)
def _nothing_seen() -> None:
    signs.forget()


@pytest.fixture
async def engine(address: str) -> AsyncIterator[AsyncEngine]:
    made = database.make_engine(address)
    yield made
    await made.dispose()


@pytest.fixture
def served(engine: AsyncEngine) -> Served:
    """`async with served(roles=…, channels=…) as http` is a process that answers."""

    @contextlib.asynccontextmanager
    async def serve(**parts: Any) -> AsyncIterator[httpx.AsyncClient]:
        app = make_app(Parts(**{"engine": engine, **parts}))
        async with (
            serving(app, "127.0.0.1", 0) as address,
            httpx.AsyncClient(base_url=address, trust_env=False, timeout=30) as http,
        ):
            yield http

    return serve


@pytest.fixture
async def helpdesk(world: World, address: str, tmp_path: Path) -> AsyncIterator[HelpDesk]:
    await world.agent("anna", title="Анна")
    await world.agent("boris", title="Борис")
    async with help_desk(world, address, tmp_path) as made:
        yield made


@pytest.fixture
async def anna(helpdesk: HelpDesk) -> AsyncIterator[Client]:
    async with helpdesk.as_("anna") as client:
        yield client
