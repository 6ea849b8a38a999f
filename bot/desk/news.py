"""What an agent is told at the desk beside their requests: an action that was refused when its time came, a request that
a colleague passed to them or took over. It stays until they have seen it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from bot.models import Planned, Request

TOLD, REFUSED = "told", "refused"


async def tell(
    session: AsyncSession, agent_id: int, request: Request, action: str, sentence: str, *, now: datetime
) -> None:
    """Tell an agent what has become of a request without them. `sentence`: in Russian, as they read it."""
    session.add(
        Planned(
            request_id=request.id, agent_id=agent_id, action=action, args={}, at=now, due=now, state=TOLD, why=sentence
        )
    )  # fmt: skip
    await session.flush()


async def unseen(session: AsyncSession, agent_id: int, *, limit: int = 20) -> Sequence[tuple[Planned, Request]]:
    """What an agent has not been shown yet, oldest first, each with its request."""
    found = await session.execute(
        select(Planned, Request)
        .join(Request, Request.id == Planned.request_id)
        .where(Planned.agent_id == agent_id, Planned.state.in_((TOLD, REFUSED)), ~Planned.seen)
        .order_by(Planned.id)
        .limit(limit)
    )
    return [(planned, request) for planned, request in found.all()]


async def mark_read(session: AsyncSession, agent_id: int, request_id: int) -> None:
    """The agent has opened the request: what they were told of it they see there. What was refused they have to close."""
    await session.execute(
        update(Planned)
        .where(Planned.request_id == request_id, Planned.agent_id == agent_id, Planned.state == TOLD, ~Planned.seen)
        .values(seen=True)
    )


async def mark_seen(session: AsyncSession, agent_id: int, news_id: int) -> None:
    """The agent has seen it."""
    await session.execute(update(Planned).where(Planned.id == news_id, Planned.agent_id == agent_id).values(seen=True))
