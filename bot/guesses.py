"""Guesses at who somebody is: limited not only by chat but by what is guessed at (CX-20).

A chat's own wrong guesses are counted by the pack. Here the same phone or order number is watched over all chats and all
restarts: after too many wrong names for it nobody is looked for by it for a while, so that a guess tells as little as a
number that no customer has. Whose own number it is, as the messenger verified it, is not affected.
"""

from __future__ import annotations

import hashlib
import logging
from datetime import datetime, timedelta

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

import flows
from bot.models import Message

log = logging.getLogger(__name__)

AT_ONCE = 10
"""Wrong guesses at one phone or order number until nobody is looked for by it."""
EVERY = timedelta(hours=1)
"""After so long without one it may be guessed at once more."""
LONGEST = timedelta(days=1)
COUNTER = "wrong_guess"
"""The pack's counter of wrong guesses; its setting `guess_counter` names another."""
_NOTE = text(
    """
INSERT INTO paces AS kept (key, at) VALUES (:key, CAST(:now AS timestamptz) + :every)
ON CONFLICT (key) DO UPDATE SET at = least(greatest(kept.at, :now) + :every, CAST(:now AS timestamptz) + :longest)"""
)
_AT = text("SELECT at FROM paces WHERE key = :key")


async def note(session: AsyncSession, pack: flows.Pack, turn: flows.Turn, state: flows.ConversationState) -> None:
    """Count the wrong guess of a turn, if it was one, for each number by which a customer was looked for."""
    counter = str(pack.manifest.settings.get("guess_counter", COUNTER))
    if state.counters.get(counter, ()) == turn.state.counters.get(counter, ()):
        return
    for key in sorted({key for lookup in turn.facts for key in _keys(lookup)}):
        await session.execute(_NOTE, {"key": key, "now": turn.now, "every": EVERY, "longest": LONGEST})


async def too_many(session: AsyncSession, conversation_id: int, lookup: flows.Lookup, *, now: datetime) -> bool:
    """Whether a lookup is for the customer of a number that was guessed at too often."""
    for key in _keys(lookup):
        at: datetime | None = await session.scalar(_AT, {"key": key})
        if at is not None and at - now > EVERY * (AT_ONCE - 1) and not await _own(session, conversation_id, lookup):
            log.warning("guessed_too_often", extra={"conversation": conversation_id})
            return True
    return False


async def _own(session: AsyncSession, conversation_id: int, lookup: flows.Lookup) -> bool:
    """Whether it is the number that the messenger says is this customer's."""
    phone = dict(lookup.args).get("phone")
    verified = select(Message.id).where(Message.conversation_id == conversation_id, Message.contact == phone).limit(1)
    return phone is not None and await session.scalar(verified) is not None


def _keys(lookup: flows.Lookup) -> list[str]:
    """What is guessed at: a digest, for this table is no place for numbers."""
    if lookup.source != "customer":
        return []
    given = [(name, str(value)) for name, value in lookup.args if name in ("phone", "order") and value]
    return [f"guess:{name}:{hashlib.sha256(value.encode()).hexdigest()[:32]}" for name, value in given]
