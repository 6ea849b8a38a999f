"""The desk: what agents do with requests. An action that is not possible now is refused by an error with status 409.

Each function takes the agent's name and the conversation's id, locks the conversation, and does everything in the
session's transaction: the change, its line in the timeline, the message to the customer, the event for listeners.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

import flows
from bot import agents, conversations, escalation, labels, queues, repeats
from bot.errors import (
    AlreadyYours,
    CommentMissing,
    ConversationUnknown,
    NothingToTake,
    NotRead,
    NotYourQueue,
    NotYourRequest,
    OffShift,
    QueueUnknown,
    RequestGone,
    RequestReserved,
    RequestTaken,
    TargetOffShift,
    TimeOver,
)
from bot.masking import mask
from bot.models import LIVE, Agent, Conversation, Message, Request, Sender, State
from bot.requests import settle_owner, tell_opened, to_queue
from bot.timeline import Desk, describe, log_event, notify, show_request, tell_customer, tell_of


# ---------------------------------------------------------------------------------------------------------- taking
async def take(
    session: AsyncSession, desk: Desk, agent_name: str, *, now: datetime, conversation_id: int | None = None
) -> Request:
    """Give the agent the next request of their queues, or the one of a conversation. Never the same to two agents."""
    agent = await _on_shift(session, agent_name)
    waiting = await queues.candidates(session, agent, now=now, conversation_id=conversation_id)
    if not waiting and conversation_id is not None:
        raise await _why_not(session, agent, conversation_id, now)
    for skip in (True, False):  # first what nobody is at, then wait for whoever is
        for one in waiting:
            conversation = await conversations.lock(session, one.conversation_id, skip=skip)
            if conversation is None:
                continue
            request = await session.get(Request, one.id, with_for_update=True, populate_existing=True)
            if request is not None and request.state == State.QUEUED:
                await _assign(session, desk, conversation, request, agent, now=now)
                return request
    if conversation_id is not None and waiting:
        raise RequestTaken
    raise NothingToTake


async def _assign(
    session: AsyncSession, desk: Desk, conversation: Conversation, request: Request, agent: Agent, *, now: datetime
) -> None:
    await _hand_to(session, conversation, request, agent, now=now)
    await log_event(session, request, "assigned", now, agent=agent.name)
    tell_of(session, conversation, "state", request=request.number, state=State.ASSIGNED)
    await show_request(session, conversation, request, agent)
    if request.talking:
        await notify(session, desk, conversation, desk.pack.manifest.notices.assigned, request, now=now)


async def _hand_to(
    session: AsyncSession, conversation: Conversation, request: Request, agent: Agent, *, now: datetime
) -> None:
    """Make a request the agent's. A handoff's conversation is theirs at once, a task's when they speak."""
    request.state, request.agent_id, request.last_agent_id = State.ASSIGNED, agent.id, agent.id
    request.taken_at = request.taken_at or now
    request.claim_until = request.wait_until = None
    request.talking = not request.task or request.spoken
    escalation.start(request, now)
    if request.talking:
        _let_go(conversation)
    await settle_owner(session, conversation)


def _let_go(conversation: Conversation) -> None:
    """The bot drops its open questions: a person speaks now, and later answers must not be read as answers to them."""
    state = replace(conversations.remembered(conversation), open=(), asking=None, offered=None, misses=0)
    conversation.state = flows.to_json(state)


async def read(session: AsyncSession, agent_name: str, conversation_id: int) -> Request:
    """Show an agent their request once more, in full."""
    agent, conversation, request = await _in_hand(session, agent_name, conversation_id)
    await show_request(session, conversation, request, agent)
    return request


async def _why_not(session: AsyncSession, agent: Agent, conversation_id: int, now: datetime) -> Exception:
    """Why the request of a conversation cannot be taken."""
    found = await session.scalars(
        select(Request)
        .where(Request.conversation_id == conversation_id, Request.state.in_(LIVE))
        .order_by(Request.task, Request.id)
    )
    states = found.all()
    for request in states:
        if request.state == State.QUEUED:
            reserved = request.claim_until is not None and request.claim_until > now
            return RequestReserved() if reserved else NotYourQueue()
    return RequestTaken() if states else NothingToTake()


# -------------------------------------------------------------------------------------------------------- speaking
async def reply(
    session: AsyncSession, desk: Desk, agent_name: str, conversation_id: int, text: str, *, now: datetime
) -> Message:
    """Write to the customer. First comes reading: who has not been shown the request is refused (L2-10)."""
    agent, conversation, request = await _in_hand(session, agent_name, conversation_id)
    await _begin_to_speak(session, conversation, request, agent)
    request.spoken_since, request.answered_at = True, request.answered_at or now
    again = await repeats.asked_again(session, desk.pack, conversation, request, text, agent=agent.title)
    request.asked_again += len(again)
    message = await conversations.say(
        session, desk.jobs, conversation.id, Sender.AGENT, flows.Say(text=text), now=now, request_id=request.id,
        agent=agent.title,
    )  # fmt: skip
    data = {"message": message.id, "asked_again": again}
    await log_event(session, request, "replied", now, agent=agent.name, data=data)
    return message


