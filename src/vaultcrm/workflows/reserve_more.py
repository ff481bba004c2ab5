"""Reserve more for a call that was let in: for a second attempt, or for a dearer model."""

from dataclasses import replace

from vaultcrm.controls.limits import LONGEST_ANSWER_TOKENS, PROMPT_TOKEN_BUDGET
from vaultcrm.domain.limits import Reservation
from vaultcrm.workflows.open_call import OpenCall, Spent
from vaultcrm.workflows.parts import Parts
from vaultcrm.workflows.reserve import reservation_for, reserve


async def reserve_more(parts: Parts, call: OpenCall, spent: Spent, more: Reservation) -> None:
    """Hold so much beside what the call holds already. Raises LimitExceeded."""
    async with parts.pool.connection() as connection:
        holding = await reserve(
            parts,
            connection,
            more,
            creator_id=call.situation.creator.id,
            user_id=call.chatter_id,
            max_tokens_per_day=call.flags.max_tokens_per_day,
        )
    spent.held_more.append(holding)


async def reserve_dearer(parts: Parts, call: OpenCall, spent: Spent, model: str) -> None:
    """Hold what a test's model may cost beyond the drafter's own; "" is that one.

    Nothing is asked of the database where no budget is in dollars. Raises LimitExceeded.
    """
    if not model or not any("_usd_" in state.kind for state in call.limits):
        return
    now = parts.now()
    most, own = (
        reservation_for(parts, name, PROMPT_TOKEN_BUDGET, LONGEST_ANSWER_TOKENS, now)
        for name in (model, parts.drafter.model)
    )
    if most.micro_usd > own.micro_usd:
        dearer = replace(most, tokens=0, micro_usd=most.micro_usd - own.micro_usd)
        await reserve_more(parts, call, spent, dearer)
