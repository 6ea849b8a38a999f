"""Sending once more what a messenger did not take."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from bot.desk.hands import in_hand
from bot.errors import AlreadySent, NotYourRequest
from bot.models import Delivery, Message, Sender
from bot.timeline import Desk, log_event

AGAIN = (Delivery.FAILED, Delivery.UNKNOWN)
"""Where a message stands that may be sent once more; one that is unknown may come twice then."""


async def send_again(
    session: AsyncSession,
    desk: Desk,
    agent_name: str,
    conversation_id: int,
    message_id: int,
    *,
    now: datetime,
    request_id: int | None = None,
) -> Message:
    """Put a message to the customer into the outbox once more. The bot's own are not: a person speaks now."""
    agent, conversation, request = await in_hand(session, agent_name, conversation_id, request_id)
    message = await session.get(Message, message_id, with_for_update=True, populate_existing=True)
    ours = (Sender.AGENT, Sender.SYSTEM)
    if message is None or message.conversation_id != conversation.id or message.sender not in ours:
        raise NotYourRequest
    if message.delivery not in AGAIN:
        raise AlreadySent
    message.delivery, message.error, message.retry_at, message.unclear = Delivery.PENDING, None, None, 0
    await log_event(session, request, "sent_again", now, agent=agent.name, data={"message": message.id})
    await desk.jobs.delivery(session, conversation.id)
    return message
