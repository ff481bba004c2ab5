"""Erasing a fan: what stops at once, and what is emptied afterwards, some rows at a time.

Rows stay and lose what they say of a person. Each statement may run again and changes nothing then.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from vaultcrm.db.pending import Connection, Pending, Record, records, run, send
from vaultcrm.domain.erasure import ERASED_NAME, ERASED_TEXT, Erasure, ErasureCounts
from vaultcrm.domain.ids import NIL, new_id

# ---- who is to be erased

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


# ---- what stops at once

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


# ---- raw webhooks

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


# ---- the erasure itself

_ERASURE = """
    e.creator_id, e.id, e.fan_id, e.requested_by, e.reason, e.requested_at, e.identifiers,
    e.cleared_at, e.finished_at
"""
ADD = """
    INSERT INTO erasures (creator_id, id, fan_id, requested_by, reason, requested_at, identifiers,
                          counts)
    VALUES (%(creator_id)s, %(id)s, %(fan_id)s, %(by)s, %(reason)s, %(now)s, %(identifiers)s,
            jsonb_build_object('conversations', %(conversations)s::bigint,
                               'messages', %(messages)s::bigint, 'drafts', %(drafts)s::bigint,
                               'leaving', %(leaving)s::bigint))
"""
GET = f"SELECT {_ERASURE} FROM erasures e WHERE e.creator_id = %(creator_id)s AND e.id = %(id)s"
OPEN = f"""
    SELECT {_ERASURE} FROM erasures e
    WHERE e.creator_id = %(creator_id)s AND e.finished_at IS NULL
    ORDER BY e.requested_at LIMIT %(most)s
"""
CLEARED = """
    UPDATE erasures SET cleared_at = COALESCE(cleared_at, %(now)s)
    WHERE creator_id = %(creator_id)s AND id = %(id)s
"""
FINISH = """
    UPDATE erasures SET finished_at = %(now)s, identifiers = '{}'
    WHERE creator_id = %(creator_id)s AND id = %(id)s AND finished_at IS NULL
"""
PAGE = """
    SELECT e.creator_id, e.id, e.fan_id, u.name AS requested_by, e.reason, e.requested_at,
           e.cleared_at, e.finished_at, e.counts
    FROM erasures e LEFT JOIN users u ON u.id = e.requested_by
    WHERE e.creator_id = ANY(%(creator_ids)s)
    ORDER BY e.requested_at DESC, e.id DESC LIMIT %(most)s
"""


async def add(
    connection: Connection,
    *,
    creator_id: UUID,
    fan_id: UUID,
    by: UUID | None,
    reason: str,
    identifiers: Sequence[str],
    held: ErasureCounts,
    now: datetime,
) -> UUID:
    """Write down that a fan is to be erased; the erasure's id."""
    erasure_id = new_id()
    params = {
        "creator_id": creator_id,
        "id": erasure_id,
        "fan_id": fan_id,
        "by": by,
        "reason": reason,
        "identifiers": list(identifiers),
        "conversations": held.conversations,
        "messages": held.messages,
        "drafts": held.drafts,
        "leaving": held.leaving,
        "now": now,
    }
    await run(connection, ADD, params)
    return erasure_id


def _one(rows: Sequence[tuple[Any, ...]]) -> Erasure | None:
    return _erasure(rows[0]) if rows else None


def _erasure(row: tuple[Any, ...]) -> Erasure:
    creator_id, erasure_id, fan_id, by, reason, at, identifiers, cleared_at, finished_at = row
    return Erasure(
        creator_id, erasure_id, fan_id, by, reason, at, tuple(identifiers), cleared_at, finished_at
    )


async def get(connection: Connection, creator_id: UUID, erasure_id: UUID) -> Erasure | None:
    return await (
        await send(connection, GET, {"creator_id": creator_id, "id": erasure_id}, _one)
    ).answer()


async def open_ones(connection: Connection, creator_id: UUID, most: int) -> list[Erasure]:
    """Erasures of a creator that are not finished, the oldest first."""
    params = {"creator_id": creator_id, "most": most}
    sent = await send(connection, OPEN, params, lambda rows: [_erasure(row) for row in rows])
    return await sent.answer()


