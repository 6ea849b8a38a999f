"""The shift: who works now. Whoever stops working keeps nothing that a customer waits for.

A shift ends when the agent says so, or by itself when all their pages have been closed for a while (setting
`away_seconds`; pages say so through `Agent.seen_at`). Who works without a browser (`seen_at` is None) is never away. One
who comes back within `BACK_WITHIN` goes on where they were: on shift, and first in line for what they had before.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import exists, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from bot import agents, conversations, queues
from bot.desk import news
from bot.desk.hands import lock_all
from bot.errors import SupervisorsOnly
from bot.models import Agent, Conversation, Planned, Request, State
from bot.requests import to_queue
from bot.timeline import Desk

BACK_WITHIN = timedelta(minutes=30)
"""A shift that ended by itself goes on when a page is opened again within so long; later it is begun by hand."""
Held = Mapping[int, int]
"""Requests that somebody works on, by id, each with its conversation."""


async def shift_on(
    session: AsyncSession, agent_name: str, *, desk: Desk | None = None, seen: datetime | None = None
) -> Agent:
    """The agent begins to work; what waits is given to them at once, where the system gives (`desk`).

    seen: now, when they say so in a browser; None: they work without one
    """
    agent = await agents.get(session, agent_name)
    agent.on_shift, agent.away_at, agent.seen_at = True, None, seen
    await session.flush()
    if desk is not None:
        await queues.wake(session, desk.pack, desk.jobs)
    return agent


async def shift_off(session: AsyncSession, desk: Desk, agent_name: str, *, now: datetime) -> list[Request]:
    """The agent stops working: what they have in hand goes back to its queue, and is returned; what waits for the customer
    stays theirs. What they have planned is done before by `planned.end_shift`."""
    agent = await agents.lock(session, agent_name)
    held = await worked_on(session, agent)
    await lock_all(session, held.values())
    return await stop(session, desk, agent, held, now=now)


async def stop(session: AsyncSession, desk: Desk, agent: Agent, held: Held, *, now: datetime) -> list[Request]:
    """Take an agent off shift and put what they worked on back; they and the conversations are locked."""
    agent.on_shift, agent.away_at = False, None
    await session.flush()
    return await _give_back(session, desk, agent, held, "shift_over", now=now)


async def take_back(session: AsyncSession, desk: Desk, agent_name: str, *, by: str, now: datetime) -> list[Request]:
    """A supervisor puts what an agent works on back into the queues: others get it, the agent is told at the desk.

    `by`: the supervisor's name.
    """
    leader = await agents.get(session, by)
    if not leader.leads:
        raise SupervisorsOnly
    agent = await agents.get(session, agent_name)
    held = await worked_on(session, agent)
    await lock_all(session, held.values())
    back = await _give_back(session, desk, agent, held, "taken_back", now=now, data={"by": by})
    for request in back:
        await news.tell(session, agent.id, request, "take_back", taken_back(leader.title, request.number), now=now)
    return back


def taken_back(title: str, number: str) -> str:
    """What the agent reads whose request was put back."""
    return f"{title}: обращение {number} вернулось в очередь"


async def worked_on(session: AsyncSession, agent: Agent) -> Held:
    """What an agent works on; what waits for its customer is not of it. Nothing is locked."""
    assigned = select(Request.id, Request.conversation_id).where(
        Request.agent_id == agent.id, Request.state == State.ASSIGNED
    )
    return {row.id: row.conversation_id for row in await session.execute(assigned.order_by(Request.id))}


async def _give_back(
    session: AsyncSession,
    desk: Desk,
    agent: Agent,
    held: Held,
    kind: str,
    *,
    now: datetime,
    data: dict[str, Any] | None = None,
) -> list[Request]:
    """Put what an agent works on back into its queues, as an event of a kind; return what it was. Its conversations are locked.

    Their customers hear that another specialist will answer. What gets into the agent's hands meanwhile is left to the sweep.
    """
    back = []
    for request_id, conversation_id in held.items():
        conversation = await session.get(Conversation, conversation_id)
        request = await _back(session, desk, conversation, request_id, agent, kind, now, data)
        back += [request] if request is not None else []
    return back


async def _back(
    session: AsyncSession,
    desk: Desk,
    conversation: Conversation | None,
    request_id: int,
    agent: Agent,
    kind: str,
    now: datetime,
    data: dict[str, Any] | None = None,
) -> Request | None:
    """Put one request back, if it is still the agent's and its conversation could be locked."""
    request = await session.get(Request, request_id, populate_existing=True)
    if conversation is None or request is None or request.agent_id != agent.id or request.state != State.ASSIGNED:
        return None
    await to_queue(session, desk, conversation, request, kind, now=now, agent=agent.name, data=data)
    return request


async def works_without_browser(session: AsyncSession, agent_name: str) -> None:
    """The agent has done something elsewhere (a Telegram desk, an outside system): closed pages do not mean away."""
    await session.execute(
        update(Agent).where(Agent.name == agent_name, Agent.seen_at.is_not(None)).values(seen_at=None)
    )


# ------------------------------------------------------------------------------------------------------- by itself
async def see_who_is_there(session: AsyncSession, desk: Desk, now: datetime) -> int:
    """End the shift of who is away, let who came back go on; return how much has changed. For the sweep.

    Who has just decided something is there until it is done.
    """
    decided = exists().where(Planned.agent_id == Agent.id, Planned.state == "planned")
    gone = Agent.on_shift & (Agent.seen_at <= now - desk.away) & ~decided
    back = Agent.away_at.is_not(None) & (Agent.seen_at >= Agent.away_at)
    found = await session.scalars(
        select(Agent).where(or_(gone, back)).order_by(Agent.id).with_for_update(key_share=True, skip_locked=True)
        .execution_options(populate_existing=True)
    )  # fmt: skip
    done = 0
    for agent in found.all():
        if agent.on_shift:
            agent.on_shift, agent.away_at = False, now
        else:
            assert agent.away_at is not None
            agent.on_shift = now - agent.away_at <= BACK_WITHIN and agent.disabled_at is None
            agent.away_at = None
        done += 1
    await session.flush()
    return done + await _nobodys(session, desk, now)


async def _nobodys(session: AsyncSession, desk: Desk, now: datetime) -> int:
    """Put what is in the hands of somebody who does not work back into its queue.

    A request may get there although `shift_off` gave all back: it was taken at the same moment.
    """
    found = await session.execute(
        select(Request.id, Request.conversation_id, Agent)
        .join(Agent, Agent.id == Request.agent_id)
        .where(Request.state == State.ASSIGNED, ~Agent.on_shift | Agent.disabled_at.is_not(None))
        .order_by(Request.id)
    )
    done = 0
    for request_id, conversation_id, agent in found.all():
        kind = "away" if agent.away_at is not None else "shift_over"
        conversation = await conversations.lock(session, conversation_id, skip=True)
        done += await _back(session, desk, conversation, request_id, agent, kind, now) is not None
    return done
