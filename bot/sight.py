"""Sight: who may see which requests, and the talk and the files that belong to them. Pages and API ask here, and nowhere else.

Supervisors and administrators see everything, and so do trainers, who only read. Agents see the requests of their queues,
those they have or ever had in hand, and those kept for them as a customer's personal manager. What somebody may not see is
to them as if it were not there.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import ColumnElement, exists, false, or_, select, true
from sqlalchemy.ext.asyncio import AsyncSession

from bot.models import Agent, File, Request, RequestEvent

EVERYTHING = ("supervisor", "admin", "trainer")
"""Roles that see all requests."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Whose eyes: what may be seen."""

    everything: bool = False
    queues: tuple[str, ...] = ()
    agent: int | None = None
    # their own requests, whichever queue they are in


def scope_of(role: str, queues: Collection[str], agent: int) -> Scope:
    """What a person of a role may see."""
    if role in EVERYTHING:
        return Scope(everything=True)
    return Scope(queues=tuple(sorted(queues)), agent=agent)


def seen_by(scope: Scope) -> ColumnElement[bool]:
    """Requests that may be seen."""
    if scope.everything:
        return true()
    mine: list[ColumnElement[bool]] = [Request.queue.in_(scope.queues)] if scope.queues else []
    if scope.agent is not None:
        name = select(Agent.name).where(Agent.id == scope.agent).scalar_subquery()
        had = exists().where(RequestEvent.request_id == Request.id, RequestEvent.agent == name)
        mine += [Request.agent_id == scope.agent, Request.last_agent_id == scope.agent, Request.manager == name, had]
    return or_(*mine) if mine else false()


async def find(session: AsyncSession, number: str, scope: Scope) -> Request | None:
    """The request of a number, as people write it; None when there is none, or it may not be seen."""
    wanted = Request.number == number.strip().upper()
    return await session.scalar(select(Request).where(wanted, seen_by(scope)).execution_options(populate_existing=True))


async def sees_file(session: AsyncSession, file_id: int, scope: Scope) -> bool:
    """Whether an attachment may be seen: it belongs to the talk of a request that may be."""
    of_it = exists().where(Request.conversation_id == File.conversation_id, seen_by(scope))
    return await session.scalar(select(File.id).where(File.id == file_id, of_it)) is not None


async def among(session: AsyncSession, requests: Collection[Request], scope: Scope) -> list[Request]:
    """Those of some requests that may be seen, in their order."""
    ids = [one.id for one in requests]
    seen = set(await session.scalars(select(Request.id).where(Request.id.in_(ids), seen_by(scope))))
    return [one for one in requests if one.id in seen]
