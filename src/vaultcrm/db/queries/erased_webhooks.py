"""Raw webhooks that name an erased fan: found, and emptied."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from vaultcrm.db.pending import Connection, run, send

WAITING_INBOUND = """
    SELECT i.id, i.channel, i.payload FROM inbound_events i
    WHERE i.creator_id = %(creator_id)s AND i.processed_at IS NULL AND i.id > %(after)s
    ORDER BY i.id LIMIT %(most)s
    FOR UPDATE
"""
KEPT_INBOUND = """
    SELECT i.id, i.channel, i.payload FROM inbound_events i
    WHERE i.creator_id = %(creator_id)s AND i.processed_at IS NOT NULL AND i.payload <> ''
      AND i.received_at <= %(until)s AND i.id > %(after)s
    ORDER BY i.id LIMIT %(most)s
"""
EMPTY_INBOUND = """
    UPDATE inbound_events
    SET payload = '', error = NULL, processed_at = COALESCE(processed_at, %(now)s)
    WHERE creator_id = %(creator_id)s AND id = ANY(%(ids)s)
"""


@dataclass(frozen=True, slots=True)
class RawEvent:
    """A kept webhook."""

    id: UUID
    channel: str
    payload: bytes


async def waiting_inbound(
    connection: Connection, creator_id: UUID, *, after: UUID, most: int
) -> list[RawEvent]:
    """Webhooks that nobody has worked through, by id, held until the transaction ends."""
    params = {"creator_id": creator_id, "after": after, "most": most}
    sent = await send(
        connection, WAITING_INBOUND, params, lambda rows: [RawEvent(*row) for row in rows]
    )
    return await sent.answer()


async def kept_inbound(
    connection: Connection, creator_id: UUID, *, until: datetime, after: UUID, most: int
) -> list[RawEvent]:
    """Webhooks that were worked through and came until a moment, by id."""
    params = {"creator_id": creator_id, "until": until, "after": after, "most": most}
    sent = await send(
        connection, KEPT_INBOUND, params, lambda rows: [RawEvent(*row) for row in rows]
    )
    return await sent.answer()


async def empty_inbound(
    connection: Connection, creator_id: UUID, ids: Sequence[UUID], now: datetime
) -> None:
    """Take what webhooks say away. Their ids stay, so that none is worked through again."""
    await run(connection, EMPTY_INBOUND, {"creator_id": creator_id, "ids": list(ids), "now": now})
