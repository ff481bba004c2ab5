"""What calls to models have used and cost, a row a call."""

from datetime import datetime
from uuid import UUID

from vaultcrm.db.pending import Connection, run
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
