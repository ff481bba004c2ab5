"""The time that drafts save people, from how long they are at drafts and at messages of their own.

    saved = (what the drafts that were sent would have taken by hand) - (what deciding took)

By hand: for each draft that a person sent, the median of the messages that were written by hand and
are about as long. Deciding: what decisions took, those that rejected a draft among them.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from uuid import UUID

LONGEST_WORK = timedelta(minutes=10)
"""Whoever does nothing for longer takes a break."""
LEAST_BY_HAND = 20
"""So many messages by hand of about a length make a median."""
LEAST_DECISIONS = 20
SIZES = (80, 200)
"""Messages are up to 80 characters long, up to 200, or longer: like is compared with like."""


class WorkKind(StrEnum):
    """A draft was decided on and `SENT`, edited or not, or `REJECTED`; `BY_HAND`: a message of the
    person's own.
    """

    SENT = "sent"
    REJECTED = "rejected"
    BY_HAND = "by_hand"


@dataclass(frozen=True, slots=True)
class WorkTally:
    """Actions of one person and kind, of a size (place in `SIZES`, or one more), that took about as
    long: `bucket` is the whole part of 4 log2(1 + seconds).
    """

    user_id: UUID
    kind: WorkKind
    size: int
    bucket: int
    actions: int
    milliseconds: int


@dataclass(frozen=True, slots=True)
class TimeSaved:
    """What drafts saved one person. `seconds` may be negative: then deciding took longer.

    `decisions` are those that could be compared, `uncompared` those for which too few messages of
    that size were written by hand. `by_hand_seconds` and `deciding_seconds` are what the formula
    takes from one another. `seconds` is None while there is too little to tell.
    """

    user_id: UUID
    decisions: int
    uncompared: int
    by_hand_seconds: float | None
    deciding_seconds: float | None

    @property
    def seconds(self) -> float | None:
        if self.by_hand_seconds is None or self.deciding_seconds is None:
            return None
        return self.by_hand_seconds - self.deciding_seconds


def medians_by_hand(tallies: Iterable[WorkTally]) -> dict[int, float]:
    """Median seconds of messages by hand, by size, over everybody; sizes with too few are left out.

    A median is the mean of the bucket in which it lies, so it is off by a fifth at most.
    """
    found: dict[int, list[WorkTally]] = {}
    for tally in tallies:
        if tally.kind is WorkKind.BY_HAND:
            found.setdefault(tally.size, []).append(tally)
    return {
        size: _median(each)
        for size, each in sorted(found.items())
        if sum(tally.actions for tally in each) >= LEAST_BY_HAND
    }


def time_saved(tallies: Sequence[WorkTally]) -> tuple[TimeSaved, ...]:
    """What drafts saved each person who decided on any, those whom they saved most first."""
    medians = medians_by_hand(tallies)
    people: dict[UUID, list[WorkTally]] = {}
    for tally in tallies:
        if tally.kind is not WorkKind.BY_HAND:
            people.setdefault(tally.user_id, []).append(tally)
    found = [_of_person(user_id, each, medians) for user_id, each in people.items()]
    return tuple(
        sorted(found, key=lambda one: (one.seconds is None, -(one.seconds or 0), one.user_id))
    )


def _of_person(user_id: UUID, tallies: Sequence[WorkTally], medians: dict[int, float]) -> TimeSaved:
    """A rejected draft has no message, so it is compared with nothing and only costs time."""
    by_hand = deciding = 0.0
    decisions = uncompared = 0
    for tally in tallies:
        if tally.kind is WorkKind.SENT and tally.size not in medians:
            uncompared += tally.actions
            continue
        decisions += tally.actions
        deciding += tally.milliseconds / 1000
        if tally.kind is WorkKind.SENT:
            by_hand += medians[tally.size] * tally.actions
    if decisions < LEAST_DECISIONS or not medians:
        return TimeSaved(user_id, decisions, uncompared, None, None)
    return TimeSaved(user_id, decisions, uncompared, by_hand, deciding)


def _median(tallies: Iterable[WorkTally]) -> float:
    counts: Counter[int] = Counter()
    sums: Counter[int] = Counter()
    for tally in tallies:
        counts[tally.bucket] += tally.actions
        sums[tally.bucket] += tally.milliseconds
    middle = (counts.total() + 1) / 2
    passed = 0
    for bucket in sorted(counts):
        passed += counts[bucket]
        if passed >= middle:
            return sums[bucket] / counts[bucket] / 1000
    raise ValueError("there is nothing to take the median of")
