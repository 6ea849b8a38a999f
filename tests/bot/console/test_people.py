"""The people at the desk: who may see and change them, what is shown once, and what it does to those who are at work."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect

from bot import agents, audit
from bot.models import Agent
from tests.bot.accounts import PASSWORD, quick_passwords
from tests.bot.console.signing import Browser, Door, Opened, open_door

__all__ = ["open_door", "quick_passwords"]
pytestmark = pytest.mark.usefixtures("quick_passwords")
VERA = {
    "name": "vera",
    "title": "Вера",
    "role": "agent",
    "queues": "desk",
    "skills": "vip, en",
    "capacity": "4",
    "telegram_id": "",
}


@pytest.fixture
async def door(open_door: Opened) -> AsyncIterator[Door]:
    """Olga administers, Sveta supervises, Anna answers."""
    async with open_door() as opened:
        await opened.seat("olga", role="admin", title="Ольга")
        await opened.seat("sveta", role="supervisor", title="Света")
        await opened.seat("anna", title="Анна")
        yield opened


async def _agent(door: Door, name: str) -> Agent:
    async with door.world.sessions() as session:
        return await agents.get(session, name)


async def _id(door: Door, name: str) -> int:
    return (await _agent(door, name)).id


async def _olga(door: Door) -> Browser:
    return await door.inside("olga", "/desk/people")


async def _audited(door: Door) -> list[tuple[str | None, str, dict[str, Any]]]:
    async with door.world.sessions() as session:
        entries = (await audit.page(session, audit.Wanted())).entries
    return [(one.agent, one.action, dict(one.data)) for one in entries]


class TestWhoMay:
    @pytest.mark.parametrize(
        ("name", "list_status", "form_status"), [("olga", 200, 200), ("sveta", 200, 403), ("anna", 403, 403)]
    )
    async def test_see_the_list_and_the_forms(self, door: Door, name: str, list_status: int, form_status: int) -> None:
        browser = await door.inside(name)
        assert (await browser.get("/desk/people")).status_code == list_status
        assert ("Добавить" in browser.page) == (form_status == 200)
        for path in ("/desk/people/new", f"/desk/people/{await _id(door, 'anna')}"):
            assert (await browser.get(path)).status_code == form_status
        assert "Этот раздел доступен не всем" in browser.page or form_status == 200

    @pytest.mark.parametrize("path", ["new", "{id}", "{id}/reset", "{id}/disable", "{id}/enable"])
    async def test_change_accounts_only_administrators(self, door: Door, path: str) -> None:
        where = "/desk/people/" + path.format(id=await _id(door, "anna"))
        for name in ("sveta", "anna"):
            browser = await door.inside(name)
            assert (await browser.post(where, VERA)).status_code == 403
        assert [action for _, action, _ in await _audited(door)].count("signed_in") == 2
        anna = await _agent(door, "anna")
        assert anna.disabled_at is None
        assert not anna.password_temporary

    async def test_begin_shifts_of_others_supervisors_too(self, door: Door) -> None:
        where = f"/desk/people/{await _id(door, 'anna')}/shift"
        assert (await (await door.inside("anna")).post(where, {"on": "1"})).status_code == 403
        sveta = await door.inside("sveta", "/desk/people")
        assert (await sveta.post(where, {"on": "1"})).status_code == 303
        assert (await _agent(door, "anna")).on_shift
        assert (await _audited(door))[0] == ("sveta", "shift_on", {"who": "anna"})


class TestAdding:
    async def test_somebody_new_gets_a_password_that_is_shown_once(self, door: Door) -> None:
        olga = await _olga(door)
        answer = await olga.post("/desk/people/new", VERA)
        assert answer.status_code == 200
        found = re.search(r'<code class="once">([^<]+)</code>', answer.text)
        assert found is not None
        vera = await _agent(door, "vera")
        assert (vera.title, vera.queues, vera.skills, vera.capacity) == ("Вера", ["desk"], ["vip", "en"], 4)
        browser = door.browser()
        assert (await browser.sign_in("vera", found.group(1))).headers["location"] == "/desk/password"
        for path in ("/desk/people", f"/desk/people/{vera.id}", "/desk/audit"):
            assert found.group(1) not in (await olga.get(path)).text
        assert answer.headers["cache-control"] == "no-store"

    @pytest.mark.parametrize(
        ("wrong", "sentence"),
        [
            ({"name": "вера петрова"}, "В имени для входа"), ({"name": "anna"}, "уже занято"), ({"title": ""}, "Укажите имя, которое"),
            ({"role": "boss"}, "Выберите роль"), ({"queues": "nowhere"}, "Выберите очередь"), ({"capacity": "много"}, "от 0 до 100"),
            ({"capacity": "1000"}, "от 0 до 100"), ({"telegram_id": "@vera"}, "числовой идентификатор"),
        ],
    )  # fmt: skip
    async def test_what_does_not_fit_is_said_and_what_was_typed_stays(
        self, door: Door, wrong: dict[str, str], sentence: str
    ) -> None:
        olga = await _olga(door)
        answer = await olga.post("/desk/people/new", VERA | wrong)
        assert 400 <= answer.status_code < 500
        assert sentence in answer.text
        assert f'value="{(VERA | wrong)["name"]}"' in answer.text
        async with door.world.sessions() as session:
            assert "vera" not in {agent.name for agent in await agents.everyone(session)}

    async def test_what_was_typed_is_shown_as_text(self, door: Door) -> None:
        olga = await _olga(door)
        await olga.post("/desk/people/new", VERA | {"title": '<b onclick="x">Вера</b>'})
        assert "<b onclick" not in (await olga.get("/desk/people")).text


class TestChanging:
    async def test_the_form_shows_what_is_and_stores_what_is_sent(self, door: Door) -> None:
        olga = await _olga(door)
        where = f"/desk/people/{await _id(door, 'anna')}"
        await olga.get(where)
        assert re.search(r'value="desk" checked', olga.page)
        answer = await olga.post(where, VERA | {"title": "Аня", "role": "supervisor", "telegram_id": "777000123"})
        assert (answer.status_code, answer.headers["location"]) == (303, "/desk/people")
        anna = await _agent(door, "anna")
        assert (anna.name, anna.title, anna.role, anna.telegram_id) == ("anna", "Аня", "supervisor", "777000123")
        assert "Аня: сохранено" in (await olga.get("/desk/people")).text

    async def test_another_role_counts_at_once(self, door: Door) -> None:
        anna = await door.inside("anna")
        olga = await _olga(door)
        await olga.post(f"/desk/people/{await _id(door, 'anna')}", VERA | {"role": "supervisor"})
        assert (await anna.get("/desk/people")).status_code == 200

    async def test_nobody_takes_the_last_key_from_themselves(self, door: Door) -> None:
        olga = await _olga(door)
        own = f"/desk/people/{await _id(door, 'olga')}"
        for path, data in ((own, VERA | {"role": "agent"}), (f"{own}/disable", {}), (f"{own}/reset", {})):
            answer = await olga.post(path, data)
            assert answer.status_code == 409, path
        me = await _agent(door, "olga")
        assert (me.role, me.disabled_at, me.password_temporary) == ("admin", None, False)

    async def test_somebody_who_is_not_there(self, door: Door) -> None:
        olga = await _olga(door)
        for path in ("/desk/people/9999", "/desk/people/99999999999999999999"):
            assert (await olga.get(path)).status_code in (404, 422), path
        assert (await olga.post("/desk/people/9999/reset")).status_code == 404


class TestTheSignInOfOthers:
    async def test_a_reset_signs_out_and_the_new_password_is_shown(self, door: Door) -> None:
        anna = await door.inside("anna")
        olga = await _olga(door)
        answer = await olga.post(f"/desk/people/{await _id(door, 'anna')}/reset")
        found = re.search(r'<code class="once">([^<]+)</code>', answer.text)
        assert found is not None
        assert (await anna.get("/desk/profile")).status_code == 303
        assert (await door.browser().sign_in("anna", PASSWORD)).status_code == 401
        assert (await door.browser().sign_in("anna", found.group(1))).status_code == 303

    async def test_who_is_disabled_is_out_and_keeps_no_customer_waiting(self, door: Door) -> None:
        world = door.world
        async with world.sessions.begin() as session:
            (await agents.get(session, "anna")).on_shift = True
        await world.say("c1", "мастера")
        await world.take("anna")
        browser = await door.inside("anna")
        olga = await _olga(door)
        where = f"/desk/people/{await _id(door, 'anna')}"
        assert "1 из 5" in olga.page
        assert (await olga.post(f"{where}/disable")).status_code == 303
        assert (await browser.get("/desk/profile")).status_code == 303
        assert (await world.request()).state == "queued"
        assert "Закрыт" in (await olga.get("/desk/people")).text
        refused = await olga.post(f"{where}/shift", {"on": "1"})
        assert refused.status_code == 409
        assert (await olga.post(f"{where}/enable")).status_code == 303
        assert (await door.browser().sign_in("anna")).status_code == 303


async def _shown(socket: ClientConnection) -> str:
    """The list as it is told next; other parts of the page are told of, too."""
    async with asyncio.timeout(30):
        while 'id="people"' not in (told := str(await socket.recv())):
            continue
    return told


class TestTheList:
    async def test_changes_by_itself_when_a_shift_begins(self, door: Door) -> None:
        sveta = await door.inside("sveta", "/desk/people")
        assert 'data-live="/desk/live?view=people"' in sveta.page
        headers = {"Cookie": f"firstline={sveta.http.cookies['firstline']}", "Origin": door.address}
        async with connect(
            door.address.replace("http", "ws") + "/desk/live?view=people", additional_headers=headers
        ) as socket:
            assert "На смене" not in await _shown(socket)
            async with door.world.sessions.begin() as session:
                (await agents.get(session, "anna")).on_shift = True
            assert "На смене" in await _shown(socket)

    async def test_is_not_told_to_agents_by_the_socket(self, door: Door) -> None:
        anna = await door.inside("anna")
        headers = {"Cookie": f"firstline={anna.http.cookies['firstline']}", "Origin": door.address}
        async with connect(
            door.address.replace("http", "ws") + "/desk/live?view=people", additional_headers=headers
        ) as socket:
            await asyncio.wait_for(socket.wait_closed(), 10)
            assert socket.close_code == 4404
