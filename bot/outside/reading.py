"""What an outside system reads: requests with their transcript, as far as its agent may see them.

Telephone numbers are masked as at the desk, unless the key is told them in full.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from bot import files
from bot.errors import RequestUnknown
from bot.files import Attached
from bot.masking import mask, masked
from bot.models import Agent, Conversation, File, Message, Request, RequestEvent, Sender
from bot.outside.keys import Caller
from bot.sight import seen_by


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which requests are asked for; what is empty does not matter."""

    states: Sequence[str] = ()
    queues: Sequence[str] = ()
    priorities: Sequence[str] = ()
    channel: str | None = None
    agent: str | None = None
    # name of the agent who has it in hand
    customer: str | None = None
    # the CRM's id
    changed_since: datetime | None = None
    # something stands in its timeline since then
    before: int | None = None
    # older than the request with this id


@dataclass(frozen=True, slots=True)
class Found:
    """A request with what belongs to it in other tables."""

    request: Request
    conversation: Conversation
    agent: str | None
    # name of who has it in hand


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line of the transcript."""

    id: int
    at: datetime
    sender: str
    name: str | None
    # the agent's name as the customer reads it
    text: str
    edited: bool
    delivery: str | None
    attachments: tuple[Attached | dict[str, Any], ...]
    # what has bytes, and as {kind, name} what has none


def _asked(caller: Caller) -> Select[Request, Conversation, str]:
    holder = aliased(Agent)
    return (
        select(Request, Conversation, holder.name)
        .join(Conversation, Conversation.id == Request.conversation_id)
        .outerjoin(holder, holder.id == Request.agent_id)
        .where(seen_by(caller.scope))
        .execution_options(populate_existing=True)
    )


async def listed(session: AsyncSession, caller: Caller, wanted: Wanted, *, limit: int) -> list[Found]:
    """Requests, the newest first."""
    asked = _asked(caller)
    if wanted.states:
        asked = asked.where(Request.state.in_(wanted.states))
    if wanted.queues:
        asked = asked.where(Request.queue.in_(wanted.queues))
    if wanted.priorities:
        asked = asked.where(Request.priority.in_(wanted.priorities))
    if wanted.channel is not None:
        asked = asked.where(Conversation.channel == wanted.channel)
    if wanted.agent is not None:
        asked = asked.where(Request.agent_id.in_(select(Agent.id).where(Agent.name == wanted.agent)))
    if wanted.customer is not None:
        asked = asked.where(Request.customer_id == wanted.customer)
    if wanted.changed_since is not None:
        changed = select(RequestEvent.request_id).where(RequestEvent.at >= wanted.changed_since)
        asked = asked.where(Request.id.in_(changed))
    if wanted.before is not None:
        asked = asked.where(Request.id < wanted.before)
    rows = await session.execute(asked.order_by(Request.id.desc()).limit(limit))
    return [Found(request, conversation, agent) for request, conversation, agent in rows.all()]


async def one(session: AsyncSession, caller: Caller, number: str) -> Found:
    """A request by its number. RequestUnknown when there is none, or the caller's agent may not see it."""
    row = (await session.execute(_asked(caller).where(Request.number == number))).one_or_none()
    if row is None:
        raise RequestUnknown
    return Found(row[0], row[1], row[2])


async def lines(
    session: AsyncSession, conversation_id: int, *, limit: int, before: int | None = None
) -> tuple[list[Line], int | None]:
    """The newest lines of a conversation's transcript in order, and what to give as `before` for older ones."""
    asked = select(Message).where(Message.conversation_id == conversation_id)
    if before is not None:
        asked = asked.where(Message.id < before)
    newest = list(await session.scalars(asked.order_by(Message.id.desc()).limit(limit + 1)))
    shown = newest[:limit][::-1]
    hanging = await files.of_messages(session, [line.id for line in shown])
    made = [
        Line(
            id=line.id, at=line.at, sender=line.sender, edited=line.edited, delivery=line.delivery,
            name=line.agent if line.sender in (Sender.AGENT, Sender.NOTE) else None,
            text=line.text or line.contact or "", attachments=tuple(_attached(line, hanging.get(line.id, []))),
        )
        for line in shown
    ]  # fmt: skip
    return made, shown[0].id if len(newest) > limit else None


def _attached(line: Message, hanging: list[Attached]) -> Iterator[Attached | dict[str, Any]]:
    """What hangs on a line, in its order."""
    rest = list(hanging)
    for one in line.attachments:
        same = [file for file in rest if (file.kind, file.name) == (one.get("kind"), one.get("name"))]
        if same:
            rest.remove(same[0])
            yield same[0]
        else:
            yield one
    yield from rest


async def line(session: AsyncSession, message_id: int) -> Line:
    """A line that was said just now."""
    said = await session.get_one(Message, message_id)
    return (await lines(session, said.conversation_id, limit=1, before=said.id + 1))[0][0]


async def file_of(session: AsyncSession, found: Found, file_id: int) -> bool:
    """Whether an attachment hangs on the conversation of a request."""
    owner = await session.scalar(select(File.conversation_id).where(File.id == file_id))
    return owner == found.conversation.id


def discreet(line: Line) -> Line:
    """A line with its telephone numbers masked."""
    return replace(line, text=mask(line.text))


def discreet_data(data: Mapping[str, Any]) -> dict[str, Any]:
    """A summary with its telephone numbers masked."""
    return dict(masked(data))
