"""docs/outside.md: what it shows is what works. Its examples are run as they stand there."""

from __future__ import annotations

import asyncio
import json
import os
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

import bot
from bot.models import Message, Sender
from bot.outside import outbox, sending, signing
from bot.web import api
from tests.bot.web.api_calls import HelpDesk, help_desk
from tests.bot.world import World

PAGE = (Path(bot.__file__).parent.parent / "docs" / "outside.md").read_text("utf-8")
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def example(name: str) -> str:
    found = re.search(rf"<!-- example:{name} -->\n```\w+\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None, name
    return found[1]


def run(name: str) -> dict[str, Any]:
    """The names that an example in Python defines."""
    defined: dict[str, Any] = {}
    exec(compile(example(name), f"docs/outside.md:{name}", "exec"), defined)
    return defined


@pytest.fixture
async def helpdesk(world: World, address: str, tmp_path: Path) -> AsyncIterator[HelpDesk]:
    await world.agent("anna", title="Анна")
    for chat in ("c1", "c2"):
        await world.say(chat, "мастера")
    async with help_desk(world, address, tmp_path) as made:
        yield made


async def said(world: World) -> list[str]:
    lines = select(Message).where(Message.sender == Sender.AGENT).order_by(Message.id)
    return [one.text for one in await world.rows(lines)]


class TestReceiver:
    def headers(self, body: bytes, now: datetime | None = None) -> dict[str, str]:
        return signing.headers(signing.key_of(SECRET), "evt_1", body, now=now or datetime.now(UTC))

    def test_what_we_send_is_verified(self) -> None:
        verified, body = run("receiver")["verified"], '{"text":"да"}'.encode()
        assert verified(SECRET, self.headers(body), body)
        two = self.headers(body)
        two["webhook-signature"] = f"v1,bm9uZQ== {two['webhook-signature']}"  # while a secret is changed
        assert verified(SECRET, two, body)

    def test_what_others_send_or_repeat_is_not(self) -> None:
        verified, body = run("receiver")["verified"], b"{}"
        assert not verified(SECRET, self.headers(body), b'{"forged": 1}')
        assert not verified("whsec_" + "A" * 32, self.headers(body), body)
        assert not verified(SECRET, self.headers(body) | {"webhook-id": "evt_2"}, body)
        assert not verified(SECRET, self.headers(body, datetime(2026, 1, 1, tzinfo=UTC)), body)


class TestCalls:
    async def test_the_python_client_answers_what_waits(
        self, helpdesk: HelpDesk, world: World, capsys: pytest.CaptureFixture[str]
    ) -> None:
        defined = run("client")
        client = defined["Firstline"](helpdesk.address, await helpdesk.key("anna"))
        done = await asyncio.to_thread(defined["answer_all"], client, "Здравствуйте!")
        assert done == ["T-1002", "T-1001"]
        assert await said(world) == ["Здравствуйте!", "Здравствуйте!"]
        assert {(await world.request(number)).state for number in done} == {"waiting_customer"}
        assert "Тема" in capsys.readouterr().out
        with pytest.raises(RuntimeError, match="urn:firstline:problem:not-found"):
            await asyncio.to_thread(client.get, "/nowhere")

    async def test_the_calls_with_curl_do_what_they_say(self, helpdesk: HelpDesk, world: World) -> None:
        program = await asyncio.create_subprocess_exec(
            "bash", "-euo", "pipefail", "-c", example("curl"), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            env={**os.environ, "BASE": helpdesk.address, "KEY": await helpdesk.key("anna"), "NO_PROXY": "127.0.0.1"},
        )  # fmt: skip
        out, errors = await program.communicate()
        assert program.returncode == 0, (out, errors)
        first, *_ = json.JSONDecoder().raw_decode(out.decode())
        assert [one["number"] for one in first["requests"]] == ["T-1002", "T-1001"]
        assert await said(world) == ["Здравствуйте! Проверяю ваш заказ."]
        solved = await world.request("T-1001")
        assert (solved.state, solved.solution) == ("solved", "Посылка в отделении")


class TestWords:
    def test_every_event_and_call_is_there_and_no_other(self, tmp_path: Path) -> None:
        types = {f"request.{name}" for name in {*outbox.NAMES.values(), "message", "message_undelivered", "changed"}}
        assert set(re.findall(r"`(request\.\w+)`", PAGE)) == types
        listed = {f"/{name}" for name in ("note", "wait", "resolve")}
        assert all(f"`{one}`" in PAGE for one in listed)

    def test_the_figures_are_those_of_the_program(self) -> None:
        assert f"within {sending.SECONDS:g} seconds" in PAGE
        assert sending.PATIENCE.days == 3
        assert (sending.FIRST_PAUSE, sending.LONGEST_PAUSE) == (5.0, 3600.0)
        assert sending.REFUSED_ATTEMPTS == 5
        assert {400, 409, 413, 415, 422} <= sending.REFUSALS
        assert api.PREFIX == "/api/v1"
