"""Creators, fans, conversations, messages and templates, as people and programs list them."""

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from vaultcrm.db.pending import Connection, Pending, Rows, send
from vaultcrm.domain.ids import new_id
from vaultcrm.domain.people import Creator

Record = dict[str, Any]


def _records(*names: str) -> Callable[[Rows], list[Record]]:
    def read(rows: Rows) -> list[Record]:
        return [dict(zip(names, row, strict=True)) for row in rows]

    return read


GET_CREATOR = """
    SELECT id, handle, display_name, language, region FROM creators WHERE id = %(creator_id)s
"""
CREATOR_BY_HANDLE = """
    SELECT id, handle, display_name, language, region FROM creators WHERE handle = %(handle)s
"""


def _read_creator(rows: Rows) -> Creator | None:
    return Creator(*rows[0]) if rows else None


async def get_creator(connection: Connection, creator_id: UUID) -> Pending[Creator | None]:
    return await send(connection, GET_CREATOR, {"creator_id": creator_id}, _read_creator)


async def creator_by_handle(connection: Connection, handle: str) -> Pending[Creator | None]:
    return await send(connection, CREATOR_BY_HANDLE, {"handle": handle}, _read_creator)


ADD_CREATOR = """
    INSERT INTO creators (id, handle, display_name, language, region, created_at)
    VALUES (%(id)s, %(handle)s, %(display_name)s, %(language)s, %(region)s, %(now)s)
    ON CONFLICT (handle) DO NOTHING
    RETURNING id, handle, display_name, language, region
"""


async def add_creator(
    connection: Connection,
    *,
    handle: str,
    display_name: str,
    language: str,
    region: str,
    now: datetime,
) -> Creator | None:
    """Add a creator; None when the handle is taken."""
    params = {
        "id": new_id(),
        "handle": handle,
        "display_name": display_name,
        "language": language,
        "region": region,
        "now": now,
    }
    return await (await send(connection, ADD_CREATOR, params, _read_creator)).answer()


CREATORS = """
    SELECT id, handle, display_name, language, region, created_at
    FROM creators
    WHERE (%(all)s OR id = ANY(%(creator_ids)s)) AND (%(after)s::uuid IS NULL OR id > %(after)s)
    ORDER BY id
    LIMIT %(limit)s
"""


async def creators(
    connection: Connection, creator_ids: list[UUID] | None, *, after: UUID | None, limit: int
) -> Pending[list[Record]]:
    """Creators by id; `creator_ids` None means all."""
    params = {
        "all": creator_ids is None,
        "creator_ids": creator_ids or [],
        "after": after,
        "limit": limit,
    }
    read = _records("id", "handle", "display_name", "language", "region", "created_at")
    return await send(connection, CREATORS, params, read)


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
    WHERE f.creator_id = ANY(%(creator_ids)s)
      AND (%(after_creator)s::uuid IS NULL OR (f.creator_id, f.id) > (%(after_creator)s, %(after)s))
    ORDER BY f.creator_id, f.id
    LIMIT %(limit)s
