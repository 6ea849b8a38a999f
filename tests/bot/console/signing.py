"""The desk with its real sign-in, served on a free port, and browsers that hold on to their cookies."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path
from typing import Any

import httpx
import pytest

from bot import console
from bot.clock import SystemClock
from bot.settings import Settings
from tests.bot.accounts import PASSWORD, seat
from tests.bot.console.serving import served
from tests.bot.world import World


@dataclass
class Browser:
    """A browser that follows no redirect by itself, and sends what browsers send along with a form."""

    http: httpx.AsyncClient
    page: str = ""

    async def get(self, path: str, **more: Any) -> httpx.Response:
        answer = await self.http.get(path, **more)
        self.page = answer.text
        return answer

    async def post(self, path: str, data: Mapping[str, Any] | None = None, **more: Any) -> httpx.Response:
        """Send a form as the page that was shown last has it, with its token."""
        found = re.search(r'name="form_token" value="([^"]+)"', self.page)
        token = {"form_token": unescape(found.group(1))} if found else {}
        headers = {
            "Origin": str(self.http.base_url).rstrip("/"),
            "Sec-Fetch-Site": "same-origin",
            **more.pop("headers", {}),
        }
        answer = await self.http.post(path, data={**token, **(data or {})}, headers=headers, **more)
        if answer.status_code != 303:
            self.page = answer.text
        return answer

    async def sign_in(self, name: str = "anna", password: str = PASSWORD, **more: Any) -> httpx.Response:
        return await self.post("/desk/sign-in", {"name": name, "password": password, **more})


@dataclass
class Door:
    """The desk, and as many browsers as wanted."""

    world: World
    parts: console.Parts
    address: str
    browsers: list[httpx.AsyncClient] = field(default_factory=list)

    def browser(self, **headers: str) -> Browser:
        http = httpx.AsyncClient(base_url=self.address, headers=headers, timeout=60)
        self.browsers.append(http)
        return Browser(http)

    async def seat(self, name: str, *queues: str, **place: Any) -> None:
        await seat(self.world.sessions, name, *(queues or ("desk",)), **place)

    async def inside(self, name: str = "anna", path: str = "/desk/profile") -> Browser:
        """A browser in which somebody is signed in and looks at a page."""
        browser = self.browser()
        assert (await browser.sign_in(name)).status_code == 303
        await browser.get(path)
        return browser


Opened = Callable[..., AbstractAsyncContextManager[Door]]


@pytest.fixture
def open_door(world: World, tmp_path: Path) -> Opened:
    """Opens the desk with other settings: `async with open_door(desk_url="https://…") as door`."""

    @asynccontextmanager
    async def opened(*, real_clock: bool = False, **settings: Any) -> AsyncIterator[Door]:
        chosen = Settings(home=tmp_path, _env_file=None, **settings)
        async with served(world, chosen, clock=SystemClock() if real_clock else None) as (parts, address):
            door = Door(world, parts, address)
            yield door
            for browser in door.browsers:
                await browser.aclose()

    return opened


@pytest.fixture
async def door(open_door: Opened) -> AsyncIterator[Door]:
    """The desk, with Anna seated."""
    async with open_door() as opened:
        await opened.seat("anna", title="Анна Петрова")
        yield opened
