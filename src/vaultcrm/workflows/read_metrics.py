"""Count what a period's drafts came to, for one creator or for all that a caller may see."""

from datetime import datetime, timedelta
from uuid import UUID

from vaultcrm.db.pending import Connection
from vaultcrm.db.queries import metrics
from vaultcrm.domain.errors import FieldProblem, InvalidInput
from vaultcrm.domain.metrics import Metrics, Period

USUAL_PERIOD = timedelta(hours=24)
LONGEST_PERIOD = timedelta(days=92)


def period_asked_for(start: datetime | None, end: datetime | None, now: datetime) -> Period:
    """The period between two moments: the last day where neither is given.

    Without an end it goes up to now; without a start it is the day before the end. Raises
    InvalidInput for one that is empty or longer than 92 days.
    """
    end = end or now
    start = start or end - USUAL_PERIOD
    if start >= end:
        raise InvalidInput(
            FieldProblem("from", "must be before to, which is now if it is left out")
        )
    if end - start > LONGEST_PERIOD:
        raise InvalidInput(
            FieldProblem("from", f"must be at most {LONGEST_PERIOD.days} days before to")
        )
    return Period(start, end)


async def read_metrics(connection: Connection, creator_ids: list[UUID], period: Period) -> Metrics:
    """All counts over some creators, in one round trip."""
    async with connection.pipeline():
        generations = await metrics.generation_counts(connection, creator_ids, period)
        outcomes = await metrics.outcome_counts(connection, creator_ids, period)
        usage = await metrics.model_usage(connection, creator_ids, period)
        deliveries = await metrics.delivery_counts(connection, creator_ids, period)
    return Metrics(
        period=period,
        generations=await generations.answer(),
        outcomes=await outcomes.answer(),
        usage=await usage.answer(),
        deliveries=await deliveries.answer(),
    )
