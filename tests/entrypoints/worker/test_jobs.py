"""When jobs run, and that one whose worker died runs again whatever stands beside it."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.support.app import RunningApp
from tests.support.worker import run_jobs
from tests.support.world import conversation, jobs, rows, sign_in
from vaultcrm.db.jobs import ANSWER_FAN, job_app
from vaultcrm.domain.people import Role
from vaultcrm.entrypoints.worker.jobs import register_jobs

pytestmark = pytest.mark.anyio

MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("every", "schedule"), [(60, [60.0, 120.0, 180.0]), (5, [5.0, 10.0, 15.0])]
)
async def test_dead_workers_and_lost_work_are_looked_for_as_often_as_is_set(
    app: RunningApp, every: int, schedule: list[float]
) -> None:
    settings = app.parts.settings.model_copy(update={"recovery_every_seconds": every})
    times = moments(replace(app.parts, settings=settings), app)
    assert times["rescue_stalled_jobs"] == schedule
    assert times["recover_lost_work"] == schedule


async def test_simulated_fans_write_every_fifteen_seconds(app: RunningApp) -> None:
    settings = app.parts.settings.model_copy(update={"simulated_fans": True})
    times = moments(replace(app.parts, settings=settings), app)
    assert times["simulated_fans_write"] == [15.0, 30.0, 45.0]


def moments(parts: object, app: RunningApp) -> dict[str, list[float]]:
    """The first three moments of every job that runs by the clock, in seconds."""
    worker = job_app(app.parts.database_url)
    register_jobs(worker, parts)  # type: ignore[arg-type]
    found = {}
    for periodic in worker.periodic_registry.periodic_tasks.values():
        clock = periodic.croniter
        clock.set_current(0)
        found[periodic.task.name] = [float(clock.get_next(float)) for _ in range(3)]
    return found


async def test_a_dead_workers_job_whose_double_waits_keeps_no_other_from_running_again(
    app: RunningApp,
) -> None:
    manager = await sign_in(app, Role.MANAGER)
    first = await conversation(manager, fan="tom88")
    second = await conversation(manager, fan="zoe")
    # Both answers were begun by a worker that is gone; then the first fan wrote again.
    await rows(app, "UPDATE procrastinate_jobs SET status = 'doing', scheduled_at = NULL")
    await manager.made(first.messages, first.says("Are you there?"))
    assert [job["status"] for job in await jobs(app, ANSWER_FAN)] == ["doing", "doing", "todo"]

    worker = job_app(app.parts.database_url)
    async with worker.open_async():
        await worker.configure_task("rescue_stalled_jobs").defer_async(timestamp=0)
    await run_jobs(app)
    [double] = await jobs(app, ANSWER_FAN)
    assert double["status"] == "todo"

    await rows(app, "UPDATE procrastinate_jobs SET scheduled_at = now() WHERE status = 'todo'")
    await run_jobs(app)
    assert await jobs(app, ANSWER_FAN) == []
    drafts = await rows(
        app, "SELECT conversation_id::text AS talk, status FROM ai_message_generations"
    )
    assert {draft["talk"] for draft in drafts} == {first.conversation_id, second.conversation_id}