async def note_cleared(connection: Connection, erasure: Erasure, now: datetime) -> None:
    """Everything that was there has been emptied once."""
    params = {"creator_id": erasure.creator_id, "id": erasure.id, "now": now}
    await run(connection, CLEARED, params)


async def finish(connection: Connection, erasure: Erasure, now: datetime) -> None:
    """Nothing is left to look for, and so the names to look for go too."""
    params = {"creator_id": erasure.creator_id, "id": erasure.id, "now": now}
    await run(connection, FINISH, params)


async def page(
    connection: Connection, creator_ids: Sequence[UUID], most: int
) -> Pending[list[Record]]:
    """The latest erasures of some creators."""
    names = (
        "creator_id", "id", "fan_id", "requested_by", "reason", "requested_at", "cleared_at",
        "finished_at", "counts",
    )  # fmt: skip
    params = {"creator_ids": list(creator_ids), "most": most}
    return await send(connection, PAGE, params, records(*names))


# ---- what is emptied, some rows at a time

CONVERSATION_IDS = """
    SELECT c.id FROM conversations c
    WHERE c.creator_id = %(creator_id)s AND c.fan_id = %(fan_id)s
"""

# The id that a platform knows a message by goes too. It says that the row was emptied.
EMPTY_MESSAGES = """
    UPDATE messages
    SET text = '', external_id = 'erased:' || id::text, media_ids = NULL, sentiment = NULL,
        intent = NULL, language = NULL
    WHERE creator_id = %(creator_id)s AND id IN (
        SELECT m.id FROM messages m
        WHERE m.creator_id = %(creator_id)s AND m.conversation_id = ANY(%(conversation_ids)s)
          AND m.external_id <> 'erased:' || m.id::text
        ORDER BY m.id LIMIT %(most)s)
"""
EMPTY_OUTBOX = """
    UPDATE outbox
    SET text = '', media_ids = NULL, external_id = NULL, error = NULL, bound_hash = '',
        delivery_status = CASE delivery_status WHEN 'sent' THEN 'sent' ELSE 'failed' END,
        updated_at = %(now)s
    WHERE creator_id = %(creator_id)s AND id IN (
        SELECT o.id FROM outbox o
        WHERE o.creator_id = %(creator_id)s AND o.conversation_id = ANY(%(conversation_ids)s)
          AND (o.text <> '' OR o.bound_hash <> '' OR o.error IS NOT NULL
               OR o.delivery_status IN ('pending', 'sending', 'uncertain'))
        ORDER BY o.id LIMIT %(most)s)
"""
EMPTY_MESSAGE_PAYMENTS = """
    UPDATE message_payments
    SET event_key = 'erased:' || id::text, message_ref = 'erased:' || id::text
    WHERE creator_id = %(creator_id)s AND id IN (
        SELECT p.id FROM message_payments p
        WHERE p.creator_id = %(creator_id)s AND p.conversation_id = ANY(%(conversation_ids)s)
          AND p.event_key <> 'erased:' || p.id::text
        ORDER BY p.id LIMIT %(most)s)
"""
EMPTY_CARE = """
    UPDATE fan_spending_care SET reason = '', cooling_off_until = NULL, lifted_until = NULL
    WHERE creator_id = %(creator_id)s AND id = %(fan_id)s
      AND (reason <> '' OR cooling_off_until IS NOT NULL OR lifted_until IS NOT NULL)
"""
# Nobody is told of an erased fan any more.
DROP_EVENTS = """
    DELETE FROM event_deliveries
    WHERE creator_id = %(creator_id)s AND id IN (
        SELECT d.id FROM event_deliveries d
        WHERE d.creator_id = %(creator_id)s
          AND (d.payload #>> '{data,conversationId}' = ANY(%(conversations)s)
               OR d.payload #>> '{data,fanId}' = %(fan)s)
        LIMIT %(most)s)
"""
# A judgement says nothing of whom it was about, and its hash is made of the text. Each is made
# again when it is needed.
DROP_JUDGEMENTS = """
    DELETE FROM judgements
    WHERE creator_id = %(creator_id)s AND id IN (
        SELECT j.id FROM judgements j
        WHERE j.creator_id = %(creator_id)s AND j.created_at <= %(until)s
        LIMIT %(most)s)
"""
DROP_EXAMPLES = """
    DELETE FROM learned_examples
    WHERE creator_id = %(creator_id)s AND id IN (
        SELECT e.id FROM learned_examples e
        WHERE e.creator_id = %(creator_id)s AND e.conversation_id = ANY(%(conversation_ids)s)
        LIMIT %(most)s)
"""
EMPTIED: Mapping[str, str] = {
    "messages": EMPTY_MESSAGES,
    "outbox": EMPTY_OUTBOX,
    "care": EMPTY_CARE,
    "events": DROP_EVENTS,
    "judgements": DROP_JUDGEMENTS,
    "learned_examples": DROP_EXAMPLES,
    "message_payments": EMPTY_MESSAGE_PAYMENTS,
}


