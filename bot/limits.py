"""Limits on what one customer may send, so that nobody's flood becomes the others' wait.

Above so many messages a minute all are stored, but read together when the minute is over, and the customer hears so once.
Above so many an hour updates are counted and left out. Presses and edits count like messages.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

import flows
from bot import conversations, metrics
from bot.channels import Incoming, Kind
from bot.jobs import Jobs
from bot.models import Conversation, Owner, Sender

log = logging.getLogger(__name__)

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
TOLD_AGAIN = HOUR
"""A customer hears of it at most so often."""
_NOTHING = flows.OpenRequest(number="", state="", queue="")
_NEWEST = text(
    """
SELECT
  (SELECT extract(epoch FROM clock_timestamp() - stored_at) FROM messages
   WHERE conversation_id = :conversation AND sender = 'customer' ORDER BY id DESC OFFSET :minute LIMIT 1),
  (SELECT extract(epoch FROM clock_timestamp() - stored_at) FROM messages
   WHERE conversation_id = :conversation AND sender = 'customer' ORDER BY id DESC OFFSET :hour LIMIT 1)"""
)
_ONCE = text(
    """
INSERT INTO paces (key, at) VALUES (:key, clock_timestamp() + make_interval(secs => :seconds))
ON CONFLICT (key) DO UPDATE SET at = excluded.at WHERE paces.at < clock_timestamp() RETURNING key"""
)
_EDIT = text(
    """
INSERT INTO paces AS kept (key, at) VALUES (:key, clock_timestamp() + make_interval(secs => :every))
ON CONFLICT (key) DO UPDATE SET at = greatest(kept.at, clock_timestamp()) + make_interval(secs => :every)
WHERE kept.at < clock_timestamp() + make_interval(secs => :slack) RETURNING key"""
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one customer may send. Calling it is `conversations.Hold`."""

    pack: flows.Pack
    a_minute: int
    # messages that are read as they come
    an_hour: int
    # messages that are stored

    async def __call__(
        self, session: AsyncSession, jobs: Jobs, conversation_id: int, incoming: Incoming
    ) -> float | None:
        """Seconds that the turn of an update has to wait, usually 0; None when the update is left out."""
        channel = metrics.label(incoming.channel)
        given = {"conversation": conversation_id, "minute": self.a_minute - 1, "hour": self.an_hour - 1}
        minute, hour = (await session.execute(_NEWEST, given)).one()
        too_many = hour is not None and hour < HOUR.total_seconds()
        if not too_many and incoming.kind is Kind.EDIT:
            too_many = not await self._may_edit(session, conversation_id)
        if too_many:
            metrics.FLOODED.labels(channel, "left_out").inc()
            log.warning("update_over_limit", extra={"conversation": conversation_id, "channel": channel})
            return None
        if minute is None or (wait := MINUTE.total_seconds() - float(minute)) <= 0:
            return 0.0
        metrics.FLOODED.labels(channel, "waits").inc()
        await self._tell(session, jobs, conversation_id, incoming.at)
        return wait

    async def _may_edit(self, session: AsyncSession, conversation_id: int) -> bool:
        """An edit of a line that nobody has read changes it in place: it leaves no line by which it could be counted."""
        every = HOUR.total_seconds() / self.an_hour
        given = {"key": f"edits:{conversation_id}", "every": every, "slack": every * (self.an_hour - 1)}
        return await session.scalar(_EDIT, given) is not None

    async def _tell(self, session: AsyncSession, jobs: Jobs, conversation_id: int, now: datetime) -> None:
        """Say once that messages are read together; not where a person speaks, who reads them as they come."""
        conversation = (await session.scalars(select(Conversation).where(Conversation.id == conversation_id))).one()
        if conversation.owner == Owner.AGENT or conversation.blocked_at is not None:
            return
        given = {"key": f"flood:{conversation_id}", "seconds": TOLD_AGAIN.total_seconds()}
        if await session.scalar(_ONCE, given) is None:
            return
        turn = flows.Turn(
            now=now, seed=conversation_id, channel=conversation.channel, chat=conversation.chat,
            name=conversation.name, state=flows.ConversationState(),
        )  # fmt: skip
        said = flows.notice(self.pack, self.pack.manifest.notices.together, _NOTHING, turn)
        await conversations.say(session, jobs, conversation_id, Sender.SYSTEM, said, now=now)
