"""Giving: in queues of the kind `least_loaded` the system gives waiting requests to agents, nobody has to take them.

Who gets one: on shift, serving the queue, with the skills it wants (while somebody on shift has them), with fewer in hand
than their capacity. First a VIP's manager while the claim lasts (VIP-01), then who had it before (CX-08), then who has the
least in hand relative to capacity, then who has been idle longest. Nobody is given again what they gave away. In hand is
what an agent works on now; what waits for its customer is theirs and counts for nothing until the customer answers, so it
may come back over the capacity. Requests of a closed queue wait until it opens; taking by hand is possible at any time.

One job gives for all processes, one request in a transaction. It is added in the transaction that lets a request wait or
frees an agent (`queues.wake`), so what waits is given as soon as that is stored. What was passed over because somebody
was at it right then is found by the sweep.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

import flows
from bot import conversations, queues
from bot.clock import Clock
from bot.crew import Member, members
from bot.database import Sessions
from bot.desk.taking import assign
from bot.models import Agent, Request, RequestEvent, State
from bot.timeline import Desk

GIVE_LOCK = 7_264_005
LOOKED_AT = 1000
"""So many waiting requests are looked at in one go."""
GAVE_AWAY = ("declined", "transferred", "taken_back")
"""Events after which an agent is not given the request again."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A request that waits to be given."""

    id: int
    conversation_id: int
    queue: str
    topic: str | None
    marks: list[str]
    manager: str | None
    claim_until: datetime | None
    last_agent_id: int | None


async def give(session: AsyncSession, desk: Desk, *, now: datetime) -> Request | None:
    """Give the next request that can be given to whoever is the one for it; None when there is none.

    One giver at a time, so that the order holds: another one waits here until this transaction has ended.
    """
    await session.execute(select(func.pg_advisory_xact_lock(GIVE_LOCK)))
    there = await members(session, on_shift=True)
    if not any(one.free for one in there):
        return None
    waiting = await _waiting(session, desk.pack, now)
    away = await _gave_away(session, [one.id for one in waiting])
    for one in waiting:
        claimed = one.claim_until is not None and one.claim_until > now
        fit = _fit(desk.pack, one, there, claimed=claimed, but=away.get(one.id, ()))
        for person in fit:
            if (request := await _hand_over(session, desk, one, person, now)) is not None:
                return request
    return None


async def give_all(sessions: Sessions, desk: Desk, clock: Clock) -> int:
    """Give what can be given, one request in a transaction; return how many. The work of the job `give`."""
    given = 0
    while not desk.jobs.stopping:
        async with sessions.begin() as session:
            if await give(session, desk, now=clock.now()) is None:
                break
        given += 1
    return given


async def _waiting(session: AsyncSession, pack: flows.Pack, now: datetime) -> list[Waiting]:
    """What waits in open queues that are given out, in the order of the queues."""
    found = await session.execute(
        select(
            Request.id, Request.conversation_id, Request.queue, Request.topic, Request.marks, Request.manager,
            Request.claim_until, Request.last_agent_id,
        )
        .where(Request.state == State.QUEUED, Request.queue.in_(queues.given_out(pack)))
        .order_by(*queues.ORDER)
        .limit(LOOKED_AT)
    )  # fmt: skip
    rows = [Waiting(*one) for one in found]
    works = {key: flows.is_open(pack, *key) for key in {(one.queue, now, one.topic) for one in rows}}
    return [one for one in rows if works[one.queue, now, one.topic]]


async def _gave_away(session: AsyncSession, request_ids: Collection[int]) -> dict[int, set[str]]:
    """Who gave a request away, by its id."""
    if not request_ids:
        return {}
    found = await session.execute(
        select(RequestEvent.request_id, RequestEvent.agent).where(
            RequestEvent.request_id.in_(request_ids), RequestEvent.kind.in_(GAVE_AWAY), RequestEvent.agent.is_not(None)
        )
    )
    names: dict[int, set[str]] = {}
    for request_id, name in found:
        names.setdefault(request_id, set()).add(str(name))
    return names


def _fit(
    pack: flows.Pack, request: Waiting, there: Iterable[Member], *, claimed: bool, but: Collection[str]
) -> list[Member]:
    """Who may be given a request, the right one first."""
    if claimed:
        return [one for one in there if one.name == request.manager and one.free]
    there = list(there)
    wanted = queues.skills_wanted(pack, request.topic, request.marks) & frozenset[str]().union(
        *(one.skills for one in there)
    )
    fit = [
        one for one in there
        if one.free and request.queue in one.queues and one.name not in but and wanted <= one.skills
    ]  # fmt: skip
    return sorted(fit, key=lambda one: (one.id != request.last_agent_id, one.rank))


async def _hand_over(
    session: AsyncSession, desk: Desk, waiting: Waiting, person: Member, now: datetime
) -> Request | None:
    """Give a request to somebody if both are still to be had; nobody and nothing is waited for.

    The agent's row is locked while it is counted what they have, so that their shift does not end meanwhile.
    """
    conversation = await conversations.lock(session, waiting.conversation_id, skip=True)
    if conversation is None:
        return None
    request = await session.get(Request, waiting.id, with_for_update=True, populate_existing=True)
    if request is None or request.state != State.QUEUED or request.queue != waiting.queue:
        return None
    agent = await session.scalar(
        select(Agent)
        .where(Agent.id == person.id, Agent.on_shift, Agent.disabled_at.is_(None))
        .with_for_update(key_share=True, skip_locked=True)
        .execution_options(populate_existing=True)
    )
    if agent is None:
        return None
    in_hand = await session.scalar(
        select(func.count()).where(Request.agent_id == agent.id, Request.state == State.ASSIGNED)
    )
    if (in_hand or 0) >= agent.capacity:
        return None
    await assign(session, desk, conversation, request, agent, now=now, given=True)
    return request
