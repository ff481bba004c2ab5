"""The audit log: written in the transaction of what it tells of, read by admins."""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from vaultcrm.db.pending import Connection, Pending, Rows, run, send
from vaultcrm.domain.audit import AuditAction, AuditEntry
from vaultcrm.domain.ids import NIL, least_id_at
from vaultcrm.domain.request_id import current_request_id

INSERT = """
    INSERT INTO audit_log
        (creator_id, id, at, actor_id, action, subject_type, subject_id, details)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s::jsonb)
"""


async def record(connection: Connection, entry: AuditEntry) -> None:
    """Append one entry on the connection, and so in the transaction, that is given. What a request
    has done names it (`request_id`), as its answer and the lines of the log do.
    """
    request_id = current_request_id()
    details = entry.details if request_id is None else entry.details | {"request_id": request_id}
    params = (
        entry.creator_id,
        entry.id,
        entry.at,
        entry.actor_id,
        entry.action.value,
        entry.subject_type,
        entry.subject_id,
        json.dumps(details),
    )
    await run(connection, INSERT, params)


# Each creator's newest are found at the end of the key, so that a log of any length is as quick.
# Ids follow the clock, so a period is a stretch of the key too; `at` itself decides at its edges.
PAGE = """
    SELECT a.id, a.creator_id, a.at, a.actor_id, u.name, a.action, a.subject_type, a.subject_id,
           a.details
    FROM (
        SELECT newest.* FROM unnest(%(creator_ids)s::uuid[]) c (id),
        LATERAL (
            SELECT l.* FROM audit_log l
            WHERE l.creator_id = c.id
              AND l.id < %(below)s AND l.id >= %(from)s
              AND (%(since)s::timestamptz IS NULL OR l.at >= %(since)s)
              AND (%(until)s::timestamptz IS NULL OR l.at < %(until)s)
              AND (%(actor_id)s::uuid IS NULL OR l.actor_id = %(actor_id)s)
              AND (%(action)s::text IS NULL OR l.action = %(action)s)
              AND (%(subject_id)s::text IS NULL OR l.subject_id = %(subject_id)s)
            ORDER BY l.id DESC
            LIMIT %(limit)s
        ) newest
        ORDER BY newest.id DESC
        LIMIT %(limit)s
    ) a
    LEFT JOIN users u ON u.id = a.actor_id
    ORDER BY a.id DESC
"""


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which entries are wanted; what is None is not asked about. `since` counts in, `until` not."""

    actor_id: UUID | None = None
    action: AuditAction | None = None
    subject_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None


EVERYTHING = AuditFilter()
_LAST_ID = UUID(int=2**128 - 1)
_SLACK = timedelta(days=1)
"""How far an entry's time and that in its id may be apart: what is told of may have taken long."""


def _read_page(rows: Rows) -> list[dict[str, Any]]:
    names = (
        "id", "creator_id", "at", "actor_id", "actor_name", "action", "subject_type", "subject_id",
        "details",
    )  # fmt: skip
    return [dict(zip(names, row, strict=True)) for row in rows]


async def page(
    connection: Connection,
    creator_ids: list[UUID],
    *,
    before: UUID | None,
    limit: int,
    wanted: AuditFilter = EVERYTHING,
) -> Pending[list[dict[str, Any]]]:
    """Entries of some creators (the nil id for the installation), newest first."""
    below = before or _LAST_ID
    if wanted.until is not None:
        below = min(below, least_id_at(wanted.until + _SLACK))
    params = {
        "creator_ids": creator_ids,
        "below": below,
        "from": NIL if wanted.since is None else least_id_at(wanted.since - _SLACK),
        "since": wanted.since,
        "until": wanted.until,
        "actor_id": wanted.actor_id,
        "action": None if wanted.action is None else wanted.action.value,
        "subject_id": wanted.subject_id,
        "limit": limit,
    }
    return await send(connection, PAGE, params, _read_page)


ACTORS = """
    SELECT u.id, u.name FROM users u
    WHERE u.all_creators
       OR EXISTS (SELECT 1 FROM creator_assignments c
                  WHERE c.user_id = u.id AND c.creator_id = ANY(%(creator_ids)s))
    ORDER BY u.name, u.id
    LIMIT %(most)s
"""


async def actors(
    connection: Connection, creator_ids: list[UUID], *, most: int
) -> Pending[dict[UUID, str]]:
    """The names of those who may act for any of these creators, by name."""
    return await send(connection, ACTORS, {"creator_ids": creator_ids, "most": most}, dict)
