"""Joining two requests of one customer: one goes on, the other ends in it, and nothing of either is lost."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from bot import queues
from bot.desk.hands import in_hand, let_go, lock_all
from bot.errors import InOtherHands, JoinedToItself, NotSameCustomer, RequestGone, RequestUnknown
from bot.models import LIVE, Conversation, File, Request, State
from bot.requests import settle_owner
from bot.timeline import Desk, log_event, notify, tell_of


async def join(
    session: AsyncSession,
    desk: Desk,
    agent_name: str,
    conversation_id: int,
    other: str,
    *,
    now: datetime,
    request_id: int | None = None,
) -> Request:
    """Let another request of the same customer (its number) go on in the agent's; return the agent's.

    The same customer: the same chat, or both identified as the same one, whatever the channel. A chat alone that bears the
    same name proves nothing. Nobody else may have the other in hand. The customer is told once, in the chat of the request
    that ends, and where the answer comes when that is another chat (CX-04). Its files, orders, marks, words and promises
    become the agent's request's; its own chat stays readable under its number.
    """
    found = await session.scalar(select(Request).where(Request.number == other.strip().upper()))
    if found is None:
        raise RequestUnknown
    await lock_all(session, [conversation_id, found.conversation_id])
    agent, conversation, request = await in_hand(session, agent_name, conversation_id, request_id)
    ended = await session.get(Request, found.id, populate_existing=True)
    assert ended is not None  # requests are never deleted
    _check(request, ended)
    if ended.agent_id not in (None, agent.id):
        raise InOtherHands
    there = conversation
    if ended.conversation_id != conversation.id:
        there = await session.get_one(Conversation, ended.conversation_id)
    handoff = not ended.task and there is conversation
    _take_over(desk, request, ended)
    ended.state, ended.joined_into, ended.ended_at = State.CLOSED, request.id, now
    ended.agent_id, ended.talking, ended.wait_until, ended.claim_until = None, False, None, None
    await session.flush()
    if handoff:  # the agent's was a task beside the talk: now it is what the customer waits for
        request.task, request.talking = False, True
        let_go(conversation)
    await session.execute(update(File).where(File.request_id == ended.id).values(request_id=request.id))
    await settle_owner(session, there)
    await settle_owner(session, conversation)
    await queues.wake(session, desk.pack, desk.jobs)
    await log_event(session, ended, "joined_into", now, agent=agent.name, data={"into": request.number})
    await log_event(session, request, "joined", now, agent=agent.name, data={"request": ended.number})
    tell_of(session, there, "state", request=ended.number, state=State.CLOSED)
    phrase = desk.pack.manifest.notices.joined
    if phrase is not None:
        await notify(session, desk, there, phrase, ended, now=now)
    return request


def _check(request: Request, ended: Request) -> None:
    if ended.id == request.id:
        raise JoinedToItself
    if ended.state not in LIVE:
        raise RequestGone
    same = request.customer_id is not None and request.customer_id == ended.customer_id
    if not same and request.conversation_id != ended.conversation_id:
        raise NotSameCustomer


def _take_over(desk: Desk, request: Request, ended: Request) -> None:
    """What the one that ends had becomes the other's: the more urgent priority, the earlier promise."""
    request.orders = list(dict.fromkeys([*request.orders, *ended.orders]))
    request.marks = list(dict.fromkeys([*request.marks, *ended.marks]))
    request.rules = list(dict.fromkeys([*request.rules, *ended.rules]))
    request.vip = request.vip or ended.vip
    request.customer_id = request.customer_id or ended.customer_id
    request.priority = min((request.priority, ended.priority), key=lambda one: queues.PRIORITIES.get(one, 2))
    if ended.category and ended.due and (request.due is None or ended.due < request.due):
        request.category, request.due, request.overdue_at = ended.category, ended.due, ended.overdue_at
        request.call_phone = ended.call_phone
    summary, more = dict(request.summary), ended.summary
    wants = dict.fromkeys(filter(None, [summary.get("wants"), more.get("wants")]))
    summary["wants"] = " / ".join(wants) or None
    for part in ("orders", "answered", "attachments", "promised"):
        have = list(summary.get(part) or ())
        summary[part] = have + [one for one in more.get(part) or () if one not in have]
    summary["collected"] = {**(more.get("collected") or {}), **(summary.get("collected") or {})}
    summary["priority"] = request.priority
    request.summary = summary
    label = desk.pack.manifest.summary.get("joined", "+")
    request.comment = f"{request.comment}\n{label} {ended.number}:\n{ended.comment}"


async def joined(session: AsyncSession, request_id: int) -> list[Request]:
    """The requests that have ended in one, directly or by way of another, oldest first: their chats belong to it."""
    found: list[Request] = []
    ids = [request_id]
    while ids:
        next_ones = (await session.scalars(select(Request).where(Request.joined_into.in_(ids)))).all()
        found += next_ones
        ids = [one.id for one in next_ones]
    return sorted(found, key=lambda one: one.id)


async def candidates(session: AsyncSession, request: Request) -> list[Request]:
    """Requests of the same customer that could be joined to one, newest first."""
    same = Request.conversation_id == request.conversation_id
    if request.customer_id is not None:
        same |= Request.customer_id == request.customer_id
    found = await session.scalars(
        select(Request)
        .where(same, Request.id != request.id, Request.state.in_(LIVE))
        .order_by(Request.id.desc())
        .limit(20)
    )
    return list(found)
