"""Count what a period's drafts came to, for one creator or for all that a caller may see."""

from datetime import datetime, timedelta
from uuid import UUID

from vaultcrm.db.pending import Connection
from vaultcrm.db.queries import metrics, rollups
from vaultcrm.domain.errors import FieldProblem, InvalidInput
from vaultcrm.domain.metrics import (
    Course,
    Metrics,
    Period,
    decision_seconds,
    delivery_counts,
    generation_counts,
    message_tallies,
    model_usage,
    outcome_counts,
)
from vaultcrm.domain.rollups import Piece, pieces_of

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
    """All counts over some creators."""
    pieces = await _pieces(connection, creator_ids, period)
    asked = (connection, pieces, period.start, period.end)
    async with connection.pipeline():
        drafts = await metrics.draft_tallies(*asked)
        decisions = await metrics.decision_tallies(*asked)
        usage = await metrics.usage_tallies(*asked)
        deliveries = await metrics.delivery_tallies(*asked)
    return Metrics(
        period=period,
        generations=generation_counts(await drafts.answer()),
        outcomes=outcome_counts(await decisions.answer()),
        usage=model_usage(await usage.answer()),
        deliveries=delivery_counts(await deliveries.answer()),
    )


async def read_course(
    connection: Connection,
    creator_ids: list[UUID],
    period: Period,
    *,
    hourly_from: datetime,
    escalation_steps: int,
) -> Course:
    """How a period went for some creators, day by day in UTC.

    The period begins at midnight UTC. From `hourly_from` on, a midnight too, it goes hour by hour.
    `escalation_steps` is how often a waiting draft becomes more urgent.
    """
    pieces = await _pieces(connection, creator_ids, period, hourly_from)
    asked = (connection, pieces, period.start, hourly_from)
    async with connection.pipeline():
        drafts = await metrics.draft_tallies(*asked)
        decisions = await metrics.decision_tallies(*asked)
        usage = await metrics.usage_tallies(*asked)
        deliveries = await metrics.delivery_tallies(*asked)
        waits = await metrics.wait_tallies(*asked)
        oldest = await metrics.oldest_waiting(connection, creator_ids, steps=escalation_steps)
    oldest_waiting, waiting = await oldest.answer()
    waited = await waits.answer()
    return Course(
        drafts=await drafts.answer(),
        decisions=await decisions.answer(),
        usage=await usage.answer(),
        messages=message_tallies(await deliveries.answer(), waited),
        decision_seconds=decision_seconds(waited),
        waiting=waiting,
        oldest_waiting=oldest_waiting,
    )


async def _pieces(
    connection: Connection,
    creator_ids: list[UUID],
    period: Period,
    hourly_from: datetime | None = None,
) -> list[Piece]:
    """Where each part of the period is read. What is rolled up meanwhile stays where it was too, so
    that nothing is counted twice or left out.
    """
    rolled = await rollups.states(connection, creator_ids)
    return [
        piece
        for creator_id in creator_ids
        for piece in pieces_of(
            creator_id,
            period.start,
            period.end,
            rolled.get(creator_id),
            hourly_from=hourly_from,
        )
    ]
