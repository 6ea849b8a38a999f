"""Leadership: one at a time, and another soon after it is gone, however it went."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import psycopg
import pytest

from bot import database, leader
from bot.leader import Leader
from tests.bot.world import until


class Candidate:
    """Somebody who wants to lead, and what they did."""

    def __init__(self, address: str, name: str = "telegram:1") -> None:
        self.leader = Leader(address, name, every=0.1)
        self.at_work = 0
        self.begun = 0

    async def work(self) -> None:
        self.at_work += 1
        self.begun += 1
        try:
            await asyncio.Event().wait()
        finally:
            self.at_work -= 1


@contextlib.asynccontextmanager
async def running(*candidates: Candidate) -> AsyncIterator[list[asyncio.Task[None]]]:
    tasks = [asyncio.create_task(one.leader.run(one.work)) for one in candidates]
    try:
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def lose_connections(address: str) -> None:
    """End every connection to the database, as a restart of PostgreSQL does."""
    async with await psycopg.AsyncConnection.connect(database.conninfo(address), autocommit=True) as connection:
        await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


async def test_one_of_two_leads_and_the_other_takes_over(address: str) -> None:
    first, second = Candidate(address), Candidate(address)
    async with running(first, second) as (one, other):
        await until(lambda: first.at_work + second.at_work == 1)
        await asyncio.sleep(0.5)
        assert first.at_work + second.at_work == 1
        leads, waits, task = (first, second, one) if first.at_work else (second, first, other)
        assert (leads.leader.leading, waits.leader.leading) == (True, False)
        task.cancel()
        await until(lambda: waits.at_work == 1)
        assert leads.at_work == 0


async def test_two_bots_have_a_leader_each(address: str) -> None:
    first, second = Candidate(address, "telegram:1"), Candidate(address, "telegram:2")
    async with running(first, second):
        await until(lambda: first.at_work == second.at_work == 1)
        assert first.leader.leading
        assert second.leader.leading


async def test_who_loses_the_connection_stops_and_somebody_leads_again(address: str) -> None:
    first, second = Candidate(address), Candidate(address)
    async with running(first, second):
        await until(lambda: first.at_work + second.at_work == 1)
        begun = first.begun + second.begun
        await lose_connections(address)
        await until(lambda: first.begun + second.begun == begun + 1)
        await until(lambda: first.at_work + second.at_work == 1)
        assert first.leader.leading != second.leader.leading


async def test_a_leader_that_stands_still_is_relieved(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leader, "STANDS_STILL", 0.5)
    waits = Candidate(address)
    async with await psycopg.AsyncConnection.connect(database.conninfo(address), autocommit=True) as frozen:
        await frozen.execute("SELECT pg_advisory_lock(%s)", (waits.leader.key,))
        async with running(waits):
            await until(lambda: waits.at_work == 1)
        with pytest.raises(psycopg.OperationalError):
            await frozen.execute("SELECT 1")


async def test_a_leader_that_looks_is_left_alone(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leader, "STANDS_STILL", 2.0)
    first, second = Candidate(address), Candidate(address)
    async with running(first, second):
        await until(lambda: first.at_work + second.at_work == 1)
        await asyncio.sleep(3)
        assert first.begun + second.begun == 1


async def test_work_that_ends_ends_the_leadership_and_its_errors_are_raised(address: str) -> None:
    async def nothing() -> None:
        return

    async def trouble() -> None:
        raise ValueError("not this way")

    await Leader(address, "telegram:1").run(nothing)
    with pytest.raises(ValueError, match="not this way"):
        await Leader(address, "telegram:1").run(trouble)


async def test_without_postgresql_it_waits_for_it() -> None:
    nobody = Candidate("postgresql://nobody@127.0.0.1:9/none")
    async with running(nobody) as (task,):
        await asyncio.sleep(0.5)
        assert not task.done()
        assert nobody.begun == 0
