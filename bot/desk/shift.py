"""The shift: who works now. Whoever stops working keeps nothing that a customer waits for."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from bot import agents, conversations
from bot.models import Agent, Request, State
from bot.requests import to_queue
from bot.timeline import Desk


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
