"""Windows of time in which limits and budgets are counted, in the agency's time zone."""

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from vaultcrm.domain.limits import Windows


def windows_at(now: datetime, zone: str) -> Windows:
    """The hour, day and month of a moment.

    Days and months begin at midnight in the zone, so a day has 23 or 25 hours where its clocks
    change, and begins at the change where there is no midnight.
    """
    return _windows_in(now.astimezone(UTC).replace(second=0, microsecond=0), zone)


@lru_cache(maxsize=64)
def _windows_in(minute: datetime, zone: str) -> Windows:
    """Windows begin at full minutes, so that all moments of one share theirs."""
    today = minute.astimezone(ZoneInfo(zone)).date()
    first = today.replace(day=1)
    return Windows(
        hour=minute.replace(minute=0),
        day=begin_of(today, zone),
        day_ends=begin_of(today + timedelta(days=1), zone),
        month=begin_of(first, zone),
        month_ends=begin_of((first + timedelta(days=31)).replace(day=1), zone),
        zone=zone,
    )


def begin_of(day: date, zone: str) -> datetime:
    """When a day begins in a zone, in UTC."""
    return datetime.combine(day, time.min, ZoneInfo(zone)).astimezone(UTC)
