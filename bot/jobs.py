"""Durable work: turns to take, messages to deliver, attachments to fetch, agents' actions whose time for undoing is over, in
PostgreSQL, by procrastinate.

A job is an INSERT in the transaction of what it is about. Its `lock` keeps the jobs of one conversation in order, its
queueing lock joins a burst into one job (T3): the job takes *all* that is there. Each kind has a queue of its own name, so
that a process may do some kinds only. Nothing depends on a job surviving: what is unread or unsent in the tables is found
by the sweep and gets a job again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Any, Self

import procrastinate
import psycopg
from procrastinate import exceptions
from procrastinate.jobs import DeleteJobCondition, Status
from procrastinate.manager import JobManager
from procrastinate.worker import Worker
from psycopg.rows import dict_row
from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncSession

from bot import database, metrics

log = logging.getLogger(__name__)

Work = Callable[[int], Awaitable[object]]
"""What a job does: gets a conversation's id."""
Sweep = Callable[[], Awaitable[object]]

TURN, DELIVERY, FILES, PLANNED, HOOKS = "turn", "delivery", "files", "planned", "hooks"
GIVE = "give"
"""Requests are given to agents: one job for all of them, its conversation is 0."""
POLL = 0.25
"""Seconds between two looks for jobs whose time has come; new ones are announced by PostgreSQL."""
LONGEST_BACKOFF = 30.0
STOP_WITHIN = 20.0
"""Seconds that the work in hand gets to end when the process is stopped."""
FINISH_PAUSE = 0.5
RECONNECT = 2.0
"""After so many seconds the pool gives up a lost connection and makes new ones when they are asked for: its own pauses
grow to minutes while PostgreSQL is away."""

# A worker that gave no sign of life is dead, unless PostgreSQL itself was away: then all look dead for a moment.
# Jobs without a worker are those of one that has left and could not say what became of them.
_RESCUE = """
DELETE FROM procrastinate_jobs WHERE id IN (
    SELECT job.id FROM procrastinate_jobs job LEFT JOIN procrastinate_workers worker ON worker.id = job.worker_id
    WHERE job.status = 'doing' AND (
        worker.id IS NULL
        OR worker.last_heartbeat < now() - make_interval(secs => %(stalled)s)
        AND pg_postmaster_start_time() < now() - make_interval(secs => %(stalled)s)
    )
    FOR UPDATE OF job SKIP LOCKED
) RETURNING task_name, (args ->> 'conversation_id')::bigint AS conversation_id
"""
_BURY = """
DELETE FROM procrastinate_workers
WHERE last_heartbeat < now() - make_interval(secs => %(stalled)s)
AND pg_postmaster_start_time() < now() - make_interval(secs => %(stalled)s)
"""
# procrastinate adds a job by the same INSERT; that one waits already is an error there, which needs a savepoint around it.
_ADD = text(
    """
INSERT INTO procrastinate_jobs (queue_name, task_name, lock, queueing_lock, args, scheduled_at)
VALUES (:kind, :kind, :lock, :lock, jsonb_build_object('conversation_id', CAST(:id AS bigint)),
        CASE WHEN :delay > 0 THEN clock_timestamp() + make_interval(secs => :delay) END)
ON CONFLICT (queueing_lock) WHERE status = 'todo' DO NOTHING
RETURNING id
"""
)
_HASTEN = text(
    "UPDATE procrastinate_jobs SET scheduled_at = NULL WHERE task_name = :kind AND status = 'todo' AND scheduled_at > now()"
)
_MISSING = text(
    """
SELECT id FROM unnest(CAST(:ids AS bigint[])) AS id WHERE NOT EXISTS (
    SELECT 1 FROM procrastinate_jobs WHERE lock = :kind || ':' || id AND status IN ('todo', 'doing')
)
"""
)


