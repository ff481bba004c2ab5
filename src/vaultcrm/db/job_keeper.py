"""What a worker tells the job queue, also past a restart of the database and past a waiting double.

procrastinate's own keeper gives up at the first error. Then a worker that lives holds a job that it
does not run: the job is never run again, and whatever has the same lock waits for ever.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime
from typing import Any, Final, TypeVar

import psycopg
from procrastinate.exceptions import ConnectorException, UniqueViolation
from procrastinate.jobs import Job, Status
from procrastinate.manager import JobManager, NotificationCallback

T = TypeVar("T")

INSIST_SECONDS: Final = 60.0
"""How long a database may be away before a worker gives up. It ends then, and a new one begins."""
_FIRST_PAUSE_SECONDS: Final = 0.2
_LONGEST_PAUSE_SECONDS: Final = 2.0

_RUNNING = """
    SELECT id FROM procrastinate_jobs
    WHERE id = %(job_id)s AND status = 'doing' AND attempts = %(attempts)s
      AND worker_id IS NOT DISTINCT FROM %(worker_id)s
"""

_DROP_DOUBLE = """
    DELETE FROM procrastinate_jobs WHERE queueing_lock = %(queueing_lock)s AND status = 'todo'
"""

# Given to this worker by an answer that never reached it.
_NEVER_BEGUN = """
    SELECT id FROM procrastinate_jobs
    WHERE worker_id = %(worker_id)s AND status = 'doing' AND NOT id = ANY(%(begun)s)
"""


class JobKeeper(JobManager):
    """For the workers of one process. Raises ConnectorException when the database is away for more
    than `INSIST_SECONDS`, and at once for any other error of the database.
    """

    def __init__(self, connector: Any) -> None:
        super().__init__(connector)
        self._begun: dict[int | None, set[int]] = defaultdict(set)

    async def fetch_job(self, queues: Iterable[str] | None, worker_id: int) -> Job | None:
        async def fetch() -> Job | None:
            return await super(JobKeeper, self).fetch_job(queues, worker_id)

        async def give_back() -> bool:
            begun = list(self._begun[worker_id])
            lost = await self.connector.execute_query_all_async(
                _NEVER_BEGUN, worker_id=worker_id, begun=begun
            )
            for row in lost:
                await self.retry_job_by_id_async(row["id"], datetime.now().astimezone())
            return True

        job = await _insist(fetch, again=give_back)
        if job is not None and job.id is not None:
            self._begun[worker_id].add(job.id)
        return job

    async def finish_job(self, job: Job, status: Status, delete_job: bool) -> None:
        async def finish() -> None:
            await super(JobKeeper, self).finish_job(job, status, delete_job)

        await self._end(job, finish)

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

        await self._end(job, retry)

    async def update_heartbeat(self, worker_id: int) -> None:
        async def update() -> None:
            await super(JobKeeper, self).update_heartbeat(worker_id)

        await _insist(update)

    async def defer_periodic_job(
        self, job: Job, periodic_id: str, defer_timestamp: int
    ) -> int | None:
        async def defer() -> int | None:
            return await super(JobKeeper, self).defer_periodic_job(
                job, periodic_id, defer_timestamp
            )

        return await _insist(defer)

    async def listen_for_jobs(
        self, *, on_notification: NotificationCallback, queues: Iterable[str] | None = None
    ) -> None:
        """Listen until cancelled. What is told while nobody listens is found by looking."""
        while True:
            try:
                await super().listen_for_jobs(on_notification=on_notification, queues=queues)
            except ConnectorException as wrapped:
                if not _is_away(wrapped):
                    raise
                await asyncio.sleep(_LONGEST_PAUSE_SECONDS)

    async def _end(self, job: Job, write: Callable[[], Awaitable[None]]) -> None:
        """Write how a job ended. A write whose answer was lost may have been done; then the job is
        not this run's any more.
        """

        async def is_running() -> bool:
            found = await self.connector.execute_query_all_async(
                _RUNNING, job_id=job.id, worker_id=job.worker_id, attempts=job.attempts
            )
            return bool(found)

        await _insist(write, again=is_running)
        if job.id is not None:
            self._begun[job.worker_id].discard(job.id)


async def _insist(
    call: Callable[[], Awaitable[T]], again: Callable[[], Awaitable[bool]] | None = None
) -> T | None:
    """Call, and call again while the database is away.

    `again` is asked before each further call and says whether it is still wanted.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + INSIST_SECONDS
    pause = _FIRST_PAUSE_SECONDS
    broken = False
    while True:
        try:
            if broken and again is not None and not await again():
                return None
            return await call()
        except ConnectorException as wrapped:
            if not _is_away(wrapped) or loop.time() > deadline:
                raise
        broken = True
        await asyncio.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)


def _is_away(wrapped: ConnectorException) -> bool:
    return isinstance(wrapped.__cause__, psycopg.OperationalError)
