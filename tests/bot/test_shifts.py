"""Shifts: who goes offline keeps nothing that a customer waits for; who comes back is not punished."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from bot import conversations, desk, sweep, upkeep
from bot.desk import shift
from bot.errors import OffShift
from bot.models import Agent, State
from tests.bot.shifts import change, timeline, whose
from tests.bot.world import World, act, heard


async def agent(world: World, name: str = "anna") -> Agent:
    from sqlalchemy import select

    (found,) = await world.rows(select(Agent).where(Agent.name == name))
    assert isinstance(found, Agent)
    return found


@pytest.fixture
async def watched(joined: World) -> World:
    """Anna works in a browser and has the request of c1."""
    await joined.do(desk.shift_on, "anna", seen=joined.clock.now())
    joined.events.clear()
    return joined


class TestAway:
    async def test_with_all_pages_closed_the_shift_ends_and_the_customer_hears_it_neutrally(
        self, watched: World
    ) -> None:
        assert await watched.pass_time(seconds=119) == []
        assert await watched.pass_time(seconds=1) == ["Ответит другой мастер T-1001."]
        request, anna = await watched.request(), await agent(watched)
        assert (request.state, request.agent_id, anna.on_shift) == (State.QUEUED, None, False)
        assert watched.states() == ["queued"]
        assert (await timeline(watched))[-1] == ("away", "anna")
        with pytest.raises(OffShift):
            await watched.take("anna")
        assert (await watched.take("boris")).number == "T-1001"

    async def test_an_open_page_keeps_the_shift(self, watched: World) -> None:
        for _ in range(5):
            await change(watched, "anna", seen_at=watched.clock.now())
            await watched.pass_time(seconds=100)
        assert (await whose(watched)) == {"T-1001": "anna"}

    async def test_who_works_without_a_browser_is_never_away(self, joined: World) -> None:
        await joined.pass_time(hours=5)
        assert await whose(joined) == {"T-1001": "anna"}

    async def test_closed_pages_do_not_matter_to_who_works_elsewhere(self, watched: World) -> None:
        await watched.do(shift.works_without_browser, "anna")
        await watched.pass_time(hours=5)
        assert await whose(watched) == {"T-1001": "anna"}

    async def test_pages_of_yesterday_do_not_end_a_shift_begun_elsewhere(self, watched: World) -> None:
        await watched.do(desk.shift_off, watched.desk, "anna", now=watched.clock.now())
        watched.clock.forward(hours=15)
        await watched.do(desk.shift_on, "anna")
        await watched.take("anna")
        await watched.pass_time(hours=1)
        assert await whose(watched) == {"T-1001": "anna"}

    @pytest.mark.rule("CX-07")
    async def test_what_waits_for_the_customer_stays_theirs(self, watched: World) -> None:
        await act(watched, desk.wait, "anna")
        watched.events.clear()
        await watched.pass_time(minutes=3)
        assert await whose(watched) == {"T-1001": "anna"}
        assert await heard(watched) == []
        await change(watched, "anna", seen_at=watched.clock.now())
        await watched.pass_time(seconds=1)
        assert await watched.say("c1", "вот номер") == []
        assert watched.told("inbox")[-1]["agent"] == "anna"

    async def test_quiet_work_goes_back_quietly(self, world: World) -> None:
        await world.agent("anna")
        await world.say("c1", "напишите")
        await world.take("anna")
        await change(world, "anna", seen_at=world.clock.now())
        world.events.clear()
        await world.pass_time(minutes=3)
        assert await heard(world) == []
        assert (await world.request()).state == State.QUEUED


class TestBack:
    async def test_who_comes_back_goes_on_at_once(self, watched: World) -> None:
        await watched.pass_time(minutes=3)
        await change(watched, "anna", seen_at=watched.clock.now() + timedelta(minutes=1))
        await watched.pass_time(minutes=1)
        anna = await agent(watched)
        assert (anna.on_shift, anna.away_at) == (True, None)
        assert (await watched.take("anna")).number == "T-1001"

    async def test_a_page_opened_the_next_morning_begins_no_shift(self, watched: World) -> None:
        await watched.pass_time(minutes=3)
        watched.clock.forward(hours=10)
        await change(watched, "anna", seen_at=watched.clock.now())
        await watched.pass_time(seconds=1)
        anna = await agent(watched)
        assert (anna.on_shift, anna.away_at) == (False, None)

    async def test_a_shift_ended_by_hand_stays_ended(self, watched: World) -> None:
        await watched.do(desk.shift_off, watched.desk, "anna", now=watched.clock.now())
        await change(watched, "anna", seen_at=watched.clock.now() + timedelta(seconds=5))
        await watched.pass_time(seconds=6)
        assert not (await agent(watched)).on_shift

    async def test_one_who_was_disabled_meanwhile_does_not_come_back(self, watched: World) -> None:
        await watched.pass_time(minutes=3)
        await change(
            watched, "anna", seen_at=watched.clock.now() + timedelta(seconds=5), disabled_at=watched.clock.now()
        )
        await watched.pass_time(seconds=6)
        assert not (await agent(watched)).on_shift


class TestNobodysHands:
    async def test_what_reached_someone_off_shift_goes_back(self, joined: World) -> None:
        """Taken in the moment in which the shift ended: `shift_off` has not seen it."""
        await change(joined, "anna", on_shift=False)
        assert await joined.pass_time(seconds=2) == ["Ответит другой мастер T-1001."]
        assert (await timeline(joined))[-1] == ("shift_over", "anna")

    async def test_a_disabled_account_keeps_nothing(self, joined: World) -> None:
        await change(joined, "anna", disabled_at=joined.clock.now())
        await joined.pass_time(seconds=2)
        assert await whose(joined) == {"T-1001": None}

    async def test_once_by_whichever_process(self, watched: World) -> None:
        watched.clock.forward(minutes=3)
        await asyncio.gather(*(upkeep.upkeep(watched.sessions, watched.desk, watched.clock) for _ in range(4)))
        assert await watched.settle() == ["Ответит другой мастер T-1001."]
        assert [kind for kind, _ in await timeline(watched)].count("away") == 1

    async def test_two_sweeps_at_once_do_not_do_it_twice(self, watched: World) -> None:
        watched.clock.forward(minutes=3)

        async def swept() -> None:
            async with watched.sessions.begin() as session:
                await sweep.sweep(session, watched.desk, watched.clock.now())

        await asyncio.gather(*(swept() for _ in range(4)))
        await watched.pass_time(seconds=2)
        assert [kind for kind, _ in await timeline(watched)].count("away") == 1

    async def test_what_is_held_by_a_turn_goes_back_with_the_next_sweep(self, watched: World) -> None:
        async with watched.sessions.begin() as turn:
            await conversations.lock(turn, await watched.id_of("c1"))
            await watched.pass_time(minutes=3)
            assert await whose(watched) == {"T-1001": "anna"}
        await watched.pass_time(seconds=2)
        assert await whose(watched) == {"T-1001": None}
        assert (await timeline(watched))[-1] == ("away", "anna")
