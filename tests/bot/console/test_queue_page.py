"""The queue page and the search: what stands on them, for whom, and what is told to open pages."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import httpx
from sqlalchemy import update
from websockets.asyncio.client import ClientConnection, connect

from bot import agents, desk
from bot.console import live
from bot.console.seat import Seat
from bot.models import Request
from tests.bot.console.conftest import Pages
from tests.bot.console.serving import TOKEN, seat_of_agent
from tests.bot.world import act


async def _page(pages: Pages, name: str, address: str = "/desk/", **headers: str) -> str:
    async with pages.as_(name) as browser:
        answer = await browser.get(address, headers=headers)
    assert answer.status_code == 200
    return answer.text


async def _seat(pages: Pages, name: str) -> Seat:
    async with pages.world.sessions() as session:
        return seat_of_agent(await agents.get(session, name))


def _rows(html: str) -> list[str]:
    """Numbers of the requests on a page, in order."""
    return re.findall(r'class="open" href="/desk/requests/(T-\d+)"', html)


async def _change(pages: Pages, number: str, **values: object) -> None:
    async with pages.world.sessions.begin() as session:
        await session.execute(update(Request).where(Request.number == number).values(**values))


@asynccontextmanager
async def _open(pages: Pages, name: str, query: str) -> AsyncIterator[ClientConnection]:
    address = f"{pages.address.replace('http', 'ws')}/desk/live?{query}"
    async with connect(address, additional_headers={"X-Test-Agent": name}) as socket:
        yield socket


async def _heard(socket: ClientConnection, wanted: str) -> str:
    """Read until something is told."""
    told = ""
    async with asyncio.timeout(20):
        while wanted not in told:
            told += str(await socket.recv())
    return told


class TestQueuePage:
    async def test_an_agent_sees_what_waits_in_their_queues_and_what_is_theirs(self, pages: Pages) -> None:
        world = pages.world
        await world.agent("anna", title="Анна")
        for chat in ("c1", "c2", "c3"):
            await world.say(chat, "безобразие, мастера", name="Маша <b>")
        await _change(pages, "T-1003", queue="masters")
        await world.take("anna", "c1")
        waiting = await _page(pages, "anna")
        assert _rows(waiting) == ["T-1002"]
        assert "безобразие, мастера" in waiting
        assert "Маша &lt;b&gt;" in waiting
        assert "Telegram" in waiting
        assert 'action="/desk/next"' in waiting
        assert 'hx-post="/desk/requests/T-1002/take"' in waiting
        assert ">Все<" not in waiting
        assert _rows(await _page(pages, "anna", "/desk/?tab=mine")) == ["T-1001"]

    async def test_a_supervisor_sees_everything(self, pages: Pages) -> None:
        world = pages.world
        await world.agent("anna", title="Анна")
        await world.agent("boss", title="Борис", role="supervisor")
        for chat in ("c1", "c2"):
            await world.say(chat, "мастера")
        await _change(pages, "T-1002", queue="masters")
        await world.take("anna", "c1")
        assert _rows(await _page(pages, "boss", "/desk/?tab=live")) == ["T-1002", "T-1001"]
        assert _rows(await _page(pages, "anna", "/desk/?tab=live")) == []  # not theirs to see: what waits is shown

    async def test_filters_stand_in_the_address_and_nonsense_is_left_out(self, pages: Pages) -> None:
        world = pages.world
        await world.agent("anna")
        for chat in ("c1", "c2"):
            await world.say(chat, "мастера")
        await _change(pages, "T-1002", priority="urgent")
        narrowed = await _page(pages, "anna", "/desk/?priority=urgent")
        assert _rows(narrowed) == ["T-1002"]
        assert 'data-follow="/desk/live?view=queue&amp;view=mine&amp;priority=urgent"' in narrowed
        assert '<option value="urgent" selected>' in narrowed
        odd = "/desk/?priority=x&queue=%22&target=soon&shown=-1&tab=all&vip=yes"
        assert _rows(await _page(pages, "anna", odd)) == ["T-1002", "T-1001"]
        none = await _page(pages, "anna", "/desk/?priority=low")
        assert "Под фильтры ничего не подходит" in none
        assert "Сбросить фильтры" in none

    async def test_htmx_gets_the_list_alone(self, pages: Pages) -> None:
        await pages.world.agent("anna")
        part = await _page(pages, "anna", "/desk/?tab=mine", **{"HX-Request": "true", "HX-Target": "queue"})
        assert part.startswith('<div id="queue"')
        assert "Нажмите" in part

    async def test_fifty_rows_and_then_more(self, pages: Pages) -> None:
        world = pages.world
        await world.agent("anna")
        await world.say("c1", "мастера")
        request = await world.request()
        columns = {
            column.key: getattr(request, column.key)
            for column in Request.__table__.columns
            if column.key not in ("id", "number", "conversation_id", "task")
        }
        async with world.sessions.begin() as session:
            for number in range(2001, 2061):
                session.add(
                    Request(number=f"T-{number}", conversation_id=request.conversation_id, task=True, **columns)
                )
        first = await _page(pages, "anna")
        assert len(_rows(first)) == 50
        assert 'href="/desk/?shown=100"' in first
        assert len(_rows(await _page(pages, "anna", "/desk/?shown=100"))) == 61

    async def test_what_is_pressing_and_what_is_ones_own_customers_stands_above(self, pages: Pages) -> None:
        world = pages.world
        await world.agent("anna", title="Анна")
        for chat in ("c1", "c2"):
            await world.say(chat, "мастера")
        now = world.clock.now()
        await _change(pages, "T-1001", target_at=now - timedelta(minutes=3), warned_at=now, breached_at=now)
        await _change(pages, "T-1002", manager="anna", claim_until=now + timedelta(seconds=30), queue="masters")
        shown = await _page(pages, "anna")
        assert "Первый ответ просрочен" in shown
        assert "Ваш клиент ждёт вас" in shown
        assert shown.index("Первый ответ просрочен") < shown.index('id="rows"')

    async def test_who_lacks_a_skill_that_others_have_is_told_and_cannot_take(self, pages: Pages) -> None:
        world = pages.world
        await world.agent("anna")
        await world.agent("boris", skills=["en"])
        await world.say("c1", "мастера")
        await _change(pages, "T-1001", marks=["en"])
        assert "Нужен навык" in (shown := await _page(pages, "anna"))
        assert "T-1001/take" not in shown
        assert "T-1001/take" in await _page(pages, "boris")

    async def test_off_shift_it_says_how_to_begin(self, pages: Pages) -> None:
        await pages.world.agent("anna", on_shift=False)
        assert "Вы не на смене" in await _page(pages, "anna")

    async def test_a_trainer_takes_nothing(self, pages: Pages) -> None:
        await pages.world.agent("tanya", role="trainer")
        await pages.world.say("c1", "мастера")
        shown = await _page(pages, "tanya")
        assert "/desk/requests/T-1001" in shown
        for theirs_not in ("/desk/next", "T-1001/take", "tab=mine"):
            assert theirs_not not in shown

    async def test_telephone_numbers_are_masked(self, pages: Pages) -> None:
        await pages.world.agent("anna")
        await pages.world.say("c1", "звоните 8 916 123-45-67")
        await pages.world.say("c1", "мастера")
        shown = await _page(pages, "anna")
        assert "4567" in shown
        assert "123-45-67" not in shown


class TestLive:
    async def test_a_new_request_appears_and_goes_when_it_is_taken(self, pages: Pages) -> None:
        world = pages.world
        await world.agent("anna", title="Анна")
        await world.agent("boris", title="Борис")
        await world.say("c1", "мастера")
        one = (await world.request()).id
        async with _open(pages, "anna", "view=queue") as socket:
            await _heard(socket, "/desk/requests/T-1001")
            await world.say("c2", "мастера")
            two = (await world.request("T-1002")).id
            told = await _heard(socket, "/desk/requests/T-1002")
            assert f'data-rows="r-{one} r-{two}"' in told
            assert "/desk/requests/T-1001" not in told  # a row that is the same is not sent again
            await world.take("boris", "c1")
            told = await _heard(socket, f'data-rows="r-{two}"')
            assert f'id="r-{two}"' not in told

    async def test_agents_with_the_same_queues_share_one_rendering(self, pages: Pages) -> None:
        world = pages.world
        for name in ("anna", "boris"):
            await world.agent(name, title=name)
        await world.agent("vera", "masters")
        made = [
            live.VIEWS["queue"](pages.parts, await _seat(pages, name), {"tab": "waiting"})
            for name in ("anna", "boris", "vera")
        ]
        anna, boris, vera = [view.key for view in await asyncio.gather(*made) if view is not None]
        assert anna == boris != vera
        other = await live.VIEWS["queue"](pages.parts, await _seat(pages, "anna"), {"vip": "1"})
        assert other is not None
        assert other.key != anna

    async def test_ones_own_list_follows_what_the_customer_writes_and_nobody_elses(self, pages: Pages) -> None:
        world = pages.world
        await world.agent("anna", title="Анна")
        await world.agent("boris", title="Борис")
        await world.say("c1", "мастера")
        await world.take("anna", "c1")
        await act(world, desk.reply, "anna", "Здравствуйте!")
        async with _open(pages, "anna", "view=mine&tab=mine") as hers, _open(pages, "boris", "view=mine") as his:
            await _heard(hers, "ответ дан")
            await _heard(his, "shift-note")
            await world.say("c1", "а когда?")
            told = await _heard(hers, "клиент ждёт")
            assert "а когда?" in told
            assert "1 без ответа" in told
            with_nothing = asyncio.create_task(his.recv())
            await asyncio.wait([with_nothing], timeout=0.6)
            assert not with_nothing.done() or "n-mine" not in str(with_nothing.result())
            with_nothing.cancel()

    async def test_the_bell_rings_for_what_comes_to_ones_queues_and_tells_no_customers_words(
        self, pages: Pages
    ) -> None:
        world = pages.world
        await world.agent("anna", title="Анна")
        await world.say("c1", "мастера")
        await _change(pages, "T-1001", queue="masters")
        async with _open(pages, "anna", "") as socket:
            first = await _heard(socket, 'id="bell"')
            assert 'data-waiting="0" data-news="0"' in first
            await world.say("c2", "безобразие, мастера", name="Маша")
            told = await _heard(socket, 'data-news="1"')
            assert 'data-waiting="1"' in told
            assert "Приёмка" in told
            assert "T-1002" in told
            assert "Маша" not in told
            assert "безобразие" not in told
            await _change(pages, "T-1001", queue="desk")  # passed on to her queue
            assert 'data-waiting="2"' in await _heard(socket, 'data-news="2"')
            await world.take("anna", "c2")
            assert 'data-news="2"' in await _heard(socket, 'data-waiting="1"')

    async def test_a_supervisor_reads_one_number_of_what_waits_wherever_it_stands(self, pages: Pages) -> None:
        world = pages.world
        await world.agent("boss", "masters", role="supervisor")
        for chat in ("c1", "c2"):
            await world.say(chat, "мастера")
        await world.say("c2", "напишите")  # a task
        async with _open(pages, "boss", "view=queue") as socket:
            first = await _heard(socket, 'id="bell"')
            first += await _heard(socket, 'id="n-waiting"') if 'id="n-waiting"' not in first else ""
            assert 'data-waiting="3" data-news="0"' in first
            assert re.search(r'id="n-waiting"[^>]*>3<', first)
            board = await _page(pages, "boss", "/desk/board")
            assert "Ждут</dt><dd>3<span" in board
            assert ", из них 1 задача<" in board
            await world.say("c3", "мастера")  # another queue's: counted, and nothing rings for it
            assert 'data-news="0"' in await _heard(socket, 'data-waiting="4"')
            await _change(pages, "T-1001", queue="masters")
            assert 'data-waiting="4"' in await _heard(socket, 'data-news="1"')


class TestSearch:
    async def _search(self, browser: httpx.AsyncClient, text: str) -> str:
        sent = await browser.post("/desk/search", data={"q": text, "form_token": TOKEN})
        assert sent.status_code == 303
        assert sent.headers["location"] == "/desk/search"  # what was looked for stands in no address
        answer = await browser.get("/desk/search")
        assert answer.status_code == 200
        return answer.text

    async def test_what_was_looked_for_is_found_and_marked(self, pages: Pages) -> None:
        world = pages.world
        await world.agent("anna")
        await world.say("c1", "не пришла посылка, мой телефон 8 916 123-45-67")
        await world.say("c1", "мастера")
        async with pages.as_("anna") as browser:
            shown = await self._search(browser, "посылки")
            assert _rows(shown) == ["T-1001"]
            assert "<mark>посылка</mark>" in shown
            assert 'value="посылки"' in shown
            by_phone = await self._search(browser, "+79161234567")
            assert _rows(by_phone) == ["T-1001"]
            assert "123-45-67" not in by_phone
            assert "Ничего не нашлось" in await self._search(browser, "велосипедист")
            assert "Что ищем?" in await self._search(browser, " ")

    async def test_a_telephone_number_is_looked_up_in_the_crm(self, pages: Pages) -> None:
        world = pages.world
        await world.agent("anna")
        await world.say("c1", "мастера")
        await _change(pages, "T-1001", customer_id="r7")
        async with pages.as_("anna") as browser:
            assert _rows(await self._search(browser, "89995554433")) == []
            world.crm.riders[""] = {"id": "r7"}
            assert _rows(await self._search(browser, "89995554433")) == ["T-1001"]
            world.crm.down.add("crm")
            assert "Ничего не нашлось" in await self._search(browser, "89995554433")

    async def test_what_is_not_theirs_is_not_found(self, pages: Pages) -> None:
        world = pages.world
        await world.agent("anna")
        await world.agent("boss", role="supervisor")
        await world.say("c1", "не пришла посылка")
        await world.say("c1", "мастера")
        await _change(pages, "T-1001", queue="masters")
        async with pages.as_("anna") as hers, pages.as_("boss") as his:
            assert _rows(await self._search(hers, "T-1001")) == []
            assert _rows(await self._search(his, "T-1001")) == ["T-1001"]
