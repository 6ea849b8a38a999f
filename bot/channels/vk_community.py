"""The community of a token: who it is, and what is done with each update of its customers, however it came."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any

from bot.channels import Incoming, Kind, OffsetStore, Receive
from bot.channels.commands import Commands
from bot.channels.polling import Pause, hand_over
from bot.channels.vk_calls import VkCalls
from bot.channels.vk_events import incoming
from bot.channels.vk_names import Names
from bot.errors import ChannelStopped, DeliveryFailed, RetryLater, Unreachable

log = logging.getLogger(__name__)

TYPING_SECONDS = 4.0
"""VK tells every five seconds that a customer goes on writing."""
REMEMBERED = 5000


class Community:
    """The community, and the calls that are about it rather than to a customer."""

    def __init__(
        self,
        call: VkCalls,
        names: Names,
        offsets: OffsetStore,
        *,
        group: int | None,
        commands: Commands,
        now: Callable[[], datetime],
        pause: Callable[[], Pause],
    ) -> None:
        """`group`: the community's id; None asks VK whose token it is."""
        self.call, self.offsets, self.commands, self.now, self.pause = call, offsets, commands, now, pause
        self.group = group
        self._names = names
        self._typed: dict[str, float] = {}
        # chat -> when its customer was last told to be writing (time.monotonic)
        self._answers: set[asyncio.Task[None]] = set()

    async def id(self) -> int:
        """The community's id. Raises DeliveryFailed when VK does not tell."""
        if self.group is None:
            answer = await self.call("groups.getById", {})
            try:
                groups = answer["groups"] if isinstance(answer, dict) else answer
                self.group = int(groups[0]["id"])
            except (LookupError, TypeError, ValueError) as error:
                raise RetryLater("VK does not say whose token it is.", after=5.0) from error
        return self.group

    async def persist(self, method: str, call: Callable[[], Awaitable[Any]], pause: Pause) -> Any:
        """Make a call that nothing goes on without, again and again; ChannelStopped when VK refuses the token."""
        while True:
            try:
                result = await call()
            except (ChannelStopped, Unreachable) as error:
                raise ChannelStopped(f"VK refuses the token ({method}).") from error
            except DeliveryFailed as error:
                log.warning("vk_call_failed", extra={"method": method, "why": str(error)})
                await pause.wait(error.after if isinstance(error, RetryLater) else 0.0)
            else:
                pause.reset()
                return result

    def read(self, event: Any) -> Incoming | None:
        """Map an event; None for one that is no customer's, or of a shape that nobody knows."""
        try:
            update = incoming(event, now=self.now(), commands=self.commands)
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            log.warning("vk_event_unreadable", extra={"error": type(error).__name__})
            return None
        return update and update.called(self._names.of(update.chat))

    async def take(self, update: Incoming, receive: Receive, pause: Pause) -> None:
        """Give an update to `receive` until it is stored."""
        if update.kind is Kind.TYPING:
            await self.types(update, receive)
            return
        await hand_over(receive, update, pause=pause)
        self.taken(update, receive)

    async def types(self, update: Incoming, receive: Receive) -> None:
        """Pass on that a customer is writing: at most once in some seconds, and never in the way of what they write."""
        now = time.monotonic()
        if self._typed.get(update.chat, 0.0) > now - TYPING_SECONDS:
            return
        if len(self._typed) >= REMEMBERED:
            self._typed.clear()
        self._typed[update.chat] = now
        try:
            await receive(update)
        except Exception as error:
            log.debug("typing_not_told", extra={"error": type(error).__name__})

    def taken(self, update: Incoming, receive: Receive) -> None:
        """Do what follows when an update is stored, apart from receiving: stop a button's spinner, learn the name."""
        if update.answer is not None:
            self._answer({"event_id": update.answer, "user_id": update.chat, "peer_id": update.chat})
        if update.kind not in (Kind.OTHER, Kind.BLOCKED):
            self._names.want(update.chat, receive)

    def _answer(self, values: Mapping[str, Any]) -> None:
        """Answer a press; VK waits a minute for it."""

        async def answer() -> None:
            with suppress(DeliveryFailed):
                await self.call("messages.sendMessageEventAnswer", values)

        task = asyncio.create_task(answer())
        self._answers.add(task)
        task.add_done_callback(self._answers.discard)
