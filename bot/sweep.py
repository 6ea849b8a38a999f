"""The sweep: what falls due by itself, when the customer or an agent has let the time pass, or a queue opens."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from bot import conversations, queues, requests, targets
from bot.desk import shift
from bot.models import LIVE, Agent, Conversation, Request, State
from bot.timeline import Desk, log_event, notify, tell_of

AT_ONCE = 200
"""So many customers hear at once that a queue has opened; the others a moment later."""


async def sweep(session: AsyncSession, desk: Desk, now: datetime) -> int:
    """Do all that has fallen due by now, and return how much it was. Work that others are at is left to them.

    Closes solved requests, gives those that waited long enough for the customer back to their agents, ends first
    claims, and marks cases whose promised time has passed. Ends shifts whose pages are all closed, tells customers of
    queues that have opened, warns of targets, and sees to it that what waits is given out.
    """
    done = await shift.see_who_is_there(session, desk, now)
    done += await _fallen(session, desk, now)
    done += await _opened(session, desk, now)
    done += await targets.fall_due(session, desk.pack, now)
    await queues.wake_if_waiting(session, desk.pack, desk.jobs)
    return done


async def _fallen(session: AsyncSession, desk: Desk, now: datetime) -> int:
    fallen = (
        (Request.state == State.SOLVED) & (Request.close_at <= now)
        | (Request.state == State.WAITING_CUSTOMER) & (Request.wait_until <= now)
        | (Request.state == State.QUEUED) & (Request.claim_until <= now)
        | Request.state.in_(LIVE) & (Request.due <= now) & Request.overdue_at.is_(None)
    )
    found = await session.execute(select(Request.id, Request.conversation_id).where(fallen).order_by(Request.id))
    done = 0
    for request_id, conversation_id in found.all():
        conversation = await conversations.lock(session, conversation_id, skip=True)
        request = await session.get(Request, request_id, populate_existing=True)
        if conversation is not None and request is not None:
            done += await _fall_due(session, desk, conversation, request, now)
    return done


async def _fall_due(
    session: AsyncSession, desk: Desk, conversation: Conversation, request: Request, now: datetime
) -> int:
    done = 0
    if request.state == State.SOLVED and request.close_at and request.close_at <= now:
        await requests.close(session, desk, conversation, request, desk.pack.manifest.notices.closed, now=now)
        done += 1
    if request.state == State.WAITING_CUSTOMER and request.wait_until and request.wait_until <= now:
        agent = await session.get(Agent, request.agent_id)
        request.wait_until = None
        if agent is not None and agent.on_shift:
            request.state = State.ASSIGNED
            await log_event(session, request, "wait_over", now, agent=agent.name)
            tell_of(session, conversation, "state", request=request.number, state=State.ASSIGNED)
        else:
            await requests.to_queue(session, desk, conversation, request, "wait_over", now=now)
        done += 1
    if request.state == State.QUEUED and request.claim_until and request.claim_until <= now:
        request.claim_until = None
        await log_event(session, request, "claim_over", now, agent=request.manager)
        done += 1
    if request.due and request.due <= now and request.overdue_at is None and request.ended_at is None:
        request.overdue_at = now
        await log_event(session, request, "overdue", now)
        tell_of(session, conversation, "overdue", request=request.number, due=request.due.isoformat())
        done += 1
    return done


async def _opened(session: AsyncSession, desk: Desk, now: datetime) -> int:
    """Tell customers whose requests came while a queue was closed that specialists are back, each once.

    The request has been in its queue all night, as a case with the time of the answer (L2-17); what changes when the queue
    opens is that its customer hears of it, with the place and the expected wait. Who was taken on at night hears nothing.
    """
    query = select(Request).where(Request.state == State.QUEUED, Request.waits_for_opening).order_by(*queues.ORDER)
    found = [one for one in await session.scalars(query) if targets.opened(desk.pack, one, now)]
    done = 0
    for one in found[:AT_ONCE]:
        conversation = await conversations.lock(session, one.conversation_id, skip=True)
        if conversation is None:
            continue
        request = await session.get(Request, one.id, populate_existing=True)
        if request is None or request.state != State.QUEUED or not request.waits_for_opening:
            continue
        request.waits_for_opening = False
        await log_event(session, request, "queue_opened", now, data={"queue": request.queue})
        tell_of(session, conversation, "queue_opened", request=request.number, queue=request.queue)
        if (phrase := desk.pack.manifest.notices.opened) is not None:
            await notify(session, desk, conversation, phrase, request, now=now)
        done += 1
    return done