class Jobs:
    """The queue of durable work of one database."""

    def __init__(self, address: str, *, workers: int = 8, stalled: float = 8.0, heartbeat: float = 2.0) -> None:
        """`workers`: jobs at the same time. `stalled`: seconds without a sign of life (given every `heartbeat` seconds)
        after which a process's jobs are done by another."""
        self._workers, self._stalled, self._heartbeat = workers, stalled, heartbeat
        connector = procrastinate.PsycopgConnector(
            conninfo=database.conninfo(address), kwargs=database.LIVELY, min_size=1, max_size=workers + 3, timeout=10.0,
            reconnect_timeout=RECONNECT, configure=_each_alone,
        )  # fmt: skip
        self._connector = connector
        self._app = procrastinate.App(connector=connector)
        self._app.job_manager = _Manager(connector, lambda: self.stopping)
        self.names: list[str] = []
        # kinds of jobs of which it is known what they do
        self._worker_id: int | None = None
        self._left: set[int] = set()
        # workers of this process that ended without being able to say so
        self._failures: dict[tuple[str, int], int] = {}
        self.stopping = False
        # the process ends: long work is to leave off where it can

    async def __aenter__(self) -> Self:
        await self._app.open_async()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._worker_id is not None:
            await self._app.job_manager.unregister_worker(self._worker_id)
        await self._app.close_async()

    def register(self, name: str, work: Work) -> None:
        """Say what the jobs of a name do. What it raises is logged and tried again, later and later."""

        async def run(conversation_id: int) -> None:
            key = name, conversation_id
            try:
                await work(conversation_id)
                self._failures.pop(key, None)
            except asyncio.CancelledError:  # stopped in the middle: another process does it
                await self.again(name, conversation_id, 0.0)
                raise
            except Exception:
                metrics.JOB_FAILED.labels(name).inc()
                failures = self._failures[key] = self._failures.get(key, 0) + 1
                delay = min(2.0**failures, LONGEST_BACKOFF)
                log.exception("job_failed", extra={"job": name, "conversation": conversation_id, "again_in_s": delay})
                await self.again(name, conversation_id, delay)

        self._app.task(name=name, queue=name)(run)
        self.names.append(name)

    # ------------------------------------------------------------------------------------------------ adding jobs
    async def turn(self, session: AsyncSession, conversation_id: int, *, delay: float = 0.0) -> bool:
        """Add a turn for a conversation, in the session's transaction; False when one waits already."""
        return await self.add(session, TURN, conversation_id, delay=delay)

    async def delivery(self, session: AsyncSession, conversation_id: int, *, delay: float = 0.0) -> bool:
        """Add a delivery of a conversation's outbox, in the session's transaction; False when one waits already."""
        return await self.add(session, DELIVERY, conversation_id, delay=delay)

    async def files(self, session: AsyncSession, conversation_id: int, *, delay: float = 0.0) -> bool:
        """Add the fetching of a conversation's attachments, in the session's transaction; False when one waits already."""
        return await self.add(session, FILES, conversation_id, delay=delay)

    async def give(self, session: AsyncSession) -> bool:
        """Add the giving of requests to agents, in the session's transaction; False when one waits already."""
        return await self.add(session, GIVE, 0)

    async def add(self, session: AsyncSession, name: str, conversation_id: int, *, delay: float = 0.0) -> bool:
        """Add a job of a kind for a conversation, in the session's transaction; False when one waits already."""
        await session.flush()
        return await session.scalar(*adding(name, conversation_id, delay=delay)) is not None

    async def hasten(self, session: AsyncSession, name: str) -> None:
        """Let all jobs of a kind that wait for their time begin at once."""
        await session.execute(_HASTEN, {"kind": name})

    async def missing(self, session: AsyncSession, name: str, conversations: Sequence[int]) -> list[int]:
        """Those of some conversations that have no job of a kind, neither waiting nor being done."""
        if not conversations:
            return []
        found = await session.scalars(_MISSING, {"ids": list(conversations), "kind": name})
        return list(found)

    async def again(self, name: str, conversation_id: int, delay: float) -> None:
        """Add a job outside of any transaction."""
        try:
            await self._job(name, conversation_id, delay, None).defer_async(conversation_id=conversation_id)
        except exceptions.AlreadyEnqueued:
            pass
        except exceptions.ConnectorException:
            log.warning("job_not_added", extra={"job": name, "conversation": conversation_id})

    def _job(self, name: str, conversation_id: int, delay: float, connection: Any) -> Any:
        lock = _lock(name, conversation_id)
        when: dict[str, Any] = {"schedule_in": {"seconds": delay}} if delay > 0 else {}
        return self._app.configure_task(
            name=name, queue=name, lock=lock, queueing_lock=lock, connection=connection, **when
        )

    # ------------------------------------------------------------------------------------------------ doing them
    async def run(
        self, sweep: Sweep | None = None, *, every: float = 2.0, kinds: Mapping[str, int] | None = None
    ) -> None:
        """Do jobs until cancelled, and look every few seconds for what has fallen due or was left behind.

        kinds: which jobs, and how many of each at the same time, apart from one another; by default all, together.
        Cancelled, it lets the work in hand end, for STOP_WITHIN seconds at most. Outlives a restart of PostgreSQL.
        """
        self.stopping = False
        together = [(self.names, self._workers)]
        groups = together if kinds is None else [([name], number) for name, number in kinds.items()]
        loops = [asyncio.create_task(self._work(names, number), name="worker") for names, number in groups]
        loops.append(asyncio.create_task(self._sweep_for_ever(sweep, every), name="sweep"))
        try:
            await asyncio.wait(loops, return_when=asyncio.FIRST_COMPLETED)  # none of them ends by itself
        finally:
            self.stopping = True
            for loop in loops:
                loop.cancel()  # once only: a second time would not let the work in hand end
            ended = await asyncio.gather(*loops, return_exceptions=True)
        for outcome in ended:
            if isinstance(outcome, Exception):
                raise outcome

    async def _work(self, names: Collection[str], concurrency: int) -> None:
        """Do jobs of some kinds; begin anew when the store was lost."""
        while True:
            worker = Worker(
                self._app, queues=names, concurrency=concurrency, fetch_job_polling_interval=POLL,
                install_signal_handlers=False, update_heartbeat_interval=self._heartbeat, stalled_worker_timeout=86_400.0,
                abort_job_polling_interval=86_400.0, delete_jobs=DeleteJobCondition.ALWAYS,
                shutdown_graceful_timeout=STOP_WITHIN,
            )  # fmt: skip
            try:
                await self._unregister_the_left()
                await worker.run()  # type: ignore[no-untyped-call]
            except exceptions.ConnectorException as error:
                log.warning("worker_lost_the_store", extra={"error": type(error.__cause__ or error).__name__})
            if worker.worker_id is not None:
                self._left.add(worker.worker_id)
            await asyncio.sleep(1.0)

    async def _unregister_the_left(self) -> None:
        """Let go of the jobs of this process's workers that ended with the store away: nobody is at them any more."""
        while self._left:
            left = next(iter(self._left))
            await self._app.job_manager.unregister_worker(left)
            self._left.discard(left)

    async def run_until_idle(self) -> int:
        """Do all jobs that are due, in order, and return their number (scripted conversations, tests)."""
        manager, done = self._app.job_manager, 0
        if self._worker_id is None:
            self._worker_id = await manager.register_worker()
        while (job := await manager.fetch_job(queues=None, worker_id=self._worker_id)) is not None:
            await self._app.tasks[job.task_name](**job.task_kwargs)
            await manager.finish_job(job, status=Status.SUCCEEDED, delete_job=True)
            done += 1
        return done

    async def rescue_stalled(self) -> int:
        """Do the jobs of dead workers again; return their number (T6). Any number of processes may look at once."""
        rescued = 0
        async with (
            self._connector.pool.connection() as connection,
            connection.transaction(),
            connection.cursor(row_factory=dict_row) as cursor,
        ):
            await cursor.execute(_RESCUE, {"stalled": self._stalled})
            for left in await cursor.fetchall():
                metrics.RESCUED.labels(metrics.label(left["task_name"])).inc()
                log.warning("job_stalled", extra={"job": left["task_name"], "conversation": left["conversation_id"]})
                job = self._job(left["task_name"], left["conversation_id"], 0.0, connection)
                try:
                    async with connection.transaction():
                        await job.defer_async(conversation_id=left["conversation_id"])
                except exceptions.AlreadyEnqueued:
                    pass
                rescued += 1
            await cursor.execute(_BURY, {"stalled": self._stalled})
        return rescued

    async def _sweep_for_ever(self, sweep: Sweep | None, every: float) -> None:
        while True:
            await asyncio.sleep(every)
            try:
                await self.rescue_stalled()
                if sweep is not None:
                    await sweep()
            except (psycopg.Error, exceptions.ConnectorException, OSError) as error:
                log.warning("sweep_lost_the_store", extra={"error": type(error).__name__})
            except Exception:
                log.exception("sweep_failed")


