"""Two requests of one customer become one, and spam ends without a word."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from bot import desk
from bot.desk.joining import candidates
from bot.desk.joining import joined as joined_of
from bot.errors import (
    InOtherHands,
    JoinedToItself,
    NotSameCustomer,
    NotSpam,
    RequestGone,
    RequestUnknown,
    SupervisorsOnly,
)
from bot.models import Conversation, File, Message, Request, State
from tests.bot.world import World, act, heard


async def _two(world: World) -> None:
    """Anna's handoff T-1001 of c1, with the task T-1002 beside it."""
    await world.agent("anna", title="Анна")
    await world.agent("boris", title="Борис")
    await world.say("c1", "напишите")
    await world.say("c1", "мастера")
    await world.do(
        desk.take, world.desk, "anna", now=world.clock.now(), conversation_id=await world.id_of("c1"),
        request_id=(await world.request("T-1002")).id,
    )  # fmt: skip
    world.events.clear()


async def _identified(world: World, **customers: str) -> None:
    async with world.sessions.begin() as session:
        for number, customer in customers.items():
            values = update(Request).where(Request.number == number.replace("_", "-")).values(customer_id=customer)
            await session.execute(values)


class TestJoin:
    @pytest.mark.rule("CX-04")
    async def test_in_one_chat_the_customer_hears_of_it_once(self, world: World) -> None:
        await _two(world)
        await act(world, desk.join, "anna", "t-1001 ")
        ended, goes_on = await world.request("T-1001"), await world.request("T-1002")
        assert (ended.state, ended.joined_into, goes_on.state) == (State.CLOSED, goes_on.id, State.ASSIGNED)
        assert await heard(world) == ["T-1001 вместе с T-1002."]
        assert (goes_on.category, goes_on.due) == ("letter", ended.due)  # a promise is not lost
        assert f"+ T-1001:\n{ended.comment}" in goes_on.comment
        assert await world.say("c1", "ещё вопрос") == []  # Anna reads it

    async def test_of_two_chats_of_one_customer_each_stays_readable(self, joined: World) -> None:
        await joined.hear(joined.incoming("v1", channel="vk", text="мастера"))
        await _identified(joined, T_1001="C1", T_1002="C1")
        async with joined.sessions.begin() as session:
            line = await session.scalar(
                select(Message.id).where(Message.sender == "customer").order_by(Message.id.desc())
            )
            other = await session.scalar(select(Request).where(Request.number == "T-1002"))
            assert line is not None
            assert other is not None
            session.add(
                File(
                    conversation_id=other.conversation_id, message_id=line, place=0, request_id=other.id, ref="x",
                    at=joined.clock.now(),
                )
            )  # fmt: skip
        joined.events.clear()
        await act(joined, desk.join, "anna", "T-1002")
        assert [(one["channel"], one["text"]) for one in joined.told("message")] == [
            ("vk", "T-1002 вместе с T-1001. Ответим в telegram.")
        ]
        request = await joined.request()
        assert [one.request_id for one in await joined.rows(select(File))] == [request.id]
        async with joined.sessions() as session:
            assert [one.number for one in await joined_of(session, request.id)] == ["T-1002"]
        assert len(await joined.transcript("c1")) == 3
        async with joined.sessions() as session:
            vk = await session.scalar(select(Conversation).where(Conversation.channel == "vk"))
            assert vk is not None
            assert vk.owner == "bot"

    async def test_of_strangers_and_of_others_work_it_is_refused(self, joined: World) -> None:
        await joined.say("c2", "мастера")
        with pytest.raises(NotSameCustomer):
            await act(joined, desk.join, "anna", "T-1002")
        await _identified(joined, T_1001="C1", T_1002="C2")
        with pytest.raises(NotSameCustomer):
            await act(joined, desk.join, "anna", "T-1002")
        await _identified(joined, T_1002="C1")
        await joined.take("boris", "c2")
        with pytest.raises(InOtherHands):
            await act(joined, desk.join, "anna", "T-1002")
        with pytest.raises(JoinedToItself):
            await act(joined, desk.join, "anna", "T-1001")
        with pytest.raises(RequestUnknown):
            await act(joined, desk.join, "anna", "T-1")
        await joined.do(desk.resolve, joined.desk, "boris", await joined.id_of("c2"), now=joined.clock.now())
        with pytest.raises(RequestGone):
            await act(joined, desk.join, "anna", "T-1002")

    async def test_what_waited_for_a_person_goes_on_with_whoever_joins_it_to_their_task(self, world: World) -> None:
        await world.agent("anna", title="Анна")
        await world.say("c1", "напишите")
        await world.take("anna")
        await world.say("c1", "мастера")
        await act(world, desk.join, "anna", "T-1002")
        request = await world.request("T-1001")
        assert (request.task, request.talking, request.state) == (False, True, State.ASSIGNED)
        assert await world.say("c1", "ещё вопрос") == []
        assert world.told("inbox")[-1]["text"] == "ещё вопрос"

    async def test_the_more_urgent_priority_and_all_orders_go_on(self, world: World) -> None:
        await _two(world)
        async with world.sessions.begin() as session:
            task = update(Request).where(Request.number == "T-1001")
            await session.execute(task.values(priority="urgent", orders=["7"], vip=True))
        await act(world, desk.join, "anna", "T-1001")
        request = await world.request("T-1002")
        assert (request.priority, request.orders, request.vip) == ("urgent", ["7"], True)

    async def test_only_live_requests_of_the_customer_are_offered(self, world: World) -> None:
        await _two(world)
        await world.say("c2", "мастера")
        async with world.sessions() as session:
            request = await session.scalar(select(Request).where(Request.number == "T-1002"))
            assert request is not None
            assert [one.number for one in await candidates(session, request)] == ["T-1001"]


