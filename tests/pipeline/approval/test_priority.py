"""How soon a person should look at a waiting draft."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vaultcrm.domain.conversation import Care
from vaultcrm.domain.money import Money
from vaultcrm.domain.people import Tier
from vaultcrm.pipeline.approval import priority

NOW = datetime(2026, 11, 20, 18, 30, tzinfo=UTC)
PLAIN: dict[str, Any] = {
    "tier": Tier.LOW,
    "price": None,
    "care": None,
    "waiting_since": None,
    "last_seen_at": None,
    "now": NOW,
}


def of(**changes: Any) -> int:
    return priority(**PLAIN | changes)


def ago(**time: float) -> datetime:
    return NOW - timedelta(**time)


SITUATIONS = st.fixed_dictionaries(
    {
        "tier": st.sampled_from(Tier),
        "price": st.none() | st.builds(Money, st.integers(0, 10**7)),
        "waiting_since": st.none() | st.datetimes(timezones=st.just(UTC)),
        "last_seen_at": st.none() | st.datetimes(timezones=st.just(UTC)),
    }
)


def test_each_tier_comes_before_the_next_lower_one() -> None:
    assert [of(tier=tier) for tier in (Tier.WHALE, Tier.HIGH, Tier.MEDIUM, Tier.LOW)] == [
        400,
        300,
        200,
        100,
    ]


def test_tier_price_waiting_and_presence_add_up() -> None:
    points = of(
        tier=Tier.MEDIUM,
        price=Money(2599),
        waiting_since=ago(minutes=3, seconds=59),
        last_seen_at=ago(seconds=10),
    )
    assert points == 200 + 25 + 3 + 30


def test_a_price_counts_a_point_per_whole_unit_and_at_most_100() -> None:
    assert of(price=Money(9999)) == 100 + 99
    assert of(price=Money(10_000)) == of(price=Money(999_900)) == 100 + 100
    assert of(price=Money(99, "JPY")) == 100 + 99


def test_waiting_counts_a_point_per_minute_and_at_most_two_hours() -> None:
    assert of(waiting_since=ago(seconds=59)) == 100
    assert of(waiting_since=ago(minutes=119)) == 100 + 119
    assert of(waiting_since=ago(minutes=120)) == of(waiting_since=ago(days=9)) == 100 + 120


def test_a_clock_that_runs_ahead_takes_nothing_away() -> None:
    assert of(waiting_since=NOW + timedelta(hours=1)) == 100


@pytest.mark.parametrize(("seconds", "points"), [(0, 130), (300, 130), (301, 100)])
def test_a_fan_counts_as_online_for_five_minutes(seconds: int, points: int) -> None:
    assert of(last_seen_at=ago(seconds=seconds)) == points


@given(SITUATIONS, SITUATIONS, st.sampled_from(Care))
def test_a_fan_who_needs_care_comes_before_everybody_who_does_not(
    needing: dict[str, Any], other: dict[str, Any], care: Care
) -> None:
    assert of(**needing, care=care) > of(**other)


@given(SITUATIONS, st.integers(0, 300), st.integers(0, 300))
def test_waiting_longer_never_puts_a_fan_further_back(
    situation: dict[str, Any], shorter: int, more: int
) -> None:
    before = of(**situation | {"waiting_since": ago(minutes=shorter)})
    assert of(**situation | {"waiting_since": ago(minutes=shorter + more)}) >= before
