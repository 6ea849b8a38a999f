"""Reports: figures of a period, from what is stored. They read the tables of all others and change nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from bot.models import Conversation, Request, RequestEvent


@dataclass(frozen=True, slots=True)
class Share:
    """So many of so many."""

    part: int
    whole: int

    @property
    def value(self) -> float | None:
        """The share, 0…1; None of nothing."""
        return self.part / self.whole if self.whole else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Satisfaction:
    """What customers said of the requests after which they were asked for a mark."""

    given: Share
    # marks, of so many that were asked for
    mean: float | None
    # 1 to 5; None without a mark
    positive: int
    # marks of 4 and 5
    comments: int


POSITIVE = 4


async def satisfaction(
    session: AsyncSession, *, since: datetime, until: datetime, queue: str | None = None, channel: str | None = None
) -> Satisfaction:
    """KPI-03, KPI-05: the marks of the requests whose customers were asked in a period.

    `queue`: only requests that ended in it; `channel`: only of its conversations.
    """
    mark = Request.mark
    found = (
        select(
            func.count(), func.count(mark), func.avg(mark), func.count().filter(mark >= POSITIVE),
            func.count(Request.mark_comment),
        )
        .select_from(Request)
        .join(Conversation, Conversation.id == Request.conversation_id)
        .where(Request.mark_asked_at >= since, Request.mark_asked_at < until)
    )  # fmt: skip
    if queue is not None:
        found = found.where(Request.queue == queue)
    if channel is not None:
        found = found.where(Conversation.channel == channel)
    asked, given, mean, positive, comments = (await session.execute(found)).one()
    return Satisfaction(
        given=Share(given, asked), mean=float(mean) if mean is not None else None, positive=positive, comments=comments
    )


async def escalations_in_time(
    session: AsyncSession, *, since: datetime, until: datetime, queue: str | None = None, channel: str | None = None
) -> Share:
    """KPI-08: how many escalations of a period were stored within the limit of the message that raised them (ESC-05).

    Those of the bot run from the customer's first message on the topic, those of agents from when the question stood
    with them. `queue`: only those to it; `channel`: only of its conversations.
    """
    data = RequestEvent.data
    found = (
        select(func.count(), func.count().filter(data["in_time"].as_boolean()))
        .select_from(RequestEvent)
        .join(Request, Request.id == RequestEvent.request_id)
        .join(Conversation, Conversation.id == Request.conversation_id)
        .where(data["escalation"].as_boolean(), RequestEvent.at >= since, RequestEvent.at < until)
    )
    if queue is not None:
        found = found.where(data["queue"].as_string() == queue)
    if channel is not None:
        found = found.where(Conversation.channel == channel)
    whole, part = (await session.execute(found)).one()
    return Share(part, whole)


async def repeated_questions(session: AsyncSession, *, since: datetime, until: datetime) -> Share:
    """L2-12: questions of agents whose answer was on record, and the times that a request came into an agent's hands."""
    data, kind = RequestEvent.data, RequestEvent.kind
    came = (kind == "assigned") | ((kind == "transferred") & data["to"].as_string().is_not(None))
    asked = func.jsonb_array_length(data["asked_again"])
    questions, times = (
        await session.execute(
            select(func.coalesce(func.sum(asked).filter(kind == "replied"), 0), func.count().filter(came)).where(
                RequestEvent.at >= since, RequestEvent.at < until
            )
        )
    ).one()
    return Share(int(questions), times)