class TestSpam:
    async def test_it_ends_without_a_word_and_opens_nothing_more(self, joined: World) -> None:
        await act(joined, desk.spam, "anna")
        request = await joined.request()
        assert (request.state, request.resolution, await heard(joined)) == (State.CLOSED, "spam", [])
        assert await joined.say("c1", "мастера") == []
        assert await joined.say("c1", "напишите") == []
        assert await joined.say("c1", "готов ли велосипед") == ["Велосипед готов."]
        assert len(await joined.rows(select(Request))) == 1

    async def test_work_of_others_goes_on(self, world: World) -> None:
        await _two(world)
        await world.do(desk.take, world.desk, "boris", now=world.clock.now(), conversation_id=await world.id_of("c1"))
        await act(world, desk.spam, "anna")
        assert [(await world.request(number)).state for number in ("T-1001", "T-1002")] == ["assigned", "closed"]

    async def test_a_supervisor_takes_it_back_and_the_request_waits_again(self, joined: World) -> None:
        await joined.agent("chief", role="supervisor")
        with pytest.raises(NotSpam):
            await act(joined, desk.not_spam, "chief")
        opened = (await joined.request()).opened_at
        joined.clock.forward(minutes=5)
        await act(joined, desk.spam, "anna")
        with pytest.raises(SupervisorsOnly):
            await act(joined, desk.not_spam, "anna")
        await act(joined, desk.not_spam, "chief")
        request = await joined.request()
        assert (request.state, request.ended_at, request.opened_at) == (State.QUEUED, None, opened)
        assert (await joined.take("boris")).number == "T-1001"
        await joined.pass_time(hours=timedelta(days=2).total_seconds() / 3600)
        assert (await joined.request()).state == State.ASSIGNED

    async def test_a_solved_request_is_not_opened_again_by_spam(self, joined: World) -> None:
        await act(joined, desk.resolve, "anna")
        await joined.say("c1", "напишите")
        await joined.say("c1", "опять")
        assert (await joined.request()).state == State.ASSIGNED  # reopened: no spam yet
        await act(joined, desk.spam, "anna")
        await joined.say("c1", "опять")
        assert (await joined.request()).state == State.CLOSED
