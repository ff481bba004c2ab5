"""How long the demo's team was at its work, and what has to be looked at for outcomes."""

from datetime import datetime

from vaultcrm.db.pending import Connection, run

# Times are drawn by the rows' ids, so that the same history has the same ones. Of three actions one
# came after a break. Writing takes a while and longer for more; deciding takes a look.
_WORK = """
    INSERT INTO chatter_work (creator_id, id, user_id, kind, length, milliseconds, at)
    SELECT w.creator_id, w.id, w.user_id, w.kind, w.length,
           round(w.typical * (400 + mod(w.draw, 1400)) / 1000), w.at
    FROM (
        SELECT f.creator_id, f.id, f.user_id,
               CASE f.feedback_type WHEN 'rejected' THEN 'rejected' ELSE 'sent' END AS kind,
               char_length(COALESCE(f.final_message, f.original_message)) AS length,
               CASE f.feedback_type WHEN 'modified' THEN 42000 ELSE 17000 END AS typical,
               ('x' || left(md5(f.id::text), 7))::bit(28)::integer AS draw, f.created_at AS at
        FROM ai_message_feedback f
        WHERE f.user_id IS NOT NULL
        UNION ALL
        SELECT o.creator_id, o.id, o.author_user_id, 'by_hand', char_length(o.text),
               38000 + 400 * char_length(o.text),
               ('x' || left(md5(o.id::text), 7))::bit(28)::integer, o.created_at
        FROM outbox o
        WHERE o.author = 'chatter' AND o.author_user_id IS NOT NULL
    ) w
    WHERE mod(w.draw, 3) > 0
    ON CONFLICT DO NOTHING
"""
_MEASURED = """
    INSERT INTO work_states (name, measured_until) VALUES ('work', %(now)s) ON CONFLICT DO NOTHING
"""
_MARKS = """
    INSERT INTO outcome_marks (creator_id, id, conversation_id)
    SELECT creator_id, id, id FROM conversations
    ON CONFLICT DO NOTHING
"""


async def keep_work(connection: Connection, now: datetime) -> None:
    """Write down how long a history's people were at it, and have its outcomes made."""
    await run(connection, _WORK, {})
    await run(connection, _MEASURED, {"now": now})
    await run(connection, _MARKS, {})
