"""Run a worker until it is told to stop."""

import asyncio

from procrastinate import App

from vaultcrm.bootstrap import open_parts
from vaultcrm.db.jobs import DEFAULT_QUEUE, EVENTS_QUEUE, job_app
from vaultcrm.entrypoints.worker.jobs import register_jobs
from vaultcrm.settings import Settings
from vaultcrm.workflows.alerting import clear_unknown_models

EVENTS_AT_ONCE = 4
_HEARTBEATS_BEFORE_STALLED = 3
_CONNECTIONS = 6


async def run_worker(settings: Settings, *, concurrency: int = 8) -> None:
    """Take jobs, up to `concurrency` at once, until SIGINT or SIGTERM; then finish and return.

    Events are told beside that, so that a system that hangs keeps no message waiting.
    """
    async with open_parts(settings) as parts:
        await clear_unknown_models(parts)
        app = job_app(parts.database_url, max_size=_CONNECTIONS)
        register_jobs(app, parts)
        stalled = settings.worker_stalled_seconds
        async with app.open_async():
            workers = [
                asyncio.create_task(
                    _take_jobs(app, DEFAULT_QUEUE, concurrency, stalled, told_to_stop=True)
                ),
                asyncio.create_task(_take_jobs(app, EVENTS_QUEUE, EVENTS_AT_ONCE, stalled)),
            ]
            try:
                ended, _ = await asyncio.wait(workers, return_when=asyncio.FIRST_COMPLETED)
            finally:
                # A worker that is cancelled finishes what it is at, as one that gets a signal does.
                for worker in workers:
                    worker.cancel()
                await asyncio.gather(*workers, return_exceptions=True)
            for worker in ended:
                worker.result()


async def _take_jobs(
    app: App, queue: str, concurrency: int, stalled_seconds: float, *, told_to_stop: bool = False
) -> None:
    """Take the jobs of one queue; `told_to_stop` says that signals stop this worker."""
    await app.run_worker_async(
        queues=[queue],
        concurrency=concurrency,
        install_signal_handlers=told_to_stop,
        delete_jobs="successful",
        fetch_job_polling_interval=5,
        shutdown_graceful_timeout=20,
        update_heartbeat_interval=stalled_seconds / _HEARTBEATS_BEFORE_STALLED,
        stalled_worker_timeout=stalled_seconds,
    )


def main(settings: Settings, *, concurrency: int = 8) -> None:
    asyncio.run(run_worker(settings, concurrency=concurrency))
