"""A turn: from unread lines to replies, requests and deeds, in one transaction."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncSession

import flows
from bot import conversations, outcome, turns
from bot.channels import Kind, Media
from bot.models import Deed, Label, Message, Request, TurnRow
from tests.bot.world import START, World


class TestAnswering:
    async def test_a_question_is_answered_from_the_shop(self, world: World) -> None:
        assert await world.say("c1", "Готов ли велосипед") == ["Велосипед готов."]
        assert [one["event"] for one in world.events] == ["understood", "message"]
        assert world.told("message")[0]["rules"] == ["STATE-1"]

    async def test_what_explains_a_reply_is_stored_with_the_turn(self, world: World) -> None:
        await world.say("c1", "Готов ли велосипед")
        (turn,) = await world.rows(select(TurnRow))
        assert turn.rules == ["STATE-1"]
        assert turn.model == "scripted"
        assert turn.pack == f"mini@{world.desk.pack.version}"
        assert {"source": "bicycle", "args": {"account": "telegram:c1"}, "answer": {"state": "ready"}} in turn.facts
        assert flows.parse_from_json(turn.parse).intents[0].name == "repair_state"
        assert turn.given["text"] == "Готов ли велосипед"

    async def test_both_channels_get_the_same(self, world: World) -> None:
        world.crm.bicycles["vk:c1"] = {"state": "ready"}
        assert await world.say("c1", "Готов ли велосипед", channel="vk") == ["Велосипед готов."]

    async def test_a_burst_is_one_turn(self, world: World) -> None:
        await world.receive(world.incoming("c1", text="готов ли велосипед"))
        await world.receive(world.incoming("c1", text="напишите"))
        assert await world.settle() == ["Велосипед готов.", "Напишем письмо.", "Номер T-1001. Срок 20 ноября."]
        assert world.nlu.texts == ["готов ли велосипед\nнапишите"]

    async def test_a_second_turn_finds_nothing(self, world: World) -> None:
        await world.say("c1", "привет")
        async with world.sessions.begin() as session:
            assert await turns.take_turn(session, world.tools, await world.id_of("c1")) == 0
        assert len(await world.rows(select(TurnRow))) == 1

    async def test_a_press_means_what_its_button_says(self, world: World) -> None:
        await world.say("c1", "абракадабра")
        assert await world.press("c1", "Готов ли велосипед") == ["Велосипед готов."]
        assert await world.press("c1", "Нет такой кнопки") == ["Эта кнопка уже не нужна."]

    async def test_a_double_press_is_answered_once(self, world: World) -> None:
        await world.say("c1", "абракадабра")
        (message,) = await world.rows(select(Message).where(Message.sender == "bot"))
        for _ in range(2):
            await world.receive(world.incoming("c1", Kind.PRESS, press=f"{message.id}.0"))
        assert await world.settle() == ["Велосипед готов."]

    async def test_words_after_a_press_are_a_turn_of_their_own(self, world: World) -> None:
        await world.say("c1", "абракадабра")
        (message,) = await world.rows(select(Message).where(Message.sender == "bot"))
        await world.receive(world.incoming("c1", Kind.PRESS, press=f"{message.id}.0"))
        await world.receive(world.incoming("c1", text="напишите"))
        assert await world.settle() == ["Велосипед готов.", "Напишем письмо.", "Номер T-1001. Срок 20 ноября."]

    async def test_what_was_written_during_a_long_outage_is_answered_in_portions(self, world: World) -> None:
        for number in range(turns.READ_TOGETHER + 2):
            await world.receive(world.incoming("c1", text=f"абракадабра {number}"))
        await world.settle()
        given = [turn.given["text"].count("\n") + 1 for turn in await world.rows(select(TurnRow).order_by(TurnRow.id))]
        assert given == [turns.READ_TOGETHER, 2]

    async def test_a_picture_is_never_ignored(self, world: World) -> None:
        picture = world.incoming("c1", attachments=(Media("photo", "wheel.jpg"),))
        assert await world.hear(picture) == ["Получили."]
        await world.say("c1", "мастера")
        assert (await world.request()).summary["attachments"] == [{"kind": "photo", "name": "wheel.jpg"}]


class TestDeeds:
    async def test_the_crm_is_asked_once_for_a_request_and_listeners_are_told(self, world: World) -> None:
        assert await world.say("c1", "заберите") == ["Заберём завтра."]
        assert world.crm.asked == ["telegram:c1|1|book_pickup|order_number=c1"]
        assert [(one["action"], one["order"], one["ok"]) for one in world.told("crm")] == [("book_pickup", "c1", True)]
        assert len(await world.rows(select(Deed))) == 1

    async def test_a_change_stands_in_the_transcript_and_the_customer_does_not_see_it(self, world: World) -> None:
        assert await world.say("c1", "заберите") == ["Заберём завтра."]
        async with world.sessions() as session:
            lines = await conversations.transcript(session, await world.id_of("c1"))
        assert [(one["from"], one["text"]) for one in lines] == [
            ("customer", "заберите"),
            ("note", "CRM: book_pickup c1 — deed_done"),
            ("bot", "Заберём завтра."),
        ]

    async def test_the_same_wish_later_is_a_request_of_its_own(self, world: World) -> None:
        await world.say("c1", "заберите")
        await world.say("c1", "заберите")
        assert len(set(world.crm.asked)) == 2

    async def test_what_was_known_before_and_after_a_change_is_stored_in_order(self, world: World) -> None:
        await world.say("c1", "заберите")
        (turn,) = await world.rows(select(TurnRow))
        kinds = ["act" if "act" in one else one["source"] for one in turn.facts]
        assert "act" in kinds
        assert turn.facts[kinds.index("act")]["result"] == {"ok": True}

    async def test_a_turn_lost_after_the_deed_repeats_it_under_the_same_key(self, world: World) -> None:
        await world.receive(world.incoming("c1", text="заберите"))
        async with world.sessions() as session:  # killed before the commit
            await turns.take_turn(session, world.tools, await world.id_of("c1"))
            await session.rollback()
        assert world.events == []
        assert await world.settle() == ["Заберём завтра."]
        assert len(set(world.crm.asked)) == 1

    async def test_what_could_not_be_asked_may_be_asked_again(self, world: World) -> None:
        world.crm.down.add("crm")
        assert "Очередь T-1001, место 1." in await world.say("c1", "заберите")
        world.crm.down.clear()
        await world.say("c1", "отмена")
        assert await world.say("c1", "заберите") == ["Заберём завтра."]


class TestTrouble:
    async def test_crm_down_is_told_and_handed_over(self, world: World) -> None:
        world.crm.down.add("crm")
        assert await world.say("c1", "готов ли велосипед") == ["Система не отвечает.", "Очередь T-1001, место 1."]

    async def test_nlu_down_goes_to_a_person(self, world: World) -> None:
        world.nlu.down = True
        assert await world.say("c1", "готов ли велосипед") == ["Очередь T-1001, место 1."]
        assert world.told("understood") == []

    async def test_faulty_content_hands_the_conversation_to_people(self, world: World) -> None:
        assert await world.say("c1", "загадка") == ["Очередь T-1001, место 1."]
        (turn,) = await world.rows(select(TurnRow))
        assert turn.error == "ContentError"
        request = await world.request()
        assert (request.queue, request.summary["reason"], request.summary["wants"]) == (
            "desk",
            "сбой в ответе",
            "загадка",
        )

    async def test_faulty_content_while_a_request_waits_adds_to_it(self, world: World) -> None:
        await world.say("c1", "мастера")
        assert await world.say("c1", "загадка") == ["Очередь T-1001, место 1."]
        assert len(await world.rows(select(Request))) == 1

    @pytest.mark.rule("CX-02")
    async def test_a_request_that_cannot_be_stored_is_not_pretended(self, world: World) -> None:
        world.down.add("store")
        assert await world.say("c1", "мастера") == ["Не смогли записать обращение."]
        assert await world.say("c1", "напишите") == ["Не смогли записать обращение."]
        assert await world.rows(select(Request)) == []
        assert world.told("handoff") == world.told("case") == world.told("state") == []
        world.down.clear()
        assert await world.say("c1", "мастера") == ["Очередь T-1001, место 1."]

    @pytest.mark.rule("CX-02")
    async def test_customer_hears_of_a_request_only_after_it_is_stored(self, world: World) -> None:
        await world.say("c1", "мастера")
        assert [one["event"] for one in world.events] == ["understood", "handoff", "state", "message"]
        assert world.told("message")[0]["from"] == "system"

    async def test_a_killed_turn_leaves_the_lines_unread_and_is_taken_again(self, world: World) -> None:
        await world.receive(world.incoming("c1", text="мастера"))
        async with world.sessions() as session:
            await turns.take_turn(session, world.tools, await world.id_of("c1"))
            await session.rollback()
        assert await world.rows(select(Request)) == []
        assert len(await world.settle()) == 1
        assert len(await world.rows(select(Request))) == 1


class TestNeverStuck:
    async def test_a_failure_while_storing_is_undone_and_goes_to_people(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def fail(*_: object, **__: object) -> None:
            raise KeyError("a fault of ours")

        monkeypatch.setattr(outcome.labels, "collect", fail)
        assert await world.say("c1", "абракадабра") == ["Очередь T-1001, место 1."]
        assert [one["event"] for one in world.events] == ["handoff", "state", "message"]
        (turn,) = await world.rows(select(TurnRow))
        assert (turn.error, turn.given["text"]) == ("KeyError", "абракадабра")

    async def test_a_refusal_of_the_database_is_no_dead_end_either(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def fail(session: AsyncSession, *_: object, **__: object) -> None:
            await session.execute(text("SELECT 1/0"))

        monkeypatch.setattr(outcome.labels, "collect", fail)
        assert await world.say("c1", "абракадабра") == ["Очередь T-1001, место 1."]

    async def test_while_the_database_is_away_the_lines_wait(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def fail(*_: object, **__: object) -> None:
            raise OperationalError("SELECT", {}, Exception("gone"))

        await world.receive(world.incoming("c1", text="абракадабра"))
        with monkeypatch.context() as patch:
            patch.setattr(outcome.labels, "collect", fail)
            assert await world.settle() == []
        (line,) = await world.rows(select(Message))
        assert line.read_at is None
        async with world.sessions.begin() as session:
            await turns.take_turn(session, world.tools, line.conversation_id)
        assert await world.settle() == ["Скажите иначе?"]


class TestLabels:
    @pytest.mark.rule("BOT-02")
    async def test_unsure_and_handed_over_messages_wait_for_a_trainer(self, world: World) -> None:
        await world.say("c1", "абракадабра")
        await world.say("c1", "мастера")
        await world.say("c2", "готов ли велосипед")
        assert [(one.reason, one.text) for one in await world.rows(select(Label).order_by(Label.id))][:2] == [
            ("unsure", "абракадабра"), ("handoff", "мастера"),
        ]  # fmt: skip


class TestCard:
    """Whose card decides about the place in the queue (VIP-01)."""

    CARD: ClassVar[dict[str, Any]] = {"id": "zoya", "flags": ["vip"], "manager": "anna"}
    LINKED = flows.Lookup("customer", (("account", "telegram:c1"),))
    TYPED = flows.Lookup("customer", (("phone", "+79990000026"),))

    def card(self, lookup: flows.Lookup, identified: str | None) -> Any:
        turn = flows.Turn(now=START, channel="telegram", chat="c1", facts={lookup: self.CARD})
        handoff = flows.Handoff(queue="desk", summary={"customer": {"id": identified}}, comment="")
        return outcome._card(turn, handoff)

    @pytest.mark.rule("VIP-01")
    def test_a_linked_account_counts_before_anybody_is_identified(self) -> None:
        assert self.card(self.LINKED, None) == self.CARD

    def test_a_typed_number_proves_nothing(self) -> None:
        assert self.card(self.TYPED, None) is None
        assert self.card(self.TYPED, "zoya") == self.CARD

    def test_somebody_else_has_been_identified(self) -> None:
        assert self.card(self.LINKED, "petr") is None
