"""What the dashboard reads over ten thousand and over a million generations.

    python -m bench.rollups

Each is a database of its own with generations, decisions and calls to models spread over a year and
20 creators, as many in the last hour of both. The dashboard's 90 days are read live, rolled up, and
read again; rows are those that PostgreSQL's scans give, by EXPLAIN ANALYZE.
"""

import asyncio
import json
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg

from vaultcrm.bootstrap import open_parts
from vaultcrm.db.embedded import start_embedded
from vaultcrm.db.queries import access, metrics, rollups
from vaultcrm.domain.metrics import Period
from vaultcrm.domain.rollups import DAY, Piece, Span, floor_day, pieces_of
from vaultcrm.settings import Settings
from vaultcrm.workflows.parts import Parts
from vaultcrm.workflows.read_metrics import read_course
from vaultcrm.workflows.roll_up import roll_up

CREATORS = 20
DAYS = 365
SHOWN_DAYS = 90
IN_THE_LAST_HOUR = 200
READS = 5

_PEOPLE = """
INSERT INTO creators (id, handle, display_name, language, region, created_at)
SELECT md5('c' || n)::uuid, 'creator' || n, 'Creator ' || n, 'en', 'US', now()
FROM generate_series(1, %(creators)s) n;
"""
_GENERATIONS = """
INSERT INTO ai_message_generations (
    creator_id, id, conversation_id, fan_id, generation_type, status, generated_message, currency,
    confidence_score, reasoning, note, approval_reasons, safety, priority, model, prompt_version,
    personality_version, input_tokens, output_tokens, cached_tokens, cost_micro_usd, created_at,
    approved_at, approved_by, final_message)
SELECT md5('c' || 1 + n %% %(creators)s)::uuid, md5('g' || n)::uuid, md5('v')::uuid,
       md5('f')::uuid, (ARRAY['reply', 'ppv_offer', 'welcome'])[1 + n %% 3],
       CASE WHEN n %% 10 < 8 THEN 'approved' ELSE 'rejected' END, 'Hey you!', 'USD', n %% 100, '',
       '', '{}', '{"findings": []}', 0, 'claude-sonnet-5-5', '1', 1, 100, 50, 0, 900, at,
       at + interval '90 s', md5('u')::uuid, 'Hey you!'
FROM (SELECT n, CASE WHEN n <= %(last)s THEN now() - n * interval '1 s'
                     ELSE now() - interval '3 hours' - n * %(step)s END AS at
      FROM generate_series(1, %(generations)s) n) made
"""
_FEEDBACK = """
INSERT INTO ai_message_feedback (creator_id, id, generation_id, feedback_type, performance_data,
                                 created_at, updated_at)
SELECT creator_id, id, id, status,
       CASE WHEN status = 'approved' THEN '{"replied": true, "revenue": 500}' ELSE '{}' END::jsonb,
       approved_at, approved_at
FROM ai_message_generations
"""
_USAGE = """
INSERT INTO usage (creator_id, id, generation_id, purpose, model, input_tokens, output_tokens,
                   cached_tokens, cost_micro_usd, created_at)
SELECT creator_id, id, id, 'draft', model, input_tokens, output_tokens, cached_tokens,
       cost_micro_usd, created_at
FROM ai_message_generations
"""
_TABLES = ("ai_message_generations", "ai_message_feedback", "usage")


@dataclass(frozen=True)
class Measured:
    """Rows and milliseconds of the dashboard's statements, live and rolled up; how long rolling a
    year up took, and how many rows the roll-ups have.
    """

    generations: int
    live_rows: int
    live_ms: float
    rolled_rows: int
    rolled_ms: float
    roll_up_seconds: float
    kept_rows: int


def _fill(url: str, generations: int) -> None:
    numbers = {
        "creators": CREATORS,
        "generations": generations,
        "last": IN_THE_LAST_HOUR,
        "step": (timedelta(days=DAYS) - timedelta(hours=4)) / generations,
    }
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")
        indexes = connection.execute(
            "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = ANY(%s) "
            "AND indexname !~ '_(pk|once)$'",
            [list(_TABLES)],
        ).fetchall()
        for name, _ in indexes:
            connection.execute(f"DROP INDEX {name}")
        for statement in (_PEOPLE, _GENERATIONS, _FEEDBACK, _USAGE):
            connection.execute(statement, numbers)
        for _, definition in indexes:
            connection.execute(definition)
        connection.execute("VACUUM (ANALYZE)")


@asynccontextmanager
async def _parts(generations: int) -> AsyncIterator[Parts]:
    home = Path(tempfile.mkdtemp(prefix="vaultcrm-bench-"))
    try:
        with start_embedded(home, durable=False) as server:
            own = Settings(_env_file=None, vaultcrm_home=home, database_url=server.url())
            async with open_parts(own) as parts:
                await asyncio.to_thread(_fill, server.url(), generations)
                yield parts
    finally:
        shutil.rmtree(home, ignore_errors=True)


async def measure(generations: int) -> Measured:
    async with _parts(generations) as parts:
        end = floor_day(parts.now()) + DAY
        start = end - SHOWN_DAYS * DAY
        async with parts.pool.connection() as connection:
            creators = await access.all_creator_ids(connection)
        live = [Piece(one, Span.LIVE, start, end) for one in creators]
        live_rows, live_ms = await _rows(parts, live, start, end), await _ms(parts, creators, start)
        began = time.perf_counter()
        while await roll_up(parts):
            pass
        took = time.perf_counter() - began
        async with parts.pool.connection() as connection:
            await connection.execute("ANALYZE rollup_drafts, rollup_decisions, rollup_usage")
            rolled = await rollups.states(connection, creators)
            cursor = await connection.execute(
                "SELECT (SELECT count(*) FROM rollup_drafts) "
                "+ (SELECT count(*) FROM rollup_decisions) + (SELECT count(*) FROM rollup_usage) "
                "+ (SELECT count(*) FROM rollup_waits)"
            )
            [(kept,)] = await cursor.fetchall()
        pieces = [
            piece
            for one in creators
            for piece in pieces_of(one, start, end, rolled[one], hourly_from=end)
        ]
        return Measured(
            generations,
            live_rows,
            live_ms,
            await _rows(parts, pieces, start, end),
            await _ms(parts, creators, start),
            took,
            kept,
        )


async def _rows(parts: Parts, pieces: Sequence[Piece], start: Any, end: Any) -> int:
    total = 0
    async with parts.pool.connection() as connection:
        for statement in metrics.STATEMENTS.values():
            cursor = await connection.execute(
                f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}",
                metrics.params_of(pieces, start, end),
            )
            [(plan,)] = await cursor.fetchall()
            total += _scanned((json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"])
    return total


def _scanned(node: Mapping[str, Any]) -> int:
    below: int = sum(_scanned(child) for child in node.get("Plans", ()))
    if "Relation Name" not in node:
        return below
    given = float(node["Actual Rows"] + node.get("Rows Removed by Filter", 0))
    return below + round(given * float(node["Actual Loops"]))


async def _ms(parts: Parts, creators: list[UUID], start: Any) -> float:
    """The fastest of some readings of all that the dashboard shows."""
    end = start + SHOWN_DAYS * DAY
    times = []
    for _ in range(READS):
        began = time.perf_counter()
        async with parts.pool.connection() as connection:
            await read_course(
                connection, creators, Period(start, end), hourly_from=end, escalation_steps=3
            )
        times.append((time.perf_counter() - began) * 1000)
    return min(times)


if __name__ == "__main__":
    for size in (10_000, 1_000_000):
        print(asyncio.run(measure(size)))
