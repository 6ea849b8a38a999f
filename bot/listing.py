"""Lists of requests: what waits, what is one's own, what is live, what is over, and what a search finds.

Each list is one query, and shows only what the person may see (`bot.sight`). Waiting ones stand in the order of
`bot.queues`. Search is in `bot.searching`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, func, or_, select, true
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased
from sqlalchemy.sql.selectable import Subquery

from bot import queues
from bot.models import IN_HAND, LIVE, Agent, Conversation, Message, Request, Sender, State
from bot.sight import Scope, seen_by

PAGE = 50
"""Rows that are shown first, and again at each «more»."""
MOST = 1000
"""Rows that a page shows at the most."""
OVER = (State.SOLVED, State.CANCELLED, State.CLOSED)


class Tab(StrEnum):
    """The lists of the queue page."""

    WAITING = "waiting"
    MINE = "mine"
    LIVE = "live"
    OVER = "over"
    LATE = "late"
    # answered after its time, or not yet


class Target(StrEnum):
    """How a request stands to the time by which a person has to have answered, or a case has to be done."""

    NEAR = "near"
    LATE = "late"


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """What a list is narrowed to; empty: not narrowed."""

    queue: str = ""
    channel: str = ""
    priority: str = ""
    topic: str = ""
    mood: str = ""
    vip: bool = False
    target: Target | None = None

    @property
    def any(self) -> bool:
        """Whether anything is narrowed."""
        return self != NOTHING


NOTHING = Filters()


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A request as a list shows it. Telephone numbers are masked as in its summary."""

    id: int
    number: str
    conversation_id: int
    state: str
    queue: str
    priority: str
    topic: str | None
    task: bool
    category: str | None
    due: datetime | None
    vip: bool
    marks: tuple[str, ...]
    orders: tuple[str, ...]
    wants: str | None
    mood: str | None
    channel: str
    name: str | None
    # what the messenger calls the customer
    customer: str | None
    # who they are by the CRM
    opened_at: datetime
    taken_at: datetime | None
    target_at: datetime | None
    answered_at: datetime | None
    warned_at: datetime | None
    breached_at: datetime | None
    overdue_at: datetime | None
    manager: str | None
    # agent with the first claim, by title …
    claim_until: datetime | None
    # … until then
    wait_until: datetime | None
    ended: datetime | None
    # solved, cancelled or closed
    resolution: str | None
    mark: int | None
    # 1 to 5, by the customer
    agent_id: int | None
    agent: str | None
    # title of who has it or had it last
    last_from: str | None = None
    # customer or agent: who of the two spoke last …
    last_at: datetime | None = None
    # … when …
    last_text: str | None = None
    # … and what, if it was the customer
    said: str | None = None
    # the line that a search found

    @property
    def unanswered(self) -> bool:
        """Whether the customer has spoken last and an agent has the request."""
        return self.state == State.ASSIGNED and (self.last_from == Sender.CUSTOMER or self.answered_at is None)

    @property
    def target(self) -> Target | None:
        """Whether its time for the first reply (or a case's) is near or over."""
        if self.breached_at is not None or self.overdue_at is not None:
            return Target.LATE
        return Target.NEAR if self.warned_at is not None else None


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a list."""

    rows: tuple[Row, ...] = ()
    more: bool = False
    # there are further ones


# ------------------------------------------------------------------------------------------------------------ parts
def _narrowed(filters: Filters) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    for wanted, column in (
        (filters.queue, Request.queue), (filters.channel, Conversation.channel), (filters.priority, Request.priority),
        (filters.topic, Request.topic), (filters.mood, Request.summary["mood"].astext),
    ):  # fmt: skip
        if wanted:
            conditions.append(column == wanted)
    if filters.vip:
        conditions.append(Request.vip.expression)
    late = or_(Request.breached_at.is_not(None), Request.overdue_at.is_not(None))
    if filters.target is Target.LATE:
        conditions.append(late)
    if filters.target is Target.NEAR:
        conditions.append(and_(Request.warned_at.is_not(None), ~late))
    return conditions


_HAS, _MANAGER = aliased(Agent), aliased(Agent)
_ENDED = func.coalesce(Request.ended_at, Request.solved_at, Request.opened_at)
_COLUMNS: tuple[ColumnElement[Any], ...] = (
    Request.id.expression, Request.number.expression, Request.conversation_id.expression, Request.state.expression,
    Request.queue.expression, Request.priority.expression, Request.topic.expression, Request.task.expression,
    Request.category.expression, Request.due.expression, Request.vip.expression, Request.marks.expression,
    Request.orders.expression, Request.summary["wants"].astext.label("wants"), Request.summary["mood"].astext.label("mood"),
    Conversation.channel.expression, Conversation.name.expression,
    Request.summary[("customer", "name")].astext.label("customer"),
    Request.opened_at.expression, Request.taken_at.expression, Request.target_at.expression,
    Request.answered_at.expression, Request.warned_at.expression, Request.breached_at.expression,
    Request.overdue_at.expression, _MANAGER.title.label("manager"), Request.claim_until.expression,
    Request.wait_until.expression, _ENDED.label("ended"), Request.resolution.expression, Request.mark.expression,
    Request.agent_id.expression, _HAS.title.label("agent"),
)  # fmt: skip


Order = Sequence[ColumnElement[Any]]


def choose(order: Order, limit: int, *conditions: ColumnElement[bool], filters: Filters = NOTHING) -> Subquery:
    """{id, place} of the requests that a list shows: of these alone is read what the rows need."""
    place = func.row_number().over(order_by=order).label("place")
    chosen = select(Request.id, place).where(*conditions, *_narrowed(filters))
    if filters.channel:
        chosen = chosen.join(Conversation, Conversation.id == Request.conversation_id)
    return chosen.order_by(*order).limit(limit + 1).subquery("chosen")


def rows_of(chosen: Subquery) -> Select[Any]:
    """The rows of chosen requests, with their places."""
    return (
        select(*_COLUMNS, chosen.c.place)
        .select_from(chosen)
        .join(Request, Request.id == chosen.c.id)
        .join(Conversation, Conversation.id == Request.conversation_id)
        .outerjoin(_HAS, _HAS.id == func.coalesce(Request.agent_id, Request.last_agent_id))
        .outerjoin(_MANAGER, _MANAGER.name == Request.manager)
    )


def _with_last(rows: Subquery) -> Select[Any]:
    """The rows with who spoke last in their conversations, customer or agent."""
    last = (
        select(
            Message.sender.label("last_from"), Message.at.label("last_at"),
            case((Message.sender == Sender.CUSTOMER, Message.text)).label("last_text"),
        )
        .where(
            Message.conversation_id == rows.c.conversation_id, Message.sender.in_((Sender.CUSTOMER, Sender.AGENT)),
            ~Message.stale_press,
        )
        .order_by(Message.id.desc())
        .limit(1)
        .lateral("last")
    )  # fmt: skip
    return select(rows, last.c.last_from, last.c.last_at, last.c.last_text).select_from(rows.outerjoin(last, true()))


def _row(found: Any) -> Row:
    values = dict(found._mapping)
    values.pop("place", None)
    return Row(**{**values, "marks": tuple(values["marks"]), "orders": tuple(values["orders"])})


async def page_of(session: AsyncSession, query: Select[Any], limit: int) -> Page:
    """The rows of a query for one more than are wanted."""
    rows = [_row(one) for one in await session.execute(query)]
    return Page(tuple(rows[:limit]), len(rows) > limit)


async def _list(session: AsyncSession, chosen: Subquery, limit: int) -> Page:
    return await page_of(session, rows_of(chosen).order_by(chosen.c.place), limit)


# ------------------------------------------------------------------------------------------------------------ lists
async def waiting(session: AsyncSession, scope: Scope, filters: Filters = NOTHING, *, limit: int = PAGE) -> Page:
    """What waits in the queues, the next one first."""
    queued = Request.state == State.QUEUED
    return await _list(session, choose(queues.ORDER, limit, queued, seen_by(scope), filters=filters), limit)


async def mine(session: AsyncSession, agent_id: int, filters: Filters = NOTHING, *, limit: int = MOST) -> Page:
    """What an agent has: where the customer waits for their answer first, the longest wait before; then what waits for
    the customer."""
    in_hand = Request.agent_id == agent_id, Request.state.in_(IN_HAND)
    rows = rows_of(choose((Request.id.expression,), limit, *in_hand, filters=filters)).subquery("rows")
    last = _with_last(rows)
    asked = last.selected_columns.last_from
    unanswered = case(
        (rows.c.state != State.ASSIGNED, 2), (or_(asked == Sender.CUSTOMER, rows.c.answered_at.is_(None)), 0), else_=1
    )
    return await page_of(session, last.order_by(unanswered, last.selected_columns.last_at, rows.c.id), limit)


async def live(session: AsyncSession, scope: Scope, filters: Filters = NOTHING, *, limit: int = PAGE) -> Page:
    """All that people have work with: what waits first, in the queues' order, then what is in hand."""
    first = case({State.QUEUED: 0, State.ASSIGNED: 1}, value=Request.state, else_=2)
    chosen = choose((first, *queues.ORDER), limit, Request.state.in_(LIVE), seen_by(scope), filters=filters)
    rows = rows_of(chosen).subquery("rows")
    return await page_of(session, _with_last(rows).order_by(rows.c.place), limit)


