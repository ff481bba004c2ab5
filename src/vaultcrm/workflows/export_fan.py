"""Everything that is held about a fan, as one JSON document that is written as it is read.

    {"exportedAt": …, "fan": {…}, "conversations": […], "messages": […], "payments": […],
     "drafts": […], "leaving": […], "disclosures": […]}

Drafts have the decision on them and what came of them. No connection is held while somebody
takes their time to receive it, so what comes in meanwhile may be in it or not.
"""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from vaultcrm.controls.auth import require_creator, require_role
from vaultcrm.db.pending import Record
from vaultcrm.db.queries import audit, fan_export
from vaultcrm.domain.audit import AuditAction, AuditEntry
from vaultcrm.domain.errors import NotFound
from vaultcrm.domain.ids import NIL
from vaultcrm.domain.people import Caller, Role
from vaultcrm.workflows.parts import Parts

AT_ONCE = 500


async def export_fan(
    parts: Parts, caller: Caller, creator_id: UUID, fan_id: UUID
) -> AsyncIterator[bytes]:
    """The document in pieces, after the export has been written to the audit log.

    For managers and programs. Raises Forbidden or NotFound before the first piece.
    """
    require_role(caller, Role.MANAGER, Role.ADMIN, Role.SERVICE)
    require_creator(caller, creator_id)
    now = parts.now()
    async with parts.transaction() as connection:
        fan = await fan_export.profile(connection, creator_id, fan_id)
        if fan is None:
            raise NotFound("fan")
        await audit.record(
            connection,
            AuditEntry(
                creator_id=creator_id,
                actor_id=caller.user_id,
                action=AuditAction.FAN_EXPORTED,
                subject_type="fan",
                subject_id=str(fan_id),
                at=now,
            ),
        )
    return _pieces(parts, creator_id, fan_id, fan, now)


async def _pieces(
    parts: Parts, creator_id: UUID, fan_id: UUID, fan: Record, now: datetime
) -> AsyncIterator[bytes]:
    yield f'{{"exportedAt": {_written(now)},\n"fan": {_written(fan)}'.encode()
    for name in fan_export.LISTS:
        yield f',\n"{name}": ['.encode()
        after, between = NIL, "\n"
        while True:
            async with parts.pool.connection() as connection:
                rows = await fan_export.part(
                    connection, name, creator_id, fan_id, after=after, most=AT_ONCE
                )
            for row in rows:
                yield f"{between}{_written(row)}".encode()
                between = ",\n"
            if len(rows) < AT_ONCE:
                break
            after = rows[-1]["id"]
        yield b"]"
    yield b"}\n"


def _written(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=_plain)


def _plain(value: object) -> str:
    """Times in UTC with a Z, ids as text."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return str(value)
