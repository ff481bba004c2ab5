"""A/B tests: added as drafts, started and ended once each; what they have come to."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from vaultcrm.db.pending import Connection, Pending, Record, Rows, records, run, send
from vaultcrm.domain.experiments import (
    COMES_FROM,
    AbTestDesign,
    AbTestStatus,
    Allocation,
    RunningTest,
    Variant,
    VariantKind,
)
from vaultcrm.domain.ids import new_id

_COLUMNS = (
    "id", "creator_id", "test_name", "kind", "variants", "results", "status", "created_at",
    "started_at", "ended_at", "metric", "smallest_effect", "allocation", "limits", "shares",
    "epoch", "epochs", "stopped", "counted_until",
)  # fmt: skip
_TEST = ", ".join(_COLUMNS)
_read = records(*_COLUMNS)

PAGE = f"""
    SELECT {_TEST} FROM ai_ab_tests
    WHERE creator_id = ANY(%(creator_ids)s) AND (%(before)s::uuid IS NULL OR id < %(before)s)
    ORDER BY id DESC
    LIMIT %(limit)s
"""
GET = f"SELECT {_TEST} FROM ai_ab_tests WHERE creator_id = %(creator_id)s AND id = %(id)s"
FIND = f"""
    SELECT {_TEST} FROM ai_ab_tests WHERE creator_id = ANY(%(creator_ids)s) AND id = %(id)s
"""
RUNNING = f"""
    SELECT {_TEST} FROM ai_ab_tests
    WHERE creator_id = %(creator_id)s AND kind = %(kind)s AND status = 'running'
"""
# One that has ended is looked at until the outcomes of its last messages are known.
TO_EVALUATE = """
    SELECT creator_id, id FROM ai_ab_tests
    WHERE creator_id = ANY(%(creator_ids)s)
      AND (status = 'running' OR (status = 'ended' AND ended_at > %(ended_after)s))
    ORDER BY counted_until NULLS FIRST, id
"""
# Whoever evaluates a test holds its row; another process goes on with the next one. Saving a draft
# takes no lock on it but that of a foreign key, which this leaves free.
LOCK = f"{GET} FOR NO KEY UPDATE SKIP LOCKED"
ADD = f"""
    INSERT INTO ai_ab_tests
        (creator_id, id, test_name, kind, variants, results, status, created_at, metric,
         smallest_effect, allocation, limits)
    VALUES (%(creator_id)s, %(id)s, %(name)s, %(kind)s, %(variants)s::jsonb, '{{}}', 'draft',
            %(now)s, %(metric)s, %(smallest_effect)s::jsonb, %(allocation)s, %(limits)s::jsonb)
    ON CONFLICT (creator_id, test_name) DO NOTHING
    RETURNING {_TEST}
"""
SET_STATUS = f"""
    UPDATE ai_ab_tests
    SET status = %(status)s,
        started_at = CASE WHEN %(status)s = 'running' THEN %(now)s ELSE started_at END,
        ended_at = CASE WHEN %(status)s = 'ended' THEN %(now)s ELSE ended_at END
    WHERE creator_id = %(creator_id)s AND id = %(id)s AND status = %(comes_from)s
    RETURNING {_TEST}
"""
SHARE_OUT = f"""
    UPDATE ai_ab_tests
    SET shares = %(shares)s::jsonb, epoch = epoch + 1,
        epochs = epochs || jsonb_build_array(%(shares)s::jsonb),
        stopped = stopped || %(stopped)s::jsonb
    WHERE creator_id = %(creator_id)s AND id = %(id)s
    RETURNING {_TEST}
"""
KEEP_RESULTS = """
    UPDATE ai_ab_tests SET results = %(results)s::jsonb, counted_until = %(now)s
    WHERE creator_id = %(creator_id)s AND id = %(id)s
"""

# Part of the statement that reads a conversation (`c`): the creator's running tests, found by a
# partial index that holds nothing else. What only some kinds of test need is read for them alone.
UNDER_TEST = """
    (SELECT jsonb_agg(jsonb_build_array(t.id, t.kind, t.allocation, t.epoch, t.shares,
        (SELECT jsonb_object_agg(v.one ->> 'name', v.one ->> 'reference')
         FROM jsonb_array_elements(t.variants) v (one)),
        CASE WHEN t.allocation = 'thompson' THEN
            (SELECT jsonb_object_agg(a.variant, a.propensity_ppb / 1000000000.0) FROM ai_ab_fans a
             WHERE a.creator_id = t.creator_id AND a.test_id = t.id AND a.fan_id = c.fan_id) END,
        CASE WHEN t.kind = 'template' THEN
            (SELECT jsonb_object_agg(m.id, jsonb_build_array(m.template_text, m.category))
             FROM ai_message_templates m
             WHERE m.creator_id = t.creator_id AND m.archived_at IS NULL
               AND m.id IN (SELECT (v.one ->> 'reference')::uuid
                            FROM jsonb_array_elements(t.variants) v (one))) END)
        ORDER BY t.id)
     FROM ai_ab_tests t WHERE t.creator_id = c.creator_id AND t.status = 'running')
