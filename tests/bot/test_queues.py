"""The order of queues, and what customers hear when a queue opens."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import select, update

import flows
from bot import desk, listing, queues, upkeep
from bot import timeline as timeline_of
from bot.models import Request, State
from bot.sight import Scope
from flows.known import Fact, ListQuery
from flows.pack import Row, SetStep
from tests.bot.shifts import timeline, workshop
from tests.bot.world import World, act, heard, make_world


def remembering() -> flows.Pack:
    """The workshop, whose table raises the priority of a second contact as the shop's does (CX-15)."""
    pack = workshop()
    again = Fact(count=ListQuery(of="contacts_before"), type="number")
    usual = pack.tables["priority"]
    first = Row(rule=("CX-15",), when={"again": ">0"}, steps=(SetStep(set={"priority": "high"}),))
    tables = {**pack.tables, "priority": usual.model_copy(update={"rows": (first, *usual.rows)})}
    return pack.model_copy(update={"facts": {**pack.facts, "again": again}, "tables": tables})


class TestOrder:
    @pytest.fixture
    async def world(self, address: str) -> AsyncIterator[World]:
        async with make_world(address, pack=remembering()) as made:
            yield made

    @pytest.mark.rule("CX-15")
    async def test_who_comes_a_second_time_goes_ahead_of_who_has_waited_longer(self, world: World) -> None:
        await world.agent("anna")
        await world.say("c1", "мастера")
        await world.press("c1", "Отменить обращение")
        await world.say("c2", "мастера")
        world.clock.forward(minutes=5)
        assert await world.say("c1", "мастера") == ["Очередь T-1003, место 1."]
        assert (await world.request("T-1003")).priority == "high"
        assert [(await world.take("anna")).number for _ in range(2)] == ["T-1003", "T-1002"]

    @pytest.mark.rule("VIP-01")
    @pytest.mark.rule("CX-15")
    async def test_vips_before_repeated_contacts_before_the_others(self, world: World) -> None:
        await world.agent("anna")
        world.crm.riders["telegram:c3"] = {"id": "maria", "flags": ["vip"], "full_name": "Иванова Мария", "phones": []}
        await world.say("c2", "мастера")
        await world.press("c2", "Отменить обращение")
        for chat in ("c1", "c2", "c3"):
            await world.say(chat, "мастера")
        assert [(await world.take("anna")).number for _ in range(3)] == ["T-1004", "T-1003", "T-1002"]

    @pytest.mark.rule("CX-07")
    async def test_what_is_reopened_keeps_its_age(self, world: World) -> None:
        await world.agent("anna")
        await world.agent("boris")
        await world.say("c1", "мастера")
        await world.take("anna")
        await act(world, desk.resolve, "anna")
        world.clock.forward(hours=1)
        await world.say("c2", "мастера")
        await world.do(desk.shift_off, world.desk, "anna", now=world.clock.now())
        await world.say("c1", "опять не работает")
        assert (await world.take("boris")).number == "T-1001"


class TestTheNextOne:
    @pytest.fixture
    async def world(self, address: str) -> AsyncIterator[World]:
        async with make_world(address, pack=remembering()) as made:
            yield made

    @pytest.mark.rule("VIP-01")
    @pytest.mark.rule("CX-15")
    async def test_within_vips_repeated_contacts_and_the_others_the_longest_wait_comes_first(
        self, world: World
    ) -> None:
        """The newest come in the order in which they are to be taken last, and the supervisor's list says the same."""
        await world.agent("anna")
        for vip in ("v1", "v2"):
            world.crm.riders[f"telegram:{vip}"] = {
                "id": vip,
                "flags": ["vip"],
                "full_name": "Иванова Мария",
                "phones": [],
            }
        for again in ("a1", "a2"):
            await world.say(again, "мастера")
            await world.press(again, "Отменить обращение")
        chats = ("n1", "a1", "v1", "n2", "a2", "v2")
        for chat in chats:
            await world.say(chat, "мастера")
            world.clock.forward(minutes=1)
        of = {(await world.rows(select(Request).where(Request.conversation_id == await world.id_of(chat), Request.state == "queued")))[0].number: chat for chat in chats}  # fmt: skip
        async with world.sessions() as session:
            listed = [of[row.number] for row in (await listing.waiting(session, Scope(everything=True))).rows]
        taken = [of[(await world.take("anna")).number] for _ in chats]
        assert taken == listed == ["v1", "v2", "a1", "a2", "n1", "n2"]


