"""Queues: who is next, the place of a request, how long it will take by what was really measured, who is wanted for it.

The order: the personal manager's claim, VIPs, priority (repeated contacts have a high one by the pack's table, CX-15),
customers who wait before tasks, age (VIP-01, ruling 28). In queues whose requests the system gives out (`assign:
least_loaded`) `bot.desk.giving` does so in this order; whoever frees an agent or lets a request wait calls `wake`.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, case, exists, func, or_, select, true, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

import flows
from bot import agents
from bot.jobs import Jobs
from bot.models import LIVE, Agent, Request, RequestEvent, State

MEASURED = timedelta(days=7)
"""How far back waits are looked at."""
ENOUGH = 3
"""Fewer measured waits say nothing."""

PRIORITIES = {"urgent": 0, "high": 1, "normal": 2, "low": 3}


def _order(request: type[Request]) -> tuple[ColumnElement[Any], ...]:
    """What requests are sorted by."""
    rank = case(PRIORITIES, value=request.priority, else_=2)
    later, task = case((request.vip, 0), else_=1), case((request.task, 1), else_=0)
    return later, rank, task, request.opened_at.expression, request.id.expression


ORDER = _order(Request)


async def candidates(
    session: AsyncSession,
    agent: Agent,
    *,
    now: datetime,
    conversation_id: int | None = None,
    limit: int = 50,
    pack: flows.Pack | None = None,
) -> Sequence[Request]:
    """Waiting requests that an agent may take now, the next one first; nothing is locked. `pack`: for its skills."""
    claimed = and_(Request.manager == agent.name, Request.claim_until > now)
    conditions: list[ColumnElement[bool]] = [Request.state == State.QUEUED]
    if conversation_id is not None:
        conditions.append(Request.conversation_id == conversation_id)
    serves = or_(Request.queue.in_(agent.queues), claimed)
    if conversation_id is not None and agent.leads:
        serves = true()
    free = or_(Request.claim_until.is_(None), Request.claim_until <= now, claimed)
    conditions += [serves, free]
    if others := await agents.skills_on_shift(session) - set(agent.skills):
        known = [pack.skills[name] for name in others if name in pack.skills] if pack is not None else []
        conditions.append(~Request.marks.overlap(sorted(others.union(*(skill.marks for skill in known)))))
        if topics := sorted(set().union(*(skill.topics for skill in known))):
            conditions.append(func.coalesce(Request.topic, "").not_in(topics))
    first = case((claimed, 0), else_=1)
    found = await session.scalars(select(Request).where(*conditions).order_by(first, *ORDER).limit(limit))
    return found.all()


def skills_wanted(pack: flows.Pack, topic: str | None, marks: Collection[str]) -> set[str]:
    """The skills that a request wants: those of its marks' names, and those of the pack that name its topic or a mark."""
    named = (name for name, of in pack.skills.items() if topic in of.topics or not {*marks}.isdisjoint(of.marks))
    return {*marks, *named}


def given_out(pack: flows.Pack) -> list[str]:
    """Queues whose requests the system gives to agents."""
    return [name for name, queue in pack.queues.items() if queue.assign is flows.Assign.LEAST_LOADED]


async def wake(session: AsyncSession, pack: flows.Pack, jobs: Jobs) -> None:
    """A request waits now, or an agent is free: what can be given is given as soon as this transaction is stored."""
    if given_out(pack):
        await jobs.give(session)


async def wake_if_waiting(session: AsyncSession, pack: flows.Pack, jobs: Jobs) -> None:
    """Wake when something waits to be given (the sweep: what was passed over while somebody was at it)."""
    names = given_out(pack)
    waits = select(Request.id).where(Request.state == State.QUEUED, Request.queue.in_(names)).limit(1)
    if names and await session.scalar(waits) is not None:
        await jobs.give(session)


async def place(session: AsyncSession, request: Request) -> int:
    """The request's place in its queue; 1 is next."""
    mine = aliased(Request)
    ahead = await session.scalar(
        select(func.count())
        .select_from(Request)
        .join(mine, mine.id == request.id)
        .where(Request.state == State.QUEUED, Request.queue == mine.queue, tuple_(*ORDER) < tuple_(*_order(mine)))
    )
    return int(ahead or 0) + 1


async def wait_minutes(session: AsyncSession, queue: str, at: int, *, now: datetime) -> int | None:
    """Minutes that a request at a place will probably wait, from the waits of the last days; None: not measured.

    What was measured is the wait from the opening to the first taking: in the queue where a request was opened. What has
    come from another one since says nothing of this one.
    """
    waited = func.extract("epoch", Request.taken_at - Request.opened_at)
    per_place = func.percentile_cont(0.5).within_group(waited / func.greatest(Request.queued_place, 1))
    here = exists().where(
        RequestEvent.request_id == Request.id, RequestEvent.kind == "opened", RequestEvent.data["queue"].astext == queue
    )
    measured, seconds = (
        await session.execute(
            select(func.count(), per_place).where(
                Request.queue == queue, Request.taken_at > now - MEASURED, Request.category.is_(None), here
            )
        )
    ).one()
    if measured < ENOUGH or seconds is None:
        return None
    return max(1, math.ceil(float(seconds) * at / 60))


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A queue as it is now."""

    waiting: int = 0
    # customers; the oldest of them …
    waits_since: datetime | None = None
    # … since then
    tasks: int = 0
    # work beside talks that nobody has taken yet
    in_hand: int = 0
    # worked on now …
    on_hold: int = 0
    # … and waiting for the customer


async def standings(session: AsyncSession) -> dict[str, Standing]:
    """All queues that anything is in, by name."""
    waits = (Request.state == State.QUEUED) & ~Request.task
    found = await session.execute(
        select(
            Request.queue,
            func.count().filter(waits).label("waiting"),
            func.min(Request.opened_at).filter(waits).label("waits_since"),
            func.count().filter((Request.state == State.QUEUED) & Request.task).label("tasks"),
            func.count().filter(Request.state == State.ASSIGNED).label("in_hand"),
            func.count().filter(Request.state == State.WAITING_CUSTOMER).label("on_hold"),
        )
        .where(Request.state.in_(LIVE))
        .group_by(Request.queue)
    )
    return {queue: Standing(waiting=a, waits_since=b, tasks=c, in_hand=d, on_hold=e) for queue, a, b, c, d, e in found}
