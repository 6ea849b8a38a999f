"""API keys: what an outside system signs in with. Each works in the name of an agent, with this agent's rights.

The key is shown once, when it is made; kept is its digest. A key has 256 random bits, so a plain digest is enough: nobody
guesses it, and nobody can go back from the digest.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from bot import agents, sight
from bot.errors import KeyExists, KeyRefused, KeyUnknown, RoleRefused
from bot.models import WORKING, Agent, ApiKey

PREFIX = "flk_"
NOTED_EVERY = timedelta(minutes=1)
"""How exactly it is known when a key was used last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """An outside system whose key was accepted, and the agent in whose name it works."""

    key: str
    # the key's name
    agent_id: int
    agent: str
    role: str
    queues: tuple[str, ...]
    phones: bool
    # it is told telephone numbers in full

    @property
    def scope(self) -> sight.Scope:
        """Which requests it sees: those of its agent, as at the desk."""
        return sight.scope_of(self.role, self.queues, self.agent_id)

    def check_works(self) -> None:
        """RoleRefused when it may only read."""
        if self.role not in WORKING:
            raise RoleRefused


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A key as people are shown it."""

    name: str
    agent: str
    phones: bool
    at: datetime
    used_at: datetime | None
    disabled_at: datetime | None


async def add(session: AsyncSession, name: str, agent_name: str, *, phones: bool = False, now: datetime) -> str:
    """Make a key and return it: nobody can read it again. Raises AgentUnknown, NameInvalid and KeyExists."""
    agents.check_name(name)
    agent = await agents.get(session, agent_name)
    key = PREFIX + secrets.token_urlsafe(32)
    row = insert(ApiKey).values(name=name, digest=_digest(key), agent_id=agent.id, phones=phones, at=now)
    made = await session.scalar(row.on_conflict_do_nothing(index_elements=["name"]).returning(ApiKey.name))
    if made is None:
        raise KeyExists
    return key


async def caller_of(session: AsyncSession, key: str | None, *, now: datetime) -> Caller:
    """Who calls with a key. KeyRefused when it is none, or it or its agent is disabled."""
    if not key:
        raise KeyRefused
    asked = select(ApiKey, Agent).join(Agent, Agent.id == ApiKey.agent_id).where(ApiKey.digest == _digest(key))
    found = (await session.execute(asked)).one_or_none()
    if found is None or found[0].disabled_at is not None or found[1].disabled_at is not None:
        raise KeyRefused
    known, agent = found
    if known.used_at is None or known.used_at < now - NOTED_EVERY:
        await session.execute(update(ApiKey).where(ApiKey.name == known.name).values(used_at=now))
    return Caller(
        key=known.name, agent_id=agent.id, agent=agent.name, role=agent.role, queues=tuple(agent.queues),
        phones=known.phones and agent.works,  # trainers read all transcripts, and no number in full
    )  # fmt: skip


async def everyone(session: AsyncSession) -> Sequence[Known]:
    """All keys by name, disabled ones too."""
    asked = select(ApiKey, Agent.name).join(Agent, Agent.id == ApiKey.agent_id).order_by(ApiKey.name)
    return [
        Known(
            name=key.name, agent=agent, phones=key.phones, at=key.at, used_at=key.used_at, disabled_at=key.disabled_at
        )
        for key, agent in (await session.execute(asked)).all()
    ]


async def disable(session: AsyncSession, name: str, *, now: datetime) -> None:
    """Let a key open nothing any more, from this moment. KeyUnknown; disabling a disabled one changes nothing."""
    key = await session.get(ApiKey, name)
    if key is None:
        raise KeyUnknown
    key.disabled_at = key.disabled_at or now
    await session.flush()


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()
