"""Which weeks are gathered: none twice, none forgotten, none older than evidence may be."""

from datetime import UTC, date, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from vaultcrm.pipeline.learning.weeks import (
    WEEK,
    WEEKS_AT_FIRST,
    missing_weeks,
    monday,
    oldest_remembered,
)

UNTIL = date(2026, 11, 9)
MONDAYS = st.integers(0, 40).map(lambda back: UNTIL - back * WEEK)


def test_a_creator_who_was_never_learned_from_gets_the_last_eight_weeks() -> None:
    weeks = missing_weeks([], UNTIL, None)

    assert len(weeks) == WEEKS_AT_FIRST
    assert weeks[-1] == UNTIL


def test_after_a_pause_all_weeks_since_the_last_are_due_however_many() -> None:
    kept = [UNTIL - 12 * WEEK, UNTIL - 11 * WEEK]

    assert missing_weeks(kept, UNTIL, None) == [UNTIL - back * WEEK for back in range(10, -1, -1)]


def test_who_is_up_to_date_has_no_week_due() -> None:
    assert missing_weeks([UNTIL - WEEK, UNTIL], UNTIL, None) == []


@given(kept=st.sets(MONDAYS), since=st.none() | MONDAYS)
def test_no_week_is_due_twice_or_while_it_is_kept_or_too_old(
    kept: set[date], since: date | None
) -> None:
    weeks = missing_weeks(kept, UNTIL, since)

    assert weeks == sorted(set(weeks) - kept)
    assert all(week <= UNTIL for week in weeks)
    if since is not None:
        assert all(week >= max(since, oldest_remembered(UNTIL)) for week in weeks)
        assert UNTIL in kept | set(weeks)


def test_a_week_begins_by_the_clock_of_utc_wherever_one_is() -> None:
    late_on_sunday = datetime(2026, 11, 15, 23, tzinfo=timezone(-timedelta(hours=8)))

    assert monday(late_on_sunday) == date(2026, 11, 16)
    assert monday(datetime(2026, 11, 15, 23, tzinfo=UTC)) == date(2026, 11, 9)
