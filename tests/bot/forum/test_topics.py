"""Topics follow the store, whatever happens to them, to Telegram and to the process that keeps them."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from sqlalchemy import delete, select, update

from bot import desk, signs
from bot.forum import board
from bot.models import Conversation, ForumTopic, Message, Request
from bot.standins import faults
from bot.standins.telegram import refuses, too_many
from bot.web.health import look
from bot.web.parts import Parts
from tests.bot.forum.conftest import ANNA, GROUP, MASTERS, Rig, make_rig, until
from tests.bot.forum.test_desk import raised


def in_group(rig: Rig, fault: faults.Fault) -> faults.Fault:
    """A fault of the next call that concerns a group; what goes to customers meanwhile goes well."""

    async def only(request: web.Request, answer: faults.Answer) -> web.StreamResponse:
        form = await request.post()
        if int(str(form["chat_id"])) < 0:
            return await fault(request, answer)
        rig.server.faults.first(request.match_info["method"], only)
        return await answer()

    return only


class Killed(BaseException):
    """The end of a process, as no code of ours can catch it."""


class TestDeletedAndClosed:
    async def test_a_deleted_topic_is_made_anew_with_card_and_last_lines_and_goes_on(self, rig: Rig) -> None:
        thread = await raised(rig)
        rig.server.says_in(GROUP, ANNA, "Добрый день!", thread=thread)
        await rig.hears("Добрый день!")
        await rig.quiet()
        rig.server.deletes_topic(GROUP, thread)
        rig.server.writes(42, "вы тут?")
        anew = (await rig.topic()).thread
        assert anew != thread
        told = await rig.reads("👤 Мария №42: мастера", "🎧 Анна: Добрый день!", "👤 Мария №42: вы тут?", thread=anew)
        assert told.count("вы тут?") == 1
        rig.server.says_in(GROUP, ANNA, "Тут", thread=anew)
        await rig.hears("Тут")

    async def test_a_deleted_topic_of_an_ended_request_is_not_made_again(self, rig: Rig) -> None:
        thread = await raised(rig)
        rig.server.says_in(GROUP, ANNA, "/take", thread=thread)
        await rig.reads("Взято", thread=thread)
        await rig.quiet()
        await rig.hide()
        rig.server.deletes_topic(GROUP, thread)
        rig.server.says_in(GROUP, ANNA, "/resolve готово", thread=thread)
        await rig.quiet()
        rig.show()
        row = await rig.row()
        async with asyncio.timeout(40):
            while row.thread is not None:
                await asyncio.sleep(0.05)
                row = await rig.row()
        await rig.quiet()
        assert [one for one in rig.group.topics.values() if not one.deleted] == []

    async def test_a_topic_that_somebody_closed_is_opened_when_there_is_news(self, rig: Rig) -> None:
        thread = await raised(rig)
        await rig.quiet()
        rig.server.closes_topic(GROUP, ANNA, thread)
        rig.server.faults.add("sendMessage", in_group(rig, refuses(400, "Bad Request: TOPIC_CLOSED")))
        rig.server.says_in(GROUP, ANNA, "/take", thread=thread)
        await rig.reads("Взято в работу (Анна)", thread=thread)
        assert not rig.group.topics[thread].closed

    async def test_a_deleted_card_is_written_and_pinned_again(self, rig: Rig) -> None:
        thread = await raised(rig)
        await rig.quiet()
        card = await rig.card(rig.group.topics[thread])
        rig.group.posts.remove(card)
        rig.server.says_in(GROUP, ANNA, "/take", thread=thread)
        await until(lambda: len(rig.group.topics[thread].pinned) == 2)
        assert "в работе: Анна" in (await rig.card(rig.group.topics[thread])).text


class TestTrouble:
    async def test_a_bot_without_rights_is_seen_on_the_health_page_and_goes_on_when_it_has_them(self, rig: Rig) -> None:
        await rig.hide()
        rig.group.manages = False
        rig.show()
        await until(lambda: not signs.of(signs.DESK, str(GROUP)).well)
        rig.server.writes(42, "мастера")
        await rig.hears("Очередь T-1001")
        engine = rig.world.sessions.kw["bind"]
        part = (await look(Parts(engine=engine)))["telegram_desks"]
        assert (part["ok"], part["needed"]) == (False, False)
        assert "may not manage topics" in part["groups"][str(GROUP)]["why"]
        rig.server.changes_rights(GROUP, manages=True)
        thread = (await rig.topic()).thread
        await rig.reads("👤 Мария №42: мастера", thread=thread)
        assert (await look(Parts(engine=engine)))["telegram_desks"]["ok"]

    async def test_rights_that_are_lost_while_it_works_stop_only_the_topics(self, rig: Rig) -> None:
        thread = await raised(rig)
        rig.server.says_in(GROUP, ANNA, "/take", thread=thread)
        await rig.reads("Взято", thread=thread)
        rig.group.status = "kicked"
        rig.server.writes(42, "ау")
        await until(lambda: not signs.of(signs.DESK, str(GROUP)).well)
        conversation = await rig.world.id_of("42")
        async with rig.world.sessions.begin() as session:
            await desk.reply(session, rig.world.desk, "anna", conversation, "Слушаю", now=rig.world.clock.now())
        await rig.hears("Слушаю")
        rig.server.changes_rights(GROUP, status="administrator")
        told = await rig.reads("👤 Мария №42: ау", "🎧 Анна: Слушаю", thread=thread)
        assert told.count("ау") == 1

    async def test_without_the_right_to_pin_it_works_without_pins(self, rig: Rig) -> None:
        rig.group.pins = False
        rig.server.writes(42, "мастера")
        await until(lambda: bool(rig.group.topics))
        thread = next(iter(rig.group.topics))
        await rig.reads("Пишет: «мастера»", "👤 Мария №42: мастера", thread=thread)
        assert rig.group.topics[thread].pinned == []

    async def test_it_waits_as_long_as_telegram_asks(self, rig: Rig) -> None:
        thread = await raised(rig)
        await rig.quiet()
        rig.server.faults.add("sendMessage", in_group(rig, too_many(2)))
        asked = time.monotonic()
        rig.server.says_in(GROUP, ANNA, "/take", thread=thread)
        await rig.reads("Взято", thread=thread)
        assert time.monotonic() - asked >= 2
        await rig.quiet()
        assert "\n".join(rig.group.said(thread)).count("Взято") == 1

    async def test_a_text_that_telegram_refuses_does_not_hold_up_the_next(self, rig: Rig) -> None:
        thread = await raised(rig)
        rig.server.says_in(GROUP, ANNA, "/take", thread=thread)
        await rig.reads("Взято", thread=thread)
        await rig.quiet()
        rig.server.faults.add("sendMessage", in_group(rig, refuses(400, "Bad Request: something new")))
        rig.server.writes(42, "первое")
        await until(lambda: not rig.server.faults._next["sendMessage"])
        rig.server.writes(42, "второе")
        await rig.reads("второе", thread=thread)


class TestOnce:
    @pytest.mark.parametrize("after", [False, True], ids=["before the call", "after the call"])
    @pytest.mark.parametrize("step", ["create", "send", "pin", "edit", "react", "shut"])
    async def test_killed_around_any_call_it_leaves_out_nothing_and_repeats_that_call_at_most(
        self, rig: Rig, step: str, *, after: bool
    ) -> None:
        """The process is gone between a call and what is written down of it: the only moment that can double something."""
        await rig.hide()
        doomed, died = rig.make(), asyncio.Event()
        call = getattr(doomed.api, step)

        async def dies(*args: Any, **more: Any) -> Any:
            if after:
                await call(*args, **more)
            died.set()
            raise Killed

        doomed.api.__dict__[step] = dies
        running = asyncio.create_task(doomed.run())
        rig.server.writes(42, "мастера")
        if step in ("edit", "react", "shut"):
            thread = (await rig.topic()).thread
            rig.server.says_in(GROUP, ANNA, "Добрый день!", thread=thread)
            await rig.hears("Добрый день!")
            rig.server.says_in(GROUP, ANNA, "/resolve готово", thread=thread)
        async with asyncio.timeout(40):
            await died.wait()
        with pytest.raises(BaseExceptionGroup):
            await running
        await doomed.close()
        rig.show()
        rig.server.writes(42, "ещё вопрос")
        topic = await rig.topic()
        await rig.reads("👤 Мария №42: ещё вопрос", thread=topic.thread)
        await rig.quiet()
        told = "\n".join(rig.group.said(topic.thread))
        cards = [post for post in rig.group.posts if "Пишет: «мастера" in post.text]
        assert len(rig.group.topics) == 1 + int(after and step == "create")
        assert len(cards) == 1 + int(after and step == "send")
        assert set(topic.pinned) == {cards[-1].message_id}
        assert told.count("👤 Мария №42: мастера") == told.count("👤 Мария №42: ещё вопрос") == 1

    async def test_an_answer_that_is_lost_once_repeats_one_message_and_no_more(self, rig: Rig) -> None:
        thread = await raised(rig)
        rig.server.says_in(GROUP, ANNA, "/take", thread=thread)
        await rig.reads("Взято", thread=thread)
        await rig.quiet()
        rig.server.faults.add("sendMessage", in_group(rig, faults.lost()), times=5)
        rig.server.writes(42, "раз")
        await rig.reads("№42: раз", thread=thread)
        async with asyncio.timeout(40):
            while "\n".join(rig.group.said(thread)).count("№42: раз") < 2:
                rig.world.clock.forward(seconds=5)
                await asyncio.sleep(0.2)
        rig.world.clock.forward(seconds=30)
        rig.server.faults._next["sendMessage"].clear()
        rig.server.writes(42, "два")
        await rig.reads("два", thread=thread)
        await rig.quiet()
        told = "\n".join(rig.group.said(thread))
        assert (told.count("№42: раз"), told.count("№42: два")) == (2, 1)

    async def test_two_processes_show_each_line_once(self, rig: Rig) -> None:
        other = rig.make()
        running = asyncio.create_task(other.run())
        try:
            thread = await raised(rig)
            rig.server.says_in(GROUP, ANNA, "/take", thread=thread)
            await rig.reads("Взято", thread=thread)
            for number in range(5):
                rig.server.writes(42, f"строка {number}")
                await rig.reads(f"строка {number}", thread=thread)
            await rig.hide()  # the other one takes over, or leads already
            rig.server.writes(42, "последняя")
            await rig.reads("последняя", thread=thread)
            await rig.quiet()
            told = "\n".join(rig.group.said(thread))
            assert all(told.count(f"строка {number}") == 1 for number in range(5))
            assert len(rig.group.topics) == 1
            rig.show()
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            await other.close()

    async def test_a_line_that_is_stored_late_is_shown_although_a_later_one_stands_there(self, rig: Rig) -> None:
        thread = await raised(rig)
        await rig.quiet()
        conversation = await rig.world.id_of("42")
        now = rig.world.clock.now()
        line = {"conversation_id": conversation, "at": now, "sender": "customer", "read_at": now}
        async with rig.world.sessions() as slow, rig.world.sessions.begin() as quick:
            slow.add(Message(text="начата первой", **line))
            await slow.flush()
            quick.add(Message(text="начата второй", **line))
            await quick.commit()
            await rig.reads("начата второй", thread=thread)
            await slow.commit()
        await rig.reads("начата первой", thread=thread)
        await rig.quiet()
        told = "\n".join(rig.group.said(thread))
        assert told.count("начата первой") == told.count("начата второй") == 1

    async def test_what_agents_wrote_while_no_process_obeyed_is_done_once_later(
        self, address: str, tmp_path: Path
    ) -> None:
        async with make_rig(address, tmp_path) as rig:
            await rig.agent("anna", ANNA, title="Анна")
            rig.start()
            thread = await raised(rig)
            await rig.quiet()
            await rig.stop()
            rig.tasks = [asyncio.create_task(rig.channel.run(rig.receive))]  # receives only
            rig.server.says_in(GROUP, ANNA, "Пока никто не работал", thread=thread)
            await until(lambda: not rig.server.waiting)
            await rig.stop()
            rig.start()
            await rig.hears("Пока никто не работал")
            assert sum("Пока никто" in one.text for one in rig.server.sent) == 1


class TestMuchToShow:
    async def test_a_group_gets_no_more_in_a_minute_than_telegram_takes(self, address: str, tmp_path: Path) -> None:
        async with make_rig(address, tmp_path, a_minute=60) as rig:  # a fifth at once, then 0.8 a second
            rig.server.most_per_minute = 60
            await rig.agent("anna", ANNA, title="Анна")
            rig.start()
            thread = await raised(rig)
            rig.server.says_in(GROUP, ANNA, "/take", thread=thread)
            await rig.reads("Взято", thread=thread)
            for number in range(30):
                rig.server.writes(42, f"строка {number:02}")
                await asyncio.sleep(0.05)
            await rig.reads("строка 29", thread=thread)
            told = "\n".join(rig.group.said(thread))
            places = [told.index(f"строка {number:02}") for number in range(30)]
            assert places == sorted(places)
            posts = [post for post in rig.group.posts if "строка" in post.text]
            assert len(posts) < 30  # joined, where the pace did not let each go alone

            times = rig.server.times[f"{GROUP}:messages"]
            assert all(
                later - first > 0.9 for first, later in zip(times, times[13:], strict=False)
            )  # never more than the burst at once

    async def test_long_lines_become_several_messages_and_nothing_is_lost(self, rig: Rig) -> None:
        thread = await raised(rig)
        rig.server.says_in(GROUP, ANNA, "/take", thread=thread)
        await rig.reads("Взято", thread=thread)
        words = " ".join(f"слово{number}" for number in range(450))
        assert 3800 < len(words) < 4096
        rig.server.writes(42, words)
        await rig.reads("слово449", thread=thread)
        told = " ".join(" ".join(rig.group.said(thread)).split())
        assert all(told.count(f"слово{number} ") == 1 for number in range(449) if not (0 < number < 45))

    async def test_after_a_long_absence_the_last_lines_come_and_it_is_said_how_many_are_left_out(
        self, rig: Rig
    ) -> None:
        thread = await raised(rig)
        rig.server.says_in(GROUP, ANNA, "/take", thread=thread)
        await rig.reads("Взято", thread=thread)
        await rig.quiet()
        await rig.hide()
        conversation, now = await rig.world.id_of("42"), rig.world.clock.now()
        async with rig.world.sessions.begin() as session:
            session.add_all(
                Message(conversation_id=conversation, at=now, sender="customer", read_at=now, text=f"давно {number:03}")
                for number in range(100)
            )
        rig.show()
        told = await rig.reads("ещё строк до этого: 70", "давно 070", "давно 099", thread=thread)
        assert "давно 069" not in told

    async def test_customers_photos_come_into_the_topic(self, rig: Rig) -> None:
        thread = await raised(rig)
        rig.server.says_in(GROUP, ANNA, "/take", thread=thread)
        await rig.reads("Взято", thread=thread)
        picture = rig.server.keeps(b"\xff\xd8\xff\xe0" + b"1" * 300, "photos/7.jpg")
        rig.server.writes(42, caption="вот поломка", photo=[{**picture, "width": 9, "height": 9}])
        await rig.reads("вот поломка", "📎 фото", thread=thread)
        await until(lambda: any(post.kind == "photo" for post in rig.group.posts))
        sent = [post for post in rig.group.posts if post.file is not None]
        assert [(post.file, post.thread) for post in sent] == [(b"\xff\xd8\xff\xe0" + b"1" * 300, thread)]
        assert sent[0].text == "📎 Мария №42"

    async def test_the_most_urgent_come_first(self, address: str, tmp_path: Path) -> None:
        async with make_rig(address, tmp_path) as rig:
            rig.start(shows=False)
            for chat in (42, 43, 44):
                rig.server.writes(chat, "мастера")
                await until(lambda chat=chat: any(one.chat == chat for one in rig.server.sent))  # type: ignore[misc]
            async with rig.world.sessions.begin() as session:
                await session.execute(update(Request).where(Request.number == "T-1003").values(vip=True))
                await session.execute(update(Request).where(Request.number == "T-1002").values(priority="urgent"))
            rig.show()
            await rig.topic("T-1001")
            assert [one.name.split(" · ")[0] for one in rig.group.topics.values()] == ["T-1003", "🔴 T-1002", "T-1001"]
            assert rig.group.topic("T-1002").colour == 0xFB6F5F


class TestSeveralGroups:
    async def test_a_request_moves_with_its_queue_to_the_other_group_and_back(
        self, address: str, tmp_path: Path
    ) -> None:
        async with make_rig(address, tmp_path, groups={GROUP: ["desk"], MASTERS: ["masters"]}) as rig:
            await rig.agent("anna", ANNA, "desk", "masters", title="Анна")
            rig.start()
            thread = await raised(rig)
            rig.server.says_in(GROUP, ANNA, "/take", thread=thread)
            rig.server.says_in(GROUP, ANNA, "/transfer masters нужен мастер", thread=thread)
            there = await rig.topic("T-1001", MASTERS)
            await rig.reads("Анна, заметка: нужен мастер", thread=there.thread, group=MASTERS)
            await rig.reads("Передано: Мастера (Анна)", thread=thread)
            await until(lambda: rig.group.topics[thread].closed)
            rig.server.says_in(MASTERS, ANNA, "/take", thread=there.thread)
            rig.server.says_in(MASTERS, ANNA, "/transfer desk вернул", thread=there.thread)
            await until(lambda: not rig.group.topics[thread].closed)
            await until(lambda: there.closed)
            assert len(rig.group.topics) == len(rig.server.groups[MASTERS].topics) == 1

    async def test_requests_of_other_queues_have_no_topic(self, address: str, tmp_path: Path) -> None:
        async with make_rig(address, tmp_path, groups={MASTERS: ["masters"]}) as rig:
            rig.start()
            rig.server.writes(42, "мастера")
            await rig.hears("Очередь T-1001")
            await rig.quiet()
            assert rig.server.groups[MASTERS].topics == {}

    async def test_another_group_is_nobodys(self, rig: Rig) -> None:
        rig.server.has_group(-1009)
        rig.server.says_in(-1009, ANNA, "мастера")
        await rig.quiet()
        async with rig.world.sessions() as session:
            assert (await session.scalars(select(Conversation))).all() == []
        assert rig.server.groups[-1009].posts == []


async def test_both_desks_show_the_same_transcript(rig: Rig) -> None:
    """What the web desk shows of a talk (bot.conversations.transcript) stands in the topic, in the same order."""
    thread = await raised(rig)
    rig.server.says_in(GROUP, ANNA, "Добрый день!", thread=thread)
    await rig.hears("Добрый день!")
    rig.server.writes(42, "когда готов?")
    await rig.reads("когда готов?", thread=thread)
    conversation = await rig.world.id_of("42")
    async with rig.world.sessions.begin() as session:
        await desk.reply(session, rig.world.desk, "anna", conversation, "завтра", now=rig.world.clock.now())
    await rig.reads("завтра", thread=thread)
    rig.server.deletes_topic(GROUP, thread)
    rig.server.writes(42, "хорошо")
    anew = (await rig.topic()).thread
    await rig.reads("хорошо", thread=anew)
    await rig.quiet()
    told = "\n".join(rig.group.said(anew))
    places = [
        told.index(f"{text}") for sender, text in await rig.world.transcript("42") if text and sender != "customer"
    ]
    assert places == sorted(places)
    async with rig.world.sessions.begin() as session:
        await session.execute(delete(ForumTopic))  # whatever is forgotten is shown again


def test_the_pace_stays_below_telegrams_limit_in_every_minute() -> None:
    limits = board.Limits(20).pace()
    in_a_minute = limits.chat_burst + 60 / limits.chat_seconds
    assert (limits.chat_burst, limits.chat_seconds, in_a_minute) == (4, 3.75, 20)
