"""The audit log: written in the transaction of what it tells of, read by admins."""

import json
from typing import Any
from uuid import UUID

from vaultcrm.db.pending import Connection, Pending, Rows, run, send
from vaultcrm.domain.audit import AuditEntry

INSERT = """
    INSERT INTO audit_log
        (creator_id, id, at, actor_id, action, subject_type, subject_id, details)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s::jsonb)
"""


async def record(connection: Connection, entry: AuditEntry) -> None:
    """Append one entry on the connection, and so in the transaction, that is given."""
    params = (
        entry.creator_id,
        entry.id,
        entry.at,
        entry.actor_id,
        entry.action.value,
        entry.subject_type,
        entry.subject_id,
        json.dumps(entry.details),
    )
    await run(connection, INSERT, params)


PAGE = """
    SELECT a.id, a.creator_id, a.at, a.actor_id, u.name, a.action, a.subject_type, a.subject_id,
           a.details
    FROM audit_log a
    LEFT JOIN users u ON u.id = a.actor_id
    WHERE a.creator_id = ANY(%(creator_ids)s) AND (%(before)s::uuid IS NULL OR a.id < %(before)s)
    ORDER BY a.id DESC
    LIMIT %(limit)s
"""


def _read_page(rows: Rows) -> list[dict[str, Any]]:
    names = (
        "id", "creator_id", "at", "actor_id", "actor_name", "action", "subject_type", "subject_id",
        "details",
    )  # fmt: skip
    return [dict(zip(names, row, strict=True)) for row in rows]


async def page(
    connection: Connection, creator_ids: list[UUID], *, before: UUID | None, limit: int
) -> Pending[list[dict[str, Any]]]:
    """Entries of some creators (the nil id for the installation), newest first."""
    params = {"creator_ids": creator_ids, "before": before, "limit": limit}
    return await send(connection, PAGE, params, _read_page)
