"""What the stand-in messengers share: an HTTP server on loopback whose long polls wait for news."""

from __future__ import annotations

import asyncio
from typing import Self

from aiohttp import web

from bot.standins.faults import Faults


class LoopbackServer:
    """An asynchronous context manager; `url` is set while it runs."""

    def __init__(self) -> None:
        self.url = ""
        self.calls: list[str] = []
        self.faults = Faults()
        self.refuses_token = False
        self._news = asyncio.Condition()

    def routes(self, app: web.Application) -> None:
        """Say what is served."""
        raise NotImplementedError

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=256 * 2**20)
        self.routes(app)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    async def _wait_for_news(self, seconds: float) -> None:
        """Wait until something has happened, at most so long."""
        async with self._news:
            try:
                await asyncio.wait_for(self._news.wait(), seconds)
            except TimeoutError:
                return

    def _wake(self) -> None:
        async def wake() -> None:
            async with self._news:
                self._news.notify_all()

        self._waking = asyncio.ensure_future(wake())
