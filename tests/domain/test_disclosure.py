"""When a fan must be told that AI helps to write."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vaultcrm.domain.disclosure import Due, Why, disclosure_due

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def due(told_at: datetime | None, asked_at: datetime | None = None, days: int = 90) -> Due | None:
    return disclosure_due(told_at, asked_at, every_days=days, now=NOW)


def test_a_fan_whom_nobody_told_is_told_first() -> None:
    assert due(None) is Due.FIRST
    assert due(None, days=0) is Due.FIRST


@pytest.mark.parametrize(
    ("ago", "expected"),
    [(90 * DAY, Due.AGAIN), (90 * DAY - timedelta(seconds=1), None), (timedelta(0), None)],
)
def test_a_fan_is_told_again_once_the_set_time_is_full(
    ago: timedelta, expected: Due | None
) -> None:
    assert due(NOW - ago) is expected


def test_with_no_set_time_once_is_enough() -> None:
    assert due(NOW - 4000 * DAY, days=0) is None


@given(st.none() | st.just(NOW), st.integers(0, 3650))
def test_who_asks_is_answered_whatever_they_were_told(told_at: datetime | None, days: int) -> None:
    assert due(told_at, NOW, days) is Due.ASKED


def test_every_reason_to_tell_can_be_kept_with_what_was_told() -> None:
    assert {reason.value for reason in Due} < {why.value for why in Why}
