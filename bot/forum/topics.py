"""What a topic lacks of what the store says: the next call to Telegram that brings it nearer, or none.

Everything is read off the store each time, so a call that was not made, was cut off or became needless is no trouble: the
next look finds what is missing now.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from html import escape
from typing import Any

from sqlalchemy import func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

import flows
from bot import files, queues
from bot.errors import FileGone
from bot.file_store import FileStore
from bot.files import FileState
from bot.forum import cards, lines, shown
from bot.forum.api import Api
from bot.forum.groups import Group
from bot.models import (
    LIVE,
    Agent,
    Conversation,
    Delivery,
    File,
    ForumTopic,
    ForumUpdate,
    Message,
    Request,
    RequestEvent,
    Sender,
)

HISTORY = 30
"""Lines of the transcript before a topic was made, or after it could not be kept up for a while."""
UNREAD = timedelta(seconds=10)
"""A customer's line may be changed until it is read; it is shown then, or after so long."""
OWN_KEPT = 200
"""Messages of agents in a topic that are looked through for those that became lines."""
_PRIORITY = queues.PRIORITIES


class Pace(StrEnum):
    """What Telegram counts together."""

    MESSAGES = "messages"
    TOPICS = "topics"
    NONE = "none"


class Step(StrEnum):
    """What a call does."""

    CREATE = "create"
    REOPEN = "reopen"
    CARD = "card"
    PIN = "pin"
    LINES = "lines"
    FILE = "file"
    REACT = "react"
    EDIT = "edit"
    RENAME = "rename"
    CLOSE = "close"
    ANSWER = "answer"


RANKS = {
    Step.REACT: 0, Step.ANSWER: 1, Step.PIN: 2, Step.CARD: 2, Step.REOPEN: 3, Step.LINES: 4, Step.CREATE: 5, Step.FILE: 6,
    Step.EDIT: 7, Step.RENAME: 8, Step.CLOSE: 9,
}  # fmt: skip
"""What goes first when Telegram's pace does not let all go."""

