"""Counts over a period, from roll-ups by day and by hour and, where there are none, live.

One statement for each kind of counts (`vaultcrm.db.queries.tallies`), with the pieces of the period
of each creator that is asked for. How many rows it reads depends on the length of the period and
on what happens in an hour, and not on how much has happened.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from vaultcrm.db.pending import Connection, Pending, Rows, send
from vaultcrm.db.queries import tallies
from vaultcrm.db.queries.cards import MOST_COUNTED
from vaultcrm.db.queries.tallies import RANGES, Tallied, ranges
from vaultcrm.domain.conversation import Author
from vaultcrm.domain.generation import DeliveryStatus, GenerationType
from vaultcrm.domain.metrics import (
    DecisionTally,
    DeliveryTally,
    DraftTally,
    UsageTally,
    WaitKind,
    WaitTally,
)
from vaultcrm.domain.rollups import Piece

T = TypeVar("T")


def _statement(kind: Tallied) -> str:
    keys = ", ".join(kind.keys)
    columns = ", ".join((*kind.keys, *kind.counts))
    sums = ", ".join(f"sum({count})::bigint" for count in kind.counts)
    rolled = ", ".join(f"t.{name}" for name in (*kind.keys, *kind.counts))
    return f"""
        SELECT date_bin(CASE WHEN at >= %(hourly_from)s THEN interval '1 hour'
                        ELSE interval '1 day' END, at, %(origin)s::timestamptz) AS begins,
               {keys}, {sums}
        FROM (
            SELECT t.at, {rolled}
            FROM {RANGES} JOIN {kind.table} t ON t.creator_id = r.creator_id AND t.span = r.span
              AND t.at >= r.start_at AND t.at < r.end_at
            UNION ALL
            SELECT at, {columns} FROM ({kind.live}) l
        ) counted
        GROUP BY begins, {keys}
        ORDER BY begins, {keys}
    """


STATEMENTS = {kind.table: _statement(kind) for kind in tallies.ALL}
"""The statement of each kind of counts, by the table of its roll-ups."""


def params_of(pieces: Sequence[Piece], origin: datetime, hourly_from: datetime) -> dict[str, Any]:
    """The parameters of one of `STATEMENTS`."""
    return {**ranges(pieces), "origin": origin, "hourly_from": hourly_from}


# One look into the index of waiting drafts for each creator and step of urgency.
OLDEST_WAITING = """
    SELECT min(oldest.created_at),
           (SELECT count(*) FROM (
              SELECT 1 FROM ai_message_generations
              WHERE creator_id = ANY(%(creator_ids)s) AND status = 'queued'
              LIMIT %(most)s) waiting)
    FROM unnest(%(creator_ids)s::uuid[]) c (id), generate_series(0, %(steps)s) s (escalated),
    LATERAL (
        SELECT g.created_at FROM ai_message_generations g
        WHERE g.creator_id = c.id AND g.status = 'queued' AND g.escalated = s.escalated
        ORDER BY g.created_at LIMIT 1
    ) oldest
"""


async def _send(
    connection: Connection,
    kind: Tallied,
    pieces: Sequence[Piece],
    origin: datetime,
    hourly_from: datetime,
    read: Callable[..., T],
) -> Pending[tuple[T, ...]]:
    def read_all(rows: Rows) -> tuple[T, ...]:
        return tuple(read(*row) for row in rows)

    params = params_of(pieces, origin, hourly_from)
    return await send(connection, STATEMENTS[kind.table], params, read_all)


async def draft_tallies(
    connection: Connection, pieces: Sequence[Piece], origin: datetime, hourly_from: datetime
) -> Pending[tuple[DraftTally, ...]]:
    """Drafts that were made, by type and by days from `origin` on, and by hour from `hourly_from`
    on; oldest first. So are those below.
    """
    return await _send(
        connection,
        tallies.DRAFTS,
        pieces,
        origin,
        hourly_from,
        lambda at, kind, *counts: DraftTally(at, GenerationType(kind), *counts),
    )


async def decision_tallies(
    connection: Connection, pieces: Sequence[Piece], origin: datetime, hourly_from: datetime
) -> Pending[tuple[DecisionTally, ...]]:
    """Decisions and what came of them up to now, by currency."""
    return await _send(connection, tallies.DECISIONS, pieces, origin, hourly_from, DecisionTally)


async def usage_tallies(
    connection: Connection, pieces: Sequence[Piece], origin: datetime, hourly_from: datetime
) -> Pending[tuple[UsageTally, ...]]:
    """Calls, tokens and cost, by model and purpose."""
    return await _send(connection, tallies.USAGE, pieces, origin, hourly_from, UsageTally)


async def delivery_tallies(
    connection: Connection, pieces: Sequence[Piece], origin: datetime, hourly_from: datetime
) -> Pending[tuple[DeliveryTally, ...]]:
    """Messages that were to leave, by author and by what has become of them."""
    return await _send(
        connection,
        tallies.MESSAGES,
        pieces,
        origin,
        hourly_from,
        lambda at, author, status, count: DeliveryTally(
            at, Author(author), DeliveryStatus(status), count
        ),
    )


async def wait_tallies(
    connection: Connection, pieces: Sequence[Piece], origin: datetime, hourly_from: datetime
) -> Pending[tuple[WaitTally, ...]]:
    """How long fans waited for answers, and drafts for people."""
    return await _send(
        connection,
        tallies.WAITS,
        pieces,
        origin,
        hourly_from,
        lambda at, kind, *counts: WaitTally(at, WaitKind(kind), *counts),
    )


async def oldest_waiting(
    connection: Connection, creator_ids: list[UUID], *, steps: int
) -> Pending[tuple[datetime | None, int]]:
    """When the draft was made that has waited longest, and how many wait, counted up to
    `MOST_COUNTED`. `steps` is how often one may have become more urgent.
    """
    params = {"creator_ids": creator_ids, "steps": steps, "most": MOST_COUNTED}
    return await send(connection, OLDEST_WAITING, params, lambda rows: (rows[0][0], rows[0][1]))
