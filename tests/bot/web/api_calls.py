"""An outside help desk for tests: the API served for real over a small world, and clients with keys."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI

from bot import console
from bot.live import Live
from bot.outside import keys
from bot.settings import Settings
from bot.web import api, serving
from tests.bot.console.serving import parts_of
from tests.bot.world import World

COUNTER = itertools.count(1)


class HelpDesk:
    """The API at an address, and a client that signs in with a key of an agent."""

    def __init__(self, world: World, parts: console.Parts, address: str) -> None:
        self.world, self.parts, self.address = world, parts, address

    async def key(self, agent: str, **more: Any) -> str:
        """A new key that works in an agent's name."""
        async with self.world.sessions.begin() as session:
            return await keys.add(session, f"key-{next(COUNTER)}", agent, now=self.world.clock.now(), **more)

    @contextlib.asynccontextmanager
    async def as_(self, agent: str, **more: Any) -> AsyncIterator[Client]:
        """A client that works in an agent's name."""
        headers = {"Authorization": f"Bearer {await self.key(agent, **more)}"}
        async with httpx.AsyncClient(base_url=f"{self.address}{api.PREFIX}", headers=headers, trust_env=False) as http:
            yield Client(http, self.world)


class Client:
    """Calls of an outside help desk; each that changes something has a key of its own unless one is given."""

    def __init__(self, http: httpx.AsyncClient, world: World) -> None:
        self.http, self._world = http, world

    async def get(self, path: str, **params: Any) -> httpx.Response:
        return await self.http.get(path, params=params)

    async def post(self, path: str, key: str | None = None, /, **body: Any) -> httpx.Response:
        """Do something, and let the jobs that it has added be done."""
        headers = {"Idempotency-Key": key or f"call-{next(COUNTER)}"}
        answer = await self.http.post(path, json=body, headers=headers)
        await self._world.jobs.run_until_idle()
        return answer


@contextlib.asynccontextmanager
async def help_desk(world: World, address: str, folder: Path, **settings: Any) -> AsyncIterator[HelpDesk]:
    """The API over a world, on a free port."""
    told = Settings(_env_file=None, home=folder, **settings)  # type: ignore[call-arg]
    parts = parts_of(world, told, Live(address))
    app = FastAPI()
    api.mount(app, parts)
    async with serving(app, "127.0.0.1", 0) as served:
        yield HelpDesk(world, parts, served)


def kind(answer: httpx.Response) -> tuple[int, str]:
    """Status and kind of a problem."""
    assert answer.headers["content-type"] == "application/problem+json"
    told = answer.json()
    assert told["status"] == answer.status_code
    return answer.status_code, told["type"].removeprefix("urn:firstline:problem:")
