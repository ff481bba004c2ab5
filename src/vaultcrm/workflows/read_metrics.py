"""Count what a period's drafts came to, for one creator or for all that a caller may see."""

from datetime import datetime, timedelta
from uuid import UUID

from vaultcrm.db.pending import Connection
from vaultcrm.db.queries import metrics
from vaultcrm.domain.errors import FieldProblem, InvalidInput
from vaultcrm.domain.metrics import Course, Metrics, Period

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


async def read_course(
    connection: Connection,
    creator_ids: list[UUID],
    period: Period,
    *,
    hourly_from: datetime,
    escalation_steps: int,
) -> Course:
    """How a period went for some creators, day by day in UTC, in one round trip.

    The period begins at midnight UTC. From `hourly_from` on, a midnight too, it goes hour by hour.
    `escalation_steps` is how often a waiting draft becomes more urgent.
    """
    async with connection.pipeline():
        drafts = await metrics.draft_tallies(connection, creator_ids, period, hourly_from)
        decisions = await metrics.decision_tallies(connection, creator_ids, period, hourly_from)
        usage = await metrics.usage_tallies(connection, creator_ids, period, hourly_from)
        messages = await metrics.message_tallies(connection, creator_ids, period, hourly_from)
        seconds = await metrics.decision_seconds(connection, creator_ids, period)
        oldest = await metrics.oldest_waiting(connection, creator_ids, steps=escalation_steps)
    oldest_waiting, waiting = await oldest.answer()
    return Course(
        drafts=await drafts.answer(),
        decisions=await decisions.answer(),
        usage=await usage.answer(),
        messages=await messages.answer(),
        decision_seconds=await seconds.answer(),
        waiting=waiting,
        oldest_waiting=oldest_waiting,
    )
