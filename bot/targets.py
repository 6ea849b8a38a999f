"""Targets: by when a person has to have answered a customer first, the warning before that, and the list of those missed.

A queue's `target_minutes` count in its working hours from the moment the request is opened, or passed to the queue
unanswered; a hold phrase is no answer. Work beside the talk (tasks) has none, and neither have cases with a term of their
own (a callback): they have their due time. A case that stands in for a handoff while the queue is closed has one: its due
time is the same moment.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, case, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

import flows
from bot import conversations
from bot.models import LIVE, Agent, Conversation, Request
from bot.timeline import log_event, tell_of

_SLACK = timedelta(seconds=1)
_DONE_AT = func.coalesce(Request.answered_at, Request.solved_at, Request.ended_at)
AT_ONCE = 200
"""So many are warned of, or found missed, in one go."""


# ------------------------------------------------------------------------------------------------- setting the target
def begin(pack: flows.Pack, request: Request, now: datetime) -> None:
    """Set a new request's target; note whether its queue is closed, so that its customer is told when that opens."""
    if request.task:
        return
    closed = _stands_in(pack, request, now)
    if request.category is not None and not closed:
        return
    request.waits_for_opening = closed
    request.target_at = request.due if closed else _target(pack, request, now)


def move(pack: flows.Pack, request: Request, now: datetime) -> None:
    """A request was passed to another queue: that has its own target, as long as nobody has answered.

    What was missed stays missed. In a closed queue it waits for the opening like a new one.
    """
    case_of_its_own = request.category is not None and request.target_at is None and not _stands_in(pack, request, now)
    if request.task or case_of_its_own:
        return
    request.waits_for_opening = not flows.is_open(pack, request.queue, now, request.topic)
    if request.answered_at is None and request.breached_at is None:
        request.target_at, request.warned_at = _target(pack, request, now), None


def opened(pack: flows.Pack, request: Request, now: datetime) -> bool:
    """Tell whether the queue of a request that waited for it works now."""
    if not flows.is_open(pack, request.queue, now, request.topic):
        return False
    if request.due is None:
        return True
    # it may have been passed on as another topic, which may have hours of its own: the promised time knows it
    return now >= request.due - timedelta(minutes=pack.queues[request.queue].target_minutes)


def _target(pack: flows.Pack, request: Request, now: datetime) -> datetime:
    return flows.add_working(pack, request.queue, now, pack.queues[request.queue].target_minutes, request.topic)


def _stands_in(pack: flows.Pack, request: Request, now: datetime) -> bool:
    """Whether a case is a handoff to a closed queue (for its topic, or the one it was passed on as): category and due time say so."""
    topics = (request.topic, *pack.queues[request.queue].topics)
    places = (flows.place(pack, request.queue, now, topic) for topic in topics)
    return request.category is not None and any(
        kind == request.category and due is not None and request.due is not None and abs(due - request.due) < _SLACK
        for _, kind, due in places
    )


# ------------------------------------------------------------------------------------------------------ what falls due
async def fall_due(session: AsyncSession, pack: flows.Pack, now: datetime) -> int:
    """Warn of targets that are near and note those that are missed, each once; return how many.

    Told to listeners as `warned` and `breached` with request, queue, agent and target, and to the timeline. What others
    are at is left for the next time. A queue is warned only while it works: nobody is there to hear it at night.
    """
    missed = (Request.target_at <= now) & Request.breached_at.is_(None)
    unwarned = Request.warned_at.is_(None) & Request.target_at.is_not(None)
    names = await session.scalars(select(Request.queue).where(_open(), unwarned).distinct())
    near = or_(*_near(pack, {*names}, now)) & unwarned
    found = await session.execute(
        select(Request.id, Request.conversation_id)
        .where(_open(), or_(missed, near))
        .order_by(Request.id)
        .limit(AT_ONCE)
    )
    done = 0
    for request_id, conversation_id in found.all():
        conversation = await conversations.lock(session, conversation_id, skip=True)
        if conversation is None:
            continue
        request = await session.get(Request, request_id, populate_existing=True)
        if request is not None and request.answered_at is None and request.state in LIVE and request.target_at:
            done += await _note(session, conversation, request, now)
    return done


def _near(pack: flows.Pack, names: Collection[str], now: datetime) -> Iterator[ColumnElement[bool]]:
    """Conditions for targets whose warning is due, for each of some queues: so much working time is left, or less."""
    yield Request.target_at <= now
    for name, queue in pack.queues.items():
        if name not in names:
            continue
        rest = queue.target_minutes * (1 - queue.warn_share)
        for topic in (None, *queue.topics):
            if flows.is_open(pack, name, now, topic):
                theirs = Request.topic == topic if topic else func.coalesce(Request.topic, "").not_in([*queue.topics])
                yield (
                    (Request.queue == name)
                    & theirs
                    & (Request.target_at <= flows.add_working(pack, name, now, rest, topic))
                )


