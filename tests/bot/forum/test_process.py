"""The Telegram desk in whole processes, as the settings make them: all in one, or each role by itself."""

from __future__ import annotations

import asyncio
import io
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from pydantic import SecretStr
from rich.console import Console
from sqlalchemy import select, update

import flows
from bot import agents, programs
from bot.app import Assistant
from bot.clients.shop import Shop
from bot.content import Content
from bot.errors import SettingsInvalid
from bot.models import Agent, Conversation
from bot.roles import EVERYTHING, Role
from bot.settings import Settings
from bot.standins.telegram import TelegramServer
from tests.bot.forum.conftest import ANNA, GROUP, STRANGER, until
from tests.bot.world import MINI, ScriptedNlu


def settings_for(server: TelegramServer, folder: Path, **more: object) -> Settings:
    return Settings(
        _env_file=None, home=folder, telegram_token=SecretStr(server.token), telegram_api_base=server.url,  # type: ignore[call-arg]
        quiet_seconds=0.0, telegram_desk_per_minute=6000, **{"telegram_desks": {GROUP: ["desk"]}, **more},
    )  # fmt: skip


@pytest.mark.parametrize(
    "roles", [[EVERYTHING], [{Role.RECEIVER}, {Role.WORKER}, {Role.SENDER}, {Role.SENDER}]], ids=["one", "each"]
)
async def test_a_customer_and_an_agent_talk_through_the_group(
    address: str, tmp_path: Path, roles: list[set[Role]]
) -> None:
    content = Content(pack=flows.load(MINI), shop=Shop())
    async with TelegramServer() as server, AsyncExitStack() as stack:
        group = server.has_group(GROUP)
        running = []
        for some in roles:
            one = Assistant(address, content, ScriptedNlu(), settings=settings_for(server, tmp_path), roles=some)
            one.connect()
            await stack.enter_async_context(one)
            running.append(asyncio.create_task(one.run()))
        async with one.sessions.begin() as session:
            await agents.save(session, "anna", title="Анна", queues=["desk"], on_shift=True)
            await session.execute(update(Agent).where(Agent.name == "anna").values(telegram_id=str(ANNA)))
        server.writes(42, "мастера")
        await until(lambda: any(topic.pinned for topic in group.topics.values()))
        thread = group.topic("T-1001").thread
        server.says_in(GROUP, ANNA, "Слушаю вас", thread=thread)
        server.says_in(GROUP, STRANGER, "И я", thread=thread)
        await until(lambda: any("Слушаю вас" in sent.text for sent in server.sent))
        server.writes(42, "у меня вопрос")
        await until(lambda: any("у меня вопрос" in post.text for post in group.posts))
        await until(lambda: any("777" in post.text for post in group.posts))
        async with one.sessions() as session:
            assert [chat.chat for chat in await session.scalars(select(Conversation))] == ["42"]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


def test_a_queue_that_the_pack_has_not_stops_the_start(address: str, tmp_path: Path) -> None:
    content = Content(pack=flows.load(MINI), shop=Shop())
    settings = Settings(
        _env_file=None, home=tmp_path, telegram_token=SecretStr("1000:" + "a" * 35), telegram_desks={GROUP: ["desks"]},  # type: ignore[call-arg]
    )  # fmt: skip
    with pytest.raises(SettingsInvalid, match="FIRSTLINE_TELEGRAM_DESKS"):
        Assistant(address, content, ScriptedNlu(), settings=settings).connect()


async def told(settings: Settings) -> tuple[int, list[str]]:
    out = io.StringIO()
    status = await programs.channels(settings, Console(file=out, width=300))
    return status, out.getvalue().splitlines()[1:]


async def test_the_operator_is_told_what_the_bot_lacks_in_each_group(tmp_path: Path) -> None:
    async with TelegramServer() as server:
        desks = {GROUP: ["general", "express"], -1002: ["b2b"], -1003: ["flex"], -1004: ["b2b"], -1005: ["b2b"]}
        settings = settings_for(server, tmp_path, telegram_desks=desks)
        server.has_group(GROUP)
        server.has_group(-1002, "Две", manages=False)
        server.has_group(-1003, "Три", forum=False, status="member")
        server.has_group(-1004, "Четыре", pins=False)
        status, lines = await told(settings)
        assert (status, lines) == (
            1,
            [
                f"telegram desk {GROUP} «Поддержка» (general, express): the bot may do all that is needed",
                "telegram desk -1002 «Две» (b2b): the bot may not manage topics",
                "telegram desk -1003 «Три» (flex): topics are off in the group; the bot is no administrator",
                "telegram desk -1004 «Четыре» (b2b): the bot may not pin messages: cards are not pinned",
                "telegram desk -1005: Telegram says: bad request: chat not found",
            ],
        )
        well = settings_for(server, tmp_path, telegram_desks={GROUP: ["general"]})
        assert (await told(well))[0] == 0


async def test_a_wrong_queue_is_told_by_the_same_command(tmp_path: Path) -> None:
    async with TelegramServer() as server:
        with pytest.raises(SettingsInvalid, match="no queue 'desk'"):
            await told(settings_for(server, tmp_path))
