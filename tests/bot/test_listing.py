"""Lists of requests: their order, what each person may see, filters, counts, and what a search finds."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from bot import agents, desk, listing, queues
from bot.listing import Filters, Page, Target
from bot.models import Conversation, Message, Request
from bot.searching import Question, find
from bot.sight import Scope
from tests.bot.world import World, act

ALL = Scope(everything=True)
DESK = Scope(queues=("desk",))


def _numbers(page: Page) -> list[str]:
    return [row.number for row in page.rows]


async def _look(world: World, list_of: Any, *args: Any, **more: Any) -> Any:
    async with world.sessions() as session:
        return await list_of(session, *args, **more)


async def _change(world: World, number: str, **values: Any) -> None:
    async with world.sessions.begin() as session:
        await session.execute(update(Request).where(Request.number == number).values(**values))


async def _open(world: World, *chats: str, words: str = "мастера", **more: Any) -> None:
    for chat in chats:
        await world.say(chat, words, **more)
        world.clock.forward(minutes=1)


async def _id(world: World, name: str) -> int:
    async with world.sessions() as session:
        return (await agents.get(session, name)).id


class TestWaiting:
    async def test_it_stands_in_the_order_in_which_requests_are_taken(self, world: World) -> None:
        await world.agent("anna")
        await _open(world, "c1", "c2", "c3", "c4")
        await _change(world, "T-1003", priority="urgent")
        await _change(world, "T-1004", vip=True)
        shown = await _look(world, listing.waiting, DESK)
        async with world.sessions() as session:
            anna = await agents.get(session, "anna")
            taken_in_order = await queues.candidates(session, anna, now=world.clock.now())
        assert _numbers(shown) == [one.number for one in taken_in_order] == ["T-1004", "T-1003", "T-1001", "T-1002"]

    async def test_only_ones_own_queues_are_seen(self, world: World) -> None:
        await _open(world, "c1", "c2")
        await _change(world, "T-1002", queue="masters")
        assert _numbers(await _look(world, listing.waiting, DESK)) == ["T-1001"]
        assert _numbers(await _look(world, listing.waiting, Scope(queues=("masters",)))) == ["T-1002"]
        assert _numbers(await _look(world, listing.waiting, ALL)) == ["T-1001", "T-1002"]
        assert _numbers(await _look(world, listing.waiting, Scope())) == []

    async def test_a_row_says_what_the_customer_wants_and_who_they_are(self, world: World) -> None:
        world.crm.riders["telegram:c1"] = {"id": "r1", "full_name": "Иванова Мария Петровна", "flags": []}
        await _open(world, "c1", words="безобразие, мастера", name="Маша")
        (row,) = (await _look(world, listing.waiting, DESK)).rows
        assert (row.name, row.wants, row.mood, row.channel) == ("Маша", "безобразие, мастера", "angry", "telegram")
        assert (row.state, row.topic, row.agent) == ("queued", "person", None)

    async def test_further_ones_are_told_of(self, world: World) -> None:
        await _open(world, "c1", "c2", "c3")
        some = await _look(world, listing.waiting, DESK, limit=2)
        assert (_numbers(some), some.more) == (["T-1001", "T-1002"], True)
        assert not (await _look(world, listing.waiting, DESK, limit=3)).more

    async def test_filters(self, world: World) -> None:
        await _open(world, "c1", "c2", "c3", "c4", "c5", "c6")
        await _open(world, "c7", channel="vk")
        narrowed: list[tuple[str, Filters, dict[str, Any]]] = [
            ("T-1002", Filters(queue="masters"), {"queue": "masters"}),
            ("T-1003", Filters(priority="urgent"), {"priority": "urgent"}),
            ("T-1004", Filters(topic="spare_part"), {"topic": "spare_part"}),
            ("T-1005", Filters(mood="angry"), {"summary": {"mood": "angry", "wants": "x"}}),
            ("T-1006", Filters(vip=True), {"vip": True}),
        ]
        for number, _, values in narrowed:
            await _change(world, number, **values)
        for number, filters, _ in narrowed:
            assert _numbers(await _look(world, listing.waiting, ALL, filters)) == [number], filters
        assert _numbers(await _look(world, listing.waiting, ALL, Filters(channel="vk"))) == ["T-1007"]
        assert _numbers(await _look(world, listing.waiting, ALL, Filters(channel="vk", vip=True))) == []
        assert len(_numbers(await _look(world, listing.waiting, ALL, Filters()))) == 7

    async def test_filters_by_the_time_of_the_first_answer(self, world: World) -> None:
        await _open(world, "c1", "c2", "c3")
        now = world.clock.now()
        await _change(world, "T-1002", warned_at=now)
        await _change(world, "T-1003", warned_at=now, breached_at=now)
        assert _numbers(await _look(world, listing.waiting, ALL, Filters(target=Target.NEAR))) == ["T-1002"]
        assert _numbers(await _look(world, listing.waiting, ALL, Filters(target=Target.LATE))) == ["T-1003"]


class TestMine:
    async def test_who_waits_for_an_answer_comes_first_the_longest_before(self, world: World) -> None:
        await world.agent("anna", title="Анна")
        await _open(world, "c1", "c2", "c3", "c4")
        for chat in ("c1", "c2", "c3", "c4"):
            await world.take("anna", chat)
            await act(world, desk.reply, "anna", "Здравствуйте!", chat=chat)
            world.clock.forward(minutes=1)
        await act(world, desk.wait, "anna", chat="c1")
        await world.say("c4", "а когда?")
        world.clock.forward(minutes=1)
        await world.say("c3", "и ещё вопрос")
        mine = await _look(world, listing.mine, await _id(world, "anna"))
        assert _numbers(mine) == ["T-1004", "T-1003", "T-1002", "T-1001"]
        assert [row.unanswered for row in mine.rows] == [True, True, False, False]
        assert mine.rows[0].last_text == "а когда?"
        assert mine.rows[2].last_text is None  # the agent's own words are not what they look for

    async def test_nobody_elses(self, joined: World) -> None:
        assert _numbers(await _look(joined, listing.mine, await _id(joined, "boris"))) == []


class TestLive:
    async def test_what_waits_comes_before_what_is_in_hand(self, joined: World) -> None:
        await _open(joined, "c2")
        live = await _look(joined, listing.live, ALL)
        assert [(row.number, row.state, row.agent) for row in live.rows] == [
            ("T-1002", "queued", None), ("T-1001", "assigned", "Анна"),
        ]  # fmt: skip


class TestOver:
    async def test_the_latest_first_and_ones_own_of_other_queues_too(self, joined: World) -> None:
        await act(joined, desk.resolve, "anna")
        joined.clock.forward(minutes=5)
        await _open(joined, "c2")
        await joined.press("c2", "Отменить обращение")
        await _change(joined, "T-1001", queue="masters")
        anna, boris = await _id(joined, "anna"), await _id(joined, "boris")
        own = Scope(queues=("desk",), agent=anna)
        assert _numbers(await _look(joined, listing.over, own)) == ["T-1002", "T-1001"]
        assert _numbers(await _look(joined, listing.over, Scope(queues=("desk",), agent=boris))) == ["T-1002"]


class TestTargets:
    async def test_what_is_pressing_has_no_answer_and_the_earliest_time_first(self, joined: World) -> None:
        await _open(joined, "c2", "c3", "c4")
        now = joined.clock.now()
        for number, minutes in (("T-1001", -9), ("T-1002", 4), ("T-1003", -2)):
            late = now if minutes < 0 else None
            target = now + timedelta(minutes=minutes)
            await _change(joined, number, target_at=target, warned_at=now, breached_at=late)
        await _change(joined, "T-1001", answered_at=now)
        pressing = await _look(joined, listing.pressing, ALL)
        assert [(row.number, row.target) for row in pressing.rows] == [("T-1003", Target.LATE), ("T-1002", Target.NEAR)]

    async def test_what_was_answered_late_stays_on_the_list_of_those_missed(self, joined: World) -> None:
        await _open(joined, "c2", "c3")
        now = joined.clock.now()
        await _change(joined, "T-1001", target_at=now, breached_at=now, answered_at=now)
        await _change(joined, "T-1002", target_at=now, breached_at=now - timedelta(minutes=5))
        assert _numbers(await _look(joined, listing.late, ALL)) == ["T-1002", "T-1001"]


class TestCounts:
    async def test_by_queue(self, joined: World) -> None:
        await _open(joined, "c2", "c3")
        await _change(joined, "T-1003", queue="masters")
        counted = await _look(joined, listing.counts, ALL)
        assert counted.waiting == {"desk": 1, "masters": 1}
        assert counted.live == {"desk": 2, "masters": 1}
        assert (await _look(joined, listing.counts, DESK)).live == {"desk": 2}


@pytest.mark.rule("VIP-01")
async def test_a_personal_manager_sees_their_customer_in_whichever_queue(world: World) -> None:
    await world.agent("anna", "masters")
    await _open(world, "c1")
    now = world.clock.now()
    await _change(world, "T-1001", manager="anna", claim_until=now + timedelta(seconds=60))
    assert [row.number for row in await _look(world, listing.reserved, "anna", now=now)] == ["T-1001"]
    assert await _look(world, listing.reserved, "anna", now=now + timedelta(seconds=61)) == ()
    assert await _look(world, listing.reserved, "boris", now=now) == ()


# ----------------------------------------------------------------------------------------------------------- search
class TestQuestion:
    @pytest.mark.parametrize(
        ("text", "meant"),
        [
            ("T-1042", {"number": "T-1042"}), ("т1042", {"number": "T-1042"}), ("1042", {"number": "T-1042", "tail": "1042", "order": "1042"}),
            ("№ 48213", {"order": "48213"}), ("заказ 48213", {"order": "48213"}),
            ("8 (916) 123-45-67", {"phone": "9161234567", "words": None}), ("+79161234567", {"phone": "9161234567"}),
            ("916 123 45 67", {"phone": "9161234567"}),
            ("Мария", {"name": "мария:*"}), ("не пришла посылка", {"words": "не & пришла:* & посылка:*"}),
            ('"не пришла" -деньги', {"exactly": '"не пришла" -деньги'}), ("  ", {"text": "", "words": None, "name": None}),
            ("a:* | b & !c)", {"words": None}),
        ],
    )  # fmt: skip
    def test_what_was_typed_may_mean(self, text: str, meant: dict[str, str | None]) -> None:
        question = Question.of(text)
        assert {name: getattr(question, name) for name in meant} == meant


class TestFind:
    @pytest.fixture
    async def full(self, world: World) -> World:
        """Two customers who have written, one request each, in two queues."""
        await world.agent("anna", title="Анна")
        await world.say("c1", "Здравствуйте, не пришла посылка с ёлкой", name="Маша")
        await world.say("c1", "мастера")
        await world.say("c2", "Позвоните на 8 (916) 123-45-67 вечером", name="Пётр Ильич")
        await world.say("c2", "мастера")
        await _change(world, "T-1001", orders=["48213"])
        await _change(world, "T-1002", queue="masters", customer_id="r7", call_phone="+79990000001")
        return world

    async def _found(self, world: World, text: str, scope: Scope = ALL, **more: Any) -> list[str]:
        async with world.sessions() as session:
            return _numbers(await find(session, scope, Question.of(text), **more))

    async def test_by_number_order_telephone_name_and_words(self, full: World) -> None:
        one = ["T-1001", "1001", "48213", "№48213", "маша", "Маши", "посылку", "посылки елки", '"не пришла посылка"']
        two = ["т 1002", "89161234567", "+7 916 123 45 67", "9990000001", "0001", "петр", "ильич пёт", "вечер"]
        for found, texts in (("T-1001", one), ("T-1002", two)):
            for text in texts:
                assert await self._found(full, text) == [found], text

    async def test_what_is_not_there_is_not_found(self, full: World) -> None:
        for text in (
            "T-1",
            "9161234568",
            "велосипедист",
            '"посылка не пришла"',
            "посылку -ёлка",
            "и",
            "'; DROP TABLE",
            "%",
            "x:*",
        ):
            assert await self._found(full, text) == [], text

    async def test_the_line_that_was_found_is_told(self, full: World) -> None:
        async with full.sessions() as session:
            page = await find(session, ALL, Question.of("посылка"))
        assert page.rows[0].said == "Здравствуйте, не пришла посылка с ёлкой"

    async def test_words_of_the_bot_and_titles_of_buttons_are_no_words_of_the_talk(self, full: World) -> None:
        async with full.sessions.begin() as session:
            conversation = (await session.get(Conversation, await full.id_of("c1"))) or Conversation()
            session.add(_line(full, conversation.id, "bot", "абракадабра", delivery="sent"))
            session.add(_line(full, conversation.id, "customer", "кнопочка", press="intent:x"))
            session.add(_line(full, conversation.id, "note", "заметочка"))
        assert await self._found(full, "абракадабра") == []
        assert await self._found(full, "кнопочка") == []
        assert await self._found(full, "заметочка") == ["T-1001"]

    async def test_only_what_may_be_seen(self, full: World) -> None:
        for text in ("T-1002", "89161234567", "9990000001", "петр", "вечером"):
            assert await self._found(full, text, DESK) == [], text
        await _change(full, "T-1002", last_agent_id=await _id(full, "anna"))
        own = Scope(queues=("desk",), agent=await _id(full, "anna"))
        for text in ("T-1002", "89161234567", "9990000001", "петр", "вечером"):
            assert await self._found(full, text, own) == ["T-1002"], text

    async def test_whose_number_the_crm_says_it_is(self, full: World) -> None:
        assert await self._found(full, "+79995554433", customers=["r7"]) == ["T-1002"]

    async def test_a_request_found_in_several_ways_comes_once(self, full: World) -> None:
        async with full.sessions.begin() as session:
            session.add(_line(full, await full.id_of("c1"), "customer", "Мой заказ 48213, это Маша"))
        assert await self._found(full, "маша") == ["T-1001"]
        assert await self._found(full, "48213") == ["T-1001"]


def _line(world: World, conversation_id: int, sender: str, text: str, **more: Any) -> Message:
    return Message(conversation_id=conversation_id, sender=sender, at=world.clock.now(), text=text, **more)
