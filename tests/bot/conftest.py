"""A running Firstline without its edges, on a database of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.bot.world import World, make_world


@pytest.fixture
async def joined(world: World) -> World:
    """A world where Anna has taken the request of c1."""
    await world.agent("anna", title="Анна")
    await world.agent("boris", title="Борис")
    await world.say("c1", "мастера")
    await world.take("anna")
    world.events.clear()
    return world


@pytest.fixture
async def world(address: str) -> AsyncIterator[World]:
    async with make_world(address) as made:
        yield made
