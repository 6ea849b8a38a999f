"""PostgreSQL is stopped and started while all runs: nothing is lost or doubled, and all goes on within seconds."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import select

from bot import database
from bot.benches.processes import Postgres
from bot.channels import Outgoing
from bot.leader import Leader
from bot.models import Message
from tests.bot.world import World, make_world, until

RECOVERY = 15.0
"""Seconds after which all works again."""


@pytest.fixture
async def postgresql() -> AsyncIterator[Postgres]:
    """A server of its own, which can be stopped."""
    folder = _folder()
    server = Postgres(folder / "postgres")
    await server.start()
    try:
        yield server
    finally:
        await server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _folder() -> Path:
    """A folder that the server's user can enter."""
    folder = Path(tempfile.mkdtemp(prefix="firstline-tests-"))
    folder.chmod(0o755)
    return folder


@contextlib.asynccontextmanager
async def working(world: World, leader: Leader, fetch: asyncio.Event) -> AsyncIterator[None]:
    """Workers of all kinds, and somebody who leads."""

    async def lead() -> None:
        fetch.set()
        try:
            await asyncio.Event().wait()
        finally:
            fetch.clear()

    tasks = [
        asyncio.create_task(world.jobs.run(every=0.5, kinds={"turn": 4, "delivery": 4})),
        asyncio.create_task(leader.run(lead)),
    ]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_all_goes_on_after_a_restart_and_a_message_in_the_call_is_sent_once(postgresql: Postgres) -> None:
    address = await asyncio.to_thread(database.create_database, postgresql.address)
    leading = asyncio.Event()
    async with make_world(address) as world, working(world, Leader(address, "telegram:1"), leading):
        channel = world.channels["telegram"]
        await asyncio.wait_for(leading.wait(), 30)
        in_call, goes_on, send = asyncio.Event(), asyncio.Event(), channel.send

        async def slow(message: Outgoing) -> str:
            if message.chat == "c1":
                in_call.set()
                await goes_on.wait()
            return await send(message)

        channel.send = slow  # type: ignore[method-assign]
        await world.receive(world.incoming("c1", text="привет"))
        await asyncio.wait_for(in_call.wait(), 30)
        await postgresql.stop()
        goes_on.set()  # the messenger answers while there is no store
        await until(lambda: len(channel.sent) == 1)
        await until(lambda: not leading.is_set())
        await asyncio.sleep(3)
        await postgresql.start()
        back = time.monotonic()
        async with asyncio.timeout(RECOVERY):
            while True:
                with contextlib.suppress(Exception):  # a channel offers an update again until it is stored
                    await world.receive(world.incoming("c2", text="привет"))
                    break
                await asyncio.sleep(0.2)
        await until(lambda: any(one.chat == "c2" for one in channel.sent), seconds=60)
        await asyncio.wait_for(leading.wait(), 60)
        assert time.monotonic() - back < RECOVERY
        await world.receive(world.incoming("c1", text="сроки"))
        await until(lambda: sum(one.chat == "c1" for one in channel.sent) == 2, seconds=60)
        assert [one.text for one in channel.sent if one.chat == "c1"] == ["Здравствуйте!", "Чиним два дня."]
        query = select(Message.delivery).where(Message.sender == "bot")
        async with asyncio.timeout(30):
            while {"sent"} != set(await world.rows(query)):  # noqa: ASYNC110  the row has no event of its own
                await asyncio.sleep(0.1)