async def over(session: AsyncSession, scope: Scope, filters: Filters = NOTHING, *, limit: int = PAGE) -> Page:
    """What was solved, cancelled or closed, the latest first."""
    order = (_ENDED.desc(), Request.id.desc())
    return await _list(session, choose(order, limit, Request.state.in_(OVER), seen_by(scope), filters=filters), limit)


async def reserved(session: AsyncSession, agent: str, *, now: datetime) -> tuple[Row, ...]:
    """What waits for an agent as its customer's personal manager, whichever queue it is in (VIP-01, ruling 28)."""
    claimed = Request.state == State.QUEUED, Request.manager == agent, Request.claim_until > now
    return (await _list(session, choose(queues.ORDER, PAGE, *claimed), PAGE)).rows


async def pressing(session: AsyncSession, scope: Scope, *, limit: int = 12) -> Page:
    """Live requests without a person's answer whose time for it is near or over, the most pressing first."""
    warned = or_(Request.warned_at.is_not(None), Request.breached_at.is_not(None))
    unanswered = Request.answered_at.is_(None), Request.ended_at.is_(None), Request.state.in_(LIVE)
    order = (Request.target_at.expression, Request.id.expression)
    return await _list(session, choose(order, limit, warned, *unanswered, seen_by(scope)), limit)


