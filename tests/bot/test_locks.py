"""The order of locks (`bot.desk.hands`): nobody waits for one another in a circle, which PostgreSQL would break by force."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, text

from bot import conversations, desk, planned, queues
from bot.errors import NothingToTake
from bot.models import Agent, Conversation, Request
from tests.bot.shifts import change, whose
from tests.bot.world import World


async def waits(world: World, number: int, *, unless: Sequence[asyncio.Task[Any]] = ()) -> None:
    """Until so many transactions wait for a lock, or all of some tasks have ended."""
    asked = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    async with asyncio.timeout(20):
        while not (unless and all(one.done() for one in unless)):
            async with world.sessions() as session:
                if (await session.scalar(asked) or 0) >= number:
                    return
            await asyncio.sleep(0.02)


async def ends_shift(world: World, name: str) -> list[Request]:
    async with world.sessions.begin() as session:
        return await planned.end_shift(session, world.desk, name, now=world.clock.now())


async def test_a_shift_is_ended_while_its_agent_works_elsewhere(joined: World) -> None:
    """A supervisor ends it in the browser, the agent replies in Telegram: which notes first that they need no page."""
    now, where = joined.clock.now(), await joined.id_of("c1")
    await change(joined, "anna", seen_at=now)
    async with joined.sessions.begin() as session:
        undo, request = timedelta(seconds=5), await session.get_one(Request, 1)
        await planned.plan(session, joined.desk, "anna", "transfer", request, now=now, undo=undo, comment="Ось", queue="masters")  # fmt: skip
    async with asyncio.timeout(20):
        async with joined.sessions.begin() as session:
            await desk.works_without_browser(session, "anna")
            ending = asyncio.create_task(ends_shift(joined, "anna"))
            await waits(joined, 1)
            await desk.reply(session, joined.desk, "anna", where, "Минуту.", now=now)
        await ending
    request = await joined.request()
    assert (request.queue, request.agent_id, request.answered_at) == ("masters", None, now)


async def test_two_shifts_that_end_at_once_with_requests_of_the_same_chats(world: World) -> None:
    for name in ("anna", "boris"):
        await world.agent(name)
    has = (("c2", "напишите", "anna"), ("c1", "напишите", "boris"), ("c1", "мастера", "anna"), ("c2", "мастера", "boris"))  # fmt: skip
    for chat, said, name in has:
        await world.say(chat, said)
        newest = (await world.rows(select(Request).order_by(Request.id.desc()).limit(1)))[0]
        where = {"conversation_id": newest.conversation_id, "request_id": newest.id}
        await world.do(desk.take, world.desk, name, now=world.clock.now(), **where)
    assert await whose(world) == {"T-1001": "anna", "T-1002": "boris", "T-1003": "anna", "T-1004": "boris"}
    async with asyncio.timeout(20):
        async with world.sessions.begin() as session:  # both get as far as they can
            await session.execute(select(Request.id).where(Request.task).with_for_update())
            tasks = [asyncio.create_task(ends_shift(world, name)) for name in ("anna", "boris")]
            await waits(world, 2)
        back = await asyncio.gather(*tasks)
    assert [sorted(one.number for one in some) for some in back] == [["T-1001", "T-1003"], ["T-1002", "T-1004"]]
    assert set((await whose(world)).values()) == {None}


async def test_of_many_who_take_the_next_one_nobody_holds_what_was_gone(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both have read the same list, and all of it is taken by others before they come to it."""
    for name in ("anna", "boris", "chief"):
        await world.agent(name)
    for chat in ("c1", "c2"):
        await world.say(chat, "мастера")
        await world.take("chief")

    async def read_before(session: Any, agent: Agent, **_: Any) -> Any:
        return (await session.scalars(select(Request).order_by(Request.id))).all()

    first_round, go, lock = asyncio.Event(), asyncio.Event(), conversations.lock

    async def held_up(session: Any, conversation_id: int, *, skip: bool = False) -> Conversation | None:
        task = asyncio.current_task()
        if not skip and task is not None and task.get_name() == "anna":
            first_round.set()
            await go.wait()
        return await lock(session, conversation_id, skip=skip)

    async def takes(name: str) -> None:
        async with world.sessions.begin() as session:
            await desk.take(session, world.desk, name, now=world.clock.now())

    monkeypatch.setattr(queues, "candidates", read_before)
    monkeypatch.setattr(conversations, "lock", held_up)
    async with asyncio.timeout(20):
        async with world.sessions.begin() as session:
            await lock(session, await world.id_of("c1"))
            anna = asyncio.create_task(takes("anna"), name="anna")
            await first_round.wait()
        boris = asyncio.create_task(takes("boris"), name="boris")
        await waits(world, 1, unless=[boris])
        go.set()
        ended = await asyncio.gather(anna, boris, return_exceptions=True)
    assert [type(one) for one in ended] == [NothingToTake, NothingToTake]
