"""Run-time overrides of flags; the nil creator means the whole installation."""

import json
from datetime import datetime
from typing import Any
from uuid import UUID

from vaultcrm.db.pending import Connection, Pending, Record, Rows, records, run, send
from vaultcrm.domain.ids import NIL

FOR_CREATOR = """
    SELECT creator_id = %(nil)s, name, value FROM flag_overrides
    WHERE creator_id IN (%(nil)s, %(creator_id)s)
"""

SET = """
    INSERT INTO flag_overrides (creator_id, name, value, reason, set_by, set_at)
    VALUES (%(creator_id)s, %(name)s, %(value)s::jsonb, %(reason)s, %(user_id)s, %(now)s)
    ON CONFLICT (creator_id, name) DO UPDATE
      SET value = EXCLUDED.value, reason = EXCLUDED.reason, set_by = EXCLUDED.set_by,
          set_at = EXCLUDED.set_at
"""


def _read(rows: Rows) -> tuple[dict[str, Any], dict[str, Any]]:
    installation = {name: value for general, name, value in rows if general}
    creator = {name: value for general, name, value in rows if not general}
    return installation, creator


async def overrides(
    connection: Connection, creator_id: UUID
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Overrides of the installation and of one creator, by flag name."""
    return await (await send_overrides(connection, creator_id)).answer()


async def send_overrides(
    connection: Connection, creator_id: UUID
) -> Pending[tuple[dict[str, Any], dict[str, Any]]]:
    """The same, for a pipeline."""
    params = {"nil": NIL, "creator_id": creator_id}
    return await send(connection, FOR_CREATOR, params, _read)


async def set_override(
    connection: Connection,
    *,
    creator_id: UUID,
    name: str,
    value: Any,
    reason: str,
    user_id: UUID | None,
    now: datetime,
) -> None:
    """Set, or set anew, one override."""
    params = {
        "creator_id": creator_id,
        "name": name,
        "value": json.dumps(value),
        "reason": reason,
        "user_id": user_id,
        "now": now,
    }
    await run(connection, SET, params)


async def clear_override(connection: Connection, creator_id: UUID, name: str) -> None:
    statement = "DELETE FROM flag_overrides WHERE creator_id = %(creator_id)s AND name = %(name)s"
    await run(connection, statement, {"creator_id": creator_id, "name": name})


ORIGINS = """
    SELECT o.name, u.name, o.set_at, o.reason
    FROM flag_overrides o LEFT JOIN users u ON u.id = o.set_by
    WHERE o.creator_id = %(creator_id)s
"""
OVERRIDING = """
    SELECT creator_id, value FROM flag_overrides WHERE name = %(name)s ORDER BY creator_id
"""


async def origins(connection: Connection, creator_id: UUID) -> Pending[dict[str, Record]]:
    """Who set each override of the installation (the nil id) or of one creator, when and why."""
    read = records("name", "user_name", "set_at", "reason")
    return await send(
        connection,
        ORIGINS,
        {"creator_id": creator_id},
        lambda rows: {found["name"]: found for found in read(rows)},
    )


async def overriding(connection: Connection, name: str) -> Pending[dict[UUID, Any]]:
    """Every override of one flag, by creator, that of the installation under the nil id."""
    return await send(connection, OVERRIDING, {"name": name}, dict)
