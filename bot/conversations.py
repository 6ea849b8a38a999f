"""Conversations: taking in what customers send, once, and the transcript."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

import flows
from bot import buttons, database, files, live, metrics, sizes
from bot.channels import Incoming, Kind, split
from bot.errors import ConversationUnknown
from bot.jobs import DELIVERY, TURN, Jobs
from bot.models import Conversation, Delivery, Message, Offset, Owner, Receipt, Sender

log = logging.getLogger(__name__)

ALBUM_QUIET = 1.0
"""Seconds in which the other parts of an album come."""
Hold = Callable[[AsyncSession, Jobs, int, Incoming], Awaitable[float | None]]
"""How long the turn of an update must wait, in seconds; None: the customer sends too much, it is left out."""


# ------------------------------------------------------------------------------------------------------- receiving
async def receive(
    session: AsyncSession,
    jobs: Jobs,
    incoming: Incoming,
    *,
    quiet: float = 0.0,
    turn: bool = True,
    hold: Hold | None = None,
) -> Message | None:
    """Store an update of a messenger, once, and add the turn that will answer it, in the same transaction.

    `quiet`: seconds to wait for more of a burst (CX-18). `turn=False` stores only. Returns the new line, or None when
    nothing new was said: a repeated update, an edit that changes nothing or a line not read yet, a block.
    """
    if incoming.kind is Kind.TYPING:
        await _types(session, incoming)
        return None
    incoming = sizes.trimmed(incoming)
    receipt = insert(Receipt).values(channel=incoming.channel, external_id=incoming.external_id, at=incoming.at)
    first = await session.execute(receipt.on_conflict_do_nothing().returning(Receipt.external_id))
    if first.scalar_one_or_none() is None:
        metrics.REPEATED.labels(incoming.channel).inc()
        return None
    metrics.RECEIVED.labels(incoming.channel, incoming.kind).inc()
    if incoming.kind is Kind.OTHER:
        await _call_by_name(session, incoming)
        return None
    conversation_id = await _conversation(session, incoming)
    if incoming.kind in (Kind.BLOCKED, Kind.UNBLOCKED):
        await session.flush()
        return None
    held = await hold(session, jobs, conversation_id, incoming) if hold is not None else 0.0
    if held is None:
        return None
    line = await _line(session, conversation_id, incoming)
    if line is not None:
        session.add(line)
        await session.flush()
        await files.note(session, jobs, line, incoming)
    if turn:
        chosen = line is not None and line.press is not None
        delay = quiet if incoming.kind in (Kind.MESSAGE, Kind.EDIT) and not chosen else 0.0
        if incoming.album is not None:
            delay = max(delay, ALBUM_QUIET)
        await jobs.turn(session, conversation_id, delay=max(delay, held))
    return line


async def _conversation(session: AsyncSession, incoming: Incoming) -> int:
    """The conversation's id; made at the first sign of it.

    Nothing is written to a known one unless it changed: a running turn has its row locked, and must not hold up the
    next message (T4). Any sign of the customer means that they can be reached again.
    """
    key = select(Conversation).where(Conversation.channel == incoming.channel, Conversation.chat == incoming.chat)
    known = await session.scalar(key)
    if known is None:
        row = insert(Conversation).values(
            channel=incoming.channel, chat=incoming.chat, name=incoming.name, created_at=incoming.at
        )
        await session.execute(row.on_conflict_do_nothing(constraint="uq_conversations_channel_chat"))
        known = await session.scalar(key)
        assert known is not None
    if incoming.name is not None and known.name != incoming.name:
        known.name = incoming.name
    if incoming.no_buttons is not None and known.no_buttons != incoming.no_buttons:
        known.no_buttons = incoming.no_buttons
    blocked = incoming.at if incoming.kind is Kind.BLOCKED else None
    if (known.blocked_at is None) != (blocked is None):
        known.blocked_at = blocked
    return known.id


async def _types(session: AsyncSession, incoming: Incoming) -> None:
    """Tell the desk that a customer is writing, while an agent speaks with them."""
    key = select(Conversation.id).where(
        Conversation.channel == incoming.channel, Conversation.chat == incoming.chat, Conversation.owner == Owner.AGENT
    )
    conversation_id = await session.scalar(key)
    if conversation_id is not None:
        await live.announce(await database.driver(session), live.Change(kind="typing", conversation=conversation_id))


async def _call_by_name(session: AsyncSession, incoming: Incoming) -> None:
    """Keep the customer's name, where a messenger tells it apart from what they say."""
    if incoming.name is not None:
        await session.execute(
            update(Conversation)
            .where(Conversation.channel == incoming.channel, Conversation.chat == incoming.chat)
            .where(Conversation.name.is_distinct_from(incoming.name))
            .values(name=incoming.name)
        )