async def late(session: AsyncSession, scope: Scope, filters: Filters = NOTHING, *, limit: int = PAGE) -> Page:
    """What a person answered after its time, or has not answered yet: those still without an answer first, then the
    latest."""
    unanswered = and_(Request.answered_at.is_(None), Request.state.in_(LIVE))
    order = (case((unanswered, 0), else_=1), Request.breached_at.desc(), Request.id.expression)
    missed = Request.breached_at.is_not(None)
    return await _list(session, choose(order, limit, missed, seen_by(scope), filters=filters), limit)


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How many live requests there are, by queue."""

    waiting: dict[str, int] = field(default_factory=dict)
    live: dict[str, int] = field(default_factory=dict)
    # waiting ones included


async def counts(session: AsyncSession, scope: Scope) -> Counts:
    """How many wait and how many are live in each queue."""
    queued = func.count().filter(Request.state == State.QUEUED)
    found = await session.execute(
        select(Request.queue, queued, func.count())
        .where(Request.state.in_(LIVE), seen_by(scope))
        .group_by(Request.queue)
    )
    rows = found.all()
    return Counts(waiting={one[0]: one[1] for one in rows if one[1]}, live={one[0]: one[2] for one in rows})


@dataclass(frozen=True, slots=True)
class Waiting:
    """That something waits, and no more."""

    id: int
    number: str
    queue: str
    topic: str | None


async def waiting_ids(session: AsyncSession, scope: Scope) -> list[Waiting]:
    """All that waits, in short."""
    query = select(Request.id, Request.number, Request.queue, Request.topic)
    found = await session.execute(query.where(Request.state == State.QUEUED, seen_by(scope)))
    return [Waiting(*one) for one in found]
