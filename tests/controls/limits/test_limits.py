"""What a call reserves, how it is slowed near a limit, and what it is told at it."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vaultcrm.controls.limits import (
    PROMPT_TOKEN_BUDGET,
    require_reserved,
    reservation_for,
    throttle_seconds,
)
from vaultcrm.domain.errors import LimitExceeded
from vaultcrm.domain.limits import REQUESTS_PER_HOUR, TOKENS_PER_DAY
from vaultcrm.settings import Settings

NOW = datetime(2026, 11, 20, 18, 30, 15, 500, tzinfo=UTC)
RESERVED = reservation_for(free=False, now=NOW)
MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


def refused(used: dict[str, int], now: datetime = NOW) -> LimitExceeded:
    reservation = reservation_for(free=False, now=now)
    with pytest.raises(LimitExceeded) as error:
        require_reserved(used, reservation, per_hour=100, per_day=100_000, now=now)
    return error.value


def test_a_call_reserves_the_prompts_budget_and_the_longest_answer() -> None:
    longest = Settings.model_fields["ai_max_tokens_per_message"].metadata
    assert RESERVED.tokens == PROMPT_TOKEN_BUDGET + max(
        bound.le for bound in longest if hasattr(bound, "le")
    )


def test_a_call_that_reaches_no_model_reserves_no_tokens() -> None:
    assert reservation_for(free=True, now=NOW).tokens == 0


def test_a_call_is_counted_in_the_hour_and_the_day_in_which_it_begins() -> None:
    assert RESERVED.hour == datetime(2026, 11, 20, 18, tzinfo=UTC)
    assert RESERVED.day == datetime(2026, 11, 20, tzinfo=UTC)


@given(MOMENTS)
def test_every_moment_lies_in_its_own_hour_and_day(now: datetime) -> None:
    reservation = reservation_for(free=False, now=now)
    assert timedelta() <= now - reservation.hour < timedelta(hours=1)
    assert timedelta() <= now - reservation.day < timedelta(days=1)


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


def test_a_call_that_has_reserved_both_may_go_on() -> None:
    used = {REQUESTS_PER_HOUR: 100, TOKENS_PER_DAY: 100_000}
    require_reserved(used, RESERVED, per_hour=100, per_day=100_000, now=NOW)


def test_a_user_over_the_hourly_limit_is_told_the_limit_and_what_to_do() -> None:
    error = refused({TOKENS_PER_DAY: 5024})
    assert error.limit == REQUESTS_PER_HOUR
    assert str(error) == (
        "The limit of 100 drafts an hour is reached. Try again when the hour is over, "
        "or ask an admin to raise AI_RATE_LIMIT_PER_HOUR."
    )
    assert error.retry_after == 29 * 60 + 45


def test_at_the_daily_limit_everybody_is_told_the_limit_and_what_to_do() -> None:
    error = refused({REQUESTS_PER_HOUR: 1})
    assert error.limit == TOKENS_PER_DAY
    assert "The limit of 100,000 tokens a day is reached" in str(error)
    assert f"this draft may need {RESERVED.tokens:,}" in str(error)
    assert "AI_MAX_TOKENS_PER_DAY" in str(error)
    assert error.retry_after == 5 * 3600 + 29 * 60 + 45


def test_when_both_limits_refuse_the_callers_own_is_told() -> None:
    assert refused({}).limit == REQUESTS_PER_HOUR


@given(MOMENTS)
def test_whoever_waits_as_long_as_told_comes_in_the_next_window_and_not_long_after_it_began(
    now: datetime,
) -> None:
    for error, length in (
        (refused({TOKENS_PER_DAY: 1}, now), timedelta(hours=1)),
        (refused({REQUESTS_PER_HOUR: 1}, now), timedelta(days=1)),
    ):
        begun = reservation_for(free=False, now=now)
        start = begun.hour if error.limit == REQUESTS_PER_HOUR else begun.day
        late = now + timedelta(seconds=error.retry_after) - (start + length)
        assert timedelta() <= late <= timedelta(seconds=1)
