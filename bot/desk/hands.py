"""Whose a request is: the agent's hands, as all actions of the desk know them.

The order of locks, the same in every transaction, so that nobody waits for one another in a circle:

1. What lets a thing be done once: a call's key, the line of a Telegram group, the one giver.
2. The row of an agent (`agents.lock`, or an UPDATE of it): before any conversation.
3. Conversations, all that will be touched, in one go and by their ids (`lock_all`).
4. What belongs to them: requests, planned actions, messages, files.
5. Jobs: who adds one waits for whoever adds the same, so nothing is locked after it.

Whoever has come further wants nothing of an earlier step, unless without waiting (`skip`): giving and the sweep leave what
is not to be had at once for the next time. A lock that proved to be of no use is given back before another is waited for.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

import flows
from bot import agents, conversations, escalation
from bot.errors import ConversationUnknown, NotYourRequest, OffShift, RequestGone
from bot.models import IN_HAND, LIVE, Agent, Conversation, Message, Request, Sender, State
from bot.requests import settle_owner


async def on_shift(session: AsyncSession, name: str) -> Agent:
    """The agent of a name, who has to be on shift."""
    agent = await agents.get(session, name)
    if not agent.on_shift:
        raise OffShift
    return agent


async def locked(session: AsyncSession, conversation_id: int) -> Conversation:
    """A conversation, locked until the end of the transaction."""
    conversation = await conversations.lock(session, conversation_id)
    if conversation is None:
        raise ConversationUnknown
    return conversation


async def lock_all(session: AsyncSession, conversation_ids: Iterable[int]) -> None:
    """Lock all conversations that will be touched, in the one order of locks."""
    for conversation_id in sorted({*conversation_ids}):
        await locked(session, conversation_id)


async def live_of(session: AsyncSession, conversation_id: int) -> list[Request]:
    """The requests of a conversation that people have work with: the handoff first, then the newest."""
    found = await session.scalars(
        select(Request)
        .where(Request.conversation_id == conversation_id, Request.state.in_(LIVE))
        .order_by(Request.task, Request.id.desc())
        .execution_options(populate_existing=True)
    )
    return list(found)


async def in_hand(
    session: AsyncSession, agent_name: str, conversation_id: int, request_id: int | None = None
) -> tuple[Agent, Conversation, Request]:
    """The agent's request in a conversation, locked: the one that is named, or the one they speak in, before a task."""
    agent = await on_shift(session, agent_name)
    conversation = await locked(session, conversation_id)
    live = await live_of(session, conversation_id)
    mine = [one for one in live if one.agent_id == agent.id and request_id in (None, one.id)]
    if mine:
        return agent, conversation, mine[0]
    there = [one for one in live if request_id in (None, one.id)]
    raise NotYourRequest() if there else RequestGone()


async def within_reach(
    session: AsyncSession, agent_name: str, conversation_id: int, request_id: int | None = None
) -> tuple[Agent, Request]:
    """The agent's request in a conversation, as `in_hand`; for supervisors any that is not ended, on shift or not. Locked."""
    agent = await agents.get(session, agent_name)
    if not agent.leads:
        agent, _, request = await in_hand(session, agent_name, conversation_id, request_id)
        return agent, request
    await locked(session, conversation_id)
    there = [one for one in await live_of(session, conversation_id) if request_id in (None, one.id)]
    if not there:
        raise RequestGone
    return agent, next((one for one in there if one.agent_id == agent.id), there[0])


async def hand_to(
    session: AsyncSession, conversation: Conversation, request: Request, agent: Agent, *, now: datetime
) -> None:
    """Make a request the agent's. A handoff's conversation is theirs at once, a task's when they speak."""
    request.state, request.agent_id, request.last_agent_id = State.ASSIGNED, agent.id, agent.id
    request.taken_at = request.taken_at or now
    request.claim_until, request.wait_until, request.waits_for_opening = None, None, False
    request.talking = not request.task or request.spoken
    escalation.start(request, now)
    if request.talking:
        let_go(conversation)
    await settle_owner(session, conversation)


def let_go(conversation: Conversation) -> None:
    """The bot drops its open questions: a person speaks now, and later answers must not be read as answers to them."""
    state = replace(conversations.remembered(conversation), open=(), asking=None, offered=None, misses=0)
    conversation.state = flows.to_json(state)


async def add_note(session: AsyncSession, agent: Agent, request: Request, text: str, now: datetime) -> Message:
    """Add a line that only colleagues see."""
    made = Message(
        conversation_id=request.conversation_id, sender=Sender.NOTE, at=now, text=text, agent=agent.title,
        request_id=request.id,
    )  # fmt: skip
    session.add(made)
    await session.flush()
    return made


async def load(session: AsyncSession) -> dict[int, int]:
    """How many requests each agent has in hand, by the agent's id; who has none is not named."""
    found = await session.execute(
        select(Request.agent_id, func.count()).where(Request.state.in_(IN_HAND)).group_by(Request.agent_id)
    )
    return {int(agent_id): count for agent_id, count in found.all() if agent_id is not None}
