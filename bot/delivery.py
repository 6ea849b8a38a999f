"""Delivery: the outbox of a conversation goes out in order, and what a person must not be talked over stays unsent.

The attempt is marked before the call and its result after it, so the only moment in which nobody knows whether a message
was sent is the call itself (T5). After such an unclear attempt a message is sent once more, never twice; on a channel that
knows repetitions by the message's id it is sent until it is clear.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from sqlalchemy import Select, select, text
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncSession

import flows
from bot import conversations, files, metrics, pace
from bot.channels import Channel, OutFile, Outgoing
from bot.clock import Clock
from bot.database import Sessions
from bot.errors import ChannelStopped, FileGone, FileStoreUnavailable, Rejected, RetryLater, Unreachable
from bot.events import tell
from bot.file_store import FileStore
from bot.files import ToSend
from bot.jobs import Jobs
from bot.models import Conversation, Delivery, Message, Owner, Sender

log = logging.getLogger(__name__)

UNCLEAR_ATTEMPTS = 2
"""So often is a message sent at most when the messenger does not say whether it was."""
SAFE_ATTEMPTS = 10
"""The same where the messenger knows a repetition by the message's id, and shows it once."""
UNCLEAR_PAUSE = timedelta(seconds=3)
STOPPED_PAUSE = timedelta(seconds=60)
SEND_TIMEOUT, FILE_TIMEOUT = 11.0, 90.0
"""Seconds, of a text and of a file; channels have shorter ones of their own."""
READ_TIMEOUT = 20.0
"""Seconds that the store may take for a file."""
ATTEMPT, FILE_ATTEMPT = timedelta(seconds=12), timedelta(seconds=FILE_TIMEOUT + READ_TIMEOUT + 1)
"""An attempt without a result may still be under way for so long; then whoever began it is dead."""
STORE_AWAY = 15.0
"""Seconds until a file whose store did not answer is tried again."""
EDITABLE = timedelta(hours=24)
"""VK lets a message be changed for so long."""
MOST_WITHDRAWN = 10
STORE_PAUSE = 0.5
SETTLED = 5.0
"""Seconds after a start of PostgreSQL in which those who were cut off write down what came of their attempts."""
_WAITED = text(
    "SELECT extract(epoch FROM clock_timestamp() - max(stored_at)) FROM messages WHERE turn_id = :turn AND sender = 'customer'"
)
_JUST_STARTED = text("SELECT pg_postmaster_start_time() > clock_timestamp() - make_interval(secs => :seconds)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """What delivery needs."""

    sessions: Sessions
    channels: Mapping[str, Channel]
    jobs: Jobs
    clock: Clock
    files: FileStore | None = None
    # where agents' own files are read from
    cancel: str | None = None
    # value of the button that takes a request back: it goes when an agent has joined (CX-03)
    paces: pace.Paces = field(default_factory=dict)
    # how fast each channel may go; one that is not named goes as fast as it can


@dataclass(frozen=True, slots=True)
class _Attempt:
    """A message that is being sent, and how often it was tried before."""

    channel: str
    message: Outgoing
    number: int
    file: ToSend | None = None
    # its bytes are read when it is sent
    joined: bool = False
    # it tells something of a request that an agent has in hand


@dataclass(slots=True)
class _Round:
    """Where the delivery of one conversation's outbox stands."""

    tried: tuple[_Attempt, str | Exception] | None = None
    # the last attempt and what came of it, to be written down
    paced: bool = False
    # its turn to send has been waited for already
    left: bool = False
    # nobody is there any more to send what comes next


async def deliver(post: Post, conversation_id: int) -> int:
    """Send what waits in a conversation's outbox, in order; return the number of messages sent."""
    sent, now = 0, _Round()
    while True:
        try:
            step = await asyncio.shield(_keep_on(post, conversation_id, now))
        except asyncio.CancelledError:
            now.left = True
            raise
        match step:
            case None:
                return sent
            case float():
                await asyncio.sleep(step)
                now = _Round(paced=True)
            case _Attempt():
                outcome = await _send(post, step)
                now = _Round(tried=(step, outcome))
                sent += isinstance(outcome, str)
                if step.joined and isinstance(outcome, str):
                    await _withdraw(post, conversation_id, step)


async def _keep_on(post: Post, conversation_id: int, now: _Round) -> _Attempt | float | None:
    """Take the next step, when the store can be reached again: what came of an attempt is not lost with a connection."""
    while True:
        try:
            return await _step(post, conversation_id, now)
        except (OperationalError, InterfaceError, PoolTimeout, OSError) as error:
            if now.tried is None:
                raise
            log.warning("delivery_without_store", extra={"error": type(error).__name__})
            await asyncio.sleep(STORE_PAUSE)


async def _step(post: Post, conversation_id: int, now: _Round) -> _Attempt | float | None:
    """Write down what came of an attempt, and begin the next: the attempt, seconds to wait before it, or None at the end."""
    async with post.sessions.begin() as session:
        if now.tried is not None and not await _record(session, post, *now.tried):
            return None
        if now.left or post.jobs.stopping:
            await post.jobs.delivery(session, conversation_id)
            return None
        return await _next(session, post, conversation_id, now.paced)


async def _next(session: AsyncSession, post: Post, conversation_id: int, paced: bool) -> _Attempt | float | None:
    """Mark the attempt at the next message that may be sent, and return it, or the seconds until its turn to be sent.

    Others are settled on the way. `paced`: its turn to send was taken and waited for.
    """
    conversation = await conversations.lock(session, conversation_id)
    if conversation is None:
        return None
    now, name = post.clock.now(), conversation.channel
    for message in await _outbox(session, conversation_id):
        wait = (message.retry_at - now).total_seconds() if message.retry_at is not None else 0.0
        if message.delivery == Delivery.SENDING:
            if wait <= 0 and await session.scalar(_JUST_STARTED, {"seconds": SETTLED}):
                wait = SETTLED
            if wait <= 0:  # whoever was at it is dead: nobody knows whether it was sent
                message.unclear += 1
        refusal = None if wait > 0 and message.delivery == Delivery.SENDING else _refusal(conversation, message, post)
        if refusal is not None:
            message.delivery, message.error = refusal
            metrics.DELIVERIES.labels(name, refusal[0]).inc()
            log.info("message_not_sent", extra={"line": message.id, "why": message.error})
            continue
        limits = post.paces.get(name)
        if wait <= 0 and limits is not None and not paced:
            wait = await pace.take(session, limits, name, conversation.chat)
            if 0 < wait <= pace.SHORT:
                return wait
        if wait > 0:
            await post.jobs.delivery(session, conversation_id, delay=wait)
            return None
        if message.unclear and not post.channels[name].repeats_safely:
            metrics.DOUBLED.labels(name).inc()
            log.warning("message_repeated", extra={"line": message.id, "channel": name})  # may be seen twice
        file = await files.to_send(session, message) if message.attachments else None
        message.delivery, message.retry_at = Delivery.SENDING, now + (FILE_ATTEMPT if file else ATTEMPT)
        message.attempts += 1
        outgoing = _outgoing(conversation, message)
        message.numbered = post.channels[name].numbers(outgoing)
        joined = message.sender == Sender.SYSTEM and conversation.owner == Owner.AGENT
        return _Attempt(name, outgoing, message.attempts, file, joined)
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


def _refusal(conversation: Conversation, message: Message, post: Post) -> tuple[Delivery, str] | None:
    """Why a message must not be sent: the state it gets, and the reason."""
    if message.sender == Sender.BOT and conversation.owner == Owner.AGENT:
        return Delivery.UNKNOWN if message.unclear else Delivery.REFUSED, "an agent speaks with the customer"
    if conversation.blocked_at is not None:
        return Delivery.FAILED, "the customer cannot be reached"
    channel = post.channels.get(conversation.channel)
    if channel is None:
        return Delivery.FAILED, "the channel is not set up"
    if message.unclear >= _attempts(channel):
        return Delivery.UNKNOWN, "the messenger never said whether it was sent"
    return None


def _attempts(channel: Channel) -> int:
    """How often a message is sent at most when nobody says whether it was."""
    return SAFE_ATTEMPTS if channel.repeats_safely else UNCLEAR_ATTEMPTS


def _outgoing(conversation: Conversation, message: Message) -> Outgoing:
    return Outgoing(
        id=message.id, chat=conversation.chat, text=message.text, ask_contact=message.ask_contact,
        doubtful=message.unclear > 0, no_buttons=conversation.no_buttons, buttons=tuple(flows.Button(one["title"], one["value"]) for one in message.buttons),
    )  # fmt: skip


async def _send(post: Post, attempt: _Attempt) -> str | Exception:
    """The messenger's id of the message, or what went wrong. Whatever is no clear answer is unclear."""
    channel, message = post.channels[attempt.channel], attempt.message
    try:
        if attempt.file is not None:
            message = replace(message, file=await _read(post, attempt.file))
        async with asyncio.timeout(FILE_TIMEOUT if message.file else SEND_TIMEOUT):
            return await channel.send(message)
    except Exception as error:
        return error


async def _read(post: Post, file: ToSend) -> OutFile:
    """A file with its bytes. Nothing was sent when they cannot be read: RetryLater, or Rejected when they are gone."""
    try:
        if post.files is None or file.key is None:
            raise FileGone
        async with asyncio.timeout(READ_TIMEOUT):
            data = b"".join([piece async for piece in await post.files.get(file.key)])
    except FileGone as error:
        raise Rejected("The file is no longer kept.") from error
    except (FileStoreUnavailable, TimeoutError) as error:
        raise RetryLater("The file store does not answer.", after=STORE_AWAY) from error
    return OutFile(name=file.name, kind=file.kind, mime=file.mime, data=data)


async def _record(session: AsyncSession, post: Post, attempt: _Attempt, outcome: str | Exception) -> bool:
    """Write down how an attempt ended; True when the next message may follow at once."""
    message = await session.get_one(Message, attempt.message.id, with_for_update=True)
    conversation = await session.get_one(Conversation, message.conversation_id)
    if message.delivery != Delivery.SENDING or message.attempts != attempt.number:
        return False  # written down already, or given up for lost: another is at it
    now, channel = post.clock.now(), post.channels[attempt.channel]
    message.retry_at = None
    metrics.DELIVERIES.labels(attempt.channel, _result(outcome)).inc()
    match outcome:
        case str():
            _sent(session, conversation, message, outcome, now)
            if message.turn_id is not None:
                waited = await session.scalar(_WAITED, {"turn": message.turn_id})
                metrics.ANSWERED.labels(attempt.channel).observe(float(waited or 0.0))
            return True
        case Unreachable():
            message.delivery, message.error = Delivery.FAILED, _why(outcome)
            conversation.blocked_at = now
            return True
        case Rejected():
            message.delivery, message.error = Delivery.FAILED, _why(outcome)
            log.error("message_rejected", extra={"line": message.id, "channel": conversation.channel})
            return True
        case RetryLater():
            await _hold(session, post, conversation, outcome)
            await _again(session, post, message, now, timedelta(seconds=max(0.1, outcome.after)))
        case ChannelStopped():
            log.error("channel_stopped", extra={"channel": conversation.channel})
            await _again(session, post, message, now, STOPPED_PAUSE)
        case _:  # DeliveryUnknown, a timeout, or something nobody foresaw
            log.warning("delivery_unclear", extra={"line": message.id, "error": type(outcome).__name__})
            message.unclear += 1
            if message.unclear >= _attempts(channel):
                message.delivery, message.error = Delivery.UNKNOWN, _why(outcome)
                return True
            await _again(session, post, message, now, UNCLEAR_PAUSE)
    message.error = _why(outcome)
    return False


def _result(outcome: str | Exception) -> str:
    """How an attempt ended, as it is counted."""
    match outcome:
        case str():
            return "sent"
        case Unreachable() | Rejected():
            return "failed"
        case RetryLater() | ChannelStopped():
            return "retry"
    return "unknown"


async def _hold(session: AsyncSession, post: Post, conversation: Conversation, asked: RetryLater) -> None:
    """Let all who send wait when the messenger asks for it."""
    limits = post.paces.get(conversation.channel)
    if limits is None or asked.of == "message":
        return
    log.warning(
        "messenger_asks_to_wait", extra={"channel": conversation.channel, "of": asked.of, "seconds": asked.after}
    )
    if asked.of == "channel":
        await pace.hold_channel(session, limits, conversation.channel, asked.after)
    else:
        await pace.hold_chat(session, limits, conversation.channel, conversation.chat, asked.after)


def _sent(session: AsyncSession, conversation: Conversation, message: Message, external_id: str, now: datetime) -> None:
    message.delivery, message.sent_at, message.message_id = Delivery.SENT, now, external_id
    message.error = None
    tell(
        session, "message", channel=conversation.channel, chat=conversation.chat, id=message.id,
        **{"from": message.sender}, text=message.text, buttons=[one["title"] for one in message.buttons],
        rules=message.rules, name=message.agent,
    )  # fmt: skip


# ----------------------------------------------------------------------------------------------------- taking buttons back
async def _withdraw(post: Post, conversation_id: int, after: _Attempt) -> None:
    """Take away the buttons that took the request back, now that the customer reads that somebody has joined (CX-03).

    Once for each message, whatever comes of it: a press of one that stays is answered.
    """
    if post.cancel is None:
        return
    now = post.clock.now()
    offering = (
        select(Message)
        .where(
            Message.conversation_id == conversation_id, Message.id < after.message.id, Message.delivery == Delivery.SENT,
            Message.buttons.contains([{"value": post.cancel}]), Message.withdrawn_at.is_(None),
            Message.sent_at > now - EDITABLE,
        )
        .order_by(Message.id.desc())
        .limit(MOST_WITHDRAWN)
        .with_for_update(skip_locked=True)
    )  # fmt: skip
    async with post.sessions.begin() as session:
        conversation = await session.get_one(Conversation, conversation_id)
        found = [(_outgoing(conversation, one), one.message_id) for one in await _marked(session, offering, now)]
    for message, sent in found:
        if sent is not None:
            await post.channels[after.channel].withdraw(message, sent)


async def _marked(session: AsyncSession, offering: Select[Message], now: datetime) -> list[Message]:
    messages = list(await session.scalars(offering))
    for message in messages:
        message.withdrawn_at = now
    return messages


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
        limits = post.paces.get(conversation.channel)
        if limits is not None and await pace.take(session, limits, conversation.channel, conversation.chat, short=0.0):
            return False
        message = Message(
            conversation_id=conversation_id, sender=Sender.BOT, at=post.clock.now(), text=said.text, rules=list(said.rules),
            delivery=Delivery.UNKNOWN, attempts=1,
        )  # fmt: skip
        session.add(message)
        await session.flush()
        outgoing = _outgoing(conversation, message)
    outcome = await _send(post, _Attempt(conversation.channel, outgoing, 1))
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
