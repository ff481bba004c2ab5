"""What is emptied of an erased fan's conversations, some rows of a table at a time.

Rows stay and lose what they say of a person. Each statement may run again and changes nothing then.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from vaultcrm.db.pending import Connection, send
from vaultcrm.domain.erasure import Erasure

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
