"""Counts of one process since it began: requests, calls to models, and failures of the database.

Counting is a few additions in memory. What is counted by minute, which alerts look at, is handed on
every few seconds by `vaultcrm.workflows.observe`; until then it is kept here.
"""

import asyncio
import os
import socket
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Upper bounds of the buckets that durations are counted in; longer ones have one of their own."""

FAILED = frozenset({500, 502, 504})
"""Answers that mean that something is broken. A 503 is a refusal on purpose: AI is off, the server
stops, or the database is away, which has a count of its own."""

UNWATCHED = frozenset({"/healthz", "/readyz", "/metrics", "/static"})
"""Routes that machines ask for again and again, and that do little. Alerts look at requests without
them: among a thousand questions for health, ten requests of people that fail would not be seen."""

OK = "ok"
STOPPED = "stopped"
"""The outcome of a call that was stopped because AI was switched off: nothing has failed."""


@dataclass(slots=True)
class Durations:
    """How long something took, each time: `counts` by bucket of `SECONDS`, and the sum."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(SECONDS) + 1))
    seconds: float = 0.0

    def add(self, seconds: float) -> None:
        self.counts[bisect_left(SECONDS, seconds)] += 1
        self.seconds += seconds


@dataclass(slots=True)
class Minute:
    """What was seen in one minute. Times are sums, in milliseconds."""

    requests: int = 0
    failed_requests: int = 0
    request_ms: int = 0
    calls: int = 0
    failed_calls: int = 0
    call_ms: int = 0
    database_errors: int = 0


class Observed:
    """The counts of this process. All of its methods are called from its event loop alone."""

    def __init__(self) -> None:
        self.process = f"{socket.gethostname()}-{os.getpid()}"
        self.handing_on = asyncio.Lock()
        """Held while counts are handed on, so that none are written over newer ones."""
        self._requests: Counter[tuple[str, str, int]] = Counter()
        self._latency: dict[tuple[str, str], Durations] = {}
        self._calls: Counter[tuple[str, str, str]] = Counter()
        self._call_times: dict[tuple[str, str], Durations] = {}
        self._tokens: Counter[tuple[str, str, str]] = Counter()
        self._micro_usd: Counter[tuple[str, str]] = Counter()
        self._database_errors = 0
        self._minutes: dict[int, Minute] = {}

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """A request was answered. `route` is its template, as `/api/fans/{fan_id}`; `seconds` is
        the time to the first byte, so that a page that listens does not count as a slow one.
        """
        self._requests[method, route, status] += 1
        latency = self._latency.get((method, route))
        if latency is None:
            latency = self._latency.setdefault((method, route), Durations())
        latency.add(seconds)
        if route in UNWATCHED:
            return
        minute = self._minute()
        minute.requests += 1
        minute.failed_requests += status in FAILED
        minute.request_ms += round(seconds * 1000)

    def model_call(self, model: str, purpose: str, outcome: str, seconds: float) -> None:
        """A model was asked, with all retries; the outcome is `OK`, `STOPPED` or what kind
        of error it was.
        """
        self._calls[model, purpose, outcome] += 1
        self._call_times.setdefault((model, purpose), Durations()).add(seconds)
        minute = self._minute()
        minute.calls += 1
        minute.failed_calls += outcome not in {OK, STOPPED}
        minute.call_ms += round(seconds * 1000)

    def model_usage(
        self, model: str, purpose: str, tokens: Mapping[str, int], cost_micro_usd: int
    ) -> None:
        """What an answer of a model used, its tokens by kind."""
        for kind, count in tokens.items():
            self._tokens[model, purpose, kind] += count
        self._micro_usd[model, purpose] += cost_micro_usd

    def database_error(self) -> None:
        """The database could not be reached, or went away in the middle of something."""
        self._database_errors += 1
        self._minute().database_errors += 1

    def take_minutes(self) -> dict[int, Minute]:
        """What was seen since this was last asked, by minutes since 1970; it is kept no longer."""
        taken, self._minutes = self._minutes, {}
        return taken

    def give_back(self, minutes: Mapping[int, Minute]) -> None:
        """Keep again what could not be handed on."""
        for number, lost in minutes.items():
            kept = self._minutes.setdefault(number, Minute())
            for name in Minute.__slots__:
                setattr(kept, name, getattr(kept, name) + getattr(lost, name))

    def counts(self) -> dict[str, Any]:
        """All counts since the process began, as JSON values; `exposition` reads them."""
        return {
            "requests": [[*key, count] for key, count in self._requests.items()],
            "latency": _durations(self._latency),
            "calls": [[*key, count] for key, count in self._calls.items()],
            "call_times": _durations(self._call_times),
            "tokens": [[*key, count] for key, count in self._tokens.items()],
            "micro_usd": [[*key, count] for key, count in self._micro_usd.items()],
            "database_errors": self._database_errors,
            "cpu_seconds": round(time.process_time(), 3),
        }

    def _minute(self) -> Minute:
        number = int(time.time() // 60)
        found = self._minutes.get(number)
        return found if found is not None else self._minutes.setdefault(number, Minute())


def _durations(found: Mapping[tuple[str, str], Durations]) -> list[list[Any]]:
    return [[*key, each.counts, round(each.seconds, 6)] for key, each in found.items()]
