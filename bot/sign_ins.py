"""Sign-ins: who has come in at the desk, with which cookie, until when.

The cookie's value is random and kept nowhere; the store has its digest. A sign-in ends after some hours without a page,
after a week in any case, and at once when its person signs out, is disabled or gets another password.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from bot import agents, attempts, audit, passwords
from bot.database import Sessions
from bot.errors import SignInHeldUp, SignInRefused
from bot.models import Agent, SignIn

LONGEST = timedelta(days=7)
TOUCHED_EVERY = timedelta(minutes=1)
"""That somebody is there is written down at most so often."""
Slow = Callable[[float], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Came:
    """Somebody who has just signed in. `cookie` is for their browser and for nothing else."""

    cookie: str
    agent: Agent


async def enter(
    sessions: Sessions,
    *,
    name: str,
    password: str,
    address: str | None,
    now: datetime,
    idle: timedelta,
    slow: Slow = asyncio.sleep,
) -> Came:
    """Sign in by name and password.

    Raises SignInRefused, the same for a wrong name, a wrong password and somebody disabled, after the same time; and
    SignInHeldUp after too many attempts. No transaction is open while the password is looked at.
    """
    async with sessions.begin() as session:
        verdict = await attempts.take(session, name, address, now=now)
        known = await agents.find(session, name)
    if verdict.refused_for:
        raise SignInHeldUp(after=verdict.refused_for)
    await slow(verdict.pause)
    fits, newer = await passwords.fits(password, known.password if known is not None else None)
    async with sessions.begin() as session:
        # looked at again: it may have been disabled or got another password meanwhile
        agent = await agents.find(session, name, lock=True)
        same = known is not None and agent is not None and agent.password == known.password
        if fits and same and agent is not None and agent.disabled_at is None:
            if newer is not None:
                agent.password = newer
            await attempts.right(session, name, address)
            return await begin(session, agent, address=address, now=now, idle=idle, by="password")
        # a name that nobody has is not written down: people type their password there
        who = agent.name if agent is not None else None
        await audit.note(session, at=now, agent=who, action="sign_in_refused", address=address)
    raise SignInRefused


async def begin(
    session: AsyncSession, agent: Agent, *, address: str | None, now: datetime, idle: timedelta, by: str
) -> Came:
    """Let somebody in who has shown who they are. `by`: password or oidc."""
    await session.execute(delete(SignIn).where(SignIn.ends_at <= now))
    cookie = secrets.token_urlsafe(32)
    session.add(
        SignIn(
            digest=_digest(cookie), agent_id=agent.id, form_token=secrets.token_urlsafe(32), at=now, seen_at=now,
            ends_at=_end(now, now, idle),
        )
    )  # fmt: skip
    await audit.note(session, at=now, agent=agent.name, action="signed_in", data={"by": by}, address=address)
    return Came(cookie=cookie, agent=agent)


async def find(
    session: AsyncSession, cookie: str, *, now: datetime, idle: timedelta, asks: bool = True
) -> tuple[SignIn, Agent] | None:
    """Whose cookie it is. `asks`: they ask for a page just now, which moves the end of the sign-in on."""
    found = (
        await session.execute(
            select(SignIn, Agent)
            .join(Agent, Agent.id == SignIn.agent_id)
            .where(SignIn.digest == _digest(cookie), SignIn.ends_at > now, Agent.disabled_at.is_(None))
        )
    ).one_or_none()
    if found is None:
        return None
    sign_in, agent = found
    if asks and now - sign_in.seen_at >= TOUCHED_EVERY:
        moved = update(SignIn).where(SignIn.digest == sign_in.digest)
        await session.execute(moved.values(seen_at=now, ends_at=_end(sign_in.at, now, idle)))
    return sign_in, agent


async def end(session: AsyncSession, cookie: str) -> None:
    """End one sign-in."""
    await session.execute(delete(SignIn).where(SignIn.digest == _digest(cookie)))


async def leave(session: AsyncSession, cookie: str, *, agent: str, address: str | None, now: datetime) -> None:
    """Sign out, as a person does."""
    await end(session, cookie)
    await audit.note(session, at=now, agent=agent, action="signed_out", address=address)


async def leave_elsewhere(
    session: AsyncSession, cookie: str, *, agent: Agent, address: str | None, now: datetime
) -> int:
    """End all of a person's sign-ins but this one, as they wish; return how many there were."""
    ended = await end_all(session, agent.id, but=cookie)
    await audit.note(
        session, at=now, agent=agent.name, action="signed_out_elsewhere", data={"browsers": ended}, address=address
    )
    return ended


async def count(session: AsyncSession, agent_id: int, *, now: datetime) -> int:
    """In how many browsers a person is signed in."""
    theirs = select(func.count()).select_from(SignIn).where(SignIn.agent_id == agent_id, SignIn.ends_at > now)
    return await session.scalar(theirs) or 0


async def end_all(session: AsyncSession, agent_id: int, *, but: str | None = None) -> int:
    """End all sign-ins of a person, but the one of a cookie; return how many there were."""
    theirs = delete(SignIn).where(SignIn.agent_id == agent_id).returning(SignIn.digest)
    if but is not None:
        theirs = theirs.where(SignIn.digest != _digest(but))
    return len((await session.scalars(theirs)).all())


def _end(begun: datetime, now: datetime, idle: timedelta) -> datetime:
    return min(now + idle, begun + LONGEST)


def _digest(cookie: str) -> str:
    return hashlib.sha256(cookie.encode()).hexdigest()
