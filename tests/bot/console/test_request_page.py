"""The page of a request: what an agent reads, and what they send from it."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from sqlalchemy import select, update
from websockets.asyncio.client import ClientConnection, connect

from bot import desk
from bot.errors import Rejected
from bot.live import Change
from bot.models import Audit, Conversation, Draft, Message, Request
from tests.bot.console.conftest import Pages
from tests.bot.console.serving import TOKEN
from tests.bot.world import ScriptedChannel, World, act

HTMX = {"HX-Request": "true"}
PAGE = "/desk/requests/T-1001"


@pytest.fixture
async def taken(pages: Pages) -> Pages:
    """Anna has the request of c1, Boris and the supervisor Vera are at the desk too."""
    await pages.world.agent("anna", title="Анна")
    await pages.world.agent("boris", title="Борис")
    await pages.world.agent("vera", title="Вера", role="supervisor")
    await pages.world.say("c1", "безобразие, мастера", name="Ольга <b>")
    await pages.world.take("anna")
    return pages


async def opened(pages: Pages, name: str = "anna", page: str = PAGE) -> str:
    async with pages.as_(name) as browser:
        answer = await browser.get(page)
    assert answer.status_code == 200, answer.text
    return answer.text


async def sent(pages: Pages, path: str = "reply", name: str = "anna", **fields: Any) -> httpx.Response:
    async with pages.as_(name) as browser:
        answer = await browser.post(f"{PAGE}/{path}", data={"form_token": TOKEN, "nonce": "n1", **fields}, headers=HTMX)
    await pages.world.jobs.run_until_idle()
    return answer


async def said(world: World, sender: str) -> list[str]:
    return list(await world.rows(select(Message.text).where(Message.sender == sender).order_by(Message.id)))


def boxes(html: str) -> str:
    """The form of the reply box."""
    return "<form" + html[: html.index("</form>", html.index('id="reply-form"'))].rpartition("<form")[2]


class TestReading:
    async def test_the_card_stands_before_the_talk_and_the_box(self, taken: Pages) -> None:
        html = await opened(taken)
        assert html.index('id="card"') < html.index('id="lines"') < html.index('id="reply-form"')
        assert "Отвечает" not in html

    async def test_what_customers_write_is_never_markup(self, taken: Pages) -> None:
        await taken.world.say(
            "c1", '<img src=x onerror="alert(1)"> https://example.org/a?b=1&c=2. и javascript:alert(1)'
        )
        html = await opened(taken)
        assert "<img src=x" not in html
        assert "&lt;img src=x" in html
        assert 'href="https://example.org/a?b=1&amp;c=2"' in html
        assert 'rel="noopener noreferrer nofollow"' in html
        assert 'href="javascript' not in html
        assert "Ольга &lt;b&gt;" in html

    async def test_events_and_notes_stand_between_the_lines(self, taken: Pages) -> None:
        taken.world.clock.forward(minutes=1)
        await act(taken.world, desk.note, "anna", "проверила склад")
        taken.world.clock.forward(minutes=1)
        await act(taken.world, desk.decline, "anna", "не мой вопрос")
        html = await opened(taken)
        order = [
            "Обращение открыто",
            "проверила склад",
            "Возвращено в очередь: Анна",
        ]
        assert sorted(order, key=html.index) == order
        assert html.count("заметка, клиент не видит") == 2

    @pytest.mark.rule("L2-10")
    async def test_opening_is_reading_for_the_one_who_has_it(self, taken: Pages) -> None:
        async with taken.world.sessions.begin() as session:
            await session.execute(update(Request).values(read_by=None))
        await opened(taken, "boris")
        assert (await taken.world.request()).read_by is None
        await opened(taken, "anna")
        assert (await taken.world.request()).read_by == (await taken.world.request()).agent_id

    async def test_earlier_lines_come_a_hundred_at_a_time(self, taken: Pages) -> None:
        taken.world.clock.forward(minutes=1)
        async with taken.world.sessions.begin() as session:
            talk = await session.scalar(select(Conversation))
            assert talk is not None
            for number in range(150):
                session.add(Message(conversation_id=talk.id, sender="customer", at=taken.world.clock.now(), text=f"строка {number}."))  # fmt: skip
        html = await opened(taken)
        assert html.count('class="line customer') == 100
        assert "строка 49." not in html
        assert "строка 50." in html
        older = html[html.index("/older?before=") :].split('"')[0]
        async with taken.as_("anna") as browser:
            answer = await browser.get(f"{PAGE}{older}")
        assert "строка 49." in answer.text
        assert "Взято в работу" in answer.text  # an event of that time
        assert "Показать раньше" not in answer.text

    async def test_a_message_that_was_not_delivered_says_why_and_goes_again_once(self, taken: Pages) -> None:
        taken.world.channels["telegram"].outcomes = [Rejected("no")]
        await sent(taken, text="Здравствуйте")
        line = (await taken.world.rows(select(Message).where(Message.delivery == "failed")))[0]
        html = await opened(taken)
        assert "Не доставлено: мессенджер не принял это сообщение" in html
        assert f"{PAGE}/again/{line.id}" in html
        assert f"{PAGE}/again/{line.id}" not in await opened(taken, "boris")
        assert (await sent(taken, f"again/{line.id}", name="boris")).status_code == 409
        assert (await sent(taken, f"again/{line.id}")).status_code == 204
        assert taken.world.channels["telegram"].sent[-1].text == "Здравствуйте"
        assert (await sent(taken, f"again/{line.id}")).status_code == 409

    async def test_an_unknown_number_is_told(self, taken: Pages) -> None:
        async with taken.as_("anna") as browser:
            assert (await browser.get("/desk/requests/T-9")).status_code == 404


class TestButtons:
    async def test_each_sees_what_they_may_do(self, taken: Pages) -> None:
        mine, other, leads = [await opened(taken, name) for name in ("anna", "boris", "vera")]
        assert f"{PAGE}/dialog/resolve" in mine
        assert f"{PAGE}/dialog/resolve" not in other
        assert f"{PAGE}/dialog/step-in" in leads
        assert f"{PAGE}/dialog/step-in" not in other
        assert "Вы наблюдаете" in leads
        assert "Вы наблюдаете" not in mine
        assert "Клиенту отвечает Анна" in other

    async def test_a_waiting_one_can_be_taken_by_those_whose_queue_it_is(self, pages: Pages) -> None:
        await pages.world.agent("anna", title="Анна")
        await pages.world.agent("max", "masters")
        await pages.world.agent("off", on_shift=False)
        await pages.world.say("c1", "мастера")
        assert f'action="{PAGE}/take"' in await opened(pages, "anna")
        async with pages.as_("max") as browser:
            assert (await browser.get(PAGE)).status_code == 404  # another queue's
        assert f'action="{PAGE}/take"' not in await opened(pages, "off")


class TestReplying:
    async def test_a_reply_reaches_the_customer_and_the_audit_holds_no_words(self, taken: Pages) -> None:
        answer = await sent(taken, text="Добрый день!")
        assert answer.headers["HX-Trigger"] == "reply-sent"
        assert taken.world.channels["telegram"].sent[-1].text == "Добрый день!"
        noted = (await taken.world.rows(select(Audit).where(Audit.action == "reply")))[0]
        assert noted.agent == "anna"
        assert "Добрый" not in str(noted.data)

    async def test_what_is_sent_twice_at_once_comes_once(self, taken: Pages) -> None:
        both = await asyncio.gather(sent(taken, text="Один раз"), sent(taken, text="Один раз"))
        assert [one.status_code for one in both] == [200, 200]
        await sent(taken, text="Один раз")
        assert await said(taken.world, "agent") == ["Один раз"]
        await sent(taken, text="Другое")  # the same form, other words: nothing is lost
        assert await said(taken.world, "agent") == ["Один раз", "Другое"]

    async def test_a_note_is_for_colleagues_only(self, taken: Pages) -> None:
        before = len(taken.world.channels["telegram"].sent)
        await sent(taken, text="между нами", mode="note")
        assert await said(taken.world, "note") == ["между нами"]
        assert len(taken.world.channels["telegram"].sent) == before

    async def test_who_looks_on_finds_a_box_for_notes_and_cannot_answer_by_mistake(self, taken: Pages) -> None:
        await taken.world.agent("coach", title="Тренер", role="trainer")
        box = boxes(await opened(taken, "vera"))
        assert 'class="note only-note"' in box
        assert 'value="note" checked' in box
        assert "Сохранить заметку" in box
        assert "hidden" not in box.split(">")[0]
        for name in ("boris", "coach"):
            assert "hidden" in boxes(await opened(taken, name)).split(">")[0]
        before = len(taken.world.channels["telegram"].sent)
        assert (await sent(taken, name="vera", text="проверьте склад", mode="note")).status_code == 200
        assert (await sent(taken, name="vera", text="Здравствуйте!", mode="reply")).status_code == 409
        assert (await sent(taken, name="boris", text="и я", mode="note")).status_code == 409
        assert await said(taken.world, "note") == ["проверьте склад"]
        assert len(taken.world.channels["telegram"].sent) == before
        noted = await taken.world.rows(select(Audit).where(Audit.action == "note"))
        assert [(one.agent, "склад" in str(one.data)) for one in noted] == [("vera", False)]

    async def test_the_agent_sees_whose_note_it_is_at_once(self, taken: Pages) -> None:
        async with live(taken, "anna", await opened(taken)) as socket:
            await hears(socket, 'id="piece-0"')
            await sent(taken, name="vera", text="проверьте склад", mode="note")
            told = await hears(socket, "проверьте склад")
        line = told[: told.index("проверьте склад")].rpartition("<article")[2]
        assert "Вера" in line
        assert "клиент не видит" in line

    async def test_the_box_of_who_looks_on_follows_whose_it_is(self, taken: Pages) -> None:
        async with live(taken, "vera", await opened(taken, "vera")) as socket:
            assert 'data-answer="false" data-note="true"' in await hears(socket, "Вы наблюдаете")
            await act(taken.world, desk.transfer, "anna", "Это вам", to="vera")
            assert 'data-note="false"' in await hears(socket, 'data-answer="true"')
            await act(taken.world, desk.resolve, "vera")
            assert 'data-note="false"' in await hears(socket, "Обращение закончено")

    async def test_who_does_not_have_it_is_told_and_keeps_the_draft(self, taken: Pages) -> None:
        await sent(taken, "draft", name="boris", text="я отвечу")
        answer = await sent(taken, name="boris", text="я отвечу")
        assert answer.status_code == 409
        assert "Обращение сейчас не у вас" in answer.text
        assert ">\nя отвечу</textarea>" in await opened(taken, "boris")

    async def test_a_draft_is_kept_for_each_and_gone_when_sent(self, taken: Pages) -> None:
        assert (await sent(taken, "draft", text="начал", mode="note")).status_code == 204
        html = await opened(taken)
        assert ">\nначал</textarea>" in html
        assert 'value="note" checked' in html
        assert "начал" not in await opened(taken, "boris")
        await sent(taken, text="Готово")
        assert await taken.world.rows(select(Draft)) == []

    @pytest.mark.rule("L2-12")
    async def test_a_question_that_was_answered_is_held_up_once(self, taken: Pages) -> None:
        async with taken.world.sessions.begin() as session:
            request = await session.scalar(select(Request))
            assert request is not None
            request.summary = {**request.summary, "customer": {"name": "Ольга Петровна"}}
        answer = await sent(taken, text="Как вас зовут?")
        assert answer.status_code == 409
        assert "Ольга Петровна" in answer.text
        assert await said(taken.world, "agent") == []
        await sent(taken, text="Как вас зовут?", anyway="1")
        assert await said(taken.world, "agent") == ["Как вас зовут?"]
        assert (await taken.world.request()).asked_again == 1

    @pytest.mark.rule("L2-11")
    async def test_a_phrase_of_patience_goes_by_one_click_and_starts_the_clock(self, taken: Pages) -> None:
        assert 'data-hold="hold_look"' in await opened(taken)
        async with taken.as_("anna") as browser:
            for nonce in ("a", "a", "b"):
                data = {"form_token": TOKEN, "nonce": nonce, "name": "hold_look"}
                assert (await browser.post(f"{PAGE}/hold", data=data, headers=HTMX)).status_code == 200
            assert (
                await browser.post(f"{PAGE}/hold", data={"nonce": "c", "name": "state"}, headers=HTMX)
            ).status_code == 404
        assert await said(taken.world, "agent") == ["Секунду, смотрю.", "Ещё минутку, смотрю."]
        request = await taken.world.request()
        assert request.answered_at is None  # it is no answer
        assert 'data-held="true"' in await opened(taken)
        await sent(taken, text="Готово")
        assert 'data-held="true"' not in await opened(taken)

    async def test_files_go_with_the_reply(self, taken: Pages) -> None:
        png = b"\x89PNG\r\n\x1a\n" + b"\0" * 64
        async with taken.as_("anna") as browser:
            answer = await browser.post(
                f"{PAGE}/reply", data={"form_token": TOKEN, "nonce": "f", "text": "Вот схема"}, headers=HTMX,
                files={"file": ("схема.png", png, "text/html")},
            )  # fmt: skip
            assert answer.status_code == 200, answer.text
            html = (await browser.get(PAGE)).text
            address = html[html.index("/desk/files/") :].split('"')[0]
            shown = await browser.get(address)
            assert shown.headers["content-type"] == "image/png"
            assert shown.headers["content-disposition"].startswith("inline")
            assert shown.headers["x-content-type-options"] == "nosniff"
            assert "sandbox" in shown.headers["content-security-policy"]
            assert shown.content == png
            kept = await browser.get(address.removesuffix("/picture"))
            assert kept.headers["content-disposition"].startswith("attachment")
            assert (await browser.get(address.replace("picture", "sound"))).status_code == 404
            refused = await browser.post(
                f"{PAGE}/reply", data={"form_token": TOKEN, "nonce": "g", "text": "Вот"}, headers=HTMX,
                files={"file": ("x.png", b"<script>alert(1)</script>", "image/png")},
            )  # fmt: skip
        assert refused.status_code == 415
        assert "«x.png»: такие файлы отправить нельзя." in refused.text
        assert await said(taken.world, "agent") == ["Вот схема"]


class TestAround:
    async def test_a_crm_that_is_down_costs_a_sentence(self, taken: Pages) -> None:
        taken.world.crm.down = {"crm"}
        assert 'hx-trigger="load"' in await opened(taken)
        async with taken.as_("anna") as browser:
            answer = await browser.get(f"{PAGE}/orders", headers=HTMX)
        assert answer.status_code == 200
        assert "CRM не отвечает" in answer.text
        assert "Спросить ещё раз" in answer.text

    async def test_the_number_in_full_is_shown_to_who_asks_and_that_is_noted(self, taken: Pages) -> None:
        async with taken.world.sessions.begin() as session:
            await session.execute(update(Request).values(call_phone="+79161234567"))
        assert "+79161234567" not in await opened(taken)
        answer = await sent(taken, "phone")
        assert "+79161234567" in answer.text
        noted = (await taken.world.rows(select(Audit).where(Audit.action == "phone_shown")))[0]
        assert noted.agent == "anna"
        assert "4567" not in str(noted.data)

    async def test_quick_phrases_are_filled_or_say_what_is_missing(self, taken: Pages) -> None:
        async with taken.as_("anna") as browser:
            found = {one["name"]: one for one in (await browser.get(f"{PAGE}/quick")).json()}
            assert found["state"]["text"] == "Велосипед: ready. Обращение T-1001, мастер Анна."
            assert found["state"]["fits"]
            assert found["colour"] == {
                "name": "colour", "title": "Цвет", "words": ["покраска"], "text": None, "missing": ["цвет"], "fits": False,
            }  # fmt: skip
            assert "hold_look" not in found
            taken.world.crm.down = {"crm"}
            found = {one["name"]: one for one in (await browser.get(f"{PAGE}/quick")).json()}
            assert found["state"]["missing"] == ["состояние велосипеда"]

    async def test_earlier_requests_of_the_customer_are_linked(self, taken: Pages) -> None:
        await act(taken.world, desk.resolve, "anna", text="всё объяснили")
        taken.world.clock.forward(hours=30)
        await taken.world.pass_time(hours=1)
        await taken.world.say("c1", "мастера")
        html = await opened(taken, page="/desk/requests/T-1002")
        assert 'href="/desk/requests/T-1001"' in html
        assert "всё объяснили" in html


async def hears(socket: ClientConnection, words: str) -> str:
    """What the page is told until it is told this."""
    async with asyncio.timeout(10):
        while words not in (told := str(await socket.recv())):
            pass
    return told


def live(pages: Pages, name: str, html: str) -> connect:
    """The socket of an open page."""
    query = html.split('data-live="')[1].split('"')[0].replace("&amp;", "&")
    return connect(pages.address.replace("http", "ws") + query, additional_headers={"X-Test-Agent": name})


class TestLive:
    @pytest.mark.parametrize("channel", ["telegram", "vk"])
    async def test_the_customer_sees_that_their_agent_writes(self, pages: Pages, channel: str) -> None:
        world, shown = pages.world, asyncio.Queue[str]()

        class Messenger(ScriptedChannel):
            async def typing(self, chat: str) -> None:
                shown.put_nowait(chat)

        pages.parts.attention.channels[channel] = Messenger(channel)  # type: ignore[index]  the tests' own dict
        await world.agent("anna", title="Анна")
        await world.agent("boris", title="Борис")
        await world.receive(world.incoming("c1", text="мастера", channel=channel))
        await world.jobs.run_until_idle()
        await world.do(desk.take, world.desk, "anna", now=world.clock.now())
        html = await opened(pages)
        async with live(pages, "boris", await opened(pages, "boris")) as other, live(pages, "anna", html) as socket:
            await other.send('{"typing": true}')  # has nothing to do with it
            await hears(other, 'id="card"')
            await socket.send('{"typing": "yes"}')
            assert shown.empty()
            await socket.send('{"typing": true}')
            assert await asyncio.wait_for(shown.get(), 20) == "c1"
            assert shown.empty()

    async def test_a_new_line_sends_its_piece_and_what_it_changes(self, taken: Pages) -> None:
        async with taken.world.sessions.begin() as session:
            talk = await session.scalar(select(Conversation))
            assert talk is not None
            for number in range(45):
                session.add(Message(conversation_id=talk.id, sender="customer", at=taken.world.clock.now(), text=f"{number}!"))  # fmt: skip
        async with live(taken, "anna", await opened(taken)) as socket:
            whole = await hears(socket, 'id="piece-0"')
            assert 'id="card"' in whole
            assert "<textarea" not in whole  # what is being written is never touched
            taken.world.clock.forward(minutes=1)
            await taken.world.receive(taken.world.incoming("c1", text="ещё вопрос"))
            assert 'id="piece-0"' not in await hears(socket, "ещё вопрос")
            taken.parts.live.tell(Change(kind="typing", conversation=talk.id))
            assert "piece-" not in await hears(socket, "печатает")

    async def test_the_page_of_another_says_that_it_was_taken(self, pages: Pages) -> None:
        for name in ("anna", "boris"):
            await pages.world.agent(name, title=name.title())
        await pages.world.say("c1", "мастера")
        async with live(pages, "boris", await opened(pages, "boris")) as socket:
            await hears(socket, "Возьмите обращение")
            await pages.world.take("anna")
            assert 'data-answer="false"' in await hears(socket, "Клиенту отвечает Anna")

    async def test_another_request_of_ones_own_changes_nothing(self, taken: Pages) -> None:
        async with live(taken, "anna", await opened(taken)) as socket:
            await hears(socket, 'id="piece-0"')
            await taken.world.say("c2", "мастера")
            await taken.world.receive(taken.world.incoming("c1", text="моё"))
            assert "T-1002" not in await hears(socket, "моё")
