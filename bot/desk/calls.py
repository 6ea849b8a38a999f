"""Promised calls: number and time that the customer has confirmed, tracked until somebody has called (CX-12)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

import flows
from bot import phones
from bot.desk.ending import in_time, resolve
from bot.desk.hands import add_note, in_hand
from bot.errors import NoCall, PhoneNotConfirmed
from bot.models import Request, RequestEvent
from bot.timeline import Desk, log_event, notify

CALLBACK = "callback"
"""The pack's category of promised calls (L2-43); a pack without it: its default for cases."""


async def call_back(
    session: AsyncSession,
    desk: Desk,
    agent_name: str,
    conversation_id: int,
    phone: str,
    at: datetime,
    *,
    now: datetime,
    confirmed: bool = False,
    comment: str = "",
    request_id: int | None = None,
) -> Request:
    """Promise the customer a call (CX-12, L2-43, L2-45): it is stored with its due time, then the customer is told.

    It is a detail of the request (ruling 18), which stays with the agent; an earlier promise is replaced. `phone`: as it
    was typed; `at`: aware; `confirmed`: the customer has named or confirmed both.
    """
    agent, conversation, request = await in_hand(session, agent_name, conversation_id, request_id)
    number = phones.read(phone)
    if not confirmed:
        raise PhoneNotConfirmed
    in_time(at, now)
    data: dict[str, Any] = {"phone": phones.masked(number), "due": at.isoformat()}
    if request.call_phone is None:
        before = request.due.isoformat() if request.due else None
        data["before"] = {"category": request.category, "due": before}
    if comment.strip():
        await add_note(session, agent, request, comment, now)
    _forget(request)
    request.call_phone, request.due, request.overdue_at = number, at, None
    request.category = request.category or category_of_calls(desk.pack)
    what = f"{desk.pack.manifest.summary.get('call', '☎')} {phones.masked(number)}"
    told = [*(request.summary.get("promised") or ()), {"what": what, "due": at.isoformat()}]
    request.summary = {**request.summary, "category": request.category, "promised": told}
    await log_event(session, request, "call_promised", now, agent=agent.name, data=data)
    phrase = desk.pack.manifest.notices.call_back
    if phrase is not None:
        await notify(session, desk, conversation, phrase, request, now=now)
    return request


async def called(
    session: AsyncSession,
    desk: Desk,
    agent_name: str,
    conversation_id: int,
    *,
    now: datetime,
    comment: str = "",
    resolution: str | None = None,
    category: str | None = None,
    request_id: int | None = None,
) -> Request:
    """The promised call was made: the promise is kept, and with a resolution the request is solved, too (CX-12).

    What the request was before the promise (a case with a due time of its own), it is again.
    """
    agent, conversation, request = await in_hand(session, agent_name, conversation_id, request_id)
    if request.call_phone is None and request.category != category_of_calls(desk.pack):
        raise NoCall
    before = await _before(session, request)
    kept = request.overdue_at is None and (request.due is None or now <= request.due)
    _forget(request)
    request.category = before.get("category")
    request.due = datetime.fromisoformat(before["due"]) if before.get("due") else None
    request.call_phone, request.overdue_at = None, now if request.due and request.due <= now else None
    request.summary = {**request.summary, "category": request.category or request.summary.get("category")}
    request.answered_at = request.answered_at or now
    await log_event(session, request, "called", now, agent=agent.name, data={"in_time": kept})
    if resolution is not None:
        return await resolve(
            session, desk, agent_name, conversation.id, now=now, resolution=resolution, category=category,
            text=comment, request_id=request.id,
        )  # fmt: skip
    if comment.strip():
        await add_note(session, agent, request, comment, now)
    return request


def category_of_calls(pack: flows.Pack) -> str:
    """The pack's category of promised calls."""
    return CALLBACK if CALLBACK in pack.categories else pack.manifest.case_default


async def _before(session: AsyncSession, request: Request) -> dict[str, Any]:
    """What the request was before the call was promised: {category, due}."""
    found = await session.scalars(
        select(RequestEvent.data)
        .where(RequestEvent.request_id == request.id, RequestEvent.kind == "call_promised")
        .order_by(RequestEvent.id.desc())
    )
    return next((data["before"] for data in found if "before" in data), {})


def _forget(request: Request) -> None:
    """Take a promised call out of what the customer was told to expect."""
    if request.call_phone is not None and request.due is not None:
        due = request.due
        left = [
            one
            for one in request.summary.get("promised") or ()
            if not one.get("due") or datetime.fromisoformat(one["due"]) != due
        ]
        request.summary = {**request.summary, "promised": left}
