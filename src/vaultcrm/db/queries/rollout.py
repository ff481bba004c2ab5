"""What the stages of the rollout are judged by, and since when each holds."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from vaultcrm.db.pending import Connection, Pending, Rows, run, send
from vaultcrm.domain.rollout import StageCounts

BEGAN = "SELECT creator_id, began_at FROM rollout_stages"
NOTE_BEGUN = """
    INSERT INTO rollout_stages (creator_id, began_at) VALUES (%(creator_id)s, %(now)s)
    ON CONFLICT (creator_id) DO UPDATE SET began_at = EXCLUDED.began_at
"""

# Each creator over a window of their own, found by their keys and times. How much of a draft was
# changed is told in words, as `edit_distance` is.
COUNTS = r"""
    SELECT w.creator_id, decided.*, drafted.*, complained.count + asked.count + waiting.count
    FROM unnest(%(creator_ids)s::uuid[], %(starts)s::timestamptz[]) w (creator_id, start_at),
    LATERAL (
        SELECT count(*) FILTER (WHERE f.feedback_type = 'rejected'),
               count(*) FILTER (WHERE f.feedback_type = 'modified'),
               count(*) FILTER (WHERE f.feedback_type IN ('approved', 'modified', 'rejected')),
               count(*) FILTER (WHERE f.feedback_type IN ('approved', 'modified', 'auto_sent')),
               count(*) FILTER (WHERE f.feedback_type = 'auto_sent'),
               count(f.changed), COALESCE(sum(f.changed), 0)::float8,
               COALESCE(sum(f.changed * f.changed), 0)::float8
        FROM (
            SELECT b.feedback_type,
                   CASE WHEN b.feedback_type = 'modified' AND b.edit_distance IS NOT NULL
                             AND b.original_message ~ '\S' AND b.final_message ~ '\S' THEN
                       LEAST(b.edit_distance::float8 / GREATEST(
                           cardinality(regexp_split_to_array(btrim(b.original_message), '\s+')),
                           cardinality(regexp_split_to_array(btrim(b.final_message), '\s+'))), 1)
                   END AS changed
            FROM ai_message_feedback b
            WHERE b.creator_id = w.creator_id AND b.created_at >= w.start_at
              AND b.created_at < %(end)s
        ) f
    ) decided,
    LATERAL (
        SELECT count(*), count(*) FILTER (WHERE jsonb_array_length(g.safety -> 'findings') > 0),
               count(*) FILTER (WHERE 'taken_back' = ANY(g.approval_reasons))
        FROM ai_message_generations g
        WHERE g.creator_id = w.creator_id AND g.created_at >= w.start_at
          AND g.created_at < %(end)s
    ) drafted,
    LATERAL (
        SELECT count(*) FROM message_complaints m
        WHERE m.creator_id = w.creator_id AND m.marked_at >= w.start_at AND m.marked_at < %(end)s
    ) complained (count),
    LATERAL (
        SELECT count(*) FROM disclosures d
        WHERE d.creator_id = w.creator_id AND d.why = 'asked' AND d.created_at >= w.start_at
          AND d.created_at < %(end)s
    ) asked (count),
    LATERAL (
        SELECT count(*) FROM conversations c
        WHERE c.creator_id = w.creator_id AND c.disclosure_asked_at >= w.start_at
          AND c.disclosure_asked_at < %(end)s
          AND NOT EXISTS (SELECT 1 FROM disclosures d
                           WHERE d.creator_id = c.creator_id AND d.fan_id = c.fan_id
                             AND d.why = 'asked' AND d.created_at >= c.disclosure_asked_at)
    ) waiting (count)
"""


async def began(connection: Connection) -> Pending[dict[UUID, datetime]]:
    """Since when stages hold, by creator, that of the installation under the nil id. A scope that
    is missing has had the same one from the beginning.
    """
    return await send(connection, BEGAN, {}, dict)


async def note_begun(connection: Connection, scope: UUID, now: datetime) -> None:
    """Another stage is in force from now on."""
    await run(connection, NOTE_BEGUN, {"creator_id": scope, "now": now})


async def counts(
    connection: Connection, windows: Mapping[UUID, datetime], end: datetime
) -> Pending[dict[UUID, StageCounts]]:
    """What was counted for each creator from the start of their window and before `end`."""
    params = {"creator_ids": list(windows), "starts": list(windows.values()), "end": end}
    return await send(connection, COUNTS, params, _read)


def _read(rows: Rows) -> dict[UUID, StageCounts]:
    found = {}
    for creator_id, *decided, drafts, with_findings, taken_back, complaints in rows:
        rejected, modified, people, sent, automatic, edits, edit_sum, edit_squares = decided
        found[creator_id] = StageCounts(
            rejected=rejected,
            modified=modified,
            decided=people,
            edits=edits,
            edit_sum=edit_sum,
            edit_squares=edit_squares,
            with_findings=with_findings,
            drafts=drafts,
            complaints=min(complaints, sent),
            sent=sent,
            taken_back=taken_back,
            automatic=automatic + taken_back,
        )
    return found
