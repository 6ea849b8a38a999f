"""Requests: the customer's matter with people, from the handoff to the end of the time for coming back.

Here is what the customer and the bot do with a request; what agents do is in `bot.desk`, what time does in `bot.sweep`. Each function changes
a request, writes its timeline, tells the customer in the pack's words and adds the delivery job, all in the session's
transaction. Whoever changes a request holds the lock of its conversation.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

import flows
from bot import escalation, files, marks, queues, targets
from bot.errors import AlreadyJoined, RequestGone
from bot.masking import mask, masked
from bot.models import IN_HAND, LIVE, REQUEST_NUMBERS, Agent, Conversation, Message, Owner, Request, State
from bot.timeline import Desk as Desk
from bot.timeline import log_event, notify, show, tell_of

WANTS_LENGTH = 1200

Lines = Sequence[Message]
"""What the customer wrote in one go."""


# --------------------------------------------------------------------------------------------------------- opening
async def open_request(
    session: AsyncSession,
    desk: Desk,
    conversation: Conversation,
    handoff: flows.Handoff,
    *,
    now: datetime,
    task: bool = False,
    card: Mapping[str, Any] | None = None,
    asked_at: datetime | None = None,
) -> Request:
    """Store a handoff (or a task beside the talk) in its queue. Says nothing to the customer: see `announce`.

    `card`: the customer's card as far as it is known, identified or not: VIPs go ahead, their manager first (VIP-01).
    `asked_at`: when the customer raised the question that is passed on (ESC-05).
    """
    number = f"T-{await session.scalar(REQUEST_NUMBERS)}"
    customer = handoff.summary.get("customer") or {}
    flags = {*(customer.get("flags") or ()), *((card or {}).get("flags") or ())}
    vip, manager = desk.pack.manifest.settings.get("vip_flag", "vip") in flags, (card or {}).get("manager")
    request = Request(
        number=number, conversation_id=conversation.id, task=task, category=handoff.category,
        due=handoff.due if handoff.category else None, queue=handoff.queue, priority=handoff.priority,
        state=State.QUEUED, topic=handoff.topic, customer_id=customer.get("id"), orders=list(handoff.orders),
        marks=list(handoff.marks), rules=list(handoff.rules), comment=mask(handoff.comment),
        summary={**masked(handoff.summary), "request": number}, vip=vip, opened_at=now, queued_place=0,
    )  # fmt: skip
    request.manager = str(manager) if vip and manager and not task else None
    await _claim(session, desk, request, now)
    targets.begin(desk.pack, request, now)
    session.add(request)
    await session.flush()
    await files.gather(session, request)
    request.queued_place = await queues.place(session, request)
    data: dict[str, Any] = {"queue": request.queue, "place": request.queued_place}
    if not task:
        form = escalation.passing(desk.pack, request.queue, request.comment, category=handoff.topic)
        form.check()
        if form.escalation:
            data |= escalation.record(request, form)
        escalation.start(request, asked_at or now)
        data |= escalation.stop(desk.pack, request, now)
    await log_event(session, request, "opened", now, data=data)
    tell_opened(session, conversation, request)
    if not task:
        tell_of(session, conversation, "state", request=number, state=State.QUEUED)
    await queues.wake(session, desk.pack, desk.jobs)
    return request


def tell_opened(session: AsyncSession, conversation: Conversation, request: Request) -> None:
    """Tell listeners of a request that waits now: a handoff, or a case with its due time."""
    told = {
        "request": request.number, "queue": request.queue, "priority": request.priority, "rules": request.rules,
        "comment": request.comment, "summary": request.summary,
    }  # fmt: skip
    if request.category:
        due = request.due.isoformat() if request.due else None
        tell_of(session, conversation, "case", **told, category=request.category, due=due)
    else:
        tell_of(session, conversation, "handoff", **told)


async def announce(
    session: AsyncSession,
    desk: Desk,
    conversation: Conversation,
    request: Request,
    phrase: str | None,
    *,
    now: datetime,
) -> None:
    """Tell the customer that the request is stored, with its number, place and expected wait (CX-02, CX-04)."""
    notices = desk.pack.manifest.notices
    default = notices.queued_case if request.category else notices.queued
    await notify(session, desk, conversation, phrase or default, request, now=now)


# --------------------------------------------------------------------------------------------------------- finding
async def current(session: AsyncSession, conversation_id: int) -> Request | None:
    """The handoff of a conversation that waits, is in hand, or is solved and may come back."""
    return await session.scalar(
        select(Request).where(
            Request.conversation_id == conversation_id,
            ~Request.task,
            Request.state.in_((*LIVE, State.SOLVED)),
        )
    )


async def talking(session: AsyncSession, conversation_id: int) -> Request | None:
    """The request whose agent speaks with the customer now: the handoff before a task."""
    return await session.scalar(
        select(Request)
        .where(Request.conversation_id == conversation_id, Request.talking)
        .order_by(Request.task, Request.id.desc())
        .limit(1)
    )


@dataclass(frozen=True, slots=True)
class Live:
    """The requests of a conversation that the customer's next line concerns."""

    talking: Request | None
    # its agent speaks with the customer
    solved: Request | None
    # a reply reopens it (CX-07)
    waiting: Request | None
    # the handoff in a queue


