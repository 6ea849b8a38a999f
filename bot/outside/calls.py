"""Calls that may be repeated: the same Idempotency-Key gets the same answer, and nothing is done twice.

The answer is stored in the transaction of the change itself, so there is no moment at which one stands without the other.
Refusals are answers, too; what went wrong in Firstline itself is not kept and may be tried again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from bot import events
from bot.errors import CallDiffers, CallInHand, FirstlineError
from bot.models import ApiCall

KEPT = timedelta(days=2)
"""How long an answer is remembered."""
Body = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A call that may be repeated."""

    api_key: str
    # name of the key that it was made with
    key: str
    # the caller's Idempotency-Key
    said: str
    # method, path and body

    @property
    def digest(self) -> str:
        """Tells this call from another under the same key."""
        return hashlib.sha256(self.said.encode("utf-8", "replace")).hexdigest()

    @property
    def lock(self) -> int:
        """Number of the advisory lock that is held while the call is in hand."""
        digest = hashlib.sha256(f"{self.api_key}\n{self.key}".encode("utf-8", "replace")).digest()
        return int.from_bytes(digest[:8], signed=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a call is answered."""

    status: int
    body: Body
    again: bool = False
    # it was answered so before, and nothing was done now


async def once(
    session: AsyncSession,
    call: Call,
    work: Callable[[], Awaitable[Body]],
    refused: Callable[[FirstlineError], Body],
    *,
    now: datetime,
) -> Answer:
    """Do the work of a call and remember its answer, or give the answer that is remembered.

    refused: the body that tells of an error. Raises CallInHand while the same call is in hand elsewhere, CallDiffers when
    another call had this key, and what the work raises with a status of 500 and above.
    """
    if not await session.scalar(select(func.pg_try_advisory_xact_lock(call.lock))):
        raise CallInHand
    known = await session.get(ApiCall, (call.api_key, call.key), populate_existing=True)
    if known is not None:
        if known.digest != call.digest:
            raise CallDiffers
        return Answer(status=known.status, body=known.body, again=True)
    point = events.mark(session)
    try:
        async with session.begin_nested():
            status, body = 200, await work()
    except FirstlineError as error:
        if error.status >= 500:
            raise
        events.forget_since(session, point)
        status, body = error.status, refused(error)
    session.add(ApiCall(api_key=call.api_key, key=call.key, digest=call.digest, status=status, body=body, at=now))
    await session.flush()
    return Answer(status=status, body=body)


async def forget(session: AsyncSession, *, now: datetime) -> None:
    """Delete answers that were kept long enough."""
    await session.execute(delete(ApiCall).where(ApiCall.at < now - KEPT))
