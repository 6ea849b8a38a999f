"""The audit: what people at the desk did, and what was refused to them. Rows are only ever added.

    await audit.note(session, at=now, agent=seat.name, action="take", request_id=request.id, address=seat.address)

A row is written in the transaction of the action itself, so that neither stands without the other. It says what was done
with which request, never the customer's words, name or number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from bot.models import Audit, Request

LONGEST = 200
"""Characters of one value: enough for names of queues and people, too few for a talk."""
WORDS = frozenset({"text", "comment", "note", "phone", "email", "password", "token"})
"""Keys under which customers' words, numbers and secrets usually stand: they are refused."""
PAGE = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which rows a supervisor looks for; None: any."""

    agent: str | None = None
    action: str | None = None
    number: str | None = None
    # of a request: T-1001
    since: datetime | None = None
    until: datetime | None = None
    # not including it


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A row of the audit as it is shown."""

    id: int
    at: datetime
    agent: str | None
    action: str
    number: str | None
    # of the request
    data: Mapping[str, Any]
    address: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Some rows, the newest first. `older`: what to give as `before` for the next page; None: these are the last."""

    entries: Sequence[Entry]
    older: int | None


async def note(
    session: AsyncSession,
    *,
    at: datetime,
    agent: str | None,
    action: str,
    request_id: int | None = None,
    data: Mapping[str, Any] | None = None,
    address: str | None = None,
) -> None:
    """Write what somebody did. `agent`: a name, None when nobody was signed in; `data`: names, numbers, never words.

    Raises ValueError when `data` has a key that customers' words or secrets usually have, or a value too long for a name.
    """
    given = dict(data or {})
    if wrong := WORDS & given.keys():
        raise ValueError(f"not for the audit: {', '.join(sorted(wrong))}")
    if wrong_values := sorted(key for key, value in given.items() if len(str(value)) > LONGEST):
        raise ValueError(f"too long for the audit: {', '.join(wrong_values)}")
    session.add(Audit(at=at, agent=agent, action=action, request_id=request_id, data=given, address=address))
    await session.flush()


async def page(session: AsyncSession, wanted: Wanted, *, before: int | None = None, size: int = PAGE) -> Page:
    """The newest rows of those that are wanted, or those older than the row `before`."""
    asked = select(Audit, Request.number).outerjoin(Request, Request.id == Audit.request_id)
    if wanted.agent is not None:
        asked = asked.where(Audit.agent == wanted.agent)
    if wanted.action is not None:
        asked = asked.where(Audit.action == wanted.action)
    if wanted.number is not None:
        asked = asked.where(Request.number == wanted.number)
    if wanted.since is not None:
        asked = asked.where(Audit.at >= wanted.since)
    if wanted.until is not None:
        asked = asked.where(Audit.at < wanted.until)
    if before is not None:
        asked = asked.where(Audit.id < before)
    rows = (await session.execute(asked.order_by(Audit.id.desc()).limit(size + 1))).all()
    entries = [
        Entry(
            id=row.id, at=row.at, agent=row.agent, action=row.action, number=number, data=row.data, address=row.address
        )
        for row, number in rows[:size]
    ]
    return Page(entries=entries, older=entries[-1].id if len(rows) > size else None)


async def actions(session: AsyncSession) -> Sequence[str]:
    """The actions that stand in the audit, by name."""
    return (await session.scalars(select(Audit.action).distinct().order_by(Audit.action))).all()