async def hold(
    session: AsyncSession, desk: Desk, agent_name: str, conversation_id: int, *, now: datetime
) -> Message | None:
    """Ask the customer for a few seconds, in the pack's words: the agent reads what was said so far (L2-11)."""
    agent, conversation, request = await _in_hand(session, agent_name, conversation_id)
    await _begin_to_speak(session, conversation, request, agent)
    return await tell_customer(
        session, desk, conversation, desk.pack.manifest.notices.reading, await describe(session, request, now=now),
        now=now, request_id=request.id, sender=Sender.AGENT, agent=agent.title,
    )  # fmt: skip


async def _begin_to_speak(session: AsyncSession, conversation: Conversation, request: Request, agent: Agent) -> None:
    """Let the agent be the one who speaks with the customer, if they have read what was said so far."""
    if request.read_by != agent.id:
        raise NotRead
    if not request.talking:
        request.talking = True
        _let_go(conversation)
        await settle_owner(session, conversation)
    request.spoken = True


async def note(session: AsyncSession, agent_name: str, conversation_id: int, text: str, *, now: datetime) -> Message:
    """Write a line for colleagues only."""
    agent, _, request = await _in_hand(session, agent_name, conversation_id)
    made = await _note(session, agent, request, text, now)
    await log_event(session, request, "noted", now, agent=agent.name, data={"message": made.id})
    return made


async def _note(session: AsyncSession, agent: Agent, request: Request, text: str, now: datetime) -> Message:
    made = Message(
        conversation_id=request.conversation_id, sender=Sender.NOTE, at=now, text=text, agent=agent.title,
        request_id=request.id,
    )  # fmt: skip
    session.add(made)
    await session.flush()
    return made


# ------------------------------------------------------------------------------------------------- giving it away
async def decline(
    session: AsyncSession, desk: Desk, agent_name: str, conversation_id: int, reason: str, *, now: datetime
) -> Request:
    """Give an assigned request back to its queue; the reason stays among colleagues (ruling 17)."""
    agent, conversation, request = await _in_hand(session, agent_name, conversation_id)
    if not reason.strip():
        raise CommentMissing
    await _note(session, agent, request, reason, now)
    await to_queue(session, desk, conversation, request, "declined", now=now, agent=agent.name, data={"reason": reason})
    return request


async def transfer(
    session: AsyncSession,
    desk: Desk,
    agent_name: str,
    conversation_id: int,
    comment: str,
    *,
    now: datetime,
    queue: str | None = None,
    to: str | None = None,
    category: str | None = None,
    reason: str | None = None,
    resolution: str = "not_solved",
) -> Request:
    """Pass a request on to a queue or to a colleague on shift, with a comment for whoever takes over.

    There is no other way for a conversation to change hands (L2-01), and nobody waits until the other one answers: the
    agent is free at once (L2-02). To a queue it goes with the closing form (ESC-08); what is not given follows from the
    request and the queue. A closed queue gets it as a case with the time of the answer (L2-17, L2-20).
    """
    agent, conversation, request = await _in_hand(session, agent_name, conversation_id)
    if not comment.strip():
        raise CommentMissing
    if to is not None:
        return await _to_colleague(
            session, desk, agent, conversation, request, await agents.get(session, to), comment, now
        )
    if queue is None or queue not in desk.pack.queues:
        raise QueueUnknown
    form = escalation.passing(
        desk.pack, queue, comment, category=category or request.topic, reason=reason, resolution=resolution
    )  # fmt: skip
    form.check()
    await _note(session, agent, request, comment, now)
    data = {"queue": queue, "to": to, **escalation.record(request, form), **escalation.stop(desk.pack, request, now)}
    label = desk.pack.manifest.summary.get("passed", "+")
    request.comment = f"{label} {agent.title}: {mask(comment.strip())}\n{request.comment}"
    request.queue, kind, due = flows.place(desk.pack, queue, now, request.resolved_category)
    if kind is not None and request.category is None:
        request.category, request.due = kind, due
    request.summary = {
        **request.summary,
        "queue": request.queue,
        "category": request.category or request.summary.get("category"),
    }
    await to_queue(
        session, desk, conversation, request, "transferred", now=now, agent=agent.name, data=data,
        state="transferred", phrase=desk.pack.manifest.notices.transferred,
    )  # fmt: skip
    if kind is not None:
        tell_opened(session, conversation, request)
    return request


async def _to_colleague(
    session: AsyncSession,
    desk: Desk,
    agent: Agent,
    conversation: Conversation,
    request: Request,
    target: Agent,
    comment: str,
    now: datetime,
) -> Request:
    if target.id == agent.id:
        raise AlreadyYours
    if not target.on_shift:
        raise TargetOffShift
    await _note(session, agent, request, comment, now)
    await _hand_to(session, conversation, request, target, now=now)
    data = {"comment": comment, "queue": None, "to": target.name}
    await log_event(session, request, "transferred", now, agent=agent.name, data=data)
    tell_of(session, conversation, "state", request=request.number, state="transferred")
    await show_request(session, conversation, request, target)
    if request.talking:
        await notify(session, desk, conversation, desk.pack.manifest.notices.transferred, request, now=now)
    return request


