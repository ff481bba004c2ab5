"""Creators: found by id and by handle, added, and listed."""

from datetime import datetime
from uuid import UUID

from vaultcrm.db.pending import Connection, Pending, Record, Rows, records, send
from vaultcrm.domain.ids import new_id
from vaultcrm.domain.people import Creator

GET_CREATOR = """
    SELECT id, handle, display_name, language, region, rules_revision
    FROM creators WHERE id = %(creator_id)s
"""
CREATOR_BY_HANDLE = """
    SELECT id, handle, display_name, language, region, rules_revision
    FROM creators WHERE handle = %(handle)s
"""


def _read_creator(rows: Rows) -> Creator | None:
    return Creator(*rows[0]) if rows else None


async def get_creator(connection: Connection, creator_id: UUID) -> Pending[Creator | None]:
    return await send(connection, GET_CREATOR, {"creator_id": creator_id}, _read_creator)


async def creator_by_handle(connection: Connection, handle: str) -> Pending[Creator | None]:
    return await send(connection, CREATOR_BY_HANDLE, {"handle": handle}, _read_creator)


ADD_CREATOR = """
    INSERT INTO creators (id, handle, display_name, language, region, created_at)
    VALUES (%(id)s, %(handle)s, %(display_name)s, %(language)s, %(region)s, %(now)s)
    ON CONFLICT (handle) DO NOTHING
    RETURNING id, handle, display_name, language, region
"""


async def add_creator(
    connection: Connection,
    *,
    handle: str,
    display_name: str,
    language: str,
    region: str,
    now: datetime,
) -> Creator | None:
    """Add a creator; None when the handle is taken."""
    params = {
        "id": new_id(),
        "handle": handle,
        "display_name": display_name,
        "language": language,
        "region": region,
        "now": now,
    }
    return await (await send(connection, ADD_CREATOR, params, _read_creator)).answer()


CREATORS = """
    SELECT id, handle, display_name, language, region, created_at
    FROM creators
    WHERE (%(all)s OR id = ANY(%(creator_ids)s)) AND (%(after)s::uuid IS NULL OR id > %(after)s)
    ORDER BY id
    LIMIT %(limit)s
"""


async def list_creators(
    connection: Connection, creator_ids: list[UUID] | None, *, after: UUID | None, limit: int
) -> Pending[list[Record]]:
    """Creators by id; `creator_ids` None means all."""
    params = {
        "all": creator_ids is None,
        "creator_ids": creator_ids or [],
        "after": after,
        "limit": limit,
    }
    read = records("id", "handle", "display_name", "language", "region", "created_at")
    return await send(connection, CREATORS, params, read)
