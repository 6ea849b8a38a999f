"""What listeners are told: only what is stored, in order, and only of their own sessions."""

from __future__ import annotations

from sqlalchemy import text

from bot import database, events
from tests.bot.world import World


async def test_nothing_before_the_commit_and_all_after_it(world: World) -> None:
    async with world.sessions.begin() as session:
        events.tell(session, "one")
        await session.execute(text("SELECT 1"))
        async with session.begin_nested():
            events.tell(session, "two")
        assert world.events == []
    assert [one["event"] for one in world.events] == ["one", "two"]


async def test_nothing_of_what_was_rolled_back(world: World) -> None:
    async with world.sessions() as session:
        await session.execute(text("SELECT 1"))
        events.tell(session, "lost")
        await session.rollback()
        await session.execute(text("SELECT 1"))
        events.tell(session, "kept")
        await session.commit()
    assert [one["event"] for one in world.events] == ["kept"]


async def test_a_savepoints_events_can_be_forgotten(world: World) -> None:
    async with world.sessions.begin() as session:
        events.tell(session, "kept")
        point = events.mark(session)
        events.tell(session, "lost")
        events.forget_since(session, point)
    assert [one["event"] for one in world.events] == ["kept"]


async def test_other_factories_are_not_heard(world: World, address: str) -> None:
    engine = database.make_engine(address)
    async with database.make_sessions(engine).begin() as session:
        events.tell(session, "elsewhere")
        await session.execute(text("SELECT 1"))
    await engine.dispose()
    assert world.events == []
