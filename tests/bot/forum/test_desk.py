"""Agents work in a forum group: what they see in a topic, and what comes of what they write there."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import func, select, update

from bot import desk, planned
from bot.models import Agent, Audit, Conversation, ForumUpdate, Message, Request
from tests.bot.forum.conftest import ANNA, BORIS, GROUP, STRANGER, Rig


async def raised(rig: Rig, chat: int = 42, words: str = "мастера", number: str = "T-1001") -> int:
    """A customer asks for a person; the topic of the request."""
    rig.server.writes(chat, words)
    return (await rig.topic(number)).thread


class TestWhatIsSeen:
    async def test_a_handoff_has_a_topic_with_its_card_pinned_and_the_transcript_below(self, rig: Rig) -> None:
        thread = await raised(rig)
        topic = rig.group.topics[thread]
        assert topic.name.startswith("T-1001")
        assert "Мария №42" in topic.name
        card = await rig.card(topic)
        assert "T-1001" in card.text
        assert "Приёмка" in card.text
        assert "Пишет: «мастера»" in card.text
        assert card.buttons == ["Взять"]
        told = await rig.reads("👤 Мария №42: мастера", "🤖 Бот: ", thread=thread)
        assert told.count("мастера") == 2  # in the card, and as the customer's line

    async def test_customers_lines_and_the_web_desks_replies_come_in_order_each_once(self, rig: Rig) -> None:
        thread = await raised(rig)
        conversation = await rig.world.id_of("42")
        async with rig.world.sessions.begin() as session:
            await desk.take(session, rig.world.desk, "anna", now=rig.world.clock.now(), conversation_id=conversation)
        await rig.reads("Взято в работу (Анна)", thread=thread)
        for number in range(5):
            rig.server.writes(42, f"вопрос номер {number}")
            await rig.reads(f"вопрос номер {number}", thread=thread)
            async with rig.world.sessions.begin() as session:
                await desk.reply(
                    session, rig.world.desk, "anna", conversation, f"ответ номер {number}", now=rig.world.clock.now()
                )
            await rig.reads(f"🎧 Анна: ответ номер {number}", thread=thread)
        await rig.quiet()
        told = "\n".join(rig.group.said(thread))
        order = [told.index(f"{what} номер {number}") for number in range(5) for what in ("вопрос", "ответ")]
        assert order == sorted(order)
        assert all(told.count(f"{what} номер {number}") == 1 for number in range(5) for what in ("вопрос", "ответ"))

    async def test_a_note_of_the_web_desk_is_seen_and_the_customer_hears_nothing_of_it(self, rig: Rig) -> None:
        thread = await raised(rig)
        conversation = await rig.world.id_of("42")
        async with rig.world.sessions.begin() as session:
            await desk.take(session, rig.world.desk, "anna", now=rig.world.clock.now(), conversation_id=conversation)
            await desk.note(session, "anna", conversation, "звонил муж", now=rig.world.clock.now())
        await rig.reads("📝 Анна, заметка: звонил муж", thread=thread)
        await rig.quiet()
        assert not any("звонил муж" in one.text for one in rig.server.sent)

    @pytest.mark.rule("L2-07")
    async def test_the_card_follows_the_request(self, rig: Rig) -> None:
        thread = await raised(rig)
        rig.server.presses_in(GROUP, ANNA, "Взять", thread=thread)
        card = await rig.card(rig.group.topics[thread])
        await rig.reads("в работе: Анна", thread=thread)
        assert card.buttons == ["Решено", "Не решено", "Ждём клиента", "Передать", "Вернуть"]

    async def test_telephone_numbers_are_masked_and_html_is_only_text(self, rig: Rig) -> None:
        thread = await raised(rig)
        rig.server.says_in(GROUP, ANNA, "/take", thread=thread)
        await rig.reads("Взято", thread=thread)
        rig.server.writes(42, "мой номер +7 916 123-45-67 <b>жирно & смело</b>")
        told = await rig.reads("•••4567 <b>жирно & смело</b>", thread=thread)
        assert "123-45" not in told

    async def test_what_did_not_reach_the_customer_is_told(self, rig: Rig) -> None:
        thread = await raised(rig)
        rig.server.says_in(GROUP, ANNA, "/take", thread=thread)
        await rig.reads("Взято", thread=thread)
        await rig.quiet()
        rig.server.blocked.add(42)
        said = rig.server.says_in(GROUP, ANNA, "Добрый день!", thread=thread)
        await rig.reads("⚠️ Клиенту не доставлено", thread=thread)
        assert rig.group.posts[-1].reply_to == said["message_id"]
        assert said["message_id"] not in rig.group.reactions


class TestReplies:
    async def test_an_agents_words_in_a_topic_go_to_the_customer_and_take_a_free_request(self, rig: Rig) -> None:
        thread = await raised(rig)
        said = rig.server.says_in(GROUP, ANNA, "Добрый день! Сейчас посмотрю.", thread=thread)
        await rig.hears("Добрый день! Сейчас посмотрю.")
        request = await rig.world.request()
        assert request.state == "assigned"
        assert ("agent", "Добрый день! Сейчас посмотрю.") in await rig.world.transcript("42")
        await rig.reads("Взято в работу (Анна)", thread=thread)
        await rig.quiet()
        told = "\n".join(rig.group.said(thread))
        assert "Сейчас посмотрю" not in told  # it stands there as her own message
        assert rig.group.reactions[said["message_id"]] == "👍"

    async def test_who_has_no_request_is_refused_when_another_has_it(self, rig: Rig) -> None:
        thread = await raised(rig)
        rig.server.says_in(GROUP, ANNA, "Я отвечу", thread=thread)
        await rig.hears("Я отвечу")
        said = rig.server.says_in(GROUP, BORIS, "И я отвечу", thread=thread)
        await rig.reads("Обращение у другого специалиста (Анна), клиенту ничего не ушло", thread=thread)
        assert rig.group.posts[-1].reply_to == said["message_id"]
        await rig.quiet()
        assert not any("И я отвечу" in one.text for one in rig.server.sent)

    @pytest.mark.parametrize("words", ["//муж звонил", "/note муж звонил", "/заметка муж звонил"])
    async def test_a_note_stays_among_colleagues(self, rig: Rig, words: str) -> None:
        thread = await raised(rig)
        rig.server.says_in(GROUP, ANNA, "/take", thread=thread)
        said = rig.server.says_in(GROUP, ANNA, words, thread=thread)
        await rig.quiet()
        assert ("note", "муж звонил") in await rig.world.transcript("42")
        assert rig.group.reactions[said["message_id"]] == "✍"
        assert not any("муж звонил" in one.text for one in rig.server.sent)

    async def test_an_unknown_command_never_goes_to_the_customer(self, rig: Rig) -> None:
        thread = await raised(rig)
        rig.server.says_in(GROUP, ANNA, "/take", thread=thread)
        rig.server.says_in(GROUP, ANNA, "/tranfser 1 опечатка", thread=thread)
        await rig.reads("Такой команды нет, клиенту ничего не ушло", thread=thread)
        await rig.quiet()
        assert not any("опечатка" in one.text for one in rig.server.sent)

    async def test_a_changed_message_is_not_sent_and_its_author_is_told(self, rig: Rig) -> None:
        thread = await raised(rig)
        said = rig.server.says_in(GROUP, ANNA, "Ждите завтра", thread=thread)
        await rig.hears("Ждите завтра")
        rig.server.edits_in(said, "Ждите послезавтра")
        await rig.reads("Правка клиенту не ушла", thread=thread)
        assert not any("послезавтра" in one.text for one in rig.server.sent)

    async def test_an_update_that_comes_twice_is_obeyed_once(self, rig: Rig) -> None:
        thread = await raised(rig)
        rig.server.says_in(GROUP, ANNA, "Один раз", thread=thread)
        await rig.hears("Один раз")
        rig.server.again()
        await rig.quiet()
        assert sum("Один раз" in one.text for one in rig.server.sent) == 1

    async def test_talk_among_colleagues_goes_nowhere(self, rig: Rig) -> None:
        await raised(rig)
        rig.server.says_in(GROUP, ANNA, "Кто сегодня до восьми?")
        rig.server.says_in(GROUP, STRANGER, "Я!")
        await rig.quiet()
        async with rig.world.sessions() as session:
            assert await session.scalar(select(func.count()).select_from(Conversation)) == 1
            assert not (await session.scalars(select(Message).where(Message.text.contains("восьми")))).all()
        assert rig.group.said(None) == []

    async def test_an_agents_photo_goes_to_the_customer_as_a_file_of_the_request(self, rig: Rig) -> None:
        thread = await raised(rig)
        picture = rig.server.keeps(b"\xff\xd8\xff\xe0" + b"0" * 200, "photos/1.jpg")
        rig.server.says_in(
            GROUP, ANNA, thread=thread, photo=[{**picture, "width": 9, "height": 9}], caption="Вот такая деталь"
        )
        await rig.quiet()
        async with rig.world.sessions() as session:
            sent = (await session.scalars(select(Message).where(Message.sender == "agent"))).all()
        assert [(one.text, one.attachments[0]["kind"]) for one in sent] == [("Вот такая деталь", "photo")]
        assert [one.request_id for one in sent] == [(await rig.world.request()).id]

    async def test_who_works_in_the_group_needs_no_open_page(self, rig: Rig) -> None:
        thread = await raised(rig)
        async with rig.world.sessions.begin() as session:
            await session.execute(update(Agent).values(seen_at=rig.world.clock.now()))
        rig.server.says_in(GROUP, ANNA, "Здравствуйте", thread=thread)
        await rig.hears("Здравствуйте")
        async with rig.world.sessions() as session:
            assert await session.scalar(select(Agent.seen_at).where(Agent.name == "anna")) is None

    async def test_what_was_just_decided_is_done_when_the_shift_ends(self, rig: Rig) -> None:
        thread = await raised(rig)
        rig.server.says_in(GROUP, ANNA, "Здравствуйте", thread=thread)
        await rig.hears("Здравствуйте")
        async with rig.world.sessions.begin() as session:
            row = (await session.scalars(select(Request))).one()
            await planned.plan(
                session, rig.world.desk, "anna", "resolve", row, now=rig.world.clock.now(), undo=timedelta(seconds=5)
            )
        rig.server.says_in(GROUP, ANNA, "/off")
        await rig.reads("Смена закончена", thread=None)
        assert (await rig.world.request()).state == "solved"


class TestStrangers:
    async def test_who_is_not_known_is_told_once_how_to_be_and_nothing_else_happens(self, rig: Rig) -> None:
        thread = await raised(rig)
        rig.server.says_in(GROUP, STRANGER, "Здравствуйте, это я", thread=thread)
        await rig.reads("Ваш номер в Telegram: 777. Попросите администратора добавить его.", thread=thread)
        rig.server.says_in(GROUP, STRANGER, "Почему?", thread=thread)
        rig.server.says_in(GROUP, STRANGER, "/take", thread=thread)
        await rig.quiet()
        assert "\n".join(rig.group.said(thread)).count("777") == 1
        assert (await rig.world.request()).state == "queued"
        assert not any("это я" in one.text for one in rig.server.sent)

    async def test_a_strangers_press_is_answered_by_a_window(self, rig: Rig) -> None:
        thread = await raised(rig)
        press = rig.server.presses_in(GROUP, STRANGER, "Взять", thread=thread)
        await rig.quiet()
        assert "777" in rig.server.toasts[press]
        assert (await rig.world.request()).state == "queued"

    async def test_who_writes_in_the_groups_name_is_asked_to_show_themselves(self, rig: Rig) -> None:
        thread = await raised(rig)
        rig.server.says_in(
            GROUP, 1087968824, "Отвечаю", thread=thread,
            sender_chat={"id": GROUP, "type": "supergroup", "title": "Поддержка"},
        )  # fmt: skip
        await rig.reads("Отключите анонимность", thread=thread)
        assert not any("Отвечаю" in one.text for one in rig.server.sent)

    async def test_a_disabled_agent_is_a_stranger(self, rig: Rig) -> None:
        from sqlalchemy import update

        from bot.models import Agent

        thread = await raised(rig)
        async with rig.world.sessions.begin() as session:
            await session.execute(update(Agent).where(Agent.name == "anna").values(disabled_at=func.now()))
        rig.server.says_in(GROUP, ANNA, "Отвечаю", thread=thread)
        await rig.reads("Я вас не знаю", thread=thread)
        assert not any("Отвечаю" in one.text for one in rig.server.sent)


class TestCommands:
    async def test_taking_twice_is_refused_the_second_time(self, rig: Rig) -> None:
        thread = await raised(rig)
        first = rig.server.presses_in(GROUP, ANNA, "Взять", thread=thread)
        second = rig.server.presses_in(GROUP, BORIS, "Взять", thread=thread)
        await rig.quiet()
        assert rig.server.toasts[first] == "Готово"
        assert "у другого специалиста (Анна)" in rig.server.toasts[second]

    async def test_the_next_one_is_taken_in_the_general_topic(self, rig: Rig) -> None:
        thread = await raised(rig)
        rig.server.says_in(GROUP, ANNA, "/take@stand_in_bot")
        await rig.reads("Ваше обращение: T-1001", thread=None)
        assert any(f'href="https://t.me/c/1000/{thread}"' in post.html for post in rig.group.posts)
        assert (await rig.world.request()).state == "assigned"

    async def test_a_command_for_another_bot_is_not_ours(self, rig: Rig) -> None:
        thread = await raised(rig)
        rig.server.says_in(GROUP, ANNA, "/take@other_bot", thread=thread)
        await rig.quiet()
        assert (await rig.world.request()).state == "queued"

    @pytest.mark.rule("L2-01")
    async def test_passing_on_needs_a_comment_and_names_queue_or_colleague(self, rig: Rig) -> None:
        thread = await raised(rig)
        rig.server.says_in(GROUP, ANNA, "/take", thread=thread)
        rig.server.says_in(GROUP, ANNA, "/transfer", thread=thread)
        await rig.reads("1. Приёмка", "2. Мастера", "Борис (@boris)", thread=thread)
        rig.server.says_in(GROUP, ANNA, "/transfer @boris", thread=thread)
        await rig.reads("Напишите комментарий", thread=thread)
        rig.server.says_in(GROUP, ANNA, "/transfer борис, клиент просит его", thread=thread)
        await rig.reads("Передано: Борис (Анна)", thread=thread)
        rig.server.says_in(GROUP, BORIS, "Это Борис", thread=thread)
        await rig.hears("Это Борис")
        assert ("note", "клиент просит его") in await rig.world.transcript("42")

    async def test_giving_back_needs_a_reason(self, rig: Rig) -> None:
        thread = await raised(rig)
        rig.server.says_in(GROUP, ANNA, "/take", thread=thread)
        rig.server.says_in(GROUP, ANNA, "/back", thread=thread)
        await rig.reads("/back и причину", thread=thread)
        rig.server.says_in(GROUP, ANNA, "/back не моя тема", thread=thread)
        await rig.reads("Вернули в очередь (Анна)", thread=thread)
        assert (await rig.world.request()).state == "queued"

    async def test_waiting_for_the_customer_until_a_moment(self, rig: Rig) -> None:
        thread = await raised(rig)
        rig.server.says_in(GROUP, ANNA, "/take", thread=thread)
        rig.server.says_in(GROUP, ANNA, "/wait когда-нибудь", thread=thread)
        await rig.reads("Не понял, до какого времени ждать", thread=thread)
        rig.server.says_in(GROUP, ANNA, "/wait 3ч", thread=thread)
        await rig.reads("Ждём клиента до 18.11 15:00 (Анна)", thread=thread)
        assert (await rig.world.request()).state == "waiting_customer"
        rig.server.writes(42, "я тут")
        await rig.reads("Снова в работе", "👤 Мария №42: я тут", thread=thread)

    @pytest.mark.rule("CX-07")
    async def test_resolving_closes_the_topic_and_the_customers_reply_opens_it_again(self, rig: Rig) -> None:
        thread = await raised(rig)
        rig.server.says_in(GROUP, ANNA, "Готово, забирайте", thread=thread)
        await rig.hears("Готово, забирайте")
        rig.server.says_in(GROUP, ANNA, "/resolve отдали велосипед", thread=thread)
        topic = rig.group.topics[thread]
        await rig.reads("Решено (Анна)", thread=thread)
        await rig.quiet()
        assert topic.closed
        request = await rig.world.request()
        assert (request.state, request.resolution, request.solution) == ("solved", "solved", "отдали велосипед")
        assert (await rig.card(topic)).buttons == []
        rig.server.writes(42, "опять не едет")
        await rig.reads("Клиент вернулся", "опять не едет", thread=thread)
        assert not topic.closed
        assert "\n".join(rig.group.said(thread)).count("опять не едет") == 1

    async def test_not_solved_is_said_by_a_button_or_a_word(self, rig: Rig) -> None:
        thread = await raised(rig)
        rig.server.says_in(GROUP, ANNA, "/take", thread=thread)
        rig.server.says_in(GROUP, ANNA, "/resolve не решено: деталь сняли с продажи", thread=thread)
        await rig.reads("Закрыто без решения (Анна)", thread=thread)
        request = await rig.world.request()
        assert (request.resolution, request.solution) == ("not_solved", "деталь сняли с продажи")

    async def test_a_shift_begins_and_ends_in_the_general_topic(self, rig: Rig) -> None:
        await rig.world.agent("anna", title="Анна", on_shift=False)
        await rig.agent("anna", ANNA, on_shift=False, title="Анна")
        thread = await raised(rig)
        rig.server.says_in(GROUP, ANNA, "Отвечу", thread=thread)
        await rig.reads("Вы не на смене, ничего не отправлено", thread=thread)
        rig.server.says_in(GROUP, ANNA, "/on")
        await rig.reads("Вы на смене", thread=None)
        rig.server.says_in(GROUP, ANNA, "Теперь отвечу", thread=thread)
        await rig.hears("Теперь отвечу")
        rig.server.says_in(GROUP, ANNA, "/off")
        await rig.reads("Смена закончена", thread=None)
        await rig.reads("Смена закончилась: обращение снова в очереди", thread=thread)

    async def test_help_and_the_menu_tell_what_there_is(self, rig: Rig) -> None:
        rig.server.says_in(GROUP, ANNA, "/help")
        await rig.reads("// или /note", "/transfer", "/on и /off", thread=None)
        assert {"take", "note", "transfer", "resolve", "back", "wait", "help"} <= {
            one["command"] for one in rig.group.menu
        }

    async def test_all_that_is_done_stands_in_the_audit_without_anybodys_words(self, rig: Rig) -> None:
        thread = await raised(rig)
        rig.server.says_in(GROUP, ANNA, "Отвечаю тайно", thread=thread)
        rig.server.says_in(GROUP, ANNA, "//секрет", thread=thread)
        rig.server.says_in(GROUP, ANNA, "/resolve так", thread=thread)
        await rig.quiet()
        async with rig.world.sessions() as session:
            rows = (await session.scalars(select(Audit).order_by(Audit.id))).all()
            kept = (await session.scalars(select(ForumUpdate).order_by(ForumUpdate.id))).all()
        assert [(row.agent, row.action) for row in rows] == [
            ("anna", "take"), ("anna", "reply"), ("anna", "note"), ("anna", "resolve")
        ]  # fmt: skip
        assert not any("секрет" in str(row.data) for row in rows)
        assert all(one.body == {} for one in kept)
