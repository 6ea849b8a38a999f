"""How VK's customers are called: VK's events do not say, so it is asked, apart from receiving and never holding it up."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

from bot.channels import Incoming, Kind, Receive, clean
from bot.errors import DeliveryFailed

log = logging.getLogger(__name__)

AT_ONCE = 100
"""Customers that are asked for in one call; VK takes 1000."""
REMEMBERED = 10_000
FRESH_SECONDS, AGAIN_SECONDS = 24 * 3600.0, 300.0
"""How long a name is believed, and when it is asked for again after VK did not tell it."""


class Names:
    """The names of the customers who wrote lately."""

    def __init__(self, call: Callable[..., Awaitable[Any]], *, now: Callable[[], datetime]) -> None:
        """`call`: a call of VK's API."""
        self._call, self._now = call, now
        self._known: dict[str, tuple[str | None, float]] = {}
        # chat -> name, and until when that is believed (time.monotonic)
        self._wanted: dict[str, Receive] = {}
        self._asking: asyncio.Task[None] | None = None

    def of(self, chat: str) -> str | None:
        """The customer's name, if it is known."""
        return self._known.get(chat, (None, 0.0))[0]

    def want(self, chat: str, receive: Receive) -> None:
        """Ask for a name in the background, unless it was asked for lately; `receive` gets it (Kind.OTHER)."""
        if chat in self._wanted or self._known.get(chat, (None, 0.0))[1] > time.monotonic():
            return
        self._wanted[chat] = receive
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask())

    def close(self) -> None:
        """Ask for nothing more."""
        if self._asking is not None:
            self._asking.cancel()

    async def _ask(self) -> None:
        while self._wanted:
            chats = list(self._wanted)[:AT_ONCE]
            told = await self._told(chats)
            if len(self._known) > REMEMBERED:
                self._known.clear()
            for chat in chats:
                receive, name = self._wanted.pop(chat), told.get(chat)
                changed = name is not None and name != self.of(chat)
                self._known[chat] = (name, time.monotonic() + (FRESH_SECONDS if name else AGAIN_SECONDS))
                if changed:
                    await self._tell(chat, name, receive)

    async def _told(self, chats: list[str]) -> dict[str, str]:
        try:
            users = await self._call("users.get", {"user_ids": ",".join(chats)})
            named = {str(user["id"]): clean(f"{user['first_name']} {user['last_name']}").strip() for user in users}
            return {chat: name for chat, name in named.items() if name}
        except (DeliveryFailed, LookupError, TypeError) as error:
            log.warning("vk_names_unknown", extra={"customers": len(chats), "error": type(error).__name__})
            return {}

    async def _tell(self, chat: str, name: str | None, receive: Receive) -> None:
        now = self._now()
        update = Incoming(
            channel="vk", chat=chat, external_id=f"name:{chat}:{now.timestamp():.3f}", kind=Kind.OTHER, at=now, name=name
        )  # fmt: skip
        try:
            await receive(update)
        except Exception as error:  # the next message brings the name along
            log.warning("name_not_stored", extra={"error": type(error).__name__})
