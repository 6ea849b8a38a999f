"""Staff: the accounts of the people at the desk. They come, change, get and lose the means to sign in.

Each function leaves its line in the audit. `by` is the name of who does it; None: somebody at the command line.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from sqlalchemy.ext.asyncio import AsyncSession

from bot import agents, attempts, audit, passwords, sign_ins
from bot.database import Sessions
from bot.errors import (
    AgentExists,
    CapacityInvalid,
    PasswordSame,
    PasswordWrong,
    QueueUnknown,
    RoleUnknown,
    SignInHeldUp,
    TelegramIdInvalid,
    TelegramIdTaken,
    TitleInvalid,
)
from bot.models import Agent

ROLES = ("agent", "trainer", "supervisor", "admin")
MOST_AT_ONCE = 100
"""Requests that may be given to one person at the same time."""
_TELEGRAM = re.compile(r"[1-9][0-9]{4,15}")
LONGEST_TITLE = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What somebody is at the desk."""

    title: str
    # what customers read
    role: str = "agent"
    queues: tuple[str, ...] = ()
    skills: tuple[str, ...] = ()
    capacity: int = 5
    telegram_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Doer:
    """Who does something to an account, when and from where."""

    now: datetime
    name: str | None = None
    address: str | None = None


async def add(session: AsyncSession, name: str, place: Place, *, doer: Doer, queues: Collection[str]) -> str:
    """Seat a new person; return the temporary password, which is kept nowhere. `queues`: those of the pack.

    Raises NameInvalid, AgentExists and what `change` raises.
    """
    name = name.strip()
    agents.check_name(name)
    password = await _Temporary.make()
    if await agents.find(session, name) is not None:
        raise AgentExists
    await _check(session, name, place, queues)
    agent = await agents.save(
        session, name, title=place.title, queues=place.queues, skills=place.skills, role=place.role
    )
    agent.capacity, agent.telegram_id = place.capacity, place.telegram_id
    await _note(session, doer, "staff_added", name, role=place.role)
    return await password.give(session, agent)


async def change(session: AsyncSession, name: str, place: Place, *, doer: Doer, queues: Collection[str]) -> None:
    """Change what a person is at the desk.

    Raises AgentUnknown, TitleInvalid, RoleUnknown, QueueUnknown, CapacityInvalid, TelegramIdInvalid, TelegramIdTaken.
    """
    agent = await agents.get(session, name)
    await _check(session, name, place, {*queues, *agent.queues})
    before = {key: getattr(agent, key) for key in ("title", "role", "queues", "skills", "capacity", "telegram_id")}
    agent.title, agent.role, agent.capacity, agent.telegram_id = (
        place.title,
        place.role,
        place.capacity,
        place.telegram_id,
    )
    agent.queues, agent.skills = list(place.queues), list(place.skills)
    changed = [key for key, value in before.items() if getattr(agent, key) != value]
    if changed:
        more = {"role": place.role} if "role" in changed else {}
        await _note(session, doer, "staff_changed", name, changed=changed, **more)


async def disable(session: AsyncSession, name: str, *, doer: Doer) -> None:
    """Let a person in no more; who is signed in is signed out. Their name and what they did stay."""
    agent = await agents.get(session, name)
    if agent.disabled_at is None:
        agent.disabled_at, agent.on_shift = doer.now, False
        await sign_ins.end_all(session, agent.id)
        await _note(session, doer, "staff_disabled", name)


async def enable(session: AsyncSession, name: str, *, doer: Doer) -> None:
    """Let a disabled person in again, with the password they had."""
    agent = await agents.get(session, name)
    if agent.disabled_at is not None:
        agent.disabled_at = None
        await _note(session, doer, "staff_enabled", name)


async def reset(session: AsyncSession, name: str, *, doer: Doer) -> str:
    """Give a person a temporary password, which is returned and kept nowhere; they are signed out everywhere."""
    password = await _Temporary.make()
    agent = await agents.get(session, name)
    await sign_ins.end_all(session, agent.id)
    await attempts.forget(session, agent.name)
    await _note(session, doer, "password_reset", name)
    return await password.give(session, agent)


