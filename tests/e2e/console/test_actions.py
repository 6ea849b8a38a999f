"""The dialogs of actions in a real browser: by keyboard alone, with what is wrong at its field, and undone at the edge."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import Page, expect
from sqlalchemy import select

from bot.models import Agent, Planned, State
from tests.bot.world import World, make_world
from tests.e2e.console.browsers import launched
from tests.e2e.console.served import served


@pytest.fixture
async def world(address: str) -> AsyncIterator[World]:
    async with make_world(address) as made:
        await made.agent("anna", title="Анна")
        await made.agent("boris", title="Борис")
        await made.agent("chief", title="Ольга", role="supervisor")
        await made.say("c1", "мастера")
        await made.take("anna")
        yield made


@asynccontextmanager
async def sitting(at: str, name: str) -> AsyncIterator[Page]:
    """A browser in which somebody has the request open."""
    async with launched() as browser:
        context = await browser.new_context(viewport={"width": 1440, "height": 900})
        await context.add_cookies([{"name": "sits", "value": name, "url": at}])
        page = await context.new_page()
        await page.goto(f"{at}/desk/requests/T-1001")
        yield page


async def test_passing_on_by_keyboard_alone(world: World, tmp_path: Path) -> None:
    async with served(world, tmp_path) as at, sitting(at, "anna") as page:
        await page.keyboard.press("p")
        target = page.get_by_label("Кому")
        await expect(target).to_be_focused()
        await target.select_option("to:boris")
        await page.keyboard.press("Tab")
        await expect(page.get_by_label("Комментарий для того, кто возьмёт")).to_be_focused()
        await page.keyboard.press("Tab")
        await page.keyboard.press("Tab")
        await page.keyboard.press("Enter")
        comment = page.get_by_label("Комментарий для того, кто возьмёт")
        await expect(page.get_by_text("Напишите комментарий для того, кто возьмёт обращение.")).to_be_visible()
        await expect(comment).to_be_focused()
        assert await target.input_value() == "to:boris"
        await page.keyboard.type("Твой клиент")
        await page.keyboard.press("Tab")
        await page.keyboard.press("Tab")
        await page.keyboard.press("Enter")
        await expect(page.locator("#dialog")).not_to_be_visible()
    (boris,) = await world.rows(select(Agent).where(Agent.name == "boris"))
    assert (await world.request()).agent_id == boris.id
    assert ("note", "Твой клиент") in await world.transcript()


async def test_what_is_wrong_has_the_cursor_and_a_menu_is_left_by_escape(world: World, tmp_path: Path) -> None:
    async with served(world, tmp_path) as at, sitting(at, "anna") as page:
        more, dialog = page.locator("#actions summary"), page.locator("#dialog")
        await more.focus()
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("button", name="Перезвонить")).to_be_visible()
        await page.keyboard.press("Tab")
        await page.keyboard.press("Escape")
        await expect(page.get_by_role("button", name="Перезвонить")).to_be_hidden()
        await expect(more).to_be_focused()
        for title, field in (("Приоритет", "reason"), ("Перезвонить", "phone_other")):
            await page.keyboard.press("Enter")
            await page.get_by_role("button", name=title).click()
            await expect(dialog.locator(".send")).to_be_visible()
            await dialog.locator(".send").click()
            await expect(dialog.locator(f"[name={field}]")).to_be_focused()
            await page.keyboard.press("Escape")
            await expect(dialog).to_be_hidden()
            await expect(more).to_be_focused()


async def test_what_is_about_to_be_done_is_undone_at_the_edge(world: World, tmp_path: Path) -> None:
    async with served(world, tmp_path, undo_seconds=60) as at, sitting(at, "anna") as page:
        await page.keyboard.press("r")
        await page.get_by_role("button", name="Завершить").click()
        told = page.locator("#news")
        await expect(told).to_contain_text("T-1001: завершаем…")
        await told.get_by_role("button", name="Отменить").click()
        await expect(told).not_to_contain_text("завершаем")
    assert [one.state for one in await world.rows(select(Planned))] == ["undone"]
    assert (await world.request()).state == State.ASSIGNED


async def test_who_loses_a_request_to_a_supervisor_reads_it_at_once(world: World, tmp_path: Path) -> None:
    async with served(world, tmp_path) as at, sitting(at, "anna") as anna, sitting(at, "chief") as chief:
        await expect(anna.locator("#news")).to_be_attached()
        await chief.keyboard.press("t")
        await chief.get_by_role("button", name="Взять на себя", exact=True).last.click()
        await expect(anna.locator("#news")).to_contain_text("Ольга: теперь обращение T-1001 у меня", timeout=15_000)
        await anna.locator("#news").get_by_role("button", name="Закрыть").click()
        await expect(anna.locator("#news")).not_to_contain_text("T-1001")


async def test_what_is_said_at_the_edge_stands_there_once_and_goes_by_itself(world: World, tmp_path: Path) -> None:
    async with served(world, tmp_path) as at, sitting(at, "boris") as page:
        for said in ("Смена закончена.", "Смена началась."):
            await page.locator("#my-shift button").click()
            await expect(page.locator("#toasts > .toast").last).to_contain_text(said)
        await expect(page.locator(".toast")).to_have_count(2)
        await expect(page.locator(".toast")).to_have_count(0, timeout=10_000)