"""
GET_FAN = f"SELECT {_FAN} FROM fans f WHERE f.creator_id = ANY(%(creator_ids)s) AND f.id = %(id)s"

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


async def fans(
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
    return await send(connection, FANS, params, _records(*_FAN_NAMES))


async def get_fan(
    connection: Connection, creator_ids: list[UUID], fan_id: UUID
) -> Pending[list[Record]]:
    params = {"creator_ids": creator_ids, "id": fan_id}
    return await send(connection, GET_FAN, params, _records(*_FAN_NAMES))


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
    return await send(connection, ADD_FAN, params, _records(*_FAN_NAMES))


async def disclose(
    connection: Connection, creator_id: UUID, fan_id: UUID, shown_at: datetime
) -> Pending[list[Record]]:
    """Note that a fan was told that AI may write."""
    params = {"creator_id": creator_id, "id": fan_id, "shown_at": shown_at}
    return await send(connection, DISCLOSE, params, _records(*_FAN_NAMES))


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
    WHERE c.creator_id = ANY(%(creator_ids)s)
      AND (%(before)s::timestamptz IS NULL
           OR (COALESCE(c.last_message_at, '-infinity'), c.id) < (%(before)s, %(before_id)s::uuid))
    ORDER BY c.last_message_at DESC NULLS LAST, c.id DESC
    LIMIT %(limit)s
"""
GET_CONVERSATION = f"""
    SELECT {_CONVERSATION}
    FROM conversations c JOIN fans f ON f.creator_id = c.creator_id AND f.id = c.fan_id
    WHERE c.creator_id = ANY(%(creator_ids)s) AND c.id = %(id)s
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


async def conversations(
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
    return await send(connection, CONVERSATIONS, params, _records(*_CONVERSATION_NAMES))


async def get_conversation(
    connection: Connection, creator_ids: list[UUID], conversation_id: UUID
) -> Pending[list[Record]]:
    params = {"creator_ids": creator_ids, "id": conversation_id}
    return await send(connection, GET_CONVERSATION, params, _records(*_CONVERSATION_NAMES))


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
    return await send(connection, CONVERSATION_OF, params, _records("creator_id", "id"))


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
    return await send(connection, ADD_CONVERSATION, params, _records("id"))


async def set_mode(
    connection: Connection, creator_id: UUID, conversation_id: UUID, mode: str
) -> Pending[list[Record]]:
    params = {"creator_id": creator_id, "id": conversation_id, "mode": mode}
    return await send(connection, SET_MODE, params, _records("id"))


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
    return await send(connection, SET_CARE, params, _records("id"))


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
    return await send(connection, MESSAGE_BY_REFERENCE, params, _records(*_MESSAGE_NAMES))


async def messages(
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
    return await send(connection, MESSAGES, params, _records(*_MESSAGE_NAMES))


_TEMPLATE = """
    id, creator_id, name, category, language, template_text, price_minor, performance_stats,
    usage_count, created_at, updated_at
"""
_TEMPLATE_NAMES = (
    "id", "creator_id", "name", "category", "language", "template_text", "price_minor",
    "performance_stats", "usage_count", "created_at", "updated_at",
)  # fmt: skip
# The last row of the page before is looked up by its key: a category and a name of any length would
# make a cursor of any length.
TEMPLATES = f"""
    SELECT {_TEMPLATE} FROM ai_message_templates
    WHERE creator_id = ANY(%(creator_ids)s) AND archived_at IS NULL
      AND (%(after)s::uuid IS NULL
           OR (creator_id, category, name) >
              (SELECT l.creator_id, l.category, l.name FROM ai_message_templates l
               WHERE l.creator_id = %(after_creator)s AND l.id = %(after)s))
    ORDER BY creator_id, category, name
    LIMIT %(limit)s
"""
ADD_TEMPLATE = f"""
    INSERT INTO ai_message_templates (creator_id, id, name, category, language, template_text,
                                      price_minor, performance_stats, usage_count, created_at,
                                      updated_at)
    VALUES (%(creator_id)s, %(id)s, %(name)s, %(category)s, %(language)s, %(template_text)s,
            %(price_minor)s, '{{}}', 0, %(now)s, %(now)s)
    ON CONFLICT (creator_id, name) DO NOTHING
    RETURNING {_TEMPLATE}
"""


async def templates(
    connection: Connection,
    creator_ids: list[UUID],
    limit: int,
    *,
    after: tuple[UUID, UUID] | None = None,
) -> Pending[list[Record]]:
    """Templates by creator, category and name; `after` is creator and id of the last one seen."""
    params = {
        "creator_ids": creator_ids,
        "limit": limit,
        "after_creator": None if after is None else after[0],
        "after": None if after is None else after[1],
    }
    return await send(connection, TEMPLATES, params, _records(*_TEMPLATE_NAMES))


async def add_template(
    connection: Connection,
    *,
    creator_id: UUID,
    name: str,
    category: str,
    language: str,
    template_text: str,
    price_minor: int | None,
    now: datetime,
) -> Pending[list[Record]]:
    """Add a template; no record comes back when the name is taken."""
    params = {
        "creator_id": creator_id,
        "id": new_id(),
        "name": name,
        "category": category,
        "language": language,
        "template_text": template_text,
        "price_minor": price_minor,
        "now": now,
    }
    return await send(connection, ADD_TEMPLATE, params, _records(*_TEMPLATE_NAMES))
