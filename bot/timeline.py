"""What each change of a request leaves behind: a line in its timeline, words to the customer, an event for listeners."""

from __future__ import annotations

import logging
import zlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

import flows
from bot import conversations, queues
from bot.events import tell
from bot.jobs import Jobs
from bot.models import Agent, Conversation, Message, Request, RequestEvent, Sender, State

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What work with requests needs besides the session."""

    pack: flows.Pack
    jobs: Jobs
    reopen: timedelta = timedelta(hours=24)
    # a reply within this time reopens a solved request (CX-07)
    claim: timedelta = timedelta(seconds=60)
    # first claim of a VIP's personal manager (ruling 28)
    away: timedelta = timedelta(seconds=120)
    # an agent on shift whose pages are all closed for so long does not work any more


async def log_event(
    session: AsyncSession,
    request: Request,
    kind: str,
    at: datetime,
    *,
    agent: str | None = None,
    data: dict[str, Any] | None = None,
) -> None:
    """Write to the request's timeline."""
    session.add(RequestEvent(request_id=request.id, at=at, kind=kind, agent=agent, data=data or {}))
    await session.flush()


async def describe(session: AsyncSession, request: Request, *, now: datetime) -> flows.OpenRequest:
    """A request as packs see it: its state, and while it waits its place and expected wait."""
    place = wait = None
    if request.state == State.QUEUED:
        place = await queues.place(session, request)
        wait = await queues.wait_minutes(session, request.queue, place, now=now)
    agent = await session.get(Agent, request.agent_id) if request.agent_id else None
    into, elsewhere = await _into(session, request)
    return flows.OpenRequest(
        number=request.number, state=request.state, queue=request.queue, place=place, wait_minutes=wait,
        due=request.due.isoformat() if request.due else None, is_case=request.is_case, agent=agent.title if agent else None,
        call=request.call_phone[-4:] if request.call_phone else None, into=into, elsewhere=elsewhere,
        mark=request.mark,
    )  # fmt: skip


async def _into(session: AsyncSession, request: Request) -> tuple[str | None, str | None]:
    """The number of the request in which one goes on, and the channel of that when it is another chat."""
    into = await session.get(Request, request.joined_into) if request.joined_into else None
    if into is None:
        return None, None
    if into.conversation_id == request.conversation_id:
        return into.number, None
    return into.number, await session.scalar(
        select(Conversation.channel).where(Conversation.id == into.conversation_id)
    )


async def notify(
    session: AsyncSession,
    desk: Desk,
    conversation: Conversation,
    phrase: str,
    request: Request | None,
    *,
    now: datetime,
    queue: str = "",
    also: str | None = None,
) -> None:
    """Tell the customer a state in the pack's words. Words that cannot be rendered never stop the state itself.

    Without a request (it could not be stored) the phrase sees only its queue. What was said last is said otherwise now
    where the phrase has another variant (CX-06). `also`: a second phrase, said in the same message.
    """
    seen = flows.OpenRequest(number="", state="", queue=queue)
    if request is not None:
        seen = await describe(session, request, now=now)
    await tell_customer(
        session, desk, conversation, phrase, seen, now=now, request_id=request.id if request else None, also=also
    )  # fmt: skip


async def tell_customer(
    session: AsyncSession,
    desk: Desk,
    conversation: Conversation,
    phrase: str,
    seen: flows.OpenRequest,
    *,
    now: datetime,
    request_id: int | None = None,
    sender: Sender = Sender.SYSTEM,
    agent: str | None = None,
    also: str | None = None,
) -> Message | None:
    """Say one of the pack's notices about a request as it is seen; None when its words cannot be rendered.

    `also`: a second one, said in the same message.
    """
    turn = flows.Turn(
        now=now, seed=seed(conversation), channel=conversation.channel, chat=conversation.chat, name=conversation.name,
        state=conversations.remembered(conversation), request=seen,
    )  # fmt: skip
    try:
        last = await conversations.last_said(session, conversation.id)
        said = flows.notice(desk.pack, phrase, seen, turn, but=last.text if last else None)
        if also is not None:
            said = _together(said, flows.notice(desk.pack, also, seen, turn))
    except Exception:  # a fault of content must not lose a request
        log.exception("notice_failed", extra={"phrase": phrase, "conversation": conversation.id})
        return None
    return await conversations.say(
        session, desk.jobs, conversation.id, sender, said, now=now, request_id=request_id, agent=agent
    )  # fmt: skip


def _together(first: flows.Say, second: flows.Say) -> flows.Say:
    return flows.Say(
        text=f"{first.text}\n\n{second.text}", buttons=(*first.buttons, *second.buttons),
        rules=tuple(dict.fromkeys((*first.rules, *second.rules))), phrases=(*first.phrases, *second.phrases),
    )  # fmt: skip


def tell_of(session: AsyncSession, conversation: Conversation, event: str, **fields: Any) -> None:
    """Tell listeners something of a conversation, once it is stored."""
    tell(session, event, channel=conversation.channel, chat=conversation.chat, **fields)


def show(session: AsyncSession, conversation: Conversation, agent: str, line: Message, **more: Any) -> None:
    """Show an agent a line of the customer."""
    shown = conversations.shown(line, conversation.name)
    fields = {key: shown[key] for key in ("text", "at", "attachment", "attachments") if key in shown}
    tell_of(session, conversation, "inbox", agent=agent, **fields, **more)


async def show_request(session: AsyncSession, conversation: Conversation, request: Request, agent: Agent) -> None:
    """Show an agent a request in full: summary, comment, and the whole transcript (CX-08). Only then may they reply."""
    request.read_by = agent.id
    written = Message.press.is_(None) & ~Message.stale_press  # the title of a button is nothing that they wrote
    last = await session.scalar(
        select(Message)
        .where(Message.conversation_id == conversation.id, Message.sender == Sender.CUSTOMER)
        .order_by(written.desc(), Message.id.desc())
        .limit(1)
    )
    line = last or Message(sender=Sender.CUSTOMER, at=request.opened_at, text="", attachments=[])
    show(
        session, conversation, agent.name, line, request=request.number, queue=request.queue, priority=request.priority,
        summary=request.summary, comment=request.comment,
        transcript=await conversations.transcript(session, conversation.id),
    )  # fmt: skip


def seed(conversation: Conversation) -> int:
    """What chooses among the variants of phrases: differs from chat to chat, the same at each run."""
    return zlib.crc32(f"{conversation.channel}:{conversation.chat}".encode())
