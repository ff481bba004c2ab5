"""What is older than it is kept goes, in small steps; what is younger, or still needed, stays."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.support.app import RunningApp, running_app
from tests.support.fixtures import settings
from tests.support.world import SignedIn, conversation, rows, sign_in
from vaultcrm.db.queries.retention import STATEMENTS
from vaultcrm.domain.ids import new_id
from vaultcrm.domain.people import Role
from vaultcrm.domain.retention import Kept
from vaultcrm.workflows import prune as pruning
from vaultcrm.workflows.prune import prune

pytestmark = pytest.mark.anyio

EVERYTHING = {f"retention_{kind.value}_days": 10 for kind in Kept}
COUNTS: dict[Kept, str] = {
    Kept.MESSAGES: "messages",
    Kept.DRAFTS: "ai_message_generations",
    Kept.INBOUND: "inbound_events",
    Kept.EVENTS: "event_deliveries",
    Kept.JUDGEMENTS: "judgements",
    Kept.ALERTS: "alerts",
    Kept.IDEMPOTENCY: "idempotency_keys",
    Kept.SESSIONS: "sessions",
    Kept.SIGN_INS: "sign_in_tries",
    Kept.COUNTERS: "limit_counters",
    Kept.JOBS: "procrastinate_jobs",
}


@pytest.fixture
async def app(database_url: str, home: Path) -> AsyncIterator[RunningApp]:
    async with running_app(settings(database_url, home, **EVERYTHING)) as running:
        yield running


async def one_of_each(app: RunningApp, admin: SignedIn) -> None:
    """A row of every kind that may be removed once it is old, made now."""
    talk = await conversation(admin)
    drafted = await admin.post("/api/ai/generate", talk.asks(), key="once")
    assert drafted.status_code == 200, drafted.text
    await rows(app, "DELETE FROM procrastinate_jobs")
    rejected = {
        "generationId": drafted.json()["generationId"],
        "action": "reject",
        "reason": "no",
    }
    await admin.made("/api/ai/approve", rejected)
    ids: dict[str, Any] = {"creator": talk.creator_id, "user": admin.user_id}
    for statement in (
        """INSERT INTO inbound_events (creator_id, id, channel, event_id, payload, received_at,
                                       processed_at)
           VALUES (%(creator)s, %(id)s, 'webhook', 'e1', 'x', now(), now())""",
        """INSERT INTO event_deliveries (creator_id, id, event_id, endpoint_id, kind, payload,
                                         status, attempts, next_attempt_at, created_at)
           VALUES (%(creator)s, %(id)s, %(id)s, %(id)s, 'ping', '{}', 'dead', 1, now(), now())""",
        """INSERT INTO judgements (creator_id, id, judged_hash, prompt_version, model, verdict,
                                   findings, cleared, created_at)
           VALUES (%(creator)s, %(id)s, 'x', '1', 'm', 'allow', '[]', '{}', now())""",
        """INSERT INTO alerts (id, kind, severity, message, details, raised_at, cleared_at)
           VALUES (%(id)s, 'unknown_model', 'warning', '', '{}', now(), now())""",
        """INSERT INTO sessions (id, token_hash, user_id, device, created_at, last_used_at,
                                 expires_at, second_factor)
           VALUES (%(id)s, 'x', %(user)s, '', now(), now(), now(), false)""",
        "INSERT INTO sign_in_tries (subject, tries, last_at) VALUES ('x', 1, now())",
        """INSERT INTO procrastinate_jobs (queue_name, task_name, status, args)
           VALUES ('default', 'x', 'todo', '{}')""",
        "UPDATE procrastinate_jobs SET status = 'failed'",
    ):
        await rows(app, statement, **ids, id=str(new_id()))


async def counted(app: RunningApp) -> dict[Kept, int]:
    found = {}
    for kind, table in COUNTS.items():
        [row] = await rows(app, f"SELECT count(*) AS n FROM {table}")  # noqa: S608 -- names of ours
        found[kind] = row["n"]
    return found


def in_days(app: RunningApp, days: float) -> Any:
    def now() -> datetime:
        return app.parts.now() + timedelta(days=days)

    return replace(app.parts, now=now)


async def test_what_is_younger_than_it_is_kept_stays(app: RunningApp) -> None:
    admin = await sign_in(app, Role.ADMIN)
    await one_of_each(app, admin)
    before = await counted(app)
    assert all(before.values()), before
    # A day's counter is as old as its midnight: up to a day older than what else was made now.
    await prune(in_days(app, 8.9))
    assert await counted(app) == before


async def test_what_is_older_than_it_is_kept_goes_and_is_counted(app: RunningApp) -> None:
    admin = await sign_in(app, Role.ADMIN)
    await one_of_each(app, admin)
    before = await counted(app)
    removed = await prune(in_days(app, 11))
    assert await counted(app) == dict.fromkeys(Kept, 0)
    assert {kind: removed[kind] for kind in COUNTS} == before
    noted = await rows(app, "SELECT kind, last_rows, all_rows FROM prunings")
    assert {row["kind"]: row["all_rows"] for row in noted} == {
        kind.value: count for kind, count in before.items()
    }
    await prune(in_days(app, 12))
    noted = await rows(app, "SELECT last_rows, all_rows FROM prunings WHERE kind = 'messages'")
    assert (noted[0]["last_rows"], noted[0]["all_rows"]) == (0, before[Kept.MESSAGES])


async def test_messages_and_drafts_are_kept_for_ever_unless_somebody_says_otherwise(
    database_url: str, home: Path
) -> None:
    async with running_app(settings(database_url, home)) as app:
        admin = await sign_in(app, Role.ADMIN)
        await one_of_each(app, admin)
        removed = await prune(in_days(app, 5000))
        after = await counted(app)
    assert (after[Kept.MESSAGES], after[Kept.DRAFTS]) == (1, 1)
    assert removed.keys() == set(Kept) - {Kept.MESSAGES, Kept.DRAFTS}


async def test_what_is_not_over_is_never_removed(app: RunningApp) -> None:
    admin = await sign_in(app, Role.ADMIN)
    await one_of_each(app, admin)
    await rows(app, "UPDATE inbound_events SET processed_at = NULL")
    await rows(app, "UPDATE event_deliveries SET status = 'pending'")
    await rows(app, "UPDATE alerts SET cleared_at = NULL")
    await rows(app, "UPDATE sign_in_tries SET free_at = now() + interval '1 year'")
    await rows(app, "UPDATE procrastinate_jobs SET status = 'todo'")
    await rows(app, "UPDATE ai_message_generations SET status = 'approved'")
    await rows(app, "UPDATE sessions SET expires_at = now() + interval '1 year'")
    before = await counted(app)
    await prune(in_days(app, 11))
    after = await counted(app)
    kept = {
        Kept.INBOUND,
        Kept.EVENTS,
        Kept.ALERTS,
        Kept.SIGN_INS,
        Kept.JOBS,
        Kept.DRAFTS,
        Kept.SESSIONS,
    }
    assert {kind: after[kind] for kind in kept} == {kind: before[kind] for kind in kept}


async def test_more_than_fits_into_one_step_goes_in_several(app: RunningApp) -> None:
    admin = await sign_in(app, Role.ADMIN)
    many = 2 * pruning.AT_ONCE + 7
    await rows(
        app,
        """INSERT INTO limit_counters (kind, subject, window_start, used)
           SELECT 'k', n::text, now(), 1 FROM generate_series(1, %(many)s) n""",
        many=many,
    )
    await rows(
        app,
        """INSERT INTO idempotency_keys (user_id, key, request_hash, created_at)
           SELECT %(user)s, n::text, 'x', now() FROM generate_series(1, %(many)s) n""",
        many=many,
        user=admin.user_id,
    )
    removed = await prune(in_days(app, 11))
    assert (removed[Kept.COUNTERS], removed[Kept.IDEMPOTENCY]) == (many, many)


async def test_old_rows_are_found_by_an_index(app: RunningApp) -> None:
    admin = await sign_in(app, Role.ADMIN)
    talk = await conversation(admin)
    params = {
        "creator_id": talk.creator_id,
        "before": app.parts.now(),
        "below": str(new_id()),
        "most": 100,
    }
    small = {Kept.ALERTS, Kept.JOBS}
    async with app.parts.pool.connection() as connection, connection.transaction():
        await connection.execute("SET LOCAL enable_seqscan = off")
        for kind in set(STATEMENTS) - small:
            for statement in STATEMENTS[kind]:
                cursor = await connection.execute(f"EXPLAIN {statement}".encode(), params)
                plan = "\n".join(row[0] for row in await cursor.fetchall())
                assert "Index" in plan, plan
                assert "Disabled" not in plan, plan
