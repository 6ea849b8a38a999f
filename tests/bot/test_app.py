"""What the settings say holds in a running process: limits, paces, webhooks, where errors are told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import func, select

import flows
from bot import agents, cli_support, desk, jobs, planned, requests, trouble
from bot.app import Assistant
from bot.channels import Incoming, Kind
from bot.clients.shop import Shop
from bot.content import Content
from bot.models import Conversation, Hook, Message, Request
from bot.settings import Settings
from tests.bot.world import MINI, START, ScriptedNlu

TOKENS = {"telegram_token": SecretStr("1000:" + "a" * 35), "vk_token": SecretStr("vk1.a.token")}


@pytest.fixture
async def connected(address: str, tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Assistant]:
    """A process with both messengers, which asks them nothing; the parameter: settings."""
    settings = Settings(_env_file=None, home=tmp_path, **TOKENS, **getattr(request, "param", {}))  # type: ignore[call-arg]
    content = Content(pack=flows.load(MINI), shop=Shop())
    async with Assistant(address, content, ScriptedNlu(), settings=settings) as assistant:
        assistant.connect()
        yield assistant


def said(number: int) -> Incoming:
    return Incoming(
        channel="telegram", chat="42", external_id=str(number), kind=Kind.MESSAGE, at=START, text=f"{number}"
    )  # fmt: skip


@pytest.mark.parametrize("connected", [{"flood_limit": 2}], indirect=True)
async def test_a_customer_may_send_so_much_and_no_more(connected: Assistant) -> None:
    for number in range(4):
        await connected.receive(said(number))
    async with connected.sessions() as session:
        assert await session.scalar(select(func.count()).select_from(Message)) == 2


@pytest.mark.parametrize(
    "connected",
    [{"telegram_per_second": 5.0, "telegram_chat_seconds": 2.0, "vk_per_second": 4.0}],
    indirect=True,
)
async def test_all_who_send_keep_the_paces_of_the_settings(connected: Assistant) -> None:
    paces = connected.post.paces
    assert (paces["telegram"].seconds, paces["telegram"].chat_seconds, paces["vk"].seconds) == (0.2, 2.0, 0.25)


@pytest.mark.parametrize(
    ("connected", "status"),
    [({"public_url": "https://lavka.example"}, {"telegram": 401, "vk": 403}), ({}, {"telegram": 404, "vk": 404})],
    indirect=["connected"],
)
async def test_with_a_public_address_both_messengers_may_call(connected: Assistant, status: dict[str, int]) -> None:
    body = b'{"type": "message_new", "group_id": 1, "secret": "wrong"}'
    answers = {name: await one.hook({}, body, connected.receive) for name, one in connected.channels.items()}
    assert {name: answer.status for name, answer in answers.items()} == status


@pytest.mark.parametrize("dsn", ["https://public@sentry.example/1", None])
def test_errors_are_told_to_sentry_where_the_settings_say_so(
    dsn: str | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    told: list[Any] = []
    monkeypatch.setattr(trouble, "watch", told.append)
    monkeypatch.setattr(cli_support.logs, "to_stderr", lambda **_: None)
    monkeypatch.setenv("FIRSTLINE_HOME", str(tmp_path))
    if dsn is not None:
        monkeypatch.setenv("FIRSTLINE_SENTRY_DSN", dsn)
    cli_support.settings_of("run", to_stderr=True)
    assert told == ([dsn] if dsn else [])


EVENTS = {
    "events_url": "https://help.example.ru/hooks",
    "events_secret": SecretStr("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
}


@pytest.mark.parametrize(("connected", "stored"), [(EVENTS, True), ({}, False)], indirect=["connected"])
async def test_events_are_stored_and_sent_when_the_settings_name_who_is_told(
    connected: Assistant, stored: bool
) -> None:
    assert (jobs.HOOKS in connected.jobs.names, jobs.HOOKS in connected.kinds) == (stored, stored)
    async with connected.sessions.begin() as session:
        conversation = Conversation(channel="telegram", chat="42", created_at=START)
        session.add(conversation)
        await session.flush()
        handoff = flows.Handoff(queue="desk", priority="normal", comment="", summary={}, topic="person")
        await requests.open_request(session, connected.desk, conversation, handoff, now=START)
    async with connected.sessions() as session:
        assert list(await session.scalars(select(Hook.event))) == (["request.opened"] if stored else [])


async def test_an_action_that_was_planned_is_done_by_the_process(connected: Assistant) -> None:
    """Nobody has to keep a page open for it."""
    await connected.receive(said(1))
    async with connected.sessions.begin() as session:
        await agents.save(session, "anna", queues=["desk"], on_shift=True)
        (conversation,) = await session.scalars(select(Conversation))
        handoff = flows.Handoff(queue="desk", summary={}, comment="")
        opened = await requests.open_request(
            session, connected.desk, conversation, handoff, now=connected.clock.now()
        )  # fmt: skip
    async with connected.sessions.begin() as session:
        await desk.take(session, connected.desk, "anna", now=connected.clock.now())
        request, undo = await session.get_one(Request, opened.id), timedelta(milliseconds=50)
        await planned.plan(session, connected.desk, "anna", "resolve", request, now=connected.clock.now(), undo=undo)
    assert {jobs.PLANNED} <= {*connected.kinds}
    async with asyncio.timeout(20):
        while await state_of(connected, opened.number) != "solved":
            await connected.jobs.run_until_idle()


async def state_of(assistant: Assistant, number: str) -> str:
    async with assistant.sessions() as session:
        state = await session.scalar(select(Request.state).where(Request.number == number))
        return str(state)
