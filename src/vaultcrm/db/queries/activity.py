"""Whether anything has happened to some creators, as a short text that differs when it has."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from vaultcrm.db.pending import Connection, Pending, Rows, send
from vaultcrm.domain.ids import NIL

LATEST = 20
"""Audit rows that are looked at. Their ids follow the clock, not the commits: one that is committed
late stands behind others, and must be seen all the same.
"""

ACTIVITY = """
    SELECT c.id, logged.ids, spoken.at, held.ids, flags.set
    FROM unnest(%(creator_ids)s::uuid[]) c (id),
    LATERAL (
        SELECT array_agg(l.id) AS ids FROM (
            SELECT a.id FROM audit_log a WHERE a.creator_id = c.id
            ORDER BY a.id DESC LIMIT %(latest)s) l
    ) logged
    LEFT JOIN LATERAL (
        SELECT v.last_message_at AS at FROM conversations v WHERE v.creator_id = c.id
        ORDER BY v.last_message_at DESC NULLS LAST, v.id DESC LIMIT 1
    ) spoken ON true,
    LATERAL (
        SELECT array_agg(g.id::text || g.claimed_by ORDER BY g.id) AS ids
        FROM ai_message_generations g
        WHERE g.creator_id = c.id AND g.status = 'queued'
          AND g.claimed_by IS NOT NULL AND g.claimed_until > %(now)s
    ) held,
    (
        SELECT array_agg(ROW(o.name, o.value, o.set_at)::text ORDER BY o.name) AS set
        FROM flag_overrides o WHERE o.creator_id = %(nil)s
    ) flags
"""


async def activity(
    connection: Connection, creator_ids: Sequence[UUID], now: datetime
) -> Pending[Mapping[UUID, str]]:
    """A version for each creator: another one after any message, draft, decision or claim, and
    after a flag of the installation was set, of whose log not everybody sees the entries.
    """
    params = {"creator_ids": list(creator_ids), "latest": LATEST, "now": now, "nil": NIL}
    return await send(connection, ACTIVITY, params, _read)


def _read(rows: Rows) -> Mapping[UUID, str]:
    return {row[0]: _digest(repr(row[1:])) for row in rows}


def version_of(by_creator: Mapping[UUID, str]) -> str:
    """One version for several creators together."""
    return _digest("".join(by_creator[creator_id] for creator_id in sorted(by_creator)))


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=9).hexdigest()
