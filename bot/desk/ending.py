"""Ending the work on a request: waiting for the customer, and solving it."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from bot import escalation, labels, queues
from bot.desk.hands import add_note, in_hand
from bot.errors import NotWaiting, TimeOver, TimeTooFar
from bot.models import Request, State
from bot.requests import settle_owner
from bot.timeline import Desk, log_event, notify, tell_of

AHEAD = timedelta(days=92)
"""A moment further ahead is a slip of the pen."""


def in_time(moment: datetime, now: datetime) -> None:
    """Refuse a moment (aware) that is over, or so far ahead that nobody means it."""
    if moment <= now:
        raise TimeOver
    if moment > now + AHEAD:
        raise TimeTooFar


async def wait(
    session: AsyncSession,
    desk: Desk,
    agent_name: str,
    conversation_id: int,
    *,
    now: datetime,
    until: datetime | None = None,
    request_id: int | None = None,
) -> Request:
    """Wait for the customer, at most until a moment (default: as long as a solved request can be reopened).

    A request that waits already gets another moment; the customer is not told the same again (CX-06).
    """
    agent, conversation, request = await in_hand(session, agent_name, conversation_id, request_id)
    if until is not None:
        in_time(until, now)
    told = request.state == State.WAITING_CUSTOMER
    request.state, request.wait_until = State.WAITING_CUSTOMER, until or now + desk.reopen
    await log_event(
        session, request, "waiting_customer", now, agent=agent.name, data={"until": request.wait_until.isoformat()}
    )
    await queues.wake(session, desk.pack, desk.jobs)
    if told:
        return request
    tell_of(session, conversation, "state", request=request.number, state=State.WAITING_CUSTOMER)
    await notify(session, desk, conversation, desk.pack.manifest.notices.waiting_customer, request, now=now)
    return request


async def resume(
    session: AsyncSession,
    desk: Desk,
    agent_name: str,
    conversation_id: int,
    *,
    now: datetime,
    request_id: int | None = None,
) -> Request:
    """Go on with a request that waited for the customer: they are waited for no longer."""
    agent, conversation, request = await in_hand(session, agent_name, conversation_id, request_id)
    if request.state != State.WAITING_CUSTOMER:
        raise NotWaiting
    request.state, request.wait_until = State.ASSIGNED, None
    await log_event(session, request, "resumed", now, agent=agent.name)
    tell_of(session, conversation, "state", request=request.number, state=State.ASSIGNED)
    return request


async def resolve(
    session: AsyncSession,
    desk: Desk,
    agent_name: str,
    conversation_id: int,
    *,
    now: datetime,
    resolution: str = "solved",
    category: str | None = None,
    text: str = "",
    request_id: int | None = None,
) -> Request:
    """End a request: the customer is asked whether it helped and has time to come back (CX-07).

    `category`: the intent that it was about, in the agent's judgement; `text`: the solution, for colleagues.
    """
    agent, conversation, request = await in_hand(session, agent_name, conversation_id, request_id)
    escalation.Closing(resolution=resolution, category=category, comment=text).check()
    if text.strip():
        await add_note(session, agent, request, text, now)
    request.state, request.agent_id, request.talking, request.wait_until = State.SOLVED, None, False, None
    request.resolution, request.resolved_category, request.solution = resolution, category, text.strip() or None
    request.solved_at, request.close_at, request.asked_at = now, now + desk.reopen, None
    await settle_owner(session, conversation)
    await queues.wake(session, desk.pack, desk.jobs)
    await log_event(
        session, request, "solved", now, agent=agent.name, data={"resolution": resolution, "category": category}
    )
    if category and category != request.topic and category in desk.pack.intents:
        await labels.corrected(session, request, category, now=now)
    tell_of(session, conversation, "state", request=request.number, state=State.SOLVED)
    if request.spoken or not request.task:
        request.spoken = True
        notices = desk.pack.manifest.notices
        await notify(
            session, desk, conversation, notices.solved if resolution == "solved" else notices.not_solved, request, now=now
        )  # fmt: skip
    return request
