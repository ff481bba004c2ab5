"""Read what calls to models cost, and what today and this month will have cost."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from vaultcrm.controls.limits.windows import begin_of, windows_at
from vaultcrm.db.pending import Connection
from vaultcrm.db.queries import costs, rollups
from vaultcrm.domain.costs import CostTally, Forecast, PastDay, forecast, total
from vaultcrm.domain.limits import Windows
from vaultcrm.domain.metrics import Period
from vaultcrm.domain.rollups import Piece, Rolled, pieces_of

PAST_DAYS = 7


@dataclass(frozen=True, slots=True)
class CostsNow:
    """What today and this month have cost, in the agency's time zone, and a forecast if there is
    enough to make one from.
    """

    windows: Windows
    today: tuple[CostTally, ...]
    month: tuple[CostTally, ...]
    forecast: Forecast | None


async def read_costs(
    connection: Connection, creator_ids: list[UUID], period: Period
) -> tuple[CostTally, ...]:
    """What calls for some creators cost in a period, by creator, model and purpose."""
    rolled = await rollups.states(connection, creator_ids)
    pieces = _pieces(creator_ids, rolled, period.start, period.end)
    return await (await costs.tallies(connection, pieces)).answer()


async def read_costs_now(
    connection: Connection, creator_ids: list[UUID], now: datetime, zone: str
) -> CostsNow:
    """What today and this month have cost so far for some creators, and what they may come to."""
    windows = windows_at(now, zone)
    rolled = await rollups.states(connection, creator_ids)
    past = past_days(now, zone)
    async with connection.pipeline():
        today_sent = await costs.tallies(
            connection, _pieces(creator_ids, rolled, windows.day, windows.day_ends)
        )
        month_sent = await costs.tallies(
            connection, _pieces(creator_ids, rolled, windows.month, windows.month_ends)
        )
        hours_sent = await costs.by_hour(
            connection, _pieces(creator_ids, rolled, past[0].begins, windows.day, by_hour=True)
        )
    today, month = await today_sent.answer(), await month_sent.answer()
    there = ZoneInfo(zone)
    last = (windows.month_ends - timedelta(seconds=1)).astimezone(there).date()
    return CostsNow(
        windows,
        today,
        month,
        forecast(
            today=total(today).micro_usd,
            month=total(month).micro_usd,
            days_left=(last - now.astimezone(there).date()).days,
            past=past,
            by_hour=await hours_sent.answer(),
        ),
    )


def past_days(now: datetime, zone: str) -> tuple[PastDay, ...]:
    """The seven days before today, the oldest first."""
    there = now.astimezone(ZoneInfo(zone))
    found = []
    for back in range(PAST_DAYS, 0, -1):
        day = there.date() - timedelta(days=back)
        begins, ends = begin_of(day, zone), begin_of(day + timedelta(days=1), zone)
        same = datetime.combine(day, there.time(), there.tzinfo).astimezone(UTC)
        # Where clocks change, a time of day may lie outside of its day.
        found.append(PastDay(begins, min(max(same, begins), ends), ends))
    return tuple(found)


def _pieces(
    creator_ids: list[UUID],
    rolled: dict[UUID, Rolled],
    start: datetime,
    end: datetime,
    *,
    by_hour: bool = False,
) -> list[Piece]:
    hourly_from = start if by_hour else None
    return [
        piece
        for creator_id in creator_ids
        for piece in pieces_of(
            creator_id, start, end, rolled.get(creator_id), hourly_from=hourly_from
        )
    ]
