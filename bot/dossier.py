"""A request as whoever opens it sees it: where it stands, the talk and its events in one stream, what hangs on it. Read only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from heapq import merge

from sqlalchemy import func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from bot import files
from bot.models import Agent, Audit, Conversation, Message, Planned, Request, RequestEvent, Sender

LINES = 100
"""Lines of the talk that are shown at a time."""
EARLIER = 8
"""Earlier requests of a customer that are shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dossier:
    """A request, and what stands around it."""

    request: Request
    conversation: Conversation
    agent: Agent | None
    # who has it
    planned: Planned | None
    # what is done with it in a few seconds unless it is undone
    waiting: Waiting | None
    # None: the customer waits for nobody


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """Since when the customer waits for words of a person."""

    since: datetime
    held: bool
    # they were asked for patience at that moment


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line of the talk."""

    at: datetime
    # never before the line before it
    message: Message
    files: Sequence[files.Attached]


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened to the request."""

    at: datetime
    event: RequestEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """A piece of the talk with the request's events in between, in order."""

    items: Sequence[Line | Event]
    first: int | None
    # id of the first line
    older: bool
    # there are lines before it


async def of(session: AsyncSession, request: Request) -> Dossier:
    """What stands around a request now."""
    planned = await session.scalar(
        select(Planned)
        .where(Planned.request_id == request.id, Planned.state == "planned")
        .order_by(Planned.id.desc())
        .limit(1)
    )
    return Dossier(
        request=request,
        conversation=await session.get_one(Conversation, request.conversation_id),
        agent=await session.get(Agent, request.agent_id) if request.agent_id else None,
        planned=planned,
        waiting=await _waiting(session, request),
    )


async def _waiting(session: AsyncSession, request: Request) -> Waiting | None:
    """Since when the customer waits: since they were asked for patience, or since the first line that nobody answered."""
    talk = Message.conversation_id == request.conversation_id
    last = await session.scalar(
        select(Message).where(talk, Message.sender == Sender.AGENT).order_by(Message.id.desc()).limit(1)
    )
    asked = select(func.min(Message.at)).where(talk, Message.sender == Sender.CUSTOMER)
    since = await session.scalar(asked.where(Message.id > last.id) if last else asked)
    if last is not None:
        held = await session.scalar(
            select(RequestEvent.id)
            .where(
                RequestEvent.request_id == request.id,
                RequestEvent.kind == "held",
                RequestEvent.data["message"].as_integer() == last.id,
            )
            .limit(1)
        )
        if held is not None:
            return Waiting(since=last.at, held=True)
    if since is None:
        return None
    return Waiting(since=since if last else max(since, request.opened_at), held=False)


# ------------------------------------------------------------------------------------------------------ the stream
async def stream(
    session: AsyncSession, request: Request, *, since: int | None = None, before: int | None = None, limit: int = LINES
) -> Stream:
    """The newest lines with the events between them.

    since: all from this line on, however many; before: the newest ones before this line
    """
    talk = Message.conversation_id == request.conversation_id
    if since is not None:
        found = await session.scalars(select(Message).where(talk, Message.id >= since).order_by(Message.id))
        lines = list(found)
    else:
        wanted = talk if before is None else talk & (Message.id < before)
        found = await session.scalars(select(Message).where(wanted).order_by(Message.id.desc()).limit(limit))
        lines = list(found)[::-1]
    first = lines[0].id if lines else None
    older = bool(
        first is not None and await session.scalar(select(Message.id).where(talk, Message.id < first).limit(1))
    )
    hanging = await files.of_messages(session, [line.id for line in lines if line.attachments])
    said: list[Line | Event] = []
    for line in lines:
        at = max(line.at, said[-1].at) if said else line.at
        said.append(Line(at=at, message=line, files=hanging.get(line.id, ())))
    after = said[0].at if said and older else None
    until = await session.scalar(select(Message.at).where(Message.id == before)) if before is not None else None
    happened: list[Line | Event] = await _events(session, request, after, until)
    return Stream(items=list(merge(happened, said, key=lambda one: one.at)), first=first, older=older)


async def _events(
    session: AsyncSession, request: Request, after: datetime | None, until: datetime | None
) -> list[Line | Event]:
    wanted = RequestEvent.request_id == request.id
    if after is not None:
        wanted &= RequestEvent.at >= after
    if until is not None:
        wanted &= RequestEvent.at < until
    found = await session.scalars(select(RequestEvent).where(wanted).order_by(RequestEvent.id))
    return [Event(at=one.at, event=one) for one in sorted(found, key=lambda one: (one.at, one.id))]


async def titles(session: AsyncSession, items: Sequence[Line | Event]) -> Mapping[str, str]:
    """How the agents are called who occur in events, by name."""
    names = {name for one in items if isinstance(one, Event) for name in (one.event.agent, one.event.data.get("to"))}
    found = await session.execute(
        select(Agent.name, Agent.title).where(Agent.name.in_([name for name in names if isinstance(name, str)]))
    )
    return {row.name: row.title for row in found}


async def earlier(session: AsyncSession, request: Request, *, limit: int = EARLIER) -> Sequence[Request]:
    """Other requests of the customer, the newest first."""
    theirs = Request.conversation_id == request.conversation_id
    if request.customer_id is not None:
        theirs = or_(theirs, Request.customer_id == request.customer_id)
    found = await session.scalars(
        select(Request).where(theirs, Request.id != request.id).order_by(Request.id.desc()).limit(limit)
    )
    return found.all()


# ------------------------------------------------------------------------------------------------------- once only
async def sent_before(session: AsyncSession, request: Request, form: str) -> bool:
    """Whether what a form says was done already: `form` is its mark in the audit. Ask with the conversation locked."""
    found = await session.scalar(
        select(Audit.id).where(Audit.request_id == request.id, Audit.data["form"].as_string() == form).limit(1)
    )
    return found is not None
