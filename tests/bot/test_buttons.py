"""Buttons mean the same pressed, written as words, or chosen by number where an app shows none (CX-10)."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from bot.channels import Kind, Media
from bot.models import Conversation, Message
from tests.bot.world import World

CHOICE = "intent:person"
"""What the second button under «абракадабра» stands for."""


async def presses(world: World) -> list[tuple[str, str | None]]:
    """What the customer said, and which button each line means."""
    lines = await world.rows(select(Message).where(Message.sender == "customer").order_by(Message.id))
    return [(line.text, line.press) for line in lines]


@pytest.mark.rule("CX-10")
class TestWords:
    @pytest.mark.parametrize("text", ["Позвать мастера", " позвать  МАСТЕРА!", "«Позвать мастера»."])
    async def test_a_title_written_out_is_a_press(self, world: World, text: str) -> None:
        await world.say("c1", "абракадабра")
        await world.say("c1", text)
        assert (await presses(world))[-1] == ("Позвать мастера", CHOICE)
        assert world.nlu.texts == ["абракадабра"]

    async def test_other_words_and_what_has_an_attachment_are_no_press(self, world: World) -> None:
        await world.say("c1", "абракадабра")
        await world.receive(world.incoming("c1", text="позвать ли мастера"))
        await world.receive(world.incoming("c1", text="Позвать мастера", attachments=(Media("photo"),)))
        assert [press for _, press in await presses(world)] == [None, None, None]

    async def test_words_of_an_older_message_are_words(self, world: World) -> None:
        await world.say("c1", "абракадабра")
        await world.say("c1", "сроки")
        await world.say("c1", "Позвать мастера")
        assert [press for _, press in await presses(world)] == [None, None, None]


@pytest.mark.rule("CX-10")
class TestNumbers:
    async def test_a_number_chooses_only_from_the_newest_list(self, world: World) -> None:
        world.channels["telegram"].numbers = lambda message: bool(message.buttons)  # type: ignore[method-assign]
        await world.say("c1", "абракадабра")
        for text in ("3", "0", "22", "2 дня", "-2", " 2) "):
            await world.receive(world.incoming("c1", text=text))
        said = await presses(world)
        assert [press for _, press in said[:-1]] == [None] * 6
        assert said[-1] == ("Позвать мастера", CHOICE)
        await world.settle()
        await world.say("c1", "сроки")
        await world.say("c1", "1")
        assert (await presses(world))[-1] == ("1", None)

    async def test_where_there_are_buttons_a_number_is_a_number(self, world: World) -> None:
        await world.say("c1", "абракадабра")
        await world.say("c1", "2")
        assert (await presses(world))[-1] == ("2", None)

    async def test_an_app_without_buttons_is_remembered_and_told_to_the_channel(self, world: World) -> None:
        await world.say("c1", "абракадабра", no_buttons=True)
        await world.say("c1", "абракадабра")
        assert [sent.no_buttons for sent in world.channels["telegram"].sent] == [True, True]
        await world.say("c1", "абракадабра", no_buttons=False)
        assert world.channels["telegram"].sent[-1].no_buttons is False

    async def test_what_is_sent_as_a_list_is_marked_so(self, world: World) -> None:
        world.channels["telegram"].numbers = lambda message: message.no_buttons  # type: ignore[method-assign]
        await world.say("c1", "абракадабра")
        await world.say("c1", "абракадабра", no_buttons=True)
        lists = await world.rows(select(Message.numbered).where(Message.delivery.is_not(None)).order_by(Message.id))
        assert lists == [False, True]


class TestEdits:
    async def test_a_choice_that_is_changed_before_it_is_read_is_chosen_anew(self, world: World) -> None:
        await world.say("c1", "абракадабра")
        await world.receive(world.incoming("c1", text="Позвать мастера", message_id="m"), turn=False)
        await world.receive(world.incoming("c1", Kind.EDIT, text="сроки", message_id="m"))
        assert (await presses(world))[-1] == ("сроки", None)
        assert await world.settle() == ["Чиним два дня."]

    async def test_an_edit_that_overtakes_its_message_is_the_last_word(self, world: World) -> None:
        assert await world.hear(world.incoming("c1", Kind.EDIT, text="сроки", message_id="m")) == ["Чиним два дня."]
        assert await world.hear(world.incoming("c1", text="привет", message_id="m")) == []
        assert [text for text, _ in await presses(world)] == ["сроки"]


class TestNames:
    async def test_a_name_that_comes_apart_is_kept_and_asks_for_no_answer(self, world: World) -> None:
        await world.say("c1", "привет")
        assert await world.hear(world.incoming("c1", Kind.OTHER, name="Мария")) == []
        assert await world.hear(world.incoming("c2", Kind.OTHER, name="Никто")) == []
        assert await world.rows(select(Conversation.name)) == ["Мария"]
