"""A whole shift in a real browser: from a customer's message in Telegram over bot, handoff and two agents to the mark."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from bot.benches.processes import Program
from bot.benches.system import free_port
from bot.standins.telegram import TelegramServer
from tests.e2e.conftest import FIRSTLINE
from tests.e2e.console.browsers import launched, serious
from tests.e2e.test_run import until

PATIENCE = 30_000
"""Milliseconds for whatever a page shows, on a busy machine."""
CUSTOMER = 700
OWN = "очень-длинный-пароль-смены"
SHOTS = os.environ.get("FIRSTLINE_TEST_SHOTS")
"""A folder for pictures of the shift; none: no pictures."""


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with launched() as made:
        yield made


@pytest.fixture
async def telegram() -> AsyncIterator[TelegramServer]:
    async with TelegramServer() as server:
        yield server


@pytest.fixture
async def desk(
    environment: dict[str, str], telegram: TelegramServer, address: str, tmp_path: Path
) -> AsyncIterator[tuple[str, dict[str, str]]]:
    """`firstline run` with Telegram's stand-in: the desk's address, and the environment for other commands."""
    port = free_port()
    own = environment | {
        "FIRSTLINE_DATABASE_URL": address, "FIRSTLINE_HTTP_PORT": str(port), "FIRSTLINE_QUIET_SECONDS": "0.3",
        "FIRSTLINE_TELEGRAM_TOKEN": telegram.token, "FIRSTLINE_TELEGRAM_API_BASE": telegram.url,
        "FIRSTLINE_UNDO_SECONDS": "3",
    }  # fmt: skip
    program = Program("firstline", ["run"], environment=own, log=tmp_path / "run.log")
    await program.start()
    yield f"http://127.0.0.1:{port}", own
    await program.kill()


async def _password(environment: dict[str, str], *arguments: str) -> str:
    """What `firstline staff …` prints as the password of the first sign-in."""

    def run() -> str:
        done = subprocess.run(
            [*FIRSTLINE, "staff", *arguments], env=environment, capture_output=True, text=True, timeout=120, check=True
        )
        return done.stdout

    told = await asyncio.to_thread(run)
    found = re.search(r"shown only here:\s+(\S+)", told)
    assert found, told
    return found[1]


class Person:
    """An agent before a browser of their own."""

    def __init__(self, page: Page, base: str) -> None:
        self.page, self.base = page, base
        self.errors: list[str] = []
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.set_default_timeout(PATIENCE)

    async def sign_in(self, name: str, temporary: str) -> None:
        """The first sign-in: the temporary password becomes one's own; then the shift begins."""
        page = self.page
        await page.goto(f"{self.base}/desk/")
        await page.get_by_label("Имя").fill(name)
        await page.get_by_label("Пароль", exact=True).fill(temporary)
        await page.get_by_role("button", name="Войти", exact=True).click()
        await page.get_by_label("Временный пароль").fill(temporary)
        await page.locator("input[name=new]").fill(OWN)
        await page.locator("input[name=again]").fill(OWN)
        await page.get_by_role("button", name="Сохранить пароль").click()
        await expect(page.get_by_role("heading", name="Очередь")).to_be_visible()
        if await page.locator("#top .shift.on").count() == 0:
            await page.locator("#top .shift").click()
        await expect(page.locator("#top .shift.on")).to_be_visible()

    async def reply(self, text: str) -> None:
        """Write to the customer, sent by the keyboard."""
        await self.page.locator("#reply-text").fill(text)
        await self.page.keyboard.press("Control+Enter")
        await expect(self.page.locator("#reply-text")).to_have_value("")

    async def shot(self, name: str) -> None:
        """A picture, where they are wanted."""
        if SHOTS:
            await self.page.screenshot(path=Path(SHOTS) / f"{name}.png")


def _heard(telegram: TelegramServer, words: str) -> bool:
    return any(words in sent.text for sent in telegram.sent if sent.chat == CUSTOMER)


