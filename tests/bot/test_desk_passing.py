"""Giving requests away: back, on to a queue, to a colleague."""

from __future__ import annotations

import pytest

import flows
from bot import desk
from bot.errors import (
    AgentUnknown,
    CommentMissing,
    QueueUnknown,
    TargetOffShift,
)
from bot.models import State
from tests.bot.world import World, act, heard


class TestGivingAway:
    @pytest.mark.rule("CX-04")
    async def test_declining_is_never_silent_and_keeps_the_place(self, joined: World) -> None:
        joined.clock.forward(minutes=1)
        await joined.say("c2", "мастера")
        joined.events.clear()
        await act(joined, desk.decline, "anna", "Не моя тема")
        assert await heard(joined) == ["Ответит другой мастер T-1001."]
        assert joined.told("message")[-1]["buttons"] == ["Отменить обращение"]
        assert joined.states() == ["queued"]
        assert (await joined.take("boris")).number == "T-1001"
        lines = joined.told("inbox")[-1]["transcript"]
        assert ("note", "Не моя тема") in [(one["from"], one["text"]) for one in lines]

    async def test_a_reason_is_required(self, joined: World) -> None:
        with pytest.raises(CommentMissing):
            await act(joined, desk.decline, "anna", " ")
        with pytest.raises(CommentMissing):
            await act(joined, desk.transfer, "anna", "", queue="masters")

    async def test_to_a_queue(self, joined: World) -> None:
        await joined.agent("boris", "masters")
        await act(joined, desk.transfer, "anna", "Нужна деталь", queue="masters")
        assert (await heard(joined), joined.states()) == (["Передано T-1001. Место 1."], ["transferred"])
        assert joined.told("message")[-1]["buttons"] == ["Отменить обращение"]
        request = await joined.take("boris")
        assert (request.queue, request.summary["queue"]) == ("masters", "masters")

    @pytest.mark.rule("L2-17")
    async def test_a_case_gets_the_term_of_the_closed_queue_it_goes_to(self, world: World) -> None:
        await world.agent("anna")
        await world.say("c1", "напишите")
        await world.take("anna")
        world.clock.forward(hours=48 + 10)  # the day of the promise is over
        before = (await world.request()).due
        await act(world, desk.transfer, "anna", "Нужна деталь", queue="masters")
        request = await world.request()
        _, kind, due = flows.place(world.desk.pack, "masters", world.clock.now(), request.resolved_category)
        assert kind is not None
        assert (request.category, request.due, request.due == before) == ("letter", due, False)

    async def test_to_a_colleague(self, joined: World) -> None:
        await act(joined, desk.transfer, "anna", "Твой клиент", to="boris")
        assert (await heard(joined), joined.states()) == (["Передано T-1001. Теперь Борис."], ["transferred"])
        assert joined.told("message")[-1]["buttons"] == []
        inbox = joined.told("inbox")[0]
        assert (inbox["agent"], inbox["transcript"][-1]["text"]) == ("boris", "Твой клиент")
        await joined.say("c1", "ау")
        assert joined.told("inbox")[-1]["agent"] == "boris"

    async def test_to_nobody_is_refused(self, joined: World) -> None:
        await joined.agent("boris", on_shift=False)
        with pytest.raises(TargetOffShift):
            await act(joined, desk.transfer, "anna", "Возьми", to="boris")
        with pytest.raises(QueueUnknown):
            await act(joined, desk.transfer, "anna", "Возьми", queue="nowhere")
        with pytest.raises(AgentUnknown):
            await act(joined, desk.transfer, "anna", "Возьми", to="ghost")
        assert (await joined.request()).state == State.ASSIGNED

    async def test_back_in_the_queue_the_bot_may_answer_again(self, joined: World) -> None:
        await act(joined, desk.decline, "anna", "Не моя тема")
        assert await joined.say("c1", "готов ли велосипед") == ["Велосипед готов."]
