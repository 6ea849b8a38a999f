"""The queue page in a real browser: keys, what appears by itself, filters without a reload, and the bell."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, BrowserContext, Page, expect

from tests.bot.shifts import change
from tests.bot.world import World
from tests.e2e.console.browsers import launched
from tests.e2e.console.seed import FRIDAY, TALKS, Talk, fill, next_line, shop_world
from tests.e2e.console.served import served

WORK = [talk for talk in TALKS if talk.name in ("Егор", "Виктор", "Юлия Титова", "Артём", "Рената")]
NEW = Talk("Тамара", 0.1, [("Соедините с оператором", ["human_request"])])
MILLISECONDS = 20_000
"""Patience for a busy machine; what is measured is measured apart from it."""


@pytest.fixture
async def world(address: str, tmp_path: Path) -> AsyncIterator[World]:
    async with shop_world(address, tmp_path, now=FRIDAY) as made:
        await fill(made, WORK)
        yield made


@pytest.fixture
async def at(world: World, tmp_path: Path) -> AsyncIterator[str]:
    async with served(world, tmp_path) as address:
        yield address


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with launched() as made:
        yield made


async def _person(browser: Browser, at: str, name: str, **more: Any) -> BrowserContext:
    """A browser in which somebody sits, whose clock is the world's."""
    context = await browser.new_context(viewport={"width": 1440, "height": 900}, **more)
    context.set_default_timeout(MILLISECONDS)
    await context.add_cookies([{"name": "sits", "value": name, "url": at}])
    await context.clock.set_fixed_time(FRIDAY)
    return context


async def _open(context: BrowserContext, address: str) -> Page:
    """A page whose live parts have come."""
    page = await context.new_page()
    await page.goto(address)
    await page.wait_for_selector("#bell[data-news]", state="attached")
    return page


async def _until(page: Page, expression: str) -> None:
    """Wait for something in the page; its own waiting is forbidden there by our Content-Security-Policy."""
    async with asyncio.timeout(MILLISECONDS / 1000):
        while not await page.evaluate(expression):  # noqa: ASYNC110  what is waited for has no event of its own
            await asyncio.sleep(0.02)


async def _numbers(page: Page) -> list[str]:
    return await page.locator("#rows .number").all_inner_texts()


async def test_n_takes_the_next_request_and_goes_to_it(world: World, browser: Browser, at: str) -> None:
    context = await _person(browser, at, "anna")
    page = await _open(context, at + "/desk/")
    first = (await _numbers(page))[0]
    await page.keyboard.press("n")
    await page.wait_for_url(f"**/desk/requests/{first}")
    taken = await world.request(first)
    assert taken.state == "assigned"


async def test_a_new_request_appears_by_itself_within_a_second(world: World, browser: Browser, at: str) -> None:
    context = await _person(browser, at, "anna")
    page = await _open(context, at + "/desk/")
    before = await page.locator("#rows .request").count()
    await page.evaluate(
        """(before) => {
          window.rung = 0;
          document.addEventListener("desk:new", () => { window.rung++; });
          new MutationObserver(() => {
            if (!window.seen && document.querySelectorAll("#rows .request .open").length > before) window.seen = performance.now();
          }).observe(document.querySelector("#rows"), {childList: true, subtree: true});
        }""",
        before,
    )
    began = await page.evaluate("performance.now()")
    await next_line(world, NEW, "900001")
    stored = await page.evaluate("performance.now()")
    await expect(page.locator("#rows .request")).to_have_count(before + 1, timeout=MILLISECONDS)
    await _until(page, "Boolean(window.seen && window.rung)")
    seen = await page.evaluate("window.seen")
    assert began < seen < stored + 1000
    assert await page.evaluate("window.rung") == 1
    await expect(page).to_have_title(f"({before + 1}) Очередь · Firstline")
    await expect(page.locator("#n-waiting")).to_have_text(str(before + 1))


