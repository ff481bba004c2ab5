"""Times as people read them."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from vaultcrm.entrypoints.web.text import times

NOW = datetime(2026, 3, 2, 12, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("past", "told"),
    [
        (timedelta(seconds=-5), "now"),
        (timedelta(seconds=59), "now"),
        (timedelta(minutes=1), "1 min"),
        (timedelta(minutes=59, seconds=59), "59 min"),
        (timedelta(hours=1), "1 h"),
        (timedelta(hours=47, minutes=59), "47 h"),
        (timedelta(hours=48), "2 d"),
        (timedelta(days=400), "400 d"),
    ],
)
def test_an_age_is_told_in_its_largest_whole_unit(past: timedelta, told: str) -> None:
    assert times.age(NOW - past, NOW) == told


def test_a_fan_is_late_after_a_quarter_of_an_hour() -> None:
    assert not times.is_late(NOW - timedelta(minutes=15), NOW)
    assert times.is_late(NOW - timedelta(minutes=15, seconds=1), NOW)


@pytest.mark.parametrize(
    ("moment", "told"),
    [
        (datetime(2026, 3, 2, 0, 5, tzinfo=UTC), "00:05"),
        (datetime(2026, 3, 1, 23, 59, tzinfo=UTC), "yesterday 23:59"),
        (datetime(2026, 2, 28, 9, 0, tzinfo=UTC), "28 Feb 09:00"),
        (datetime(2025, 12, 31, 9, 0, tzinfo=UTC), "31 Dec 2025 09:00"),
        (datetime(2026, 3, 2, 1, 0, tzinfo=timezone(timedelta(hours=3))), "yesterday 22:00"),
    ],
)
def test_a_moment_is_told_as_briefly_as_it_can_be(moment: datetime, told: str) -> None:
    assert times.clock(moment, NOW) == told


def test_the_exact_moment_is_in_utc() -> None:
    moment = datetime(2026, 3, 2, 1, 2, 3, tzinfo=timezone(timedelta(hours=3)))
    assert times.exact(moment) == "2026-03-01 22:02:03 UTC"
