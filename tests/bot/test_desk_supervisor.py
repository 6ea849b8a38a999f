"""Supervisors watch and step in, priorities change, and of many who want the same request exactly one gets it."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import select

from bot import desk
from bot.desk import news
from bot.errors import (
    AlreadyYours,
    NothingToTake,
    NotInHand,
    NotRead,
    NotWaiting,
    NotYourRequest,
    OffShift,
    PriorityReasonMissing,
    PriorityUnknown,
    RequestGone,
    RequestTaken,
    SupervisorsOnly,
)
from bot.models import Agent, Request, RequestEvent, State
from tests.bot.world import World, act, heard


async def _told(world: World, name: str) -> list[str | None]:
    async with world.sessions() as session:
        agent = await session.scalar(select(Agent).where(Agent.name == name))
        assert agent is not None
        return [one.why for one, _ in await news.unseen(session, agent.id)]


class TestStepIn:
    @pytest.mark.rule("CX-04")
    async def test_the_request_changes_hands_and_everybody_is_told(self, joined: World) -> None:
        await joined.agent("chief", title="Ольга", role="supervisor")
        await act(joined, desk.step_in, "chief")
        assert (await heard(joined), joined.states()) == (["Передано T-1001. Теперь Ольга."], ["transferred"])
        assert [one["agent"] for one in joined.told("inbox")] == ["chief"]
        assert await _told(joined, "anna") == [
            "Ольга: теперь обращение T-1001 у меня, с клиентом говорить больше не нужно."
        ]
        with pytest.raises(NotYourRequest):
            await act(joined, desk.reply, "anna", "Я ещё тут")
        await act(joined, desk.reply, "chief", "Здравствуйте.")

    async def test_news_are_told_until_they_are_seen(self, joined: World) -> None:
        await joined.agent("chief", title="Ольга", role="supervisor")
        await act(joined, desk.step_in, "chief")
        async with joined.sessions.begin() as session:
            agent = await session.scalar(select(Agent).where(Agent.name == "anna"))
            assert agent is not None
            ((row, request),) = await news.unseen(session, agent.id)
            assert request.number == "T-1001"
            await news.mark_seen(session, agent.id, row.id)
        assert await _told(joined, "anna") == []

    async def test_who_gets_a_request_from_a_colleague_is_told(self, joined: World) -> None:
        await act(joined, desk.transfer, "anna", "Твой", to="boris")
        assert await _told(joined, "boris") == ["Анна передаёт вам обращение T-1001."]

    async def test_what_is_not_possible_is_refused(self, joined: World) -> None:
        await joined.agent("chief", role="supervisor")
        with pytest.raises(SupervisorsOnly):
            await act(joined, desk.step_in, "boris")
        await act(joined, desk.step_in, "chief")
        with pytest.raises(AlreadyYours):
            await act(joined, desk.step_in, "chief")
        await act(joined, desk.decline, "chief", "Не моё")
        with pytest.raises(NotInHand):
            await act(joined, desk.step_in, "chief")
        await joined.agent("chief", role="supervisor", on_shift=False)
        with pytest.raises(OffShift):
            await act(joined, desk.step_in, "chief")

    async def test_of_supervisors_and_the_agent_at_once_one_has_it_at_the_end(self, joined: World) -> None:
        for number in range(4):
            await joined.agent(f"chief{number}", role="supervisor")
        steps = [act(joined, desk.step_in, f"chief{number}") for number in range(4)]
        done = await asyncio.gather(
            *steps, act(joined, desk.decline, "anna", "Не моё"), return_exceptions=True
        )  # fmt: skip
        assert not [
            one for one in done if isinstance(one, Exception) and not isinstance(one, NotInHand | NotYourRequest)
        ]
        request = await joined.request()
        assert (request.state == State.QUEUED) == (request.agent_id is None)


class TestWatch:
    async def test_a_supervisor_reads_without_taking(self, joined: World) -> None:
        await joined.agent("chief", role="supervisor", on_shift=False)
        before = await joined.request()
        async with joined.sessions.begin() as session:
            seen = await desk.watch(session, "chief", before.id)
            assert seen.number == "T-1001"
            with pytest.raises(SupervisorsOnly):
                await desk.watch(session, "boris", before.id)
        after = await joined.request()
        assert (after.read_by, after.agent_id, joined.events) == (before.read_by, before.agent_id, [])
        await joined.agent("chief", role="supervisor")
        with pytest.raises(NotYourRequest):
            await act(joined, desk.reply, "chief", "Можно я?")


class TestNotes:
    @pytest.mark.parametrize("on_shift", [True, False])
    async def test_who_looks_on_writes_to_colleagues_and_changes_nothing_else(
        self, joined: World, on_shift: bool
    ) -> None:
        await joined.agent("chief", title="Ольга", role="supervisor", on_shift=on_shift)
        before = await joined.request()
        made = await act(joined, desk.note, "chief", "Предложите замену")
        assert (made.sender, made.agent, await heard(joined)) == ("note", "Ольга", [])
        after = await joined.request()
        assert (after.agent_id, after.read_by, after.state) == (before.agent_id, before.read_by, before.state)
        await act(joined, desk.reply, "anna", "Можем заменить.")

    async def test_to_any_that_is_not_ended_and_to_ones_own_first(self, world: World) -> None:
        await world.agent("chief", title="Ольга", role="supervisor")
        await world.say("c1", "напишите")
        await world.say("c1", "мастера")
        task, handoff = await world.request("T-1001"), await world.request("T-1002")
        assert (await act(world, desk.note, "chief", "Важный клиент")).request_id == handoff.id
        assert (await act(world, desk.note, "chief", "К задаче", request_id=task.id)).request_id == task.id
        now, where = world.clock.now(), await world.id_of("c1")
        await world.do(desk.take, world.desk, "chief", now=now, conversation_id=where, request_id=task.id)
        assert (await act(world, desk.note, "chief", "Себе")).request_id == task.id
        await act(world, desk.resolve, "chief", request_id=task.id)
        with pytest.raises(RequestGone):
            await act(world, desk.note, "chief", "Поздно", request_id=task.id)

    async def test_agents_write_to_their_own_only(self, joined: World) -> None:
        with pytest.raises(NotYourRequest):
            await act(joined, desk.note, "boris", "Я бы ответил иначе")


class TestPrioritise:
    async def test_the_place_in_the_queue_follows(self, world: World) -> None:
        await world.agent("chief", role="supervisor", on_shift=False)
        await world.agent("anna")
        for chat in ("c1", "c2"):
            await world.say(chat, "мастера")
        world.events.clear()
        await act(world, desk.prioritise, "chief", "urgent", "Ждёт второй день, +79161234567", chat="c2")
        assert (await heard(world), (await world.request("T-1002")).summary["priority"]) == ([], "urgent")
        (event,) = await world.rows(select(RequestEvent).where(RequestEvent.kind == "prioritised"))
        assert event.data == {"from": "normal", "to": "urgent", "reason": "Ждёт второй день, •••4567"}
        assert (await world.take("anna")).number == "T-1002"

    async def test_agents_change_their_own_only_and_say_why(self, joined: World) -> None:
        await act(joined, desk.prioritise, "anna", "high", "Срочно")
        assert (await joined.request()).priority == "high"
        with pytest.raises(NotYourRequest):
            await act(joined, desk.prioritise, "boris", "low", "Не срочно")
        with pytest.raises(PriorityUnknown):
            await act(joined, desk.prioritise, "anna", "huge", "Срочно")
        with pytest.raises(PriorityReasonMissing):
            await act(joined, desk.prioritise, "anna", "low", " ")


class TestResume:
    async def test_a_waiting_request_is_work_again(self, joined: World) -> None:
        with pytest.raises(NotWaiting):
            await act(joined, desk.resume, "anna")
        await act(joined, desk.wait, "anna")
        joined.events.clear()
        await act(joined, desk.resume, "anna")
        request = await joined.request()
        assert (request.state, request.wait_until, await heard(joined)) == (State.ASSIGNED, None, [])
        await joined.pass_time(hours=48)
        assert (await joined.request()).state == State.ASSIGNED


class TestExclusiveTaking:
    async def test_many_agents_take_many_requests_each_once(self, world: World) -> None:
        names = [f"agent{number}" for number in range(12)]
        for name in names:
            await world.agent(name)
        for number in range(7):
            await world.say(f"c{number}", "мастера")
        taken = await asyncio.gather(*(world.take(name) for name in names), return_exceptions=True)
        numbers = [one.number for one in taken if isinstance(one, Request)]
        assert sorted(numbers) == [f"T-{number}" for number in range(1001, 1008)]
        assert sum(isinstance(one, NothingToTake) for one in taken) == 5
        holders = [one.agent_id for one in await world.rows(select(Request))]
        assert len({*holders}) == 7

    async def test_many_take_the_same_one_by_its_number(self, world: World) -> None:
        names = [f"agent{number}" for number in range(10)]
        for name in names:
            await world.agent(name)
        await world.say("c1", "мастера")
        request, where = await world.request(), await world.id_of("c1")

        async def take(name: str) -> object:
            return await world.do(
                desk.take, world.desk, name, now=world.clock.now(), conversation_id=where, request_id=request.id
            )

        taken = await asyncio.gather(*(take(name) for name in names), return_exceptions=True)
        assert sum(isinstance(one, Request) for one in taken) == 1
        assert sum(isinstance(one, RequestTaken) for one in taken) == 9
        kinds = [one.kind for one in await world.rows(select(RequestEvent))]
        assert kinds.count("assigned") == 1

    async def test_one_of_a_conversations_requests_may_be_named(self, world: World) -> None:
        await world.agent("anna")
        await world.say("c1", "напишите")
        await world.say("c1", "мастера")
        where, task = await world.id_of("c1"), await world.request("T-1001")
        now = world.clock.now()
        taken = await world.do(desk.take, world.desk, "anna", now=now, conversation_id=where, request_id=task.id)
        assert taken.number == "T-1001"
        with pytest.raises(AlreadyYours):
            await world.do(desk.take, world.desk, "anna", now=now, conversation_id=where, request_id=task.id)
        await act(world, desk.resolve, "anna", request_id=task.id)
        with pytest.raises(RequestGone):
            await world.do(desk.take, world.desk, "anna", now=now, conversation_id=where, request_id=task.id)

    async def test_a_step_in_does_not_let_the_new_one_reply_unread(self, joined: World) -> None:
        await joined.agent("chief", role="supervisor")
        await act(joined, desk.step_in, "chief")
        assert (await joined.request()).read_by == (await joined.request()).agent_id
        with pytest.raises((NotRead, NotYourRequest)):
            await act(joined, desk.reply, "anna", "Ещё я")
