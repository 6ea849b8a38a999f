"""A pack and a moment for the shop's clients."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

import flows
from bot.clients import shop_file
from bot.clients.shop import Shop

NOW = datetime(2026, 11, 20, 22, 30, tzinfo=UTC)
# already the 21st in Moscow


@pytest.fixture(scope="session")
def pack() -> flows.Pack:
    return flows.load_shipped("shop")


@pytest.fixture(scope="session")
def load(pack: flows.Pack) -> Callable[[str], Shop]:
    """Load a shop from a text."""
    return lambda text: shop_file.loads(text, name="shop.yml", now=NOW, pack=pack)
