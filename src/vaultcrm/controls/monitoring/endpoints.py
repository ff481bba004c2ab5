"""Latency and errors by endpoint, from what processes have counted."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from vaultcrm.controls.monitoring.observed import FAILED, SECONDS, UNWATCHED
from vaultcrm.domain.system import Endpoint

_PERCENTILE = 0.95


def endpoints_of(counts: Iterable[Mapping[str, Any]], *, most: int) -> tuple[Endpoint, ...]:
    """What all processes have answered, by method and route: at most so many, those first that have
    taken the most time together. Health and files are left out.
    """
    requests: Counter[tuple[str, str]] = Counter()
    failed: Counter[tuple[str, str]] = Counter()
    seconds: Counter[tuple[str, str]] = Counter()
    buckets: dict[tuple[str, str], list[int]] = {}
    for found in counts:
        for method, route, status, count in found.get("requests", ()):
            requests[method, route] += count
            failed[method, route] += count if status in FAILED else 0
        for method, route, times, took in found.get("latency", ()):
            seconds[method, route] += took
            sums = buckets.setdefault((method, route), [0] * len(times))
            buckets[method, route] = [one + other for one, other in zip(sums, times, strict=True)]
    dearest = sorted(
        (key for key in requests if key[1] not in UNWATCHED),
        key=lambda key: (-seconds[key], key),
    )
    return tuple(
        Endpoint(
            *key,
            requests=requests[key],
            failed=failed[key],
            mean=seconds[key] / requests[key],
            p95=_bound(buckets.get(key, [])),
        )
        for key in dearest[:most]
    )


def _bound(buckets: list[int]) -> float | None:
    """The upper bound of the bucket in which the percentile lies."""
    wanted, seen = _PERCENTILE * sum(buckets), 0
    for bound, count in zip(SECONDS, buckets, strict=False):
        seen += count
        if seen >= wanted:
            return bound
    return None
