"""Durable work: turns to take and messages to deliver, in PostgreSQL, by procrastinate.

A job is an INSERT in the transaction of what it is about. Its `lock` keeps the jobs of one conversation in order, its
queueing lock joins a burst into one job (T3): the job takes *all* that is there. Nothing depends on a job surviving: what
is unread or unsent in the tables is found by the sweep and gets a job again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import procrastinate
from procrastinate import exceptions
from procrastinate.jobs import Status
from sqlalchemy.ext.asyncio import AsyncSession

from bot import database

log = logging.getLogger(__name__)

Work = Callable[[int], Awaitable[object]]
"""What a job does: gets a conversation's id."""
Sweep = Callable[[], Awaitable[object]]

TURN, DELIVERY = "turn", "delivery"
HEARTBEAT = 4.0
POLL = 0.25
"""Seconds between two looks for jobs whose time has come; new ones are announced by PostgreSQL."""
LONGEST_BACKOFF = 120.0


class Jobs:
    """The queue of durable work of one database."""

    def __init__(self, address: str, *, workers: int = 8, stalled: float = 20.0) -> None:
        """`stalled`: seconds without a sign of life after which a worker's jobs are done by another."""
        self._workers, self._stalled = workers, stalled
        connector = procrastinate.PsycopgConnector(
            conninfo=database.conninfo(address), min_size=1, max_size=workers + 3, timeout=10.0
        )
        self._app = procrastinate.App(connector=connector)
        self._worker_id: int | None = None
        self._failures: dict[tuple[str, int], int] = {}

    async def __aenter__(self) -> Jobs:
        await self._app.open_async()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._worker_id is not None:
            await self._app.job_manager.unregister_worker(self._worker_id)
        await self._app.close_async()

    def register(self, name: str, work: Work) -> None:
        """Say what the jobs of a name do. What it raises is logged and tried again, later and later."""

        async def run(conversation_id: int) -> None:
            try:
                await work(conversation_id)
                self._failures.pop((name, conversation_id), None)
            except Exception:
                failures = self._failures[name, conversation_id] = self._failures.get((name, conversation_id), 0) + 1
                delay = min(2.0**failures, LONGEST_BACKOFF)
                log.exception("job_failed", extra={"job": name, "conversation": conversation_id, "again_in_s": delay})
                await self.again(name, conversation_id, delay)

        self._app.task(name=name)(run)

    # ------------------------------------------------------------------------------------------------ adding jobs
    async def turn(self, session: AsyncSession, conversation_id: int, *, delay: float = 0.0) -> bool:
        """Add a turn for a conversation, in the session's transaction; False when one waits already."""
        return await self._add(session, TURN, conversation_id, delay)

    async def delivery(self, session: AsyncSession, conversation_id: int, *, delay: float = 0.0) -> bool:
        """Add a delivery of a conversation's outbox, in the session's transaction; False when one waits already."""
        return await self._add(session, DELIVERY, conversation_id, delay)

    async def _add(self, session: AsyncSession, name: str, conversation_id: int, delay: float) -> bool:
        added = _added(session)
        if (name, conversation_id) in added:
            return False
        await session.flush()
        try:
            async with session.begin_nested():
                connection = await database.driver(session)
                await self._job(name, conversation_id, delay, connection).defer_async(conversation_id=conversation_id)
        except exceptions.AlreadyEnqueued:
            return False
        added.add((name, conversation_id))
        return True

    async def again(self, name: str, conversation_id: int, delay: float) -> None:
        """Add a job outside of any transaction."""
        try:
            await self._job(name, conversation_id, delay, None).defer_async(conversation_id=conversation_id)
        except exceptions.AlreadyEnqueued:
            pass
        except exceptions.ConnectorException:
            log.warning("job_not_added", extra={"job": name, "conversation": conversation_id})

    def _job(self, name: str, conversation_id: int, delay: float, connection: Any) -> Any:
        lock = f"{name}:{conversation_id}"
        when: dict[str, Any] = {"schedule_in": {"seconds": delay}} if delay > 0 else {}
        return self._app.configure_task(name=name, lock=lock, queueing_lock=lock, connection=connection, **when)

    # ------------------------------------------------------------------------------------------------ doing them
    async def run(self, sweep: Sweep | None = None, *, every: float = 5.0) -> None:
        """Do jobs until cancelled, and look every few seconds for what has fallen due or was left behind.

        Outlives a restart of PostgreSQL.
        """
        sweeper = asyncio.create_task(self._sweep_for_ever(sweep, every), name="sweep")
        try:
            while True:
                try:
                    await self._app.run_worker_async(
                        concurrency=self._workers, fetch_job_polling_interval=POLL, install_signal_handlers=False,
                        update_heartbeat_interval=HEARTBEAT, stalled_worker_timeout=self._stalled,
                        delete_jobs="always", shutdown_graceful_timeout=10.0,
                    )  # fmt: skip
                except exceptions.ConnectorException as error:
                    log.warning("worker_lost_the_store", extra={"error": str(error)})
                await asyncio.sleep(1.0)
        finally:
            sweeper.cancel()
            await asyncio.gather(sweeper, return_exceptions=True)

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
        """Do the jobs of dead workers again; return their number (T6)."""
        manager, rescued = self._app.job_manager, 0
        for job in await manager.get_stalled_jobs(seconds_since_heartbeat=self._stalled):
            assert job.id is not None
            log.warning("job_stalled", extra={"job": job.task_name, "given": dict(job.task_kwargs)})
            await manager.finish_job(job, status=Status.FAILED, delete_job=True)
            await self.again(job.task_name, int(str(job.task_kwargs["conversation_id"])), 0.0)
            rescued += 1
        await manager.prune_stalled_workers(self._stalled)
        return rescued

    async def _sweep_for_ever(self, sweep: Sweep | None, every: float) -> None:
        while True:
            await asyncio.sleep(every)
            try:
                await self.rescue_stalled()
                if sweep is not None:
                    await sweep()
            except Exception:
                log.exception("sweep_failed")


def _added(session: AsyncSession) -> set[tuple[str, int]]:
    """Jobs that this very transaction (or savepoint: what it takes back must be added again) has added."""
    own = session.sync_session
    transaction = own.get_nested_transaction() or own.get_transaction()
    known = own.info.get("firstline_jobs")
    if known is None or known[0] is not transaction or transaction is None:
        known = (transaction, set())
        own.info["firstline_jobs"] = known
    jobs: set[tuple[str, int]] = known[1]
    return jobs
