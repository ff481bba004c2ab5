"""Feedback: what became of a draft, and what the message did once it was out."""

import json
from datetime import datetime
from typing import Any
from uuid import UUID

from vaultcrm.db.pending import Connection, Pending, Rows, run, send
from vaultcrm.domain.generation import FeedbackType
from vaultcrm.domain.ids import new_id

INSERT = """
    INSERT INTO ai_message_feedback
        (creator_id, id, generation_id, feedback_type, original_message, final_message, reason,
         modification_notes, edit_distance, performance_data, user_id, created_at, updated_at)
    VALUES (%(creator_id)s, %(id)s, %(generation_id)s, %(feedback_type)s, %(original)s, %(final)s,
            %(reason)s, %(notes)s, %(edit_distance)s, '{}', %(user_id)s, %(now)s, %(now)s)
"""

# What is counted in an hour that is over changes: the hour is rolled up anew.
ADD_PERFORMANCE = """
    WITH changed AS (
        UPDATE ai_message_feedback
        SET performance_data = performance_data || %(performance)s::jsonb,
            reported = reported || %(performance)s::jsonb, updated_at = %(now)s
        WHERE creator_id = %(creator_id)s AND generation_id = %(generation_id)s
        RETURNING creator_id, created_at, performance_data
    ), marked AS (
        INSERT INTO rollup_marks (creator_id, id, at)
        SELECT creator_id, %(mark_id)s, created_at FROM changed
        WHERE created_at < date_bin(interval '1 hour', %(now)s, timestamptz '2000-01-01 00:00:00Z')
    )
    SELECT performance_data FROM changed
"""


async def insert(
    connection: Connection,
    *,
    creator_id: UUID,
    generation_id: UUID,
    feedback_type: FeedbackType,
    original: str | None,
    final: str | None,
    reason: str | None,
    notes: str | None,
    edit_distance: int | None,
    user_id: UUID | None,
    now: datetime,
) -> None:
    """What a person, or the policy, made of a draft; one row a generation."""
    params = {
        "creator_id": creator_id,
        "id": new_id(),
        "generation_id": generation_id,
        "feedback_type": feedback_type.value,
        "original": original,
        "final": final,
        "reason": reason,
        "notes": notes,
        "edit_distance": edit_distance,
        "user_id": user_id,
        "now": now,
    }
    await run(connection, INSERT, params)


def _read_performance(rows: Rows) -> dict[str, Any] | None:
    return rows[0][0] if rows else None


async def add_performance(
    connection: Connection,
    *,
    creator_id: UUID,
    generation_id: UUID,
    performance: dict[str, Any],
    now: datetime,
) -> Pending[dict[str, Any] | None]:
    """Lay what a program reports over what is known; None when the draft was never decided."""
    params = {
        "creator_id": creator_id,
        "generation_id": generation_id,
        "performance": json.dumps(performance),
        "mark_id": new_id(),
        "now": now,
    }
    return await send(connection, ADD_PERFORMANCE, params, _read_performance)


async def take_back(connection: Connection, creator_id: UUID, generation_id: UUID) -> None:
    """Forget what was made of a draft whose decision is undone."""
    statement = """
        DELETE FROM ai_message_feedback
        WHERE creator_id = %(creator_id)s AND generation_id = %(generation_id)s
    """
    await run(connection, statement, {"creator_id": creator_id, "generation_id": generation_id})
