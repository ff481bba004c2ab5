"""What calls to models have used and cost, a row a call."""

from datetime import datetime
from uuid import UUID

from vaultcrm.db.pending import Connection, Pending, run, send
from vaultcrm.domain.generation import TokenUsage
from vaultcrm.domain.ids import new_id

INSERT = """
    INSERT INTO usage (creator_id, id, generation_id, purpose, model, input_tokens, output_tokens,
                       cached_tokens, cost_micro_usd, created_at)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
"""


async def insert(
    connection: Connection,
    *,
    creator_id: UUID,
    generation_id: UUID | None,
    purpose: str,
    model: str,
    used: TokenUsage,
    cost_micro_usd: int,
    now: datetime,
) -> None:
    """Write what a call used, in the transaction that keeps its result.

    Cache writes are counted as input, as they are read in full.
    """
    params = (
        creator_id,
        new_id(),
        generation_id,
        purpose,
        model,
        used.input + used.cache_write,
        used.output,
        used.cache_read,
        cost_micro_usd,
        now,
    )
    await run(connection, INSERT, params)


COST_SINCE = """
    SELECT COALESCE(sum(cost_micro_usd), 0)::bigint FROM usage
    WHERE creator_id = ANY(%(creator_ids)s) AND created_at >= %(since)s
"""


async def cost_since(
    connection: Connection, creator_ids: list[UUID], since: datetime
) -> Pending[int]:
    """What calls to models have cost some creators since then, in millionths of a dollar."""
    params = {"creator_ids": creator_ids, "since": since}
    return await send(connection, COST_SINCE, params, lambda rows: int(rows[0][0]))
