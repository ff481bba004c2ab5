"""Waiting and trying again when a server is busy, as HTTP asks for it."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TypeVar

from vaultcrm.domain.errors import DrafterError

T = TypeVar("T")

_LONGEST_BACKOFF_SECONDS = 8.0


class TransientFailure(Exception):  # not an error yet: the next attempt may succeed
    """One attempt failed in a way that may pass. `error` is raised if no attempt is left."""

    def __init__(self, error: DrafterError, retry_after: float | None = None) -> None:
        self.error = error
        self.retry_after = retry_after
        super().__init__(str(error))


def retry_after_seconds(headers: Mapping[str, str]) -> float | None:
    """How long the server asks to wait: `retry-after-ms`, else `Retry-After` (seconds or date)."""
    try:
        if "retry-after-ms" in headers:
            return max(0.0, float(headers["retry-after-ms"]) / 1000)
        if "retry-after" not in headers:
            return None
        value = headers["retry-after"]
        if value.strip().replace(".", "", 1).isdigit():
            return float(value)
        until = parsedate_to_datetime(value)
        return max(
            0.0, (until.replace(tzinfo=until.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
        )
    except ValueError:
        return None


async def with_retries(
    attempt: Callable[[], Awaitable[T]], *, retries: int, first_backoff: float, patience: float
) -> T:
    """The result of `attempt`, tried again at most `retries` times after a `TransientFailure`.

    It waits as long as the server asks for; without its word `first_backoff` seconds, doubled with
    every attempt up to 8 s, less up to a quarter at random so that callers spread out. A server
    that asks for more than `patience` seconds is not waited for: its error is raised at once.
    """
    for done in range(retries + 1):
        try:
            return await attempt()
        except TransientFailure as failure:
            asked = failure.retry_after
            if done == retries or (asked is not None and asked > patience):
                raise failure.error from failure.__cause__
            backoff = min(first_backoff * 2**done, _LONGEST_BACKOFF_SECONDS)
            jittered = backoff * (1 - random.random() / 4)  # noqa: S311  # no secret is made of it
            await asyncio.sleep(jittered if asked is None else asked)
    raise AssertionError("unreachable: the last attempt returns or raises")
