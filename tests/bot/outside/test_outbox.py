"""What an outside system is told of requests: all of it, in order, and nothing that was not stored."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select, update

from bot import desk
from bot.errors import Rejected
from bot.models import Hook, Message
from bot.outside import outbox
from tests.bot.outside.conftest import Receiver
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
