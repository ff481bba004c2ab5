"""The demo's rollout: a stage that has held for three weeks, and a few fans who complained."""

from datetime import datetime, timedelta
from uuid import UUID

from vaultcrm.db.pending import Connection, Rows, run, send
from vaultcrm.db.queries import complaints
from vaultcrm.domain.ids import NIL

HELD = timedelta(days=21)

_BEGAN = "UPDATE rollout_stages SET began_at = %(began)s WHERE creator_id = %(nil)s"
_COMPLAINED = """
    SELECT DISTINCT ON (m.creator_id) m.creator_id, m.generation_id, u.id, m.sent_at
    FROM messages m, users u
    WHERE m.generation_id IS NOT NULL AND m.sent_at > %(began)s AND m.sent_at < %(before)s
      AND u.role = 'chatter'
    ORDER BY m.creator_id, m.sent_at, m.id, u.id
"""
_LATER = timedelta(hours=3)


async def stage_demo(connection: Connection, now: datetime) -> None:
    """Let the stage have begun earlier, and mark a complaint for each creator."""
    await run(connection, _BEGAN, {"nil": NIL, "began": now - HELD})

    def read(rows: Rows) -> list[tuple[UUID, UUID, UUID, datetime]]:
        return [(row[0], row[1], row[2], row[3]) for row in rows]

    params = {"began": now - HELD, "before": now - _LATER}
    found = await (await send(connection, _COMPLAINED, params, read)).answer()
    for creator_id, generation_id, user_id, sent_at in found:
        await complaints.mark(connection, creator_id, generation_id, user_id, sent_at + _LATER)
