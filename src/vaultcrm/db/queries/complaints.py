"""Messages of AI that fans have complained about, as the team has marked them."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from vaultcrm.db.pending import Connection, Pending, send
from vaultcrm.domain.ids import new_id

MARK = """
    INSERT INTO message_complaints (creator_id, id, generation_id, marked_by, marked_at)
    VALUES (%(creator_id)s, %(id)s, %(generation_id)s, %(user_id)s, %(now)s)
    ON CONFLICT (creator_id, generation_id) DO NOTHING
    RETURNING generation_id
"""
UNMARK = """
    DELETE FROM message_complaints
    WHERE creator_id = %(creator_id)s AND generation_id = %(generation_id)s
    RETURNING generation_id
"""
WAS_SENT = """
    SELECT 1 FROM messages m
    WHERE m.creator_id = %(creator_id)s AND m.conversation_id = %(conversation_id)s
      AND m.generation_id = %(generation_id)s
    LIMIT 1
"""
OF_MESSAGES = """
    SELECT m.id, m.generation_id, c.generation_id IS NOT NULL
    FROM messages m
    LEFT JOIN message_complaints c
      ON c.creator_id = m.creator_id AND c.generation_id = m.generation_id
    WHERE m.creator_id = %(creator_id)s AND m.id = ANY(%(ids)s) AND m.generation_id IS NOT NULL
"""


async def mark(
    connection: Connection, creator_id: UUID, generation_id: UUID, user_id: UUID, now: datetime
) -> bool:
    """Note a complaint about a draft's message; False when it was noted before."""
    params = {
        "creator_id": creator_id,
        "id": new_id(),
        "generation_id": generation_id,
        "user_id": user_id,
        "now": now,
    }
    return await (await send(connection, MARK, params, bool)).answer()


async def unmark(connection: Connection, creator_id: UUID, generation_id: UUID) -> bool:
    """Take the note away; False when there was none."""
    params = {"creator_id": creator_id, "generation_id": generation_id}
    return await (await send(connection, UNMARK, params, bool)).answer()


async def was_sent(
    connection: Connection, creator_id: UUID, conversation_id: UUID, generation_id: UUID
) -> bool:
    """Whether the message of a draft stands in its conversation."""
    params = {
        "creator_id": creator_id,
        "conversation_id": conversation_id,
        "generation_id": generation_id,
    }
    return await (await send(connection, WAS_SENT, params, bool)).answer()


async def of_messages(
    connection: Connection, creator_id: UUID, message_ids: Sequence[UUID]
) -> Pending[dict[UUID, tuple[UUID, bool]]]:
    """Of those messages that were drafts: the draft, and whether it was complained about."""
    return await send(
        connection,
        OF_MESSAGES,
        {"creator_id": creator_id, "ids": list(message_ids)},
        lambda rows: {row[0]: (row[1], row[2]) for row in rows},
    )
