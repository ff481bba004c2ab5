"""Drafts for an erased fan, and what people said of them: emptied, some at a time."""

from collections.abc import Sequence
from uuid import UUID

from vaultcrm.db.pending import Connection, run, send
from vaultcrm.domain.erasure import ERASED_TEXT

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
