"""Speaking with the customer, and with colleagues behind the customer's back."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

import flows
from bot import conversations, repeats
from bot.desk.hands import add_note, in_hand, let_go, within_reach
from bot.errors import NotRead
from bot.models import Agent, Conversation, Message, Request, Sender
from bot.requests import settle_owner
from bot.timeline import Desk, describe, log_event, tell_customer


async def reply(
    session: AsyncSession,
    desk: Desk,
    agent_name: str,
    conversation_id: int,
    text: str,
    *,
    now: datetime,
    request_id: int | None = None,
) -> Message:
    """Write to the customer. First comes reading: who has not been shown the request is refused (L2-10)."""
    agent, conversation, request = await in_hand(session, agent_name, conversation_id, request_id)
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
    session: AsyncSession,
    desk: Desk,
    agent_name: str,
    conversation_id: int,
    *,
    now: datetime,
    request_id: int | None = None,
    text: str | None = None,
) -> Message | None:
    """Ask the customer for patience, in the pack's words (L2-11): the agent reads, or looks something up.

    It is no answer: the first-reply target goes on. text: one of the pack's quick phrases; none: the notice `reading`.
    """
    agent, conversation, request = await in_hand(session, agent_name, conversation_id, request_id)
    await _begin_to_speak(session, conversation, request, agent)
    if text is None:
        message = await tell_customer(
            session, desk, conversation, desk.pack.manifest.notices.reading, await describe(session, request, now=now),
            now=now, request_id=request.id, sender=Sender.AGENT, agent=agent.title,
        )  # fmt: skip
    else:
        message = await conversations.say(
            session, desk.jobs, conversation.id, Sender.AGENT, flows.Say(text=text), now=now, request_id=request.id,
            agent=agent.title,
        )  # fmt: skip
    if message is not None:
        await log_event(session, request, "held", now, agent=agent.name, data={"message": message.id})
    return message


async def _begin_to_speak(session: AsyncSession, conversation: Conversation, request: Request, agent: Agent) -> None:
    """Let the agent be the one who speaks with the customer, if they have read what was said so far."""
    if request.read_by != agent.id:
        raise NotRead
    if not request.talking:
        request.talking = True
        let_go(conversation)
        await settle_owner(session, conversation)
    request.spoken = True


async def note(
    session: AsyncSession,
    agent_name: str,
    conversation_id: int,
    text: str,
    *,
    now: datetime,
    request_id: int | None = None,
) -> Message:
    """Write a line for colleagues only: whoever has the request, and supervisors who look at it, on shift or not."""
    agent, request = await within_reach(session, agent_name, conversation_id, request_id)
    made = await add_note(session, agent, request, text, now)
    await log_event(session, request, "noted", now, agent=agent.name, data={"message": made.id})
    return made
