"""The outbox of events: what an outside system is told of requests, stored in the transaction of the change itself.

It hangs on the session, where each line of a timeline and each line of a transcript is written, whoever writes it: what is
stored is told, what is rolled back is not. Telephone numbers are masked; in full they are had over the API only.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, event, insert, inspect, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session
from sqlalchemy.orm.unitofwork import UOWTransaction

from bot import jobs
from bot.database import Sessions
from bot.jobs import Jobs
from bot.masking import mask, masked
from bot.models import Agent, Conversation, Delivery, Hook, Message, Request, RequestEvent, Sender

UNTOLD = frozenset({"replied", "noted", "appended", "claim_over", "mark_asked"})
"""Kinds of timeline lines that tell nothing new: the lines of the talk are told themselves, notes stay among colleagues."""
NAMES = {
    "opened": "opened", "assigned": "assigned", "transferred": "transferred", "waiting_customer": "waiting_customer",
    "solved": "solved", "reopened": "reopened", "closed": "closed", "cancelled": "cancelled", "marked": "marked",
    "overdue": "overdue", "breached": "breached", "resumed": "resumed", "wait_over": "resumed", "stepped_in": "transferred",
    "declined": "returned", "taken_back": "returned", "shift_over": "returned", "away": "returned",
    "joined_into": "closed", "spam": "closed", "not_spam": "reopened",
}  # fmt: skip
"""What an outside system calls the lines of a timeline; one that is not named here is a `changed`."""
TOLD = (
    "queue", "place", "to", "until", "resolution", "category", "reason", "comment", "mark", "helped", "due", "priority",
    "into", "request", "in_time",
)  # fmt: skip
"""Of what stands in a timeline's line."""
UNDELIVERED = (Delivery.FAILED, Delivery.UNKNOWN)
SENT_KEPT, LONGEST_KEPT = timedelta(days=7), timedelta(days=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class _News:
    """Something of a request that is to be told."""

    request_id: int
    event: str
    # opened, message …
    at: datetime
    data: Mapping[str, Any]


def keep(sessions: Sessions, now: Callable[[], datetime]) -> Callable[[], None]:
    """Store from now on what happens in a factory's sessions for the outside system, too. Returns what ends it."""
    target = sessions.kw["sync_session_class"]

    def after_flush(session: Session, _: UOWTransaction) -> None:
        if news := list(_news(session)):
            _store(session, news, now())

    event.listen(target, "after_flush", after_flush)
    return lambda: event.remove(target, "after_flush", after_flush)


# ------------------------------------------------------------------------------------------------------- what is new
def _news(session: Session) -> Iterator[_News]:
    """What a flush has written, in the order in which it was written."""
    written = [one for one in session.new if isinstance(one, RequestEvent | Message)]
    touched = [one for one in session.dirty if isinstance(one, Message)]
    for one in (*sorted(touched, key=lambda line: line.id), *written):
        match one:
            case RequestEvent():
                if one.kind not in UNTOLD:
                    yield _happened(one)
            case Message():
                yield from _said(one)


def _happened(line: RequestEvent) -> _News:
    data: dict[str, Any] = {key: line.data[key] for key in TOLD if line.data.get(key) is not None}
    name = NAMES.get(line.kind, "changed")
    if name == "resumed" and line.agent is None:  # who had it does not work now: it is in its queue again
        name = "returned"
    change = {"kind": line.kind, "by": line.agent, **data}
    return _News(request_id=line.request_id, event=name, at=line.at, data={"change": masked(change)})


def _said(line: Message) -> Iterator[_News]:
    """A line that belongs to a request from now on, or one of an agent that did not reach the customer."""
    if line.request_id is None or line.sender == Sender.NOTE:
        return
    told = {
        "id": line.id, "from": line.sender, "at": line.at.isoformat(), "agent": line.agent,
        "text": mask(line.text or line.contact or ""), "edited": bool(line.edited),
        "attachments": [{"kind": one.get("kind"), "name": one.get("name")} for one in line.attachments or ()],
    }  # fmt: skip
    state = inspect(line)
    if state.attrs.request_id.history.added and not any(state.attrs.request_id.history.deleted or ()):
        yield _News(request_id=line.request_id, event="message", at=line.at, data={"message": told})
    elif line.sender == Sender.AGENT and state.attrs.delivery.history.added and line.delivery in UNDELIVERED:
        failed = {**told, "delivery": line.delivery}
        yield _News(request_id=line.request_id, event="message_undelivered", at=line.at, data={"message": failed})


# ------------------------------------------------------------------------------------------------------------ storing
def _store(session: Session, news: Iterable[_News], now: datetime) -> None:
    """Write news and the jobs that send them, in the session's transaction."""
    news = list(news)
    connection = session.connection()
    wanted = (
        Request.id, Request.conversation_id, Request.number, Request.state, Request.queue, Request.priority, Request.topic,
        Request.category, Request.due, Request.opened_at, Request.task, Conversation.channel, Agent.name.label("agent"),
    )  # fmt: skip
    query = (
        select(*wanted)
        .join(Conversation, Conversation.id == Request.conversation_id)
        .outerjoin(Agent, Agent.id == Request.agent_id)
        .where(Request.id.in_({one.request_id for one in news}))
    )
    of = {row.id: row for row in connection.execute(query)}
    connection.execute(insert(Hook), [_row(one, of[one.request_id], now) for one in news])
    for conversation_id in sorted({of[one.request_id].conversation_id for one in news}):
        connection.execute(*jobs.adding(jobs.HOOKS, conversation_id))


def _row(news: _News, request: Any, now: datetime) -> dict[str, Any]:
    about = {
        "number": request.number, "state": request.state, "queue": request.queue, "priority": request.priority,
        "topic": request.topic, "category": request.category, "due": request.due.isoformat() if request.due else None,
        "channel": request.channel, "agent": request.agent, "task": request.task, "opened_at": request.opened_at.isoformat(),
    }  # fmt: skip
    name = f"request.{news.event}"
    body = {"type": name, "timestamp": news.at.isoformat(), "data": {"request": about, **news.data}}
    return {
        "key": f"evt_{secrets.token_hex(16)}", "event": name, "request_id": news.request_id, "body": body, "at": now,
        "attempts": 0,
    }  # fmt: skip


def body_of(hook: Hook) -> bytes:
    """What is sent, byte by byte the same at each attempt."""
    return json.dumps(hook.body, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()


# ------------------------------------------------------------------------------------------------------------- upkeep
def unsent() -> Any:
    """The condition of an event that is still to be sent."""
    return Hook.sent_at.is_(None) & Hook.given_up_at.is_(None)


async def recover(session: AsyncSession, work: Jobs, *, now: datetime, after: timedelta = timedelta(seconds=6)) -> int:
    """Add jobs for events that have waited for a while: a job may have been lost, the rows are not. How many were added."""
    left = (
        select(Request.conversation_id)
        .join(Hook, Hook.request_id == Request.id)
        .where(unsent(), Hook.retry_at.is_(None) & (Hook.at < now - after) | (Hook.retry_at < now - after))
    )
    found = (await session.scalars(left.distinct().order_by(Request.conversation_id))).all()
    return sum([await work.add(session, jobs.HOOKS, one) for one in await work.missing(session, jobs.HOOKS, found)])


async def forget(session: AsyncSession, *, now: datetime) -> None:
    """Delete what was sent a week ago, and all that is older than a month."""
    old = (Hook.sent_at < now - SENT_KEPT) | (Hook.at < now - LONGEST_KEPT)
    await session.execute(delete(Hook).where(old))
