"""The pace of sending: by PostgreSQL's clock, for all who send together."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import func, select, update

from bot import pace
from bot.models import Pace
from tests.bot.world import World

SLOW = pace.Limits(seconds=0.001, burst=1000, chat_seconds=100.0, chat_burst=3)
"""Nothing but the chat's own pace matters."""
TELEGRAM = pace.Limits(seconds=0.04, chat_seconds=1.0)
TOGETHER = pace.Limits(seconds=10.0, burst=2)


async def take(world: World, limits: pace.Limits, chat: str = "1", **more: float) -> float:
    async with world.sessions.begin() as session:
        return await pace.take(session, limits, "telegram", chat, **more)


async def pass_time(world: World, seconds: float) -> None:
    """Move all rows into the past: PostgreSQL's clock stands for no test."""
    async with world.sessions.begin() as session:
        await session.execute(update(Pace).values(at=Pace.at - timedelta(seconds=seconds)))


async def test_a_chat_gets_a_burst_and_then_its_pace(world: World) -> None:
    assert [await take(world, SLOW) for _ in range(3)] == [0, 0, 0]
    assert await take(world, SLOW) == pytest.approx(100, abs=20)
    assert await take(world, SLOW, "2") == 0
    await pass_time(world, 100)
    assert await take(world, SLOW) == 0
    assert await take(world, SLOW) > 0


async def test_what_must_wait_for_long_takes_no_turn(world: World) -> None:
    for _ in range(3):
        await take(world, SLOW)
    waits = [await take(world, SLOW) for _ in range(3)]
    assert max(waits) <= 100
    await pass_time(world, 100)
    assert await take(world, SLOW) == 0


async def test_a_short_wait_is_a_turn_that_was_taken(world: World) -> None:
    waits = [await take(world, TOGETHER, str(chat), short=100) for chat in range(5)]
    assert waits == [pytest.approx(expected, abs=5) for expected in (0, 0, 10, 20, 30)]


async def test_all_chats_share_the_channels_pace_and_none_is_charged_for_waiting(world: World) -> None:
    limits = pace.Limits(seconds=100.0, burst=2, chat_seconds=1.0, chat_burst=1)
    assert [await take(world, limits, chat) for chat in "12"] == [0, 0]
    assert await take(world, limits, "3") > 50
    assert not await world.rows(select(Pace).where(Pace.key == "telegram:3"))


async def test_many_at_once_get_no_more_than_one_after_another(world: World) -> None:
    limits = pace.Limits(seconds=1000.0, burst=5)
    await take(world, limits)  # the first of all makes the row
    waits = await asyncio.gather(*(take(world, limits, str(chat)) for chat in range(12)))
    assert sum(wait == 0 for wait in waits) == 4


async def test_a_messenger_that_asks_to_wait_stops_its_chat_or_all(world: World) -> None:
    async with world.sessions.begin() as session:
        await pace.hold_chat(session, TELEGRAM, "telegram", "1", 30)
    assert await take(world, TELEGRAM, "1") == pytest.approx(30, abs=5)
    assert await take(world, TELEGRAM, "2") == 0
    async with world.sessions.begin() as session:
        await pace.hold_channel(session, TELEGRAM, "telegram", 40)
    assert await take(world, TELEGRAM, "2") == pytest.approx(40, abs=5)
    assert await take(world, TELEGRAM, "3") == pytest.approx(40, abs=5)


async def test_two_chats_told_to_wait_mean_the_whole_bot(world: World) -> None:
    async with world.sessions.begin() as session:
        await pace.hold_chat(session, TELEGRAM, "telegram", "1", 30)
        await pace.hold_chat(session, TELEGRAM, "telegram", "2", 30)
    assert await take(world, TELEGRAM, "3") == pytest.approx(30, abs=5)


async def test_rows_whose_time_is_long_over_are_deleted(world: World) -> None:
    for chat in "12":
        await take(world, SLOW, chat)
    async with world.sessions.begin() as session:
        await session.execute(update(Pace).where(Pace.key == "telegram:1").values(at=func.now() - timedelta(hours=2)))
        await pace.forget(session)
    assert {row.key for row in await world.rows(select(Pace))} == {"telegram", "telegram:2"}
