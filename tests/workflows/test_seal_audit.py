"""Rows of the audit log are sealed in the background, each once, whoever does it and dies at it."""

import asyncio
import os
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import psycopg
import pytest

from tests.support.app import RunningApp
from tests.support.audit import BEGAN, log_rows
from tests.support.worker import run_jobs
from tests.support.world import jobs, rows, sign_in
from vaultcrm.db.jobs import SEAL_AUDIT
from vaultcrm.db.queries import audit_seals
from vaultcrm.domain.ids import NIL, new_id
from vaultcrm.domain.people import Role
from vaultcrm.workflows.seal_audit import ROWS_A_SEAL, ask_for_seals, seal_audit
from vaultcrm.workflows.verify_audit import verify_creator

pytestmark = pytest.mark.anyio

MIA = UUID("01890a5d-ac96-774b-bcce-b302099a8057")


async def sealed_ids(app: RunningApp) -> list[bytes]:
    """The ids in all seals, in the order of the seals."""
    found = await rows(app, "SELECT ids FROM audit_seals ORDER BY number")
    return [row["ids"][at : at + 16] for row in found for at in range(0, len(row["ids"]), 16)]


async def test_all_rows_are_sealed_once_in_batches_that_follow_on_each_other(
    app: RunningApp,
) -> None:
    logged = await log_rows(app, MIA, ROWS_A_SEAL + 10)
    then = replace(app.parts, now=lambda: BEGAN + timedelta(hours=1))
    done = await seal_audit(then, MIA)
    assert (done.rows, done.seals, done.late) == (ROWS_A_SEAL + 10, 2, 0)
    assert await sealed_ids(app) == [each.bytes for each in logged]

    more = await log_rows(app, MIA, 5, began=BEGAN + timedelta(days=1), seed=1)
    assert (await seal_audit(app.parts, MIA)).rows == 5
    assert (await seal_audit(app.parts, MIA)).rows == 0
    assert (await sealed_ids(app))[-5:] == [each.bytes for each in more]
    heads = await rows(app, "SELECT number, previous, hash FROM audit_seals ORDER BY number")
    assert [head["number"] for head in heads] == [1, 2, 3]
    assert [head["previous"] for head in heads[1:]] == [head["hash"] for head in heads[:-1]]


async def test_many_that_seal_at_once_seal_each_row_once(app: RunningApp) -> None:
    logged = await log_rows(app, MIA, 50)
    done = await asyncio.gather(*(seal_audit(app.parts, MIA) for _ in range(8)))
    assert sum(one.rows for one in done) == 50
    assert await sealed_ids(app) == [each.bytes for each in logged]


async def test_rows_of_the_last_moments_wait_for_the_next_seal(app: RunningApp) -> None:
    now = app.parts.now()
    old = await log_rows(app, MIA, 3, began=now - timedelta(minutes=5))
    await log_rows(app, MIA, 3, began=now - timedelta(seconds=5), seed=1)
    assert (await seal_audit(app.parts, MIA)).rows == 3
    assert await sealed_ids(app) == [each.bytes for each in old]


async def test_nothing_is_sealed_past_a_transaction_that_may_still_write(
    app: RunningApp,
) -> None:
    await log_rows(app, MIA, 3)
    async with app.parts.transaction() as connection:
        await connection.execute(
            "INSERT INTO limit_counters VALUES ('x', 'x', '2026-11-01T00:00:00Z', 1)"
        )
        assert (await seal_audit(app.parts, MIA, patience=0.1)).rows == 0
    assert (await seal_audit(app.parts, MIA)).rows == 3


async def test_a_row_that_comes_late_joins_a_later_seal_as_a_late_one(app: RunningApp) -> None:
    now = app.parts.now()
    await log_rows(app, MIA, 20, began=now - timedelta(minutes=10))
    await seal_audit(app.parts, MIA)
    [late] = await log_rows(app, MIA, 1, began=now - timedelta(minutes=9, seconds=55), seed=1)

    assert (await verify_creator(app.parts.pool, MIA)).faults[0].row_id == late
    done = await seal_audit(app.parts, MIA)
    assert (done.rows, done.late) == (1, 1)
    found = await verify_creator(app.parts.pool, MIA)
    assert (found.fault_count, found.rows, found.late) == (0, 21, 1)