@pytest.mark.rule("CX-03", "CX-04", "CX-07", "CX-08", "L2-10")
async def test_a_whole_shift(desk: tuple[str, dict[str, str]], telegram: TelegramServer, browser: Browser) -> None:
    base, environment = desk
    anna = Person(await browser.new_page(viewport={"width": 1440, "height": 900}, locale="ru-RU"), base)
    boris = Person(await (await browser.new_context(locale="ru-RU")).new_page(), base)
    await anna.sign_in("anna", await _password(environment, "reset", "anna"))
    await boris.sign_in(
        "lead", await _password(environment, "add", "lead", "--title", "Борис Лунёв", "--role", "supervisor")
    )

    # the customer writes; the bot answers what it can and hands the rest over; the queue shows it by itself
    telegram.writes(CUSTOMER, "Здравствуйте. Позовите, пожалуйста, специалиста, посылка уже неделю стоит на месте")
    await until(lambda: _heard(telegram, "T-1001"), "the request's number")
    row = anna.page.get_by_text("T-1001").first
    await expect(row).to_be_visible()
    assert await serious(anna.page) == []
    await anna.shot("queue")

    # one key takes the next request; the summary stands there before the first reply
    await anna.page.locator("main").focus()
    await anna.page.keyboard.press("n")
    await expect(anna.page.locator("#head")).to_contain_text("T-1001")
    await expect(anna.page.locator("#card")).to_contain_text("неделю стоит на месте")
    await until(lambda: _heard(telegram, "специалист"), "who has joined")
    assert await serious(anna.page) == []

    # a talk, live both ways
    await anna.reply("Здравствуйте! Уже смотрю, где посылка. Подскажите номер заказа?")
    await until(lambda: _heard(telegram, "Уже смотрю, где посылка"), "Anna's reply")
    telegram.writes(CUSTOMER, "48213")
    await expect(anna.page.locator("#lines")).to_contain_text("48213")
    await anna.shot("request")

    # passed on with a comment; the customer is told, and the colleague reads it first
    await anna.page.locator("main").focus()
    await anna.page.keyboard.press("p")
    dialog = anna.page.locator("#dialog")
    await dialog.get_by_label("Кому").select_option("to:lead")
    await dialog.get_by_label("Комментарий").fill("Заказ 48213 стоит на сортировке, нужна проверка у перевозчика")
    await dialog.get_by_role("button", name="Передать").click()
    await until(lambda: _heard(telegram, "другой специалист"), "that somebody else answers")
    await boris.page.goto(f"{base}/desk/requests/T-1001")
    await expect(boris.page.locator("main")).to_contain_text("нужна проверка у перевозчика")
    await boris.reply("Это Борис. Посылка завтра поедет дальше, я прослежу.")
    await until(lambda: _heard(telegram, "Посылка завтра поедет дальше"), "Boris's reply")

    # two cannot answer at once
    await anna.page.goto(f"{base}/desk/requests/T-1001")
    await expect(anna.page.locator("#reply-form")).to_be_hidden()

    # solved, undone, solved again: the customer is asked once
    for again in (False, True):
        await expect(boris.page.locator("[data-key=r]")).to_be_enabled()
        await boris.page.locator("main").focus()
        await boris.page.keyboard.press("r")
        await boris.page.locator("#dialog").get_by_label("Что сделали").fill("Запрос перевозчику")
        await boris.page.locator("#dialog").get_by_role("button", name="Завершить").click()
        if not again:
            await boris.shot("undo")
            await boris.page.locator("#news").get_by_role("button", name="Отменить").click()
            await expect(boris.page.locator("#news")).not_to_contain_text("завершаем")
            await expect(boris.page.locator("#head")).to_contain_text("В работе")
    await until(lambda: _heard(telegram, "Помогло?") or _heard(telegram, "Всё получилось?"), "whether it helped")
    assert sum("Помогло?" in one.text or "Всё получилось?" in one.text for one in telegram.sent) == 1

    # it helped: the mark, in the messenger
    telegram.presses(telegram.sent[-1], "Да, помогло")
    await until(lambda: any("5" in _titles(one.markup) for one in telegram.sent), "the question for a mark")
    telegram.presses(next(one for one in reversed(telegram.sent) if "5" in _titles(one.markup)), "5")
    await expect(boris.page.locator("main")).to_contain_text("5 из 5")
    telegram.writes(CUSTOMER, "Спасибо Борису, всё объяснил")
    await expect(boris.page.locator("#card")).to_contain_text("5 из 5: «Спасибо Борису, всё объяснил»")
    assert anna.errors == boris.errors == []


def _titles(markup: object) -> str:
    return str(markup)
