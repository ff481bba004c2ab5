"""How much fans write before a conversation's first AI message and after it."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from vaultcrm.db.pending import Connection, run
from vaultcrm.domain.outcomes import ENGAGEMENT_PERIOD

# Once it is counted it stays: what comes in later is too late to matter.
NOTE_FIRST = """
    INSERT INTO conversation_engagement AS e (creator_id, id, first_ai_at)
    SELECT %(creator_id)s, u.id, u.at
    FROM unnest(%(ids)s::uuid[], %(moments)s::timestamptz[]) u (id, at)
    ON CONFLICT (creator_id, id) DO UPDATE SET first_ai_at = EXCLUDED.first_ai_at
      WHERE e.known_at IS NULL AND EXCLUDED.first_ai_at < e.first_ai_at
"""
COUNT_DUE = """
    UPDATE conversation_engagement e
    SET known_at = %(now)s,
        is_comparable = EXISTS (
            SELECT 1 FROM messages m
            WHERE m.creator_id = e.creator_id AND m.conversation_id = e.id
              AND m.sent_at <= e.first_ai_at - %(period)s),
        before = (
            SELECT count(*) FROM messages m
            WHERE m.creator_id = e.creator_id AND m.conversation_id = e.id AND m.sender = 'fan'
              AND m.sent_at > e.first_ai_at - %(period)s AND m.sent_at <= e.first_ai_at),
        after = (
            SELECT count(*) FROM messages m
            WHERE m.creator_id = e.creator_id AND m.conversation_id = e.id AND m.sender = 'fan'
              AND m.sent_at > e.first_ai_at AND m.sent_at <= e.first_ai_at + %(period)s)
    WHERE e.creator_id = %(creator_id)s AND e.id IN (
        SELECT d.id FROM conversation_engagement d
        WHERE d.creator_id = %(creator_id)s AND d.known_at IS NULL
          AND d.first_ai_at <= %(now)s - %(period)s
        ORDER BY d.first_ai_at LIMIT %(most)s)
"""
AT_ONCE = 500


async def note_first(
    connection: Connection, creator_id: UUID, moments: Mapping[UUID, datetime]
) -> None:
    """AI messages of some conversations; the first one of each is kept."""
    ids = sorted(moments)
    params = {"creator_id": creator_id, "ids": ids, "moments": [moments[one] for one in ids]}
    await run(connection, NOTE_FIRST, params)


async def count_due(connection: Connection, creator_id: UUID, now: datetime) -> None:
    """Count fans' messages where the weeks after the first AI message are over, some at a time."""
    params = {
        "creator_id": creator_id,
        "now": now,
        "period": ENGAGEMENT_PERIOD,
        "most": AT_ONCE,
    }
    await run(connection, COUNT_DUE, params)
