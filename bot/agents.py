"""Agents: who is at the desk, for which queues, and whether on shift."""

from __future__ import annotations

import re
from collections.abc import Sequence

from sqlalchemy import func, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from bot.errors import AgentUnknown, NameInvalid
from bot.models import Agent, Request, State

_NAME = re.compile(r"[^\W_][\w.@-]{0,63}")


def check_name(name: str) -> None:
    """NameInvalid for what cannot be the name of an account or an API key: people type it, and logs hold it."""
    if not _NAME.fullmatch(name):
        raise NameInvalid


async def save(
    session: AsyncSession,
    name: str,
    *,
    title: str | None = None,
    queues: Sequence[str] = (),
    skills: Sequence[str] = (),
    role: str = "agent",
    on_shift: bool | None = None,
) -> Agent:
    """Create or change an agent. `on_shift=None` leaves the shift of a known one as it is."""
    values = {"title": title or name, "queues": list(queues), "skills": list(skills), "role": role}
    changes = values if on_shift is None else {**values, "on_shift": on_shift}
    row = insert(Agent).values(name=name, **{"on_shift": False, **changes})
    saved = await session.scalars(
        row.on_conflict_do_update(index_elements=["name"], set_=changes).returning(Agent),
        execution_options={"populate_existing": True},
    )
    return saved.one()


async def get(session: AsyncSession, name: str) -> Agent:
    """The agent of a name."""
    agent = await session.scalar(select(Agent).where(Agent.name == name))
    if agent is None:
        raise AgentUnknown
    return agent


async def lock(session: AsyncSession, name: str) -> Agent:
    """The agent of a name, locked until the end of the transaction, before any conversation is (`bot.desk.hands`)."""
    asked = select(Agent).where(Agent.name == name).with_for_update(key_share=True)
    agent = await session.scalar(asked.execution_options(populate_existing=True))
    if agent is None:
        raise AgentUnknown
    return agent


async def find(session: AsyncSession, name: str, *, lock: bool = False) -> Agent | None:
    """The agent of a name as people type it: in whatever case, unless somebody has exactly this one."""
    typed = name.strip()
    asked = select(Agent).where(or_(Agent.name == typed, func.lower(Agent.name) == typed.lower()))
    asked = asked.order_by((Agent.name == typed).desc(), Agent.id).limit(1)
    return await session.scalar(asked.with_for_update(key_share=True) if lock else asked)


async def of_telegram(session: AsyncSession, telegram_id: str) -> Agent | None:
    """The agent who is this user of Telegram."""
    return await session.scalar(select(Agent).where(Agent.telegram_id == telegram_id))


async def everyone(session: AsyncSession) -> Sequence[Agent]:
    """All agents by name."""
    return (await session.scalars(select(Agent).order_by(Agent.name))).all()


async def by_id(session: AsyncSession, agent_id: int) -> Agent:
    """The agent of a row's id."""
    agent = await session.get(Agent, agent_id)
    if agent is None:
        raise AgentUnknown
    return agent


async def in_hand(session: AsyncSession) -> dict[int, int]:
    """How many requests each agent works on (those that wait for a customer take no room), by the agent's id; who has none is
    left out."""
    counted = select(Request.agent_id, func.count()).where(
        Request.agent_id.is_not(None), Request.state == State.ASSIGNED
    )
    return {agent: number for agent, number in await session.execute(counted.group_by(Request.agent_id)) if agent}


async def skills_on_shift(session: AsyncSession) -> set[str]:
    """Skills that somebody on shift has."""
    found = await session.scalars(select(Agent.skills).where(Agent.on_shift))
    return {skill for skills in found for skill in skills}