async def test_one_tab_rings_however_many_are_open(world: World, browser: Browser, at: str) -> None:
    context = await _person(browser, at, "anna")
    tabs = [await _open(context, at + "/desk/") for _ in range(3)]
    for tab in tabs:
        await tab.evaluate("document.addEventListener('desk:new', (e) => { window.rung = e.detail.rings; })")
    await tabs[1].locator("h1").click()
    await next_line(world, NEW, "900002")
    for tab in tabs:
        await _until(tab, "window.rung !== undefined")
    assert [await tab.evaluate("window.rung") for tab in tabs] == [False, True, False]  # the one that was touched last


async def test_open_pages_follow_what_their_reader_may_see(world: World, browser: Browser, at: str) -> None:
    context = await _person(browser, at, "boris")
    queue, board = await _open(context, at + "/desk/?tab=live"), await _open(context, at + "/desk/board")
    number = (await _numbers(queue))[0]
    request = await _open(context, f"{at}/desk/requests/{number}")
    await expect(request.locator("#lines .line").first).to_be_visible()
    await change(world, "boris", role="agent", queues=[])
    await expect(queue.locator(".empty")).to_contain_text("За вами нет очередей")
    await expect(board.locator("main")).to_contain_text("Этот раздел доступен не всем")
    await expect(request.locator("main")).to_contain_text("Такого обращения нет")
    await expect(request.locator("#lines")).to_have_count(0)


async def test_a_filter_narrows_the_list_in_place_and_stays_in_the_address(
    world: World, browser: Browser, at: str
) -> None:
    context = await _person(browser, at, "anna")
    page = await _open(context, at + "/desk/")
    everything = await _numbers(page)
    await page.evaluate("window.same = true")
    await page.locator("#f-mood").select_option("angry")
    await page.wait_for_url("**/desk/?mood=angry")
    angry = await _numbers(page)
    assert 0 < len(angry) < len(everything)
    assert await page.evaluate("window.same")  # the page was not loaded anew
    await next_line(world, Talk("Захар", 0.1, [("Безобразие, соедините с оператором!", ["human_request"])]), "900003")
    await expect(page.locator("#rows .request")).to_have_count(
        len(angry) + 1, timeout=MILLISECONDS
    )  # live with its filter
    await page.get_by_role("link", name="Сбросить").click()
    await page.wait_for_url(at + "/desk/")
    assert len(await _numbers(page)) == len(everything) + 1
    await page.go_back()
    await page.wait_for_url("**/desk/?mood=angry")
    await expect(page.locator("#rows .request")).to_have_count(len(angry) + 1)


async def test_rows_are_walked_and_taken_by_keys(world: World, browser: Browser, at: str) -> None:
    context = await _person(browser, at, "anna")
    page = await _open(context, at + "/desk/")
    numbers = await _numbers(page)
    for key in ("j", "ArrowDown", "k", "ArrowDown"):
        await page.keyboard.press(key)
    focused = "document.activeElement.closest('.request').querySelector('.number').textContent"
    assert await page.evaluate(focused) == numbers[1]
    await page.keyboard.press("Enter")
    await page.wait_for_url(f"**/desk/requests/{numbers[1]}")
    await page.go_back()
    await page.wait_for_selector("#rows .request")
    await page.keyboard.press("j")
    await page.keyboard.press("t")
    await page.wait_for_url(f"**/desk/requests/{numbers[0]}")
    assert (await world.request(numbers[0])).state == "assigned"


async def test_search_is_at_hand_by_a_key_and_leaves_nothing_in_the_address(
    world: World, browser: Browser, at: str
) -> None:
    context = await _person(browser, at, "anna")
    page = await _open(context, at + "/desk/")
    await page.keyboard.press("/")
    await page.keyboard.type("промокода ЗИМА")
    await page.keyboard.press("Enter")
    await page.wait_for_url(at + "/desk/search")
    await expect(page.get_by_text("Ничего не нашлось")).to_be_visible()
    await page.get_by_role("searchbox").fill("курьера")
    await page.keyboard.press("Enter")
    await expect(page.locator("#found .request")).to_have_count(1)
    await page.locator("#found .open").click()
    await page.wait_for_url("**/desk/requests/T-*")
    await page.go_back()
    await expect(page.locator("#found .request")).to_have_count(1)
