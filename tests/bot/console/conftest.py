"""The desk's pages served for real on a free port, over a small world."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from bot import console
from bot.settings import Settings
from tests.bot.console.serving import TOKEN, served
from tests.bot.world import World


@dataclass
class Pages:
    """The desk, and a browser of a person who is signed in without a password."""

    world: World
    parts: console.Parts
    address: str

    def as_(self, name: str) -> httpx.AsyncClient:
        """A client in which this person is signed in; it sends htmx's headers only when asked to."""
        headers = {"X-Test-Agent": name, "X-Form-Token": TOKEN}
        return httpx.AsyncClient(base_url=self.address, headers=headers, timeout=60)


@pytest.fixture
async def pages(world: World, tmp_path: Path) -> AsyncIterator[Pages]:
    """The desk's pages. `pages.as_("anna")` is Anna's browser; sign-in itself has tests of its own."""
    settings = Settings(home=tmp_path, undo_seconds=0)
    async with served(world, settings, who=lambda call: call.headers.get("X-Test-Agent")) as (parts, address):
        yield Pages(world, parts, address)
