"""Messages of a conversation as people and programs read them."""

from datetime import datetime
from uuid import UUID

from vaultcrm.db.pending import Connection, Pending, Record, records, send

MESSAGES = """
    SELECT m.id, m.conversation_id, m.sender, m.author, m.text, m.price_minor, m.currency,
           m.purchased_at, m.sent_at, m.generation_id
    FROM messages m
    WHERE m.creator_id = %(creator_id)s AND m.conversation_id = %(conversation_id)s
      AND (%(before)s::timestamptz IS NULL
           OR (m.sent_at, m.id) < (%(before)s, %(before_id)s::uuid))
    ORDER BY m.sent_at DESC, m.id DESC
    LIMIT %(limit)s
"""


MESSAGE_BY_REFERENCE = """
    SELECT m.id, m.conversation_id, m.sender, m.author, m.text, m.price_minor, m.currency,
           m.purchased_at, m.sent_at, m.generation_id
    FROM messages m
    WHERE m.creator_id = %(creator_id)s AND m.conversation_id = %(conversation_id)s
      AND m.external_id = %(reference)s
"""
_MESSAGE_NAMES = (
    "id", "conversation_id", "sender", "author", "text", "price_minor", "currency",
    "purchased_at", "sent_at", "generation_id",
)  # fmt: skip


async def message_by_reference(
    connection: Connection, creator_id: UUID, conversation_id: UUID, reference: str
) -> Pending[list[Record]]:
    """The message that its sender calls `reference`."""
    params = {
        "creator_id": creator_id,
        "conversation_id": conversation_id,
        "reference": reference,
    }
    return await send(connection, MESSAGE_BY_REFERENCE, params, records(*_MESSAGE_NAMES))


async def list_messages(
    connection: Connection,
    creator_id: UUID,
    conversation_id: UUID,
    *,
    before: tuple[datetime, UUID] | None,
    limit: int,
) -> Pending[list[Record]]:
    """Messages of one conversation, the newest first; `before` is the last row seen."""
    params = {
        "creator_id": creator_id,
        "conversation_id": conversation_id,
        "before": None if before is None else before[0],
        "before_id": None if before is None else before[1],
        "limit": limit,
    }
    return await send(connection, MESSAGES, params, records(*_MESSAGE_NAMES))
