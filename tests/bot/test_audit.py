"""The audit: what stands in it, what never does, and how it is looked through."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from bot import audit
from tests.bot.world import START, World


async def _noted(session: AsyncSession, wanted: audit.Wanted | None = None) -> list[str]:
    return [one.action for one in (await audit.page(session, wanted or audit.Wanted())).entries]


async def test_what_was_done_stands_in_the_audit_with_the_number_of_its_request(joined: World) -> None:
    request = await joined.request()
    async with joined.sessions.begin() as session:
        await audit.note(
            session, at=START, agent="anna", action="transfer", request_id=request.id, data={"queue": "second"}, address="127.0.0.1",
        )  # fmt: skip
    async with joined.sessions() as session:
        (entry,) = (await audit.page(session, audit.Wanted())).entries
    assert (entry.agent, entry.action, entry.number, entry.data, entry.address, entry.at) == (
        "anna", "transfer", "T-1001", {"queue": "second"}, "127.0.0.1", START,
    )  # fmt: skip


@pytest.mark.parametrize("data", [{"text": "где мой заказ"}, {"phone": "+79001234567"}, {"reason": "я" * 201}])
async def test_words_and_numbers_of_customers_are_refused(world: World, data: dict[str, str]) -> None:
    async with world.sessions.begin() as session:
        with pytest.raises(ValueError, match="for the audit"):
            await audit.note(session, at=START, agent="anna", action="reply", data=data)
        assert await _noted(session) == []


async def test_an_action_that_is_rolled_back_leaves_nothing(world: World) -> None:
    async with world.sessions() as session:
        await audit.note(session, at=START, agent="anna", action="take")
        await session.rollback()
        assert await _noted(session) == []


class TestLookingThrough:
    async def test_by_person_action_request_and_day(self, joined: World) -> None:
        request = await joined.request()
        async with joined.sessions.begin() as session:
            await audit.note(session, at=START, agent="anna", action="take", request_id=request.id)
            await audit.note(session, at=START + timedelta(days=1), agent="anna", action="signed_out")
            await audit.note(session, at=START + timedelta(days=1), agent="boris", action="signed_in")
            for wanted, found in (
                (audit.Wanted(), ["signed_in", "signed_out", "take"]),
                (audit.Wanted(agent="anna"), ["signed_out", "take"]),
                (audit.Wanted(action="signed_in"), ["signed_in"]),
                (audit.Wanted(number="T-1001"), ["take"]),
                (audit.Wanted(since=START + timedelta(hours=1), until=START + timedelta(days=1)), []),
                (audit.Wanted(since=START, until=START + timedelta(hours=1)), ["take"]),
                (audit.Wanted(agent="anna", since=START + timedelta(hours=1)), ["signed_out"]),
            ):
                assert await _noted(session, wanted) == found, wanted
            assert await audit.actions(session) == ["signed_in", "signed_out", "take"]

    async def test_pages_show_each_row_once_though_others_are_added_meanwhile(self, world: World) -> None:
        async with world.sessions.begin() as session:
            for number in range(5):
                await audit.note(session, at=START, agent="anna", action=f"a{number}")
            first = await audit.page(session, audit.Wanted(), size=2)
            await audit.note(session, at=START, agent="anna", action="later")
            second = await audit.page(session, audit.Wanted(), size=2, before=first.older)
            last = await audit.page(session, audit.Wanted(), size=2, before=second.older)
        assert [[one.action for one in page.entries] for page in (first, second, last)] == [
            ["a4", "a3"], ["a2", "a1"], ["a0"],
        ]  # fmt: skip
        assert last.older is None
