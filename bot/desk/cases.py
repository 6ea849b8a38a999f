"""Work for later that an agent asks for: a case, or a task for the supervisor, beside the request it comes from."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

import flows
from bot.desk.ending import in_time
from bot.desk.hands import in_hand
from bot.errors import CaseCategoryUnknown, CaseCommentMissing
from bot.models import Request
from bot.requests import open_request
from bot.timeline import Desk, log_event, notify


async def open_case(
    session: AsyncSession,
    desk: Desk,
    agent_name: str,
    conversation_id: int,
    category: str,
    comment: str,
    *,
    now: datetime,
    due: datetime | None = None,
    tell: bool = True,
    request_id: int | None = None,
) -> Request:
    """Open a case of one of the pack's categories, in the category's queue; return it. The agent keeps the request.

    `comment`: what is to be done, so full that nobody has to ask (L2-09); `due`: default the category's hours; `tell`: the
    customer hears its number and until when, after it is stored (CX-02, CX-13, L2-45).
    """
    agent, conversation, request = await in_hand(session, agent_name, conversation_id, request_id)
    kind = desk.pack.categories.get(category)
    if kind is None:
        raise CaseCategoryUnknown
    if not comment.strip():
        raise CaseCommentMissing
    due = due or now + timedelta(hours=kind.due_hours)
    in_time(due, now)
    label = desk.pack.manifest.summary.get("passed", "+")
    handoff = flows.Handoff(
        queue=kind.queue, category=category, due=due, priority=kind.priority, topic=request.topic,
        orders=tuple(request.orders), marks=tuple(request.marks),
        comment=f"{label} {agent.title}: {comment.strip()}\n{request.comment}",
        summary={
            **request.summary, "category": category, "queue": kind.queue, "priority": kind.priority,
            "reason": comment.strip(), "next_step": comment.strip(),
        },
    )  # fmt: skip
    case = await open_request(session, desk, conversation, handoff, now=now, task=True)
    case.vip, case.customer_id = request.vip, request.customer_id
    data = {"request": case.number, "category": category, "due": due.isoformat()}
    await log_event(session, request, "case_opened", now, agent=agent.name, data=data)
    if tell:
        await notify(session, desk, conversation, desk.pack.manifest.notices.noted, case, now=now)
    return case
