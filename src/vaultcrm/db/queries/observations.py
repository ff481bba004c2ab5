"""What processes have seen, the state of queues and of the database: for alerts and /metrics."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from vaultcrm.db.pending import Connection, Pending, Rows, run, send

MOST_COUNTED = 10_000
"""Counting stops here: a longer queue needs help, and not an exact number."""

ADD_MINUTES = """
    INSERT INTO process_minutes AS p
        (process, minute, requests, failed_requests, request_ms, calls, failed_calls, call_ms,
         database_errors)
    SELECT %(process)s, to_timestamp(m.number * 60), m.requests, m.failed_requests, m.request_ms,
           m.calls, m.failed_calls, m.call_ms, m.database_errors
    FROM jsonb_to_recordset(%(minutes)s::jsonb) m (
        number bigint, requests bigint, failed_requests bigint, request_ms bigint, calls bigint,
        failed_calls bigint, call_ms bigint, database_errors bigint)
    ON CONFLICT (minute, process) DO UPDATE
    SET requests = p.requests + excluded.requests,
        failed_requests = p.failed_requests + excluded.failed_requests,
        request_ms = p.request_ms + excluded.request_ms,
        calls = p.calls + excluded.calls,
        failed_calls = p.failed_calls + excluded.failed_calls,
        call_ms = p.call_ms + excluded.call_ms,
        database_errors = p.database_errors + excluded.database_errors
"""
WRITE_PROCESS = """
    INSERT INTO processes (process, kind, seen_at, counts)
    VALUES (%(process)s, %(kind)s, %(now)s, %(counts)s::jsonb)
    ON CONFLICT (process) DO UPDATE
    SET kind = excluded.kind, seen_at = excluded.seen_at, counts = excluded.counts
"""
FORGET = """
    WITH old AS (DELETE FROM process_minutes WHERE minute < %(minutes_before)s)
    DELETE FROM processes WHERE seen_at < %(silent_before)s
"""
PROCESSES = "SELECT process, kind, seen_at, counts FROM processes ORDER BY process"

SUMS = """
    SELECT COALESCE(sum(requests) FILTER (WHERE minute >= %(calls_since)s), 0)::bigint,
           COALESCE(sum(failed_requests) FILTER (WHERE minute >= %(calls_since)s), 0)::bigint,
           COALESCE(sum(request_ms) FILTER (WHERE minute >= %(calls_since)s), 0)::bigint,
           COALESCE(sum(calls) FILTER (WHERE minute >= %(calls_since)s), 0)::bigint,
           COALESCE(sum(failed_calls) FILTER (WHERE minute >= %(calls_since)s), 0)::bigint,
           COALESCE(sum(call_ms) FILTER (WHERE minute >= %(calls_since)s), 0)::bigint,
           COALESCE(sum(database_errors) FILTER (WHERE minute >= %(database_since)s), 0)::bigint
    FROM process_minutes
    WHERE minute >= LEAST(%(calls_since)s, %(database_since)s) AND minute <= %(now)s
