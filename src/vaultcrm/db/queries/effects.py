"""Sums over a whole period of what AI's part in it is told by, from roll-ups and what is not rolled
up yet: as quick for a year as for a day.
"""

from collections.abc import Sequence
from uuid import UUID

from vaultcrm.db.pending import Connection, Pending, Rows, send
from vaultcrm.db.queries import tallies
from vaultcrm.db.queries.tallies import RANGES, Tallied, ranges
from vaultcrm.domain.conversation import Author
from vaultcrm.domain.effects import EngagementTally, OutcomeTally
from vaultcrm.domain.rollups import Piece
from vaultcrm.domain.time_saved import WorkKind, WorkTally


def _statement(kind: Tallied) -> str:
    keys = ", ".join(kind.keys)
    columns = ", ".join((*kind.keys, *kind.counts))
    sums = ", ".join(f"sum({count})::bigint" for count in kind.counts)
    rolled = ", ".join(f"t.{name}" for name in (*kind.keys, *kind.counts))
    return f"""
        SELECT {keys}, {sums}
        FROM (
            SELECT {rolled}
            FROM {RANGES} JOIN {kind.table} t ON t.creator_id = r.creator_id AND t.span = r.span
              AND t.at >= r.start_at AND t.at < r.end_at
            UNION ALL
            SELECT {columns} FROM ({kind.live}) l
        ) counted
        GROUP BY {keys}
        ORDER BY {keys}
    """


OUTCOMES = _statement(tallies.OUTCOMES)
WORK = _statement(tallies.WORK)
ENGAGEMENT = _statement(tallies.ENGAGEMENT)


async def outcome_tallies(
    connection: Connection, pieces: Sequence[Piece]
) -> Pending[tuple[OutcomeTally, ...]]:
    """Messages that were sent, by author and currency."""

    def read(rows: Rows) -> tuple[OutcomeTally, ...]:
        return tuple(OutcomeTally(Author(row[0]), *row[1:]) for row in rows)

    return await send(connection, OUTCOMES, ranges(pieces), read)


async def work_tallies(
    connection: Connection, pieces: Sequence[Piece]
) -> Pending[tuple[WorkTally, ...]]:
    """What people did and how long they were at it, by person, kind, size and length of time."""

    def read(rows: Rows) -> tuple[WorkTally, ...]:
        return tuple(WorkTally(row[0], WorkKind(row[1]), *row[2:]) for row in rows)

    return await send(connection, WORK, ranges(pieces), read)


async def engagement_tallies(
    connection: Connection, pieces: Sequence[Piece]
) -> Pending[tuple[EngagementTally, ...]]:
    """Conversations that came to be compared."""

    def read(rows: Rows) -> tuple[EngagementTally, ...]:
        return tuple(EngagementTally(row[0] == "compared", *row[1:]) for row in rows)

    return await send(connection, ENGAGEMENT, ranges(pieces), read)


NAMES = "SELECT id, name FROM users WHERE id = ANY(%(ids)s)"


async def names(connection: Connection, ids: Sequence[UUID]) -> dict[UUID, str]:
    """What people are called."""
    sent = await send(
        connection, NAMES, {"ids": list(ids)}, lambda rows: {row[0]: row[1] for row in rows}
    )
    return await sent.answer()
