"""Time that a simulation turns on by itself: a clock, an agenda, and jobs without workers."""

import hashlib
import heapq
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import procrastinate
from procrastinate.testing import InMemoryConnector

from vaultcrm.db.jobs import ANSWER_FAN, DEFAULT_QUEUE, DELIVER_MESSAGE, JobQueue
from vaultcrm.db.pending import Connection

BEGINS = datetime(2026, 1, 5, tzinfo=UTC)
"""When every world begins: a Monday."""
SIMULATED_JOBS = frozenset({ANSWER_FAN, DELIVER_MESSAGE})
"""What a simulation runs. Other jobs are counted and left."""


def moment(minute: float) -> datetime:
    """A minute of the world as a time."""
    return BEGINS + timedelta(minutes=minute)


def minute_of(at: datetime) -> float:
    """A time as minutes of the world."""
    return (at - BEGINS).total_seconds() / 60.0


def seeded_ids(now: Callable[[], datetime], *names: object) -> Callable[[], UUID]:
    """Makes UUIDv7 of simulated time: the milliseconds, then a count of 32 bits in the first places
    of the random parts (so that they sort as they were made), then 42 bits that the names decide.
    """
    key = "\x1f".join(str(name) for name in names).encode()
    count = 0

    def make() -> UUID:
        nonlocal count
        count += 1
        milliseconds = int(now().timestamp() * 1000)
        drawn = hashlib.sha256(key + count.to_bytes(4, "big")).digest()
        low = int.from_bytes(drawn[:8], "big") & (2**42 - 1)
        upper, lower = count >> 20 & 0xFFF, count & 0xFFFFF
        return UUID(int=milliseconds << 80 | 7 << 76 | upper << 64 | 2 << 62 | lower << 42 | low)

    return make


@dataclass(frozen=True, slots=True)
class Due:
    """Something that is to happen: what, and with what. `lock` is a job's queueing lock."""

    what: str
    about: Mapping[str, Any]
    lock: str | None = None


@dataclass(slots=True)
class Agenda:
    """What is to happen, by the minute; within one minute in the order of adding."""

    minute: float = 0.0
    _heap: list[tuple[float, int, Due]] = field(default_factory=list)
    _added: int = 0
    _locks: dict[str, float] = field(default_factory=dict)
    left_out: Counter[str] = field(default_factory=Counter)

    def now(self) -> datetime:
        return moment(self.minute)

    def add(self, minute: float, what: str, **about: Any) -> None:
        self._push(minute, Due(what, about))

    def add_job(self, at: datetime | None, name: str, lock: str | None, about: Any) -> bool:
        """False when a job with this queueing lock waits already."""
        if name not in SIMULATED_JOBS:
            self.left_out[name] += 1
            return True
        if lock is not None and lock in self._locks:
            return False
        minute = self.minute if at is None else max(self.minute, minute_of(at))
        if lock is not None:
            self._locks[lock] = minute
        self._push(minute, Due(name, about, lock))
        return True

    def postpone(self, lock: str, at: datetime) -> None:
        if lock in self._locks:
            self._locks[lock] = max(self._locks[lock], minute_of(at))

    def next(self, until: float) -> Due | None:
        """What is next, with the clock turned on to it; None when nothing is to happen before
        `until`.
        """
        while self._heap and self._heap[0][0] < until:
            minute, _, due = heapq.heappop(self._heap)
            put_off = self._locks.get(due.lock, minute) if due.lock is not None else minute
            if put_off > minute:
                self._push(put_off, due)
                continue
            if due.lock is not None:
                del self._locks[due.lock]
            self.minute = max(self.minute, minute)
            return due
        return None

    def waiting(self, what: str) -> tuple[Mapping[str, Any], ...]:
        """What is still to happen of one kind."""
        return tuple(due.about for _, _, due in self._heap if due.what == what)

    def _push(self, minute: float, due: Due) -> None:
        self._added += 1
        heapq.heappush(self._heap, (minute, self._added, due))


class SimulatedJobs(JobQueue):
    """Jobs of a simulation: put on its agenda. One whose transaction is undone runs all the same,
    and finds nothing to do.
    """

    def __init__(self, agenda: Agenda) -> None:
        super().__init__(procrastinate.App(connector=InMemoryConnector()))
        self._agenda = agenda

    async def defer(
        self,
        connection: Connection,
        name: str,
        *,
        lock: str | None = None,
        queueing_lock: str | None = None,
        at: datetime | None = None,
        queue: str = DEFAULT_QUEUE,
        **arguments: Any,
    ) -> bool:
        return self._agenda.add_job(at, name, queueing_lock, arguments)

    async def postpone(self, connection: Connection, queueing_lock: str, at: datetime) -> None:
        self._agenda.postpone(queueing_lock, at)
