"""Delivery: the outbox of a conversation goes out in order, and what a person must not be talked over stays unsent.

The attempt is marked before the call and its result after it, so the only moment in which nobody knows whether a message
was sent is the call itself (T5). After such an unclear attempt a message is sent once more, never twice.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

import flows
from bot import conversations
from bot.channels import Channel, Outgoing
from bot.clock import Clock
from bot.database import Sessions
from bot.errors import ChannelStopped, Rejected, RetryLater, Unreachable
from bot.events import tell
from bot.jobs import Jobs
from bot.models import Conversation, Delivery, Message, Owner, Sender

log = logging.getLogger(__name__)

UNCLEAR_ATTEMPTS = 2
"""So often is a message sent at most when the messenger does not say whether it was."""
UNCLEAR_PAUSE = timedelta(seconds=3)
STOPPED_PAUSE = timedelta(seconds=60)
SEND_TIMEOUT = 60.0
"""Seconds; channels have shorter ones of their own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """What delivery needs."""

    sessions: Sessions
    channels: Mapping[str, Channel]
    jobs: Jobs
    clock: Clock


async def deliver(post: Post, conversation_id: int) -> int:
    """Send what waits in a conversation's outbox, in order; return the number of messages sent."""
    sent, tried = 0, None
    while True:
        async with post.sessions.begin() as session:
            if tried is not None and not await _record(session, post, *tried):
                return sent
            outgoing = await _next(session, post, conversation_id)
        if outgoing is None:
            return sent
        channel_name, message = outgoing
        outcome = await _send(post.channels[channel_name], message)
        tried = (message.id, outcome)
        sent += isinstance(outcome, str)


async def _next(session: AsyncSession, post: Post, conversation_id: int) -> tuple[str, Outgoing] | None:
    """Mark the attempt at the next message that may be sent, and return it. Others are settled on the way."""
    conversation = await conversations.lock(session, conversation_id)
    if conversation is None:
        return None
    now = post.clock.now()
    for message in await _outbox(session, conversation_id):
        if message.delivery == Delivery.SENDING:  # a worker died in the call: nobody knows whether it was sent
            message.unclear += 1
        refusal = _refusal(conversation, message, known=conversation.channel in post.channels)
        if refusal is not None:
            message.delivery, message.error = refusal
            log.info("message_not_sent", extra={"line": message.id, "why": message.error})
            continue
        if message.retry_at is not None and message.retry_at > now:
            await post.jobs.delivery(session, conversation_id, delay=(message.retry_at - now).total_seconds())
            return None
        message.delivery, message.retry_at = Delivery.SENDING, None
        message.attempts += 1
        return conversation.channel, _outgoing(conversation, message)
    return None


async def _outbox(session: AsyncSession, conversation_id: int) -> list[Message]:
    found = await session.scalars(
        select(Message)
        .where(
            Message.conversation_id == conversation_id,
            Message.delivery.in_((Delivery.PENDING, Delivery.SENDING)),
        )
        .order_by(Message.id)
        .execution_options(populate_existing=True)
    )
    return list(found)


def _refusal(conversation: Conversation, message: Message, *, known: bool) -> tuple[Delivery, str] | None:
    """Why a message must not be sent: the state it gets, and the reason."""
    if message.sender == Sender.BOT and conversation.owner == Owner.AGENT:
        return Delivery.REFUSED, "an agent speaks with the customer"
    if conversation.blocked_at is not None:
        return Delivery.FAILED, "the customer cannot be reached"
    if message.unclear >= UNCLEAR_ATTEMPTS:
        return Delivery.UNKNOWN, "the messenger never said whether it was sent"
    return None if known else (Delivery.FAILED, "the channel is not set up")


def _outgoing(conversation: Conversation, message: Message) -> Outgoing:
    return Outgoing(
        id=message.id, chat=conversation.chat, text=message.text, ask_contact=message.ask_contact,
        buttons=tuple(flows.Button(one["title"], one["value"]) for one in message.buttons),
    )  # fmt: skip


