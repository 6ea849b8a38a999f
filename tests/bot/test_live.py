"""What has changed reaches whoever shows it, from any process."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from sqlalchemy import update

from bot import agents, database, live
from bot.live import Change, Listener, Live
from bot.models import Agent, Conversation, Request
from tests.bot.world import World

NOW = datetime(2026, 11, 20, 9, tzinfo=UTC)


async def _next(listener: Listener) -> list[Change]:
    return await asyncio.wait_for(listener.read(), 10)


async def test_a_change_is_told_once_it_is_stored(address: str) -> None:
    engine = database.make_engine(address)
    sessions = database.make_sessions(engine)
    async with Live(address) as pages:
        with pages.listening() as listener:
            async with sessions.begin() as session:
                agent = Agent(name="live-anna", title="Анна")
                session.add(agent)
                await session.flush()
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(listener.read(), 0.2)
            assert await _next(listener) == [Change(kind="agent", agent=agent.id)]
            async with sessions() as session:  # what is taken back is never told
                session.add(Conversation(channel="telegram", chat="live", created_at=NOW))
                await session.flush()
                await session.rollback()
            async with sessions.begin() as session:
                await session.delete(agent)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(listener.read(), 0.2)
    await engine.dispose()


async def test_after_a_lost_connection_everything_is_told(address: str) -> None:
    async with Live(address) as pages:
        with pages.listening() as listener:
            with psycopg.connect(database.conninfo(address), autocommit=True) as other:
                other.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE query = 'LISTEN firstline' AND datname = current_database()"
                )
            assert await _next(listener) == [live.EVERYTHING]


async def test_what_no_table_holds_is_told_too(address: str) -> None:
    typing = Change(kind="typing", conversation=7)
    async with Live(address) as pages:
        with pages.listening() as listener:
            async with await psycopg.AsyncConnection.connect(database.conninfo(address), autocommit=True) as other:
                await live.announce(other, typing)
            assert await _next(listener) == [typing]


async def test_a_slow_listener_is_told_that_everything_may_have_changed() -> None:
    listener = Listener()
    for number in range(live.MOST + 1):
        listener.put(Change(kind="message", conversation=number))
    assert await _next(listener) == [live.EVERYTHING]


async def test_a_request_that_changes_hands_concerns_both_agents(joined: World, address: str) -> None:
    request = await joined.request()
    async with joined.sessions() as session:
        anna, boris = [(await agents.get(session, name)).id for name in ("anna", "boris")]
    async with Live(address) as pages:
        with pages.listening() as listener:
            async with joined.sessions.begin() as session:
                await session.execute(update(Request).where(Request.id == request.id).values(agent_id=boris))
            told = await _next(listener)
    of_it = {change.agent for change in told if change.kind == "request" and change.request == request.id}
    assert of_it == {anna, boris}


async def test_a_request_reserved_for_a_manager_concerns_that_manager(world: World, address: str) -> None:
    await world.agent("anna", title="Анна")
    await world.say("c1", "мастера")
    async with world.sessions() as session:
        anna = (await agents.get(session, "anna")).id
    async with Live(address) as pages:
        with pages.listening() as listener:
            async with world.sessions.begin() as session:
                until = world.clock.now() + timedelta(minutes=1)
                await session.execute(update(Request).values(manager="anna", claim_until=until))
            told = await _next(listener)
    assert anna in {change.agent for change in told if change.kind == "request"}
