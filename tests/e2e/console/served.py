"""The desk of a world, served for a browser. Who sits there is told by the cookie `sits`; signing in has tests of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from unittest.mock import patch

from fastapi import FastAPI, HTTPException, Request, WebSocket

from bot import agents, console
from bot.console import seat as seats
from bot.console.seat import Seat
from bot.file_store import open_store
from bot.live import Live
from bot.settings import Settings
from bot.web import serving
from tests.bot.console.conftest import seat_of_agent
from tests.bot.world import World


@asynccontextmanager
async def served(world: World, folder: Path, *, undo_seconds: float = 0) -> AsyncIterator[str]:
    """Serve the desk for the time of a block; gives its address."""
    settings = Settings(home=folder, undo_seconds=undo_seconds)

    async def of_socket(connection: Request | WebSocket) -> Seat | None:
        name = connection.cookies.get("sits")
        if name is None:
            return None
        async with world.sessions() as session:
            return seat_of_agent(await agents.get(session, name))

    async def of_socket_only(socket: WebSocket) -> Seat | None:
        return await of_socket(socket)

    async def of_request(request: Request) -> Seat:
        seat = await of_socket(request)
        if seat is None:
            raise HTTPException(401)
        return seat

    address = world.post.sessions.kw["bind"].url.render_as_string(hide_password=False)
    with patch.object(seats, "seat_of_socket", of_socket_only):
        async with Live(address) as live:
            parts = console.Parts(
                sessions=world.sessions, desk=world.desk, live=live, clock=world.clock, crm=world.crm,
                files=open_store(settings), settings=settings, channels=dict(world.channels),
            )  # fmt: skip
            app = FastAPI()
            console.mount(app, parts)
            app.dependency_overrides[seats.seat] = of_request
            async with serving(app, "127.0.0.1", 0) as at:
                yield at
