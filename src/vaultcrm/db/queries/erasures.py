"""Erasures of fans: asked for, open, finished. What each empties is in the modules `erased_…`."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from vaultcrm.db.pending import Connection, Pending, Record, records, run, send
from vaultcrm.domain.erasure import Erasure, ErasureCounts
from vaultcrm.domain.ids import new_id

_ERASURE = """
    e.creator_id, e.id, e.fan_id, e.requested_by, e.reason, e.requested_at, e.identifiers,
    e.cleared_at, e.finished_at
"""
ADD = """
    INSERT INTO erasures (creator_id, id, fan_id, requested_by, reason, requested_at, identifiers,
                          counts)
    VALUES (%(creator_id)s, %(id)s, %(fan_id)s, %(by)s, %(reason)s, %(now)s, %(identifiers)s,
            jsonb_build_object('conversations', %(conversations)s::bigint,
                               'messages', %(messages)s::bigint, 'drafts', %(drafts)s::bigint,
                               'leaving', %(leaving)s::bigint))
"""
GET = f"SELECT {_ERASURE} FROM erasures e WHERE e.creator_id = %(creator_id)s AND e.id = %(id)s"
OPEN = f"""
    SELECT {_ERASURE} FROM erasures e
    WHERE e.creator_id = %(creator_id)s AND e.finished_at IS NULL
    ORDER BY e.requested_at LIMIT %(most)s
"""
CLEARED = """
    UPDATE erasures SET cleared_at = COALESCE(cleared_at, %(now)s)
    WHERE creator_id = %(creator_id)s AND id = %(id)s
"""
FINISH = """
    UPDATE erasures SET finished_at = %(now)s, identifiers = '{}'
    WHERE creator_id = %(creator_id)s AND id = %(id)s AND finished_at IS NULL
"""
PAGE = """
    SELECT e.creator_id, e.id, e.fan_id, u.name AS requested_by, e.reason, e.requested_at,
           e.cleared_at, e.finished_at, e.counts
    FROM erasures e LEFT JOIN users u ON u.id = e.requested_by
    WHERE e.creator_id = ANY(%(creator_ids)s)
    ORDER BY e.requested_at DESC, e.id DESC LIMIT %(most)s
"""


async def add(
    connection: Connection,
    *,
    creator_id: UUID,
    fan_id: UUID,
    by: UUID | None,
    reason: str,
    identifiers: Sequence[str],
    held: ErasureCounts,
    now: datetime,
) -> UUID:
    """Write down that a fan is to be erased; the erasure's id."""
    erasure_id = new_id()
    params = {
        "creator_id": creator_id,
        "id": erasure_id,
        "fan_id": fan_id,
        "by": by,
        "reason": reason,
        "identifiers": list(identifiers),
        "conversations": held.conversations,
        "messages": held.messages,
        "drafts": held.drafts,
        "leaving": held.leaving,
        "now": now,
    }
    await run(connection, ADD, params)
    return erasure_id


def _one(rows: Sequence[tuple[Any, ...]]) -> Erasure | None:
    return _erasure(rows[0]) if rows else None


def _erasure(row: tuple[Any, ...]) -> Erasure:
    creator_id, erasure_id, fan_id, by, reason, at, identifiers, cleared_at, finished_at = row
    return Erasure(
        creator_id, erasure_id, fan_id, by, reason, at, tuple(identifiers), cleared_at, finished_at
    )


async def get(connection: Connection, creator_id: UUID, erasure_id: UUID) -> Erasure | None:
    return await (
        await send(connection, GET, {"creator_id": creator_id, "id": erasure_id}, _one)
    ).answer()


async def open_ones(connection: Connection, creator_id: UUID, most: int) -> list[Erasure]:
    """Erasures of a creator that are not finished, the oldest first."""
    params = {"creator_id": creator_id, "most": most}
    sent = await send(connection, OPEN, params, lambda rows: [_erasure(row) for row in rows])
    return await sent.answer()


async def note_cleared(connection: Connection, erasure: Erasure, now: datetime) -> None:
    """Everything that was there has been emptied once."""
    params = {"creator_id": erasure.creator_id, "id": erasure.id, "now": now}
    await run(connection, CLEARED, params)


async def finish(connection: Connection, erasure: Erasure, now: datetime) -> None:
    """Nothing is left to look for, and so the names to look for go too."""
    params = {"creator_id": erasure.creator_id, "id": erasure.id, "now": now}
    await run(connection, FINISH, params)


async def page(
    connection: Connection, creator_ids: Sequence[UUID], most: int
) -> Pending[list[Record]]:
    """The latest erasures of some creators."""
    names = (
        "creator_id", "id", "fan_id", "requested_by", "reason", "requested_at", "cleared_at",
        "finished_at", "counts",
    )  # fmt: skip
    params = {"creator_ids": list(creator_ids), "most": most}
    return await send(connection, PAGE, params, records(*names))
