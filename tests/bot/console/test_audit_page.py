"""The journal: who may read it, how it is looked through, and that it shows no more than was noted."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from bot import audit
from tests.bot.accounts import quick_passwords
from tests.bot.console.signing import Browser, Door, Opened, open_door
from tests.bot.world import START

__all__ = ["open_door", "quick_passwords"]
pytestmark = pytest.mark.usefixtures("quick_passwords")


@pytest.fixture
async def door(open_door: Opened) -> AsyncIterator[Door]:
    async with open_door() as opened:
        await opened.seat("sveta", role="supervisor", title="Света")
        await opened.seat("anna", title="Анна")
        yield opened


def _rows(browser: Browser) -> list[str]:
    """The lines of the table, without tags."""
    body = browser.page.partition("<tbody>")[2].partition("</tbody>")[0]
    return [re.sub(r"<[^>]+>", "|", row) for row in body.split("</tr>") if row.strip()]


async def test_agents_and_trainers_do_not_read_it(door: Door) -> None:
    await door.seat("tanya", role="trainer")
    for name in ("anna", "tanya"):
        assert (await (await door.inside(name)).get("/desk/audit")).status_code == 403


async def test_a_line_says_when_where_the_shop_is_who_what_and_with_which_request(door: Door) -> None:
    await door.world.agent("boris", title="Борис")
    await door.world.say("c1", "мастера")
    request = await door.world.take("boris")
    async with door.world.sessions.begin() as session:
        await audit.note(
            session, at=START, agent="boris", action="transfer", request_id=request.id, data={"to": "anna", "queue": "second", "form": "x1"},
            address="198.51.100.7",
        )  # fmt: skip
    sveta = await door.inside("sveta", "/desk/audit?action=transfer")
    (row,) = _rows(sveta)
    for part in ("18.11.2026 12:00:00", "Борис", "Передано", "T-1001", "кому: Анна; очередь: second", "198.51.100.7"):
        assert part in row, part
    assert "x1" not in row


async def test_by_person_request_and_day(door: Door) -> None:
    async with door.world.sessions.begin() as session:
        for days, agent in ((0, "anna"), (1, "anna"), (2, "boris")):
            await audit.note(session, at=START + timedelta(days=days), agent=agent, action=f"act{days}")
    sveta = await door.inside("sveta")
    for query, found in (
        ("who=anna", ["act1", "act0"]), ("who=boris", ["act2"]), ("day=2026-11-19", ["act1"]), ("day=2026-11-17", []),
        ("who=anna&day=2026-11-18&action=act0", ["act0"]), ("number=T-1", []), ("who=nobody", []),
    ):  # fmt: skip
        assert (await sveta.get(f"/desk/audit?{query}")).status_code == 200
        assert re.findall(r"act\d", " ".join(_rows(sveta))) == found, query
    assert "Ничего не найдено" in sveta.page


async def test_a_day_begins_at_midnight_where_the_shop_is(door: Door) -> None:
    async with door.world.sessions.begin() as session:
        midnight = START.replace(hour=21, minute=0)  # 00:00 of the 19th in Moscow
        await audit.note(session, at=midnight - timedelta(seconds=1), agent="anna", action="act0")
        await audit.note(session, at=midnight, agent="anna", action="act1")
    sveta = await door.inside("sveta", "/desk/audit?day=2026-11-19")
    assert re.findall(r"act\d", " ".join(_rows(sveta))) == ["act1"]


async def test_older_lines_are_a_link_away(door: Door) -> None:
    async with door.world.sessions.begin() as session:
        for number in range(audit.PAGE + 3):
            await audit.note(session, at=START, agent="anna", action="take", data={"queue": f"q{number}"})
    sveta = await door.inside("sveta", "/desk/audit?action=take")
    first = re.findall(r"q\d+", " ".join(_rows(sveta)))
    link = re.search(r'href="(/desk/audit\?[^"]*before=\d+)"', sveta.page)
    assert link is not None
    await sveta.get(link.group(1).replace("&amp;", "&"))
    assert first + re.findall(r"q\d+", " ".join(_rows(sveta))) == [f"q{n}" for n in reversed(range(audit.PAGE + 3))]
    assert "before=" not in sveta.page


@pytest.mark.parametrize("query", ["day=nonsense", "day=9999-12-31", "before=x", "before=9", "who=%3Cscript%3E"])
async def test_nonsense_in_the_address_is_no_trouble(door: Door, query: str) -> None:
    sveta = await door.inside("sveta")
    assert (await sveta.get(f"/desk/audit?{query}")).status_code == 200
    assert "<script>" not in sveta.page


async def test_what_was_refused_to_an_outside_system_is_named(door: Door) -> None:
    async with door.world.sessions.begin() as session:
        await audit.note(session, at=START, agent="anna", action="reply_refused", data={"api_key": "helpdesk"})
    sveta = await door.inside("sveta", "/desk/audit?who=anna")
    assert "Ответ клиенту: отказано" in _rows(sveta)[0]
    assert "ключ: helpdesk" in _rows(sveta)[0]


async def test_what_was_done_is_told_in_words(door: Door) -> None:
    until = "2026-11-21 18:00:00+03:00"
    async with door.world.sessions.begin() as session:
        await audit.note(session, at=START, agent="anna", action="call_back", data={"refused": "TimeOver"})
        await audit.note(session, at=START, agent="anna", action="wait", data={"until": until})
    sveta = await door.inside("sveta", "/desk/audit?who=anna")
    assert "до: 21.11.2026" in _rows(sveta)[0]
    assert "отказано: это время уже прошло, выберите более позднее" in _rows(sveta)[1]


async def test_signs_that_no_text_has_are_said_to_be_wrong(door: Door) -> None:
    sveta = await door.inside("sveta")
    assert (await sveta.get("/desk/audit?number=%00")).status_code == 422
    assert "заполнены неверно" in sveta.page
