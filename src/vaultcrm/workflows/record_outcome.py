"""Attach what a message did (replied, bought, revenue, time to reply) to its generation."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from vaultcrm.db.queries import feedback, generations, outcomes
from vaultcrm.domain.errors import Conflict, NotFound
from vaultcrm.domain.people import Caller
from vaultcrm.workflows.attribute_outcomes import attribute_message
from vaultcrm.workflows.parts import Parts, Receipt


@dataclass(frozen=True, slots=True)
class OutcomeReport:
    """What is known of a message's effect. A field that is None is not known and changes nothing.

    `revenue_minor` is in minor units; `time_to_reply` in seconds.
    """

    generation_id: UUID
    replied: bool | None = None
    purchased: bool | None = None
    revenue_minor: int | None = None
    time_to_reply: int | None = None


async def record_outcome(
    parts: Parts,
    caller: Caller,
    report: OutcomeReport,
    *,
    receipt: Receipt | None = None,
    encode: Callable[[dict[str, Any]], str] | None = None,
) -> dict[str, Any]:
    """Lay what is reported over what is known and return all of it.

    What was refunded stays taken back, whatever is reported.

    Raises NotFound, or Conflict for a draft that was never decided and so has no effect.
    """
    known = {
        "replied": report.replied,
        "purchased": report.purchased,
        "revenue": report.revenue_minor,
        "timeToReply": report.time_to_reply,
    }
    async with parts.transaction() as connection:
        creator_id = await generations.find_creator(connection, report.generation_id)
        if creator_id is None or not caller.may_see(creator_id):
            raise NotFound("generation")
        sent = await feedback.add_performance(
            connection,
            creator_id=creator_id,
            generation_id=report.generation_id,
            performance={name: value for name, value in known.items() if value is not None},
            now=parts.now(),
        )
        performance = await sent.answer()
        message = await outcomes.message_of(connection, creator_id, report.generation_id)
        if performance is not None and message is not None:
            # The mark has it done again by whoever holds the creator's outcomes just now.
            await outcomes.mark(connection, creator_id, message.conversation_id, message.sent_at)
            outcome = await attribute_message(parts, connection, creator_id, message.id)
            performance = performance if outcome is None else dict(outcome.performance)
        if performance is not None and receipt is not None and encode is not None:
            await receipt.store(connection, encode(performance))
    if performance is None:
        raise Conflict("This draft has not been sent, so it can have no outcome yet.")
    return performance
