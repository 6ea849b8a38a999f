"""Drafts: what an agent has begun to write in a request. Kept until it is sent, on whatever computer they go on."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from bot.models import Draft

LONGEST = 20_000
"""Characters of a draft that are kept."""


async def find(session: AsyncSession, agent_id: int, request_id: int) -> Draft | None:
    """What an agent has begun to write in a request."""
    return await session.get(Draft, (agent_id, request_id))


async def save(
    session: AsyncSession, agent_id: int, request_id: int, text: str, *, internal: bool, now: datetime
) -> None:
    """Keep what is written so far; nothing written is no draft. internal: it is a note for colleagues."""
    if not text.strip():
        await clear(session, agent_id, request_id)
        return
    values = {"text": text[:LONGEST], "internal": internal, "at": now}
    row = insert(Draft).values(agent_id=agent_id, request_id=request_id, **values)
    await session.execute(row.on_conflict_do_update(index_elements=["agent_id", "request_id"], set_=values))


async def clear(session: AsyncSession, agent_id: int, request_id: int) -> None:
    """Forget a draft: it was sent, or given up."""
    await session.execute(delete(Draft).where(Draft.agent_id == agent_id, Draft.request_id == request_id))
