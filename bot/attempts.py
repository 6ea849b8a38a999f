"""Attempts to sign in: limited by name and by network address, over all processes and all restarts.

Each attempt counts before the password is looked at, so that many at once are no way around. After some the answer takes
longer, after more there is none for a time. A name that nobody has is limited like any other. What was right does not count.
"""

from __future__ import annotations

import hashlib
import ipaddress
import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """How many wrong attempts there may be."""

    free: int
    # so many are answered as fast as can be; each further one a second slower than the one before
    most: int
    # so many at once …
    every: timedelta
    # … and one more after each such time


NAME = Limit(free=4, most=10, every=timedelta(minutes=2))
ADDRESS = Limit(free=30, most=60, every=timedelta(seconds=20))
"""An office has one address: everybody's mistakes of a morning have to fit in."""
SLOWEST = 6.0
"""Seconds that an answer takes at the most."""

_TAKE = text(
    """
INSERT INTO paces AS kept (key, at) VALUES (:key, CAST(:now AS timestamptz) + :every)
ON CONFLICT (key) DO UPDATE SET at = greatest(kept.at, :now) + :every WHERE kept.at <= CAST(:now AS timestamptz) + :slack
RETURNING at"""
)
_AT = text("SELECT at FROM paces WHERE key = :key")
_GIVE_BACK = text("UPDATE paces SET at = at - CAST(:every AS interval) WHERE key = :key")
_FORGET = text("DELETE FROM paces WHERE key = :key")


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether an attempt may be made now."""

    pause: float = 0.0
    # seconds that the answer has to take
    refused_for: float = 0.0
    # seconds; above 0: there is no answer until then


async def take(session: AsyncSession, name: str, address: str | None, *, now: datetime) -> Verdict:
    """Count an attempt. To be committed before the password is looked at, whatever the verdict."""
    pause = 0.0
    for key, limit in _keys(name, address):
        given = {"key": key, "now": now, "every": limit.every, "slack": limit.every * (limit.most - 1)}
        at: datetime | None = await session.scalar(_TAKE, given)
        if at is None:
            until: datetime = await session.scalar(_AT, {"key": key}) or now
            log.warning("sign_in_held_up", extra={"by": key.split(":")[1]})
            return Verdict(refused_for=max((until - limit.every * (limit.most - 1) - now).total_seconds(), 1.0))
        pause = max(pause, (at - now) / limit.every - limit.free)
    return Verdict(pause=min(max(pause, 0.0), SLOWEST))


async def right(session: AsyncSession, name: str, address: str | None) -> None:
    """The attempt was the person's own: it does not count, and those at the name before it are forgotten."""
    for key, limit in _keys(name, address)[:-1]:
        await session.execute(_GIVE_BACK, {"key": key, "every": limit.every})
    await forget(session, name)


async def forget(session: AsyncSession, name: str) -> None:
    """Let a name be tried again at once (its password is a new one)."""
    await session.execute(_FORGET, {"key": _keys(name, None)[-1][0]})


def _keys(name: str, address: str | None) -> list[tuple[str, Limit]]:
    """What is counted, always in this order: the address, if it is known, and the name."""
    digest = hashlib.sha256(name.strip().casefold().encode()).hexdigest()[:32]
    named = (f"sign_in:name:{digest}", NAME)
    return [(f"sign_in:address:{_block(address)}", ADDRESS), named] if address else [named]


def _block(address: str) -> str:
    """The address, or of an IPv6 one the block that one household has."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return hashlib.sha256(address.encode()).hexdigest()[:32]
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return str(found.ipv4_mapped)
        return str(ipaddress.ip_network((found, 64), strict=False))
    return str(found)
