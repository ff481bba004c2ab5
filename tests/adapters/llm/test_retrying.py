"""How long a server asks to be left alone, and how that is kept."""

import asyncio
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from vaultcrm.adapters.llm.retrying import TransientFailure, retry_after_seconds, with_retries
from vaultcrm.domain.errors import DrafterUnavailable


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after-ms": "250", "retry-after": "7"}, 0.25),
        ({"retry-after-ms": "-5"}, 0.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "Thu, 01 Jan 2015 00:00:00 GMT"}, 0.0),
    ],
)
def test_the_waiting_time_is_read_in_each_of_its_forms(
    headers: dict[str, str], seconds: float | None
) -> None:
    assert retry_after_seconds(headers) == seconds


def test_a_date_is_a_waiting_time_from_now() -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)

    seconds = retry_after_seconds({"retry-after": later})

    assert seconds is not None
    assert 3500 < seconds <= 3600


class Attempts:
    """Fails so many times, then succeeds."""

    def __init__(self, failures: int, retry_after: float | None = None) -> None:
        self.made = 0
        self._failures = failures
        self._retry_after = retry_after

    async def __call__(self) -> str:
        self.made += 1
        if self.made <= self._failures:
            raise TransientFailure(DrafterUnavailable("down"), self._retry_after)
        return "done"


def retried(attempts: Attempts, retries: int) -> str:
    return asyncio.run(with_retries(attempts, retries=retries, first_backoff=0.001, patience=1))


def test_it_tries_again_until_an_attempt_succeeds() -> None:
    attempts = Attempts(failures=2)

    assert retried(attempts, retries=3) == "done"
    assert attempts.made == 3


def test_after_the_last_retry_the_error_is_raised() -> None:
    attempts = Attempts(failures=9)

    with pytest.raises(DrafterUnavailable, match="down"):
        retried(attempts, retries=2)
    assert attempts.made == 3


def test_a_wait_beyond_its_patience_is_not_begun() -> None:
    attempts = Attempts(failures=1, retry_after=1.5)

    with pytest.raises(DrafterUnavailable, match="down"):
        retried(attempts, retries=2)
    assert attempts.made == 1
