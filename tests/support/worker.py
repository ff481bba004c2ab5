"""A worker that does what waits and stops."""

from tests.support.app import RunningApp
from tests.support.world import rows
from vaultcrm.db.jobs import job_app
from vaultcrm.entrypoints.worker.jobs import register_jobs


async def run_jobs(app: RunningApp) -> None:
    """Run every job whose time has come, and those that they defer, as a worker would.

    What a worker does by the clock it leaves out: else a test would do more when a minute begins.

    A worker that does not wait stops as soon as it can take no job, which is also so while jobs
    hold a lock that others wait for; it is started anew until nothing moves any more.
    """
    worker = job_app(app.parts.database_url)
    register_jobs(worker, app.parts)
    worker.periodic_registry.periodic_tasks.clear()
    before: list[int] = []
    async with worker.open_async():
        while (due := await _due(app)) and due != before:
            before = due
            await worker.run_worker_async(
                wait=False,
                concurrency=4,
                install_signal_handlers=False,
                listen_notify=False,
                delete_jobs="successful",
            )


async def _due(app: RunningApp) -> list[int]:
    found = await rows(
        app,
        """SELECT id FROM procrastinate_jobs
           WHERE status = 'todo' AND (scheduled_at IS NULL OR scheduled_at <= now())
           ORDER BY id""",
    )
    return [row["id"] for row in found]


async def time_has_come(app: RunningApp) -> None:
    """Let every job and message that waits for its time be due."""
    await rows(app, "UPDATE procrastinate_jobs SET scheduled_at = now() WHERE status = 'todo'")
    await rows(app, "UPDATE outbox SET not_before = created_at")
