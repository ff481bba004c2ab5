"""A job's end is written down, or the job runs again: none is left as running for ever."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from procrastinate import App, JobContext, RetryStrategy

from vaultcrm.db.jobs import job_app

pytestmark = pytest.mark.anyio

ONCE_MORE = RetryStrategy(max_attempts=3, wait=0)

# The server process that writes how the first job ended ends itself while it does: from there it
# looks as if the database had been killed in that moment.
LOSE_THE_FIRST_END = """
    CREATE SEQUENCE ends;
    CREATE FUNCTION lose_the_first_end() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
    BEGIN
        IF nextval('ends') = 1 THEN
            PERFORM pg_terminate_backend(pg_backend_pid());
        END IF;
        RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
    END $$;
    CREATE TRIGGER lose_the_first_end BEFORE DELETE OR UPDATE ON procrastinate_jobs
        FOR EACH ROW WHEN (OLD.status = 'doing') EXECUTE FUNCTION lose_the_first_end();
"""


async def test_a_job_whose_end_meets_a_dying_database_ends_all_the_same(database_url: str) -> None:
    runs: list[str] = []
    app = job_app(database_url)

    @app.task(name="work")
    async def work() -> None:
        runs.append("work")

    execute(database_url, LOSE_THE_FIRST_END)
    await deferred_and_run(app, {})
    assert runs == ["work"]
    assert left(database_url) == []
    assert execute(database_url, "SELECT last_value FROM ends") == [(2,)]


async def test_a_job_that_fails_while_the_database_dies_is_tried_again(database_url: str) -> None:
    runs: list[str] = []
    app = job_app(database_url)

    @app.task(name="work", retry=ONCE_MORE)
    async def work() -> None:
        runs.append("work")
        if len(runs) == 1:
            raise RuntimeError("the first time")

    execute(database_url, LOSE_THE_FIRST_END)
    await deferred_and_run(app, {})
    assert runs == ["work", "work"]
    assert left(database_url) == []


async def test_a_job_that_fails_leaves_its_work_to_the_double_that_waits(database_url: str) -> None:
    runs: list[str] = []
    app = job_app(database_url)

    @app.task(name="work", retry=ONCE_MORE)
    async def work(run: str) -> None:
        runs.append(run)
        if run == "first":
            await defer(app, {"queueing_lock": "once"}, run="double")
            raise RuntimeError("the first time")

    await deferred_and_run(app, {"queueing_lock": "once"}, run="first")
    assert runs == ["first", "double"]
    assert left(database_url) == []


async def test_a_job_that_must_wait_keeps_its_place_among_the_jobs_of_its_lock(
    database_url: str,
) -> None:
    runs: list[str] = []
    app = job_app(database_url)
    places = {"queueing_lock": "once", "lock": "talk"}

    @app.task(name="work", retry=ONCE_MORE)
    async def work(run: str) -> None:
        runs.append(run)
        if runs == ["first"]:
            await defer(app, {"lock": "talk"}, run="later")
            await defer(app, places, run="double")
            raise RuntimeError("the first time")

    await deferred_and_run(app, places, run="first")
    assert runs == ["first", "first", "later"]
    assert left(database_url) == []


# The same when a job is taken, once that is wanted.
LOSE_A_TAKING = """
    CREATE SEQUENCE takings;
    CREATE FUNCTION lose_a_taking() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
    BEGIN
        IF nextval('takings') = 1 THEN
            PERFORM pg_terminate_backend(pg_backend_pid());
        END IF;
        RETURN NEW;
    END $$;
    CREATE TRIGGER lose_a_taking BEFORE UPDATE ON procrastinate_jobs
        FOR EACH ROW WHEN (NEW.status = 'doing') EXECUTE FUNCTION lose_a_taking();
"""


async def test_a_job_that_a_worker_was_given_without_hearing_of_it_runs_all_the_same(
    database_url: str,
) -> None:
    runs: list[str] = []
    app = job_app(database_url)

    @app.task(name="work", pass_context=True)
    async def work(context: JobContext, run: str) -> None:
        runs.append(run)
        if run == "first":
            await defer(app, {}, run="given")
            given = "UPDATE procrastinate_jobs SET status = 'doing', worker_id = %s"
            execute(database_url, f"{given} WHERE status = 'todo'", context.job.worker_id)
            await defer(app, {}, run="next")
            execute(database_url, LOSE_A_TAKING)

    await deferred_and_run(app, {}, run="first")
    assert sorted(runs) == ["first", "given", "next"]
    assert left(database_url) == []


async def deferred_and_run(app: App, places: dict[str, Any], **arguments: Any) -> None:
    """Defer one job and work until nothing is left to do."""
    async with app.open_async():
        await defer(app, places, **arguments)
        for _ in range(3):
            await app.run_worker_async(
                wait=False, install_signal_handlers=False, delete_jobs="successful"
            )


async def defer(app: App, places: dict[str, Any], **arguments: Any) -> None:
    deferrer = app.configure_task("work", schedule_at=datetime.now(UTC), **places)
    deferring: Callable[..., Awaitable[int]] = deferrer.defer_async
    await deferring(**arguments)


def left(database_url: str) -> list[tuple[Any, ...]]:
    return execute(database_url, "SELECT task_name, status, args FROM procrastinate_jobs")


def execute(database_url: str, statement: str, *params: Any) -> list[tuple[Any, ...]]:
    with psycopg.connect(database_url, autocommit=True) as connection:
        cursor = connection.execute(statement, params or None)
        return cursor.fetchall() if cursor.description else []
