"""`firstline staff`: a sentence and an exit status each, on the installation's own database."""

from __future__ import annotations

import asyncio
import re
from datetime import timedelta
from io import StringIO
from types import SimpleNamespace
from typing import Any, cast

import pytest
from click.testing import Result
from rich.console import Console
from sqlalchemy import select

import flows
from bot import agents, planned, programs, staff
from bot.app import Assistant
from bot.models import Hook, Request
from bot.settings import Settings
from tests.bot.accounts import quick_passwords
from tests.bot.test_cli import assert_sentence, away, run
from tests.bot.world import MINI, START, World, make_world

__all__ = ["away", "quick_passwords"]
pytestmark = pytest.mark.usefixtures("quick_passwords")


@pytest.fixture(autouse=True)
def installation(away: None, address: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A database and a pack."""
    monkeypatch.setenv("FIRSTLINE_DATABASE_URL", address)
    monkeypatch.setenv("FIRSTLINE_PACK", str(MINI))
    return address


def _password(result: Result) -> str:
    found = re.search(r"^    (\S+)$", result.output, re.M)
    assert found is not None, result.output
    return found.group(1)


def test_adding_prints_a_password_and_where_the_desk_is() -> None:
    result = run("staff", "add", "vera", "--title", "Вера", "--queue", "desk", "--skill", "vip", "--capacity", "3")
    assert result.exit_code == 0, result.output
    assert len(_password(result)) == 17
    assert "http://127.0.0.1:8080/desk/" in result.output
    listed = run("staff", "list").output
    for part in ("vera", "Вера", "desk", "vip", "0 of 3", "temporary password"):
        assert part in listed, part
    assert _password(result) not in listed


def test_an_agent_serves_all_queues_and_an_administrator_none_unless_told() -> None:
    run("staff", "add", "vera")
    run("staff", "add", "olga", "--role", "admin")
    lines = run("staff", "list").output.splitlines()
    assert "desk" in next(line for line in lines if "vera" in line)
    assert "desk" not in next(line for line in lines if "olga" in line)


def test_disabling_and_enabling() -> None:
    run("staff", "add", "vera")
    assert_sentence(run("staff", "disable", "vera"), "vera cannot sign in any more", status=0)
    assert "disabled" in run("staff", "list").output
    assert_sentence(run("staff", "reset", "vera"), "But vera is disabled", status=0)
    assert_sentence(run("staff", "enable", "vera"), "vera can sign in again", status=0)
    assert "disabled" not in run("staff", "list").output


@pytest.mark.parametrize("told", [False, True])
def test_who_is_disabled_leaves_nothing_undone_and_nobody_waiting(
    installation: str, monkeypatch: pytest.MonkeyPatch, told: bool
) -> None:
    if told:
        monkeypatch.setenv("FIRSTLINE_EVENTS_URL", "http://127.0.0.1:9/hook")

    async def before() -> None:
        async with make_world(installation) as world:
            await world.agent("vera", title="Вера")
            for chat in ("c1", "c2"):
                await world.say(chat, "мастера")
                await world.take("vera", chat)
            async with world.sessions.begin() as session:
                undo, request = timedelta(seconds=5), await session.get_one(Request, 1)
                await planned.plan(session, world.desk, "vera", "resolve", request, now=world.clock.now(), undo=undo)

    async def after() -> None:
        async with make_world(installation) as world:
            assert [one.state for one in await world.rows(select(Request).order_by(Request.id))] == ["solved", "queued"]
            assert "Решено T-1001. Помогло?" in [text for _, text in await world.transcript()]
            hooks = {one.event for one in await world.rows(select(Hook))}
            assert hooks == ({"request.solved", "request.returned", "request.message"} if told else set())

    asyncio.run(before())
    result = run("staff", "disable", "vera")
    assert_sentence(result, "vera cannot sign in any more", "Back in their queues: T-1002.", status=0)
    asyncio.run(after())


def test_a_reset_prints_another_password() -> None:
    first = _password(run("staff", "add", "vera"))
    assert _password(run("staff", "reset", "Vera")) != first


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("add", "anna maria"), ("letters, digits",)),
        (("add", "vera", "--role", "boss"), ("agent, trainer, supervisor or admin",)),
        (("add", "vera", "--queue", "nowhere"), ("no queue nowhere",)),
        (("add", "vera", "--capacity", "1000"), ("0 to 100",)),
        (("add", "vera", "--telegram", "@vera"), ("number of a user",)),
        (("reset", "nobody"), ("nobody of the name 'nobody' yet",)),
        (("disable", "nobody"), ("nobody of the name",)),
    ],
)
def test_what_does_not_fit_is_one_sentence(arguments: tuple[str, ...], words: tuple[str, ...]) -> None:
    assert_sentence(run("staff", *arguments), *words)


def test_a_name_that_is_taken_and_one_that_is_not_there() -> None:
    run("staff", "add", "vera")
    assert_sentence(run("staff", "add", "vera"), "somebody of this name already")
    assert_sentence(run("staff", "reset", "nobody"), "there are: vera")


def test_nobody_yet_says_what_to_do() -> None:
    assert_sentence(run("staff", "list"), "firstline staff add NAME", status=0)


async def _said(world: World, **settings: Any) -> str:
    """What `firstline run` says about the first sign-in."""
    out = StringIO()
    assistant = SimpleNamespace(sessions=world.sessions, settings=Settings(_env_file=None, **settings))
    await programs._say_how_to_enter(cast(Assistant, assistant), Console(file=out, width=500))
    return out.getvalue().strip()


class TestTheFirstStart:
    async def test_without_anybody_the_command_adds_one(self, world: World) -> None:
        told = "Nobody can sign in at the desk yet: `firstline staff add NAME --role admin` prints a password."
        assert await _said(world) == told

    async def test_the_demos_people_are_named(self, world: World) -> None:
        await world.agent("anna")
        await world.agent("boris", role="supervisor")
        await world.agent("root", role="admin", on_shift=False)
        assert "`firstline staff reset anna` (agent) or `firstline staff reset root` (admin)" in await _said(world)

    async def test_nothing_is_said_once_somebody_can(self, world: World) -> None:
        await world.agent("anna")
        assert await _said(world, oidc_issuer="https://company.example") == ""
        async with world.sessions.begin() as session:
            await staff.reset(session, "anna", doer=staff.Doer(now=START))
        assert await _said(world) == ""


async def test_what_an_administrator_has_changed_survives_a_start(address: str) -> None:
    from bot.clients.nlu import NluServices
    from bot.clients.shop import Agent, Shop
    from bot.content import Content

    anna = Agent(name="anna", title="Анна", queues=("desk",), on_shift=True)
    content = Content(pack=flows.load(MINI), shop=Shop(agents=(anna,)))
    for queues in (["desk"], ["second"]):
        started = Assistant(address, content, NluServices([]), settings=Settings(_env_file=None))
        async with started as assistant, assistant.sessions.begin() as session:
            agent = await agents.get(session, "anna")
            assert agent.queues == queues
            agent.queues = ["second"]
