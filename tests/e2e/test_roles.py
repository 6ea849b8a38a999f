"""Several processes with roles of their own against one PostgreSQL: they share the work, and one that is killed is replaced."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sys
import urllib.request
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bot.benches.processes import Program
from bot.benches.system import free_port
from bot.cli_support import SAME_SIGNAL
from bot.standins.telegram import TelegramServer
from tests.e2e.conftest import ROOT
from tests.e2e.test_run import stored, until

RECOVERY = 15.0
"""Seconds in which the system recovers from any one process's death."""


class Installation:
    """Processes of `firstline run --role …` that share a database, against a stand-in for Telegram."""

    def __init__(self, environment: dict[str, str], telegram: TelegramServer, address: str, logs: Path) -> None:
        self.telegram, self.address, self.logs = telegram, address, logs
        self.environment = environment | {
            "FIRSTLINE_DATABASE_URL": address, "FIRSTLINE_TELEGRAM_TOKEN": telegram.token,
            "FIRSTLINE_TELEGRAM_API_BASE": telegram.url, "FIRSTLINE_QUIET_SECONDS": "0.3",
        }  # fmt: skip
        self.processes: list[Program] = []
        self.ports: dict[str, int] = {}

    async def start(self, name: str, *roles: str) -> Program:
        """Start a process and wait until it works."""
        self.ports[name] = free_port()
        options = [option for role in roles for option in ("--role", role)]
        environment = self.environment | {"FIRSTLINE_HTTP_PORT": str(self.ports[name])}
        made = Program(name, ["run", *options], environment=environment, log=self.logs / f"{name}.log")
        self.processes.append(made)
        await made.start()
        return made

    async def leads(self, name: str) -> bool:
        """Whether a process is the one that asks Telegram for news."""
        return bool((await self.ready(name))["parts"]["channels"]["each"]["telegram"]["fetching"])

    async def ready(self, name: str) -> dict[str, Any]:
        """What a process says of its health."""
        told: dict[str, Any] = json.loads(await self.page(name, "health/ready"))
        return told

    async def page(self, name: str, path: str) -> str:
        """A page of a process."""

        def get() -> str:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.ports[name]}/{path}", timeout=20) as answer:
                return str(answer.read().decode())

        return await asyncio.to_thread(get)

    def answered(self, chat: int) -> bool:
        return any(sent.chat == chat for sent in self.telegram.sent)


@pytest.fixture
async def telegram() -> AsyncIterator[TelegramServer]:
    async with TelegramServer() as server:
        yield server


@pytest.fixture
async def installation(
    environment: dict[str, str], telegram: TelegramServer, address: str, tmp_path: Path
) -> AsyncIterator[Installation]:
    made = Installation(environment, telegram, address, tmp_path)
    yield made
    for process in made.processes:
        with contextlib.suppress(Exception):
            await process.kill()


async def test_each_role_by_itself_and_any_of_them_replaced(installation: Installation) -> None:
    telegram = installation.telegram
    first, _, worker, sender = await asyncio.gather(
        installation.start("receiver-1", "receiver"), installation.start("receiver-2", "receiver"),
        installation.start("worker-1", "worker"), installation.start("sender-1", "sender", "console"),
    )  # fmt: skip
    telegram.writes(1, "позовите оператора")
    await until(lambda: installation.answered(1), "an answer by three processes")
    for name, roles in (("receiver-1", ["receiver"]), ("worker-1", ["worker"]), ("sender-1", ["console", "sender"])):
        health = await installation.ready(name)
        assert (health["status"], health["roles"]) == ("ok", roles)
    assert 'firstline_deliveries_total{channel="telegram",result="sent"}' in await installation.page(
        "sender-1", "metrics"
    )

    # the receiver that leads is killed: the other one takes over
    led_by_first = await installation.leads("receiver-1")
    assert led_by_first != await installation.leads("receiver-2")
    await (first if led_by_first else installation.processes[1]).kill()
    begun = asyncio.get_running_loop().time()
    telegram.writes(2, "позовите оператора")
    await until(lambda: stored(installation.address) == 2, "the other receiver")
    assert asyncio.get_running_loop().time() - begun < RECOVERY

    # a worker and a sender die while they work: others do what was left
    await asyncio.gather(installation.start("worker-2", "worker"), installation.start("sender-2", "sender"))
    telegram.writes(3, "позовите оператора")
    await until(lambda: stored(installation.address) == 3, "the message to be stored")
    await asyncio.gather(worker.kill(), sender.kill())
    begun = asyncio.get_running_loop().time()
    await until(lambda: installation.answered(3), "the answer by the others")
    assert asyncio.get_running_loop().time() - begun < RECOVERY
    await asyncio.sleep(4)  # long enough for a second answer, if there were one
    numbers = [sent.text for sent in telegram.sent if "T-100" in sent.text]
    assert sorted(sent.chat for sent in telegram.sent if "T-100" in sent.text) == [1, 2, 3], numbers


async def test_a_stopped_worker_ends_the_turn_in_hand_or_leaves_it_to_another(installation: Installation) -> None:
    telegram = installation.telegram
    _, worker = await asyncio.gather(
        installation.start("edges", "receiver", "sender"), installation.start("worker-1", "worker")
    )
    telegram.writes(1, "позовите оператора")
    await until(lambda: stored(installation.address) == 1, "the message to be stored")
    await worker.stop()
    assert worker.exits[-1] == 128 + signal.SIGTERM
    await installation.start("worker-2", "worker")
    await until(lambda: installation.answered(1), "the answer")
    assert sum("T-100" in sent.text for sent in telegram.sent) == 1


STUBBORN = """
import asyncio
from bot.cli_support import go

async def work():
    try:
        print("begun", flush=True)
        await asyncio.sleep(300)
    finally:
        print("ending", flush=True)
        await asyncio.sleep(300)

go(work())
"""


async def test_a_second_signal_ends_a_process_at_once() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", STUBBORN, cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(60):
            assert await process.stdout.readline() == b"begun\n"
            process.send_signal(signal.SIGTERM)
            assert await process.stdout.readline() == b"ending\n"
            await asyncio.sleep(SAME_SIGNAL + 0.2)
            assert process.returncode is None
            process.send_signal(signal.SIGTERM)
            assert await process.wait() == 128 + signal.SIGTERM
    finally:
        if process.returncode is None:
            process.kill()
