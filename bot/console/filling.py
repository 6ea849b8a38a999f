"""Quick phrases filled for a request: asked of the CRM once, and without it what needs it is shown as not to be had."""

from __future__ import annotations

import asyncio
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

import flows
from bot import conversations, metrics, requests, sizes, timeline
from bot.clock import Clock
from bot.console.parts import Parts
from bot.errors import CrmUnavailable
from bot.models import Conversation, Request

ROUNDS = 8
"""So often at the most do the phrases of a pack ask for more."""


async def fill(parts: Parts, request: Request, *, agent: str) -> flows.Fillings:
    """All quick phrases of the pack, filled with what is known of a request; `agent`: the title of who would say them.

    No session is open while the CRM is asked: do not call it in one.
    """
    async with parts.sessions() as session:
        conversation = await session.get_one(Conversation, request.conversation_id)
        turn = await _turn(session, parts.clock, request, conversation, agent)
    orders = list(request.summary.get("orders") or ())
    order = orders[0] if len(orders) == 1 else None
    limit = asyncio.get_running_loop().time() + parts.settings.crm_timeout
    for _ in range(ROUNDS):
        filled = flows.fill_quick(parts.pack, turn, topic=request.topic, order=order)
        if not filled.lookups:
            return filled
        for lookup in filled.lookups:
            try:
                async with asyncio.timeout_at(limit):
                    answer = await _answer(parts, conversation, lookup)
            except (CrmUnavailable, TimeoutError) as error:
                system = error.system if isinstance(error, CrmUnavailable) else "crm"
                turn = turn.with_down(system).with_facts({lookup: flows.Unavailable(system)})
            else:
                turn = turn.with_facts({lookup: answer})
    return flows.fill_quick(parts.pack, turn.with_down("crm").with_down("tracking"), topic=request.topic, order=order)


async def _turn(
    session: AsyncSession, clock: Clock, request: Request, conversation: Conversation, agent: str
) -> flows.Turn:
    now = clock.now()
    seen = await timeline.describe(session, request, now=now)
    known = flows.OpenRequest(
        number=seen.number, state=seen.state, queue=seen.queue, place=seen.place, wait_minutes=seen.wait_minutes,
        due=seen.due, is_case=seen.is_case, agent=agent,
    )  # fmt: skip
    return flows.Turn(
        now=now, seed=timeline.seed(conversation), channel=conversation.channel, chat=conversation.chat,
        name=conversation.name, state=conversations.remembered(conversation), request=known,
    )  # fmt: skip


async def _answer(parts: Parts, conversation: Conversation, lookup: flows.Lookup) -> Any:
    if lookup.source == "requests":
        async with parts.sessions() as session:
            return await requests.contacts(session, conversation_id=conversation.id)
    system = "tracking" if lookup.source == "tracking" else "crm"
    with metrics.crm_call(system):
        return sizes.bounded(await parts.crm.fetch(lookup), system=system)
