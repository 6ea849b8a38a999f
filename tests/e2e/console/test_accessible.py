"""Every page and every dialog of the desk, for those who do not see it, see it badly, or have it on a telephone.

Wide and light axe-core looks at all there is; narrow and dark at the contrast of colours, and nothing may stick out.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect
from sqlalchemy import select, update

from bot import console
from bot.console.forms import FORMS
from bot.models import Agent, Conversation, Message, Request
from tests.bot.world import World
from tests.e2e.console.browsers import launched, serious
from tests.e2e.console.seed import TALKS, fill, shop_world
from tests.e2e.console.served import served

WIDE, PHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 844}
OWN, OVER, WAITS = "Ольга Белова", "Наталья", "Виктор"
TOLD = (OWN, OVER, WAITS, "Егор", "Мила", "Зоя Аркадьевна")
"""Customers: in talk with Anna, with a photo and a note; solved; angry in the queue; waited for; cancelled; a VIP."""
NO_PAGES = (
    "/older",
    "/orders",
    "/quick",
    "/picture",
    "/sound",
    "/desk/files/{file_id}",
    "/desk/oidc",
    "/desk/oidc/back",
    ".css",
)
"""Ends of what is asked for by GET and is no page of its own."""
ELSEWHERE = {"/desk/password", "/desk/requests/{number}/dialog/{action}"}
"""Pages that other tests look at: the first sign-in (test_sign_in); dialogs are looked at where they open."""


@pytest.fixture
async def world(address: str, tmp_path: Path) -> AsyncIterator[World]:
    async with shop_world(address, tmp_path) as made:
        await fill(made, [one for one in TALKS if one.name in TOLD])
        async with made.sessions.begin() as session:
            lost = select(Message.id).where(Message.sender == "agent").order_by(Message.id.desc()).limit(1)
            await session.execute(
                update(Message).where(Message.id.in_(lost)).values(delivery="failed", error="Rejected")
            )
            over = select(Conversation.id).where(Conversation.name == OVER)
            marked = update(Request).where(Request.conversation_id.in_(over))
            await session.execute(marked.values(mark=4, mark_comment="Долго, но помогли"))
        yield made


@pytest.fixture
async def at(world: World, tmp_path: Path) -> AsyncIterator[str]:
    async with served(world, tmp_path) as address:
        yield address


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with launched() as made:
        yield made


class Looked:
    """Pages as people see them, and what was found wrong with them."""

    def __init__(self, world: World, at: str, browser: Browser) -> None:
        self._world, self._at, self._browser = world, at, browser
        self._pages: dict[str, Page] = {}
        self.wrong: list[tuple[str, object]] = []

    async def page(self, name: str) -> Page:
        """The page of somebody, whose clock is the shop's."""
        if name not in self._pages:
            context = await self._browser.new_context(viewport=WIDE, locale="ru-RU", timezone_id="Europe/Moscow")  # type: ignore[arg-type]
            await context.add_cookies([{"name": "sits", "value": name, "url": self._at}])
            await context.clock.set_fixed_time(self._world.clock.now())
            self._pages[name] = await context.new_page()
        return self._pages[name]

    async def open(self, name: str, path: str) -> Page:
        """Go to a page, and wait until it is whole."""
        page = await self.page(name)
        await page.goto(self._at + path)
        await expect(page.locator("[aria-busy=true]")).to_have_count(0)
        return page

    async def look(self, page: Page, what: str, within: str | None = None) -> None:
        """Look at what is shown: wide and light, then narrow and dark."""
        self.wrong += [(what, *one) for one in await serious(page, within)]
        await page.set_viewport_size(PHONE)  # type: ignore[arg-type]
        await page.emulate_media(color_scheme="dark")
        self.wrong += [(f"{what}, dark", *one) for one in await serious(page, within, only=["color-contrast"])]
        out = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        if (beyond := await page.evaluate(out)) > 0:
            self.wrong.append((f"{what}, narrow", beyond))
        await page.set_viewport_size(WIDE)  # type: ignore[arg-type]
        await page.emulate_media(color_scheme="light")


