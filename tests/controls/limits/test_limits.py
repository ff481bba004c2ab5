"""What a call reserves, how it is slowed near a limit, and what it is told at it."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vaultcrm.controls.limits import (
    LONGEST_ANSWER_TOKENS,
    nearest_throttle,
    policies,
    require_reserved,
    throttle_seconds,
)
from vaultcrm.controls.limits.windows import windows_at
from vaultcrm.domain.errors import LimitExceeded
from vaultcrm.domain.limits import REQUESTS_PER_HOUR, TOKENS_PER_DAY, LimitState, Quota
from vaultcrm.settings import Settings

NOW = datetime(2026, 11, 20, 18, 30, 15, 500, tzinfo=UTC)
MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
CREATOR_DOLLARS = "creator_usd_per_month"


def requests(used: int | None, ceiling: int = 100) -> LimitState:
    return LimitState(REQUESTS_PER_HOUR, ceiling, 1, used)


def tokens(used: int | None, ceiling: int = 100_000) -> LimitState:
    return LimitState(TOKENS_PER_DAY, ceiling, 5_024, used)


def dollars(used: int | None, ceiling: int = 5_000_000) -> LimitState:
    return LimitState(CREATOR_DOLLARS, ceiling, 20_240, used)


def refused(*states: LimitState, now: datetime = NOW, zone: str = "UTC") -> LimitExceeded:
    with pytest.raises(LimitExceeded) as error:
        require_reserved(states, windows_at(now, zone), now)
    return error.value


def test_a_call_reserves_the_longest_answer_that_may_be_set() -> None:
    longest = Settings.model_fields["ai_max_tokens_per_message"].metadata
    assert max(bound.le for bound in longest if hasattr(bound, "le")) == LONGEST_ANSWER_TOKENS


@pytest.mark.parametrize(
    ("used", "seconds"),
    [(0, 0), (50_000, 0), (90_000, 0), (92_500, 0.75), (95_000, 1.5), (100_000, 3), (170_000, 3)],
)
def test_calls_are_slowed_evenly_from_90_percent_of_the_day_on(used: int, seconds: float) -> None:
    assert throttle_seconds(used, 100_000) == pytest.approx(seconds)


def test_a_limit_of_nothing_slows_nobody_because_it_lets_nobody_in() -> None:
    assert throttle_seconds(0, 0) == 0


@given(st.integers(0, 10**9), st.integers(0, 10**9), st.integers(1, 10**9))
def test_more_use_never_makes_calls_faster_and_none_waits_longer_than_three_seconds(
    used: int, more: int, limit: int
) -> None:
    assert 0 <= throttle_seconds(used, limit) <= throttle_seconds(used + more, limit) <= 3


def test_of_several_limits_the_nearest_one_decides_how_long_a_call_waits() -> None:
    assert nearest_throttle([requests(10), tokens(10_000)]) == 0
    assert nearest_throttle([requests(10), tokens(95_000)]) == pytest.approx(1.5)
    assert nearest_throttle([tokens(95_000), dollars(4_950_000)]) == pytest.approx(2.7)
    assert nearest_throttle([requests(96), tokens(10_000)]) == pytest.approx(1.5)


def test_the_only_request_of_an_hour_is_not_slowed() -> None:
    assert nearest_throttle([requests(1, ceiling=1), tokens(5_024)]) == 0


def test_a_call_that_every_limit_lets_in_may_go_on() -> None:
    states = (requests(100), tokens(100_000), dollars(5_000_000))
    require_reserved(states, windows_at(NOW, "UTC"), NOW)


def test_a_user_over_the_hourly_limit_is_told_the_limit_and_what_to_do() -> None:
    error = refused(requests(None), tokens(5_024))
    assert error.limit == REQUESTS_PER_HOUR
    assert str(error) == (
        "The limit of 100 drafts an hour is reached. Try again when the hour is over, "
        "or ask an admin to raise AI_RATE_LIMIT_PER_HOUR."
    )
    assert error.retry_after == 29 * 60 + 45


def test_at_the_daily_limit_everybody_is_told_the_limit_and_what_to_do() -> None:
    error = refused(requests(1), tokens(None))
    assert error.limit == TOKENS_PER_DAY
    assert "The limit of 100,000 tokens a day is reached" in str(error)
    assert "this draft may need 5,024" in str(error)
    assert "AI_MAX_TOKENS_PER_DAY" in str(error)
    assert error.retry_after == 5 * 3600 + 29 * 60 + 45


def test_at_a_budget_a_caller_is_told_whose_it_is_how_much_and_when_it_begins_anew() -> None:
    error = refused(requests(1), tokens(5_024), dollars(None), zone="Europe/Berlin")
    assert error.limit == CREATOR_DOLLARS
    assert str(error) == (
        "This creator's budget of $5.00 a month is used up (this draft may need $0.0202). It "
        "begins anew on 1 December at 00:00 (Europe/Berlin). Write the reply yourself, wait until "
        "then, or ask a manager to raise the budget."
    )
    assert error.retry_after == int(
        timedelta(days=10, hours=4, minutes=29, seconds=45).total_seconds()
    )


def test_when_several_limits_refuse_the_one_that_lasts_longest_is_told() -> None:
    assert refused(requests(None), tokens(None), dollars(None)).limit == CREATOR_DOLLARS
    assert refused(requests(None), tokens(None)).limit == TOKENS_PER_DAY


def test_a_refused_caller_is_told_what_is_left_when_what_it_reserved_is_given_back() -> None:
    error = refused(requests(3), tokens(None), dollars(1_020_240))
    assert error.quotas == (
        Quota(REQUESTS_PER_HOUR, 100, 98, 3_600, 1_785),
        Quota(TOKENS_PER_DAY, 100_000, 0, 86_400, 19_785),
        Quota(CREATOR_DOLLARS, 5_000_000, 4_000_000, 30 * 86_400, 10 * 86_400 + 19_785),
    )


def test_a_caller_who_was_let_in_is_told_what_is_left_after_them() -> None:
    [left] = policies([tokens(20_000)], windows_at(NOW, "UTC"), NOW)
    assert (left.quota, left.left) == (100_000, 80_000)


@given(MOMENTS, st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kathmandu"]))
def test_whoever_waits_as_long_as_told_comes_in_the_next_window_and_not_long_after_it_began(
    now: datetime, zone: str
) -> None:
    windows = windows_at(now, zone)
    for state in (requests(None), tokens(None), dollars(None)):
        ends = windows.of(state.kind)[1]
        late = now + timedelta(seconds=refused(state, now=now, zone=zone).retry_after) - ends
        assert timedelta() <= late <= timedelta(seconds=1)
