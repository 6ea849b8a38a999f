"""The supervisors' page, and the button of one's own shift."""

from __future__ import annotations

import asyncio
import re
from datetime import timedelta

import pytest
from sqlalchemy import select
from websockets.asyncio.client import connect

from bot import desk, planned
from bot.models import Agent, Audit, Planned, Request, State
from tests.bot.console.conftest import Pages
from tests.bot.shifts import change, whose
from tests.bot.world import act

HTMX = {"HX-Request": "true"}


@pytest.fixture
async def shift(pages: Pages) -> Pages:
    """Anna works on T-1002 and waits for the customer of T-1001, T-1003 waits; Boris is at home; Olga leads."""
    world = pages.world
    await world.agent("anna", title="Анна")
    await world.agent("boris", "masters", on_shift=False, title="Борис")
    await world.agent("olga", "masters", role="supervisor", title="Ольга", on_shift=False)
    await world.agent("tanya", role="trainer", title="Таня", on_shift=False)
    for chat in ("c2", "c1"):
        await world.say(chat, "мастера")
        await world.take("anna", chat)
    await act(world, desk.wait, "anna", chat="c2")
    await world.pass_time(minutes=4)
    await world.say("c3", "мастера")
    world.events.clear()
    return pages


async def board(pages: Pages, who: str = "olga") -> str:
    async with pages.as_(who) as browser:
        answer = await browser.get("/desk/board")
        assert answer.status_code == 200
        return answer.text


def row(html: str, id: str) -> str:
    """The words of an element, without its tags."""
    found = re.search(rf'<(\w+)[^>]* id="{id}"[^>]*>(.*?)</\1>', html, re.S) or re.search(
        rf'<(\w+) id="{id}"[^>]*>(.*?)</\1>', html, re.S
    )
    assert found is not None, id
    return " ".join(re.sub(r"<[^>]+>", " ", found[2]).split())


async def agent(pages: Pages, name: str) -> Agent:
    (found,) = await pages.world.rows(select(Agent).where(Agent.name == name))
    assert isinstance(found, Agent)
    return found


