"""Run a worker until it is told to stop."""

import asyncio

from vaultcrm.bootstrap import open_parts
from vaultcrm.db.jobs import job_app
from vaultcrm.entrypoints.worker.jobs import register_jobs
from vaultcrm.settings import Settings


async def run_worker(settings: Settings, *, concurrency: int = 8) -> None:
    """Take jobs, up to `concurrency` at once, until SIGINT or SIGTERM; then finish and return."""
    async with open_parts(settings) as parts:
        app = job_app(parts.database_url)
        register_jobs(app, parts)
        async with app.open_async():
            await app.run_worker_async(
                concurrency=concurrency,
                install_signal_handlers=True,
                delete_jobs="successful",
                fetch_job_polling_interval=5,
                shutdown_graceful_timeout=20,
            )


def main(settings: Settings, *, concurrency: int = 8) -> None:
    asyncio.run(run_worker(settings, concurrency=concurrency))
