"""Speaking with the customer, who has been read first."""

from __future__ import annotations

import pytest
from sqlalchemy import update

from bot import desk, reports
from bot.errors import (
    NotRead,
    NotYourRequest,
)
from bot.models import Request
from tests.bot.world import DAY, World, act, heard


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