class TestSeeing:
    @pytest.mark.parametrize("who", ["anna", "tanya"])
    async def test_it_is_for_supervisors(self, shift: Pages, who: str) -> None:
        async with shift.as_(who) as browser:
            assert (await browser.get("/desk/board")).status_code == 403
            number = (await agent(shift, "anna")).id
            for action in ("shift-off", "take-back"):
                assert (await browser.post(f"/desk/board/{number}/{action}")).status_code == 403
        assert (await agent(shift, "anna")).on_shift

    async def test_queues(self, shift: Pages) -> None:
        html = await board(shift)
        assert row(html, "queue-desk").startswith("Приёмка 1 ")
        assert "1 , ждём клиента: 1 1 круглосуточно" in row(html, "queue-desk")
        assert row(html, "queue-masters") == "Мастера 0 — 0 никого до 18:00 —"

    async def test_a_closed_queue_says_when_it_opens(self, shift: Pages) -> None:
        shift.world.clock.forward(hours=10)
        assert "закрыта до 09:00" in row(await board(shift), "queue-masters")

    async def test_a_queue_in_which_somebody_waits_and_nobody_works_is_marked(self, shift: Pages) -> None:
        await shift.world.say("c4", "нужна деталь")
        html = await board(shift)
        assert '<span class="tag bad">никого</span>' in html
        assert row(html, "queue-masters").split()[:2] == ["Мастера", "1"]

    async def test_people(self, shift: Pages) -> None:
        html = await board(shift)
        anna, boris = await agent(shift, "anna"), await agent(shift, "boris")
        told = row(html, f"member-{anna.id}")
        assert told.startswith("Анна anna на смене без браузера 1 из 5 T-1002")
        assert "T-1001 ждёт клиента" in told
        assert row(html, f"member-{boris.id}").startswith("Борис boris не на смене 0 из 5 — Мастера")
        assert "tanya" not in html

    async def test_whose_pages_are_closed_and_whose_shift_has_ended_by_it(self, shift: Pages) -> None:
        world, anna = shift.world, await agent(shift, "anna")
        await change(world, "anna", seen_at=world.clock.now())
        assert "anna на смене 1" in row(await board(shift), f"member-{anna.id}")
        await world.pass_time(seconds=90)
        assert "нет на связи" in row(await board(shift), f"member-{anna.id}")
        await world.pass_time(seconds=60)
        assert "смена прервалась" in row(await board(shift), f"member-{anna.id}")

    async def test_first_answers_late_and_near(self, shift: Pages) -> None:
        world = shift.world
        assert 'id="board-late" hidden' in await board(shift)
        await world.pass_time(minutes=8)
        html = await board(shift)
        late = {
            one.number: row(html, f"target-{one.id}")
            for one in [await world.request("T-1002"), await world.request("T-1003")]
        }
        assert late["T-1002"].startswith("T-1002 ")
        assert "Анна 12:10" in late["T-1002"]
        assert "ещё ни у кого 12:14" in late["T-1003"]
        await act(world, desk.reply, "anna", "Здравствуйте.")
        assert "ответ позже на 2 мин" in row(await board(shift), f"target-{(await world.request('T-1002')).id}")
        assert "0 %" in row(await board(shift), "queue-desk")

    async def test_what_was_given_back_is_nobodys(self, shift: Pages) -> None:
        world = shift.world
        await act(world, desk.decline, "anna", "Не моя тема")
        await world.pass_time(minutes=8)
        told = row(await board(shift), f"target-{(await world.request('T-1002')).id}")
        assert "ни у кого, до этого Анна" in told

    async def test_nothing_of_the_customers_words_stands_there(self, shift: Pages) -> None:
        assert "мастера</" not in (await board(shift)).replace("Мастера", "")


class TestDoing:
    async def test_a_shift_is_ended_and_all_goes_back(self, shift: Pages) -> None:
        anna = await agent(shift, "anna")
        async with shift.as_("olga") as browser:
            answer = await browser.post(f"/desk/board/{anna.id}/shift-off", headers=HTMX)
        assert answer.status_code == 200
        assert "Анна: смена закончена. 1 обращение вернулось в очередь." in answer.text
        assert await whose(shift.world) == {
            "T-1001": "anna",
            "T-1002": None,
            "T-1003": None,
        }  # T-1001 waits for its customer
        await shift.world.settle()
        assert "Ответит другой мастер T-1002." in [one["text"] for one in shift.world.told("message")]
        (noted,) = await shift.world.rows(select(Audit))
        assert (noted.agent, noted.action, noted.data) == ("olga", "shift_off", {"of": "anna", "back": 1})

    @pytest.mark.parametrize("way", ["board", "people", "disable"])
    async def test_what_the_agent_has_just_decided_is_done_whoever_ends_their_shift(
        self, shift: Pages, way: str
    ) -> None:
        world, anna = shift.world, await agent(shift, "anna")
        await world.agent("root", role="admin")
        request = await world.request("T-1002")
        async with world.sessions.begin() as session:
            row = await session.get_one(Request, request.id)
            row.read_by = anna.id
            undo = timedelta(seconds=5)
            await planned.plan(session, world.desk, "anna", "resolve", row, now=world.clock.now(), undo=undo)
        address = {"board": f"board/{anna.id}/shift-off", "people": f"people/{anna.id}/shift"}
        async with shift.as_("root") as browser:
            answer = await browser.post(f"/desk/{address.get(way, f'people/{anna.id}/disable')}")
        assert answer.status_code == 303
        assert (await world.request("T-1002")).state == State.SOLVED

    async def test_requests_are_taken_back_and_the_agent_is_told(self, shift: Pages) -> None:
        anna = await agent(shift, "anna")
        async with shift.as_("olga") as browser:
            answer = await browser.post(f"/desk/board/{anna.id}/take-back")
            assert (answer.status_code, answer.headers["location"]) == (303, "/desk/board")
            assert "в очередь вернулось 1 обращение" in (await browser.get("/desk/board")).text
        assert (await agent(shift, "anna")).on_shift
        request = await shift.world.request("T-1002")
        assert request.state == State.QUEUED
        (told,) = await shift.world.rows(select(Planned).where(Planned.agent_id == anna.id))
        assert told.why == "Ольга: обращение T-1002 вернулось в очередь"

    async def test_nobody_of_that_number(self, shift: Pages) -> None:
        async with shift.as_("olga") as browser:
            assert (await browser.post("/desk/board/9999/shift-off")).status_code == 404


