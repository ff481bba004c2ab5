"""A fan who is to be erased: who they are, what is held about them, and what stops at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from vaultcrm.db.pending import Connection, run, send
from vaultcrm.domain.erasure import ERASED_NAME, ErasureCounts

FIND_FAN = """
    SELECT f.id, f.handle, f.display_name, f.created_at
    FROM fans f
    WHERE f.creator_id = %(creator_id)s AND f.erased_at IS NULL
      AND (f.id::text = %(fan)s OR f.handle = %(fan)s)
    ORDER BY f.id::text = %(fan)s DESC
    LIMIT 1
"""
LOCK_FAN = """
    SELECT f.id, f.handle, f.display_name, f.created_at
    FROM fans f
    WHERE f.creator_id = %(creator_id)s AND f.id = %(fan_id)s AND f.erased_at IS NULL
    FOR UPDATE
"""
REFERENCES = """
    SELECT c.id, c.channel, c.external_ref FROM conversations c
    WHERE c.creator_id = %(creator_id)s AND c.fan_id = %(fan_id)s
    ORDER BY c.id
    FOR UPDATE
"""


@dataclass(frozen=True, slots=True)
class FoundFan:
    """A fan who can be erased."""

    id: UUID
    handle: str
    display_name: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Reference:
    """What a platform calls a conversation of a fan."""

    conversation_id: UUID
    channel: str
    external_ref: str


async def find_fan(connection: Connection, creator_id: UUID, fan: str) -> FoundFan | None:
    """A fan by id or handle, an id before a handle; None when there is none or they are erased."""
    params = {"creator_id": creator_id, "fan": fan}
    sent = await send(
        connection, FIND_FAN, params, lambda rows: FoundFan(*rows[0]) if rows else None
    )
    return await sent.answer()


async def lock_fan(connection: Connection, creator_id: UUID, fan_id: UUID) -> FoundFan | None:
    """The fan, held until the transaction ends; None as for `find_fan`."""
    params = {"creator_id": creator_id, "fan_id": fan_id}
    sent = await send(
        connection, LOCK_FAN, params, lambda rows: FoundFan(*rows[0]) if rows else None
    )
    return await sent.answer()


async def lock_references(
    connection: Connection, creator_id: UUID, fan_id: UUID
) -> list[Reference]:
    """The fan's conversations, held until the transaction ends."""
    params = {"creator_id": creator_id, "fan_id": fan_id}
    sent = await send(connection, REFERENCES, params, lambda rows: [Reference(*r) for r in rows])
    return await sent.answer()


_HELD = """
    (SELECT count(*) FROM conversations c
     WHERE c.creator_id = %(creator_id)s AND c.fan_id = %(fan_id)s),
    (SELECT count(*) FROM messages m
     WHERE m.creator_id = %(creator_id)s AND m.conversation_id = ANY(ARRAY(
         SELECT c.id FROM conversations c
         WHERE c.creator_id = %(creator_id)s AND c.fan_id = %(fan_id)s))),
    (SELECT count(*) FROM ai_message_generations g
     WHERE g.creator_id = %(creator_id)s AND g.conversation_id = ANY(ARRAY(
         SELECT c.id FROM conversations c
         WHERE c.creator_id = %(creator_id)s AND c.fan_id = %(fan_id)s))),
    (SELECT count(*) FROM outbox o
     WHERE o.creator_id = %(creator_id)s
       AND o.delivery_status IN ('pending', 'sending', 'uncertain')
       AND o.conversation_id = ANY(ARRAY(
         SELECT c.id FROM conversations c
         WHERE c.creator_id = %(creator_id)s AND c.fan_id = %(fan_id)s)))
"""


async def count_held(connection: Connection, creator_id: UUID, fan_id: UUID) -> ErasureCounts:
    """What is held about a fan: conversations, messages, drafts, and what waits to leave."""
    params = {"creator_id": creator_id, "fan_id": fan_id}
    sent = await send(connection, f"SELECT {_HELD}", params, lambda rows: ErasureCounts(*rows[0]))
    return await sent.answer()


# The names are taken away, so that whoever writes from now on is another fan.
FORGET_FAN = """
    UPDATE fans
    SET handle = %(handle)s, display_name = %(name)s, notes = '', last_seen_at = NULL,
        erased_at = %(now)s
    WHERE creator_id = %(creator_id)s AND id = %(fan_id)s
"""
FORGET_CONVERSATIONS = """
    UPDATE conversations
    SET external_ref = 'erased:' || id::text, mode = 'off', care = NULL, care_since = NULL,
        disclosure_asked_at = NULL, waiting_since = NULL, unread_count = 0,
        revision = revision + 1, erased_at = %(now)s
    WHERE creator_id = %(creator_id)s AND fan_id = %(fan_id)s
"""
# Whoever is sending one of these just now finds that it is closed, and writes nothing down.
STOP_LEAVING = """
    UPDATE outbox
    SET delivery_status = 'failed', error = NULL, bound_hash = '', updated_at = %(now)s
    WHERE creator_id = %(creator_id)s AND conversation_id = ANY(%(conversation_ids)s)
      AND delivery_status IN ('pending', 'sending', 'uncertain')
"""
STOP_WAITING = """
    UPDATE ai_message_generations
    SET status = 'expired', claimed_by = NULL, claimed_until = NULL, snoozed_until = NULL
    WHERE creator_id = %(creator_id)s AND conversation_id = ANY(%(conversation_ids)s)
      AND status = 'queued'
"""
CLOSE_ALERTS = """
    UPDATE alerts SET cleared_at = %(now)s
    WHERE cleared_at IS NULL AND subject = ANY(%(subjects)s)
"""


async def stop(
    connection: Connection,
    creator_id: UUID,
    fan_id: UUID,
    conversation_ids: Sequence[UUID],
    subjects: Sequence[str],
    now: datetime,
) -> None:
    """Nothing leaves for this fan any more, nothing waits, and they have no name; `subjects` are
    those of alerts about their conversations.
    """
    params = {
        "creator_id": creator_id,
        "fan_id": fan_id,
        "conversation_ids": list(conversation_ids),
        "handle": f"erased:{fan_id}",
        "name": ERASED_NAME,
        "subjects": list(subjects),
        "now": now,
    }
    for statement in (
        FORGET_FAN,
        FORGET_CONVERSATIONS,
        STOP_LEAVING,
        STOP_WAITING,
        CLOSE_ALERTS,
    ):
        await run(connection, statement, params)