async def conversation_ids(connection: Connection, creator_id: UUID, fan_id: UUID) -> list[UUID]:
    params = {"creator_id": creator_id, "fan_id": fan_id}
    sent = await send(connection, CONVERSATION_IDS, params, lambda rows: [row[0] for row in rows])
    return await sent.answer()


async def empty(
    connection: Connection,
    what: str,
    erasure: Erasure,
    conversations: Sequence[UUID],
    *,
    most: int,
    now: datetime,
) -> int:
    """Empty some rows of one of `EMPTIED`; how many there were. Fewer than `most` says it is done.

    Care is one row, and so less than `most` too.
    """
    params = {
        "creator_id": erasure.creator_id,
        "fan_id": erasure.fan_id,
        "fan": str(erasure.fan_id),
        "conversation_ids": list(conversations),
        "conversations": [str(each) for each in conversations],
        "until": now,
        "now": now,
        "most": most,
    }
    cursor = await connection.execute(EMPTIED[what], params)
    return cursor.rowcount


# Statistics tell a draft that was changed from one that was not by comparing its two texts, and
# count findings; so a changed text leaves another word behind, and findings their kind.
EMPTY_DRAFTS = """
    UPDATE ai_message_generations g
    SET generated_message = CASE WHEN g.generated_message IS NULL THEN NULL ELSE '' END,
        final_message = CASE WHEN g.final_message IS NULL THEN NULL
                             WHEN g.final_message = g.generated_message THEN ''
                             ELSE %(erased)s END,
        alternatives = NULL, reasoning = '', note = '', options = NULL, attempts = NULL,
        safety = jsonb_set(g.safety, '{findings}', COALESCE(
            (SELECT jsonb_agg(jsonb_set(jsonb_set(f.one, '{6}', '""'), '{7}', '""') ORDER BY f.nth)
             FROM jsonb_array_elements(g.safety -> 'findings') WITH ORDINALITY f (one, nth)),
            '[]'::jsonb)),
        status = CASE g.status WHEN 'queued' THEN 'expired' ELSE g.status END,
        claimed_by = NULL, claimed_until = NULL, snoozed_until = NULL
    WHERE g.creator_id = %(creator_id)s AND g.id IN (
        SELECT o.id FROM ai_message_generations o
        WHERE o.creator_id = %(creator_id)s AND o.conversation_id = ANY(%(conversation_ids)s)
          AND o.id > %(after)s
        ORDER BY o.id LIMIT %(most)s)
    RETURNING g.id
"""
# Of outcomes the numbers stay; a program may have put words there.
EMPTY_FEEDBACK = """
    UPDATE ai_message_feedback f
    SET original_message = NULL, final_message = NULL, reason = NULL, modification_notes = NULL,
        performance_data = COALESCE(
            (SELECT jsonb_object_agg(p.key, p.value) FROM jsonb_each(f.performance_data) p
             WHERE jsonb_typeof(p.value) IN ('number', 'boolean') OR p.key = 'currency'),
            '{}'::jsonb),
        reported = COALESCE(
            (SELECT jsonb_object_agg(p.key, p.value) FROM jsonb_each(f.reported) p
             WHERE jsonb_typeof(p.value) IN ('number', 'boolean') OR p.key = 'currency'),
            '{}'::jsonb)
    WHERE f.creator_id = %(creator_id)s AND f.generation_id = ANY(%(ids)s)
"""