class TestMyShift:
    async def test_on_and_off(self, shift: Pages) -> None:
        async with shift.as_("boris") as browser:
            begun = await browser.post("/desk/shift", data={"on": "1"}, headers=HTMX)
            assert "Смена началась." in begun.text
            assert 'id="my-shift"' in begun.text
            assert (await agent(shift, "boris")).on_shift
            assert (await agent(shift, "boris")).seen_at == shift.world.clock.now()
            over = await browser.post("/desk/shift", data={"on": "0"}, headers=HTMX)
        assert "Смена закончена." in over.text
        assert not (await agent(shift, "boris")).on_shift
        assert [(one.agent, one.action) for one in await shift.world.rows(select(Audit).order_by(Audit.id))] == [
            ("boris", "shift_on"), ("boris", "shift_off"),
        ]  # fmt: skip

    async def test_what_goes_back_is_told(self, shift: Pages) -> None:
        async with shift.as_("anna") as browser:
            over = await browser.post("/desk/shift", data={"on": "0"}, headers=HTMX)
        assert "Смена закончена. 1 обращение вернулось в очередь." in over.text

    async def test_without_scripts_it_is_a_form(self, shift: Pages) -> None:
        async with shift.as_("boris") as browser:
            answer = await browser.post("/desk/shift", data={"on": "1"})
        assert (answer.status_code, answer.headers["location"]) == (303, "/desk/")

    async def test_a_trainer_has_none(self, shift: Pages) -> None:
        async with shift.as_("tanya") as browser:
            assert (await browser.post("/desk/shift", data={"on": "1"})).status_code == 403
        assert not (await agent(shift, "tanya")).on_shift


class TestLive:
    def _socket(self, pages: Pages, who: str, query: str) -> connect:
        return connect(
            f"{pages.address.replace('http', 'ws')}/desk/live?{query}", additional_headers={"X-Test-Agent": who}
        )

    async def test_the_board_follows(self, shift: Pages) -> None:
        async with self._socket(shift, "olga", "view=board") as socket, asyncio.timeout(20):
            while "board-people" not in (told := str(await socket.recv())):
                pass
            assert "T-1001" in told
            await shift.world.say("c4", "нужна деталь")
            while 'id="board-queues"' not in (told := str(await socket.recv())):
                pass
            assert '<span class="tag bad">никого</span>' in told

    async def test_it_is_not_for_agents(self, shift: Pages) -> None:
        async with self._socket(shift, "anna", "view=board") as socket, asyncio.timeout(20):
            await socket.wait_closed()
            assert socket.close_code == 4404

    async def test_an_ended_shift_shows_on_the_agents_own_page(self, shift: Pages) -> None:
        async with self._socket(shift, "anna", "") as socket, asyncio.timeout(20):
            while "my-shift" not in (told := str(await socket.recv())):
                pass
            assert "На смене" in told
            anna = await agent(shift, "anna")
            async with shift.as_("olga") as browser:
                await browser.post(f"/desk/board/{anna.id}/shift-off")
            while "my-shift" not in (told := str(await socket.recv())):
                pass
            assert "Не на смене" in told
