"""The desk of a world, served for a browser. Who sits there is told by the cookie `sits`; signing in has tests of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from bot.settings import Settings
from tests.bot.console import serving
from tests.bot.world import World


@asynccontextmanager
async def served(world: World, folder: Path, *, undo_seconds: float = 0) -> AsyncIterator[str]:
    """Serve the desk for the time of a block; gives its address."""
    settings = Settings(home=folder, undo_seconds=undo_seconds)
    async with serving.served(world, settings, who=lambda call: call.cookies.get("sits")) as (_, address):
        yield address