async def _line(session: AsyncSession, conversation_id: int, incoming: Incoming) -> Message | None:
    """The new line of an update; None when it changed a line that nobody has read yet, or nothing. What an edit attaches
    to words that stay as they are is a line of its own.

    Words that stand on a button of the newest message to the customer are a press of it, and so is a number where the
    buttons were sent as a numbered list (CX-10).
    """
    line = Message(
        conversation_id=conversation_id, sender=Sender.CUSTOMER, at=incoming.at, text=incoming.text,
        message_id=incoming.message_id, attachments=[{"kind": one.kind, "name": one.name} for one in incoming.attachments],
        contact=incoming.contact,
    )  # fmt: skip
    if incoming.kind is Kind.EDIT and incoming.message_id is not None:
        before = await _latest_version(session, conversation_id, incoming.message_id)
        if before is not None and (before.text == incoming.text or before.read_at is None):
            if before.text != incoming.text:
                before.text, before.press = incoming.text, None
                await _choose(session, before)
            if not await files.brings_new(session, line, incoming):
                return None
            line.text = ""  # said already: the new line is what was attached
        line.edited = True
    if incoming.kind is Kind.MESSAGE:
        if incoming.message_id is not None:
            before = await _latest_version(session, conversation_id, incoming.message_id)
            if before is not None and before.edited and before.at >= incoming.at:
                return None  # its edit has overtaken it
        await _choose(session, line)
    if incoming.kind is Kind.PRESS:
        pressed = await buttons.pressed(session, conversation_id, incoming.press or "")
        line.stale_press = pressed is None
        line.press, line.text = (pressed.value, pressed.title) if pressed else (None, incoming.text)
    return line


async def _choose(session: AsyncSession, line: Message) -> None:
    """Make a line a press when its words mean a button."""
    if line.text and not line.attachments:
        chosen = await buttons.meant(session, line.conversation_id, line.text)
        if chosen is not None:
            line.press, line.text = chosen.value, chosen.title


async def _latest_version(session: AsyncSession, conversation_id: int, message_id: str) -> Message | None:
    found = await session.execute(
        select(Message)
        .where(
            Message.conversation_id == conversation_id,
            Message.message_id == message_id,
            Message.sender == Sender.CUSTOMER,
        )
        .order_by(Message.id.desc())
        .limit(1)
        .with_for_update(key_share=True)
    )
    return found.scalar_one_or_none()


# ----------------------------------------------------------------------------------------------- finding and locking
async def find(session: AsyncSession, channel: str, chat: str) -> Conversation:
    """The conversation of a chat."""
    found = await session.execute(
        select(Conversation).where(Conversation.channel == channel, Conversation.chat == chat)
    )
    conversation = found.scalar_one_or_none()
    if conversation is None:
        raise ConversationUnknown
    return conversation


async def lock(session: AsyncSession, conversation_id: int, *, skip: bool = False) -> Conversation | None:
    """Take the conversation's lock until the end of the transaction; incoming lines are not held up by it (T4).

    Who changes a conversation's owner, state or requests holds it. With `skip` it is None when another has the lock. What
    is locked before it and after it: `bot.desk.hands`.
    """
    found = await session.execute(
        select(Conversation)
        .where(Conversation.id == conversation_id)
        .with_for_update(key_share=True, skip_locked=skip)
        .execution_options(populate_existing=True)
    )
    return found.scalar_one_or_none()


