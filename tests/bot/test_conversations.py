"""Taking in what customers send: once, in order, edits included."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta

import pytest
from sqlalchemy import select, update

import flows
from bot import buttons, conversations
from bot.channels import Kind, Media
from bot.errors import ConversationUnknown
from bot.models import Conversation, Message, Receipt, TurnRow
from tests.bot.world import World, make_world, until


class TestReceive:
    async def test_a_repeated_update_is_stored_once(self, world: World) -> None:
        update_ = world.incoming("c1", text="привет")
        assert await world.receive(update_) is not None
        assert await world.receive(update_) is None
        assert await world.settle() == ["Здравствуйте!"]
        assert len(await world.rows(select(Message).where(Message.sender == "customer"))) == 1

    async def test_the_same_update_at_the_same_moment_is_stored_once(self, world: World) -> None:
        update_ = world.incoming("c1", text="привет")
        lines = await asyncio.gather(*(world.receive(update_) for _ in range(8)))
        assert sum(line is not None for line in lines) == 1

    async def test_the_same_id_on_another_channel_is_another_update(self, world: World) -> None:
        for channel in ("telegram", "vk"):
            assert (
                await world.receive(world.incoming("c1", text="привет", channel=channel, external_id="7")) is not None
            )

    async def test_first_lines_of_a_chat_at_once_make_one_conversation(self, world: World) -> None:
        await asyncio.gather(*(world.receive(world.incoming("c1", text=str(number))) for number in range(6)))
        assert len(await world.rows(select(Conversation))) == 1
        assert len(await world.rows(select(Message))) == 6

    async def test_nothing_is_stored_when_the_transaction_is_lost(self, world: World) -> None:
        update_ = world.incoming("c1", text="привет")
        async with world.sessions() as session:
            await conversations.receive(session, world.jobs, update_)
            await session.rollback()
        assert await world.jobs.run_until_idle() == 0
        assert await world.hear(update_) == ["Здравствуйте!"]

    async def test_a_running_turn_does_not_hold_up_the_next_message(self, world: World) -> None:
        world.nlu.pause = 0.5
        await world.receive(world.incoming("c1", text="привет"))
        turn = asyncio.create_task(world.settle())
        await asyncio.sleep(0.15)
        begun = time.perf_counter()
        await world.receive(world.incoming("c1", text="сроки"))
        assert time.perf_counter() - begun < 0.3
        assert await turn == ["Здравствуйте!", "Чиним два дня."]

    async def test_an_unknown_kind_of_update_is_noted_and_left(self, world: World) -> None:
        assert await world.hear(world.incoming("c1", Kind.OTHER)) == []
        assert len(await world.rows(select(Receipt))) == 1

    async def test_a_contact_is_the_customers_own_number(self, world: World) -> None:
        assert await world.hear(world.incoming("c1", Kind.CONTACT, contact="+79160000001")) == ["Рады помочь."]
        assert ("customer", "+79160000001") in await world.transcript()

    async def test_stored_only_lines_wait_for_the_next(self, world: World) -> None:
        await world.receive(world.incoming("c1", text="готов ли велосипед"), turn=False)
        assert await world.settle() == []
        assert await world.say("c1", "сроки") == ["Велосипед готов.", "Чиним два дня."]


class TestEdits:
    @pytest.mark.rule("CX-19")
    async def test_an_unread_line_is_changed(self, world: World) -> None:
        await world.receive(world.incoming("c1", text="привед", message_id="m"))
        await world.receive(world.incoming("c1", Kind.EDIT, text="привет", message_id="m"))
        assert await world.settle() == ["Здравствуйте!"]
        assert [text for who, text in await world.transcript() if who == "customer"] == ["привет"]

    @pytest.mark.rule("CX-19")
    async def test_a_read_line_is_answered_anew(self, world: World) -> None:
        await world.say("c1", "привет", message_id="m")
        edit = world.incoming("c1", Kind.EDIT, text="готов ли велосипед", message_id="m")
        assert await world.hear(edit) == ["Велосипед готов."]
        lines = await world.rows(select(Message).where(Message.sender == "customer").order_by(Message.id))
        assert [(one.text, one.edited) for one in lines] == [("привет", False), ("готов ли велосипед", True)]

    async def test_an_edit_that_changes_nothing_is_ignored(self, world: World) -> None:
        await world.say("c1", "привет", message_id="m")
        assert await world.hear(world.incoming("c1", Kind.EDIT, text="привет", message_id="m")) == []

    async def test_an_edit_of_a_line_we_never_saw_is_a_line(self, world: World) -> None:
        assert await world.hear(world.incoming("c1", Kind.EDIT, text="привет", message_id="x")) == ["Здравствуйте!"]


class TestBurst:
    @pytest.mark.rule("CX-18")
    async def test_a_thought_split_over_messages_is_read_as_one(self, address: str) -> None:
        async with make_world(address, quiet=timedelta(seconds=0.4)) as world:
            worker = asyncio.create_task(world.jobs.run())
            try:
                for text in ("готов ли велосипед", "сроки", "привет"):
                    await world.receive(world.incoming("c1", text=text), quiet=0.4)
                    await asyncio.sleep(0.25)
                await until(lambda: len(world.channels["telegram"].sent) >= 2)
            finally:
                worker.cancel()
                await asyncio.gather(worker, return_exceptions=True)
            assert world.nlu.texts == ["готов ли велосипед\nсроки\nпривет"]


class TestOrder:
    """Updates may overtake one another on their way; what is unread is read in the order in which it was said."""

    async def test_messages_are_read_by_the_messengers_own_numbers(self, world: World) -> None:
        for number, text in ((9, "привет"), (11, "сроки"), (10, "готов ли велосипед")):
            await world.receive(world.incoming("c1", text=text, message_id=str(number)))
        await world.settle()
        assert world.nlu.texts == ["привет\nготов ли велосипед\nсроки"]

    async def test_a_press_that_overtook_a_message_comes_after_it(self, world: World) -> None:
        await world.say("c1", "абракадабра")
        async with world.sessions() as session:
            payload = await buttons.payload_of(session, "telegram", "c1", "Готов ли велосипед")
        said = world.clock.now()
        pressed = world.clock.forward(seconds=3)
        await world.receive(world.incoming("c1", Kind.PRESS, press=payload, at=pressed, message_id=None))
        await world.receive(world.incoming("c1", text="сроки", at=said))
        assert await world.settle() == ["Чиним два дня.", "Велосипед готов."]

    async def test_within_a_second_a_press_keeps_its_place(self, world: World) -> None:
        await world.say("c1", "абракадабра")
        async with world.sessions() as session:
            payload = await buttons.payload_of(session, "telegram", "c1", "Готов ли велосипед")
        pressed = world.clock.forward(microseconds=700_000)
        await world.receive(world.incoming("c1", Kind.PRESS, press=payload, at=pressed, message_id=None))
        told = pressed.replace(microsecond=0)  # messengers tell whole seconds
        await world.receive(world.incoming("c1", text="сроки", at=told))
        assert await world.settle() == ["Велосипед готов.", "Чиним два дня."]


class TestAlbums:
    async def test_the_parts_of_an_album_are_one_turn_although_nothing_else_is_waited_for(self, world: World) -> None:
        worker = asyncio.create_task(world.jobs.run())
        try:
            for number in range(3):
                text = "привет" if not number else ""
                photo = (Media("photo", ref=str(number)),)
                await world.receive(world.incoming("c1", text=text, attachments=photo, album="a"), quiet=0.0)
                await asyncio.sleep(0.1)
            await until(lambda: len(world.channels["telegram"].sent) >= 1)
        finally:
            worker.cancel()
            await asyncio.gather(worker, return_exceptions=True)
        (turn,) = await world.rows(select(TurnRow))
        assert len(turn.given["attachments"]) == 3


class TestButtons:
    async def test_payloads_of_other_chats_and_nonsense_mean_nothing(self, world: World) -> None:
        await world.say("c1", "абракадабра")
        (message,) = await world.rows(select(Message).where(Message.sender == "bot"))
        mine, other = await world.id_of("c1"), 10**6
        async with world.sessions() as session:
            found = await buttons.pressed(session, mine, f"{message.id}.1")
            assert found == flows.Button("Позвать мастера", "intent:person")
            for conversation, payload in (
                (other, f"{message.id}.1"), (mine, f"{message.id}.9"), (mine, ""), (mine, "a.b"), (mine, "-1.0"),
                (mine, "99999999999999999999999.0"), (mine, "1.²"),
            ):  # fmt: skip
                assert await buttons.pressed(session, conversation, payload) is None

    async def test_an_unknown_chat_is_an_error(self, world: World) -> None:
        async with world.sessions() as session:
            with pytest.raises(ConversationUnknown):
                await conversations.find(session, "telegram", "nobody")


class TestRecover:
    async def test_lost_jobs_are_added_again(self, world: World) -> None:
        await world.receive(world.incoming("c1", text="привет"), turn=False)
        async with world.sessions.begin() as session:
            assert await conversations.recover(session, world.jobs, now=world.clock.now()) == 0
            old = {"stored_at": world.clock.now() - timedelta(days=999)}
            await session.execute(update(Message).values(**old))
            assert await conversations.recover(session, world.jobs, now=world.clock.now()) == 1
            assert await conversations.recover(session, world.jobs, now=world.clock.now()) == 0
        assert await world.settle() == ["Здравствуйте!"]


class TestState:
    async def test_a_state_that_cannot_be_read_is_let_go(self, world: World) -> None:
        await world.say("c1", "привет")
        async with world.sessions.begin() as session:
            await session.execute(update(Conversation).values(state={"turns": "many"}))
        assert await world.say("c1", "готов ли велосипед") == ["Велосипед готов."]


class TestOffsets:
    async def test_an_offset_is_a_row(self, world: World) -> None:
        offsets = conversations.StoredOffsets(world.sessions)
        assert await offsets.load("telegram") is None
        for value in ("41", "42"):
            await offsets.save("telegram", value)
        assert await conversations.StoredOffsets(world.sessions).load("telegram") == "42"
