"""Which part of a period is read from roll-ups by day, which by hour, and which live.

Roll-ups exist for whole hours, and for the whole days that those make up. What happens now, and
what has not been rolled up yet, is counted where it happened.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from uuid import UUID

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


class Span(IntEnum):
    """How many hours a roll-up covers; `LIVE` stands for what is no roll-up."""

    LIVE = 0
    HOUR = 1
    DAY = 24


@dataclass(frozen=True, slots=True)
class Rolled:
    """How far the roll-ups of a creator go: from `since`, a midnight in UTC, and before `until`, a
    full hour. `complete`: nothing is older than `since`.
    """

    since: datetime
    until: datetime
    complete: bool


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a period for one creator, from `start` and before `end`, and where it is read."""

    creator_id: UUID
    span: Span
    start: datetime
    end: datetime


def floor_hour(moment: datetime) -> datetime:
    """The full hour at or before a moment, in UTC."""
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def floor_day(moment: datetime) -> datetime:
    """The midnight in UTC at or before a moment."""
    return floor_hour(moment).replace(hour=0)


def pieces_of(
    creator_id: UUID,
    start: datetime,
    end: datetime,
    rolled: Rolled | None,
    *,
    hourly_from: datetime | None = None,
) -> tuple[Piece, ...]:
    """The period from `start` and before `end`, cut into pieces that touch each other.

    From `hourly_from` on no day is read as a whole.
    """
    start, end = start.astimezone(UTC), end.astimezone(UTC)
    if rolled is None:
        return _some(creator_id, (Span.LIVE, start, end))
    since = min(rolled.since, floor_day(start)) if rolled.complete else rolled.since
    first = min(max(_ceiling(start, HOUR), since), end)
    last = max(min(floor_hour(end), rolled.until), first)
    first_day = min(max(_ceiling(first, DAY), first), last)
    days_end = last if hourly_from is None else min(last, hourly_from)
    last_day = max(floor_day(days_end), first_day)
    return _some(
        creator_id,
        (Span.LIVE, start, first),
        (Span.HOUR, first, first_day),
        (Span.DAY, first_day, last_day),
        (Span.HOUR, last_day, last),
        (Span.LIVE, last, end),
    )


def _ceiling(moment: datetime, to: timedelta) -> datetime:
    floor = floor_hour(moment) if to == HOUR else floor_day(moment)
    return floor if floor == moment else floor + to


def _some(creator_id: UUID, *parts: tuple[Span, datetime, datetime]) -> tuple[Piece, ...]:
    return tuple(Piece(creator_id, span, start, end) for span, start, end in parts if start < end)
