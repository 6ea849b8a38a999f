"""Pace: how fast messages go out, shared by all processes that send, by PostgreSQL's clock.

For each messenger and each chat one row says when its next message would go out if all kept exactly to the pace (GCRA: the
"theoretical arrival time"); a burst may be ahead of it by some. A messenger that asks to wait moves the row on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

SHORT = 0.9
"""Seconds of waiting up to which a turn to send is reserved; who would have to wait longer comes again."""
KEPT = timedelta(hours=1)
"""How long rows stay after their time is over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a messenger allows."""

    seconds: float
    # between two messages of all chats together
    burst: int = 4
    # so many may go out at once after a pause
    chat_seconds: float = 0.0
    # between two messages of one chat; 0: no limit
    chat_burst: int = 3


Paces = Mapping[str, Limits]
"""By the name of the channel; a channel without limits is not held back."""

# Both rows are taken or none. What has to wait for a short time only has its place already: it sends without asking again.
_TAKE = text(
    """
WITH clock AS (SELECT clock_timestamp() AS now),
limits (key, every, slack) AS (
    SELECT key, make_interval(secs => every), make_interval(secs => slack)
    FROM unnest(CAST(:keys AS text[]), CAST(:every AS float8[]), CAST(:slack AS float8[])) AS given (key, every, slack)
),
held AS (SELECT key, at FROM paces WHERE key = ANY (CAST(:keys AS text[])) ORDER BY key FOR UPDATE),
asked AS (
    SELECT limits.key, greatest(held.at, clock.now) + limits.every AS at,
        greatest(extract(epoch FROM held.at - limits.slack - clock.now), 0) AS wait
    FROM limits CROSS JOIN clock LEFT JOIN held USING (key)
),
longest AS (SELECT max(wait) AS wait FROM asked),
taken AS (
    INSERT INTO paces (key, at) SELECT key, at FROM asked WHERE (SELECT wait FROM longest) <= :short ORDER BY key
    ON CONFLICT (key) DO UPDATE SET at = greatest(paces.at, excluded.at)
)
SELECT CAST(wait AS float8) FROM longest
"""
)
_HOLD = text(
    """
INSERT INTO paces (key, at) VALUES (:key, clock_timestamp() + make_interval(secs => :seconds))
ON CONFLICT (key) DO UPDATE SET at = greatest(paces.at, excluded.at)
"""
)
_OTHERS_HELD = text(
    """
SELECT count(*) FROM paces
WHERE key LIKE :chats AND key <> :key AND at > clock_timestamp() + make_interval(secs => :usual)
"""
)


async def take(session: AsyncSession, limits: Limits, channel: str, chat: str, *, short: float = SHORT) -> float:
    """Take a turn to send; return the seconds to wait for it. Above `short` it is not taken: ask again after them.

    The rows are locked until the transaction ends: nothing slow may follow in it.
    """
    every, slack = [limits.seconds], [limits.seconds * (limits.burst - 1)]
    keys = [channel]
    if limits.chat_seconds:
        keys.append(_chat(channel, chat))
        every.append(limits.chat_seconds)
        slack.append(limits.chat_seconds * (limits.chat_burst - 1))
    given = {"keys": keys, "every": [*map(float, every)], "slack": [*map(float, slack)], "short": short}
    wait: float = (await session.execute(_TAKE, given)).scalar_one()
    return wait


async def hold_chat(session: AsyncSession, limits: Limits, channel: str, chat: str, seconds: float) -> None:
    """Nothing goes to a chat for so long: the messenger asks for it. Where it asks for a second chat, too, it means all."""
    key = _chat(channel, chat)
    ahead = limits.chat_seconds * (limits.chat_burst - 1)
    await session.execute(_HOLD, {"key": key, "seconds": seconds + ahead})
    usual = ahead + limits.chat_seconds + 1
    others = await session.scalar(_OTHERS_HELD, {"chats": _chat(channel, "%"), "key": key, "usual": usual})
    if others:
        await hold_channel(session, limits, channel, seconds)


async def hold_channel(session: AsyncSession, limits: Limits, channel: str, seconds: float) -> None:
    """Nothing goes out on a channel for so long: the messenger asks for it."""
    await session.execute(_HOLD, {"key": channel, "seconds": seconds + limits.seconds * (limits.burst - 1)})


async def forget(session: AsyncSession) -> None:
    """Delete the rows whose time has been over for long."""
    await session.execute(text("DELETE FROM paces WHERE at < now() - CAST(:kept AS interval)"), {"kept": KEPT})


def _chat(channel: str, chat: str) -> str:
    return f"{channel}:{chat}"
