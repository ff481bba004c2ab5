"""How long people are at what they do: decisions on drafts, and messages of their own."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from vaultcrm.db.pending import Connection, Rows, run, send
from vaultcrm.domain.time_saved import WorkKind

# Across creators, since one person works for several: what they did before may have been elsewhere.
ACTIONS = """
    SELECT f.creator_id, f.id, f.user_id,
           CASE f.feedback_type WHEN 'rejected' THEN 'rejected' ELSE 'sent' END,
           char_length(COALESCE(f.final_message, f.original_message, '')), f.created_at
    FROM unnest(%(creator_ids)s::uuid[]) c (id)
    JOIN ai_message_feedback f ON f.creator_id = c.id
    WHERE f.created_at > %(after)s AND f.created_at <= %(until)s
      AND f.user_id IS NOT NULL AND f.feedback_type <> 'auto_sent'
    UNION ALL
    SELECT o.creator_id, o.id, o.author_user_id, 'by_hand', char_length(o.text), o.created_at
    FROM unnest(%(creator_ids)s::uuid[]) c (id)
    JOIN outbox o ON o.creator_id = c.id
    WHERE o.created_at > %(after)s AND o.created_at <= %(until)s
      AND o.author = 'chatter' AND o.author_user_id IS NOT NULL
"""
OLDEST = """
    SELECT LEAST(
        (SELECT min(f.created_at) FROM ai_message_feedback f
         WHERE f.creator_id = ANY(%(creator_ids)s)),
        (SELECT min(o.created_at) FROM outbox o WHERE o.creator_id = ANY(%(creator_ids)s)))
"""
BEGIN = """
    INSERT INTO work_states (name, measured_until) VALUES ('work', %(at)s) ON CONFLICT DO NOTHING
"""
LOCK = "SELECT measured_until FROM work_states WHERE name = 'work' FOR UPDATE SKIP LOCKED"
ADVANCE = "UPDATE work_states SET measured_until = %(at)s WHERE name = 'work'"
KEEP = """
    INSERT INTO chatter_work (creator_id, id, user_id, kind, length, milliseconds, at)
    SELECT u.* FROM unnest(%(creator_ids)s::uuid[], %(ids)s::uuid[], %(user_ids)s::uuid[],
                           %(kinds)s::text[], %(lengths)s::integer[], %(milliseconds)s::bigint[],
                           %(moments)s::timestamptz[]) u
    ON CONFLICT DO NOTHING
    RETURNING creator_id, at
"""


@dataclass(frozen=True, slots=True)
class Action:
    """What a person finished: `length` is of the text in characters, `id` is the row's."""

    creator_id: UUID
    id: UUID
    user_id: UUID
    kind: WorkKind
    length: int
    at: datetime


def _time(rows: Rows) -> datetime | None:
    return rows[0][0] if rows else None


async def lock(connection: Connection) -> datetime | None:
    """Up to when work is measured, held until the transaction ends; None when it is not begun, or
    somebody else is at it.
    """
    return await (await send(connection, LOCK, {}, _time)).answer()


async def begin(connection: Connection, at: datetime) -> None:
    await run(connection, BEGIN, {"at": at})


async def advance(connection: Connection, at: datetime) -> None:
    await run(connection, ADVANCE, {"at": at})


async def oldest(connection: Connection, creator_ids: Sequence[UUID]) -> datetime | None:
    """When the first thing was done that can be measured."""
    sent = await send(connection, OLDEST, {"creator_ids": list(creator_ids)}, _time)
    return await sent.answer()


async def actions(
    connection: Connection, creator_ids: Sequence[UUID], after: datetime, until: datetime
) -> list[Action]:
    """What people did after one moment and up to another, in any order."""
    params = {"creator_ids": list(creator_ids), "after": after, "until": until}

    def read(rows: Rows) -> list[Action]:
        return [Action(row[0], row[1], row[2], WorkKind(row[3]), row[4], row[5]) for row in rows]

    return await (await send(connection, ACTIONS, params, read)).answer()


async def keep(
    connection: Connection, measured: Sequence[tuple[Action, int]]
) -> list[tuple[UUID, datetime]]:
    """Keep how many milliseconds each of some actions took; creator and moment of the new ones."""
    params = {
        "creator_ids": [one.creator_id for one, _ in measured],
        "ids": [one.id for one, _ in measured],
        "user_ids": [one.user_id for one, _ in measured],
        "kinds": [one.kind.value for one, _ in measured],
        "lengths": [one.length for one, _ in measured],
        "milliseconds": [milliseconds for _, milliseconds in measured],
        "moments": [one.at for one, _ in measured],
    }
    sent = await send(connection, KEEP, params, lambda rows: [(row[0], row[1]) for row in rows])
    return await sent.answer()
