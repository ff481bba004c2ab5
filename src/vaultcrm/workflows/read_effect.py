"""Read what AI changes, for some creators: its messages beside people's, time saved, engagement."""

from datetime import datetime, timedelta
from uuid import UUID

from vaultcrm.db.pending import Connection
from vaultcrm.db.queries import effects, rollups
from vaultcrm.domain.effects import Effect, engagement_change, sides_of
from vaultcrm.domain.metrics import Period
from vaultcrm.domain.rollups import Piece, Rolled, floor_hour, pieces_of
from vaultcrm.domain.time_saved import medians_by_hand, time_saved

USUAL_DAYS = 30


def usual_period(now: datetime) -> Period:
    """The last 30 days."""
    return Period(now - timedelta(days=USUAL_DAYS), now)


async def read_effect(
    connection: Connection,
    creator_ids: list[UUID],
    period: Period,
    window: timedelta,
    now: datetime,
) -> Effect:
    """Messages are compared whose `window`, in which they could be answered, is over by `now`."""
    rolled = await rollups.states(connection, creator_ids)
    end = max(min(period.end, floor_hour(now - window)), period.start)
    messages = Period(period.start, end)
    async with connection.pipeline():
        outcomes = await effects.outcome_tallies(connection, _pieces(creator_ids, messages, rolled))
        pieces = _pieces(creator_ids, period, rolled)
        work = await effects.work_tallies(connection, pieces)
        engagement = await effects.engagement_tallies(connection, pieces)
    worked = await work.answer()
    return Effect(
        period=period,
        messages=messages,
        sides=sides_of(await outcomes.answer()),
        time_saved=time_saved(worked),
        median_by_hand_seconds=medians_by_hand(worked),
        engagement=engagement_change(await engagement.answer()),
    )


def _pieces(creator_ids: list[UUID], period: Period, rolled: dict[UUID, Rolled]) -> list[Piece]:
    return [
        piece
        for creator_id in creator_ids
        for piece in pieces_of(creator_id, period.start, period.end, rolled.get(creator_id))
    ]