async def _send(channel: Channel, message: Outgoing) -> str | Exception:
    """The messenger's id of the message, or what went wrong. Whatever is no clear answer is unclear."""
    try:
        async with asyncio.timeout(SEND_TIMEOUT):
            return await channel.send(message)
    except Exception as error:
        return error


async def _record(session: AsyncSession, post: Post, message_id: int, outcome: str | Exception) -> bool:
    """Write down how an attempt ended; True when the next message may follow at once."""
    message = await session.get_one(Message, message_id, with_for_update=True)
    conversation = await session.get_one(Conversation, message.conversation_id)
    now = post.clock.now()
    match outcome:
        case str():
            _sent(session, conversation, message, outcome, now)
            return True
        case Unreachable():
            message.delivery, message.error = Delivery.FAILED, _why(outcome)
            conversation.blocked_at = now
            return True
        case Rejected():
            message.delivery, message.error = Delivery.FAILED, _why(outcome)
            log.error("message_rejected", extra={"line": message_id, "channel": conversation.channel})
            return True
        case RetryLater():
            await _again(session, post, message, now, timedelta(seconds=max(0.1, outcome.after)))
        case ChannelStopped():
            log.error("channel_stopped", extra={"channel": conversation.channel})
            await _again(session, post, message, now, STOPPED_PAUSE)
        case _:  # DeliveryUnknown, a timeout, or something nobody foresaw
            log.warning("delivery_unclear", extra={"line": message_id, "error": type(outcome).__name__})
            message.unclear += 1
            if message.unclear >= UNCLEAR_ATTEMPTS:
                message.delivery, message.error = Delivery.UNKNOWN, _why(outcome)
                return True
            await _again(session, post, message, now, UNCLEAR_PAUSE)
    message.error = _why(outcome)
    return False


def _sent(session: AsyncSession, conversation: Conversation, message: Message, external_id: str, now: datetime) -> None:
    message.delivery, message.sent_at, message.message_id = Delivery.SENT, now, external_id
    message.error = None
    tell(
        session, "message", channel=conversation.channel, chat=conversation.chat, id=message.id,
        **{"from": message.sender}, text=message.text, buttons=[one["title"] for one in message.buttons],
        rules=message.rules, name=message.agent,
    )  # fmt: skip


# --------------------------------------------------------------------------------------------------- from within a turn
async def say_at_once(post: Post, conversation_id: int, said: flows.Say) -> bool:
    """Say something of the bot's while a turn of the conversation is still at work and holds its lock.

    The usual way would wait for that lock; here the turn itself vouches that no agent speaks. False when something else
    waits to be sent: nothing may overtake it. Sent once at the most: what came of an attempt that was cut off stays
    unknown, and a failed one is not repeated, for such words are soon out of date.
    """
    async with post.sessions.begin() as session:
        conversation = await session.get_one(Conversation, conversation_id)
        channel = post.channels.get(conversation.channel)
        if channel is None or conversation.blocked_at is not None:
            return True
        if await _outbox(session, conversation_id):
            return False
        message = Message(
            conversation_id=conversation_id, sender=Sender.BOT, at=post.clock.now(), text=said.text, rules=list(said.rules),
            delivery=Delivery.UNKNOWN, attempts=1,
        )  # fmt: skip
        session.add(message)
        await session.flush()
        outgoing = _outgoing(conversation, message)
    outcome = await _send(channel, outgoing)
    async with post.sessions.begin() as session:
        message = await session.get_one(Message, message.id)
        if isinstance(outcome, str):
            _sent(session, conversation, message, outcome, post.clock.now())
        else:
            message.error = _why(outcome)
            if isinstance(outcome, Unreachable | Rejected | RetryLater | ChannelStopped):
                message.delivery = Delivery.FAILED
    return True


async def _again(session: AsyncSession, post: Post, message: Message, now: datetime, pause: timedelta) -> None:
    message.delivery, message.retry_at = Delivery.PENDING, now + pause
    await post.jobs.delivery(session, message.conversation_id, delay=pause.total_seconds())


def _why(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:300]
