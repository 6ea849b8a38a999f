"""Queues whose requests the system gives out: to whom, when, and never over the capacity."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import select, update

import flows
from bot import conversations, desk
from bot import errors as desk_errors
from bot.desk import giving
from bot.models import Request, RequestEvent, State
from tests.bot.shifts import GIVEN, change, timeline, whose, workshop
from tests.bot.world import World, act, heard, make_world

VIP = {"id": "maria", "full_name": "Иванова Мария Петровна", "phones": [], "flags": ["vip"], "manager": "olga"}


@pytest.fixture
async def world(address: str) -> AsyncIterator[World]:
    async with make_world(address, pack=workshop(desk=GIVEN)) as made:
        yield made


class TestAtOnce:
    """What waits is given in the moment in which it can be: without the sweep, without anybody asking."""

    @pytest.mark.rule("CX-04")
    async def test_a_new_request_is_with_an_agent_before_anybody_looks(self, world: World) -> None:
        await world.agent("anna", title="Анна")
        assert await world.say("c1", "мастера") == ["Очередь T-1001, место 1.", "Мастер на связи T-1001."]
        assert await whose(world) == {"T-1001": "anna"}
        inbox = world.told("inbox")[0]
        assert (inbox["agent"], inbox["transcript"][0]["text"]) == ("anna", "мастера")
        await act(world, desk.reply, "anna", "Здравствуйте.")
        assert await heard(world) == ["Очередь T-1001, место 1.", "Мастер на связи T-1001.", "Здравствуйте."]

    async def test_whoever_comes_on_shift_gets_what_waits(self, world: World) -> None:
        await world.agent("anna", on_shift=False)
        for chat in ("c1", "c2"):
            await world.say(chat, "мастера")
        await world.do(desk.shift_on, "anna", desk=world.desk)
        assert await whose(world) == {"T-1001": "anna", "T-1002": "anna"}

    async def test_whoever_becomes_free_gets_the_next(self, world: World) -> None:
        await world.agent("anna")
        await change(world, "anna", capacity=1)
        for chat in ("c1", "c2", "c3", "c4"):
            await world.say(chat, "мастера")
        assert await whose(world) == {"T-1001": "anna", "T-1002": None, "T-1003": None, "T-1004": None}
        await act(world, desk.resolve, "anna")
        assert (await whose(world))["T-1002"] == "anna"
        await act(world, desk.wait, "anna", chat="c2")
        assert (await whose(world))["T-1003"] == "anna"
        await act(world, desk.decline, "anna", "Не ко мне", chat="c3")
        assert (await whose(world)) == {"T-1001": None, "T-1002": "anna", "T-1003": None, "T-1004": "anna"}

    async def test_passing_on_to_a_colleague_makes_free(self, world: World) -> None:
        await world.agent("anna")
        await world.agent("boris", "masters")
        await change(world, "anna", capacity=1)
        await world.say("c1", "мастера")
        await world.say("c2", "мастера")
        await act(world, desk.transfer, "anna", "Твой", to="boris")
        assert await whose(world) == {"T-1001": "boris", "T-1002": "anna"}

    async def test_in_a_queue_where_agents_take_nothing_is_given(self, address: str) -> None:
        async with make_world(address) as world:
            await world.agent("anna")
            await world.say("c1", "мастера")
            await world.pass_time(minutes=1)
            assert await whose(world) == {"T-1001": None}

    async def test_what_was_held_at_that_moment_is_given_by_the_sweep(self, world: World) -> None:
        await world.agent("anna", on_shift=False)
        await world.say("c1", "мастера")
        async with world.sessions.begin() as turn:
            await conversations.lock(turn, await world.id_of("c1"))
            await world.do(desk.shift_on, "anna", desk=world.desk)
            assert await whose(world) == {"T-1001": None}
        await world.pass_time(seconds=2)
        assert await whose(world) == {"T-1001": "anna"}

    async def test_the_timeline_says_that_it_was_given(self, world: World) -> None:
        await world.agent("anna")
        await world.say("c1", "мастера")
        (event,) = await world.rows(select(RequestEvent).where(RequestEvent.kind == "assigned"))
        assert (event.agent, event.data) == ("anna", {"given": True})


class TestToWhom:
    async def test_whoever_has_least_for_their_capacity(self, world: World) -> None:
        await world.agent("anna")
        await world.agent("boris")
        await change(world, "anna", capacity=6)
        await change(world, "boris", capacity=2)
        for number in range(8):
            world.clock.forward(seconds=1)
            await world.say(f"c{number}", "мастера")
        assert Counter((await whose(world)).values()) == {"anna": 6, "boris": 2}
        first_four = list((await whose(world)).values())[:4]
        assert Counter(first_four) == {"anna": 3, "boris": 1}

    async def test_of_equals_whoever_is_idle_longest(self, world: World) -> None:
        for name in ("anna", "boris", "vera"):
            await world.agent(name)
        order = []
        for number in range(6):
            world.clock.forward(minutes=1)
            await world.say(f"c{number}", "мастера")
            name = (await whose(world))[f"T-{1001 + number}"]
            assert name is not None
            order.append(name)
            world.clock.forward(minutes=1)
            await act(world, desk.resolve, name, chat=f"c{number}")
        assert order == ["anna", "boris", "vera"] * 2

    async def test_never_over_the_capacity(self, world: World) -> None:
        for name in ("anna", "boris"):
            await world.agent(name)
            await change(world, name, capacity=2)
        for number in range(7):
            await world.say(f"c{number}", "мастера")
        assert Counter((await whose(world)).values()) == {"anna": 2, "boris": 2, None: 3}
        await world.agent("vera", on_shift=False)
        await change(world, "vera", capacity=0, on_shift=True)
        await world.pass_time(seconds=2)
        assert "vera" not in (await whose(world)).values()

    async def test_by_hand_an_agent_may_take_more(self, world: World) -> None:
        await world.agent("anna")
        await change(world, "anna", capacity=1)
        await world.say("c1", "мастера")
        await world.say("c2", "мастера")
        assert (await world.take("anna")).number == "T-1002"

    async def test_only_those_on_shift_who_serve_the_queue(self, world: World) -> None:
        await world.agent("anna", "masters")
        await world.agent("boris", on_shift=False)
        await world.agent("vera")
        await change(world, "vera", disabled_at=world.clock.now())
        await world.say("c1", "мастера")
        assert await whose(world) == {"T-1001": None}

    async def test_nobody_is_given_again_what_they_gave_away(self, world: World) -> None:
        await world.agent("anna")
        await world.say("c1", "мастера")
        await act(world, desk.decline, "anna", "Не моя тема")
        await world.pass_time(seconds=2)
        assert await whose(world) == {"T-1001": None}
        await world.agent("boris", on_shift=False)
        await world.do(desk.shift_on, "boris", desk=world.desk)
        assert await whose(world) == {"T-1001": "boris"}

    @pytest.mark.rule("CX-08")
    async def test_who_had_it_before_gets_it_back(self, world: World) -> None:
        await world.agent("anna")
        await world.say("c1", "мастера")
        await world.agent("boris", on_shift=False)
        await world.do(desk.shift_off, world.desk, "anna", now=world.clock.now())
        assert await whose(world) == {"T-1001": None}
        async with world.sessions.begin() as session:
            await desk.shift_on(session, "boris")
            await desk.shift_on(session, "anna", desk=world.desk)
        await world.settle()
        assert await whose(world) == {"T-1001": "anna"}

    async def test_urgent_ones_first_tasks_last(self, world: World) -> None:
        await world.say("c1", "напишите")
        await world.say("c2", "мастера")
        await world.say("c3", "безобразие, мастера")
        await world.agent("anna", on_shift=False)
        await change(world, "anna", capacity=2)
        await world.do(desk.shift_on, "anna", desk=world.desk)
        assert await whose(world) == {"T-1001": None, "T-1002": "anna", "T-1003": "anna"}


class TestSkills:
    @pytest.fixture
    async def world(self, address: str) -> AsyncIterator[World]:
        pack = workshop(desk=GIVEN)
        skills = {"frames": flows.Skill(title="Рамы", topics=("person",))}
        async with make_world(address, pack=pack.model_copy(update={"skills": skills})) as made:
            yield made

    async def test_a_topic_goes_to_whoever_knows_it(self, world: World) -> None:
        await world.agent("anna")
        await world.agent("boris", skills=["frames"])
        await change(world, "boris", capacity=1)
        await world.say("c1", "мастера")
        await world.say("c2", "мастера")
        assert await whose(world) == {"T-1001": "boris", "T-1002": None}  # waits while Boris is there
        await world.do(desk.shift_off, world.desk, "boris", now=world.clock.now())
        await world.pass_time(seconds=2)
        assert await whose(world) == {"T-1001": "anna", "T-1002": "anna"}

    async def test_nor_may_others_take_it_by_hand(self, world: World) -> None:
        await world.agent("anna", on_shift=False)
        await world.agent("boris", skills=["frames"])
        await change(world, "boris", capacity=0)
        await world.say("c1", "мастера")
        await world.do(desk.shift_on, "anna")
        with pytest.raises(desk_errors.NothingToTake):
            await world.take("anna")
        assert (await world.take("boris")).number == "T-1001"

    async def test_a_mark_wants_the_skill_of_its_name(self, world: World) -> None:
        await world.agent("anna")
        await world.agent("boris", skills=["en"])
        await change(world, "anna", capacity=0)
        await change(world, "boris", capacity=0)
        await world.say("c1", "заберите")
        await world.say("c2", "мастера")
        async with world.sessions.begin() as session:
            await session.execute(update(Request).values(marks=["en"], topic=None))
        await change(world, "anna", capacity=5)
        await world.pass_time(seconds=2)
        assert set((await whose(world)).values()) == {None}
        await change(world, "boris", capacity=5)
        await world.pass_time(seconds=2)
        assert set((await whose(world)).values()) == {"boris"}


class TestVip:
    @pytest.fixture
    def vip(self, world: World) -> World:
        world.crm.riders["telegram:c1"] = VIP
        return world

    @pytest.mark.rule("VIP-01")
    async def test_the_manager_is_given_it_whatever_their_queues(self, vip: World) -> None:
        await vip.agent("anna")
        await vip.agent("olga", "masters")
        await vip.say("c1", "мастера")
        assert await whose(vip) == {"T-1001": "olga"}

    @pytest.mark.rule("VIP-01")
    async def test_a_busy_manager_has_a_minute_then_the_queue(self, vip: World) -> None:
        await vip.agent("anna")
        await vip.agent("olga", "masters")
        await change(vip, "olga", capacity=0)
        await vip.say("c1", "мастера")
        await vip.pass_time(seconds=59)
        assert await whose(vip) == {"T-1001": None}
        await vip.pass_time(seconds=1)
        assert await whose(vip) == {"T-1001": "anna"}

    @pytest.mark.rule("VIP-01")
    async def test_ahead_of_all_who_wait(self, vip: World) -> None:
        await vip.say("c2", "безобразие, мастера")
        await vip.say("c1", "мастера")
        await vip.agent("anna", on_shift=False)
        await change(vip, "anna", capacity=1)
        await vip.do(desk.shift_on, "anna", desk=vip.desk)
        assert await whose(vip) == {"T-1001": None, "T-1002": "anna"}

    @pytest.mark.rule("VIP-01")
    async def test_back_in_the_queue_the_manager_is_first_again_but_not_after_giving_it_away(self, vip: World) -> None:
        await vip.agent("anna")
        await vip.say("c1", "мастера")
        await vip.agent("olga", "masters")
        await change(vip, "anna", capacity=0)
        await act(vip, desk.decline, "anna", "Её ведёт Ольга")
        assert await whose(vip) == {"T-1001": "olga"}
        await act(vip, desk.decline, "olga", "Сегодня не могу")
        assert (await vip.request()).claim_until is None
        assert await whose(vip) == {"T-1001": None}


class TestHours:
    @pytest.fixture
    async def world(self, address: str) -> AsyncIterator[World]:
        async with make_world(address, pack=workshop(masters=GIVEN)) as made:
            yield made

    async def test_a_closed_queue_gives_nothing_until_it_opens(self, world: World) -> None:
        await world.agent("anna", "masters")
        world.clock.forward(hours=10)  # 22:00 in Moscow
        await world.say("c1", "нужна деталь")
        assert await world.pass_time(hours=10, minutes=59) == []
        assert await whose(world) == {"T-1001": None}
        assert await world.pass_time(minutes=1) == ["Мастера пришли, T-1001. Место 1.", "Мастер на связи T-1001."]
        assert await whose(world) == {"T-1001": "anna"}


class TestConcurrency:
    async def test_many_givers_at_once_give_each_once_and_nobody_too_much(self, world: World) -> None:
        for number in range(12):
            await world.say(f"c{number}", "мастера")
        for name in ("anna", "boris", "vera"):
            await world.agent(name)
            await change(world, name, capacity=3)

        async def giver() -> None:
            await giving.give_all(world.sessions, world.desk, world.clock)

        await asyncio.gather(*(giver() for _ in range(6)))
        await giver()  # what another was at
        assert Counter((await whose(world)).values()) == {"anna": 3, "boris": 3, "vera": 3, None: 3}
        assert [one for one, name in (await whose(world)).items() if name is None] == ["T-1010", "T-1011", "T-1012"]
        assigned = [kind for number in range(12) for kind, _ in await timeline(world, f"T-{1001 + number}")]
        assert assigned.count("assigned") == 9

    async def test_taking_and_giving_at_once_is_one_of_them(self, world: World) -> None:
        for number in range(6):
            await world.say(f"c{number}", "мастера")
        await world.agent("anna")
        await world.agent("boris")
        await change(world, "anna", capacity=6)
        await change(world, "boris", capacity=0)

        async def take() -> str:
            async with world.sessions.begin() as session:
                return (await desk.take(session, world.desk, "boris", now=world.clock.now())).number

        taken = await asyncio.gather(
            giving.give_all(world.sessions, world.desk, world.clock), take(), take(), return_exceptions=True
        )
        await giving.give_all(world.sessions, world.desk, world.clock)
        owners = await whose(world)
        assert None not in owners.values()
        mine = {number for number, name in owners.items() if name == "boris"}
        assert mine == {one for one in taken[1:] if isinstance(one, str)}
        events = [event for number in owners for event in await timeline(world, number) if event[0] == "assigned"]
        assert len(events) == 6

    async def test_shift_off_at_the_same_moment_leaves_nothing_behind(self, world: World) -> None:
        for number in range(4):
            await world.say(f"c{number}", "мастера")
        await world.agent("anna")

        async def off() -> None:
            async with world.sessions.begin() as session:
                await desk.shift_off(session, world.desk, "anna", now=world.clock.now())

        await asyncio.gather(giving.give_all(world.sessions, world.desk, world.clock), off())
        await world.pass_time(seconds=2)
        assert set((await whose(world)).values()) == {None}
        states = [(await world.request(number)).state for number in await whose(world)]
        assert set(states) == {State.QUEUED}
