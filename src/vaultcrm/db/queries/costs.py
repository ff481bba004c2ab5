"""What calls to models cost, by creator, model and purpose, or hour by hour.

Read like the other counts of a period (`vaultcrm.db.queries.metrics`): from roll-ups, and live
where there are none.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from vaultcrm.db.pending import Connection, Pending, Rows, send
from vaultcrm.db.queries.tallies import RANGES, USAGE, ranges
from vaultcrm.domain.costs import CostTally
from vaultcrm.domain.rollups import Piece

_COUNTED = f"""
    SELECT t.creator_id, t.at, t.model, t.purpose, t.calls, t.input_tokens, t.output_tokens,
           t.cached_tokens, t.cost_micro_usd
    FROM {RANGES} JOIN {USAGE.table} t ON t.creator_id = r.creator_id AND t.span = r.span
      AND t.at >= r.start_at AND t.at < r.end_at
    UNION ALL
    SELECT creator_id, at, model, purpose, calls, input_tokens, output_tokens, cached_tokens,
           cost_micro_usd
    FROM ({USAGE.live}) l
"""
TALLIES = f"""
    SELECT creator_id, model, purpose, sum(calls)::bigint, sum(input_tokens)::bigint,
           sum(output_tokens)::bigint, sum(cached_tokens)::bigint, sum(cost_micro_usd)::bigint
    FROM ({_COUNTED}) counted
    GROUP BY creator_id, model, purpose
    ORDER BY creator_id, model, purpose
"""
BY_HOUR = f"SELECT at, sum(cost_micro_usd)::bigint FROM ({_COUNTED}) counted GROUP BY at"


async def tallies(
    connection: Connection, pieces: Sequence[Piece]
) -> Pending[tuple[CostTally, ...]]:
    """The costs of the pieces of a period."""

    def read(rows: Rows) -> tuple[CostTally, ...]:
        return tuple(CostTally(*row) for row in rows)

    return await send(connection, TALLIES, ranges(pieces), read)


async def by_hour(
    connection: Connection, pieces: Sequence[Piece]
) -> Pending[Mapping[datetime, int]]:
    """Millionths of a dollar by the hour in which they were spent. No piece is of whole days."""
    return await send(connection, BY_HOUR, ranges(pieces), dict)
