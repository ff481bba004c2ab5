"""Removing rows that are older than they are kept, some at a time, found by an index.

Rows that somebody else holds are left for the next time. Ids follow the clock, so that for most
tables the key itself says which rows are old.
"""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from vaultcrm.db.pending import Connection, Rows, run, send
from vaultcrm.domain.ids import NIL, least_id_at
from vaultcrm.domain.retention import Kept, Pruned

_OLD_OF_CREATOR = """
    DELETE FROM {table} t WHERE t.creator_id = %(creator_id)s AND t.id IN (
        SELECT o.id FROM {table} o
        WHERE o.creator_id = %(creator_id)s AND o.id < %(below)s{also}
        ORDER BY o.id LIMIT %(most)s FOR UPDATE SKIP LOCKED)
"""
# A draft that was stopped or overtaken never left, so nothing else of ours speaks of it but its
# feedback.
_OLD_DRAFTS = """
    WITH old AS (
        SELECT g.id FROM ai_message_generations g
        WHERE g.creator_id = %(creator_id)s AND g.created_at < %(before)s
          AND g.status IN ('rejected', 'expired')
        ORDER BY g.created_at LIMIT %(most)s FOR UPDATE SKIP LOCKED
    ), said AS (
        DELETE FROM ai_message_feedback f
        WHERE f.creator_id = %(creator_id)s AND f.generation_id IN (SELECT id FROM old)
    )
    DELETE FROM ai_message_generations g
    WHERE g.creator_id = %(creator_id)s AND g.id IN (SELECT id FROM old)
"""
_OLD_ALERTS = """
    WITH old AS (
        SELECT a.id FROM alerts a WHERE a.cleared_at < %(before)s
        ORDER BY a.id LIMIT %(most)s FOR UPDATE SKIP LOCKED
    ), mails AS (
        DELETE FROM alert_mails m WHERE m.alert_id IN (SELECT id FROM old)
    )
    DELETE FROM alerts a WHERE a.id IN (SELECT id FROM old)
"""
_OLD_BY_KEY = """
    DELETE FROM {table} t WHERE ({key}) IN (
        SELECT {key} FROM {table} o WHERE {old}
        LIMIT %(most)s FOR UPDATE SKIP LOCKED)
"""
# A job is over when it did not do what it was to do; one that did is gone already.
_OLD_JOBS = """
    DELETE FROM procrastinate_jobs j WHERE j.id IN (
        SELECT o.id FROM procrastinate_jobs o
        WHERE o.status IN ('failed', 'cancelled', 'aborted', 'succeeded')
          AND (SELECT max(e.at) FROM procrastinate_events e WHERE e.job_id = o.id) < %(before)s
        LIMIT %(most)s FOR UPDATE SKIP LOCKED)
"""


def _of_creator(table: str, also: str = "") -> str:
    return _OLD_OF_CREATOR.format(table=table, also=also)


def _by_key(table: str, key: str, old: str) -> str:
    return _OLD_BY_KEY.format(table=table, key=key, old=old)


STATEMENTS: Mapping[Kept, tuple[str, ...]] = {
    Kept.MESSAGES: (_of_creator("messages"),),
    Kept.DRAFTS: (_OLD_DRAFTS,),
    Kept.INBOUND: (_of_creator("inbound_events", " AND o.processed_at IS NOT NULL"),),
    Kept.EVENTS: (_of_creator("event_deliveries", " AND o.status <> 'pending'"),),
    Kept.JUDGEMENTS: (_of_creator("judgements"),),
    Kept.ALERTS: (_OLD_ALERTS,),
    Kept.IDEMPOTENCY: (_by_key("idempotency_keys", "user_id, key", "o.created_at < %(before)s"),),
    Kept.SESSIONS: (
        _by_key("sessions", "token_hash", "o.expires_at < %(before)s"),
        _by_key("used_links", "nonce", "o.expires_at < %(before)s"),
    ),
    Kept.SIGN_INS: tuple(
        _by_key(
            table,
            "subject",
            "o.last_at < %(before)s AND (o.free_at IS NULL OR o.free_at < %(before)s)",
        )
        for table in ("sign_in_tries", "address_tries")
    ),
    Kept.COUNTERS: (
        _by_key("limit_counters", "kind, subject, window_start", "o.window_start < %(before)s"),
    ),
    Kept.JOBS: (_OLD_JOBS,),
}


async def remove(
    connection: Connection, kind: Kept, creator_id: UUID, before: datetime, most: int
) -> int:
    """Remove rows from before a moment, at most `most` of each table; how many there were.

    The creator only counts for kinds of tenant tables.
    """
    params = {
        "creator_id": creator_id,
        "before": before,
        "below": least_id_at(before),
        "most": most,
    }
    removed = 0
    for statement in STATEMENTS[kind]:
        cursor = await connection.execute(statement, params)
        removed += cursor.rowcount
    return removed


OWNERS = """
    SELECT id FROM creators UNION SELECT %(nil)s::uuid ORDER BY 1
"""


async def owners(connection: Connection) -> list[UUID]:
    """Whose rows there may be: every creator, and the installation itself."""
    sent = await send(connection, OWNERS, {"nil": NIL}, lambda rows: [row[0] for row in rows])
    return await sent.answer()


NOTE = """
    INSERT INTO prunings AS p (kind, pruned_at, last_rows, all_rows)
    VALUES (%(kind)s, %(now)s, %(rows)s, %(rows)s)
    ON CONFLICT (kind) DO UPDATE
      SET pruned_at = EXCLUDED.pruned_at, last_rows = EXCLUDED.last_rows,
          all_rows = p.all_rows + EXCLUDED.last_rows
"""


async def note(connection: Connection, kind: Kept, rows: int, now: datetime) -> None:
    """Write down that old rows of a kind were looked for, and how many were removed."""
    await run(connection, NOTE, {"kind": kind.value, "rows": rows, "now": now})


NOTED = "SELECT kind, pruned_at, last_rows, all_rows FROM prunings"


def _read_noted(rows: Rows) -> dict[Kept, Pruned]:
    known = {kind.value for kind in Kept}
    return {
        Kept(kind): Pruned(Kept(kind), at, last, whole)
        for kind, at, last, whole in rows
        if kind in known
    }


async def noted(connection: Connection) -> dict[Kept, Pruned]:
    """What was last removed of each kind."""
    return await (await send(connection, NOTED, {}, _read_noted)).answer()