async def test_a_row_older_than_an_hour_joins_no_later_seal(app: RunningApp) -> None:
    now = app.parts.now()
    await log_rows(app, MIA, 20, began=now - timedelta(hours=2))
    await seal_audit(app.parts, MIA)
    [forged] = await log_rows(app, MIA, 1, began=now - timedelta(hours=2), seed=1)

    assert (await seal_audit(app.parts, MIA)).rows == 0
    [fault] = (await verify_creator(app.parts.pool, MIA)).faults
    assert fault.row_id == forged


async def test_processes_that_are_killed_while_they_seal_leave_no_row_doubled_or_out(
    app: RunningApp, home: Path
) -> None:
    logged = await log_rows(app, MIA, 8 * ROWS_A_SEAL)
    environment = {**os.environ, "DATABASE_URL": app.parts.database_url, "VAULTCRM_HOME": str(home)}
    command = [sys.executable, "-m", "tests.support.sealing_process", str(MIA)]
    for kill_at in (1, 3, 5):
        process = await asyncio.create_subprocess_exec(*command, env=environment)
        while await _count(app, "SELECT count(*) AS n FROM audit_seals") < kill_at:
            assert process.returncode is None
        process.kill()
        await process.wait()

    await seal_audit(app.parts, MIA)
    assert await sealed_ids(app) == [each.bytes for each in logged]
    assert (await verify_creator(app.parts.pool, MIA)).fault_count == 0


async def _count(app: RunningApp, statement: str) -> int:
    [row] = await rows(app, statement)
    return int(row["n"])


async def test_the_clock_asks_for_one_job_a_creator_and_the_installations_rows(
    app: RunningApp,
) -> None:
    now = app.parts.now()
    admin = await sign_in(app, Role.ADMIN)
    made = await admin.made("/api/creators", {"handle": "mia", "displayName": "Mia"})
    for owner in (mia := UUID(made["id"]), NIL):
        await log_rows(app, owner, 4, began=now - timedelta(minutes=2))
    assert await ask_for_seals(app.parts) == 2
    assert await ask_for_seals(app.parts) == 0
    assert len(await jobs(app, SEAL_AUDIT)) == 2

    await run_jobs(app)
    found = await rows(app, "SELECT creator_id, row_count FROM audit_seals")
    assert {(row["creator_id"], row["row_count"]) for row in found} == {(mia, 4), (NIL, 4)}


async def test_the_application_can_add_to_the_audit_log_and_not_change_it(
    app: RunningApp,
) -> None:
    await log_rows(app, MIA, 3)
    await seal_audit(app.parts, MIA)
    for table in ("audit_log", "audit_seals", "audit_checks"):
        for deed in ("UPDATE {} SET creator_id = creator_id", "DELETE FROM {}", "TRUNCATE {}"):
            statement = deed.format(table)
            async with app.parts.pool.connection() as connection:
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    await connection.execute(statement)


async def test_details_are_erased_for_good_and_the_row_still_holds(app: RunningApp) -> None:
    logged = await log_rows(app, MIA, 9)
    async with app.parts.pool.connection() as connection:
        assert not await audit_seals.erase_details(connection, MIA, logged[4])
        await seal_audit(app.parts, MIA)
        assert await audit_seals.erase_details(connection, MIA, logged[4])
        assert await audit_seals.erase_details(connection, MIA, logged[4])
        assert not await audit_seals.erase_details(connection, MIA, new_id())
    [row] = await rows(app, "SELECT details FROM audit_log WHERE id = %(id)s", id=logged[4])
    assert row["details"].keys() == {"erased"}

    found = await verify_creator(app.parts.pool, MIA)
    assert (found.fault_count, found.erased, found.rows) == (0, 1, 9)
    await rows(
        app,
        "UPDATE audit_log SET details = jsonb_build_object('erased', repeat('0', 64)) "
        "WHERE id = %(id)s",
        id=logged[4],
    )
    assert (await verify_creator(app.parts.pool, MIA)).faults[0].row_id == logged[4]
