"""Labels: customers' messages worth a trainer's look, and what trainers judged (BOT-02)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from bot.errors import NotFound
from bot.models import Label, Message, Request, Sender, TurnRow


async def collect(
    session: AsyncSession,
    turn_id: int,
    conversation_id: int,
    text: str,
    reason: str,
    *,
    now: datetime,
    read: dict[str, Any] | None = None,
    hint: str | None = None,
) -> None:
    """Keep a message for a trainer, once for each reason (`unsure`, `handoff`, `corrected`)."""
    if not text.strip():
        return
    row = insert(Label).values(
        turn_id=turn_id, conversation_id=conversation_id, at=now, reason=reason, text=text, read=read, hint=hint
    )
    await session.execute(row.on_conflict_do_nothing(constraint="uq_labels_turn_id_reason"))


async def corrected(session: AsyncSession, request: Request, category: str, *, now: datetime) -> None:
    """An agent found that a request was about something else: the message that led to it was misread."""
    turn = await session.scalar(
        select(TurnRow)
        .join(Message, Message.turn_id == TurnRow.id)
        .where(Message.request_id == request.id, Message.sender == Sender.CUSTOMER)
        .order_by(TurnRow.id)
        .limit(1)
    )
    if turn is not None:
        text = str(turn.given.get("text") or "")
        await collect(
            session, turn.id, turn.conversation_id, text, "corrected", now=now, read=turn.parse, hint=category
        )


async def waiting(session: AsyncSession, *, limit: int = 50) -> Sequence[Label]:
    """Messages that nobody has judged yet, newest first."""
    found = await session.scalars(select(Label).where(Label.judged_at.is_(None)).order_by(Label.id.desc()).limit(limit))
    return found.all()


async def judge(session: AsyncSession, label_id: int, intents: Sequence[str], *, by: str, now: datetime) -> Label:
    """Record a trainer's judgement: all intents of the message, in order."""
    label = await session.get(Label, label_id)
    if label is None:
        raise NotFound
    label.intents, label.judged_by, label.judged_at = list(intents), by, now
    await session.flush()
    return label