async def change_password(
    sessions: Sessions, name: str, *, old: str, new: str, cookie: str, doer: Doer, slow: sign_ins.Slow = asyncio.sleep
) -> None:
    """Change one's own password: other sign-ins end, that of the cookie stays.

    Raises PasswordWrong when `old` is not the present one, SignInHeldUp after too many of these, PasswordSame,
    PasswordShort, PasswordLong, PasswordCommon, PasswordIsName. No transaction is open while passwords are looked at.
    """
    async with sessions.begin() as session:
        agent = await agents.get(session, name)
        verdict = await attempts.take(session, name, doer.address, now=doer.now)
    if verdict.refused_for:
        raise SignInHeldUp(after=verdict.refused_for)
    await slow(verdict.pause)
    fits, _ = await passwords.fits(old, agent.password)
    if fits:
        async with sessions.begin() as session:
            await attempts.right(session, name, doer.address)
        passwords.check(new, agent.name, agent.title)
        if (await passwords.fits(new, agent.password))[0]:
            raise PasswordSame
        digest = await passwords.digest(new)
    async with sessions.begin() as session:
        now = await agents.get(session, name)
        if not fits or now.password != agent.password:
            await _note(session, doer, "password_refused", name)
        else:
            now.password, now.password_temporary = digest, False
            await sign_ins.end_all(session, now.id, but=cookie)
            await _note(session, doer, "password_changed", name)
            return
    raise PasswordWrong


async def set_quiet(session: AsyncSession, name: str, *, quiet: bool, doer: Doer) -> None:
    """Whether a new request makes no sound for them."""
    (await agents.get(session, name)).quiet = quiet
    await _note(session, doer, "quiet_on" if quiet else "quiet_off", name)


async def nobody_enters(session: AsyncSession) -> Sequence[Agent] | None:
    """Those who could be given a password first, when nobody at all can sign in with one; None: somebody can.

    Who works comes first, then administrators, then the others.
    """
    people = [agent for agent in await agents.everyone(session) if agent.disabled_at is None]
    if any(agent.password for agent in people):
        return None
    return sorted(people, key=lambda agent: (not agent.on_shift or agent.role == "trainer", agent.role != "admin"))


# -------------------------------------------------------------------------------------------------------- parts of them
@dataclass(frozen=True, slots=True)
class _Temporary:
    """A temporary password and its digest, made before the store is asked for anything: that takes its time."""

    password: str
    digest: str

    @classmethod
    async def make(cls) -> Self:
        password = passwords.temporary()
        return cls(password, await passwords.digest(password))

    async def give(self, session: AsyncSession, agent: Agent) -> str:
        agent.password, agent.password_temporary = self.digest, True
        await session.flush()
        return self.password


async def _check(session: AsyncSession, name: str, place: Place, queues: Collection[str]) -> None:
    if not 0 < len(place.title.strip()) <= LONGEST_TITLE:
        raise TitleInvalid
    if place.role not in ROLES:
        raise RoleUnknown
    if unknown := [queue for queue in place.queues if queue not in queues]:
        raise QueueUnknown(f"The pack has no queue {', '.join(unknown)}.")
    if not 0 <= place.capacity <= MOST_AT_ONCE:
        raise CapacityInvalid
    if place.telegram_id is not None:
        if not _TELEGRAM.fullmatch(place.telegram_id):
            raise TelegramIdInvalid
        other = await agents.of_telegram(session, place.telegram_id)
        if other is not None and other.name != name:
            raise TelegramIdTaken


async def _note(session: AsyncSession, doer: Doer, action: str, name: str, **data: Any) -> None:
    await session.flush()
    await audit.note(
        session, at=doer.now, agent=doer.name, action=action, data={"who": name, **data}, address=doer.address
    )