async def _of(world: World, customer: str) -> str:
    """The page of a customer's request."""
    found = select(Request.number).join(Conversation, Conversation.id == Request.conversation_id)
    return f"/desk/requests/{(await world.rows(found.where(Conversation.name == customer)))[0]}"


async def test_every_page_and_dialog_can_be_used_by_everybody(world: World, at: str, browser: Browser) -> None:
    looked = Looked(world, at, browser)
    own = await _of(world, OWN)
    seen = await _pages(looked, world, own)
    await _dialogs(await looked.open("anna", own), looked)
    assert looked.wrong == []
    routes = {f"/desk{one.path}" for router in console._pages() for one in router.routes if "GET" in one.methods}  # type: ignore[attr-defined]
    pages = {one for one in routes - ELSEWHERE if not one.endswith(NO_PAGES)}
    assert {re.sub(r"\{[^}]*\}", "{}", one) for one in pages} <= seen, "a page nobody has looked at"


async def _pages(looked: Looked, world: World, own: str) -> set[str]:
    """Look at all pages; gives the addresses that were seen, with {} for what differs. own: of a request of Anna's."""
    seen: set[str] = set()
    (anna,) = await world.rows(select(Agent.id).where(Agent.name == "anna"))
    (answer,) = await world.rows(
        select(Message.id).where(Message.turn_id.is_not(None), Message.sender == "bot").limit(1)
    )
    for name, path in (
        ("nobody", "/desk/sign-in"), ("max", "/desk/"), ("anna", "/desk/?tab=over"),
        ("anna", "/desk/?mood=angry&vip=1"), ("boris", "/desk/?tab=live"), ("boris", "/desk/?tab=late"),
        ("boris", own), ("anna", await _of(world, OVER)), ("boris", await _of(world, WAITS)), ("anna", f"/desk/why/{answer}"), ("anna", "/desk/profile"), ("anna", "/desk/search"),
        ("boris", "/desk/board"), ("boris", "/desk/audit"), ("root", "/desk/people"), ("root", "/desk/people/new"),
        ("root", f"/desk/people/{anna}"), ("anna", "/desk/requests/T-999"),
    ):  # fmt: skip
        page = await looked.open(name, path)
        await looked.look(page, f"{name} at {path}")
        seen.add(re.sub(r"(people|why)/\d+", r"\1/{}", path.partition("?")[0]).replace(own, "/desk/requests/{}"))
    page = await looked.open("anna", "/desk/search")
    await page.get_by_role("searchbox").fill("коробка")
    await page.keyboard.press("Enter")
    await expect(page.locator("#found .request")).to_have_count(1)
    await looked.look(page, "what was found")
    return seen


async def _dialogs(page: Page, looked: Looked) -> None:
    """Look at all that opens over the page of a request."""
    dialog = page.locator("#dialog")
    for name in FORMS:
        await page.evaluate(
            "name => htmx.ajax('GET', `${location.pathname}/dialog/${name}`, {target: '#dialog-body', swap: 'innerHTML'})",
            name,
        )
        await expect(dialog.locator(f"form[action$='/{name}']")).to_be_visible()
        await looked.look(page, name, "#dialog")
        if name == "transfer":
            await dialog.locator(".send").click()
            await expect(dialog.locator(".field-error")).to_be_visible()
            await looked.look(page, "transfer, wrong", "#dialog")
        await page.keyboard.press("Escape")
        await expect(dialog).to_be_hidden()
    for keys, shown, within in (("?", "#keys-list dd", "#keys"), ("e/", "#quick-list li", "#reply")):
        for key in keys:
            await page.keyboard.press(key)
        await expect(page.locator(shown).first).to_be_visible()
        await looked.look(page, f"after {keys}", within)
        await page.keyboard.press("Escape")
    await page.locator("#actions summary").click()
    await looked.look(page, "the menu", "#actions")
    await page.locator("details.me summary").click()
    await looked.look(page, "one's own menu", "#top")
    await page.locator("#reply-text").fill("Как вас зовут?")
    await page.keyboard.press("Control+Enter")
    await expect(page.locator("#reply-warning .warned")).to_be_visible()
    await looked.look(page, "a warning", "#reply")
