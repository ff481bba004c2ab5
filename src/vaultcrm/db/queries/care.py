"""What care for a fan does to the drafts that wait, and what chatters are told to do."""

from datetime import datetime
from typing import Any
from uuid import UUID

from vaultcrm.db.pending import Connection, Pending, Record, records, run, send
from vaultcrm.domain.approval import ApprovalReason
from vaultcrm.domain.conversation import Care
from vaultcrm.domain.ids import new_id

# Reasons stay in their order of strictness. A draft that was put off comes back.
RAISE = """
    UPDATE ai_message_generations g
    SET priority = g.priority + CASE WHEN g.priority >= %(points)s THEN 0 ELSE %(points)s END,
        approval_reasons = ARRAY(
            SELECT DISTINCT ON (array_position(%(order)s::text[], known.reason)) known.reason
            FROM unnest(g.approval_reasons || %(reason)s::text) AS known(reason)
            ORDER BY array_position(%(order)s::text[], known.reason)),
        snoozed_until = NULL
    WHERE g.creator_id = %(creator_id)s AND g.conversation_id = %(conversation_id)s
      AND g.status = 'queued'
"""
LOWER = """
    UPDATE ai_message_generations SET priority = priority - %(points)s
    WHERE creator_id = %(creator_id)s AND conversation_id = %(conversation_id)s
      AND status = 'queued' AND priority >= %(points)s
"""

_REASONS = {
    Care.DISTRESS: ApprovalReason.FAN_DISTRESS,
    Care.POSSIBLE_MINOR: ApprovalReason.POSSIBLE_MINOR,
}


async def raise_drafts(
    connection: Connection, creator_id: UUID, conversation_id: UUID, care: Care, points: int
) -> None:
    """Put the drafts that wait in a conversation before all others, and say why."""
    params = {
        "creator_id": creator_id,
        "conversation_id": conversation_id,
        "points": points,
        "reason": _REASONS[care].value,
        "order": [reason.value for reason in ApprovalReason],
    }
    await run(connection, RAISE, params)


async def lower_drafts(
    connection: Connection, creator_id: UUID, conversation_id: UUID, points: int
) -> None:
    """Give drafts that still wait their place among the others back."""
    params = {"creator_id": creator_id, "conversation_id": conversation_id, "points": points}
    await run(connection, LOWER, params)


GUIDANCE = """
    SELECT g.kind, g.text, g.set_at, u.name
    FROM care_guidance g LEFT JOIN users u ON u.id = g.set_by
    WHERE g.creator_id = %(creator_id)s
"""
SET_GUIDANCE = """
    INSERT INTO care_guidance (creator_id, id, kind, text, set_by, set_at)
    VALUES (%(creator_id)s, %(id)s, %(kind)s, %(text)s, %(user_id)s, %(now)s)
    ON CONFLICT (creator_id, kind) DO UPDATE
      SET text = EXCLUDED.text, set_by = EXCLUDED.set_by, set_at = EXCLUDED.set_at
"""
CLEAR_GUIDANCE = "DELETE FROM care_guidance WHERE creator_id = %(creator_id)s AND kind = %(kind)s"


async def guidance(connection: Connection, creator_id: UUID) -> Pending[list[Record]]:
    """A creator's own guidance, by kind, with who set it and when."""
    read = records("kind", "text", "set_at", "set_by")
    return await send(connection, GUIDANCE, {"creator_id": creator_id}, read)


async def set_guidance(
    connection: Connection,
    creator_id: UUID,
    kind: Care,
    text: str | None,
    *,
    user_id: UUID,
    now: datetime,
) -> None:
    """Set what chatters are told; None leaves it to the text that comes with the product."""
    params: dict[str, Any] = {"creator_id": creator_id, "kind": kind.value}
    if text is None:
        await run(connection, CLEAR_GUIDANCE, params)
        return
    params |= {"id": new_id(), "text": text, "user_id": user_id, "now": now}
    await run(connection, SET_GUIDANCE, params)
