"""What the dashboard's numbers and charts share: their period, sums, and how values are written."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from vaultcrm.domain.metrics import DecisionTally
from vaultcrm.domain.money import Money
from vaultcrm.entrypoints.web.text import times

TREND_DAYS = 14
USD = "USD"
MICRO_USD = 1_000_000

Value = float | None
Unit = Literal["usd", "count", "seconds"]


@dataclass(frozen=True, slots=True)
class Span:
    """The chosen period: `days` up to and with that of `now`, by hour where it is today alone."""

    days: int
    now: datetime

    @property
    def today(self) -> datetime:
        return self.now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)

    @property
    def by_hour(self) -> bool:
        return self.days == 1

    @property
    def start(self) -> datetime:
        """From here on is read what numbers and charts need."""
        return self.today - timedelta(days=max(self.days, TREND_DAYS) - 1)

    @property
    def end(self) -> datetime:
        return self.today + timedelta(days=1)

    @property
    def hourly_from(self) -> datetime:
        return self.today if self.by_hour else self.end

    @property
    def buckets(self) -> tuple[datetime, ...]:
        """The days of the charts, or the hours of today so far."""
        if self.by_hour:
            hours = range(self.now.astimezone(UTC).hour + 1)
            return tuple(self.today + timedelta(hours=hour) for hour in hours)
        return tuple(self.today - timedelta(days=back) for back in reversed(range(self.days)))

    @property
    def trend(self) -> tuple[datetime, ...]:
        return tuple(self.today - timedelta(days=back) for back in reversed(range(TREND_DAYS)))

    @property
    def labels(self) -> tuple[str, ...]:
        if self.by_hour:
            return tuple(f"{bucket:%H:%M}" for bucket in self.buckets)
        return tuple(f"{bucket.day} {bucket:%b}" for bucket in self.buckets)

    @property
    def moments(self) -> tuple[str, ...]:
        if self.by_hour:
            return tuple(f"{bucket:%H:%M} to {bucket:%H}:59" for bucket in self.buckets)
        return tuple(f"{bucket:%a} {times.date(bucket, self.today)}" for bucket in self.buckets)

    @property
    def told(self) -> str:
        """The period as a part of a sentence."""
        return "today" if self.by_hour else f"in the last {self.days} days"


def told(value: Value, unit: Unit) -> str:
    """A value as it stands in a table; a dash where there is none."""
    if value is None:
        return "–"
    if unit == "usd":
        return usd(value)
    return duration(value) if unit == "seconds" else f"{value:,.0f}"


def usd(value: float) -> str:
    """`$412.00`; less than a dollar to a tenth of a cent, as `$0.004`."""
    return f"${value:,.2f}" if value >= 1 or value == 0 else f"${max(value, 0.001):.3f}"


def duration(seconds: float) -> str:
    """`8 s`, `4 min`, `3.5 h`, `2.1 d`."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    if seconds < 3600:
        return f"{seconds / 60:.0f} min"
    if seconds < 48 * 3600:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 86400:.1f} d"


def share(part: float, whole: float) -> Value:
    return part / whole if whole else None


def percent(value: Value) -> str:
    return "–" if value is None else f"{value:.0%}"


def sum_of(tallies: Iterable[Any], *names: str) -> int:
    """Some of the counts of some tallies, added up."""
    return sum(getattr(tally, name) for tally in tallies for name in names)


def money_by_currency(tallies: Iterable[DecisionTally]) -> list[str]:
    """The revenue of each currency in which there is any."""
    sums: dict[str, int] = {}
    for tally in tallies:
        if tally.revenue_known:
            sums[tally.currency] = sums.get(tally.currency, 0) + tally.revenue_minor
    return [str(Money(minor, currency)) for currency, minor in sorted(sums.items())]
