"""The crew: who works at the desk now, what each has in hand, and how that compares with what they can carry."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from bot.models import IN_HAND, Agent, Request, RequestEvent, State


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A person at the desk."""

    id: int
    name: str
    title: str
    role: str
    queues: frozenset[str]
    skills: frozenset[str]
    on_shift: bool
    capacity: int
    seen_at: datetime | None
    # the last sign of life of a page; None: works without a browser
    away_at: datetime | None
    # their shift was ended for them then
    in_hand: int
    # requests that they work on …
    waiting: int
    # … and those that wait for their customers
    last_deed: datetime | None
    # in any request; None: none yet

    @property
    def free(self) -> bool:
        """Whether the system may give them one more."""
        return self.in_hand < self.capacity

    @property
    def rank(self) -> tuple[float, float, str]:
        """Who gets the next one: the least in hand relative to capacity, then the longest idle. The smallest does."""
        return self.in_hand / max(self.capacity, 1), self.last_deed.timestamp() if self.last_deed else 0.0, self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A request in somebody's hands."""

    agent_id: int
    number: str
    state: str
    queue: str
    vip: bool
    asked_at: datetime | None
    # since when its question stands


async def members(session: AsyncSession, *, on_shift: bool = False) -> list[Member]:
    """Everybody with an account that is not disabled, or only those on shift; by title."""
    last = select(func.max(RequestEvent.at)).where(RequestEvent.agent == Agent.name)
    query = select(
        Agent, _count(State.ASSIGNED).scalar_subquery().label("in_hand"),
        _count(State.WAITING_CUSTOMER).scalar_subquery().label("waiting"), last.scalar_subquery().label("last"),
    ).where(Agent.disabled_at.is_(None)).order_by(Agent.title, Agent.id).execution_options(populate_existing=True)  # fmt: skip
    if on_shift:
        query = query.where(Agent.on_shift)
    return [
        Member(
            id=one.id, name=one.name, title=one.title, role=one.role, queues=frozenset(one.queues),
            skills=frozenset(one.skills), on_shift=one.on_shift, capacity=one.capacity, seen_at=one.seen_at,
            away_at=one.away_at, in_hand=in_hand, waiting=waiting, last_deed=at,
        )
        for one, in_hand, waiting, at in await session.execute(query)
    ]  # fmt: skip


def _count(state: State) -> Select[int]:
    return select(func.count()).where(Request.agent_id == Agent.id, Request.state == state)


async def in_hand(session: AsyncSession) -> dict[int, list[Held]]:
    """What everybody has in hand, by the agent's id: what is worked on before what waits for its customer, oldest first."""
    found = await session.execute(
        select(Request.agent_id, Request.number, Request.state, Request.queue, Request.vip, Request.asked_at)
        .where(Request.state.in_(IN_HAND), Request.agent_id.is_not(None))
        .order_by(Request.state, Request.opened_at, Request.id)
    )
    held: dict[int, list[Held]] = {}
    for row in found:
        one = Held(**row._mapping)
        held.setdefault(one.agent_id, []).append(one)
    return held