Call = Callable[[Api], Awaitable[str | None]]
Keep = Callable[[ForumTopic, str | None, datetime], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Next:
    """The next call for a request's topic, and how the row remembers that it was made."""

    step: Step
    request: int
    call: Call
    keep: Keep
    # gets the row, what the call returned, and the time
    order: tuple[Any, ...] = ()
    # among those of the same rank

    @property
    def pace(self) -> Pace:
        """Which of Telegram's limits it counts for."""
        if self.step in (Step.CREATE, Step.REOPEN, Step.PIN, Step.RENAME, Step.CLOSE):
            return Pace.TOPICS
        return Pace.NONE if self.step is Step.REACT else Pace.MESSAGES


@dataclass(frozen=True, slots=True, kw_only=True)
class Show:
    """What showing needs besides the session."""

    pack: flows.Pack
    store: FileStore
    now: Callable[[], datetime]
    sessions: Any = None


# ------------------------------------------------------------------------------------------------------------- which
async def concerned(session: AsyncSession, group: Group, conversations: Sequence[int] | None = None) -> list[int]:
    """The requests that have a topic in a group, or should have one, and may differ from it. None: of all conversations."""
    topic = select(ForumTopic.request_id).where(ForumTopic.chat == group.chat, ForumTopic.request_id == Request.id)
    live = Request.state.in_(LIVE) & Request.queue.in_(group.queues)
    query = select(Request.id).order_by(Request.id)
    if conversations is not None:
        query = query.where(Request.conversation_id.in_(conversations), live | topic.exists())
    else:
        late = (
            select(RequestEvent.id)
            .where(
                RequestEvent.request_id == Request.id, RequestEvent.kind.in_(lines.AFTERWARDS),
                RequestEvent.id > ForumTopic.shown_event,
            )
            .correlate(Request, ForumTopic)
        )  # fmt: skip
        still = topic.where(or_(~ForumTopic.closed, late.exists()))
        query = query.where(live | still.exists())
    return list((await session.scalars(query)).all())


async def of_requests(session: AsyncSession, requests: Sequence[int]) -> list[int]:
    """The conversations of some requests."""
    found = await session.scalars(select(Request.conversation_id).where(Request.id.in_(requests)))
    return list(found.all())


# -------------------------------------------------------------------------------------------------------------- what
async def plan(session: AsyncSession, show: Show, group: Group, request_id: int) -> Next | None:
    """The next call for a request's topic in a group; None when there is nothing to do, or not now."""
    request = await session.get(Request, request_id, populate_existing=True)
    if request is None:
        return None
    topic = await session.get(ForumTopic, (request_id, group.chat), populate_existing=True, with_for_update=True)
    wanted = request.state in LIVE and request.queue in group.queues
    if topic is None or topic.thread is None:
        if not wanted or (topic is not None and _later(topic, show.now())):
            return None
        return await _create(session, show, group, request)
    if _later(topic, show.now()):
        return None
    return await _bring_up(session, show, request, topic, topic.thread, wanted=wanted)


def _later(topic: ForumTopic, now: datetime) -> bool:
    return topic.retry_at is not None and topic.retry_at > now


async def _bring_up(
    session: AsyncSession, show: Show, request: Request, topic: ForumTopic, thread: str, *, wanted: bool
) -> Next | None:
    chat = topic.chat
    conversation = await session.get_one(Conversation, request.conversation_id, populate_existing=True)
    if topic.closed and not wanted:
        late = await _events(session, show, topic, only=lines.AFTERWARDS)
        return _say(request, topic, thread, [item for _, item in late]) if late else None
    if topic.closed:
        return Next(
            step=Step.REOPEN, request=request.id, call=lambda api: _none(api.open(chat, thread)), keep=_opened,
            order=_urgency(request),
        )  # fmt: skip
    agent = await session.get(Agent, request.agent_id) if request.agent_id else None
    card = cards.card(show.pack, request, agent=agent.title if agent else None)
    if topic.card is None:
        return Next(
            step=Step.CARD, request=request.id, order=_urgency(request), keep=_carded(card),
            call=lambda api: api.send(chat, thread, card.html, buttons=card.buttons),
        )  # fmt: skip
    pinned = topic.card
    if not topic.pinned:
        return Next(step=Step.PIN, request=request.id, call=lambda api: _none(api.pin(chat, pinned)), keep=_pinned)
    if (said := await _said(session, show, request, topic, thread, conversation)) is not None:
        return said
    if (file := await _file(session, show, topic, thread, conversation, request)) is not None:
        return file
    if topic.card_text != card.digest:
        return Next(
            step=Step.EDIT, request=request.id, keep=_edited(card),
            call=lambda api: _none(api.edit(chat, pinned, card.html, buttons=card.buttons)),
        )  # fmt: skip
    title = cards.title(show.pack, request, conversation.name)
    if wanted and topic.title != title:
        return Next(
            step=Step.RENAME, request=request.id, keep=_titled(title),
            call=lambda api: _none(api.rename(chat, thread, title)),
        )  # fmt: skip
    if not wanted:
        return Next(step=Step.CLOSE, request=request.id, call=lambda api: _none(api.shut(chat, thread)), keep=_closed)
    return None


def _urgency(request: Request) -> tuple[Any, ...]:
    return not request.vip, _PRIORITY.get(request.priority, 2), request.id


# ---------------------------------------------------------------------------------------------------------- the topic
async def _create(session: AsyncSession, show: Show, group: Group, request: Request) -> Next:
    """Make the topic (again). What it begins with: the last lines of the transcript."""
    conversation = await session.get_one(Conversation, request.conversation_id)
    recent = (
        select(Message.id)
        .where(Message.conversation_id == conversation.id)
        .order_by(Message.id.desc())
        .limit(HISTORY)
        .subquery()
    )
    first = await session.scalar(select(func.min(recent.c.id)))
    before_all = (first or 1) - 1
    at = await session.scalar(select(Message.at).where(Message.id == first)) if first else None
    event = 0
    if at is not None:
        before = select(func.max(RequestEvent.id)).where(RequestEvent.request_id == request.id, RequestEvent.at < at)
        event = await session.scalar(before) or 0
    file = await session.scalar(
        select(func.max(File.id)).where(File.conversation_id == conversation.id, File.message_id <= before_all)
    )
    title, colour = cards.title(show.pack, request, conversation.name), cards.colour(request)

    def keep(topic: ForumTopic, thread: str | None, now: datetime) -> None:
        topic.thread, topic.title, topic.closed = thread, title, False
        topic.card = topic.card_text = None
        topic.pinned = False
        shown.begin(topic, line=before_all, event=event, file=file or 0)

    return Next(
        step=Step.CREATE, request=request.id, order=_urgency(request), keep=keep,
        call=lambda api: api.create(group.chat, title, colour),
    )  # fmt: skip


def gone(topic: ForumTopic) -> None:
    """The topic was deleted in Telegram: it is made anew, if it is still needed."""
    topic.thread = topic.card = topic.card_text = topic.title = None
    topic.pinned = topic.closed = False


def _opened(topic: ForumTopic, _: str | None, now: datetime) -> None:
    topic.closed = False


def _closed(topic: ForumTopic, _: str | None, now: datetime) -> None:
    topic.closed = True


def _pinned(topic: ForumTopic, _: str | None, now: datetime) -> None:
    topic.pinned = True


def _carded(card: cards.Card) -> Keep:
    def keep(topic: ForumTopic, message: str | None, now: datetime) -> None:
        topic.card, topic.card_text, topic.pinned = message, card.digest, False

    return keep


def _edited(card: cards.Card) -> Keep:
    def keep(topic: ForumTopic, _: str | None, now: datetime) -> None:
        topic.card_text = card.digest

    return keep


def _titled(title: str) -> Keep:
    def keep(topic: ForumTopic, _: str | None, now: datetime) -> None:
        topic.title = title

    return keep


async def _none(call: Awaitable[None]) -> None:
    await call


# ------------------------------------------------------------------------------------------------------ what was said
async def _said(
    session: AsyncSession, show: Show, request: Request, topic: ForumTopic, thread: str, conversation: Conversation
) -> Next | None:
    """The next message with lines and events; or the sign under an agent's own message that the customer has it."""
    now = show.now()
    ended, delivered = await _ends(session, topic)
    if delivered is not None:
        line, message = delivered
        chat = topic.chat
        return Next(
            step=Step.REACT, request=request.id, call=lambda api: _none(api.react(chat, message, "👍")),
            keep=lambda row, _, at: shown.settled(row, line),
        )  # fmt: skip
    found = await _unshown(session, topic)
    own = await _own(session, topic, thread) if found else {}
    for one in found:
        if one.id in own:
            shown.own(topic, one.id, own[one.id], one.delivery, now=now)
    found = [one for one in found if one.id not in own]
    shown.forget_old(topic, [one.id for one in found], now=now)
    first: list[lines.Item] = []
    if len(found) > HISTORY:
        first = [lines.left_out(len(found) - HISTORY)]
        shown.skip(topic, found[-HISTORY - 1].id)
        found = found[-HISTORY:]
    pieces = [lines.of_line(one, conversation.name)[shown.pieces(topic, one.id) or 0 :] for one in found]
    events = await _events(session, show, topic)
    items = [*ended, *first, *lines.merged(pieces, [one.at for one in found], events)]
    return _say(request, topic, thread, items) if items else None


def _say(request: Request, topic: ForumTopic, thread: str, items: Sequence[lines.Item]) -> Next:
    chat, now_said = topic.chat, lines.message(items)
    loud = any(item.loud for item in now_said)
    return Next(
        step=Step.LINES, request=request.id, order=(not loud, *_urgency(request)),
        call=lambda api: api.send(
            chat, thread, lines.html(now_said), reply_to=now_said[0].reply_to, quiet=not loud
        ),
        keep=lambda row, _, now: shown.put(row, now_said, now=now),
    )  # fmt: skip


async def _unshown(session: AsyncSession, topic: ForumTopic) -> list[Message]:
    """Lines that do not stand in the topic, in order."""
    whole = [line for line in shown.known(topic) if shown.pieces(topic, line) is None]
    read = or_(Message.sender != Sender.CUSTOMER, Message.read_at.is_not(None), Message.stored_at < func.now() - UNREAD)
    of = select(Request.conversation_id).where(Request.id == topic.request_id).scalar_subquery()
    found = await session.scalars(
        select(Message)
        .where(Message.conversation_id == of, Message.id > topic.shown_id, Message.id.not_in(whole), read)
        .where(~Message.stale_press)
        .order_by(Message.id)
        .execution_options(populate_existing=True)
    )
    return list(found.all())


async def _own(session: AsyncSession, topic: ForumTopic, thread: str) -> dict[int, str]:
    """Lines that agents wrote in this very topic: they stand in it as their own messages, whose ids these are."""
    found = await session.execute(
        select(ForumUpdate.lines, ForumUpdate.message_id)
        .where(ForumUpdate.chat == topic.chat, ForumUpdate.thread == thread, ForumUpdate.lines != [])
        .order_by(ForumUpdate.id.desc())
        .limit(OWN_KEPT)
    )
    return {int(line): message for made, message in found.all() if message for line in made}


async def _ends(session: AsyncSession, topic: ForumTopic) -> tuple[list[lines.Item], tuple[int, str] | None]:
    """What came of lines that were on their way: signs for those that failed, and one agent's message that arrived."""
    waiting = shown.on_their_way(topic)
    if not waiting:
        return [], None
    found = await session.scalars(
        select(Message).where(Message.id.in_(waiting)).order_by(Message.id).execution_options(populate_existing=True)
    )
    failed: list[lines.Item] = []
    arrived: tuple[int, str] | None = None
    for line in found.all():
        of = waiting[line.id]
        if line.delivery == Delivery.SENT and of is not None:
            arrived = arrived or (line.id, of)
        elif line.delivery == Delivery.SENT:
            shown.settled(topic, line.id)
        elif line.delivery in lines.UNDELIVERED:
            failed.append(lines.undelivered(line, reply_to=of))
    return failed, arrived


async def _events(
    session: AsyncSession, show: Show, topic: ForumTopic, only: frozenset[str] = lines.SHOWN
) -> list[tuple[datetime, lines.Item]]:
    found = await session.scalars(
        select(RequestEvent)
        .where(RequestEvent.request_id == topic.request_id, RequestEvent.id > topic.shown_event)
        .where(RequestEvent.kind.in_(only))
        .order_by(RequestEvent.id)
    )
    events = found.all()
    if not events:
        return []
    names = {one for event in events for one in (event.agent, event.data.get("to")) if one}
    rows = await session.execute(select(Agent.name, Agent.title).where(Agent.name.in_(names)))
    titles = {row.name: row.title for row in rows}
    return [(event.at, lines.of_event(show.pack, event, titles)) for event in events]


# ---------------------------------------------------------------------------------------------------------- attachments
async def _file(
    session: AsyncSession, show: Show, topic: ForumTopic, thread: str, conversation: Conversation, request: Request
) -> Next | None:
    """The next attachment, once its bytes are kept, after the line that it hangs on."""
    found = await session.execute(
        select(File, Message)
        .join(Message, Message.id == File.message_id)
        .where(File.conversation_id == conversation.id, File.id > topic.shown_file)
        .order_by(File.id)
        .limit(20)
    )
    own: dict[int, str] | None = None
    for file, line in found.all():
        if file.state == FileState.WAITING or shown.pieces(topic, line.id) is not None:
            return None
        own = await _own(session, topic, thread) if own is None else own
        if file.state == FileState.KEPT and line.id not in own:
            return _send_file(show, topic, thread, file, line, conversation, request)
        topic.shown_file = file.id
    return None


def _send_file(
    show: Show, topic: ForumTopic, thread: str, file: File, line: Message, conversation: Conversation, request: Request
) -> Next:
    chat, file_id = topic.chat, file.id
    about = line.attachments[file.place] if file.place < len(line.attachments) else {}
    who = line.agent if line.sender == Sender.AGENT else conversation.name

    async def call(api: Api) -> str | None:
        try:
            async with show.sessions() as session:
                download = await files.read(session, show.store, file_id)
            content = b"".join([piece async for piece in download.pieces])
        except FileGone:
            return None  # the time for keeping it is over
        return await api.send_file(
            chat, thread, content, name=str(about.get("name") or download.name), kind=str(about.get("kind", "file")),
            mime=download.mime, caption=f"📎 {escape(who or 'Клиент')}",
        )  # fmt: skip

    def keep(row: ForumTopic, _: str | None, now: datetime) -> None:
        row.shown_file = file_id

    return Next(step=Step.FILE, request=request.id, call=call, keep=keep)


# -------------------------------------------------------------------------------------------------------------- answers
async def unanswered(session: AsyncSession, chat: str) -> ForumUpdate | None:
    """The oldest message of an agent that is to be answered."""
    return await session.scalar(
        select(ForumUpdate)
        .where(ForumUpdate.chat == chat, ForumUpdate.answer.is_not(None), ForumUpdate.answered_at.is_(None))
        .order_by(ForumUpdate.id)
        .limit(1)
    )
