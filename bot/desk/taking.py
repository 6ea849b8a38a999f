"""Taking requests: never the same one to two agents, and whoever takes one is shown all of it."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from bot import agents, conversations, queues
from bot.desk import news
from bot.desk.hands import hand_to, in_hand, live_of, locked, on_shift, within_reach
from bot.errors import (
    AlreadyYours,
    NothingToTake,
    NotInHand,
    NotYourQueue,
    PriorityReasonMissing,
    PriorityUnknown,
    RequestGone,
    RequestReserved,
    RequestTaken,
    RequestUnknown,
    SupervisorsOnly,
)
from bot.masking import mask
from bot.models import Agent, Conversation, Request, State
from bot.sentences import took_over
from bot.timeline import Desk, log_event, notify, show_request, tell_of


async def take(
    session: AsyncSession,
    desk: Desk,
    agent_name: str,
    *,
    now: datetime,
    conversation_id: int | None = None,
    request_id: int | None = None,
) -> Request:
    """Give the agent the next request of their queues, or the one of a conversation. Never the same to two agents.

    `request_id`: which of the conversation's.
    """
    agent = await on_shift(session, agent_name)
    found = await queues.candidates(session, agent, now=now, conversation_id=conversation_id, pack=desk.pack)
    waiting = [one for one in found if request_id in (None, one.id)]
    if not waiting and conversation_id is not None:
        raise await _why_not(session, agent, conversation_id, request_id, now)
    for skip in (True, False):  # first what nobody is at, then wait for whoever is
        for one in waiting:
            free = await _still_waiting(session, one, skip=skip)
            if free is not None:
                await assign(session, desk, *free, agent, now=now)
                return free[1]
    if conversation_id is not None and waiting:
        raise RequestTaken
    raise NothingToTake


async def _still_waiting(session: AsyncSession, one: Request, *, skip: bool) -> tuple[Conversation, Request] | None:
    """A request that waits, locked with its conversation; None, and nothing locked, when it does not wait any more."""
    async with session.begin_nested() as savepoint:
        conversation = await conversations.lock(session, one.conversation_id, skip=skip)
        if conversation is None:
            return None
        request = await session.get(Request, one.id, with_for_update=True, populate_existing=True)
        if request is not None and request.state == State.QUEUED:
            return conversation, request
        await savepoint.rollback()  # its lock goes, too
    return None


async def assign(
    session: AsyncSession,
    desk: Desk,
    conversation: Conversation,
    request: Request,
    agent: Agent,
    *,
    now: datetime,
    given: bool = False,
) -> None:
    """Make a waiting request the agent's, show it to them, tell the customer. `given`: by the system, not taken."""
    await hand_to(session, conversation, request, agent, now=now)
    await log_event(session, request, "assigned", now, agent=agent.name, data={"given": True} if given else None)
    tell_of(session, conversation, "state", request=request.number, state=State.ASSIGNED)
    await show_request(session, conversation, request, agent)
    if request.talking:
        await notify(session, desk, conversation, desk.pack.manifest.notices.assigned, request, now=now)


async def read(
    session: AsyncSession, agent_name: str, conversation_id: int, *, request_id: int | None = None
) -> Request:
    """Show an agent their request once more, in full."""
    agent, conversation, request = await in_hand(session, agent_name, conversation_id, request_id)
    await show_request(session, conversation, request, agent)
    return request


async def step_in(
    session: AsyncSession,
    desk: Desk,
    agent_name: str,
    conversation_id: int,
    *,
    now: datetime,
    request_id: int | None = None,
) -> Request:
    """A supervisor takes over a request that another agent has in hand.

    The customer hears what they hear of any transfer (CX-04), the former agent is told at the desk.
    """
    agent = await on_shift(session, agent_name)
    if not agent.leads:
        raise SupervisorsOnly
    conversation = await locked(session, conversation_id)
    there = [one for one in await live_of(session, conversation_id) if request_id in (None, one.id)]
    if not there:
        raise RequestGone
    request = there[0]
    former = await session.get(Agent, request.agent_id) if request.agent_id else None
    if former is None:
        raise NotInHand
    if former.id == agent.id:
        raise AlreadyYours
    await hand_to(session, conversation, request, agent, now=now)
    await queues.wake(session, desk.pack, desk.jobs)
    await news.tell(session, former.id, request, "step_in", took_over(agent.title, request.number), now=now)
    data = {"from": former.name, "to": agent.name, "queue": None}
    await log_event(session, request, "stepped_in", now, agent=agent.name, data=data)
    tell_of(session, conversation, "state", request=request.number, state="transferred")
    await show_request(session, conversation, request, agent)
    if request.talking:
        await notify(session, desk, conversation, desk.pack.manifest.notices.transferred, request, now=now)
    return request


async def watch(session: AsyncSession, agent_name: str, request_id: int) -> Request:
    """Let a supervisor look at a request without taking it: nothing of it changes, nobody is told."""
    agent = await agents.get(session, agent_name)
    if not agent.leads:
        raise SupervisorsOnly
    request = await session.get(Request, request_id)
    if request is None:
        raise RequestUnknown
    return request


async def prioritise(
    session: AsyncSession,
    desk: Desk,
    agent_name: str,
    conversation_id: int,
    priority: str,
    reason: str,
    *,
    now: datetime,
    request_id: int | None = None,
) -> Request:
    """Change how urgent a request is: the agent's own, or for a supervisor any that is not ended. `reason`: for colleagues."""
    agent, request = await within_reach(session, agent_name, conversation_id, request_id)
    if priority not in queues.PRIORITIES:
        raise PriorityUnknown
    if not reason.strip():
        raise PriorityReasonMissing
    before, request.priority = request.priority, priority
    request.summary = {**request.summary, "priority": priority}
    data = {"from": before, "to": priority, "reason": mask(reason.strip())}
    await log_event(session, request, "prioritised", now, agent=agent.name, data=data)
    return request


async def _why_not(
    session: AsyncSession, agent: Agent, conversation_id: int, request_id: int | None, now: datetime
) -> Exception:
    """Why the request of a conversation cannot be taken."""
    there = [one for one in await live_of(session, conversation_id) if request_id in (None, one.id)]
    for request in there:
        if request.state == State.QUEUED:
            reserved = request.claim_until is not None and request.claim_until > now
            return RequestReserved() if reserved else NotYourQueue()
    if request_id is None:
        return RequestTaken() if there else NothingToTake()
    if not there:
        return RequestGone()
    return AlreadyYours() if there[0].agent_id == agent.id else RequestTaken()
