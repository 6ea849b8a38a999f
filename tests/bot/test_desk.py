"""What agents do with requests, and what customers hear of it."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from bot import desk, reports
from bot.channels import Media
from bot.errors import (
    AgentUnknown,
    CommentMissing,
    FirstlineError,
    NothingToTake,
    NotRead,
    NotYourQueue,
    NotYourRequest,
    OffShift,
    QueueUnknown,
    Refused,
    RequestGone,
    RequestTaken,
    ResolutionUnknown,
    TargetOffShift,
)
from bot.models import Conversation, Label, Message, Request, RequestEvent, State
from tests.bot.world import DAY, World, act, heard

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


class TestReply:
    async def test_the_customer_reads_it_under_the_agents_title(self, joined: World) -> None:
        await act(joined, desk.reply, "anna", "Сейчас посмотрю.")
        (message,) = joined.told("message")
        assert (message["from"], message["text"], message["name"]) == ("agent", "Сейчас посмотрю.", "Анна")
        assert (await joined.request()).answered_at == joined.clock.now()

    async def test_only_whose_request_it_is_may_write(self, joined: World) -> None:
        with pytest.raises(NotYourRequest):
            await act(joined, desk.reply, "boris", "Я!")

    async def test_a_note_is_for_colleagues_only(self, joined: World) -> None:
        await act(joined, desk.note, "anna", "Клиент спешит.")
        assert joined.told("message") == []
        assert ("note", "Клиент спешит.") in await joined.transcript()


class TestReadingFirst:
    """What the one who takes over owes the customer (L2-10, L2-11, L2-12)."""

    @pytest.mark.rule("L2-10")
    async def test_nobody_replies_who_was_not_shown_the_request(self, joined: World) -> None:
        async with joined.sessions.begin() as session:  # a desk that gives work without showing it
            await session.execute(update(Request).values(read_by=None))
        for action, args in ((desk.reply, ("Да?",)), (desk.hold, ())):
            with pytest.raises(NotRead):
                await act(joined, action, "anna", *args)
        await act(joined, desk.read, "anna")
        (inbox,) = joined.told("inbox")
        assert {"summary", "comment", "transcript"} <= {*inbox}
        await act(joined, desk.reply, "anna", "Да?")
        assert await heard(joined) == ["Да?"]

    @pytest.mark.rule("L2-10")
    async def test_a_colleague_who_gets_it_is_shown_it_and_may_reply(self, joined: World) -> None:
        await act(joined, desk.transfer, "anna", "Твой", to="boris")
        await act(joined, desk.reply, "boris", "Здравствуйте.")
        assert [one["agent"] for one in joined.told("inbox")] == ["boris"]

    @pytest.mark.rule("L2-11")
    async def test_a_few_seconds_for_reading_are_asked_for_in_the_packs_words(self, joined: World) -> None:
        await act(joined, desk.hold, "anna")
        (message,) = joined.told("message")
        assert (message["from"], message["name"], message["text"]) == ("agent", "Анна", "Читаю переписку.")
        assert message["rules"] == ["L2-11"]
        assert (await joined.request()).answered_at is None  # no answer yet

    @pytest.mark.rule("L2-12")
    async def test_questions_whose_answer_is_on_record_are_counted(self, world: World) -> None:
        await world.agent("anna", "masters")
        await world.say("c1", "покраска")
        await world.say("c1", "красная")
        await world.take("anna")
        await act(world, desk.reply, "anna", "Здравствуйте! Какой цвет?")  # collected
        await act(
            world, desk.reply, "anna", "Какого цвета нужна рама? Как вас зовут?"
        )  # the bot's own words; not known
        await act(world, desk.reply, "anna", "Цвет красный. Когда удобно? Удобно?")  # nothing of it
        assert (await world.request()).asked_again == 2
        async with world.sessions() as session:
            period = {"since": world.clock.now(), "until": world.clock.now() + DAY}
            assert await reports.repeated_questions(session, **period) == reports.Share(2, 1)


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
