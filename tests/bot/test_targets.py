"""First-reply targets: by when, the warning before, and who was let wait."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from bot import desk, targets
from tests.bot.shifts import timeline, workshop
from tests.bot.world import START, World, act, make_world

MIDNIGHT = datetime.fromisoformat("2026-11-18T00:00:00+03:00")


async def missed(world: World, *queues: str) -> list[tuple[str, str | None, float, bool]]:
    """The list: number, whose, minutes over, whether the customer still waits."""
    async with world.sessions() as session:
        now = world.clock.now()
        found = await targets.missed(session, since=MIDNIGHT, now=now, queues=queues or None)
        return [(one.number, one.agent, one.over(now) / timedelta(minutes=1), one.waits) for one in found]


async def kept(world: World) -> dict[str, tuple[int, int, int | None]]:
    async with world.sessions() as session:
        found = await targets.kept(session, since=MIDNIGHT, now=world.clock.now())
        return {queue: (one.kept, one.missed, one.percent) for queue, one in found.items()}


class TestSetting:
    async def test_minutes_from_the_opening(self, world: World) -> None:
        await world.say("c1", "мастера")
        assert (await world.request()).target_at == START + timedelta(minutes=10)

    async def test_in_working_hours_only(self, world: World) -> None:
        world.clock.forward(hours=5, minutes=55)  # 17:55 in Moscow
        await world.say("c1", "нужна деталь")
        assert (await world.request()).target_at == datetime.fromisoformat("2026-11-19T09:05:00+03:00")

    @pytest.mark.rule("L2-17")
    async def test_at_night_it_is_the_time_that_was_told(self, world: World) -> None:
        world.clock.forward(hours=10)
        await world.say("c1", "нужна деталь")
        request = await world.request()
        assert request.target_at == request.due == datetime.fromisoformat("2026-11-19T09:10:00+03:00")

    async def test_tasks_have_their_term_instead(self, world: World) -> None:
        await world.say("c1", "напишите")
        request = await world.request()
        assert (request.target_at, request.due) == (None, START + timedelta(days=2))

    async def test_passed_on_unanswered_the_new_queues_counts(self, joined: World) -> None:
        await joined.pass_time(minutes=9)
        assert (await joined.request()).warned_at is not None
        await act(joined, desk.transfer, "anna", "Деталь", queue="masters")
        request = await joined.request()
        assert (request.target_at, request.warned_at) == (joined.clock.now() + timedelta(minutes=10), None)

    async def test_passed_on_after_an_answer_nothing_is_set_anew(self, joined: World) -> None:
        await act(joined, desk.reply, "anna", "Смотрю")
        joined.clock.forward(minutes=5)
        await act(joined, desk.transfer, "anna", "Деталь", queue="masters")
        assert (await joined.request()).target_at == START + timedelta(minutes=10)

    async def test_passed_on_from_the_night_case_it_moves_too(self, world: World) -> None:
        await world.agent("anna", "masters")
        world.clock.forward(hours=10)
        await world.say("c1", "нужна деталь")
        await world.pass_time(hours=11)
        await world.take("anna")
        await act(world, desk.transfer, "anna", "К вам", queue="desk")
        assert (await world.request()).target_at == world.clock.now() + timedelta(minutes=10)


class TestFallingDue:
    async def test_a_warning_then_the_breach_each_once(self, world: World) -> None:
        await world.say("c1", "мастера")
        for _ in range(8):
            await world.pass_time(minutes=1)  # the eighth: 0.8 of ten minutes
        assert [(one["request"], one["queue"], one["agent"]) for one in world.told("warned")] == [
            ("T-1001", "desk", None)
        ]
        assert world.told("breached") == []
        await world.pass_time(minutes=1)
        assert world.told("breached") == []
        for _ in range(3):
            await world.pass_time(minutes=1)
        assert [one["target"] for one in world.told("breached")] == [(START + timedelta(minutes=10)).isoformat()]
        assert await timeline(world) == [("opened", None), ("warned", None), ("breached", None)]
        assert len(world.told("warned")) == 1

    async def test_not_before(self, world: World) -> None:
        await world.say("c1", "мастера")
        await world.pass_time(minutes=7, seconds=59)
        assert world.told("warned") == []

    async def test_an_answer_ends_it_a_hold_phrase_does_not(self, joined: World) -> None:
        await act(joined, desk.hold, "anna")
        await joined.pass_time(minutes=8)
        assert [(one["request"], one["agent"]) for one in joined.told("warned")] == [("T-1001", "anna")]
        await act(joined, desk.reply, "anna", "Готово.")
        await joined.pass_time(minutes=9)
        assert joined.told("breached") == []

    async def test_nobody_is_warned_of_what_the_customer_took_back(self, world: World) -> None:
        await world.say("c1", "мастера")
        await world.press("c1", "Отменить обращение")
        await world.pass_time(minutes=30)
        assert (world.told("warned"), world.told("breached")) == ([], [])

    async def test_the_warning_counts_working_minutes_and_is_not_given_at_night(self, world: World) -> None:
        world.clock.forward(hours=5, minutes=51)  # 17:51: the target is 9:01 tomorrow, so two minutes before is 17:59
        await world.say("c1", "нужна деталь")
        await world.pass_time(minutes=7)
        assert world.told("warned") == []
        await world.pass_time(hours=10)  # at night
        assert world.told("warned") == []
        await world.pass_time(hours=5, minutes=2)  # nine o'clock: one minute left
        assert len(world.told("warned")) == 1
        await world.pass_time(minutes=1)
        assert len(world.told("breached")) == 1

    async def test_at_once_when_the_sweep_comes_late(self, world: World) -> None:
        await world.say("c1", "мастера")
        await world.pass_time(hours=1)
        assert (world.told("warned"), len(world.told("breached"))) == ([], 1)
        request = await world.request()
        assert request.warned_at == request.breached_at == world.clock.now()

    async def test_a_share_of_one_warns_only_with_the_breach(self, address: str) -> None:
        async with make_world(address, pack=workshop(desk={"warn_share": 1.0, "target_minutes": 5})) as world:
            await world.say("c1", "мастера")
            await world.pass_time(minutes=4, seconds=59)
            assert world.told("warned") == []
            await world.pass_time(seconds=1)
            assert len(world.told("breached")) == 1


class TestList:
    @pytest.fixture
    async def day(self, world: World) -> World:
        """T-1001 answered in time, T-1002 late by Anna, T-1003 in Anna's hands unanswered, T-1004 in the queue."""
        await world.agent("anna", title="Анна")
        for chat in ("c1", "c2", "c3"):
            await world.say(chat, "мастера")
            await world.take("anna", chat)
        await act(world, desk.reply, "anna", "Да.", chat="c1")
        await world.pass_time(minutes=5)
        await world.say("c4", "мастера")
        await world.pass_time(minutes=9)
        await act(world, desk.reply, "anna", "Да.", chat="c2")
        await world.pass_time(minutes=6)
        return world

    async def test_who_where_and_how_long(self, day: World) -> None:
        assert await missed(day) == [
            ("T-1003", "Анна", 10.0, True), ("T-1004", None, 5.0, True), ("T-1002", "Анна", 4.0, False),
        ]  # fmt: skip
        assert await missed(day, "masters") == []

    async def test_what_is_near(self, day: World) -> None:
        await day.say("c5", "мастера")
        await day.pass_time(minutes=8)
        async with day.sessions() as session:
            found = await targets.near(session, now=day.clock.now())
        assert [(one.number, one.over(day.clock.now())) for one in found] == [("T-1005", timedelta(minutes=-2))]

    async def test_the_share_that_was_kept(self, day: World) -> None:
        assert await kept(day) == {"desk": (1, 3, 25)}
        assert targets.Kept().percent is None

    async def test_a_case_of_yesterday_is_in_todays_list_by_its_target(self, world: World) -> None:
        world.clock.forward(hours=10)
        await world.say("c1", "нужна деталь")
        await world.pass_time(hours=12)
        async with world.sessions() as session:
            since = datetime.fromisoformat("2026-11-19T00:00:00+03:00")
            (one,) = await targets.missed(session, since=since, now=world.clock.now())
        assert (one.number, one.queue, one.over(world.clock.now())) == ("T-1001", "masters", timedelta(minutes=50))

    async def test_what_was_ended_without_an_answer_was_ended_then(self, world: World) -> None:
        await world.agent("anna")
        await world.say("c1", "мастера")
        await world.take("anna")
        await act(world, desk.resolve, "anna")
        await world.pass_time(hours=1)
        assert await missed(world) == []
        assert world.told("breached") == []