class TestExpectedWait:
    """What a customer is told of how long it will take (CX-13)."""

    @pytest.mark.rule("CX-13")
    async def test_it_is_measured_where_one_waits_now(self, world: World) -> None:
        await world.agent("anna", "desk", "masters")
        for number in range(3):  # the masters are quick, the desk is slow
            await world.say(f"m{number}", "нужна деталь")
            world.clock.forward(minutes=2)
            await world.take("anna", f"m{number}")
            await world.say(f"d{number}", "мастера")
            world.clock.forward(minutes=10)
            await world.take("anna", f"d{number}")
        assert await self._minutes(world, "masters", "desk") == [2, 10]
        for number in range(3):
            await act(world, desk.transfer, "anna", "Деталь", queue="masters", chat=f"d{number}")
        async with world.sessions() as session:
            seen = await timeline_of.describe(session, await world.request("T-1006"), now=world.clock.now())
        assert (seen.queue, seen.place, seen.wait_minutes) == ("masters", 3, 6)  # as the masters' wait, not the desk's
        for number in range(3):
            await world.take("anna", f"d{number}")
        assert await self._minutes(world, "masters") == [2]

    async def _minutes(self, world: World, *names: str) -> list[int | None]:
        async with world.sessions() as session:
            return [await queues.wait_minutes(session, name, 1, now=world.clock.now()) for name in names]


class TestOpening:
    """At night a request is in its queue as a case; when the queue opens its customer hears of it, once."""

    @pytest.fixture
    async def night(self, world: World) -> World:
        world.clock.forward(hours=10)  # Wednesday, 22:00 in Moscow; the masters work from 9 to 18
        return world

    @pytest.mark.rule("CX-04")
    @pytest.mark.rule("L2-18")
    async def test_who_waited_overnight_is_told_once(self, night: World) -> None:
        assert await night.say("c1", "нужна деталь") == ["Записано T-1001, ответим 19 ноября."]
        assert await night.pass_time(hours=10, minutes=59) == []
        assert await night.pass_time(minutes=1) == ["Мастера пришли, T-1001. Место 1."]
        assert night.told("message")[-1]["buttons"] == ["Отменить обращение"]
        assert [one["queue"] for one in night.told("queue_opened")] == ["masters"]
        assert await night.pass_time(minutes=1) == []
        assert await timeline(night) == [("opened", None), ("queue_opened", None)]

    async def test_it_is_there_for_whoever_comes_first_and_in_its_place(self, night: World) -> None:
        await night.say("c1", "нужна деталь")
        await night.say("c2", "нужна деталь")
        await night.pass_time(hours=11)
        await night.agent("anna", "masters")
        assert [(await night.take("anna")).number for _ in range(2)] == ["T-1001", "T-1002"]
        told = [one["text"] for one in night.told("message") if "пришли" in one["text"]]
        assert told == ["Мастера пришли, T-1001. Место 1.", "Мастера пришли, T-1002. Место 2."]

    async def test_what_was_taken_or_taken_back_at_night_is_not_told_of(self, night: World) -> None:
        await night.agent("anna", "masters")
        await night.say("c1", "нужна деталь")
        await night.take("anna")
        await act(night, desk.decline, "anna", "Утром")
        await night.say("c2", "нужна деталь")
        await night.hear(night.incoming("c2", text="отмена"))
        assert (await night.request("T-1002")).state == State.CANCELLED
        night.events.clear()
        await night.pass_time(hours=11)
        assert night.told("queue_opened") == []

    async def test_what_comes_by_day_is_told_of_by_nobody(self, world: World) -> None:
        await world.say("c1", "нужна деталь")
        await world.say("c2", "мастера")
        await world.pass_time(hours=25)
        assert world.told("queue_opened") == []

    async def test_work_beside_the_talk_is_not_told_of(self, night: World) -> None:
        await night.say("c1", "напишите")
        async with night.sessions.begin() as session:
            await session.execute(update(Request).values(queue="masters"))
        await night.pass_time(hours=11)
        assert night.told("queue_opened") == []

    async def test_a_transfer_to_a_closed_queue_waits_for_its_opening_too(self, night: World) -> None:
        await night.agent("anna")
        await night.say("c1", "мастера")
        await night.take("anna")
        await act(night, desk.transfer, "anna", "Деталь", queue="masters")
        night.events.clear()
        assert await night.pass_time(hours=11) == ["Мастера пришли, T-1001. Место 1."]
        assert (await night.request()).queue == "masters"

    async def test_a_pack_without_the_words_says_nothing(self, address: str) -> None:
        pack = workshop()
        silent = pack.manifest.model_copy(update={"notices": pack.manifest.notices.model_copy(update={"opened": None})})
        async with make_world(address, pack=pack.model_copy(update={"manifest": silent})) as world:
            world.clock.forward(hours=10)
            await world.say("c1", "нужна деталь")
            world.events.clear()
            assert await world.pass_time(hours=11) == []
            assert await heard(world) == []
            assert len(world.told("queue_opened")) == 1

    async def test_several_processes_tell_it_once(self, night: World) -> None:
        import asyncio

        await night.say("c1", "нужна деталь")
        night.clock.forward(hours=11)
        await asyncio.gather(*(upkeep.upkeep(night.sessions, night.desk, night.clock) for _ in range(4)))
        assert await night.settle() == ["Мастера пришли, T-1001. Место 1."]