"""

LAST_SIGN = "SELECT max(seen_at) FROM processes WHERE kind = %(kind)s"


@dataclass(frozen=True, slots=True)
class Process:
    """One process, when it was last seen, and what it has counted since it began."""

    name: str
    kind: str
    seen_at: datetime
    counts: Mapping[str, Any]


async def write(
    connection: Connection,
    process: str,
    kind: str,
    minutes: Iterable[Mapping[str, int]],
    counts: Mapping[str, Any],
    now: datetime,
) -> None:
    """What one process has seen since it last wrote, and all that it has seen since it began."""
    found = list(minutes)
    if found:
        await run(connection, ADD_MINUTES, {"process": process, "minutes": json.dumps(found)})
    params = {"process": process, "kind": kind, "now": now, "counts": json.dumps(counts)}
    await run(connection, WRITE_PROCESS, params)


async def forget(
    connection: Connection, *, minutes_before: datetime, silent_before: datetime
) -> None:
    """Drop what nobody looks at any more, and processes that have not been seen for long."""
    params = {"minutes_before": minutes_before, "silent_before": silent_before}
    await run(connection, FORGET, params)


async def processes(connection: Connection) -> Pending[list[Process]]:
    return await send(connection, PROCESSES, {}, lambda rows: [Process(*row) for row in rows])


async def sums(
    connection: Connection, *, calls_since: datetime, database_since: datetime, now: datetime
) -> Pending[tuple[int, ...]]:
    """Over all processes: requests, failed ones and their milliseconds, calls to models, failed
    ones and their milliseconds, and errors of the database.
    """
    params = {"calls_since": calls_since, "database_since": database_since, "now": now}
    return await send(connection, SUMS, params, lambda rows: tuple(rows[0]))


async def last_sign_of(connection: Connection, kind: str) -> Pending[datetime | None]:
    """When a process of a kind was last seen."""

    def read(rows: Rows) -> datetime | None:
        return rows[0][0] if rows else None

    return await send(connection, LAST_SIGN, {"kind": kind}, read)


# ---- queues, each counted up to `MOST_COUNTED`

QUEUE = """
    SELECT count(*), min(created_at) FROM (
        SELECT created_at FROM ai_message_generations
        WHERE creator_id = ANY(%(creator_ids)s) AND status = 'queued'
        LIMIT %(most)s) waiting
"""
OUTBOX = """
    SELECT delivery_status, count(*) FROM (
        (SELECT delivery_status FROM outbox
         WHERE creator_id = ANY(%(creator_ids)s) AND delivery_status IN ('pending', 'sending')
         LIMIT %(most)s)
        UNION ALL
        (SELECT delivery_status FROM outbox
         WHERE creator_id = ANY(%(creator_ids)s) AND delivery_status IN ('failed', 'uncertain')
         LIMIT %(most)s)) found
    GROUP BY delivery_status
"""
INBOUND = """
    SELECT count(*) FROM (
        SELECT 1 FROM inbound_events
        WHERE creator_id = ANY(%(creator_ids)s) AND processed_at IS NULL
        LIMIT %(most)s) waiting
"""
JOBS = """
    SELECT queue_name, status::text, count(*) FROM procrastinate_jobs
    WHERE status IN ('todo', 'doing') AND (scheduled_at IS NULL OR scheduled_at <= %(now)s)
    GROUP BY queue_name, status
"""
REVISION = "SELECT max(version_num) FROM alembic_version"
DATABASE = "SELECT pg_database_size(current_database())"


async def waiting_drafts(connection: Connection, params: Mapping[str, Any]) -> Pending[int]:
    return await send(connection, QUEUE, params, lambda rows: int(rows[0][0]))


async def outbox_states(
    connection: Connection, params: Mapping[str, Any]
) -> Pending[dict[str, int]]:
    return await send(connection, OUTBOX, params, dict)


async def waiting_webhooks(connection: Connection, params: Mapping[str, Any]) -> Pending[int]:
    return await send(connection, INBOUND, params, lambda rows: int(rows[0][0]))


async def due_jobs(connection: Connection, now: datetime) -> Pending[dict[tuple[str, ...], float]]:
    """Jobs whose time has come, by queue and whether they wait (`todo`) or run (`doing`)."""
    return await send(
        connection, JOBS, {"now": now}, lambda rows: {(row[0], row[1]): row[2] for row in rows}
    )


async def database_bytes(connection: Connection) -> Pending[int]:
    return await send(connection, DATABASE, {}, lambda rows: int(rows[0][0]))


async def revision_of(connection: Connection) -> str | None:
    """The revision of the schema; revisions are numbered in their order."""

    def read(rows: Rows) -> str | None:
        return rows[0][0] if rows else None

    return await (await send(connection, REVISION, {}, read)).answer()
