"""Conversations with their fans: listed, opened, and what a person settles in them."""

from datetime import datetime
from uuid import UUID

from vaultcrm.db.pending import Connection, Pending, Record, records, send
from vaultcrm.domain.ids import new_id

_CONVERSATION = """
    c.id, c.creator_id, c.fan_id, c.channel, c.external_ref, c.mode, c.care, c.last_message_at,
    c.waiting_since, c.unread_count, c.created_at, f.handle, f.display_name, f.tier,
    f.lifetime_value_minor, f.currency, f.last_seen_at
"""
_CONVERSATION_NAMES = (
    "id", "creator_id", "fan_id", "channel", "external_ref", "mode", "care", "last_message_at",
    "waiting_since", "unread_count", "created_at", "fan_handle", "fan_display_name", "fan_tier",
    "fan_lifetime_value_minor", "currency", "fan_last_seen_at",
)  # fmt: skip

# Keyset pages: the next one starts behind the last row's time and id, whatever came in meanwhile.
CONVERSATIONS = f"""
    SELECT {_CONVERSATION}
    FROM conversations c JOIN fans f ON f.creator_id = c.creator_id AND f.id = c.fan_id
    WHERE c.creator_id = ANY(%(creator_ids)s) AND c.erased_at IS NULL
      AND (%(before)s::timestamptz IS NULL
           OR (COALESCE(c.last_message_at, '-infinity'), c.id) < (%(before)s, %(before_id)s::uuid))
    ORDER BY c.last_message_at DESC NULLS LAST, c.id DESC
    LIMIT %(limit)s
"""
GET_CONVERSATION = f"""
    SELECT {_CONVERSATION}
    FROM conversations c JOIN fans f ON f.creator_id = c.creator_id AND f.id = c.fan_id
    WHERE c.creator_id = ANY(%(creator_ids)s) AND c.id = %(id)s AND c.erased_at IS NULL
"""
ADD_CONVERSATION = """
    INSERT INTO conversations (creator_id, id, fan_id, channel, external_ref, mode, unread_count,
                               created_at)
    VALUES (%(creator_id)s, %(id)s, %(fan_id)s, %(channel)s, %(external_ref)s, %(mode)s, 0, %(now)s)
    ON CONFLICT (creator_id, channel, external_ref) DO NOTHING
    RETURNING id
"""
SET_CARE = """
    UPDATE conversations SET care = %(care)s, care_since = %(now)s
    WHERE creator_id = %(creator_id)s AND id = %(id)s
    RETURNING id
"""
SET_MODE = """
    UPDATE conversations SET mode = %(mode)s
    WHERE creator_id = %(creator_id)s AND id = %(id)s
    RETURNING id
"""


async def list_conversations(
    connection: Connection,
    creator_ids: list[UUID],
    *,
    before: tuple[datetime, UUID] | None,
    limit: int,
) -> Pending[list[Record]]:
    """Conversations with their fans, the latest message first; `before` is the last row seen."""
    params = {
        "creator_ids": creator_ids,
        "before": None if before is None else before[0],
        "before_id": None if before is None else before[1],
        "limit": limit,
    }
    return await send(connection, CONVERSATIONS, params, records(*_CONVERSATION_NAMES))


async def get_conversation(
    connection: Connection, creator_ids: list[UUID], conversation_id: UUID
) -> Pending[list[Record]]:
    params = {"creator_ids": creator_ids, "id": conversation_id}
    return await send(connection, GET_CONVERSATION, params, records(*_CONVERSATION_NAMES))


CONVERSATION_OF = """
    SELECT c.creator_id, c.id
    FROM creators cr
    JOIN fans f ON f.creator_id = cr.id
    JOIN conversations c ON c.creator_id = f.creator_id AND c.fan_id = f.id
    WHERE cr.handle = %(creator_handle)s AND f.handle = %(fan_handle)s
    ORDER BY c.id
    LIMIT 1
"""


async def conversation_of(
    connection: Connection, creator_handle: str, fan_handle: str
) -> Pending[list[Record]]:
    """The first conversation of a fan with a creator, both by handle."""
    params = {"creator_handle": creator_handle, "fan_handle": fan_handle}
    return await send(connection, CONVERSATION_OF, params, records("creator_id", "id"))


async def add_conversation(
    connection: Connection,
    *,
    creator_id: UUID,
    fan_id: UUID,
    channel: str,
    external_ref: str,
    mode: str,
    now: datetime,
) -> Pending[list[Record]]:
    """Open a conversation; no record comes back when channel and reference are taken."""
    params = {
        "creator_id": creator_id,
        "id": new_id(),
        "fan_id": fan_id,
        "channel": channel,
        "external_ref": external_ref,
        "mode": mode,
        "now": now,
    }
    return await send(connection, ADD_CONVERSATION, params, records("id"))


async def set_mode(
    connection: Connection, creator_id: UUID, conversation_id: UUID, mode: str
) -> Pending[list[Record]]:
    params = {"creator_id": creator_id, "id": conversation_id, "mode": mode}
    return await send(connection, SET_MODE, params, records("id"))


async def set_care(
    connection: Connection,
    creator_id: UUID,
    conversation_id: UUID,
    care: str | None,
    now: datetime,
) -> Pending[list[Record]]:
    """Say that a fan needs care, or, with None, that they do not any more."""
    params = {
        "creator_id": creator_id,
        "id": conversation_id,
        "care": care,
        "now": None if care is None else now,
    }
    return await send(connection, SET_CARE, params, records("id"))
