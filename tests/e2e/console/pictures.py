"""Pictures of the desk for the guides, taken anew from the shop of `seed`: every name, order and number in them is invented.

    uv run --with pillow python -m tests.e2e.console.pictures docs/pictures

Pillow makes the files small; without it they are as the browser writes them. The browser is FIRSTLINE_TEST_CHROMIUM.
"""

from __future__ import annotations

import asyncio
import importlib
import io
import os
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from playwright.async_api import Browser, Locator, Page, async_playwright, expect
from sqlalchemy import select

from bot import database
from bot.models import Conversation, Request
from tests.bot.world import World
from tests.e2e.console.seed import FRIDAY, TALKS, Scene, fill, shop_world
from tests.e2e.console.served import served

CHROMIUM = os.environ.get("FIRSTLINE_TEST_CHROMIUM", "/usr/bin/chromium")
WIDE, PHONE = (1440, 900), (390, 844)
LENA = "Лена Новикова"
COLOURS = 256
GAP = 24
"""Pixels between two pictures that stand side by side."""


@dataclass
class Studio:
    """The desk at noon, a browser, and the folder for the pictures."""

    world: World
    address: str
    browser: Browser
    folder: Path

    @asynccontextmanager
    async def sits(
        self, name: str, path: str, size: tuple[int, int] = WIDE, theme: Literal["light", "dark"] = "light"
    ) -> AsyncIterator[Page]:
        """A page that somebody has open; its clock is the shop's."""
        context = await self.browser.new_context(
            viewport={"width": size[0], "height": size[1]}, color_scheme=theme, locale="ru-RU",
            timezone_id="Europe/Moscow",
        )  # fmt: skip
        await context.add_cookies([{"name": "sits", "value": name, "url": self.address}])
        await context.clock.set_fixed_time(self.world.clock.now())
        page = await context.new_page()
        await page.goto(self.address + path)
        await page.wait_for_selector("#bell[data-news]", state="attached")
        yield page
        await context.close()

    async def of(self, customer: str) -> str:
        """The path of the page of a customer's request."""
        found = select(Request.number).join(Conversation, Conversation.id == Request.conversation_id)
        return f"/desk/requests/{(await self.world.rows(found.where(Conversation.name == customer)))[0]}"

    async def keep(self, name: str, page: Page | Locator) -> None:
        """Take a picture of what is shown, and keep it."""
        self.write(name, await shot(page))

    def write(self, name: str, *pictures: bytes) -> None:
        """Keep pictures as one, side by side."""
        (self.folder / f"{name}.png").write_bytes(small(*pictures))


async def shot(page: Page | Locator) -> bytes:
    """A picture of a page when everything in it has come."""
    await asyncio.sleep(0.6)  # pictures in the talk, the orders, and what fades in
    return await page.screenshot(animations="disabled", caret="hide")


def small(*pictures: bytes) -> bytes:
    """Some pictures side by side, in few colours."""
    try:
        image: Any = importlib.import_module("PIL.Image")
    except ImportError:
        return pictures[0]
    opened = [image.open(io.BytesIO(one)).convert("RGB") for one in pictures]
    whole = image.new("RGB", (sum(one.width + GAP for one in opened) - GAP, max(one.height for one in opened)), "white")
    left = 0
    for one in opened:
        whole.paste(one, (left, 0))
        left += one.width + GAP
    made = io.BytesIO()
    whole.quantize(COLOURS, image.Quantize.MAXCOVERAGE, dither=image.Dither.NONE).save(made, "PNG", optimize=True)
    return made.getvalue()


# ---------------------------------------------------------------------------------------------------- the pictures
async def queue(studio: Studio) -> None:
    """The queue of an agent, one row chosen by the keys."""
    async with studio.sits("anna", "/desk/") as page:
        await page.keyboard.press("j")
        await studio.keep("queue", page)


async def request(studio: Studio) -> None:
    """A request in the middle of its talk: as it is, with the quick phrases open, and being passed on."""
    path = await studio.of(LENA)
    async with studio.sits("anna", path) as page:
        text = page.locator("#reply-text")
        await text.fill("Елена, готово: посылка приедет на Гагарина, 5. ")
        await expect(page.locator("#reply-saved")).to_have_text("Черновик сохранён")
        await studio.keep("request", page)
        await text.press("/")
        await page.keyboard.type("заказ")
        await studio.keep("phrases", page)
        await page.keyboard.press("Escape")
        await text.fill("")
        await expect(page.locator("#reply-saved")).to_have_text("")
    async with studio.sits("anna", path) as page:
        await page.locator("main").focus()
        await page.keyboard.press("p")
        dialog = page.locator("#dialog")
        await dialog.get_by_label("Кому").select_option("to:ivan")
        await dialog.get_by_label("Комментарий").fill(
            "Заказ 48331 перенести на пункт «Гагарина, 5», клиент подтвердил."
        )
        await studio.keep("transfer", page)
    async with studio.sits("anna", await studio.of("Ольга Белова"), theme="dark") as page:
        await studio.keep("request-dark", page)


async def talk_on(world: World) -> None:
    """Anna and a customer write to each other, the customer's line is the last."""
    place = next(place for place, one in enumerate(TALKS, start=1) if one.name == LENA)
    scene = Scene(world, f"{500_000 + place}", await world.id_of(f"{500_000 + place}"))
    await scene.reply("anna", "Проверила: пункт на Гагарина, 5 работает до 21:00 и посылку примет. Переносим?")
    await scene.hear("Да, переносите, спасибо!", "telegram")
    world.clock.forward(seconds=20)


async def board(studio: Studio) -> None:
    """What a supervisor sees of the shift."""
    async with studio.sits("boris", "/desk/board", (1440, 2200)) as page:
        await page.locator("#board-queues").scroll_into_view_if_needed()
        await studio.keep("board", page)


async def phone(studio: Studio) -> None:
    """The queue and a request on a telephone."""
    taken = []
    for path in ("/desk/", await studio.of(LENA)):
        async with studio.sits("anna", path, PHONE) as page:
            taken.append(await shot(page))
    studio.write("phone", *taken)


async def why(studio: Studio) -> None:
    """Why the bot answered so."""
    async with studio.sits("anna", await studio.of(LENA)) as page:
        path = await page.locator("a.why").first.get_attribute("href")
    async with studio.sits("anna", str(path), (1440, 1500)) as page:
        await studio.keep("why", page)


PICTURES = (queue, request, board, phone, why)


async def main(folder: Path) -> None:
    """Take all pictures."""
    with tempfile.TemporaryDirectory() as home:
        server = database.EmbeddedServer(Path(home) / "postgres", durable=False)
        try:
            address = database.create_database(await asyncio.to_thread(server.start), prefix="pictures")
            async with shop_world(address, Path(home), now=FRIDAY) as world, async_playwright() as play:
                await fill(world)
                await talk_on(world)
                async with served(world, Path(home), undo_seconds=5) as at:
                    browser = await play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
                    studio = Studio(world, at, browser, folder)
                    for take in PICTURES:
                        await take(studio)
                    await browser.close()
        finally:
            server.stop()


if __name__ == "__main__":
    into = Path(sys.argv[1] if len(sys.argv) > 1 else "docs/pictures")
    into.mkdir(parents=True, exist_ok=True)
    asyncio.run(main(into))
