"""Taking requests, and the bot's silence from then on."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import select

from bot import desk
from bot.errors import (
    AgentUnknown,
    NothingToTake,
    NotYourQueue,
    OffShift,
    RequestTaken,
)
from bot.models import Message, Request, State
from tests.bot.world import World, act

HANDED_OVER = "Очередь T-1001, место 1."


class TestTake:
    @pytest.mark.rule("CX-04")
    @pytest.mark.rule("CX-08")
    async def test_customer_hears_who_has_joined_and_agent_sees_all(self, world: World) -> None:
        await world.agent("anna")
        await world.say("c1", "абракадабра")
        await world.say("c1", "безобразие, мастера")
        world.events.clear()
        request = await world.take("anna")
        assert [one["event"] for one in world.events] == ["state", "inbox", "message"]
        assert world.told("message")[0]["text"] == "Мастер на связи T-1001."
        inbox = world.told("inbox")[0]
        assert inbox["agent"] == "anna"
        assert inbox["text"] == "безобразие, мастера"
        assert inbox["summary"]["priority"] == request.priority == "high"
        assert [(one["from"], one["text"]) for one in inbox["transcript"]] == [
            ("customer", "абракадабра"), ("bot", "Скажите иначе?"), ("customer", "безобразие, мастера"),
            ("system", HANDED_OVER),
        ]  # fmt: skip
        assert inbox["comment"].startswith("Тема: Человек")

    async def test_two_agents_never_get_the_same(self, world: World) -> None:
        for name in ("anna", "boris"):
            await world.agent(name)
        for chat in ("c1", "c2"):
            await world.say(chat, "мастера")
        taken = await asyncio.gather(world.take("anna"), world.take("boris"))
        assert {one.number for one in taken} == {"T-1001", "T-1002"}

    async def test_of_many_who_take_the_last_one_only_one_succeeds(self, world: World) -> None:
        names = [f"agent{number}" for number in range(5)]
        for name in names:
            await world.agent(name)
        await world.say("c1", "мастера")
        taken = await asyncio.gather(*(world.take(name) for name in names), return_exceptions=True)
        assert sum(isinstance(one, Request) for one in taken) == 1
        assert sum(isinstance(one, NothingToTake) for one in taken) == 4

    async def test_a_taken_request_by_name_is_refused(self, joined: World) -> None:
        with pytest.raises(RequestTaken) as refused:
            await joined.take("boris", "c1")
        assert refused.value.status == 409
        assert str(refused.value) == "Another agent has already taken this request."

    async def test_other_queues_and_off_shift_are_refused(self, world: World) -> None:
        await world.agent("anna", "masters")
        await world.agent("boris", on_shift=False)
        await world.say("c1", "мастера")
        with pytest.raises(NothingToTake):
            await world.take("anna")
        with pytest.raises(NotYourQueue):
            await world.take("anna", "c1")
        with pytest.raises(OffShift):
            await world.take("boris")
        with pytest.raises(AgentUnknown):
            await world.take("nobody")

    async def test_a_supervisor_may_take_any_by_name(self, world: World) -> None:
        await world.agent("chief", "masters", role="supervisor")
        await world.say("c1", "мастера")
        assert (await world.take("chief", "c1")).number == "T-1001"

    async def test_a_turn_in_progress_is_waited_for_not_run_over(self, world: World) -> None:
        await world.agent("anna")
        await world.say("c1", "мастера")
        world.nlu.pause = 0.3
        await world.receive(world.incoming("c1", text="готов ли велосипед"))
        turn = asyncio.create_task(world.settle())
        await asyncio.sleep(0.1)
        await world.take("anna")
        await turn
        (line,) = await world.rows(select(Message).where(Message.text == "готов ли велосипед"))
        assert line.request_id is not None


class TestSilence:
    async def test_the_bot_is_silent_and_the_agent_sees_the_words(self, joined: World) -> None:
        assert await joined.say("c1", "готов ли велосипед") == []
        assert [(one["agent"], one["text"]) for one in joined.told("inbox")] == [("anna", "готов ли велосипед")]

    async def test_what_the_bot_had_not_sent_yet_stays_unsent(self, world: World) -> None:
        await world.agent("anna")
        await world.say("c1", "мастера")
        await world.receive(world.incoming("c1", text="готов ли велосипед"))
        async with world.sessions.begin() as session:
            from bot import turns

            await turns.take_turn(session, world.tools, await world.id_of("c1"))
        async with world.sessions.begin() as session:
            await desk.take(session, world.desk, "anna", now=world.clock.now())
        assert await world.settle() == ["Мастер на связи T-1001."]
        (line,) = await world.rows(select(Message).where(Message.sender == "bot"))
        assert line.delivery == "refused"

    @pytest.mark.rule("CX-03")
    @pytest.mark.rule("CX-19")
    async def test_a_press_is_answered_by_the_system_and_is_no_message_to_the_agent(self, joined: World) -> None:
        first = await joined.press("c1", "Отменить обращение")
        second = await joined.press("c1", "Такой кнопки нет")
        assert {*first, *second} == {"Занимается Анна.", "Анна занимается."}  # CX-06: not the same twice in a row
        assert [one["from"] for one in joined.told("message")] == ["system", "system"]
        assert joined.told("message")[0]["rules"] == ["CX-03", "CX-19"]
        assert joined.told("inbox") == []
        assert (await joined.request()).state == State.ASSIGNED

    async def test_a_press_while_the_customer_is_waited_for_says_so_and_is_no_answer(self, joined: World) -> None:
        await act(joined, desk.wait, "anna")
        assert await joined.press("c1", "Отменить обращение") == ["Ждём вас T-1001."]
        assert (await joined.request()).state == State.WAITING_CUSTOMER

    @pytest.mark.rule("CX-13")
    async def test_a_question_for_the_state_is_answered_and_read_by_the_agent(self, joined: World) -> None:
        """Ruling 16: silent but for states of the request."""
        heard = [*await joined.say("c1", "что с обращением"), *await joined.say("c1", "что с обращением")]
        assert sorted(heard) == ["Анна занимается.", "Занимается Анна."]
        assert [one["text"] for one in joined.told("inbox")] == ["что с обращением"] * 2
        assert await joined.say("c1", "что с обращением\nготов ли велосипед") == []
        joined.nlu.down = True
        assert await joined.say("c1", "что с обращением") == []

    async def test_a_failure_of_ours_loses_no_word_to_the_agent(
        self, joined: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def fail(*_: object, **__: object) -> None:
            raise KeyError("a fault of ours")

        monkeypatch.setattr(joined.nlu, "parse", fail)
        assert await joined.say("c1", "ау") == []
        assert [one["text"] for one in joined.told("inbox")] == ["ау"]
        assert len(await joined.rows(select(Request))) == 1

    async def test_what_is_shown_on_taking_is_what_the_customer_wrote(self, world: World) -> None:
        await world.agent("anna")
        await world.say("c1", "абракадабра")
        await world.press("c1", "Позвать мастера")
        await world.take("anna")
        assert world.told("inbox")[0]["text"] == "абракадабра"
