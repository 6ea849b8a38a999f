"""Patience: while the shop's systems take their time, the customer hears at once that the answer is being looked for.

The words go out while the turn still waits, in transactions of their own (`delivery.say_at_once`). They are the bot's only
lines without a turn, so a turn that is taken again finds them and does not say them twice.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

import flows
from bot.clients import Crm
from bot.delivery import Post, say_at_once
from bot.models import Delivery, Message, Sender

log = logging.getLogger(__name__)

OUTBOX_PAUSE = 1.0
"""Seconds after which it is tried again when something else still waits to be sent."""

Answer = TypeVar("Answer")
NOTHING = flows.OpenRequest(number="", state="", queue="")


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """What waiting needs."""

    post: Post
    pack: flows.Pack
    slow: float = 3.0
    # seconds that the shop's systems may take in a turn before the customer hears of it (PHRASE-03)
    again: float = 60.0
    # seconds after which the customer is asked for patience once more, at the most so often (PHRASE-04)

    def watch(self, crm: Crm, turn: flows.Turn, conversation_id: int, lines: Sequence[Message]) -> Crm:
        """The shop's systems as one turn asks them."""
        return _PatientCrm(self, crm, turn, conversation_id, lines[0].id)

    def thanks(self, turn: flows.Turn, messages: Sequence[flows.Say]) -> tuple[flows.Say, ...]:
        """The answer of a turn whose customer had to wait: it begins with thanks, if all was found (PHRASE-05)."""
        missed = turn.down & {flows.Unavailable.CRM, flows.Unavailable.TRACKING}
        if not messages or missed:
            return tuple(messages)
        first, *rest = messages
        said = flows.notice(self.pack, self.pack.manifest.notices.found, NOTHING, turn)
        rules = tuple(dict.fromkeys((*said.rules, *first.rules)))
        return (replace(first, text=f"{said.text} {first.text}", rules=rules), *rest)


async def waited(session: AsyncSession, conversation_id: int, lines: Sequence[Message]) -> bool:
    """Whether the customer was asked for patience since these lines, in this try of the turn or an earlier one."""
    return await _last(session, conversation_id, lines[0].id) is not None


async def _last(session: AsyncSession, conversation_id: int, after: int) -> tuple[str, float] | None:
    """The last words of patience after a line, and how many seconds ago they were said."""
    found = await session.execute(
        select(Message.text, func.extract("epoch", func.clock_timestamp() - Message.stored_at))
        .where(
            Message.conversation_id == conversation_id, Message.id > after, Message.sender == Sender.BOT,
            Message.turn_id.is_(None), Message.delivery != Delivery.FAILED,
        )
        .order_by(Message.id.desc())
        .limit(1)
    )  # fmt: skip
    row = found.first()
    return (row[0], float(row[1])) if row is not None else None


class _PatientCrm:
    """A `Crm` that lets the customer know when it takes long."""

    def __init__(self, patience: Patience, crm: Crm, turn: flows.Turn, conversation_id: int, after: int) -> None:
        self._patience, self._crm, self._turn = patience, crm, turn
        self._conversation_id, self._after = conversation_id, after
        self._next: float | None = None
        # when to speak, by the monotonic clock
        self.actions = crm.actions

    async def fetch(self, lookup: flows.Lookup) -> Any:
        """Answer a lookup."""
        return await self._wait(self._crm.fetch(lookup))

    async def act(self, act: flows.Act, *, key: str) -> Mapping[str, Any]:
        """Make a change."""
        return await self._wait(self._crm.act(act, key=key))

    async def _wait(self, work: Awaitable[Answer]) -> Answer:
        task = asyncio.ensure_future(work)
        try:
            if self._next is None:
                self._next = time.monotonic() + self._patience.slow
            while not (await asyncio.wait({task}, timeout=max(0.0, self._next - time.monotonic())))[0]:
                self._next = time.monotonic() + await self._speak()
            return task.result()
        finally:
            task.cancel()

    async def _speak(self) -> float:
        """Say that it takes its time; return the seconds until that may be said again. The answer never fails by it."""
        try:
            return await self._say()
        except Exception:
            log.exception("patience_failed", extra={"conversation": self._conversation_id})
            return self._patience.again

    async def _say(self) -> float:
        patience, notices = self._patience, self._patience.pack.manifest.notices
        async with patience.post.sessions() as session:
            last = await _last(session, self._conversation_id, self._after)
        if last is not None and last[1] < patience.again:
            return patience.again - last[1]
        phrase = notices.searching if last is None else notices.searching_longer
        said = flows.notice(patience.pack, phrase, NOTHING, self._turn, but=last[0] if last else None)
        told = await say_at_once(patience.post, self._conversation_id, said)
        return patience.again if told else OUTBOX_PAUSE
