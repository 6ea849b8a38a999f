"""The way in, in a real browser: from a temporary password to the desk, with nothing that the security policy has to stop."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Page, expect

from bot import agents, staff
from tests.bot.accounts import quick_passwords, seat
from tests.bot.conftest import world
from tests.bot.console.signing import Door, Opened, open_door
from tests.bot.world import START
from tests.e2e.console.browsers import launched, serious

__all__ = ["open_door", "quick_passwords", "world"]
pytestmark = pytest.mark.usefixtures("quick_passwords")
NEW = "три рыжих лисицы"


@pytest.fixture
async def door(open_door: Opened) -> AsyncIterator[Door]:
    async with open_door() as opened:
        await seat(opened.world.sessions, "olga", role="admin", title="Ольга")
        yield opened


@pytest.fixture
async def page(door: Door) -> AsyncIterator[Page]:
    """A page of a browser; what its console complains of fails the test."""
    wrong: list[str] = []
    async with launched() as browser:
        opened = await browser.new_page(base_url=door.address)
        opened.on("console", lambda said: wrong.append(said.text) if "Content Security Policy" in said.text else None)
        opened.on("pageerror", lambda error: wrong.append(str(error)))
        yield opened
    assert wrong == []


async def _sound(page: Page) -> None:
    """Nothing serious for those who do not see the page or use no mouse."""
    assert await serious(page) == []


async def test_a_newcomer_gets_in_with_a_temporary_password_and_chooses_another(door: Door, page: Page) -> None:
    async with door.world.sessions.begin() as session:
        place = staff.Place(title="Вера", queues=("desk",))
        password = await staff.add(session, "vera", place, doer=staff.Doer(now=START), queues=("desk",))
    await page.goto("/desk/profile")
    await _sound(page)
    await page.get_by_label("Имя").fill("vera")
    await page.get_by_label("Пароль").fill(password)
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="Придумайте пароль")).to_be_visible()
    await _sound(page)
    await page.get_by_label("Временный пароль").fill(password)
    await page.get_by_label("Новый пароль", exact=False).first.fill(NEW)
    await page.get_by_label("Новый пароль ещё раз").fill(NEW)
    await page.get_by_role("button", name="Сохранить пароль").click()
    await page.wait_for_url("**/desk/")
    await page.goto("/desk/profile")
    await expect(page.get_by_role("heading", name="Вера")).to_be_visible()
    await _sound(page)


async def test_an_administrator_adds_a_person_and_starts_their_shift(door: Door, page: Page) -> None:
    await page.goto("/desk/people")
    await page.get_by_label("Имя").fill("olga")
    await page.get_by_label("Пароль").fill("четыре синих чайника")
    await page.keyboard.press("Enter")
    await page.get_by_role("link", name="Добавить").click()
    await page.get_by_label("Имя для входа").fill("ivan")
    await page.get_by_label("Имя для клиентов").fill("Иван")
    await page.locator("input[name=queues]").first.check()
    await _sound(page)
    await page.get_by_role("button", name="Добавить").click()
    await expect(page.locator("code.once")).to_have_text(re.compile(r"^\w{5}-\w{5}-\w{5}$"))
    await _sound(page)
    await page.get_by_role("link", name="Готово").click()
    await page.get_by_role("button", name=re.compile("^Не на смене.*Иван")).click()
    await expect(page.get_by_role("button", name=re.compile("^На смене.*Иван"))).to_be_visible()
    async with door.world.sessions() as session:
        assert (await agents.get(session, "ivan")).on_shift
    await _sound(page)
    await page.goto("/desk/audit")
    await expect(page.locator("table.audit")).to_contain_text("Добавлен человек")
    await _sound(page)
