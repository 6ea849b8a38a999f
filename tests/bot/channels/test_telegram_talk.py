"""Customers of the stand-in Telegram talk with the whole of Firstline: store, turns, delivery."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta

import pytest
from sqlalchemy import select

from bot.channels import Incoming
from bot.channels.polling import Pause
from bot.channels.telegram import TelegramChannel
from bot.models import Message, TurnRow
from bot.standins.telegram import TelegramServer
from tests.bot.channels.conftest import MemoryOffsets, until
from tests.bot.world import World, make_world

QUIET = 0.5


@dataclass
class Talk:
    """A running Firstline and a stand-in Telegram."""

    world: World
    server: TelegramServer

    def heard(self, chat: int) -> list[str]:
        """What a customer was sent."""
        return [sent.text for sent in self.server.sent if sent.chat == chat]

    async def lines(self) -> list[Message]:
        return await self.world.rows(select(Message).where(Message.sender == "customer").order_by(Message.id))


@pytest.fixture
async def talk(address: str) -> AsyncIterator[Talk]:
    async with TelegramServer() as server, make_world(address, quiet=timedelta(seconds=QUIET)) as world:
        channel = TelegramChannel(
            server.token, MemoryOffsets(), api_base=server.url, commands={"start": "привет"},
            deep_links={"bicycle": "готов ли велосипед"}, poll_seconds=5, pause=lambda: Pause(0.01, 0.05),
        )  # fmt: skip
        world.channels["telegram"] = channel  # type: ignore[assignment]

        async def receive(update: Incoming) -> None:
            await world.receive(update, quiet=QUIET)

        tasks = [asyncio.create_task(channel.run(receive)), asyncio.create_task(world.jobs.run())]
        yield Talk(world, server)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await channel.close()


SIZE = {"file_id": "f", "file_unique_id": "u", "width": 9, "height": 9}


@pytest.mark.rule("CX-14")
async def test_an_album_is_one_turn_and_gets_one_answer(talk: Talk) -> None:
    talk.server.sends_album(42, *[{"photo": [SIZE]}] * 4)
    await until(lambda: talk.heard(42), 60)
    await asyncio.sleep(3 * QUIET)
    assert talk.heard(42) == ["Получили."]
    [turn] = await talk.world.rows(select(TurnRow))
    assert len(turn.given["attachments"]) == 4


@pytest.mark.rule("CX-19")
async def test_an_edit_is_kept_and_one_that_changes_nothing_is_not_answered(talk: Talk) -> None:
    message = talk.server.writes(42, "привет")
    await until(lambda: talk.heard(42), 60)
    talk.server.edits(message, "привет")
    captioned = talk.server.writes(42, photo=[SIZE], caption="загадка")
    talk.server.edits(captioned, "сроки")
    await until(lambda: "Чиним два дня." in talk.heard(42), 60)
    lines = await talk.lines()
    assert [line.text for line in lines][:1] == ["привет"]
    assert "сроки" in [line.text for line in lines]
    assert talk.heard(42).count("Здравствуйте!") == 1


@pytest.mark.rule("CX-01")
async def test_a_deep_link_is_answered_as_its_words_are(talk: Talk) -> None:
    talk.server.writes(42, "/start bicycle")
    talk.server.writes(43, "/start")
    await until(lambda: talk.heard(42) and talk.heard(43), 60)
    assert talk.heard(43) == ["Здравствуйте!"]
    assert [line.text for line in await talk.lines()] == ["готов ли велосипед", "привет"]


async def test_one_who_has_blocked_us_is_written_to_again_when_back(talk: Talk) -> None:
    talk.server.writes(42, "привет")
    await until(lambda: talk.heard(42), 60)
    talk.server.blocked.add(42)  # before Telegram tells of it
    talk.server.writes(42, "сроки")
    talk.server.writes(43, "привет")
    await until(lambda: talk.heard(43), 60)
    talk.server.blocks(42, blocked=False)
    talk.server.writes(42, "привет")
    await until(lambda: len(talk.heard(42)) == 2, 60)
    assert talk.heard(42) == ["Здравствуйте!", "Здравствуйте!"]


async def test_a_press_is_acknowledged_while_its_answer_is_still_being_made(talk: Talk) -> None:
    talk.server.writes(42, "загадка без ответа")
    await until(lambda: talk.heard(42), 60)
    sent = talk.server.sent[-1]
    talk.world.crm.pause = 2.0
    press = talk.server.presses(sent, sent.buttons[0])
    await until(lambda: talk.server.answered == [press], 60)
    assert len(talk.heard(42)) == 1
    await until(lambda: len(talk.heard(42)) == 2, 60)
