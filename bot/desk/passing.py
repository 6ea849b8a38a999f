"""Giving a request away: back to its queue, on to another queue, or to a colleague."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

import flows
from bot import agents, escalation, queues, targets
from bot.desk import news
from bot.desk.hands import add_note, hand_to, in_hand
from bot.errors import AlreadyYours, CommentMissing, QueueUnknown, TargetOffShift
from bot.masking import mask
from bot.models import Agent, Conversation, Request
from bot.requests import tell_opened, to_queue
from bot.sentences import passed_on
from bot.timeline import Desk, log_event, notify, show_request, tell_of


async def decline(
    session: AsyncSession,
    desk: Desk,
    agent_name: str,
    conversation_id: int,
    reason: str,
    *,
    now: datetime,
    request_id: int | None = None,
) -> Request:
    """Give an assigned request back to its queue; the reason stays among colleagues (ruling 17)."""
    agent, conversation, request = await in_hand(session, agent_name, conversation_id, request_id)
    if not reason.strip():
        raise CommentMissing
    await add_note(session, agent, request, reason, now)
    await to_queue(session, desk, conversation, request, "declined", now=now, agent=agent.name, data={"reason": reason})
    return request


async def transfer(
    session: AsyncSession,
    desk: Desk,
    agent_name: str,
    conversation_id: int,
    comment: str,
    *,
    now: datetime,
    queue: str | None = None,
    to: str | None = None,
    category: str | None = None,
    reason: str | None = None,
    resolution: str = "not_solved",
    request_id: int | None = None,
) -> Request:
    """Pass a request on to a queue or to a colleague on shift, with a comment for whoever takes over.

    There is no other way for a conversation to change hands (L2-01), and nobody waits until the other one answers: the
    agent is free at once (L2-02). To a queue it goes with the closing form (ESC-08); what is not given follows from the
    request and the queue. A closed queue gets it as a case with the time of the answer (L2-17, L2-20).
    """
    agent, conversation, request = await in_hand(session, agent_name, conversation_id, request_id)
    if not comment.strip():
        raise CommentMissing
    if to is not None:
        return await _to_colleague(
            session, desk, agent, conversation, request, await agents.get(session, to), comment, now
        )
    if queue is None or queue not in desk.pack.queues:
        raise QueueUnknown
    form = escalation.passing(
        desk.pack, queue, comment, category=category or request.topic, reason=reason, resolution=resolution
    )  # fmt: skip
    form.check()
    await add_note(session, agent, request, comment, now)
    data = {"queue": queue, "to": to, **escalation.record(request, form), **escalation.stop(desk.pack, request, now)}
    label = desk.pack.manifest.summary.get("passed", "+")
    request.comment = f"{label} {agent.title}: {mask(comment.strip())}\n{request.comment}"
    request.queue, kind, due = flows.place(desk.pack, queue, now, request.resolved_category)
    if due is not None and not _promise_stands(request, due, now):  # the customer is told the new term
        request.category, request.due, request.overdue_at = request.category or kind, due, None
    targets.move(desk.pack, request, now)
    request.summary = {
        **request.summary,
        "queue": request.queue,
        "category": request.category or request.summary.get("category"),
    }
    await to_queue(
        session, desk, conversation, request, "transferred", now=now, agent=agent.name, data=data,
        state="transferred", phrase=desk.pack.manifest.notices.transferred,
    )  # fmt: skip
    if kind is not None:
        tell_opened(session, conversation, request)
    return request


def _promise_stands(request: Request, due: datetime, now: datetime) -> bool:
    """Tell whether the time a customer was given holds in a queue that answers by `due` (CX-12): a call's as it is,
    another if the queue can keep it."""
    if request.due is None:
        return False
    return request.due > now if request.call_phone is not None else request.due >= due


async def _to_colleague(
    session: AsyncSession,
    desk: Desk,
    agent: Agent,
    conversation: Conversation,
    request: Request,
    target: Agent,
    comment: str,
    now: datetime,
) -> Request:
    if target.id == agent.id:
        raise AlreadyYours
    if not target.on_shift:
        raise TargetOffShift
    await add_note(session, agent, request, comment, now)
    await hand_to(session, conversation, request, target, now=now)
    await news.tell(session, target.id, request, "transfer", passed_on(agent.title, request.number), now=now)
    await queues.wake(session, desk.pack, desk.jobs)
    data = {"comment": comment, "queue": None, "to": target.name}
    await log_event(session, request, "transferred", now, agent=agent.name, data=data)
    tell_of(session, conversation, "state", request=request.number, state="transferred")
    await show_request(session, conversation, request, target)
    if request.talking:
        await notify(session, desk, conversation, desk.pack.manifest.notices.transferred, request, now=now)
    return request