"""


def read_running(stored: list[list[Any]] | None) -> tuple[RunningTest, ...]:
    """What `UNDER_TEST` answers."""
    return tuple(
        RunningTest(
            id=UUID(test_id),
            kind=VariantKind(kind),
            allocation=Allocation(allocation),
            epoch=epoch,
            shares={name: share for name, share in shares.items() if share > 0},
            references=references,
            seen=seen or {},
            templates={one: (text, category) for one, (text, category) in (texts or {}).items()},
        )
        for test_id, kind, allocation, epoch, shares, references, seen, texts in stored or ()
    )


async def list_ab_tests(
    connection: Connection, creator_ids: list[UUID], *, before: UUID | None, limit: int
) -> Pending[list[Record]]:
    """Tests of some creators, the newest first."""
    params = {"creator_ids": creator_ids, "before": before, "limit": limit}
    return await send(connection, PAGE, params, _read)


async def get_ab_test(
    connection: Connection, creator_id: UUID, test_id: UUID
) -> Pending[list[Record]]:
    return await send(connection, GET, {"creator_id": creator_id, "id": test_id}, _read)


async def find_ab_test(
    connection: Connection, creator_ids: list[UUID], test_id: UUID
) -> Pending[list[Record]]:
    """A test of one of some creators, by its id alone."""
    return await send(connection, FIND, {"creator_ids": creator_ids, "id": test_id}, _read)


async def running_ab_test(
    connection: Connection, creator_id: UUID, kind: VariantKind
) -> Pending[list[Record]]:
    """The one test of a kind that runs for a creator."""
    return await send(connection, RUNNING, {"creator_id": creator_id, "kind": kind.value}, _read)


def _read_ids(rows: Rows) -> list[tuple[UUID, UUID]]:
    return [(row[0], row[1]) for row in rows]


async def to_evaluate(
    connection: Connection, creator_ids: list[UUID], ended_after: datetime
) -> list[tuple[UUID, UUID]]:
    """Creator and id of each test that runs or ended after that, those first that were looked at
    the longest ago.
    """
    params = {"creator_ids": creator_ids, "ended_after": ended_after}
    return await (await send(connection, TO_EVALUATE, params, _read_ids)).answer()


async def hold_ab_test(connection: Connection, creator_id: UUID, test_id: UUID) -> Record | None:
    """A test, held until the transaction ends; None when another process holds it."""
    params = {"creator_id": creator_id, "id": test_id}
    found = await (await send(connection, LOCK, params, _read)).answer()
    return found[0] if found else None


async def add_ab_test(
    connection: Connection,
    *,
    creator_id: UUID,
    name: str,
    kind: VariantKind,
    variants: Sequence[Variant],
    design: AbTestDesign,
    now: datetime,
) -> Pending[list[Record]]:
    """Add a test as a draft; no record comes back when the name is taken."""
    told = [
        {"name": v.name, "weight": v.weight, "kind": v.kind.value, "reference": v.reference}
        for v in variants
    ]
    params = {
        "creator_id": creator_id,
        "id": new_id(),
        "name": name,
        "kind": kind.value,
        "variants": json.dumps(told),
        "metric": design.metric.value,
        "smallest_effect": json.dumps(design.effect),
        "allocation": design.allocation.value,
        "limits": json.dumps({one.value: limit for one, limit in design.limits.items()}),
        "now": now,
    }
    return await send(connection, ADD, params, _read)


async def set_ab_test_status(
    connection: Connection, creator_id: UUID, test_id: UUID, status: AbTestStatus, now: datetime
) -> Pending[list[Record]]:
    """Start or end a test; no record comes back unless it is in the status before that one.

    Raises psycopg's UniqueViolation when another test of its kind runs for the creator.
    """
    params = {
        "creator_id": creator_id,
        "id": test_id,
        "status": status.value,
        "comes_from": COMES_FROM[status].value,
        "now": now,
    }
    return await send(connection, SET_STATUS, params, _read)


async def share_out(
    connection: Connection,
    creator_id: UUID,
    test_id: UUID,
    shares: Mapping[str, float],
    stopped: Mapping[str, Mapping[str, Any]] | None = None,
) -> Record:
    """Put other shares in force from now on, and note why variants are out, by their names."""
    params = {
        "creator_id": creator_id,
        "id": test_id,
        "shares": json.dumps(dict(shares)),
        "stopped": json.dumps(stopped or {}),
    }
    return (await (await send(connection, SHARE_OUT, params, _read)).answer())[0]


async def keep_results(
    connection: Connection,
    creator_id: UUID,
    test_id: UUID,
    results: Mapping[str, Any],
    now: datetime,
) -> None:
    params = {
        "creator_id": creator_id,
        "id": test_id,
        "results": json.dumps(results),
        "now": now,
    }
    await run(connection, KEEP_RESULTS, params)
