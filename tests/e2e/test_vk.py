"""A request in VK from the first line to the mark: what the customer can press there is there, works, and goes when it is over."""

from __future__ import annotations

import asyncio
import re
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import psycopg
import pytest

from bot import database
from bot.benches.processes import Program
from bot.benches.system import free_port
from bot.standins.vk import Sent, VkServer
from tests.e2e.conftest import FIRSTLINE
from tests.e2e.test_run import until

CUSTOMER = 900
CANCEL = "Отменить обращение"


@pytest.fixture
async def vk() -> AsyncIterator[VkServer]:
    async with VkServer() as server:
        yield server


@pytest.fixture
async def anna(
    environment: dict[str, str], vk: VkServer, address: str, tmp_path: Path
) -> AsyncIterator[httpx.AsyncClient]:
    """`firstline run` with VK's stand-in, and Anna's hands: calls of the API in her name."""
    port = free_port()
    own = environment | {
        "FIRSTLINE_DATABASE_URL": address, "FIRSTLINE_HTTP_PORT": str(port), "FIRSTLINE_QUIET_SECONDS": "0.3",
        "FIRSTLINE_VK_TOKEN": vk.token, "FIRSTLINE_VK_API_BASE": vk.url,
    }  # fmt: skip
    program = Program("firstline", ["run"], environment=own, log=tmp_path / "run.log")
    await program.start()
    made = await asyncio.to_thread(
        subprocess.run, [*FIRSTLINE, "key", "add", "e2e", "--as", "anna"], env=own, capture_output=True, text=True, check=True
    )  # fmt: skip
    headers = {"Authorization": f"Bearer {made.stdout.strip()}"}
    async with httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{port}/api/v1", headers=headers, timeout=60, trust_env=False
    ) as client:
        yield client
    await program.kill()


async def post(client: httpx.AsyncClient, path: str, **body: object) -> None:
    answer = await client.post(path, json=body, headers={"Idempotency-Key": path})
    assert answer.status_code == 200, answer.text


async def sent(vk: VkServer, words: str) -> Sent:
    """The newest message to the customer that matches, once it has come."""
    there: list[Sent] = []

    def holds() -> bool:
        there[:] = [one for one in vk.sent if one.peer == CUSTOMER and re.search(words, one.text)]
        return bool(there)

    await until(holds, words)
    return there[-1]


def mark(address: str) -> int | None:
    with psycopg.connect(database.conninfo(address)) as connection:
        found = connection.execute("SELECT mark FROM requests WHERE number = 'T-1001'").fetchone()
    return found[0] if found else None


@pytest.mark.rule("CX-03", "CX-07", "CX-10", "KPI-03")
async def test_the_cancel_button_goes_when_somebody_joins_and_the_mark_that_is_pressed_is_kept(
    vk: VkServer, anna: httpx.AsyncClient, address: str
) -> None:
    vk.writes(CUSTOMER, "Здравствуйте. Позовите, пожалуйста, специалиста")
    waits = await sent(vk, "T-1001")
    assert waits.buttons == [CANCEL]
    await post(anna, "/shift", on_shift=True)
    await post(anna, "/requests/T-1001/take")
    await sent(vk, "Анна")
    await until(lambda: waits.buttons == [], "the cancel button to go")
    assert "T-1001" in waits.text
    await post(anna, "/requests/T-1001/reply", text="Здравствуйте! Готово.")
    await post(anna, "/requests/T-1001/resolve", resolution="solved", text="Сделано")
    solved = await sent(vk, "Помогло\\?|Всё получилось\\?")
    helped = vk.presses(solved, "Да, помогло")
    asks = await sent(vk, "от 1 до 5|5 — отлично")
    assert asks.buttons == ["1", "2", "3", "4", "5"]
    five = vk.presses(asks, "5")
    thanks = await sent(vk, "Спасибо за оценку|оценка записана")
    assert mark(address) == 5
    assert {helped, five} <= set(vk.answered)  # the app shows no waiting at the buttons any more
    assert thanks.buttons == ["Пропустить"]