async def empty_drafts(
    connection: Connection,
    creator_id: UUID,
    conversations: Sequence[UUID],
    *,
    after: UUID,
    most: int,
) -> list[UUID]:
    """Empty the next drafts behind an id, by id, with what people said of them; their ids."""
    params = {
        "creator_id": creator_id,
        "conversation_ids": list(conversations),
        "after": after,
        "most": most,
        "erased": ERASED_TEXT,
    }
    sent = await send(connection, EMPTY_DRAFTS, params, lambda rows: sorted(row[0] for row in rows))
    ids = await sent.answer()
    if ids:
        await run(connection, EMPTY_FEEDBACK, {"creator_id": creator_id, "ids": ids})
    return ids


# ---- rows that name the fan, a draft or a message by their ids

SUBJECTS = """
    SELECT %(fan_id)s::uuid
    UNION ALL SELECT unnest(%(conversation_ids)s::uuid[])
    UNION ALL
    SELECT g.id FROM ai_message_generations g
    WHERE g.creator_id = %(creator_id)s AND g.conversation_id = ANY(%(conversation_ids)s)
    UNION ALL
    SELECT o.id FROM outbox o
    WHERE o.creator_id = %(creator_id)s AND o.conversation_id = ANY(%(conversation_ids)s)
    UNION ALL
    SELECT m.id FROM messages m
    WHERE m.creator_id = %(creator_id)s AND m.conversation_id = ANY(%(conversation_ids)s)
"""
# Only what people or platforms have put in their own words: all else are codes of ours.
TOLD = """
    SELECT l.id, l.subject_id FROM audit_log l
    WHERE l.creator_id = %(creator_id)s AND l.id > %(after)s AND l.action <> %(tombstone)s
      AND (jsonb_typeof(l.details -> 'reason') = 'string'
           OR jsonb_typeof(l.details -> 'error') = 'string')
    ORDER BY l.id LIMIT %(most)s
"""
ANSWERS = """
    SELECT k.user_id, k.key, k.response FROM idempotency_keys k
    WHERE (k.user_id, k.key) > (%(after_user)s, %(after_key)s) AND k.response IS NOT NULL
    ORDER BY k.user_id, k.key LIMIT %(most)s
"""
REPLACE_ANSWER = """
    UPDATE idempotency_keys SET response = %(response)s, status_code = %(status)s
    WHERE user_id = %(user_id)s AND key = %(key)s AND response IS NOT NULL
"""


async def subjects(
    connection: Connection, creator_id: UUID, fan_id: UUID, conversations: Sequence[UUID]
) -> set[str]:
    """The ids under which other rows may speak of a fan, as text."""
    params = {
        "creator_id": creator_id,
        "fan_id": fan_id,
        "conversation_ids": list(conversations),
    }
    sent = await send(connection, SUBJECTS, params, lambda rows: {str(row[0]) for row in rows})
    return await sent.answer()


async def told(
    connection: Connection, creator_id: UUID, *, after: UUID, tombstone: str, most: int
) -> list[tuple[UUID, str]]:
    """The next entries of the audit log with words of somebody's in them: id and subject."""
    params = {"creator_id": creator_id, "after": after, "tombstone": tombstone, "most": most}
    sent = await send(connection, TOLD, params, lambda rows: [(row[0], row[1]) for row in rows])
    return await sent.answer()


async def answers(
    connection: Connection, *, after: tuple[UUID, str] = (NIL, ""), most: int
) -> list[tuple[UUID, str, str]]:
    """The next answers that are kept for repeated requests: user, key, answer."""
    params = {"after_user": after[0], "after_key": after[1], "most": most}
    sent = await send(
        connection, ANSWERS, params, lambda rows: [(row[0], row[1], row[2]) for row in rows]
    )
    return await sent.answer()


async def replace_answer(
    connection: Connection, user_id: UUID, key: str, response: str, status: int
) -> None:
    params = {"user_id": user_id, "key": key, "response": response, "status": status}
    await run(connection, REPLACE_ANSWER, params)