async def _note(session: AsyncSession, conversation: Conversation, request: Request, now: datetime) -> int:
    assert request.target_at is not None
    kind = "breached" if request.target_at <= now else "warned"
    if request.breached_at is not None or (kind == "warned" and request.warned_at is not None):
        return 0
    request.warned_at = request.warned_at or now
    if kind == "breached":
        request.breached_at = now
    name = await session.scalar(select(Agent.name).where(Agent.id == request.agent_id)) if request.agent_id else None
    data = {"queue": request.queue, "target": request.target_at.isoformat()}
    await log_event(session, request, kind, now, agent=name, data=data)
    tell_of(session, conversation, kind, request=request.number, agent=name, **data)
    return 1


def _open() -> ColumnElement[bool]:
    """Nobody has answered yet, and somebody has to."""
    return Request.answered_at.is_(None) & Request.ended_at.is_(None) & Request.state.in_(LIVE)


# ------------------------------------------------------------------------------------------------------------- the list
@dataclass(frozen=True, slots=True, kw_only=True)
class Missed:
    """A request whose target is missed, or near: who, where, how long."""

    id: int
    number: str
    conversation_id: int
    queue: str
    priority: str
    vip: bool
    topic: str | None
    state: str
    agent: str | None
    # title of whose it is, or was last; None: nobody has had it
    opened_at: datetime
    target_at: datetime
    done_at: datetime | None
    # answered, or ended without an answer

    def over(self, now: datetime) -> timedelta:
        """How long the answer was late, or is by now; negative: time that is left."""
        return (self.done_at or now) - self.target_at

    @property
    def waits(self) -> bool:
        """Whether the customer still waits for the first answer."""
        return self.done_at is None


async def missed(
    session: AsyncSession, *, since: datetime, now: datetime, queues: Collection[str] | None = None, limit: int = 200
) -> list[Missed]:
    """Targets since a moment that were missed: first those who still wait, the longest first; `queues`: of these only."""
    late = (Request.target_at >= since) & (Request.target_at < func.coalesce(_DONE_AT, now))
    waits = case((_DONE_AT.is_(None), 0), else_=1)
    return await _list(session, late, queues, (waits, Request.target_at), limit)


async def near(
    session: AsyncSession, *, now: datetime, queues: Collection[str] | None = None, limit: int = 200
) -> list[Missed]:
    """Requests of which the desk was warned and whose time is not over yet, the most urgent first."""
    warned = Request.warned_at.is_not(None) & (Request.target_at > now) & _open()
    return await _list(session, warned, queues, (Request.target_at,), limit)


async def _list(
    session: AsyncSession,
    which: ColumnElement[bool],
    queues: Collection[str] | None,
    order: Sequence[Any],
    limit: int,
) -> list[Missed]:
    whose = func.coalesce(Request.agent_id, Request.last_agent_id)
    query = select(
        Request.id, Request.number, Request.conversation_id, Request.queue, Request.priority, Request.vip, Request.topic,
        Request.state, Agent.title.label("agent"), Request.opened_at, Request.target_at,
        _DONE_AT.label("done_at"),
    ).outerjoin(Agent, Agent.id == whose).where(which).order_by(*order, Request.id).limit(limit)  # fmt: skip
    if queues is not None:
        query = query.where(Request.queue.in_(queues))
    return [Missed(**one._mapping) for one in await session.execute(query)]


@dataclass(frozen=True, slots=True)
class Kept:
    """How many first answers came in time, and how many did not."""

    kept: int = 0
    missed: int = 0

    @property
    def percent(self) -> int | None:
        """Whole percent in time, rounded down; None: none was due."""
        return 100 * self.kept // (self.kept + self.missed) if self.kept + self.missed else None


async def kept(session: AsyncSession, *, since: datetime, now: datetime) -> dict[str, Kept]:
    """First answers since a moment by queue: those given in time, and targets that passed without one."""
    in_time = func.count().filter(Request.answered_at <= Request.target_at)
    late = func.count().filter(Request.target_at < func.coalesce(_DONE_AT, now))
    found = await session.execute(
        select(Request.queue, in_time, late)
        .where(Request.target_at >= since, Request.opened_at <= now)
        .group_by(Request.queue)
    )
    return {queue: Kept(good, bad) for queue, good, bad in found}
