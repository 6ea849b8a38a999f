"""What is written and pressed in the groups: stored once, before the messenger's offset moves, with the job that obeys it."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from bot import database, live, metrics, sizes
from bot.channels import Incoming
from bot.jobs import Jobs
from bot.models import ForumUpdate, Receipt

FORUM = "forum"
"""The kind of job that obeys what was written; its id is the group's."""


async def take_in(session: AsyncSession, jobs: Jobs, incoming: Incoming) -> bool:
    """Store what somebody did in a group of agents, once, in the session's transaction; False when it is known already."""
    incoming = sizes.trimmed(incoming)
    at = incoming.desk
    assert at is not None
    receipt = insert(Receipt).values(channel=incoming.channel, external_id=incoming.external_id, at=incoming.at)
    first = await session.execute(receipt.on_conflict_do_nothing().returning(Receipt.external_id))
    if first.scalar_one_or_none() is None:
        metrics.REPEATED.labels(incoming.channel).inc()
        return False
    metrics.RECEIVED.labels(incoming.channel, incoming.kind).inc()
    if at.rights:
        await look_again(session)
        return True
    body = {
        "text": incoming.text, "press": incoming.press, "query": at.query, "edited": at.edited, "name": incoming.name,
        "attachments": [{"kind": one.kind, "name": one.name, "ref": one.ref, "size": one.size, "mime": one.mime} for one in incoming.attachments],
    }  # fmt: skip
    session.add(
        ForumUpdate(
            chat=incoming.chat, thread=at.thread, author=at.author, message_id=incoming.message_id, at=incoming.at, body=body
        )
    )  # fmt: skip
    await jobs.add(session, FORUM, int(incoming.chat))
    return True


async def look_again(session: AsyncSession) -> None:
    """Let whoever keeps the topics look at the store at once, when this transaction is stored."""
    await live.announce(await database.driver(session), live.Change(kind="forum"))


async def recover(session: AsyncSession, jobs: Jobs, *, after: timedelta = timedelta(seconds=6)) -> int:
    """Add jobs for what nobody has obeyed for a while: a job may have been lost, the rows are not. Returns their number."""
    left = await session.scalars(
        select(ForumUpdate.chat).where(ForumUpdate.done_at.is_(None), ForumUpdate.at < func.now() - after).distinct()
    )
    added = 0
    for chat in await jobs.missing(session, FORUM, [int(chat) for chat in left.all()]):
        added += await jobs.add(session, FORUM, chat)
    return added


async def forget(session: AsyncSession, *, before: datetime) -> None:
    """Delete what was obeyed long ago."""
    await session.execute(delete(ForumUpdate).where(ForumUpdate.done_at < before))
