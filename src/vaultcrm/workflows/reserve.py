"""Reserve what a call to a model may use at most, and count what it used instead.

A draft is reserved by `open_call`, in the one statement that opens it; this is for all other calls,
and for the second attempt at a draft.
"""

from datetime import datetime
from uuid import UUID

from vaultcrm.adapters.llm.catalog import cost_micro_usd, most_micro_usd
from vaultcrm.controls.limits import require_reserved, reservation_of
from vaultcrm.db.pending import Connection
from vaultcrm.db.queries import limits
from vaultcrm.domain.errors import LimitExceeded
from vaultcrm.domain.generation import TokenUsage
from vaultcrm.domain.limits import Holding, Reservation
from vaultcrm.workflows.parts import Parts


def reservation_for(
    parts: Parts, model: str, prompt_tokens: int, answer_tokens: int, now: datetime
) -> Reservation:
    """The most that one call of a model may use. A drafter that calls no model reserves nothing."""
    if parts.drafter.reads_repertoire:
        return reservation_of(0, 0, now, parts.settings)
    cost = most_micro_usd(parts.price(model, now), prompt_tokens, answer_tokens)
    return reservation_of(prompt_tokens + answer_tokens, cost, now, parts.settings)


async def reserve(
    parts: Parts,
    connection: Connection,
    reservation: Reservation,
    *,
    creator_id: UUID,
    user_id: UUID | None,
    max_tokens_per_day: int,
) -> Holding:
    """Reserve for a call that is nobody's request; `user_id` None is automatic work.

    Raises LimitExceeded, and holds nothing then.
    """
    holding, states = await limits.reserve(
        connection,
        reservation,
        creator_id=creator_id,
        user_id=user_id,
        ceiling=max_tokens_per_day,
    )
    try:
        require_reserved(states, reservation.windows, parts.now())
    except LimitExceeded:
        if holding is not None:
            await limits.give_back(connection, holding)
        raise
    assert holding is not None  # noqa: S101 -- no limit has refused, and there is always one
    return holding


def cost_of(parts: Parts, model: str, used: TokenUsage, at: datetime) -> int:
    """What a call has cost in millionths of a dollar, by the price of its time."""
    return cost_micro_usd(parts.price(model, at), used)


async def expire_reservations(parts: Parts) -> int:
    """Give back what calls hold whose processes have died; how many calls there were.

    Any number of processes may do it at once: each reservation is taken by one of them.
    """
    expired, batch = 0, AT_ONCE
    while batch >= AT_ONCE:
        async with parts.pool.connection() as connection:
            batch = await limits.expire(connection, parts.now(), most=AT_ONCE)
        expired += batch
    return expired


AT_ONCE = 500
"""Reservations that one statement gives back."""
