"""The desk's pages served for real on a free port, over a small world."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI, Request, WebSocket

from bot import agents, console
from bot.console import seat as seats
from bot.console.seat import Seat
from bot.file_store import open_store
from bot.live import Live
from bot.models import Agent
from bot.settings import Settings
from bot.web import serving
from tests.bot.world import World

TOKEN = "form-token-of-the-tests"


@dataclass
class Pages:
    """The desk, and a browser of a person who is signed in without a password."""

    world: World
    parts: console.Parts
    address: str

    def as_(self, name: str) -> httpx.AsyncClient:
        """A client in which this person is signed in; it sends htmx's headers only when asked to."""
        headers = {"X-Test-Agent": name, "X-Form-Token": TOKEN}
        return httpx.AsyncClient(base_url=self.address, headers=headers)


def seat_of_agent(agent: Agent) -> Seat:
    """The seat that a sign-in would give."""
    return Seat(
        id=agent.id, name=agent.name, title=agent.title, role=agent.role, queues=tuple(agent.queues),
        skills=tuple(agent.skills), on_shift=agent.on_shift, quiet=agent.quiet, form_token=TOKEN, address="127.0.0.1",
    )  # fmt: skip


@pytest.fixture
async def pages(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Pages]:
    """The desk's pages. `pages.as_("anna")` is Anna's browser; sign-in itself has tests of its own."""
    settings = Settings(home=tmp_path, undo_seconds=0)

    async def signed_in(connection: Request) -> Seat:
        async with world.sessions() as session:
            return seat_of_agent(await agents.get(session, connection.headers["X-Test-Agent"]))

    async def signed_in_socket(socket: WebSocket) -> Seat | None:
        name = socket.headers.get("X-Test-Agent")
        if name is None:
            return None
        async with world.sessions() as session:
            return seat_of_agent(await agents.get(session, name))

    monkeypatch.setattr(seats, "seat_of_socket", signed_in_socket)
    address = world.post.sessions.kw["bind"].url.render_as_string(hide_password=False)
    async with Live(address) as live:
        parts = console.Parts(
            sessions=world.sessions, desk=world.desk, live=live, clock=world.clock, crm=world.crm,
            files=open_store(settings), settings=settings, channels=dict(world.channels),
        )  # fmt: skip
        app = FastAPI()
        console.mount(app, parts)
        app.dependency_overrides[seats.seat] = signed_in
        async with serving(app, "127.0.0.1", 0) as served:
            yield Pages(world, parts, served)