async def wait(
    session: AsyncSession,
    desk: Desk,
    agent_name: str,
    conversation_id: int,
    *,
    now: datetime,
    until: datetime | None = None,
) -> Request:
    """Wait for the customer, at most until a moment (default: as long as a solved request can be reopened).

    A request that waits already gets another moment; the customer is not told the same again (CX-06).
    """
    agent, conversation, request = await _in_hand(session, agent_name, conversation_id)
    if until is not None and until <= now:
        raise TimeOver
    told = request.state == State.WAITING_CUSTOMER
    request.state, request.wait_until = State.WAITING_CUSTOMER, until or now + desk.reopen
    await log_event(
        session, request, "waiting_customer", now, agent=agent.name, data={"until": request.wait_until.isoformat()}
    )
    if told:
        return request
    tell_of(session, conversation, "state", request=request.number, state=State.WAITING_CUSTOMER)
    await notify(session, desk, conversation, desk.pack.manifest.notices.waiting_customer, request, now=now)
    return request


# ----------------------------------------------------------------------------------------------------------- ending
async def resolve(
    session: AsyncSession,
    desk: Desk,
    agent_name: str,
    conversation_id: int,
    *,
    now: datetime,
    resolution: str = "solved",
    category: str | None = None,
    text: str = "",
) -> Request:
    """End a request: the customer is asked whether it helped and has time to come back (CX-07).

    `category`: the intent that it was about, in the agent's judgement; `text`: the solution, for colleagues.
    """
    agent, conversation, request = await _in_hand(session, agent_name, conversation_id)
    escalation.Closing(resolution=resolution, category=category, comment=text).check()
    if text.strip():
        await _note(session, agent, request, text, now)
    request.state, request.agent_id, request.talking, request.wait_until = State.SOLVED, None, False, None
    request.resolution, request.resolved_category, request.solution = resolution, category, text.strip() or None
    request.solved_at, request.close_at, request.asked_at = now, now + desk.reopen, None
    await settle_owner(session, conversation)
    await log_event(
        session, request, "solved", now, agent=agent.name, data={"resolution": resolution, "category": category}
    )
    if category and category != request.topic and category in desk.pack.intents:
        await labels.corrected(session, request, category, now=now)
    tell_of(session, conversation, "state", request=request.number, state=State.SOLVED)
    if request.spoken or not request.task:
        request.spoken = True
        notices = desk.pack.manifest.notices
        await notify(
            session, desk, conversation, notices.solved if resolution == "solved" else notices.not_solved, request, now=now
        )  # fmt: skip
    return request


# ------------------------------------------------------------------------------------------------------------ shift
async def shift_on(session: AsyncSession, agent_name: str) -> Agent:
    """The agent begins to work."""
    agent = await agents.get(session, agent_name)
    agent.on_shift = True
    await session.flush()
    return agent


async def shift_off(session: AsyncSession, desk: Desk, agent_name: str, *, now: datetime) -> Agent:
    """The agent stops working: what they have in hand goes back to its queue; what waits for the customer stays theirs."""
    agent = await agents.get(session, agent_name)
    agent.on_shift = False
    await session.flush()
    assigned = select(Request.id, Request.conversation_id).where(
        Request.agent_id == agent.id, Request.state == State.ASSIGNED
    )
    for request_id, conversation_id in (await session.execute(assigned.order_by(Request.id))).all():
        conversation = await conversations.lock(session, conversation_id)
        request = await session.get(Request, request_id, populate_existing=True)
        if conversation and request and request.agent_id == agent.id and request.state == State.ASSIGNED:
            await to_queue(session, desk, conversation, request, "shift_over", now=now, agent=agent.name)
    return agent


# ---------------------------------------------------------------------------------------------------------- helpers
async def _on_shift(session: AsyncSession, name: str) -> Agent:
    agent = await agents.get(session, name)
    if not agent.on_shift:
        raise OffShift
    return agent


async def _in_hand(session: AsyncSession, agent_name: str, conversation_id: int) -> tuple[Agent, Conversation, Request]:
    """The agent's request in a conversation, locked: the one they speak in, before a task."""
    agent = await _on_shift(session, agent_name)
    conversation = await conversations.lock(session, conversation_id)
    if conversation is None:
        raise ConversationUnknown
    found = await session.scalars(
        select(Request)
        .where(Request.conversation_id == conversation_id, Request.state.in_(LIVE))
        .order_by(Request.task, Request.id.desc())
        .execution_options(populate_existing=True)
    )
    live = found.all()
    mine = [request for request in live if request.agent_id == agent.id]
    if mine:
        return agent, conversation, mine[0]
    raise NotYourRequest() if live else RequestGone()
