"""How Telegram brings updates to a webhook: a queue a chat, again and again until the answer is 2xx."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict, deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import aiohttp

Json = dict[str, Any]
PATIENCE = 60.0
"""Seconds after which the line is cut and the update sent again."""


class Hook:
    """The sender behind a webhook. `lost_answers` of its next 2xx answers do not arrive, so those updates come again."""

    def __init__(self, delivered: Callable[[Json], None]) -> None:
        """`delivered` hears of each update that was taken."""
        self.url = ""
        self.lost_answers = 0
        self.scale = 1.0
        # seconds that one of the server's seconds between two tries lasts
        self.attempts: list[tuple[int, int]] = []
        # (number of the update, status of the answer; 0: none)
        self._delivered = delivered
        self._queues: dict[str, deque[Json]] = defaultdict(deque)
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._error: Json = {}

    def start(self, url: str, *, secret: str = "", allowed: list[str], connections: int = 40) -> None:
        """Begin to deliver."""
        self.url, self._secret, self._allowed, self._most = url, secret, allowed, connections
        self._connections = asyncio.Semaphore(connections)
        self._http = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=PATIENCE))
        self._error = {}

    async def stop(self) -> None:
        """Deliver nothing more; what is in the air is cut off."""
        if not self.url:
            return
        self.url = ""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        self._tasks.clear()
        self._queues.clear()
        await self._http.close()

    def offer(self, update: Json) -> None:
        """Put an update behind the others of its chat; presses have queues of their own."""
        if self._allowed and not {*update} & {*self._allowed, "novelty"}:
            return
        queue = _queue_of(update)
        self._queues[queue].append(update)
        if queue not in self._tasks or self._tasks[queue].done():
            self._tasks[queue] = asyncio.create_task(self._work(queue))

    def info(self) -> Json:
        """What getWebhookInfo tells beside the address."""
        return {"max_connections": self._most, "allowed_updates": self._allowed, **self._error}

    async def _work(self, queue: str) -> None:
        waiting = self._queues[queue]
        while waiting:
            await self._insist(waiting[0])
            self._delivered(waiting.popleft())

    async def _insist(self, update: Json) -> None:
        pause = 0.0  # the first repetition comes at once
        while True:
            async with self._connections:
                status, asked = await self._bring(update)
            if 200 <= status < 300:
                if not self.lost_answers:
                    return
                self.lost_answers -= 1
            else:
                self._error = {"last_error_date": int(time.time()), "last_error_message": _told(status)}
            await asyncio.sleep((pause if asked is None else asked) * self.scale)
            pause = min(max(1.0, pause) * 2, 60.0)

    async def _bring(self, update: Json) -> tuple[int, float | None]:
        """Call the webhook; return the status and the seconds that it asks to wait, status 0 for no answer."""
        headers = {"X-Telegram-Bot-Api-Secret-Token": self._secret} if self._secret else {}
        status, asked = 0, None
        with suppress(aiohttp.ClientError, TimeoutError):
            async with self._http.post(self.url, json=update, headers=headers) as response:
                status = response.status
                if "Retry-After" in response.headers and status >= 300:
                    asked = min(float(response.headers["Retry-After"]), 3600.0)
        self.attempts.append((update["update_id"], status))
        return status, asked


def _queue_of(update: Json) -> str:
    if "callback_query" in update:
        return f"press {update['callback_query']['from']['id']}"
    content = next((value for value in update.values() if isinstance(value, dict)), {})
    return f"chat {content.get('chat', {}).get('id')}"


def _told(status: int) -> str:
    return f"Wrong response from the webhook: {status}" if status else "Connection failed"
