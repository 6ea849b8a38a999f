"""Attention: while a turn takes its time, or an agent writes, the customer's messenger shows that an answer is being made.

An ornament: it runs beside the work, and nothing that happens to it reaches the work. The other way round, that a customer
is writing, is told by VK alone (`Kind.TYPING`): Telegram's bots do not learn of it.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from sqlalchemy import select

from bot.channels import Channel
from bot.database import Sessions
from bot.models import Agent, Conversation, Request

log = logging.getLogger(__name__)

REMEMBERED = 5000


@dataclass(frozen=True, slots=True, kw_only=True)
class Attention:
    """Shows that an answer is being made, on these channels."""

    channels: Mapping[str, Channel]
    after: float = 0.7
    # seconds that a turn may take before anything is shown
    every: float = 4.0
    # messengers show it for five
    lately: dict[int, float] = field(default_factory=dict)
    # conversation -> when it was last asked to be shown there for an agent (time.monotonic)

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


async def agent_writes(sessions: Sessions, attention: Attention, agent_name: str, conversation_id: int) -> bool:
    """Show the customer that their agent is writing, as often as messengers need it; tell whether it was shown now.

    To be called at each keystroke or so, outside of any transaction. Nothing is shown for an agent who is not the one that
    speaks in the conversation, or who writes a note (do not call it then).
    """
    now = time.monotonic()
    if attention.lately.get(conversation_id, -math.inf) > now - attention.every:
        return False
    async with sessions() as session:
        found = (
            await session.execute(
                select(Conversation.channel, Conversation.chat)
                .join(Request, Request.conversation_id == Conversation.id)
                .join(Agent, Agent.id == Request.agent_id)
                .where(Conversation.id == conversation_id, Request.talking, Agent.name == agent_name)
                .limit(1)
            )
        ).one_or_none()
    channel = attention.channels.get(found.channel) if found is not None else None
    if found is None or channel is None:
        return False
    if len(attention.lately) >= REMEMBERED:
        attention.lately.clear()
    attention.lately[conversation_id] = now
    try:
        await channel.typing(found.chat)
    except Exception as error:
        log.warning("typing_failed", extra={"channel": channel.name, "error": type(error).__name__})
        return False
    return True