async def live(session: AsyncSession, conversation_id: int, *, now: datetime) -> Live:
    """What a line of the customer concerns, besides the bot."""
    found = await session.scalars(
        select(Request)
        .where(Request.conversation_id == conversation_id, Request.state.in_((*LIVE, State.SOLVED)))
        .order_by(Request.task, Request.id.desc())
    )
    requests = found.all()
    back = [one for one in requests if one.state == State.SOLVED and one.spoken and one.close_at and one.close_at > now]
    return Live(
        talking=next((one for one in requests if one.talking), None),
        solved=max(back, key=lambda one: one.id, default=None),
        waiting=next((one for one in requests if one.state == State.QUEUED and not one.task), None),
    )


async def contacts(
    session: AsyncSession, *, conversation_id: int | None = None, customer_id: str | None = None
) -> list[dict[str, Any]]:
    """Earlier requests of a conversation or of a customer, newest last, as packs know them (source `requests`)."""
    wanted = Request.conversation_id == conversation_id if customer_id is None else Request.customer_id == customer_id
    found = await session.execute(
        select(Request, Agent.name)
        .outerjoin(Agent, Agent.id == Request.last_agent_id)
        .where(wanted)
        .order_by(Request.id)
    )
    return [
        {
            "number": one.number, "topic": one.topic, "order": one.orders[0] if one.orders else None, "queue": one.queue,
            "state": one.state, "solution": one.solution, "at": one.opened_at.isoformat(),
            "due": one.due.isoformat() if one.due else None, "agent": agent,
        }
        for one, agent in found
    ]  # fmt: skip


# ------------------------------------------------------------------------------------------ what the customer does
async def append(
    session: AsyncSession,
    desk: Desk,
    request: Request,
    lines: Lines,
    *,
    now: datetime,
    why: str | None = None,
    answered: Iterable[dict[str, Any]] = (),
) -> None:
    """Add what the customer wrote while the request waits, and what the bot answered to it (ruling 16)."""
    words = [mask(line.text) for line in lines if line.text and line.press is None]
    await belong(session, request, lines)
    summary = dict(request.summary)
    if words:
        wants = " / ".join(filter(None, [summary.get("wants"), *words]))
        summary["wants"] = wants[:WANTS_LENGTH]
    summary["answered"] = [*(summary.get("answered") or ()), *masked(list(answered))]
    summary["attachments"] = [*(summary.get("attachments") or ()), *(one for line in lines for one in line.attachments)]
    if why:
        summary["reason"] = "; ".join(dict.fromkeys(filter(None, [summary.get("reason"), why])))
    request.summary = summary
    label = desk.pack.manifest.summary.get("added", "+")
    added = [f"{label} «{text}»" for text in words] + ([f"{label} {why}"] if why else [])
    request.comment = "\n".join([request.comment, *added])
    await log_event(session, request, "appended", now, data={"lines": [line.id for line in lines], "why": why})


async def belong(session: AsyncSession, request: Request, lines: Lines) -> None:
    """Let lines, and what is attached to them, belong to a request."""
    for line in lines:
        line.request_id = request.id
    await files.link(session, lines, request.id)


async def heard(
    session: AsyncSession, desk: Desk, conversation: Conversation, request: Request, lines: Lines, *, now: datetime
) -> None:
    """Show the customer's lines to the agent who speaks with them; a request that waited for them goes on."""
    agent = await session.get(Agent, request.agent_id)
    await belong(session, request, lines)
    if request.spoken_since and lines:
        escalation.start(request, lines[0].at)
    assert agent is not None
    if request.state == State.WAITING_CUSTOMER:
        request.wait_until = None
        if not agent.on_shift:
            await to_queue(session, desk, conversation, request, "resumed", now=now)
            return
        request.state = State.ASSIGNED
        await log_event(session, request, "resumed", now, agent=agent.name)
        tell_of(session, conversation, "state", request=request.number, state=State.ASSIGNED)
    for line in lines:
        show(session, conversation, agent.name, line)


async def tell_state(
    session: AsyncSession, desk: Desk, conversation: Conversation, request: Request, *, now: datetime
) -> None:
    """Tell the customer whose the request is: to a press, or to a question for its state (CX-03, ruling 16)."""
    if request.state not in IN_HAND:
        return
    notices = desk.pack.manifest.notices
    phrase = notices.waiting_customer if request.state == State.WAITING_CUSTOMER else notices.in_hand
    await notify(session, desk, conversation, phrase, request, now=now)


