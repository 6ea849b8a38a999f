"""The shift, tasks beside the talk, and refusals."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from bot import desk
from bot.errors import (
    FirstlineError,
    Refused,
)
from bot.models import Conversation, RequestEvent, State
from tests.bot.world import DAY, World, act, heard


class TestShift:
    async def test_off_gives_back_what_is_in_hand(self, joined: World) -> None:
        await joined.do(desk.shift_off, joined.desk, "anna", now=joined.clock.now())
        assert (await heard(joined), joined.states()) == (["Ответит другой мастер T-1001."], ["queued"])
        (conversation,) = await joined.rows(select(Conversation))
        assert conversation.owner == "bot"
        await joined.do(desk.shift_on, "anna")
        assert (await joined.take("anna")).number == "T-1001"


class TestTasks:
    async def test_the_bot_goes_on_talking_until_an_agent_speaks(self, world: World) -> None:
        await world.agent("anna")
        assert await world.say("c1", "напишите") == ["Напишем письмо.", "Номер T-1001. Срок 20 ноября."]
        assert world.told("state") == []
        await world.take("anna")
        assert await world.say("c1", "готов ли велосипед") == ["Велосипед готов."]
        await act(world, desk.reply, "anna", "Пишу вам письмо.")
        assert await world.say("c1", "готов ли велосипед") == []
        assert world.told("inbox")[-1]["text"] == "готов ли велосипед"

    async def test_quiet_work_ends_quietly(self, world: World) -> None:
        await world.agent("anna")
        await world.say("c1", "напишите")
        await world.take("anna")
        world.events.clear()
        await act(world, desk.resolve, "anna", text="Письмо ушло")
        assert await heard(world) == []
        assert await world.say("c1", "готов ли велосипед") == ["Велосипед готов."]
        assert (await world.request()).state == State.SOLVED

    @pytest.mark.rule("CX-12")
    async def test_a_promise_is_tracked_until_done(self, world: World) -> None:
        await world.say("c1", "напишите")
        assert (await world.request()).due == world.clock.now() + 2 * DAY
        await world.pass_time(hours=49)
        assert [one["request"] for one in world.told("overdue")] == ["T-1001"]
        await world.pass_time(hours=1)
        kinds = [one.kind for one in await world.rows(select(RequestEvent).order_by(RequestEvent.id))]
        assert kinds == ["opened", "overdue"]


def test_every_refusal_is_a_conflict_with_a_sentence() -> None:
    found = [Refused, *Refused.__subclasses__()]
    assert all(one.status == 409 and issubclass(one, FirstlineError) and str(one()) for one in found)
