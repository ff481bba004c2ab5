"""What platforms tell: raw events, kept before they are worked through, each counted once."""

from datetime import datetime
from uuid import UUID

from vaultcrm.db.pending import Connection, Rows, run, send
from vaultcrm.domain.ids import new_id

KEEP_EVENT = """
    INSERT INTO inbound_events (creator_id, id, channel, event_id, payload, received_at)
    VALUES (%(creator_id)s, %(id)s, %(channel)s, %(event_id)s, %(payload)s, %(now)s)
    ON CONFLICT (creator_id, channel, event_id) DO NOTHING
    RETURNING id
"""

TAKE_EVENT = """
    SELECT channel, payload FROM inbound_events
    WHERE creator_id = %(creator_id)s AND id = %(id)s AND processed_at IS NULL
    FOR UPDATE
"""

FINISH_EVENT = """
    UPDATE inbound_events SET processed_at = %(now)s, error = %(error)s
    WHERE creator_id = %(creator_id)s AND id = %(id)s
"""


def _read_id(rows: Rows) -> UUID | None:
    return rows[0][0] if rows else None


async def keep_event(
    connection: Connection,
    *,
    creator_id: UUID,
    channel: str,
    event_id: str,
    payload: bytes,
    now: datetime,
) -> UUID | None:
    """Keep a raw event; None when the same event is there already."""
    params = {
        "creator_id": creator_id,
        "id": new_id(),
        "channel": channel,
        "event_id": event_id,
        "payload": payload,
        "now": now,
    }
    return await (await send(connection, KEEP_EVENT, params, _read_id)).answer()


async def take_event(
    connection: Connection, creator_id: UUID, event_row_id: UUID
) -> tuple[str, bytes] | None:
    """Channel and raw body of an event nobody has processed, locked until the transaction ends."""
    params = {"creator_id": creator_id, "id": event_row_id}
    pending = await send(
        connection,
        TAKE_EVENT,
        params,
        lambda rows: (rows[0][0], bytes(rows[0][1])) if rows else None,
    )
    return await pending.answer()


async def finish_event(
    connection: Connection,
    creator_id: UUID,
    event_row_id: UUID,
    now: datetime,
    error: str | None = None,
) -> None:
    params = {"creator_id": creator_id, "id": event_row_id, "now": now, "error": error}
    await run(connection, FINISH_EVENT, params)


OVERDUE = """
    SELECT id FROM inbound_events
    WHERE creator_id = %(creator_id)s AND processed_at IS NULL AND received_at < %(before)s
    ORDER BY received_at
    LIMIT %(limit)s
"""


async def overdue(
    connection: Connection, creator_id: UUID, before: datetime, limit: int
) -> tuple[UUID, ...]:
    """Kept events that nobody has worked through since `before`, the oldest first."""
    params = {"creator_id": creator_id, "before": before, "limit": limit}
    sent = await send(connection, OVERDUE, params, lambda rows: tuple(row[0] for row in rows))
    return await sent.answer()
