"""How much waits, and since when: read from the database when somebody asks (health, metrics)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection

from bot.metrics import Snapshot
from bot.web.parts import Parts

SECONDS = 3.0
"""At most for all of it, by PostgreSQL's own limit."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """So many wait, the oldest for so many seconds."""

    count: int = 0
    oldest: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What waits in the whole installation, not in one process only."""

    queues: Mapping[str, Waiting] = field(default_factory=dict)
    # queue -> requests that no agent has taken
    unread: Mapping[str, Waiting] = field(default_factory=dict)
    # channel -> customers' lines that no turn has read
    outbox: Mapping[str, Waiting] = field(default_factory=dict)
    # channel -> messages that are not sent yet
    jobs: Mapping[str, Waiting] = field(default_factory=dict)
    # name -> jobs whose time has come and that nobody has begun
    hooks: Waiting = Waiting()
    # events that the outside system has not taken yet …
    hooks_given_up: int = 0
    # … and those of the last day that are not tried again
    doing: int = 0
    stalled: int = 0
    # jobs of workers without a sign of life
    workers: int = 0
    # processes that do jobs


_QUEUES = """
SELECT queue, count(*), max(extract(epoch FROM clock_timestamp() - opened_at)) FROM requests
WHERE state = 'queued' GROUP BY queue"""
_UNREAD = """
SELECT c.channel, count(*), max(extract(epoch FROM clock_timestamp() - m.stored_at))
FROM messages m JOIN conversations c ON c.id = m.conversation_id
WHERE m.sender = 'customer' AND m.read_at IS NULL GROUP BY c.channel"""
_OUTBOX = """
SELECT c.channel, count(*), max(extract(epoch FROM clock_timestamp() - m.stored_at))
FROM messages m JOIN conversations c ON c.id = m.conversation_id
WHERE m.delivery IN ('pending', 'sending') GROUP BY c.channel"""
_JOBS = """
SELECT j.task_name, count(*), max(extract(epoch FROM clock_timestamp() - coalesce(j.scheduled_at, e.at)))
FROM procrastinate_jobs j
LEFT JOIN procrastinate_events e ON e.job_id = j.id AND e.type = 'deferred'
WHERE j.status = 'todo' AND (j.scheduled_at IS NULL OR j.scheduled_at <= clock_timestamp()) GROUP BY j.task_name"""
_HOOKS = """
SELECT count(*) FILTER (WHERE given_up_at IS NULL),
  max(extract(epoch FROM clock_timestamp() - at)) FILTER (WHERE given_up_at IS NULL),
  count(*) FILTER (WHERE given_up_at > clock_timestamp() - interval '1 day')
FROM hooks WHERE sent_at IS NULL"""
_WORK = """
SELECT (SELECT count(*) FROM procrastinate_jobs WHERE status = 'doing'),
  (SELECT count(*) FROM procrastinate_jobs j LEFT JOIN procrastinate_workers w ON w.id = j.worker_id
   WHERE j.status = 'doing' AND (w.id IS NULL OR w.last_heartbeat < clock_timestamp() - make_interval(secs => :stalled))),
  (SELECT count(*) FROM procrastinate_workers WHERE last_heartbeat >= clock_timestamp() - make_interval(secs => :stalled))"""


async def waiting(parts: Parts) -> Figures:
    """Read the figures. Raises what SQLAlchemy raises when the store is away."""
    async with parts.engine.connect() as connection:
        await connection.execute(text(f"SET LOCAL statement_timeout = {int(SECONDS * 1000)}"))
        doing, stalled, workers = (await connection.execute(text(_WORK), {"stalled": parts.stalled})).one()
        hooks, hooks_since, given_up = (await connection.execute(text(_HOOKS))).one()
        return Figures(
            queues=await _counted(connection, _QUEUES), unread=await _counted(connection, _UNREAD),
            outbox=await _counted(connection, _OUTBOX), jobs=await _counted(connection, _JOBS),
            hooks=Waiting(hooks, max(0.0, float(hooks_since or 0))), hooks_given_up=given_up,
            doing=doing, stalled=stalled, workers=workers,
        )  # fmt: skip


async def _counted(connection: AsyncConnection, query: str) -> dict[str, Waiting]:
    found = await connection.execute(text(query))
    return {name: Waiting(int(count), max(0.0, float(oldest or 0))) for name, count, oldest in found}


async def snapshot(parts: Parts) -> Snapshot:
    """The figures as gauges. When the store is away only that is told."""
    made = Snapshot()
    try:
        seen = await waiting(parts)
    except (SQLAlchemyError, OSError):
        made.set("store_up", "Whether PostgreSQL answers this process.", 0)
        return made
    made.set("store_up", "Whether PostgreSQL answers this process.", 1)
    for name, about, key, values in (
        ("queue", "Requests that no agent has taken", "queue", seen.queues),
        ("unread", "Customers' lines that no turn has read", "channel", seen.unread),
        ("outbox", "Messages that are not sent yet", "channel", seen.outbox),
        ("jobs_waiting", "Jobs whose time has come", "job", seen.jobs),
    ):
        made.each(f"{name}_length", f"{about}.", key, {one: float(two.count) for one, two in values.items()})
        made.each(
            f"{name}_oldest_seconds",
            f"{about}: since when the oldest waits.",
            key,
            {one: two.oldest for one, two in values.items()},
        )
    made.set("hooks_length", "Events that the outside system has not taken yet.", seen.hooks.count)
    made.set("hooks_oldest_seconds", "Events that are not taken yet: since when the oldest waits.", seen.hooks.oldest)
    made.set("hooks_given_up", "Events of the last day that are not tried again.", seen.hooks_given_up)
    made.set("jobs_doing", "Jobs that are being done.", seen.doing)
    made.set("jobs_stalled", "Jobs whose worker gives no sign of life.", seen.stalled)
    made.set("workers", "Processes that do jobs.", seen.workers)
    return made
