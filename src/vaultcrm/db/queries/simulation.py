"""What the simulation of fans looks up."""

from datetime import datetime
from uuid import UUID

from vaultcrm.db.pending import Connection, send

# The one statement that looks across creators on purpose: a simulation is small and local.
QUIET_CONVERSATIONS = """
    SELECT creator_id, id FROM conversations
    WHERE channel = %(channel)s AND waiting_since IS NULL AND last_message_at < %(before)s
    ORDER BY random()
    LIMIT %(limit)s
"""


async def quiet_conversations(
    connection: Connection, *, channel: str, before: datetime, limit: int
) -> list[tuple[UUID, UUID]]:
    """Some conversations, as (creator, conversation), in which nobody waits for anything."""
    params = {"channel": channel, "before": before, "limit": limit}
    pending = await send(
        connection, QUIET_CONVERSATIONS, params, lambda rows: [(row[0], row[1]) for row in rows]
    )
    return await pending.answer()
