"""Durable work: in order, once, after crashes and restarts."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import psycopg
import pytest
from procrastinate import exceptions
from procrastinate.manager import JobManager

from bot import database
from bot.channels.polling import PASSING
from bot.jobs import Jobs
from tests.bot.world import World, until


@contextlib.asynccontextmanager
async def working(jobs: Jobs, **more: Any) -> AsyncIterator[None]:
    """A worker in the background."""
    worker = asyncio.create_task(jobs.run(**more))
    try:
        yield
    finally:
        worker.cancel()
        await asyncio.gather(worker, return_exceptions=True)


async def status(address: str) -> list[str]:
    async with await psycopg.AsyncConnection.connect(database.conninfo(address)) as connection:
        found = await connection.execute("SELECT status::text FROM procrastinate_jobs ORDER BY id")
        return [row[0] for row in await found.fetchall()]


def waits(address: str) -> bool:
    """Whether a statement waits for another transaction to end."""
    with psycopg.connect(database.conninfo(address)) as connection:
        found = connection.execute("SELECT count(*) FROM pg_locks WHERE NOT granted").fetchone()
    return bool(found and found[0])


class TestAdding:
    async def test_a_job_is_there_exactly_when_its_transaction_is(self, world: World, address: str) -> None:
        async with world.sessions() as session:
            await world.jobs.turn(session, 1)
            await session.rollback()
        assert await status(address) == []

    async def test_one_waiting_job_for_a_conversation(self, world: World, address: str) -> None:
        async with world.sessions.begin() as session:
            assert await world.jobs.turn(session, 1)
            assert not await world.jobs.turn(session, 1)
            assert await world.jobs.turn(session, 2)
            assert await world.jobs.delivery(session, 1)
        assert await status(address) == ["todo"] * 3

    async def test_a_store_lost_while_a_job_is_added_is_the_store_s_trouble(self, world: World, address: str) -> None:
        async with world.sessions() as session:
            connection = await database.driver(session)
            async with await psycopg.AsyncConnection.connect(database.conninfo(address), autocommit=True) as other:
                await other.execute("SELECT pg_terminate_backend(%s)", (connection.info.backend_pid,))
            with pytest.raises(PASSING):
                await world.jobs.turn(session, 1)

    async def test_a_job_that_is_fetched_meanwhile_does_not_swallow_a_new_one(self, world: World, address: str) -> None:
        async with world.sessions.begin() as session:
            await world.jobs.turn(session, 1)
        async with await psycopg.AsyncConnection.connect(database.conninfo(address)) as fetching:
            await fetching.execute("UPDATE procrastinate_jobs SET status = 'doing'")
            async with world.sessions.begin() as session:
                adding = asyncio.create_task(world.jobs.turn(session, 1))
                await until(lambda: waits(address))
                await fetching.commit()
                assert await adding
        assert sorted(await status(address)) == ["doing", "todo"]

    async def test_what_a_savepoint_takes_back_can_be_added_again(self, world: World, address: str) -> None:
        async with world.sessions.begin() as session:
            with contextlib.suppress(ZeroDivisionError):
                async with session.begin_nested():
                    assert await world.jobs.turn(session, 1)
                    raise ZeroDivisionError
            assert await world.jobs.turn(session, 1)
        assert await status(address) == ["todo"]


class TestWorking:
    async def test_two_workers_keep_each_conversation_in_order(self, world: World, address: str) -> None:
        running: set[int] = set()
        overlaps: list[int] = []
        done: list[int] = []

        async def work(conversation_id: int) -> None:
            if conversation_id in running:
                overlaps.append(conversation_id)
            running.add(conversation_id)
            await asyncio.sleep(0.02)
            running.discard(conversation_id)
            done.append(conversation_id)

        async with Jobs(address) as other:
            for jobs in (world.jobs, other):
                jobs.register("count", work)
            async with working(world.jobs), working(other):
                for _ in range(5):
                    for conversation_id in range(4):
                        await world.jobs.again("count", conversation_id, 0)
                    await asyncio.sleep(0.1)
                await until(lambda: set(done) == {0, 1, 2, 3})
        assert overlaps == []

    async def test_a_job_whose_end_could_not_be_written_down_does_not_hold_up_its_conversation(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        done: list[int] = []
        lost = [
            psycopg.OperationalError("the connection is lost"),
            psycopg.OperationalError("PostgreSQL is starting up"),
        ]
        finish = JobManager.finish_job

        async def finish_in_vain(self: JobManager, *job: Any, **more: Any) -> None:
            if lost:
                raise exceptions.ConnectorException from lost.pop()
            await finish(self, *job, **more)

        async def work(conversation_id: int) -> None:
            done.append(conversation_id)

        monkeypatch.setattr(JobManager, "finish_job", finish_in_vain)
        world.jobs.register("count", work)
        async with working(world.jobs):
            await world.jobs.again("count", 1, 0)
            await until(lambda: done == [1])
            await world.jobs.again("count", 1, 0)
            await until(lambda: done == [1, 1])
        assert not lost

    async def test_customers_are_answered_by_a_real_worker(self, world: World) -> None:
        async with working(world.jobs):
            for chat in ("c1", "c2", "c3"):
                await world.receive(world.incoming(chat, text="привет"))
            await until(lambda: len(world.channels["telegram"].sent) == 3)
        assert {one.chat for one in world.channels["telegram"].sent} == {"c1", "c2", "c3"}

    async def test_a_job_that_fails_is_tried_again(self, world: World) -> None:
        tries: list[int] = []

        async def work(conversation_id: int) -> None:
            tries.append(conversation_id)
            if len(tries) == 1:
                raise RuntimeError("not today")

        world.jobs.register("flaky", work)
        async with working(world.jobs):
            await world.jobs.again("flaky", 1, 0)
            await until(lambda: len(tries) == 2)

    async def test_the_sweep_is_called_again_and_again_whatever_it_raises(self, world: World) -> None:
        calls: list[int] = []

        async def sweep() -> None:
            calls.append(1)
            raise RuntimeError("once more")

        async with working(world.jobs, sweep=sweep, every=0.05):
            await until(lambda: len(calls) >= 3)


class TestCrashes:
    async def test_a_dead_workers_job_is_done_by_another(self, world: World, address: str) -> None:
        await world.receive(world.incoming("c1", text="привет"))
        async with await psycopg.AsyncConnection.connect(database.conninfo(address), autocommit=True) as connection:
            await connection.execute(
                "INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now() - interval '1 hour')"
            )
            await connection.execute(
                "UPDATE procrastinate_jobs SET status = 'doing', worker_id = (SELECT max(id) FROM procrastinate_workers)"
            )
        assert await world.settle() == []
        assert await world.jobs.rescue_stalled() == 1
        assert await world.settle() == ["Здравствуйте!"]

    async def test_a_stalled_job_gives_way_to_one_that_waits(self, world: World, address: str) -> None:
        await world.receive(world.incoming("c1", text="привет"))
        async with await psycopg.AsyncConnection.connect(database.conninfo(address), autocommit=True) as connection:
            await connection.execute("UPDATE procrastinate_jobs SET status = 'doing', worker_id = NULL")
        await world.receive(world.incoming("c1", text="сроки"))
        assert await world.settle() == []  # the stalled one has the conversation's lock
        assert await world.jobs.rescue_stalled() == 1
        assert await status(address) == ["todo"]
        assert await world.settle() == ["Чиним два дня."]

    async def test_a_worker_outlives_the_loss_of_its_connections(
        self, world: World, address: str, postgres: str
    ) -> None:
        async with working(world.jobs, every=0.2):
            await world.receive(world.incoming("c1", text="привет"))
            await until(lambda: len(world.channels["telegram"].sent) == 1)
            async with await psycopg.AsyncConnection.connect(
                database.conninfo(postgres), autocommit=True
            ) as connection:
                await connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s",
                    (database._url(address).database,),
                )
            with contextlib.suppress(Exception):  # the first may meet a dead connection; a channel offers it again
                await world.receive(world.incoming("c2", text="привет"))
            await world.receive(world.incoming("c3", text="привет"))
            await until(lambda: any(one.chat == "c3" for one in world.channels["telegram"].sent), seconds=40)


class TestStopping:
    async def test_work_in_hand_is_ended(self, world: World, address: str) -> None:
        begun, goes_on, ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

        async def work(conversation_id: int) -> None:
            begun.set()
            await goes_on.wait()
            ended.set()

        world.jobs.register("slow", work)
        async with working(world.jobs):
            await world.jobs.again("slow", 1, 0)
            await asyncio.wait_for(begun.wait(), 20)
            asyncio.get_running_loop().call_later(0.5, goes_on.set)
        assert ended.is_set()
        assert await status(address) == []

    async def test_work_that_does_not_end_is_left_to_another(
        self, world: World, address: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("bot.jobs.STOP_WITHIN", 0.2)
        begun = asyncio.Event()

        async def work(conversation_id: int) -> None:
            begun.set()
            await asyncio.Event().wait()

        world.jobs.register("endless", work)
        async with working(world.jobs):
            await world.jobs.again("endless", 1, 0)
            await asyncio.wait_for(begun.wait(), 20)
        assert await status(address) == ["todo"]

    async def test_a_process_does_only_its_kinds_of_jobs(self, world: World, address: str) -> None:
        done: list[str] = []

        async def one(conversation_id: int) -> None:
            done.append("one")

        async def two(conversation_id: int) -> None:
            done.append("two")

        world.jobs.register("one", one)
        world.jobs.register("two", two)
        await world.jobs.again("two", 1, 0)
        await world.jobs.again("one", 1, 0)
        async with working(world.jobs, kinds={"one": 1}):
            await until(lambda: bool(done))
            await asyncio.sleep(0.5)
        assert done == ["one"]
        assert await status(address) == ["todo"]


@pytest.mark.parametrize("size", [40])
async def test_a_crowd_is_served_without_a_line_lost(world: World, size: int) -> None:
    async with working(world.jobs):
        await asyncio.gather(
            *(world.receive(world.incoming(f"c{number % 10}", text="привет")) for number in range(size))
        )
        await until(
            lambda: {one.chat for one in world.channels["telegram"].sent} == {f"c{n}" for n in range(10)}, seconds=60
        )
    read = sum(text.count("привет") for text in world.nlu.texts)
    assert read == size
