"""Days and months begin at the agency's midnight, whatever its clocks do."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from vaultcrm.controls.limits.windows import windows_at
from vaultcrm.domain.limits import REQUESTS_PER_HOUR
from vaultcrm.settings import Settings

MOMENTS = st.datetimes(datetime(2024, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
ZONES = st.sampled_from(
    ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe",
     "America/Havana", "Africa/Cairo", "Asia/Beirut", "Pacific/Kiritimati"]
)  # fmt: skip


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def test_a_day_goes_from_midnight_to_midnight_where_the_agency_is() -> None:
    before = windows_at(at("2026-11-20T23:59:59+01:00"), "Europe/Berlin")
    after = windows_at(at("2026-11-21T00:00:00+01:00"), "Europe/Berlin")
    assert before.day == at("2026-11-20T00:00+01:00")
    assert before.day_ends == after.day == at("2026-11-21T00:00+01:00")
    assert windows_at(at("2026-11-20T23:59:59+01:00"), "UTC").day == at("2026-11-20T00:00+00:00")


def test_a_month_ends_where_the_next_begins_also_over_a_years_end() -> None:
    before = windows_at(at("2026-12-31T23:59:59-05:00"), "America/New_York")
    after = windows_at(at("2027-01-01T00:00:00-05:00"), "America/New_York")
    assert before.month == at("2026-12-01T00:00-05:00")
    assert before.month_ends == after.month == at("2027-01-01T00:00-05:00")
    february = windows_at(at("2028-02-29T12:00+00:00"), "UTC")
    assert february.month_ends == at("2028-03-01T00:00+00:00")


@pytest.mark.parametrize(
    ("moment", "hours"),
    [
        ("2026-03-29T12:00+02:00", 23),
        ("2026-10-25T12:00+01:00", 25),
        ("2026-06-01T12:00+02:00", 24),
    ],
)
def test_a_day_on_which_clocks_change_has_an_hour_less_or_more(moment: str, hours: int) -> None:
    windows = windows_at(at(moment), "Europe/Berlin")
    assert windows.day_ends - windows.day == timedelta(hours=hours)


def test_the_hour_that_comes_twice_belongs_to_one_day_and_is_two_hours() -> None:
    first = windows_at(at("2026-10-25T02:30+02:00"), "Europe/Berlin")
    second = windows_at(at("2026-10-25T02:30+01:00"), "Europe/Berlin")
    assert first.day == second.day
    assert second.hour - first.hour == timedelta(hours=1)


def test_where_midnight_is_left_out_the_day_begins_at_the_change() -> None:
    windows = windows_at(at("2026-04-24T12:00+03:00"), "Africa/Cairo")
    assert windows.day == at("2026-04-23T22:00+00:00")
    assert windows.day_ends - windows.day == timedelta(hours=23)


@given(MOMENTS, ZONES)
def test_every_moment_lies_in_its_own_windows_and_the_next_ones_follow(
    now: datetime, zone: str
) -> None:
    windows = windows_at(now, zone)
    for kind in (REQUESTS_PER_HOUR, "tokens_per_day", "user_usd_per_month"):
        begins, ends = windows.of(kind)
        assert begins <= now < ends
        assert windows_at(ends, zone).of(kind)[0] == ends
        assert windows_at(ends - timedelta(microseconds=1), zone).of(kind) == (begins, ends)


@pytest.mark.parametrize("name", ["Middle/Earth", "", "../etc/passwd", "europe berlin"])
def test_a_time_zone_that_nobody_knows_is_refused(name: str) -> None:
    with pytest.raises(ValidationError):
        Settings(agency_time_zone=name)
