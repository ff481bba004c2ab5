"""Roll-ups: made by hour from what happened, by day from those by hour, and made anew when an hour
that is over has changed after all.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from vaultcrm.db.pending import Connection, Rows, run, send
from vaultcrm.db.queries import tallies
from vaultcrm.db.queries.tallies import RANGES, Tallied, ranges
from vaultcrm.domain.ids import new_id
from vaultcrm.domain.rollups import Piece, Rolled, Span

# ---- how far they go

STATES = """
    SELECT creator_id, rolled_since, rolled_until, complete FROM rollup_states
    WHERE creator_id = ANY(%(creator_ids)s)
"""
LOCK = """
    SELECT creator_id, rolled_since, rolled_until, complete FROM rollup_states
    WHERE creator_id = %(creator_id)s AND id = %(creator_id)s
    FOR UPDATE SKIP LOCKED
"""
BEGIN = """
    INSERT INTO rollup_states (creator_id, id, rolled_since, rolled_until, complete)
    VALUES (%(creator_id)s, %(creator_id)s, %(day)s, %(day)s, false)
    ON CONFLICT DO NOTHING
"""
ADVANCE = """
    UPDATE rollup_states
    SET rolled_since = %(since)s, rolled_until = %(until)s, complete = %(complete)s
    WHERE creator_id = %(creator_id)s AND id = %(creator_id)s
"""
# One look into each index by time.
OLDEST = """
    SELECT LEAST(
        (SELECT min(created_at) FROM ai_message_generations WHERE creator_id = %(creator_id)s),
        (SELECT min(created_at) FROM ai_message_feedback WHERE creator_id = %(creator_id)s),
        (SELECT min(created_at) FROM usage WHERE creator_id = %(creator_id)s),
        (SELECT min(created_at) FROM outbox WHERE creator_id = %(creator_id)s),
        (SELECT min(sent_at) FROM message_outcomes WHERE creator_id = %(creator_id)s))
"""


def _read_states(rows: Rows) -> dict[UUID, Rolled]:
    return {row[0]: Rolled(*row[1:]) for row in rows}


async def states(connection: Connection, creator_ids: list[UUID]) -> dict[UUID, Rolled]:
    """How far the roll-ups of some creators go; those that have none are left out."""
    sent = await send(connection, STATES, {"creator_ids": creator_ids}, _read_states)
    return await sent.answer()


async def lock_state(connection: Connection, creator_id: UUID) -> Rolled | None:
    """How far they go, held until the transaction ends; None when somebody else holds it or there
    is none.
    """
    found = await (await send(connection, LOCK, {"creator_id": creator_id}, _read_states)).answer()
    return found.get(creator_id)


async def begin_state(connection: Connection, creator_id: UUID, day: datetime) -> None:
    """Let roll-ups of a creator begin at a midnight, if they have not begun."""
    await run(connection, BEGIN, {"creator_id": creator_id, "day": day})


async def advance_state(connection: Connection, creator_id: UUID, rolled: Rolled) -> None:
    """Note how far the roll-ups go now, in the transaction that made them."""
    params = {
        "creator_id": creator_id,
        "since": rolled.since,
        "until": rolled.until,
        "complete": rolled.complete,
    }
    await run(connection, ADVANCE, params)


async def oldest(connection: Connection, creator_id: UUID) -> datetime | None:
    """When the first thing happened that is counted."""

    def read(rows: Rows) -> datetime | None:
        return rows[0][0] if rows else None

    return await (await send(connection, OLDEST, {"creator_id": creator_id}, read)).answer()


# ---- hours that have changed, or still can

MARK = """
    INSERT INTO rollup_marks (creator_id, id, at)
    SELECT %(creator_id)s, m.id, m.at
    FROM unnest(%(ids)s::uuid[], %(moments)s::timestamptz[]) m (id, at)
"""
TAKE_MARKS = """
    DELETE FROM rollup_marks
    WHERE creator_id = %(creator_id)s AND id IN (
        SELECT id FROM rollup_marks WHERE creator_id = %(creator_id)s ORDER BY id LIMIT %(limit)s)
    RETURNING at
