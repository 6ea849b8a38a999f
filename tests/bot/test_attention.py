"""The sign that an answer is being made: while a turn takes its time, to the customer only, and never in its way."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from sqlalchemy import select

from bot import desk, turns
from bot.attention import Attention, agent_writes
from bot.channels import Kind
from bot.live import Change, Live
from bot.models import Conversation
from tests.bot.world import ScriptedChannel, World, act


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


class TestAnAgentWrites:
    """The customer sees that their agent is writing."""

    async def test_the_customer_sees_it_as_often_as_needed(self, joined: World) -> None:
        channel = Typing()
        attention = Attention(channels={"telegram": channel}, every=0.2)
        where = await joined.id_of("c1")
        assert [await agent_writes(joined.sessions, attention, "anna", where) for _ in range(3)] == [True, False, False]
        await asyncio.sleep(0.25)
        assert await agent_writes(joined.sessions, attention, "anna", where)
        assert channel.shown == ["c1", "c1"]

    async def test_nobody_else_is_shown_to_be_writing(self, joined: World) -> None:
        channel = Typing()
        attention = Attention(channels={"telegram": channel})
        where = await joined.id_of("c1")
        assert not await agent_writes(joined.sessions, attention, "boris", where)
        assert await agent_writes(joined.sessions, attention, "anna", where)
        await act(joined, desk.resolve, "anna")
        attention.lately.clear()
        assert not await agent_writes(joined.sessions, attention, "anna", where)
        assert channel.shown == ["c1"]

    async def test_what_fails_is_no_harm(self, joined: World) -> None:
        channel = Typing()
        channel.fails = True
        where = await joined.id_of("c1")
        assert not await agent_writes(joined.sessions, Attention(channels={"telegram": channel}), "anna", where)
        assert not await agent_writes(joined.sessions, Attention(channels={}), "anna", where)


class TestACustomerWrites:
    """The desk sees that a customer is writing, where the messenger tells it."""

    async def test_while_an_agent_speaks_the_desk_is_told_and_nothing_is_stored(
        self, joined: World, address: str
    ) -> None:
        where = await joined.id_of("c1")
        lines = await joined.transcript()
        async with Live(address) as pages:
            with pages.listening() as listener:
                await joined.receive(joined.incoming("c1", Kind.TYPING))
                assert await asyncio.wait_for(listener.read(), 10) == [Change(kind="typing", conversation=where)]
        assert await joined.transcript() == lines
        assert await joined.settle() == []

    async def test_of_the_bots_customers_and_of_strangers_nobody_is_told(self, world: World, address: str) -> None:
        await world.say("c1", "привет")
        async with Live(address) as pages:
            with pages.listening() as listener:
                await world.receive(world.incoming("c1", Kind.TYPING))
                await world.receive(world.incoming("never seen", Kind.TYPING))
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(listener.read(), 0.5)
        assert await world.rows(select(Conversation.chat)) == ["c1"]
