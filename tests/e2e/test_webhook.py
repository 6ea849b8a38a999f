"""`firstline run` with a public address: Telegram brings its updates, and what is stored is answered once."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import AsyncIterator

import psycopg
import pytest

from bot import database
from bot.channels.telegram_webhook import PATH
from bot.standins.telegram import TelegramServer
from tests.e2e.test_run import Worker, until


@pytest.fixture
async def telegram() -> AsyncIterator[TelegramServer]:
    async with TelegramServer() as server:
        server.hook.scale = 0.2
        yield server


@pytest.fixture
async def worker(environment: dict[str, str], telegram: TelegramServer, address: str) -> AsyncIterator[Worker]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    made = Worker(environment, telegram, address)
    made.environment |= {"FIRSTLINE_PUBLIC_URL": f"http://127.0.0.1:{port}", "FIRSTLINE_HTTP_PORT": str(port)}
    yield made
    if made.process is not None and made.process.returncode is None:
        made.process.kill()
        await made.process.wait()


def recorded(address: str) -> bool:
    """Whether something was sent, and that is written down: else a kill makes it be sent once more."""
    with psycopg.connect(database.conninfo(address)) as connection:
        found = connection.execute("SELECT DISTINCT delivery FROM messages WHERE delivery IS NOT NULL").fetchall()
    return found == [("sent",)]


async def test_updates_come_by_webhook_and_outlive_a_kill(
    worker: Worker, telegram: TelegramServer, address: str
) -> None:
    await worker.start()
    await until(lambda: telegram.webhook.endswith(PATH), "the webhook to be set")
    telegram.writes(42, "/operator")
    await until(lambda: recorded(address), "the first customer to be answered")
    assert await worker.stop(signal.SIGKILL) == -signal.SIGKILL
    telegram.writes(43, "позовите живого человека")
    await until(lambda: any(status == 0 for _, status in telegram.hook.attempts), "an attempt that nobody answers")
    await worker.start()
    await until(lambda: {sent.chat for sent in telegram.sent} == {42, 43}, "both customers to be answered")
    await until(lambda: not telegram.waiting, "all to be taken")
    await asyncio.sleep(4)  # long enough for a second answer, if there were one
    assert sorted(sent.chat for sent in telegram.sent if "T-100" in sent.text) == [42, 43]
    assert "getUpdates" not in telegram.calls
    assert await worker.stop(signal.SIGTERM) == 128 + signal.SIGTERM
    assert telegram.webhook == ""