"""
OPEN_HOURS = """
    (SELECT at FROM rollup_drafts
     WHERE creator_id = %(creator_id)s AND span = 1 AND waiting > 0
     ORDER BY made_at LIMIT %(limit)s)
    UNION
    (SELECT at FROM rollup_messages
     WHERE creator_id = %(creator_id)s AND span = 1
       AND delivery_status IN ('pending', 'sending', 'uncertain')
     ORDER BY made_at LIMIT %(limit)s)
"""


async def mark(connection: Connection, creator_id: UUID, moments: Sequence[datetime]) -> None:
    """Have the hours of these moments rolled up anew, in the transaction that changes them."""
    params = {
        "creator_id": creator_id,
        "ids": [new_id() for _ in moments],
        "moments": list(moments),
    }
    await run(connection, MARK, params)


async def take_marks(connection: Connection, creator_id: UUID, limit: int) -> list[datetime]:
    """The moments that were marked, each once for every mark; they are marked no more."""
    params = {"creator_id": creator_id, "limit": limit}
    sent = await send(connection, TAKE_MARKS, params, lambda rows: [row[0] for row in rows])
    return await sent.answer()


async def open_hours(connection: Connection, creator_id: UUID, limit: int) -> list[datetime]:
    """Hours in which something waits or is under way, those that were looked at longest ago first.

    At most `limit` of each kind.
    """
    params = {"creator_id": creator_id, "limit": limit}
    sent = await send(connection, OPEN_HOURS, params, lambda rows: [row[0] for row in rows])
    return await sent.answer()


# ---- making them


def _id_of(kind: Tallied, source: str) -> str:
    """An id made of what the row is about, as text that no two rows share."""
    parts = ", ".join(f"{source}.{key}" for key in kind.keys)
    return f"md5(concat_ws(E'\\n', {source}.span, extract(epoch FROM {source}.at), {parts}))::uuid"


def _clear(kind: Tallied) -> str:
    return f"""
        DELETE FROM {kind.table} t USING {RANGES}
        WHERE t.creator_id = r.creator_id AND t.span = %(span)s
          AND t.at >= r.start_at AND t.at < r.end_at
    """


def _fill_hours(kind: Tallied) -> str:
    columns = ", ".join((*kind.keys, *kind.counts))
    return f"""
        INSERT INTO {kind.table} (creator_id, id, span, at, {columns}, made_at)
        SELECT l.creator_id, {_id_of(kind, "l")}, l.span, l.at, {columns}, %(now)s
        FROM (SELECT 1::smallint AS span, h.* FROM ({kind.live}) h) l
    """


def _fill_days(kind: Tallied) -> str:
    keys = ", ".join(kind.keys)
    sums = ", ".join(f"sum(t.{count})::bigint AS {count}" for count in kind.counts)
    columns = ", ".join((*kind.keys, *kind.counts))
    return f"""
        INSERT INTO {kind.table} (creator_id, id, span, at, {columns}, made_at)
        SELECT d.creator_id, {_id_of(kind, "d")}, d.span, d.at, {columns}, %(now)s
        FROM (
            SELECT t.creator_id, 24::smallint AS span, r.start_at AS at, {keys}, {sums}
            FROM {RANGES} JOIN {kind.table} t
              ON t.creator_id = r.creator_id AND t.span = 1
             AND t.at >= r.start_at AND t.at < r.end_at
            GROUP BY t.creator_id, r.start_at, {keys}
        ) d
    """


_HOURS = tuple((_clear(kind), _fill_hours(kind)) for kind in tallies.ALL)
_DAYS = tuple((_clear(kind), _fill_days(kind)) for kind in tallies.ALL)


async def make_hours(connection: Connection, live: Iterable[Piece], now: datetime) -> None:
    """Roll up whole hours, in the place of what was made of them before.

    The pieces are live ones that begin and end at full hours and do not overlap.
    """
    params = {**ranges(live), "span": Span.HOUR.value, "now": now}
    for clear, fill in _HOURS:
        await run(connection, clear, params)
        await run(connection, fill, params)


async def make_days(connection: Connection, days: Iterable[Piece], now: datetime) -> None:
    """Roll up whole days, a piece each, from their hours."""
    params = {**ranges(days), "span": Span.DAY.value, "now": now}
    for clear, fill in _DAYS:
        await run(connection, clear, params)
        await run(connection, fill, params)
