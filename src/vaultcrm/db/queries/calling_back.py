"""Automatic messages that have not left: found, and called back to wait for a person."""

from datetime import datetime
from uuid import UUID

from vaultcrm.db.pending import Connection, Rows, send
from vaultcrm.db.queries import outbox
from vaultcrm.domain.outbox import OutboxItem

WITH_WAITING = """
    SELECT cr.id
    FROM creators cr
    WHERE (%(creator_id)s::uuid IS NULL OR cr.id = %(creator_id)s)
      AND EXISTS (SELECT 1 FROM outbox o
                   WHERE o.creator_id = cr.id AND o.author = 'ai_automatic'
                     AND o.delivery_status = 'pending')
    ORDER BY cr.id
"""

WAITING = """
    SELECT o.id FROM outbox o
    WHERE o.creator_id = %(creator_id)s AND o.author = 'ai_automatic'
      AND o.delivery_status = 'pending'
    ORDER BY o.created_at, o.id
"""

ITEM_OF = """
    SELECT o.id FROM outbox o
    WHERE o.creator_id = %(creator_id)s AND o.generation_id = %(generation_id)s
"""

# The row goes, as when an approval is taken back. What is being sent goes only by the word of
# whoever has just marked it and has not called the platform.
CALL_BACK = """
    DELETE FROM outbox o
    WHERE o.creator_id = %(creator_id)s AND o.id = %(item_id)s AND o.author = 'ai_automatic'
      AND (o.delivery_status = 'pending'
           OR %(marked)s AND o.delivery_status = 'sending' AND o.attempts = %(attempts)s)
    RETURNING o.id
"""

WAIT_AGAIN = """
    UPDATE ai_message_generations g
    SET status = 'queued', stale_at = COALESCE(g.stale_at, %(stale_at)s),
        approval_reasons = array_prepend(%(reason)s, g.approval_reasons)
    WHERE g.creator_id = %(creator_id)s AND g.id = %(generation_id)s AND g.status = 'auto_sent'
    RETURNING g.created_at
"""


async def creators_with_waiting(connection: Connection, creator_id: UUID | None) -> list[UUID]:
    """Creators (or the one) whose automatic messages wait to leave."""
    sent = await send(
        connection,
        WITH_WAITING,
        {"creator_id": creator_id},
        lambda rows: [row[0] for row in rows],
    )
    return await sent.answer()


async def waiting(connection: Connection, creator_id: UUID) -> list[UUID]:
    """A creator's automatic messages that wait to leave, the oldest first."""
    params = {"creator_id": creator_id}
    return await (
        await send(connection, WAITING, params, lambda rows: [row[0] for row in rows])
    ).answer()


async def item_of(
    connection: Connection, creator_id: UUID, generation_id: UUID
) -> OutboxItem | None:
    """The message of an automatic draft, whatever has become of it."""
    params = {"creator_id": creator_id, "generation_id": generation_id}
    found = await (
        await send(connection, ITEM_OF, params, lambda rows: [row[0] for row in rows])
    ).answer()
    return await (await outbox.get(connection, creator_id, found[0])).answer() if found else None


async def call_back(
    connection: Connection, creator_id: UUID, item_id: UUID, *, marked_as_attempt: int | None
) -> bool:
    """Take an automatic message out of the outbox; False when it has left or is leaving.

    With `marked_as_attempt` it may be `sending` too, if that is the attempt that it was marked for.
    """
    params = {
        "creator_id": creator_id,
        "item_id": item_id,
        "marked": marked_as_attempt is not None,
        "attempts": marked_as_attempt or 0,
    }
    return await (await send(connection, CALL_BACK, params, bool)).answer()


async def wait_again(
    connection: Connection,
    creator_id: UUID,
    generation_id: UUID,
    *,
    reason: str,
    stale_at: datetime | None,
) -> datetime | None:
    """Let an automatic message's draft wait for a person; when it was made, or None when it is not
    automatic.
    """

    def read(rows: Rows) -> datetime | None:
        return rows[0][0] if rows else None

    params = {
        "creator_id": creator_id,
        "generation_id": generation_id,
        "reason": reason,
        "stale_at": stale_at,
    }
    return await (await send(connection, WAIT_AGAIN, params, read)).answer()
