"""Waiting for the customer, solving, and coming back."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from bot import desk
from bot.channels import Media
from bot.errors import (
    Refused,
    RequestGone,
    ResolutionUnknown,
)
from bot.models import Label, State
from tests.bot.world import World, act, heard


class TestWait:
    async def test_the_customers_answer_goes_on_with_the_same_agent(self, joined: World) -> None:
        await act(joined, desk.wait, "anna", until=joined.clock.now() + timedelta(hours=2))
        assert (await heard(joined), joined.states()) == (["Ждём вас T-1001."], ["waiting_customer"])
        assert await joined.say("c1", "вот номер") == []
        assert joined.states() == ["waiting_customer", "assigned"]
        assert joined.told("inbox")[-1]["text"] == "вот номер"

    async def test_after_the_time_it_is_the_agents_again(self, joined: World) -> None:
        await act(joined, desk.wait, "anna", until=joined.clock.now() + timedelta(hours=2))
        assert await joined.pass_time(hours=1) == []
        assert (await joined.request()).state == State.WAITING_CUSTOMER
        await joined.pass_time(hours=1)
        assert (await joined.request()).state == State.ASSIGNED

    async def test_an_agent_who_went_home_is_not_waited_for(self, joined: World) -> None:
        await act(joined, desk.wait, "anna")
        await joined.do(desk.shift_off, joined.desk, "anna", now=joined.clock.now())
        assert (await joined.request()).state == State.WAITING_CUSTOMER
        assert await joined.say("c1", "вот номер") == ["Ответит другой мастер T-1001."]
        assert (await joined.take("boris")).number == "T-1001"


class TestResolve:
    @pytest.mark.rule("CX-07")
    async def test_customer_is_asked_and_a_reply_reopens_with_the_same_agent(self, joined: World) -> None:
        await act(joined, desk.resolve, "anna", text="Объяснила")
        assert (await heard(joined), joined.states()) == (["Решено T-1001. Помогло?"], ["solved"])
        joined.clock.forward(hours=20)
        assert await joined.say("c1", "опять не работает") == ["Снова открыто T-1001."]
        assert joined.states() == ["solved", "reopened"]
        assert joined.told("inbox")[-1]["agent"] == "anna"
        assert (await joined.request()).state == State.ASSIGNED

    @pytest.mark.rule("CX-07")
    async def test_with_the_agent_off_shift_it_goes_to_the_queue(self, joined: World) -> None:
        await act(joined, desk.resolve, "anna")
        await joined.do(desk.shift_off, joined.desk, "anna", now=joined.clock.now())
        assert await joined.press("c1", "Не помогло") == ["Снова открыто T-1001."]
        assert (await joined.take("boris")).number == "T-1001"

    @pytest.mark.rule("CX-03")
    async def test_back_in_the_queue_it_can_be_taken_back(self, joined: World) -> None:
        await act(joined, desk.resolve, "anna")
        await joined.do(desk.shift_off, joined.desk, "anna", now=joined.clock.now())
        await joined.say("c1", "опять не работает")
        assert joined.told("message")[-1]["buttons"] == ["Отменить обращение"]
        assert await joined.press("c1", "Отменить обращение") == ["Отменено T-1001."]
        assert (await joined.request()).state == State.CANCELLED

    @pytest.mark.rule("CX-07")
    async def test_yes_it_helped_closes_it_kindly(self, joined: World) -> None:
        await act(joined, desk.resolve, "anna")
        assert joined.told("message")[-1]["buttons"] == ["Помогло", "Не помогло"]
        assert await joined.press("c1", "Помогло") == ["Рады, что помогло T-1001."]
        assert joined.states() == ["solved", "closed"]
        assert await joined.say("c1", "готов ли велосипед") == ["Велосипед готов."]

    @pytest.mark.rule("CX-07")
    async def test_a_written_yes_is_the_same_but_only_as_an_answer(self, joined: World) -> None:
        await act(joined, desk.resolve, "anna")
        assert await joined.say("c1", "спасибо") == ["Рады помочь."]
        assert await joined.say("c1", "да") == ["Ничего не изменилось."]  # to the bot, not to «помогло?»
        assert (await joined.request()).state == State.SOLVED
        await joined.say("c2", "мастера")
        await joined.take("anna", "c2")
        await joined.do(desk.resolve, joined.desk, "anna", await joined.id_of("c2"), now=joined.clock.now())
        assert await joined.say("c2", "да") == ["Рады, что помогло T-1002."]

    @pytest.mark.rule("CX-07")
    async def test_old_buttons_and_stickers_do_not_reopen(self, joined: World) -> None:
        await act(joined, desk.resolve, "anna")
        assert await joined.press("c1", "Такой кнопки нет") == ["Эта кнопка уже не нужна."]
        sticker = joined.incoming("c1", attachments=(Media("sticker"),))
        assert await joined.hear(sticker) == ["Получили."]
        assert (await joined.request()).state == State.SOLVED

    @pytest.mark.rule("CX-07")
    async def test_what_was_not_solved_is_not_called_solved(self, joined: World) -> None:
        await act(joined, desk.resolve, "anna", resolution="not_solved", text="Нет такой детали")
        assert (await heard(joined), joined.states()) == (["Закончено T-1001."], ["solved"])
        assert joined.told("message")[-1]["buttons"] == ["Не помогло"]
        assert await joined.say("c1", "да") == ["Снова открыто T-1001."]
        assert (await joined.request()).state == State.ASSIGNED

    @pytest.mark.rule("CX-07")
    async def test_it_closes_when_the_time_is_over(self, joined: World) -> None:
        await act(joined, desk.resolve, "anna")
        assert await joined.pass_time(hours=23) == []
        assert await joined.pass_time(hours=1) == ["Закрыто T-1001."]
        assert joined.states() == ["solved", "closed"]
        assert await joined.say("c1", "готов ли велосипед") == ["Велосипед готов."]

    async def test_thanks_leaves_it_solved_and_the_time_running(self, joined: World) -> None:
        await act(joined, desk.resolve, "anna")
        assert await joined.say("c1", "спасибо") == ["Рады помочь."]
        assert (await joined.request()).state == State.SOLVED
        await joined.say("c1", "но колесо скрипит")
        assert (await joined.request()).state == State.ASSIGNED

    async def test_the_solution_is_known_at_the_next_contact(self, joined: World) -> None:
        await act(joined, desk.resolve, "anna", text="Заменили цепь")
        joined.clock.forward(hours=30)
        async with joined.sessions.begin() as session:
            from bot import sweep

            await sweep.sweep(session, joined.desk, joined.clock.now())
        await joined.say("c1", "мастера")
        (earlier,) = (await joined.request("T-1002")).summary["contacts_before"]
        assert (earlier["number"], earlier["solution"], earlier["agent"]) == ("T-1001", "Заменили цепь", "anna")

    async def test_another_category_is_a_label(self, joined: World) -> None:
        await act(joined, desk.resolve, "anna", category="spare_part")
        labels = await joined.rows(select(Label).where(Label.reason == "corrected"))
        assert [(one.text, one.hint) for one in labels] == [("мастера", "spare_part")]

    async def test_afterwards_nothing_more_can_be_done(self, joined: World) -> None:
        with pytest.raises(ResolutionUnknown):
            await act(joined, desk.resolve, "anna", resolution="maybe")
        await act(joined, desk.resolve, "anna")
        for action, more in ((desk.reply, ("Ещё",)), (desk.decline, ("Нет",)), (desk.resolve, ())):
            with pytest.raises(RequestGone):
                await act(joined, action, "anna", *more)

    async def test_a_refused_action_changes_nothing(self, joined: World) -> None:
        before = await joined.transcript()
        with pytest.raises(Refused):
            await act(joined, desk.transfer, "anna", "Возьми", queue="nowhere")
        assert await joined.transcript() == before
        assert joined.events == []