class _Manager(JobManager):
    """procrastinate's own, but a job that is done is done: else it would count as in hand for as long as this process lives,
    and its lock would hold up its conversation."""

    def __init__(self, connector: procrastinate.BaseConnector, stopping: Callable[[], bool]) -> None:
        super().__init__(connector)
        self._stopping = stopping

    async def finish_job(self, job: procrastinate.jobs.Job, status: Status, delete_job: bool) -> None:
        """Write down how a job ended, when the store can be reached again; a process that stops does not wait for that."""
        while True:
            try:
                await super().finish_job(job, status, delete_job)
                return
            except exceptions.ConnectorException as error:
                if not isinstance(error.__cause__, psycopg.OperationalError | psycopg.InterfaceError):
                    log.info("job_gone", extra={"job": job.task_name})  # written down before, the answer was lost
                    return
                if self._stopping():
                    raise
            await asyncio.sleep(FINISH_PAUSE)


async def _each_alone(connection: psycopg.AsyncConnection) -> None:
    """procrastinate's statements need no transaction around each: that would be two more round trips to PostgreSQL."""
    await connection.set_autocommit(True)


def adding(name: str, conversation_id: int, *, delay: float = 0.0) -> tuple[TextClause, dict[str, Any]]:
    """The statement that adds a job, and its parameters: for what is written from within a flush."""
    return _ADD, {"kind": name, "lock": _lock(name, conversation_id), "id": conversation_id, "delay": delay}


def _lock(name: str, conversation_id: int) -> str:
    """What keeps the jobs of a kind and a conversation in order, and joins those that wait into one."""
    return f"{name}:{conversation_id}"
