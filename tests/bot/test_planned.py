"""For a few seconds an action is only planned: nobody is told, it can be undone, and then it is done, come what may."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from bot import desk, planned, sight
from bot.desk import news
from bot.errors import (
    CommentMissing,
    NothingToUndo,
    NotYourRequest,
    OffShift,
    PlannedAlready,
    QueueUnknown,
    TimeOver,
)
from bot.models import Agent, Planned, Request, RequestEvent, State
from bot.sight import Scope
from tests.bot.shifts import change
from tests.bot.world import World, act, heard, until

UNDO = timedelta(seconds=5)


async def plan(world: World, action: str, *, name: str = "anna", number: str = "T-1001", **args: Any) -> Planned:
    """Plan an action, with five seconds to undo it unless told otherwise."""
    undo = args.pop("undo", UNDO)
    async with world.sessions.begin() as session:
        request = await _request(session, number)
        return await planned.plan(session, world.desk, name, action, request, now=world.clock.now(), undo=undo, **args)


async def due(world: World, **step: float) -> float | None:
    """Let time pass, and what is due be done; returns the seconds until the next."""
    world.clock.forward(**(step or {"seconds": 5}))
    async with world.sessions.begin() as session:
        left = await planned.do_due(session, world.desk, await world.id_of("c1"), world.clock.now())
    await world.settle()
    return left


async def undo(world: World, name: str = "anna", number: str = "T-1001") -> Planned:
    async with world.sessions.begin() as session:
        return await planned.undo(session, await _id(world, name), (await _request(session, number)).id)


async def _request(session: AsyncSession, number: str) -> Request:
    found = await sight.find(session, number, Scope(everything=True))
    assert found is not None
    return found


async def _id(world: World, name: str) -> int:
    async with world.sessions() as session:
        found = await session.scalar(select(Agent.id).where(Agent.name == name))
        assert found is not None
        return found


async def _told(world: World, name: str = "anna") -> list[str | None]:
    async with world.sessions() as session:
        return [one.why for one, _ in await news.unseen(session, await _id(world, name))]


async def _states(world: World) -> list[str]:
    return [one.state for one in await world.rows(select(Planned).order_by(Planned.id))]


class TestPlanning:
    async def test_nothing_happens_before_its_time_and_then_all_of_it(self, joined: World) -> None:
        row = await plan(joined, "resolve", resolution="solved", text="Готово")
        assert (row.state, row.due - row.at) == ("planned", UNDO)
        assert await due(joined, seconds=4) == 1.0
        request = await joined.request()
        assert (request.state, await heard(joined), joined.events) == (State.ASSIGNED, [], [])
        assert await due(joined, seconds=1) is None
        assert (await heard(joined), (await joined.request()).state) == (["Решено T-1001. Помогло?"], State.SOLVED)
        assert await _states(joined) == ["done"]

    async def test_without_time_for_undoing_it_is_done_at_once(self, joined: World) -> None:
        row = await plan(joined, "decline", reason="Не моя тема", undo=timedelta(0))
        await joined.settle()
        assert (row.state, await heard(joined)) == ("done", ["Ответит другой мастер T-1001."])

    async def test_a_refusal_comes_when_it_is_planned_and_leaves_nothing(self, joined: World) -> None:
        before = await joined.transcript()
        for action, args, error in (
            ("decline", {"reason": " "}, CommentMissing),
            ("transfer", {"comment": "Нужна ось", "queue": "nowhere"}, QueueUnknown),
            ("wait", {"until": joined.clock.now()}, TimeOver),
        ):
            with pytest.raises(error):
                await plan(joined, action, **args)
        with pytest.raises(NotYourRequest):
            await plan(joined, "resolve", name="boris")
        assert (await _states(joined), await joined.transcript(), joined.events) == ([], before, [])

    async def test_the_rehearsal_leaves_no_trace(self, joined: World) -> None:
        lines, kinds = await joined.transcript(), await joined.rows(select(RequestEvent.kind))
        await plan(joined, "transfer", comment="Нужна ось", queue="masters")
        assert (await joined.transcript(), await joined.rows(select(RequestEvent.kind))) == (lines, kinds)
        jobs = await joined.rows(text("SELECT task_name FROM procrastinate_jobs"))
        assert jobs == ["planned"]
        await undo(joined)
        assert ((await joined.request()).queue, joined.events) == ("desk", [])

    @pytest.mark.parametrize(
        ("action", "args"),
        [
            ("decline", {"reason": "Не моя тема"}),
            ("transfer", {"comment": "Нужна ось", "queue": "masters"}),
            ("resolve", {"resolution": "not_solved"}),
            ("wait", {"until": None}),
            ("spam", {}),
            ("join", {"other": "T-1002"}),
            ("open_case", {"category": "letter", "comment": "Написать"}),
            ("call_back", {"phone": "89161234567", "at": 3, "confirmed": True}),
            ("prioritise", {"priority": "high", "reason": "Ждёт давно"}),
        ],
    )
    async def test_each_action_can_be_undone_and_be_done(
        self, joined: World, action: str, args: dict[str, Any]
    ) -> None:
        if action == "join":
            await joined.do(
                desk.open_case, joined.desk, "anna", await joined.id_of("c1"), "letter", "Написать",
                now=joined.clock.now(), tell=False,
            )  # fmt: skip
            joined.events.clear()
        if "at" in args:
            args = {**args, "at": joined.clock.now() + timedelta(hours=3)}
        kinds = await joined.rows(select(RequestEvent.kind))
        await plan(joined, action, **args)
        await undo(joined)
        await due(joined)
        assert (await joined.rows(select(RequestEvent.kind)), joined.events) == (kinds, [])
        await plan(joined, action, **args)
        await due(joined)
        assert await _states(joined) == ["undone", "done"]
        assert len(await joined.rows(select(RequestEvent.kind))) > len(kinds)


class TestUndo:
    async def test_what_is_done_or_not_theirs_cannot_be_undone(self, joined: World) -> None:
        await plan(joined, "resolve")
        with pytest.raises(NothingToUndo):
            await undo(joined, "boris")
        await due(joined)
        with pytest.raises(NothingToUndo):
            await undo(joined)
        assert (await joined.request()).state == State.SOLVED

    async def test_of_undoing_and_doing_at_the_same_moment_one_wins(self, joined: World) -> None:
        await plan(joined, "resolve")
        joined.clock.forward(seconds=5)
        results = await asyncio.gather(
            undo(joined), due(joined, seconds=0), due(joined, seconds=0), return_exceptions=True
        )
        undone = not isinstance(results[0], NothingToUndo)
        assert (await joined.request()).state == (State.ASSIGNED if undone else State.SOLVED)
        assert await _states(joined) == ["undone" if undone else "done"]
        assert len(await heard(joined)) == (0 if undone else 1)


class TestMeanwhile:
    @pytest.mark.parametrize(("action", "args"), [("resolve", {}), ("wait", {"until": None}), ("spam", {})])
    async def test_a_customer_who_writes_is_not_passed_over(
        self, joined: World, action: str, args: dict[str, Any]
    ) -> None:
        await plan(joined, action, **args)
        await joined.say("c1", "подождите, ещё вопрос")
        await due(joined)
        assert ((await joined.request()).state, await _states(joined)) == (State.ASSIGNED, ["refused"])
        assert await _told(joined) == ["T-1001: клиент успел написать: сначала прочитайте его сообщение."]
        assert await heard(joined) == []

    async def test_passing_on_does_not_wait_for_silence(self, joined: World) -> None:
        await plan(joined, "transfer", comment="Нужна ось", queue="masters")
        await joined.say("c1", "подождите, ещё вопрос")
        await due(joined)
        assert (await joined.request()).queue == "masters"

    async def test_what_has_become_impossible_is_told(self, joined: World) -> None:
        await joined.agent("chief", title="Ольга", role="supervisor")
        await plan(joined, "decline", reason="Не моя тема")
        await act(joined, desk.step_in, "chief")
        await due(joined)
        assert await _told(joined) == [
            "T-1001: обращение сейчас не у вас.",
            "Ольга: теперь обращение T-1001 у меня, с клиентом говорить больше не нужно.",
        ]
        assert ("note", "Не моя тема") not in await joined.transcript()

    async def test_a_fault_of_ours_is_told_too_and_stops_nothing(
        self, joined: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        await plan(joined, "resolve")

        async def fail(*_: object, **__: object) -> None:
            raise KeyError("a fault of ours")

        monkeypatch.setitem(planned.ACTIONS, "resolve", planned.Action(fail))
        await due(joined)
        assert await _told(joined) == ["T-1001: действие не выполнено из-за ошибки, попробуйте ещё раз."]
        assert await _states(joined) == ["refused"]


class TestTheSecond:
    async def test_after_what_leaves_the_request_with_the_agent_the_next_may_follow_at_once(
        self, joined: World
    ) -> None:
        await plan(joined, "prioritise", priority="high", reason="Ждёт давно")
        await plan(joined, "transfer", comment="Нужна ось", queue="masters")
        assert ((await joined.request()).priority, await _states(joined)) == ("high", ["done", "planned"])
        await due(joined)
        assert (await joined.request()).queue == "masters"

    async def test_what_ends_it_has_to_be_undone_first(self, joined: World) -> None:
        await plan(joined, "resolve")
        with pytest.raises(PlannedAlready):
            await plan(joined, "transfer", comment="Нужна ось", queue="masters")
        await undo(joined)
        await plan(joined, "transfer", comment="Нужна ось", queue="masters")
        assert await _states(joined) == ["undone", "planned"]

    async def test_two_plans_at_once_are_one(self, joined: World) -> None:
        results = await asyncio.gather(*(plan(joined, "resolve") for _ in range(5)), return_exceptions=True)
        assert sum(isinstance(one, PlannedAlready) for one in results) == 4
        assert await _states(joined) == ["planned"]


class TestEndOfShift:
    async def test_what_was_planned_is_done_first(self, joined: World) -> None:
        await plan(joined, "resolve")
        await joined.say("c2", "мастера")
        await joined.take("anna", "c2")
        back = await joined.do(planned.end_shift, joined.desk, "anna", now=joined.clock.now())
        assert [one.number for one in back] == ["T-1002"]
        assert ((await joined.request()).state, await _states(joined)) == (State.SOLVED, ["done"])

    async def test_who_closed_their_pages_is_on_shift_until_it_is_done(self, joined: World) -> None:
        await change(joined, "anna", seen_at=joined.clock.now())
        await joined.pass_time(seconds=100)
        await plan(joined, "resolve", undo=timedelta(seconds=30))
        await joined.pass_time(seconds=29)
        assert (await joined.rows(select(Agent.on_shift).where(Agent.name == "anna")))[0]
        await due(joined, seconds=1)
        assert (await joined.request()).state == State.SOLVED
        await joined.pass_time(seconds=1)
        assert not (await joined.rows(select(Agent.on_shift).where(Agent.name == "anna")))[0]

    async def test_otherwise_the_agent_is_told(self, joined: World) -> None:
        await plan(joined, "resolve")
        await joined.do(desk.shift_off, joined.desk, "anna", now=joined.clock.now())
        await due(joined)
        assert await _told(joined) == ["T-1001: вы не на смене. Начните смену и повторите."]
        with pytest.raises(OffShift):
            await plan(joined, "resolve")


class TestTheJob:
    async def test_it_comes_when_the_time_is_over_though_the_page_is_closed(self, joined: World) -> None:
        async def do(conversation_id: int) -> None:
            async with joined.sessions.begin() as session:
                joined.clock.forward(seconds=1)
                left = await planned.do_due(session, joined.desk, conversation_id, joined.clock.now())
                if left is not None:
                    await joined.jobs.add(session, "planned", conversation_id, delay=0.1)

        joined.jobs.register("planned", do)
        await plan(joined, "resolve", undo=timedelta(seconds=1))
        worker = asyncio.create_task(joined.jobs.run())
        try:
            await until(lambda: "solved" in joined.states())
        finally:
            worker.cancel()
            await asyncio.gather(worker, return_exceptions=True)
        assert await _states(joined) == ["done"]

    async def test_one_that_was_lost_is_found(self, joined: World) -> None:
        await plan(joined, "resolve")
        async with joined.sessions.begin() as session:
            await session.execute(text("DELETE FROM procrastinate_jobs"))
            assert await planned.recover(session, joined.jobs, now=joined.clock.now()) == 0
            joined.clock.forward(seconds=10)
            assert await planned.recover(session, joined.jobs, now=joined.clock.now()) == 1
            assert await planned.recover(session, joined.jobs, now=joined.clock.now()) == 0


async def test_joining_both_ways_at_once_waits_for_nobody_for_ever(joined: World) -> None:
    """Each locks both chats in the same order."""
    await joined.hear(joined.incoming("v1", channel="vk", text="мастера"))
    await joined.do(
        desk.take, joined.desk, "anna", now=joined.clock.now(), conversation_id=await joined.id_of("v1", "vk")
    )
    async with joined.sessions.begin() as session:
        await session.execute(text("UPDATE requests SET customer_id = 'C1'"))
    ways = (("T-1001", "T-1002"), ("T-1002", "T-1001"))
    async with asyncio.timeout(20):
        results = await asyncio.gather(
            *(plan(joined, "join", number=one, other=two, undo=timedelta(0)) for one, two in ways),
            return_exceptions=True,
        )
    assert sum(isinstance(one, Planned) for one in results) == 1
    assert sorted(one.state for one in await joined.rows(select(Request))) == ["assigned", "closed"]
