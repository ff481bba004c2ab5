"""Run a worker until it is told to stop."""

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from procrastinate import App

from vaultcrm.bootstrap import open_parts
from vaultcrm.db.jobs import DEFAULT_QUEUE, EVENTS_QUEUE, job_app
from vaultcrm.domain.errors import DatabaseUnavailable
from vaultcrm.entrypoints.tracing import start_tracing
from vaultcrm.entrypoints.worker.jobs import register_jobs
from vaultcrm.settings import Settings
from vaultcrm.workflows.alerting import clear_unknown_models
from vaultcrm.workflows.observe import WORKER, observing

EVENTS_AT_ONCE = 4
_HEARTBEATS_BEFORE_STALLED = 3
_CONNECTIONS = 6


async def run_worker(settings: Settings, *, concurrency: int = 8) -> None:
    """Take jobs, up to `concurrency` at once, until SIGINT or SIGTERM; then finish and return.

    Events are told beside that, so that a system that hangs keeps no message waiting. Raises
    `DatabaseUnavailable` when the database stays away.
    """
    start_tracing()
    async with open_parts(settings) as parts:
        await clear_unknown_models(parts)
        app = job_app(parts.database_url, max_size=_CONNECTIONS)
        register_jobs(app, parts)
        async with observing(parts, WORKER), app.open_async():
            with _stop_signals() as told:
                await _work_until(told, app, concurrency, settings.worker_stalled_seconds)


async def _work_until(
    told: asyncio.Event, app: App, concurrency: int, stalled_seconds: float
) -> None:
    """Take jobs until told to stop. Raises `DatabaseUnavailable` when a worker ends before that."""
    workers = [
        asyncio.create_task(_take_jobs(app, DEFAULT_QUEUE, concurrency, stalled_seconds)),
        asyncio.create_task(_take_jobs(app, EVENTS_QUEUE, EVENTS_AT_ONCE, stalled_seconds)),
    ]
    stop = asyncio.create_task(told.wait())
    try:
        ended, _ = await asyncio.wait([stop, *workers], return_when=asyncio.FIRST_COMPLETED)
    finally:
        # A worker that is cancelled finishes what it is at.
        for task in (stop, *workers):
            task.cancel()
        await asyncio.gather(stop, *workers, return_exceptions=True)
    if not told.is_set():
        for worker in ended:
            worker.result()
        raise DatabaseUnavailable(
            "The worker could not reach the database for too long and has stopped. What it printed "
            "above says why."
        )


@contextmanager
def _stop_signals() -> Iterator[asyncio.Event]:
    """The event is set when SIGINT or SIGTERM asks to stop."""
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, told.set)
    try:
        yield told
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


async def _take_jobs(app: App, queue: str, concurrency: int, stalled_seconds: float) -> None:
    """Take the jobs of one queue until cancelled."""
    await app.run_worker_async(
        queues=[queue],
        concurrency=concurrency,
        install_signal_handlers=False,
        delete_jobs="successful",
        # Nobody tells a worker when a job's time has come: a message that waits to leave, or a
        # draft that waits for the fan to be quiet, is late by up to this.
        fetch_job_polling_interval=1,
        shutdown_graceful_timeout=20,
        update_heartbeat_interval=stalled_seconds / _HEARTBEATS_BEFORE_STALLED,
        stalled_worker_timeout=stalled_seconds,
    )


def main(settings: Settings, *, concurrency: int = 8) -> None:
    asyncio.run(run_worker(settings, concurrency=concurrency))
