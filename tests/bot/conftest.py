"""A running Firstline without its edges, on a database of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.bot.world import World, make_world


@pytest.fixture
async def world(address: str) -> AsyncIterator[World]:
    async with make_world(address) as made:
        yield made
