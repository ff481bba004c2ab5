"""Fans as people and programs list them, and that they were told about AI."""

from datetime import datetime
from uuid import UUID

from vaultcrm.db.pending import Connection, Pending, Record, records, send
from vaultcrm.domain.ids import new_id

_FAN = """
    f.id, f.creator_id, f.handle, f.display_name, f.tier, f.lifetime_value_minor, f.currency,
    f.notes, f.disclosed_at, f.last_seen_at, f.created_at
"""
_FAN_NAMES = (
    "id", "creator_id", "handle", "display_name", "tier", "lifetime_value_minor", "currency",
    "notes", "disclosed_at", "last_seen_at", "created_at",
)  # fmt: skip

FANS = f"""
    SELECT {_FAN} FROM fans f
    WHERE f.creator_id = ANY(%(creator_ids)s) AND f.erased_at IS NULL
      AND (%(after_creator)s::uuid IS NULL OR (f.creator_id, f.id) > (%(after_creator)s, %(after)s))
    ORDER BY f.creator_id, f.id
    LIMIT %(limit)s
"""
GET_FAN = f"""
    SELECT {_FAN} FROM fans f
    WHERE f.creator_id = ANY(%(creator_ids)s) AND f.id = %(id)s AND f.erased_at IS NULL
"""

ADD_FAN = f"""
    INSERT INTO fans AS f (creator_id, id, handle, display_name, tier, lifetime_value_minor,
                           currency, notes, created_at)
    VALUES (%(creator_id)s, %(id)s, %(handle)s, %(display_name)s, %(tier)s, %(value)s,
            %(currency)s, %(notes)s, %(now)s)
    ON CONFLICT (creator_id, handle) DO NOTHING
    RETURNING {_FAN}
"""

DISCLOSE = f"""
    UPDATE fans f SET disclosed_at = %(shown_at)s
    WHERE f.creator_id = %(creator_id)s AND f.id = %(id)s
    RETURNING {_FAN}
"""


async def list_fans(
    connection: Connection,
    creator_ids: list[UUID],
    *,
    after: tuple[UUID, UUID] | None,
    limit: int,
) -> Pending[list[Record]]:
    """Fans of some creators, in the order of creator and id; `after` is such a pair."""
    params = {
        "creator_ids": creator_ids,
        "after_creator": None if after is None else after[0],
        "after": None if after is None else after[1],
        "limit": limit,
    }
    return await send(connection, FANS, params, records(*_FAN_NAMES))


async def get_fan(
    connection: Connection, creator_ids: list[UUID], fan_id: UUID
) -> Pending[list[Record]]:
    params = {"creator_ids": creator_ids, "id": fan_id}
    return await send(connection, GET_FAN, params, records(*_FAN_NAMES))


async def add_fan(
    connection: Connection,
    *,
    creator_id: UUID,
    handle: str,
    display_name: str,
    tier: str,
    lifetime_value_minor: int,
    currency: str,
    notes: str,
    now: datetime,
) -> Pending[list[Record]]:
    """Add a fan; no record comes back when the handle is taken."""
    params = {
        "creator_id": creator_id,
        "id": new_id(),
        "handle": handle,
        "display_name": display_name,
        "tier": tier,
        "value": lifetime_value_minor,
        "currency": currency,
        "notes": notes,
        "now": now,
    }
    return await send(connection, ADD_FAN, params, records(*_FAN_NAMES))


async def disclose(
    connection: Connection, creator_id: UUID, fan_id: UUID, shown_at: datetime
) -> Pending[list[Record]]:
    """Note that a fan was told that AI may write."""
    params = {"creator_id": creator_id, "id": fan_id, "shown_at": shown_at}
    return await send(connection, DISCLOSE, params, records(*_FAN_NAMES))
