"""A/B tests: added as drafts, started and ended once each."""

import json
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from vaultcrm.db.pending import Connection, Pending, Record, records, send
from vaultcrm.domain.experiments import COMES_FROM, AbTestStatus, Variant, VariantKind
from vaultcrm.domain.ids import new_id

_TEST = """
    id, creator_id, test_name, kind, variants, results, status, created_at, started_at, ended_at
"""
_read = records(
    "id", "creator_id", "test_name", "kind", "variants", "results", "status", "created_at",
    "started_at", "ended_at",
)  # fmt: skip

PAGE = f"""
    SELECT {_TEST} FROM ai_ab_tests
    WHERE creator_id = ANY(%(creator_ids)s) AND (%(before)s::uuid IS NULL OR id < %(before)s)
    ORDER BY id DESC
    LIMIT %(limit)s
"""
GET = f"SELECT {_TEST} FROM ai_ab_tests WHERE creator_id = %(creator_id)s AND id = %(id)s"
RUNNING = f"""
    SELECT {_TEST} FROM ai_ab_tests
    WHERE creator_id = %(creator_id)s AND kind = %(kind)s AND status = 'running'
"""
ADD = f"""
    INSERT INTO ai_ab_tests (creator_id, id, test_name, kind, variants, results, status, created_at)
    VALUES (%(creator_id)s, %(id)s, %(name)s, %(kind)s, %(variants)s::jsonb, '{{}}', 'draft',
            %(now)s)
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


async def running_ab_test(
    connection: Connection, creator_id: UUID, kind: VariantKind
) -> Pending[list[Record]]:
    """The one test of a kind that runs for a creator."""
    return await send(connection, RUNNING, {"creator_id": creator_id, "kind": kind.value}, _read)


async def add_ab_test(
    connection: Connection,
    *,
    creator_id: UUID,
    name: str,
    kind: VariantKind,
    variants: Sequence[Variant],
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
