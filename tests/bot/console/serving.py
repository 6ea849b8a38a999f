"""The desk of a small world, served for real on a free port."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from unittest.mock import patch

from fastapi import FastAPI, HTTPException, Request
from starlette.requests import HTTPConnection

from bot import agents, console
from bot.attention import Attention
from bot.clock import Clock
from bot.console import seat as seats
from bot.console.seat import Seat
from bot.file_store import open_store
from bot.live import Live
from bot.models import Agent
from bot.settings import Settings
from bot.web import serving
from tests.bot.world import World

TOKEN = "form-token-of-the-tests"


def parts_of(world: World, settings: Settings, live: Live, *, clock: Clock | None = None) -> console.Parts:
    """What the desk and the REST interface need of a process."""
    return console.Parts(
        sessions=world.sessions, desk=world.desk, live=live, clock=clock or world.clock, crm=world.crm,
        files=open_store(settings), settings=settings, channels=dict(world.channels),
        attention=Attention(channels=dict(world.channels)),
    )  # fmt: skip


def seat_of_agent(agent: Agent) -> Seat:
    """The seat that a sign-in would give."""
    return Seat(
        id=agent.id, name=agent.name, title=agent.title, role=agent.role, queues=tuple(agent.queues),
        skills=tuple(agent.skills), on_shift=agent.on_shift, quiet=agent.quiet, form_token=TOKEN, address="127.0.0.1",
    )  # fmt: skip


@asynccontextmanager
async def served(
    world: World,
    settings: Settings,
    *,
    clock: Clock | None = None,
    who: Callable[[HTTPConnection], str | None] | None = None,
) -> AsyncIterator[tuple[console.Parts, str]]:
    """Serve the desk for the time of a block; gives its parts and its address.

    who: the agent who sits at a page, by name, in place of a sign-in; none: people sign in
    """

    async def of_socket(socket: HTTPConnection) -> Seat | None:
        assert who is not None
        name = who(socket)
        if name is None:
            return None
        async with world.sessions() as session:
            return seat_of_agent(await agents.get(session, name))

    async def of_request(request: Request) -> Seat:
        seat = await of_socket(request)
        if seat is None:
            raise HTTPException(401)
        return seat

    address = world.post.sessions.kw["bind"].url.render_as_string(hide_password=False)
    app = FastAPI()
    async with Live(address) as live:
        parts = parts_of(world, settings, live, clock=clock)
        with patch.object(seats, "seat_of_socket", of_socket if who else seats.seat_of_socket):
            console.mount(app, parts)
        if who is not None:
            app.dependency_overrides[seats.seat] = of_request
        async with serving(app, "127.0.0.1", 0) as at:
            yield parts, at
