"""What an outside system is told of requests: all of it, in order, and nothing that was not stored."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

from sqlalchemy import select, update

from bot import desk
from bot.errors import Rejected
from bot.models import Hook, Message
from bot.outside import outbox
from tests.bot.outside.conftest import Receiver
from tests.bot.shifts import change
from tests.bot.world import World, act


class TestTold:
    async def test_a_request_from_its_opening_to_its_end(self, told: World, receiver: Receiver) -> None:
        await told.agent("anna", title="Анна")
        await told.say("c1", "мастера")
        await told.take("anna")
        await told.say("c1", "вы где?")
        await act(told, desk.reply, "anna", "Здесь!")
        await act(told, desk.wait, "anna")
        await told.say("c1", "вот фото")
        await act(told, desk.resolve, "anna")
        await told.say("c1", "не помогло")
        await act(told, desk.resolve, "anna")
        await told.pass_time(days=2)
        assert receiver.types("T-1001") == [
            "opened", "message", "message", "assigned", "message", "message", "message", "waiting_customer", "message",
            "message", "resumed", "solved", "message", "message", "reopened", "message", "solved", "message", "closed",
            "message",
        ]  # fmt: skip

    async def test_an_event_says_which_request_it_is_about_and_what_happened(
        self, told: World, receiver: Receiver
    ) -> None:
        await told.agent("anna", title="Анна")
        await told.agent("boris", title="Борис")
        await told.say("c1", "мастера")
        await told.take("anna")
        await act(told, desk.transfer, "anna", "Позвонить на +7 916 123-45-67", to="boris")
        passed = next(one for one in receiver.got if one["type"] == "request.transferred")
        assert passed["timestamp"] == "2026-11-18T09:00:00+00:00"
        assert passed["data"]["change"] == {
            "kind": "transferred", "by": "anna", "to": "boris", "comment": "Позвонить на •••4567"
        }  # fmt: skip
        about = passed["data"]["request"]
        assert (about["number"], about["state"], about["queue"], about["agent"]) == (
            "T-1001",
            "assigned",
            "desk",
            "boris",
        )
        assert (about["channel"], about["task"], about["priority"]) == ("telegram", False, "normal")

    async def test_lines_of_customer_agent_and_system_are_told_with_who_said_them(
        self, told: World, receiver: Receiver
    ) -> None:
        await told.agent("anna", title="Анна")
        await told.say("c1", "мастера")
        await told.take("anna")
        await told.say("c1", "мой номер 8 916 123 45 67")
        await act(told, desk.reply, "anna", "Записала")
        lines = [one["data"]["message"] for one in receiver.got if one["type"] == "request.message"]
        assert [(one["from"], one["agent"], one["text"]) for one in lines] == [
            ("customer", None, "мастера"), ("system", None, "Очередь T-1001, место 1."),
            ("system", None, "Мастер на связи T-1001."), ("customer", None, "мой номер •••4567"), ("agent", "Анна", "Записала"),
        ]  # fmt: skip

    async def test_what_the_bot_answers_beside_a_waiting_request_is_told(self, told: World, receiver: Receiver) -> None:
        await told.say("c1", "мастера")
        await told.say("c1", "готов ли велосипед")
        said = [one["data"]["message"] for one in receiver.got if one["type"] == "request.message"]
        assert ("bot", "Велосипед готов.") in [(one["from"], one["text"]) for one in said]

    async def test_talk_with_the_bot_alone_and_notes_are_not_told(self, told: World, receiver: Receiver) -> None:
        await told.agent("anna")
        await told.say("c1", "привет")
        assert receiver.calls == []
        await told.say("c1", "мастера")
        await told.take("anna")
        before = len(receiver.calls)
        await act(told, desk.note, "anna", "тайна")
        assert len(receiver.calls) == before

    async def test_a_request_given_back_is_told(self, told: World, receiver: Receiver) -> None:
        await told.agent("anna")
        await told.say("c1", "мастера")
        await told.take("anna")
        await act(told, desk.decline, "anna", "не моё")
        returned = next(one for one in receiver.got if one["type"] == "request.returned")
        assert returned["data"]["change"] == {"kind": "declined", "by": "anna", "reason": "не моё"}
        assert returned["data"]["request"]["state"] == "queued"

    async def test_a_reply_that_did_not_reach_the_customer_is_told(self, told: World, receiver: Receiver) -> None:
        await told.agent("anna")
        await told.say("c1", "мастера")
        await told.take("anna")
        told.channels["telegram"].outcomes = [Rejected()]
        await act(told, desk.reply, "anna", "Здесь!")
        lost = [one["data"]["message"] for one in receiver.got if one["type"] == "request.message_undelivered"]
        assert [(one["text"], one["delivery"]) for one in lost] == [("Здесь!", "failed")]

    async def test_a_line_that_moves_to_another_request_is_not_told_twice(
        self, told: World, receiver: Receiver
    ) -> None:
        await told.say("c1", "мастера")
        await told.say("c2", "мастера")
        before = receiver.types().count("message")
        other = await told.request("T-1002")
        async with told.sessions.begin() as session:
            for line in await session.scalars(select(Message).where(Message.request_id.is_not(None))):
                line.request_id = other.id
        await told.settle()
        assert receiver.types().count("message") == before


DOCUMENTED = re.compile(r"`request\.([a-z_]+)`")
GUIDE = Path(__file__).parents[3] / "docs" / "outside.md"


class TestKinds:
    async def test_all_that_the_guide_names_is_sent_and_nothing_else(self, told: World, receiver: Receiver) -> None:
        table = GUIDE.read_text("utf-8").split("| type | when |")[1].split("\n\n")[0]
        documented = {
            name for row in table.splitlines() for name in DOCUMENTED.findall(row.split("|")[1] if row else "")
        }
        for name in ("anna", "boris"):
            await told.agent(name)
        await told.say("c1", "мастера")
        await told.take("anna")
        told.channels["telegram"].outcomes = [Rejected()]
        await act(told, desk.reply, "anna", "Здесь!")
        await act(told, desk.transfer, "anna", "Твой", to="boris")
        await act(told, desk.prioritise, "boris", "high", "Ждёт давно")
        await act(told, desk.wait, "boris")
        await told.say("c1", "вот фото")
        await act(told, desk.resolve, "boris")
        await told.say("c1", "не помогло")
        await act(told, desk.resolve, "boris")
        await told.press("c1", "Помогло")
        await told.press("c1", "5")
        await told.say("c2", "мастера")
        await told.take("anna", "c2")
        await act(told, desk.decline, "anna", "Не моё", chat="c2")
        await told.say("c2", "отмена")
        await told.say("c3", "письмо со сроком")
        await told.say("c3", "мастера")
        await told.pass_time(days=30)
        assert set(receiver.types()) == documented

    async def test_whoever_puts_it_back_it_is_returned(self, told: World, receiver: Receiver) -> None:
        """By a supervisor, by the end of a shift, or because who had it has gone when the customer answers."""
        await told.agent("chief", role="supervisor")
        for _ in range(3):
            await told.agent("anna")
            await told.say("c1", "мастера")
            if not (await told.request()).agent_id:
                await told.take("anna")
            match len([one for one in receiver.types() if one == "returned"]):
                case 0:
                    await told.do(desk.take_back, told.desk, "anna", by="chief", now=told.clock.now())
                case 1:
                    await change(told, "anna", seen_at=told.clock.now())
                    await told.pass_time(minutes=3)
                case 2:
                    await act(told, desk.wait, "anna")
                    await told.do(desk.shift_off, told.desk, "anna", now=told.clock.now())
                    await told.pass_time(hours=25)
        returned = [one["data"] for one in receiver.got if one["type"] == "request.returned"]
        assert [one["change"]["kind"] for one in returned] == ["taken_back", "away", "wait_over"]
        assert {one["request"]["state"] for one in returned} == {"queued"}

    async def test_who_takes_it_over_and_how_it_ends_otherwise(self, told: World, receiver: Receiver) -> None:
        await told.agent("anna")
        await told.agent("chief", role="supervisor")
        await told.say("c1", "напишите")
        await told.say("c1", "мастера")
        await told.take("anna")
        await act(told, desk.step_in, "chief")
        await act(told, desk.join, "chief", "T-1001")
        await act(told, desk.spam, "chief")
        await act(told, desk.not_spam, "chief")
        kinds = {one["data"]["change"]["kind"]: one for one in receiver.got if "change" in one["data"]}
        types = {kind: one["type"].removeprefix("request.") for kind, one in kinds.items()}
        assert types == {
            "opened": "opened", "assigned": "assigned", "stepped_in": "transferred", "joined_into": "closed", "joined": "changed",
            "spam": "closed", "not_spam": "reopened",
        }  # fmt: skip
        assert kinds["joined_into"]["data"]["change"]["into"] == "T-1002"


class TestStored:
    async def test_what_is_rolled_back_is_never_told(self, told: World, receiver: Receiver) -> None:
        await told.agent("anna")
        await told.say("c1", "мастера")
        before = len(receiver.calls)
        async with told.sessions() as session:
            await desk.take(session, told.desk, "anna", now=told.clock.now())
            assert await session.scalar(select(Hook.id).where(Hook.event == "request.assigned")) is not None
            await session.rollback()
        await told.jobs.run_until_idle()
        assert len(receiver.calls) == before
        assert await told.rows(select(Hook).where(Hook.event == "request.assigned")) == []

    async def test_what_a_savepoint_takes_back_is_not_told_either(self, told: World, receiver: Receiver) -> None:
        await told.agent("anna")
        await told.say("c1", "мастера")
        before = len(receiver.calls)
        async with told.sessions.begin() as session:
            point = await session.begin_nested()
            await desk.take(session, told.desk, "anna", now=told.clock.now())
            await point.rollback()
        await told.jobs.run_until_idle()
        assert len(receiver.calls) == before

    async def test_without_an_outside_system_nothing_is_stored(self, world: World) -> None:
        await world.agent("anna")
        await world.say("c1", "мастера")
        await world.take("anna")
        assert await world.rows(select(Hook)) == []


class TestUpkeep:
    async def test_an_event_whose_job_was_lost_gets_another(self, told: World, receiver: Receiver) -> None:
        await told.say("c1", "мастера")
        told_once = len(receiver.calls)
        async with told.sessions.begin() as session:
            await session.execute(update(Hook).values(sent_at=None))
            assert await outbox.recover(session, told.jobs, now=told.clock.now() + timedelta(seconds=5)) == 0
            assert await outbox.recover(session, told.jobs, now=told.clock.now() + timedelta(seconds=7)) == 1
            assert await outbox.recover(session, told.jobs, now=told.clock.now() + timedelta(seconds=7)) == 0
        await told.jobs.run_until_idle()
        assert len(receiver.calls) == 2 * told_once

    async def test_what_was_sent_long_ago_is_forgotten_what_waits_is_not(self, told: World) -> None:
        await told.say("c1", "мастера")
        async with told.sessions.begin() as session:
            (first, *rest) = (await session.scalars(select(Hook).order_by(Hook.id))).all()
            first.sent_at = None
            await session.flush()
            await outbox.forget(session, now=told.clock.now() + timedelta(days=8))
        assert [one.id for one in await told.rows(select(Hook))] == [first.id]
        assert rest