async def unread(session: AsyncSession, conversation_id: int) -> list[Message]:
    """The customer's lines that no turn has read, in the order in which they were said."""
    found = await session.execute(
        select(Message)
        .where(Message.conversation_id == conversation_id, Message.sender == Sender.CUSTOMER, Message.read_at.is_(None))
        .order_by(Message.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return in_order(found.scalars())


def in_order(lines: Iterable[Message]) -> list[Message]:
    """Lines in the order in which they were said: updates may overtake one another on their way to us.

    Messengers tell the second, and number the messages of a chat; a press has no number and keeps its place.
    """
    ordered = sorted(lines, key=lambda line: (line.at.replace(microsecond=0), line.id))
    for _, group in groupby(range(len(ordered)), key=lambda place: ordered[place].at.replace(microsecond=0)):
        places = [place for place in group if _number(ordered[place]) is not None]
        numbered = sorted((ordered[place] for place in places), key=lambda line: (_number(line), line.id))
        for place, line in zip(places, numbered, strict=True):
            ordered[place] = line
    return ordered


def _number(line: Message) -> int | None:
    """The messenger's number of a written message; an edited one has that of its first version."""
    pressed = line.press is not None or line.stale_press
    number = None if pressed or line.edited else line.message_id
    return int(number) if number is not None and number.isdecimal() else None


def remembered(conversation: Conversation) -> flows.ConversationState:
    """What the bot remembers of a conversation. A state that an older version wrote and nobody can read is let go."""
    try:
        return flows.state_from_json(conversation.state)
    except ValueError:
        log.warning("state_unreadable", extra={"conversation": conversation.id})
        return flows.ConversationState()


async def recover(session: AsyncSession, jobs: Jobs, *, now: datetime, after: timedelta = timedelta(seconds=6)) -> int:
    """Add jobs for what has been unread or unsent for a while: a job may have been lost, the rows are not.

    Returns the number of jobs added. A job that waits already, or is being done, is not added twice.
    """
    old = Message.stored_at < func.now() - after
    silent = select(Message.conversation_id).where(Message.sender == Sender.CUSTOMER, Message.read_at.is_(None), old)
    unsent = select(Message.conversation_id).where(
        Message.delivery.in_((Delivery.PENDING, Delivery.SENDING)),
        Message.retry_at.is_(None) | (Message.retry_at < now),
        old,
    )
    added = 0
    for name, left in ((TURN, silent), (DELIVERY, unsent)):
        found = (await session.scalars(left.distinct().order_by(Message.conversation_id))).all()
        for conversation_id in await jobs.missing(session, name, found):
            added += await jobs.add(session, name, conversation_id)
    return added


async def forget_receipts(session: AsyncSession, *, before: datetime) -> None:
    """Delete receipts so old that no messenger repeats the update."""
    await session.execute(delete(Receipt).where(Receipt.at < before))


# --------------------------------------------------------------------------------------------------------- speaking
async def say(
    session: AsyncSession,
    jobs: Jobs,
    conversation_id: int,
    sender: Sender,
    said: flows.Say,
    *,
    now: datetime,
    request_id: int | None = None,
    turn_id: int | None = None,
    agent: str | None = None,
) -> Message:
    """Put a message to the customer into the outbox, with the job that delivers it, in the same transaction.

    A text that no messenger takes at once becomes several messages in order, the buttons under the last, which is
    returned: each is sent on its own account, so a sender that dies between two of them repeats nothing.
    """
    pieces = split(said.text)
    *before, last = pieces if len(pieces) > 1 else [said.text]
    for piece in before:
        session.add(
            Message(
                conversation_id=conversation_id, sender=sender, at=now, text=piece, rules=list(said.rules),
                delivery=Delivery.PENDING, request_id=request_id, turn_id=turn_id, agent=agent,
            )
        )  # fmt: skip
        await session.flush()  # in order
    message = Message(
        conversation_id=conversation_id, sender=sender, at=now, text=last, rules=list(said.rules),
        buttons=[{"title": one.title, "value": one.value} for one in said.buttons], ask_contact=said.ask_contact,
        delivery=Delivery.PENDING, request_id=request_id, turn_id=turn_id, agent=agent,
    )  # fmt: skip
    session.add(message)
    await session.flush()
    await jobs.delivery(session, conversation_id)
    return message


async def last_said(session: AsyncSession, conversation_id: int) -> Message | None:
    """The newest message to the customer, by whomever."""
    return await session.scalar(
        select(Message)
        .where(Message.conversation_id == conversation_id, Message.delivery.is_not(None))
        .order_by(Message.id.desc())
        .limit(1)
    )


async def transcript(session: AsyncSession, conversation_id: int, *, upto: int | None = None) -> list[dict[str, Any]]:
    """All lines in order, notes of agents included, as an agent is shown them (CX-08).

    Each is {at, from, name, text, attachment} and, where it applies, `attachments` (of several, all), `edited` and
    `undelivered`.
    """
    query = select(Message).where(Message.conversation_id == conversation_id).order_by(Message.id)
    lines: Sequence[Message] = (await session.scalars(query if upto is None else query.where(Message.id <= upto))).all()
    name = await session.scalar(select(Conversation.name).where(Conversation.id == conversation_id))
    return [shown(line, name) for line in lines]


def shown(line: Message, name: str | None = None) -> dict[str, Any]:
    """A line as an agent is shown it. `name`: what the messenger calls the customer."""
    entry: dict[str, Any] = {
        "at": line.at.isoformat(),
        "from": line.sender,
        "name": name if line.sender == Sender.CUSTOMER else line.agent,
        "text": line.text or line.contact or "",
        "attachment": line.attachments[0] if line.attachments else None,
    }
    if len(line.attachments) > 1:
        entry["attachments"] = line.attachments
    if line.edited:
        entry["edited"] = True
    if line.delivery in (Delivery.FAILED, Delivery.REFUSED, Delivery.UNKNOWN):
        entry["undelivered"] = line.delivery
    return entry


# ---------------------------------------------------------------------------------------------------------- offsets
class StoredOffsets:
    """How far each channel has read, as rows (channels' OffsetStore)."""

    def __init__(self, sessions: Any) -> None:
        self._sessions = sessions

    async def load(self, key: str) -> str | None:
        """The stored offset, or None at the first start."""
        async with self._sessions() as session:
            value: str | None = await session.scalar(select(Offset.value).where(Offset.key == key))
            return value

    async def save(self, key: str, value: str) -> None:
        """Store the offset for good."""
        async with self._sessions.begin() as session:
            row = insert(Offset).values(key=key, value=value)
            await session.execute(row.on_conflict_do_update(index_elements=["key"], set_={"value": value}))

    async def settle(self, key: str, value: str) -> str:
        """Store a value where none is yet, and return the one that is stored."""
        async with self._sessions.begin() as session:
            row = insert(Offset).values(key=key, value=value)
            await session.execute(row.on_conflict_do_nothing(index_elements=["key"]))
        return await self.load(key) or value
