"""The weeks that are learned from: each begins on a Monday at 00:00 UTC."""

from collections.abc import Collection
from datetime import UTC, date, datetime, timedelta
from typing import Final

WEEK: Final = timedelta(days=7)
WEEKS_REMEMBERED: Final = 26
"""Evidence is as old as this at most; a rule that was true two years ago is not one today."""
WEEKS_AT_FIRST: Final = 8
"""So many weeks of the past are gathered for a creator who was never learned from."""


def monday(moment: datetime) -> date:
    """The Monday of a moment's week in UTC."""
    day = moment.astimezone(UTC).date()
    return day - timedelta(days=day.weekday())


def oldest_remembered(until: date) -> date:
    """The oldest week whose sums can be of use in the week `until`."""
    return until - WEEKS_REMEMBERED * WEEK


def missing_weeks(kept: Collection[date], until: date, since: date | None) -> list[date]:
    """The weeks up to `until` that are not among `kept`: all after the last that is, or `since`."""
    if since is not None:
        first = max(since, oldest_remembered(until))
    elif kept:
        first = max(kept) + WEEK
    else:
        first = until - (WEEKS_AT_FIRST - 1) * WEEK
    found = []
    while first <= until:
        if first not in kept:
            found.append(first)
        first += WEEK
    return found
