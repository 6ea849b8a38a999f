"""Why the bot said something: the stored turn behind a line of a transcript, explained.

It is decided upon the turn once more with what was known then. Where the content has changed since, the explanation is that
of today's, and whether it would answer otherwise is told with it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import ValidationError
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

import flows
from bot.models import Conversation, Message, Request, Sender, TurnRow
from bot.sight import Scope, seen_by
from bot.stored import StoredTurn, again, read_back
from flows.explain import Explanation, explain


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line of a transcript, and what is stored of the turn that it belongs to."""

    message: Message
    conversation: Conversation
    number: str | None
    # of the newest request of the conversation that may be seen
    turn: TurnRow | None
    # None: no turn stands behind it
    heard: Sequence[Message] = ()
    # the customer's lines of the turn …
    said: Sequence[Message] = ()
    # … and what the bot said then


@dataclass(frozen=True, slots=True, kw_only=True)
class Why:
    """The explanation of a turn."""

    pack: str
    # name@version that decided then
    explanation: Explanation | None = None
    # by the content of today; None: it cannot be told any more
    differs: bool = False
    # today's content would answer otherwise
    missing: tuple[str, ...] = ()
    # what today's content would ask for and nobody knows any more


async def line(session: AsyncSession, message_id: int, scope: Scope) -> Line | None:
    """A line of a conversation that somebody may see; None when there is none."""
    message = await session.get(Message, message_id)
    if message is None or message.sender == Sender.NOTE:
        return None
    conversation = await session.get_one(Conversation, message.conversation_id)
    seen = select(Request.number).where(Request.conversation_id == conversation.id, seen_by(scope))
    number = await session.scalar(seen.order_by(Request.id.desc()).limit(1))
    if number is None and not scope.everything:
        return None
    turn = await session.get(TurnRow, message.turn_id) if message.turn_id is not None else None
    lines: list[Message] = []
    if turn is not None:
        lines = list(await session.scalars(select(Message).where(Message.turn_id == turn.id).order_by(Message.id)))
    return Line(
        message=message, conversation=conversation, number=number, turn=turn,
        heard=[one for one in lines if one.sender == Sender.CUSTOMER],
        said=[one for one in lines if one.sender != Sender.CUSTOMER],
    )  # fmt: skip


async def why(pack: flows.Pack, of: Line) -> Why | None:
    """Explain the turn of a line; None when there is no turn."""
    if of.turn is None:
        return None
    row, chat = of.turn, f"{of.conversation.channel}:{of.conversation.chat}"
    try:
        past = read_back(row, chat)
    except ValidationError:  # written by another version
        return Why(pack=row.pack)
    return await asyncio.to_thread(_explained, pack, past)  # some tens of milliseconds, which others need not wait for


def _explained(pack: flows.Pack, past: StoredTurn) -> Why:
    try:
        decision, turn, missing = again(pack, past)
    except flows.FlowError:
        return Why(pack=past.pack)
    if decision is None:
        return Why(pack=past.pack, missing=missing)
    texts = [[one.text for one in told.messages] for told in (decision, past.decision)]
    return Why(pack=past.pack, explanation=explain(pack, turn), differs=texts[0] != texts[1])
