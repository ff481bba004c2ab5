"""Jobs: rows in PostgreSQL, deferred on the connection, and so in the transaction, that is given.

Only names and arguments are known here; what a job does is in `vaultcrm.entrypoints.worker`.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, Final

import procrastinate
import psycopg
from procrastinate.exceptions import ConnectorException, UniqueViolation
from procrastinate.jobs import Job, Status
from procrastinate.manager import JobManager

from vaultcrm.db.pending import Connection

DELIVER_MESSAGE = "deliver_message"
PROCESS_INBOUND = "process_inbound"
ANSWER_FAN = "answer_fan"
FAN_REACTS = "fan_reacts"
DELIVER_EVENTS = "deliver_events"

DEFAULT_QUEUE = "default"
EVENTS_QUEUE = "events"
"""Calls of other systems have a queue of their own: one that hangs keeps no message waiting."""


_INSIST_SECONDS = 60
"""Longer than a worker that cannot reach the database lives, so that no job outlives its worker."""
_FIRST_PAUSE_SECONDS = 0.2
_LONGEST_PAUSE_SECONDS = 5.0


def job_app(url: str, *, max_size: int = 4) -> procrastinate.App:
    """The job queue on a database. It connects when it is opened, not before."""
    connector = procrastinate.PsycopgConnector(conninfo=url, min_size=1, max_size=max_size)
    app = procrastinate.App(connector=connector)
    app.job_manager = JobKeeper(connector)
    return app


class JobKeeper(JobManager):
    """Writes down how jobs end, also past a restart of the database and past a waiting double.

    Where that fails, procrastinate leaves the job as running on a worker that lives, so nobody ever
    runs it again, and whatever has the same lock waits for ever.
    """

    async def finish_job(self, job: Job, status: Status, delete_job: bool) -> None:
        async def finish() -> None:
            await super(JobKeeper, self).finish_job(job, status, delete_job)

        await self._insist(job, finish)

    async def retry_job(
        self,
        job: Job,
        retry_at: datetime | None = None,
        priority: int | None = None,
        queue: str | None = None,
        lock: str | None = None,
    ) -> None:
        async def retry() -> None:
            try:
                await super(JobKeeper, self).retry_job(job, retry_at, priority, queue, lock)
            except UniqueViolation:
                if job.lock is None:
                    # The double that waits does the same work.
                    await super(JobKeeper, self).finish_job(job, Status.ABORTED, delete_job=True)
                    return
                # This one is the earlier and has its place among the jobs of its lock.
                await self.connector.execute_query_async(
                    _DROP_DOUBLE, queueing_lock=job.queueing_lock
                )
                await super(JobKeeper, self).retry_job(job, retry_at, priority, queue, lock)

        await self._insist(job, retry)

    async def _insist(self, job: Job, write: Callable[[], Awaitable[None]]) -> None:
        """Write, again and again while the database is away.

        A write whose answer was lost may have been done; then the job is not this run's any more.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _INSIST_SECONDS
        pause = _FIRST_PAUSE_SECONDS
        broken = False
        while True:
            try:
                if not broken or await self._is_running(job):
                    await write()
                return
            except ConnectorException as wrapped:
                away = isinstance(wrapped.__cause__, psycopg.OperationalError)
                if not away or loop.time() > deadline:
                    raise
                broken = True
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)

    async def _is_running(self, job: Job) -> bool:
        """Whether the job is still in the run that `job` describes."""
        found = await self.connector.execute_query_all_async(
            _RUNNING, job_id=job.id, worker_id=job.worker_id, attempts=job.attempts
        )
        return bool(found)


_RUNNING: Final = """
    SELECT id FROM procrastinate_jobs
    WHERE id = %(job_id)s AND status = 'doing' AND attempts = %(attempts)s
      AND worker_id IS NOT DISTINCT FROM %(worker_id)s
"""

_DROP_DOUBLE: Final = """
    DELETE FROM procrastinate_jobs WHERE queueing_lock = %(queueing_lock)s AND status = 'todo'
"""


class JobQueue:
    """Defers jobs inside the caller's transaction: no commit, no job."""

    def __init__(self, app: procrastinate.App) -> None:
        self._app = app

    async def defer(
        self,
        connection: Connection,
        name: str,
        *,
        lock: str | None = None,
        queueing_lock: str | None = None,
        at: datetime | None = None,
        queue: str = DEFAULT_QUEUE,
        **arguments: Any,
    ) -> bool:
        """Defer a job by name. Jobs of one `lock` run one after the other.

        False when a job with the same `queueing_lock` waits already. Raises `psycopg.Error`.
        """
        deferrer = self._app.configure_task(
            name,
            queue=queue,
            lock=lock,
            queueing_lock=queueing_lock,
            schedule_at=at,
            connection=connection,
        )
        try:
            if queueing_lock is None:
                await deferrer.defer_async(**arguments)
                return True
            async with connection.transaction():
                await deferrer.defer_async(**arguments)
        except procrastinate.exceptions.AlreadyEnqueued:
            return False
        except procrastinate.exceptions.ConnectorException as wrapped:
            # Callers know the errors of the database; one more kind of them would get past those
            # who tell users that the database is away.
            if isinstance(wrapped.__cause__, psycopg.Error):
                raise wrapped.__cause__ from None
            raise
        return True

    async def postpone(self, connection: Connection, queueing_lock: str, at: datetime) -> None:
        """Let a job that waits with this `queueing_lock` run at `at`, if it would run before."""
        await connection.execute(
            """
            UPDATE procrastinate_jobs SET scheduled_at = %(at)s
            WHERE queueing_lock = %(queueing_lock)s AND status = 'todo' AND scheduled_at < %(at)s
            """,
            {"queueing_lock": queueing_lock, "at": at},
        )
