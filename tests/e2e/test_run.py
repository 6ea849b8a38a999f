"""`firstline run` as a process against a messenger's stand-in: what is stored is answered, whatever becomes of the worker."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import psycopg
import pytest

from bot import database
from bot.standins.telegram import TelegramServer
from tests.e2e.conftest import FIRSTLINE, ROOT

PATIENCE = 90.0


class Worker:
    """A `firstline run` that can be started, killed, and started again."""

    def __init__(self, environment: dict[str, str], telegram: TelegramServer, address: str) -> None:
        self.environment = environment | {
            "FIRSTLINE_DATABASE_URL": address, "FIRSTLINE_TELEGRAM_TOKEN": telegram.token,
            "FIRSTLINE_TELEGRAM_API_BASE": telegram.url, "FIRSTLINE_QUIET_SECONDS": "2", "FIRSTLINE_STALLED_SECONDS": "3",
            "FIRSTLINE_SWEEP_SECONDS": "1", "FIRSTLINE_HTTP_PORT": "0",
        }  # fmt: skip
        self.process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start it and wait until it works."""
        self.process = await asyncio.create_subprocess_exec(
            *FIRSTLINE, "run", cwd=ROOT, env=self.environment, stderr=asyncio.subprocess.PIPE
        )
        assert self.process.stderr is not None
        async with asyncio.timeout(PATIENCE):
            while b"Firstline works" not in (line := await self.process.stderr.readline()):
                assert line, "the worker ended"
        self._reading = asyncio.create_task(self.process.stderr.read())

    async def stop(self, number: signal.Signals) -> int:
        """End it with a signal and return its exit status."""
        assert self.process is not None
        self.process.send_signal(number)
        async with asyncio.timeout(PATIENCE):
            return await self.process.wait()


@pytest.fixture
async def telegram() -> AsyncIterator[TelegramServer]:
    async with TelegramServer() as server:
        yield server


@pytest.fixture
async def worker(environment: dict[str, str], telegram: TelegramServer, address: str) -> AsyncIterator[Worker]:
    made = Worker(environment, telegram, address)
    yield made
    if made.process is not None and made.process.returncode is None:
        made.process.kill()
        await made.process.wait()


async def until(holds: Callable[[], bool], what: str) -> None:
    try:
        async with asyncio.timeout(PATIENCE):
            while not holds():  # noqa: ASYNC110  other processes tell nobody
                await asyncio.sleep(0.1)
    except TimeoutError:
        pytest.fail(f"waited in vain for: {what}")


def stored(address: str) -> int:
    """How many of the customers' messages are stored."""
    with psycopg.connect(database.conninfo(address)) as connection:
        found = connection.execute("SELECT count(*) FROM messages WHERE sender = 'customer'").fetchone()
    return int(found[0]) if found else 0


async def test_what_was_stored_before_a_kill_and_written_after_it_is_answered_once(
    worker: Worker, telegram: TelegramServer, address: str
) -> None:
    await worker.start()
    telegram.writes(42, "позовите оператора")
    await until(lambda: stored(address) == 1, "the first message to be stored")
    assert await worker.stop(signal.SIGKILL) == -signal.SIGKILL
    assert telegram.sent == []
    telegram.writes(43, "позовите живого человека")
    await worker.start()
    await until(lambda: {sent.chat for sent in telegram.sent} == {42, 43}, "both customers to be answered")
    await asyncio.sleep(4)  # long enough for a second answer, if there were one
    assert sorted(sent.chat for sent in telegram.sent if "T-100" in sent.text) == [42, 43]
    assert await worker.stop(signal.SIGTERM) == 128 + signal.SIGTERM


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks into /proc")
async def test_a_stopped_worker_leaves_no_process(worker: Worker) -> None:
    await worker.start()
    assert worker.process is not None
    pid = worker.process.pid
    assert await worker.stop(signal.SIGINT) == 128 + signal.SIGINT
    assert not [one for one in os.listdir("/proc") if one.isdecimal() and _of(one, pid)]


def _of(pid: str, parent: int) -> bool:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return False
    return int(fields[1]) == parent or int(fields[3]) == parent
