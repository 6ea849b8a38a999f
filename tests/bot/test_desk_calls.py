"""Promised calls and cases that an agent opens: stored first, told then, tracked until done."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from bot import desk
from bot.errors import (
    CaseCategoryUnknown,
    CaseCommentMissing,
    NoCall,
    PhoneInvalid,
    PhoneNotConfirmed,
    TimeOver,
    TimeTooFar,
)
from bot.models import Message, Request, RequestEvent, State
from tests.bot.world import World, act, heard

PHONE = "8 (916) 123-45-67"


class TestCallBack:
    @pytest.mark.rule("CX-12")
    @pytest.mark.rule("L2-43")
    async def test_number_and_time_are_kept_and_told_without_the_number(self, joined: World) -> None:
        at = joined.clock.now() + timedelta(hours=5)
        await act(joined, desk.call_back, "anna", PHONE, at, confirmed=True, comment="Про раму")
        request = await joined.request()
        assert (request.call_phone, request.due, request.state) == ("+79161234567", at, State.ASSIGNED)
        assert await heard(joined) == ["Позвоним 18 ноября в 17:00, номер на 45-67. T-1001."]
        assert [one["what"] for one in request.summary["promised"]] == ["☎ •••4567"]
        assert ("note", "Про раму") in await joined.transcript()
        (event,) = await joined.rows(select(RequestEvent).where(RequestEvent.kind == "call_promised"))
        assert "9161" not in str(event.data)

    @pytest.mark.rule("CX-12")
    async def test_the_time_stays_when_the_request_goes_to_a_closed_queue(self, joined: World) -> None:
        at = joined.clock.now() + timedelta(hours=15)
        await act(joined, desk.call_back, "anna", PHONE, at, confirmed=True)
        joined.clock.forward(hours=10)  # 22:00 in Moscow
        await act(joined, desk.transfer, "anna", "Позвонят мастера", queue="masters")
        request = await joined.request()
        assert (request.queue, request.call_phone, request.due) == ("masters", "+79161234567", at)

    @pytest.mark.rule("L2-45")
    async def test_the_customer_is_told_in_the_transaction_that_stores_it(self, joined: World) -> None:
        at = joined.clock.now() + timedelta(hours=5)
        before = len(await joined.rows(select(Message.id)))
        async with joined.sessions() as session:
            await desk.call_back(
                session,
                joined.desk,
                "anna",
                await joined.id_of("c1"),
                PHONE,
                at,
                confirmed=True,
                now=joined.clock.now(),
            )
            await session.rollback()
        assert (await joined.settle(), (await joined.request()).call_phone) == ([], None)
        assert len(await joined.rows(select(Message.id))) == before

    @pytest.mark.parametrize(
        ("phone", "hours", "confirmed", "error"),
        [
            ("12345", 5, True, PhoneInvalid),
            ("+7 000 000-00-00", 5, True, PhoneInvalid),
            ("позвоните", 5, True, PhoneInvalid),
            (PHONE, 5, False, PhoneNotConfirmed),
            (PHONE, -1, True, TimeOver),
            (PHONE, 24 * 100, True, TimeTooFar),
        ],
    )
    async def test_what_nobody_can_call_or_has_confirmed_is_refused(
        self, joined: World, phone: str, hours: int, confirmed: bool, error: type[Exception]
    ) -> None:
        at = joined.clock.now() + timedelta(hours=hours)
        with pytest.raises(error):
            await act(joined, desk.call_back, "anna", phone, at, confirmed=confirmed)
        assert (await joined.request()).due is None

    @pytest.mark.rule("CX-12")
    async def test_a_promise_that_is_late_is_noticed_until_the_call_is_made(self, joined: World) -> None:
        await act(joined, desk.call_back, "anna", PHONE, joined.clock.now() + timedelta(hours=1), confirmed=True)
        await joined.pass_time(hours=2)
        assert [one["request"] for one in joined.told("overdue")] == ["T-1001"]
        await act(joined, desk.called, "anna", comment="Не дозвонились сразу, договорились на завтра")
        request = await joined.request()
        assert (request.call_phone, request.due, request.category, request.overdue_at) == (None, None, None, None)
        assert request.summary["promised"] == []
        (event,) = await joined.rows(select(RequestEvent).where(RequestEvent.kind == "called"))
        assert event.data == {"in_time": False}
        with pytest.raises(NoCall):
            await act(joined, desk.called, "anna")

    @pytest.mark.rule("CX-12")
    @pytest.mark.rule("CX-07")
    async def test_the_call_may_solve_it(self, joined: World) -> None:
        await act(joined, desk.call_back, "anna", PHONE, joined.clock.now() + timedelta(hours=1), confirmed=True)
        joined.events.clear()
        await act(joined, desk.called, "anna", comment="Рассказала по телефону", resolution="solved")
        request = await joined.request()
        assert (request.state, request.solution) == (State.SOLVED, "Рассказала по телефону")
        assert await heard(joined) == ["Решено T-1001. Помогло?"]

    async def test_another_time_takes_the_place_of_the_first_and_a_case_is_again_what_it_was(
        self, world: World
    ) -> None:
        await world.agent("anna")
        await world.say("c1", "напишите")
        await world.take("anna")
        due = (await world.request()).due
        for hours in (1, 3):
            at = world.clock.now() + timedelta(hours=hours)
            await act(world, desk.call_back, "anna", PHONE, at, confirmed=True)
        assert [one["what"] for one in (await world.request()).summary["promised"]] == ["☎ •••4567"]
        await act(world, desk.called, "anna")
        request = await world.request()
        assert (request.category, request.due) == ("letter", due)


class TestOpenCase:
    @pytest.mark.rule("CX-02")
    @pytest.mark.rule("CX-13")
    @pytest.mark.rule("L2-09")
    async def test_a_task_of_its_own_with_all_that_is_known(self, joined: World) -> None:
        await act(joined, desk.open_case, "anna", "letter", "Написать про сроки, звонил +79161234567")
        task, request = await joined.request("T-1002"), await joined.request()
        assert (task.task, task.category, task.queue, task.state) == (True, "letter", "desk", State.QUEUED)
        assert task.due == joined.clock.now() + timedelta(hours=48)
        assert task.comment.startswith("Передаёт Анна: Написать про сроки, звонил •••4567\n")
        assert task.comment.endswith(request.comment)
        assert task.summary["request"] == "T-1002"
        assert request.state == State.ASSIGNED
        assert await heard(joined) == ["Номер T-1002. Срок 20 ноября."]
        assert [one["request"] for one in joined.told("case")] == ["T-1002"]

    async def test_due_and_silence_are_the_agents_choice(self, joined: World) -> None:
        due = joined.clock.now() + timedelta(hours=2)
        await act(joined, desk.open_case, "anna", "letter", "Проверить", due=due, tell=False)
        assert ((await joined.request("T-1002")).due, await heard(joined)) == (due, [])

    async def test_what_cannot_be_done_is_refused(self, joined: World) -> None:
        with pytest.raises(CaseCategoryUnknown):
            await act(joined, desk.open_case, "anna", "unknown", "Что-то")
        with pytest.raises(CaseCommentMissing):
            await act(joined, desk.open_case, "anna", "letter", " ")
        with pytest.raises(TimeOver):
            await act(joined, desk.open_case, "anna", "letter", "Проверить", due=joined.clock.now())
        assert len(await joined.rows(select(Request))) == 1

    async def test_a_vips_case_goes_ahead_too(self, joined: World) -> None:
        async with joined.sessions.begin() as session:
            await session.execute(update(Request).values(vip=True, customer_id="C1"))
        await act(joined, desk.open_case, "anna", "letter", "Проверить")
        task = await joined.request("T-1002")
        assert (task.vip, task.customer_id) == (True, "C1")
