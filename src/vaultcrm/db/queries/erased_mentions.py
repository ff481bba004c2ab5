"""What names an erased fan, or a draft or message of theirs, by id: audit entries, kept answers."""

from collections.abc import Sequence
from uuid import UUID

from vaultcrm.db.pending import Connection, run, send
from vaultcrm.domain.ids import NIL

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
