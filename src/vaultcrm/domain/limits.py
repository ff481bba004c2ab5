"""What a call reserves before it is made, and what stands of each limit then."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

REQUESTS_PER_HOUR = "requests_per_hour"
TOKENS_PER_DAY = "tokens_per_day"
EVERYBODY = "all"
_HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Windows:
    """In which windows of time a moment is counted. An hour is one of UTC; days and months begin at
    midnight in the agency's time zone, `zone`. All are in UTC.
    """

    hour: datetime
    day: datetime
    day_ends: datetime
    month: datetime
    month_ends: datetime
    zone: str

    def of(self, kind: str) -> tuple[datetime, datetime]:
        """Begin and end of the window of a limit or budget, by the kind of its counter."""
        if kind == REQUESTS_PER_HOUR:
            return self.hour, self.hour + _HOUR
        if kind.endswith("_per_month"):
            return self.month, self.month_ends
        return self.day, self.day_ends


@dataclass(frozen=True, slots=True)
class Reservation:
    """What one call may use at most: `tokens`, and `micro_usd` millionths of a dollar.

    Held from the moment of its windows until it is settled or given back, at the latest until
    `expires_at`.
    """

    id: UUID
    windows: Windows
    tokens: int
    micro_usd: int
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Holding:
    """What a call holds of the counters, as the database wrote it down. `held` is opaque."""

    id: UUID
    held: str


@dataclass(frozen=True, slots=True)
class LimitState:
    """One limit or budget after a call has tried to reserve `amount` of it.

    `used` counts all reservations, this one included; None when it refused. Amounts
    are requests, tokens or millionths of a dollar.
    """

    kind: str
    ceiling: int
    amount: int
    used: int | None


@dataclass(frozen=True, slots=True)
class Quota:
    """What a caller is told of one limit: how much of `quota` is `left` until its window ends."""

    name: str
    quota: int
    left: int
    window_seconds: int
    ends_in_seconds: int