async def reopen(
    session: AsyncSession, desk: Desk, conversation: Conversation, request: Request, lines: Lines, *, now: datetime
) -> None:
    """The customer came back in time: to the same agent when on shift, else to the queue (CX-07)."""
    agent = await session.get(Agent, request.last_agent_id) if request.last_agent_id else None
    request.solved_at = request.close_at = request.ended_at = request.resolution = None
    back = agent is not None and agent.on_shift
    if back and agent is not None:
        request.state, request.agent_id, request.talking = State.ASSIGNED, agent.id, True
        escalation.start(request, now)
    else:
        request.state = State.QUEUED
        await _claim(session, desk, request, now)
        await queues.wake(session, desk.pack, desk.jobs)
    await belong(session, request, lines)
    await settle_owner(session, conversation)
    await log_event(session, request, "reopened", now, agent=agent.name if back and agent else None)
    tell_of(session, conversation, "state", request=request.number, state="reopened")
    await notify(session, desk, conversation, desk.pack.manifest.notices.reopened, request, now=now)
    if back and agent is not None:
        for line in lines:
            show(session, conversation, agent.name, line)
    else:
        await append(session, desk, request, lines, now=now)


async def cancel(session: AsyncSession, desk: Desk, conversation: Conversation, *, now: datetime) -> Request:
    """The customer takes the waiting request back; refused once an agent has joined (CX-03)."""
    request = await current(session, conversation.id)
    if request is None or request.state == State.SOLVED:
        raise RequestGone
    if request.state in IN_HAND:
        raise AlreadyJoined
    request.state, request.ended_at = State.CANCELLED, now
    await log_event(session, request, "cancelled", now)
    tell_of(session, conversation, "state", request=request.number, state=State.CANCELLED)
    await notify(session, desk, conversation, desk.pack.manifest.notices.cancelled, request, now=now)
    return request


async def close(
    session: AsyncSession,
    desk: Desk,
    conversation: Conversation,
    request: Request,
    phrase: str | None,
    *,
    now: datetime,
) -> None:
    """Close a solved request: the time for coming back is over, the customer says that it helped, or another matter has
    taken its place (then without words)."""
    request.state, request.ended_at = State.CLOSED, now
    await log_event(session, request, "closed", now, data={"helped": phrase == desk.pack.manifest.notices.helped})
    tell_of(session, conversation, "state", request=request.number, state=State.CLOSED)
    if request.spoken and phrase is not None:
        ask = await marks.question(session, desk, conversation, request, now=now)
        await notify(session, desk, conversation, phrase, request, now=now, also=ask)


# ------------------------------------------------------------------------------------------------- shared with desk
async def to_queue(
    session: AsyncSession,
    desk: Desk,
    conversation: Conversation,
    request: Request,
    kind: str,
    *,
    now: datetime,
    agent: str | None = None,
    data: dict[str, Any] | None = None,
    state: str = State.QUEUED,
    phrase: str | None = None,
) -> None:
    """Put a request that was in hand back into its queue and tell the customer that another specialist will answer.

    It keeps its age, so its place does not get worse (ruling 17). `state`: what the customer's side calls the change.
    `agent`: who gives it away; a VIP's manager who does so has no first claim on it again (VIP-01).
    """
    spoke = request.talking
    request.state, request.agent_id, request.talking, request.wait_until = State.QUEUED, None, False, None
    request.asked_at = None
    await _claim(session, desk, request, now, but=agent)
    await settle_owner(session, conversation)
    await queues.wake(session, desk.pack, desk.jobs)
    await log_event(session, request, kind, now, agent=agent, data=data)
    tell_of(session, conversation, "state", request=request.number, state=state)
    if spoke:
        await notify(session, desk, conversation, phrase or desk.pack.manifest.notices.declined, request, now=now)


async def settle_owner(session: AsyncSession, conversation: Conversation) -> None:
    """Let the conversation belong to an agent exactly while one speaks with the customer."""
    await session.flush()
    owner = Owner.AGENT if await talking(session, conversation.id) is not None else Owner.BOT
    if conversation.owner != owner:
        conversation.owner = owner
        await session.flush()


async def _claim(session: AsyncSession, desk: Desk, request: Request, now: datetime, *, but: str | None = None) -> None:
    """Give a VIP's personal manager the first claim on a request that waits now, if on shift (VIP-01, ruling 28).

    `but`: who has just given it away and is not to have it again.
    """
    manager, request.claim_until = request.manager, None
    if manager is not None and manager != but and await _on_shift(session, manager):
        request.claim_until = now + desk.claim


async def _on_shift(session: AsyncSession, name: str) -> bool:
    return bool(await session.scalar(select(Agent.on_shift).where(Agent.name == name)))
