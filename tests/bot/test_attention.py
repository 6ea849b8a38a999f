"""The sign that an answer is being made: while a turn takes its time, to the customer only, and never in its way."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from bot import turns
from bot.attention import Attention
from tests.bot.world import ScriptedChannel, World


class Typing(ScriptedChannel):
    """Counts the signs."""

    def __init__(self) -> None:
        super().__init__("telegram")
        self.shown: list[str] = []
        self.fails = False

    async def typing(self, chat: str) -> None:
        self.shown.append(chat)
        if self.fails:
            raise RuntimeError("no sign today")


async def turn(world: World, channel: Typing, *, takes: float) -> None:
    """Take the waiting turn of c1, whose reading takes so long."""
    world.nlu.pause = takes
    attention = Attention(channels={"telegram": channel}, after=0.05, every=0.2)
    async with world.sessions.begin() as session:
        assert await turns.take_turn(session, replace(world.tools, attention=attention), await world.id_of("c1")) == 1
    told = len(channel.shown)
    await asyncio.sleep(0.3)
    assert len(channel.shown) == told  # it ends with the turn


async def test_a_slow_turn_shows_it_again_and_again_until_its_answer(world: World) -> None:
    channel = Typing()
    await world.receive(world.incoming("c1", text="привет"))
    await turn(world, channel, takes=1.0)
    assert len(channel.shown) >= 2
    assert set(channel.shown) == {"c1"}
    assert await world.settle() == ["Здравствуйте!"]


async def test_a_sign_that_fails_does_not_touch_the_turn(world: World) -> None:
    channel = Typing()
    channel.fails = True
    await world.receive(world.incoming("c1", text="привет"))
    await turn(world, channel, takes=0.5)
    assert channel.shown == ["c1"]
    assert await world.settle() == ["Здравствуйте!"]


async def test_nothing_is_shown_where_an_agent_speaks(joined: World) -> None:
    channel = Typing()
    await joined.receive(joined.incoming("c1", text="привет"))
    await turn(joined, channel, takes=0.5)
    assert channel.shown == []


async def test_a_quick_block_and_an_unknown_channel_show_nothing() -> None:
    channel = Typing()
    attention = Attention(channels={"telegram": channel}, after=0.2)
    async with attention.shown("telegram", "c1"), attention.shown("vk", "c1"):
        pass
    await asyncio.sleep(0.4)
    assert channel.shown == []


async def test_an_error_of_the_turn_passes_through() -> None:
    with pytest.raises(ValueError, match="the turn's own"):
        async with Attention(channels={"telegram": Typing()}).shown("telegram", "c1"):
            raise ValueError("the turn's own")
