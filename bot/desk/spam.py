"""Spam: a chat that wants nothing of us. Its requests end without a word, and what comes later opens none."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from bot import agents, queues
from bot.desk.hands import in_hand, locked
from bot.errors import NotSpam, SupervisorsOnly
from bot.models import LIVE, Request, State
from bot.requests import current, settle_owner
from bot.timeline import Desk, log_event, tell_of

SPAM = "spam"
"""How such a request ended (`resolution`)."""


async def spam(
    session: AsyncSession,
    desk: Desk,
    agent_name: str,
    conversation_id: int,
    *,
    now: datetime,
    request_id: int | None = None,
) -> Request:
    """Mark the chat of the agent's request as spam and end its requests, but for those that others have in hand.

    The customer is neither asked nor told. What comes from the chat afterwards opens no request: the bot answers what it
    can by itself, people do not.
    """
    agent, conversation, request = await in_hand(session, agent_name, conversation_id, request_id)
    conversation.spam_at = now
    found = await session.scalars(
        select(Request).where(
            Request.conversation_id == conversation_id, Request.state.in_((*LIVE, State.SOLVED)),
            Request.agent_id.is_(None) | (Request.agent_id == agent.id),
        )
    )  # fmt: skip
    for one in found:
        one.state, one.agent_id, one.talking, one.ended_at = State.CLOSED, None, False, now
        one.wait_until = one.claim_until = one.close_at = None
        one.resolution = SPAM
        await log_event(session, one, "spam", now, agent=agent.name)
        tell_of(session, conversation, "state", request=one.number, state=State.CLOSED)
    await settle_owner(session, conversation)
    await queues.wake(session, desk.pack, desk.jobs)
    return request


async def not_spam(
    session: AsyncSession, desk: Desk, agent_name: str, conversation_id: int, *, now: datetime
) -> list[Request]:
    """Take the mark back (supervisors): what it ended waits in its queue again, with its age. Returns those requests."""
    agent = await agents.get(session, agent_name)
    if not agent.leads:
        raise SupervisorsOnly
    conversation = await locked(session, conversation_id)
    if conversation.spam_at is None:
        raise NotSpam
    found = await session.scalars(
        select(Request)
        .where(
            Request.conversation_id == conversation_id, Request.resolution == SPAM,
            Request.ended_at >= conversation.spam_at,
        )
        .order_by(Request.id)
        .execution_options(populate_existing=True)
    )  # fmt: skip
    conversation.spam_at = None
    back: list[Request] = []
    for one in found:
        if not one.task and await current(session, conversation_id) is not None:
            continue
        one.state, one.ended_at, one.resolution = State.QUEUED, None, None
        one.solved_at = one.close_at = one.asked_at = None
        await log_event(session, one, "not_spam", now, agent=agent.name)
        tell_of(session, conversation, "state", request=one.number, state=State.QUEUED)
        back.append(one)
    return back
