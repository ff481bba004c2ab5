"""What calls to models cost: sums by what they are told apart by, and a forecast.

All amounts are millionths of a dollar.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from vaultcrm.domain.rollups import HOUR, floor_hour


class CostGroup(StrEnum):
    CREATOR = "creator"
    MODEL = "model"
    PURPOSE = "purpose"


@dataclass(frozen=True, slots=True)
class CostTally:
    """Calls of one creator to one model for one purpose. `input_tokens` leaves cached ones out."""

    creator_id: UUID
    model: str
    purpose: str
    calls: int
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    micro_usd: int

    def key(self, group: CostGroup) -> str:
        match group:
            case CostGroup.CREATOR:
                return str(self.creator_id)
            case CostGroup.MODEL:
                return self.model
            case CostGroup.PURPOSE:
                return self.purpose


@dataclass(frozen=True, slots=True)
class CostSum:
    """Calls that have `key` in common: a creator's id, a model or a purpose."""

    key: str
    calls: int
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    micro_usd: int


def grouped(tallies: Iterable[CostTally], group: CostGroup) -> tuple[CostSum, ...]:
    """Sums by what is asked for, the dearest first."""
    by_key: dict[str, list[CostTally]] = {}
    for tally in tallies:
        by_key.setdefault(tally.key(group), []).append(tally)
    sums = [_sum(key, found) for key, found in by_key.items()]
    return tuple(sorted(sums, key=lambda one: (-one.micro_usd, one.key)))


def total(tallies: Iterable[CostTally]) -> CostSum:
    """All of it."""
    return _sum("", list(tallies))


def _sum(key: str, tallies: Sequence[CostTally]) -> CostSum:
    def of(read: Callable[[CostTally], int]) -> int:
        return sum(map(read, tallies))

    return CostSum(
        key,
        of(lambda one: one.calls),
        of(lambda one: one.input_tokens),
        of(lambda one: one.output_tokens),
        of(lambda one: one.cached_tokens),
        of(lambda one: one.micro_usd),
    )


@dataclass(frozen=True, slots=True)
class PastDay:
    """A day before today: when it began and ended, and its moment that has today's time of day."""

    begins: datetime
    same_time: datetime
    ends: datetime


@dataclass(frozen=True, slots=True)
class Forecast:
    """What today and this month will have cost, from `days` days before today."""

    day: int
    month: int
    days: int


def forecast(
    *,
    today: int,
    month: int,
    days_left: int,
    past: Sequence[PastDay],
    by_hour: Mapping[datetime, int],
) -> Forecast | None:
    """Today: what it has cost so far and the mean of what the days before cost from this time of
    day on. The month: what it has cost so far, the same rest of today, and for each of its
    `days_left` days after today the mean of a whole day before.

    Days before the first cost in `by_hour` (full hours in UTC) do not count, as nothing is known of
    them; None where no day is left.
    """
    first = min((hour for hour, cost in by_hour.items() if cost), default=None)
    known = [] if first is None else [day for day in past if day.ends > first]
    if not known:
        return None
    rest = sum(_between(by_hour, day.same_time, day.ends) for day in known) / len(known)
    whole = sum(_between(by_hour, day.begins, day.ends) for day in known) / len(known)
    return Forecast(
        day=today + round(rest), month=month + round(rest + days_left * whole), days=len(known)
    )


def _between(by_hour: Mapping[datetime, int], start: datetime, end: datetime) -> float:
    """The cost between two moments; of an hour that is cut, the part that lies between them."""
    found, hour = 0.0, floor_hour(start)
    while hour < end:
        part = (min(hour + HOUR, end) - max(hour, start)) / HOUR
        found += part * by_hour.get(hour, 0)
        hour += HOUR
    return found
