"""What a topic lacks of what the store says: the next call to Telegram that brings it nearer, or none.

Everything is read off the store each time, so a call that was not made, was cut off or became needless is no trouble: the
next look finds what is missing now.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from bot.forum import cards, lines, said, shown
from bot.forum.calls import Keep, Next, Show, Step, no_result, urgency
from bot.forum.groups import Group
from bot.models import LIVE, Agent, Conversation, File, ForumTopic, ForumUpdate, Message, Request, RequestEvent


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


async def unanswered(session: AsyncSession, chat: str) -> ForumUpdate | None:
    """The oldest message of an agent that is to be answered."""
    return await session.scalar(
        select(ForumUpdate)
        .where(ForumUpdate.chat == chat, ForumUpdate.answer.is_not(None), ForumUpdate.answered_at.is_(None))
        .order_by(ForumUpdate.id)
        .limit(1)
    )


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
        return await said.afterwards(session, show, request, topic, thread)
    if topic.closed:
        return Next(
            step=Step.REOPEN, request=request.id, call=lambda api: no_result(api.open(chat, thread)), keep=_opened,
            order=urgency(request),
        )  # fmt: skip
    agent = await session.get(Agent, request.agent_id) if request.agent_id else None
    card = cards.card(show.pack, request, agent=agent.title if agent else None)
    if topic.card is None:
        return Next(
            step=Step.CARD, request=request.id, order=urgency(request), keep=_carded(card),
            call=lambda api: api.send(chat, thread, card.html, buttons=card.buttons),
        )  # fmt: skip
    pinned = topic.card
    if not topic.pinned:
        return Next(step=Step.PIN, request=request.id, call=lambda api: no_result(api.pin(chat, pinned)), keep=_pinned)
    if (message := await said.next_message(session, show, request, topic, thread, conversation)) is not None:
        return message
    if (file := await said.next_attachment(session, show, topic, thread, conversation, request)) is not None:
        return file
    if topic.card_text != card.digest:
        return Next(
            step=Step.EDIT, request=request.id, keep=_edited(card),
            call=lambda api: no_result(api.edit(chat, pinned, card.html, buttons=card.buttons)),
        )  # fmt: skip
    title = cards.title(show.pack, request, conversation.name)
    if wanted and topic.title != title:
        return Next(
            step=Step.RENAME, request=request.id, keep=_titled(title),
            call=lambda api: no_result(api.rename(chat, thread, title)),
        )  # fmt: skip
    if not wanted:
        return Next(
            step=Step.CLOSE, request=request.id, call=lambda api: no_result(api.shut(chat, thread)), keep=_closed
        )
    return None


# ---------------------------------------------------------------------------------------------------------- the topic
async def _create(session: AsyncSession, show: Show, group: Group, request: Request) -> Next:
    """Make the topic (again). What it begins with: the last lines of the transcript."""
    conversation = await session.get_one(Conversation, request.conversation_id)
    recent = (
        select(Message.id)
        .where(Message.conversation_id == conversation.id)
        .order_by(Message.id.desc())
        .limit(said.HISTORY)
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
        step=Step.CREATE, request=request.id, order=urgency(request), keep=keep,
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
