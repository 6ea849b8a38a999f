"""Passing a request on: the form, the clock, and what the first line may and must do (ESC-05 to ESC-10, L2-01, L2-02)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from bot import desk, escalation, reports
from bot.errors import (
    CategoryMissing,
    CommentMissing,
    EscalationNotOffered,
    ReasonMissing,
    Refused,
    ResolutionUnknown,
)
from bot.escalation import Closing, Mark
from bot.models import RequestEvent, State
from tests.bot.world import START, World, act, heard

FORM = {
    "resolution": "not_solved",
    "category": "spare_part",
    "escalation": True,
    "reason": "Нужен мастер",
    "comment": "Ось",
}


async def timeline(world: World, kind: str) -> list[dict[str, Any]]:
    """What the timelines keep of a kind of event."""
    found = await world.rows(select(RequestEvent).where(RequestEvent.kind == kind).order_by(RequestEvent.id))
    return [one.data for one in found]


class TestForm:
    @pytest.mark.rule("ESC-09")
    @pytest.mark.parametrize(
        ("change", "error"),
        [
            ({"resolution": "solved"}, EscalationNotOffered),
            ({"resolution": "maybe"}, ResolutionUnknown),
            ({"category": None}, CategoryMissing),
            ({"category": " "}, CategoryMissing),
            ({"reason": None}, ReasonMissing),
            ({"comment": ""}, CommentMissing),
        ],
    )
    def test_only_not_solved_opens_escalation_and_it_needs_all_the_rest(
        self, change: dict[str, Any], error: type[Refused]
    ) -> None:
        Closing(**FORM).check()
        with pytest.raises(error):
            Closing(**{**FORM, **change}).check()

    def test_without_the_mark_a_resolution_is_enough(self) -> None:
        Closing(resolution="solved").check()

    @pytest.mark.rule("ESC-08")
    @pytest.mark.rule("ESC-10")
    async def test_a_transfer_fills_the_form_from_request_and_queue(self, joined: World) -> None:
        await act(
            joined, desk.transfer, "anna", "Нужна ось, звонил +79161234567", queue="masters", category="spare_part"
        )
        request = await joined.request()
        assert (request.resolution, request.resolved_category) == ("not_solved", "spare_part")
        assert (request.escalated, request.escalation_reason) == (True, "Нужен мастер")
        assert request.comment.startswith("Передаёт Анна: Нужна ось, звонил •••4567\nТема: Человек")
        (kept,) = await timeline(joined, "transferred")
        assert {name: kept[name] for name in FORM} == {**FORM, "comment": "Нужна ось, звонил +79161234567"}
        assert (await heard(joined), joined.states()) == (["Передано T-1001. Место 1."], ["transferred"])

    async def test_what_the_contract_has_no_words_for_follows_from_the_request(self, joined: World) -> None:
        await act(joined, desk.transfer, "anna", "Нужна ось", queue="masters")
        assert (await joined.request()).resolved_category == "person"

    @pytest.mark.rule("ESC-09")
    async def test_solved_and_passed_on_is_refused_and_changes_nothing(self, joined: World) -> None:
        with pytest.raises(EscalationNotOffered):
            await act(joined, desk.transfer, "anna", "Ось", queue="masters", resolution="solved")
        assert (await joined.request()).state == State.ASSIGNED
        assert joined.events == []

    async def test_back_to_the_general_line_is_no_escalation(self, joined: World) -> None:
        await act(joined, desk.transfer, "anna", "Не мастерам", queue="desk")
        request = await joined.request()
        assert (request.escalated, request.escalation_reason) == (False, None)

    @pytest.mark.rule("ESC-08")
    async def test_the_bots_own_handoff_has_the_same_fields(self, world: World) -> None:
        await world.say("c1", "нужна деталь")
        request = await world.request()
        assert (request.escalated, request.escalation_reason, request.resolution) == (
            True,
            "Нужен мастер",
            "not_solved",
        )
        (kept,) = await timeline(world, "opened")
        assert (kept["category"], kept["escalation"], kept["reason"]) == ("spare_part", True, "Нужен мастер")
        assert kept["comment"] == request.comment

    async def test_what_is_solved_afterwards_is_solved(self, world: World) -> None:
        await world.agent("anna", "masters")
        await world.say("c1", "нужна деталь")
        await world.take("anna")
        await act(world, desk.resolve, "anna", category="spare_part")
        assert (await world.request()).resolution == "solved"


class TestHandingOver:
    @pytest.mark.rule("L2-01")
    async def test_the_customer_gets_no_contact_queue_or_reason(self, joined: World) -> None:
        await joined.agent("olga", "masters", title="Ольга")
        await act(joined, desk.transfer, "anna", "Звоните мне на 555", queue="masters")
        assert not any(word in text for text in await heard(joined) for word in ("555", "Мастера", "мастер", "Ольга"))
        request = await joined.request()
        assert (request.state, request.queue, request.agent_id) == (State.QUEUED, "masters", None)

    @pytest.mark.rule("L2-02")
    async def test_the_agent_is_free_at_once(self, joined: World) -> None:
        await joined.say("c2", "мастера")
        await act(joined, desk.transfer, "anna", "Нужна ось", queue="masters")
        assert (await joined.take("anna")).number == "T-1002"

    @pytest.mark.rule("L2-17")
    async def test_a_closed_line_gets_it_as_a_case(self, joined: World) -> None:
        joined.clock.forward(hours=10)  # 22:00 in Moscow
        await act(joined, desk.transfer, "anna", "Нужна ось", queue="masters")
        assert await heard(joined) == ["Передано T-1001. Место 1. Ответим 19 ноября."]
        (case,) = joined.told("case")
        assert (case["request"], case["queue"], case["category"]) == ("T-1001", "masters", "later")
        request = await joined.request()
        assert (request.category, request.summary["category"]) == ("later", "later")
        assert request.due == START + timedelta(hours=21, minutes=10)

    @pytest.mark.rule("CX-12")
    async def test_a_term_that_was_promised_stays(self, world: World) -> None:
        await world.agent("anna")
        await world.say("c1", "напишите")
        due = (await world.request()).due
        await world.take("anna")
        world.clock.forward(hours=10)
        await act(world, desk.transfer, "anna", "Пусть мастера", queue="masters")
        assert ((await world.request()).category, (await world.request()).due) == ("letter", due)


class TestClock:
    @pytest.mark.rule("ESC-05")
    async def test_the_bots_runs_from_the_first_message_on_the_topic(self, world: World) -> None:
        await world.say("c1", "готов ли велосипед")
        world.clock.forward(minutes=10)
        assert await world.say("c1", "покраска") == ["Какого цвета нужна рама?"]
        world.clock.forward(seconds=100)
        await world.say("c1", "красная")
        request = await world.request()
        assert (request.transfer_seconds, request.in_time, request.asked_at) == (100, True, None)

    @pytest.mark.rule("ESC-05")
    async def test_180_seconds_are_in_time_and_more_are_late_but_stored(self, world: World) -> None:
        for chat, seconds in (("c1", 180), ("c2", 181)):
            await world.say(chat, "покраска")
            world.clock.forward(seconds=seconds)
            await world.say(chat, "красная")
        assert [one["in_time"] for one in await timeline(world, "opened")] == [True, False]
        assert {one.state for one in (await world.request("T-1001"), await world.request("T-1002"))} == {State.QUEUED}

    @pytest.mark.rule("ESC-05")
    async def test_an_agents_warns_and_is_overdue_but_never_stops_anything(self, joined: World) -> None:
        pack = joined.desk.pack
        for seconds, mark in (
            (0, Mark.FINE),
            (119, Mark.FINE),
            (120, Mark.WARN),
            (179, Mark.WARN),
            (180, Mark.OVERDUE),
        ):
            moment = joined.clock.now() + timedelta(seconds=seconds)
            assert escalation.running(pack, await joined.request(), moment) == escalation.Running(seconds, mark)
        joined.clock.forward(seconds=200)
        await act(joined, desk.transfer, "anna", "Нужна ось", queue="masters")
        request = await joined.request()
        assert (request.transfer_seconds, request.in_time) == (200, False)
        assert escalation.running(pack, request, joined.clock.now()) is None

    @pytest.mark.rule("ESC-05")
    async def test_another_question_after_an_answer_starts_it_anew(self, joined: World) -> None:
        """AMB-01: it runs from the message in which the topic changed."""
        joined.clock.forward(minutes=5)
        await joined.say("c1", "и ещё")  # not answered yet: the same question
        assert (await joined.request()).asked_at == START
        await act(joined, desk.reply, "anna", "Готово.")
        joined.clock.forward(minutes=5)
        await joined.say("c1", "а седло?")
        joined.clock.forward(seconds=30)
        await joined.say("c1", "ау")
        await act(joined, desk.transfer, "anna", "Седло", queue="masters")
        assert (await joined.request()).transfer_seconds == 30

    async def test_limits_are_settings_of_the_pack(self, joined: World) -> None:
        strict = joined.desk.pack.with_settings({"escalation_warn_seconds": 5, "escalation_seconds": 10})
        running = escalation.running(strict, await joined.request(), START + timedelta(seconds=10))
        assert running == escalation.Running(10, Mark.OVERDUE)


class TestReport:
    @pytest.mark.rule("KPI-08")
    async def test_the_share_of_escalations_in_time(self, joined: World) -> None:
        await joined.say("c2", "нужна деталь")  # in time
        joined.clock.forward(seconds=300)
        await act(joined, desk.transfer, "anna", "Нужна ось", queue="masters")  # late
        joined.clock.forward(days=1)
        await joined.say("c3", "нужна деталь")

        async def share(**more: Any) -> tuple[int, int]:
            period = {"since": START, "until": START + timedelta(days=1), **more}
            async with joined.sessions() as session:
                found = await reports.escalations_in_time(session, **period)
            return found.part, found.whole

        assert await share() == (1, 2)  # the plain wish for a person was no escalation
        assert await share(until=START + timedelta(days=2)) == (2, 3)
        assert await share(queue="desk") == (0, 0)
        assert await share(channel="vk") == (0, 0)
        assert (reports.Share(1, 2).value, reports.Share(0, 0).value) == (0.5, None)
