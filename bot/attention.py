"""Attention: while a turn takes its time, the customer's messenger shows that an answer is being made.

An ornament: it runs beside the turn, and nothing that happens to it reaches the turn.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from bot.channels import Channel

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attention:
    """Shows that an answer is being made, on these channels."""

    channels: Mapping[str, Channel]
    after: float = 0.7
    # seconds that a turn may take before anything is shown
    every: float = 4.0
    # messengers show it for five

    @asynccontextmanager
    async def shown(self, channel: str, chat: str) -> AsyncIterator[None]:
        """Show it in a chat for the time of a block, if the block takes long."""
        known = self.channels.get(channel)
        if known is None:
            yield
            return
        task = asyncio.create_task(self._show(known, chat), name="typing")
        try:
            yield
        finally:
            task.cancel()

    async def _show(self, channel: Channel, chat: str) -> None:
        await asyncio.sleep(self.after)
        while True:
            try:
                await channel.typing(chat)
            except Exception as error:
                log.warning("typing_failed", extra={"channel": channel.name, "error": type(error).__name__})
                return
            await asyncio.sleep(self.every)
