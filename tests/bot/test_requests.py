"""Requests while they wait: what the customer hears, adds and takes back; places, waits and claims."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from bot import queues, requests
from bot.errors import RequestReserved
from bot.models import Request, RequestEvent, State
from tests.bot.world import World


class TestWaiting:
    @pytest.mark.rule("CX-04")
    async def test_each_hears_number_and_place(self, world: World) -> None:
        heard = [await world.say(chat, "мастера") for chat in ("c1", "c2", "c3")]
        assert heard == [[f"Очередь T-{1000 + place}, место {place}."] for place in (1, 2, 3)]

    async def test_the_bot_still_answers_and_tells_the_agent_so(self, world: World) -> None:
        await world.say("c1", "мастера")
        assert await world.say("c1", "готов ли велосипед") == ["Велосипед готов."]
        request = await world.request()
        assert request.summary["answered"][-1] == {"rule": "STATE-1", "gist": "Велосипед готов."}
        assert request.summary["wants"].endswith("готов ли велосипед")
        assert request.comment.endswith("Добавил: «готов ли велосипед»")

    async def test_no_second_request_is_opened(self, world: World) -> None:
        await world.say("c1", "мастера")
        assert await world.say("c1", "нужна деталь") == ["Вы в очереди."]
        (request,) = await world.rows(select(Request))
        assert "Нужна деталь" in request.summary["reason"]

    @pytest.mark.rule("CX-13")
    async def test_asking_gives_its_state(self, world: World) -> None:
        await world.say("c1", "мастера")
        assert await world.say("c1", "что с обращением") == ["Смотрю. Ваше обращение T-1001: queued."]

    @pytest.mark.rule("CX-03")
    async def test_the_customer_takes_it_back(self, world: World) -> None:
        await world.say("c1", "мастера")
        assert await world.press("c1", "Отменить обращение") == ["Отменено T-1001."]
        assert world.states() == ["queued", "cancelled"]
        assert (await world.request()).state == State.CANCELLED
        assert await world.say("c1", "мастера") == ["Очередь T-1002, место 1."]

    async def test_a_closed_queue_becomes_a_case_with_a_time(self, world: World) -> None:
        world.clock.forward(hours=10)  # 22:00 in Moscow
        assert await world.say("c1", "нужна деталь") == ["Записано T-1001, ответим 19 ноября."]
        (case,) = world.told("case")
        assert (case["category"], case["due"]) == ("later", "2026-11-19T09:10:00+03:00")
        assert world.told("handoff") == []

    async def test_answered_part_and_task_in_one_message(self, world: World) -> None:
        heard = await world.say("c1", "готов и письмо")
        assert heard == ["Велосипед готов.", "Напишем письмо.", "Номер T-1001. Срок 20 ноября."]
        (case,) = world.told("case")
        assert (case["category"], case["priority"], case["queue"]) == ("letter", "low", "desk")

    @pytest.mark.rule("CX-13")
    async def test_work_beside_an_answer_has_a_number_and_a_term_in_one_line(self, world: World) -> None:
        heard = await world.say("c1", "письмо\nпередайте")
        assert heard == ["Напишем письмо.", "Передали.", "Номер T-1001, T-1002. Срок 20 ноября."]
        line = world.told("message")[-1]
        assert (line["from"], line["rules"], line["buttons"]) == ("system", ["CX-13"], [])
        async with world.sessions() as session:
            known = await requests.contacts(session, conversation_id=await world.id_of("c1"))
        assert [(one["number"], one["state"]) for one in known] == [("T-1001", "queued"), ("T-1002", "queued")]
        assert known[0]["due"] is not None

    async def test_a_term_that_the_answer_has_told_is_not_told_again(self, world: World) -> None:
        assert await world.say("c1", "письмо со сроком") == ["Напишем за три дня.", "Номер T-1001."]

    async def test_the_timeline_tells_what_happened(self, world: World) -> None:
        await world.agent("anna")
        await world.say("c1", "мастера")
        await world.say("c1", "готов ли велосипед")
        await world.take("anna")
        events = await world.rows(select(RequestEvent).order_by(RequestEvent.id))
        assert [(one.kind, one.agent) for one in events] == [
            ("opened", None), ("appended", None), ("assigned", "anna"),
        ]  # fmt: skip


class TestQueues:
    async def test_urgent_before_old_and_tasks_last(self, world: World) -> None:
        await world.agent("anna")
        await world.say("c1", "напишите")
        await world.say("c2", "мастера")
        await world.say("c3", "безобразие, мастера")
        assert [(await world.take("anna")).number for _ in range(3)] == ["T-1003", "T-1002", "T-1001"]

    async def test_a_wait_is_told_only_when_it_was_measured(self, world: World) -> None:
        await world.agent("anna")
        for number in range(queues.ENOUGH):
            assert await world.say(f"old{number}", "мастера") == [f"Очередь T-{1001 + number}, место 1."]
            world.clock.forward(minutes=4)
            await world.take("anna")
        assert await world.say("c1", "мастера") == ["Очередь T-1004, место 1. Около 4 мин."]
        assert await world.say("c2", "мастера") == ["Очередь T-1005, место 2. Около 8 мин."]
        world.clock.forward(days=8)
        assert await world.say("c3", "мастера") == ["Очередь T-1006, место 3."]

    async def test_a_mark_goes_to_whoever_has_the_skill(self, world: World) -> None:
        await world.agent("anna")
        await world.say("c1", "мастера")
        async with world.sessions.begin() as session:
            await session.execute(update(Request).values(marks=["en"]))
        await world.agent("boris", skills=["en"])
        await world.say("c2", "мастера")
        assert (await world.take("anna")).number == "T-1002"
        assert (await world.take("boris")).number == "T-1001"

    async def test_without_anybody_of_the_skill_everybody_may(self, world: World) -> None:
        await world.agent("anna")
        await world.say("c1", "мастера")
        async with world.sessions.begin() as session:
            await session.execute(update(Request).values(marks=["en"]))
        assert (await world.take("anna")).number == "T-1001"


class TestVip:
    @pytest.fixture
    def vip(self, world: World) -> World:
        card = {"id": "maria", "full_name": "Иванова Мария Петровна", "phones": [], "flags": ["vip"], "manager": "olga"}
        world.crm.riders["telegram:c1"] = card
        return world

    @pytest.mark.rule("VIP-01")
    async def test_goes_ahead_of_others(self, vip: World) -> None:
        await vip.agent("anna")
        await vip.say("c2", "безобразие, мастера")
        assert await vip.say("c1", "мастера") == ["Очередь T-1002, место 1."]
        assert (await vip.take("anna")).number == "T-1002"

    @pytest.mark.rule("VIP-01")
    async def test_the_manager_has_the_first_claim_for_a_minute(self, vip: World) -> None:
        await vip.agent("anna")
        await vip.agent("olga", "masters")
        await vip.say("c1", "мастера")
        with pytest.raises(RequestReserved):
            await vip.take("anna", "c1")
        assert (await vip.take("olga")).number == "T-1001"

    @pytest.mark.rule("VIP-01")
    async def test_then_the_queue(self, vip: World) -> None:
        await vip.agent("anna")
        await vip.agent("olga", "masters")
        await vip.say("c1", "мастера")
        await vip.pass_time(seconds=60)
        assert (await vip.take("anna")).number == "T-1001"

    async def test_a_manager_off_shift_has_no_claim(self, vip: World) -> None:
        await vip.agent("anna")
        await vip.agent("olga", "masters", on_shift=False)
        await vip.say("c1", "мастера")
        assert (await vip.take("anna")).number == "T-1001"


class TestSweep:
    async def test_what_is_due_is_done_once(self, world: World) -> None:
        await world.say("c1", "напишите")
        world.clock.forward(days=3)
        from bot import sweep

        for expected in (1, 0):
            async with world.sessions.begin() as session:
                assert await sweep.sweep(session, world.desk, world.clock.now()) == expected

    async def test_what_another_is_at_is_left_to_them(self, world: World) -> None:
        from bot import conversations, sweep

        await world.say("c1", "напишите")
        world.clock.forward(days=3)
        async with world.sessions.begin() as other:
            await conversations.lock(other, await world.id_of("c1"))
            async with world.sessions.begin() as session:
                assert await sweep.sweep(session, world.desk, world.clock.now() + timedelta(0)) == 0
