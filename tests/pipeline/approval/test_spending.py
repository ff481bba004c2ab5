"""Whether an offer may go to a fan: caps on offers and spending, cooling off, exceptions."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vaultcrm.domain.flags import Flags, RolloutStage
from vaultcrm.domain.spending import Cap, Spending
from vaultcrm.pipeline.approval.spending import hold_on_offers

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
FLAGS = Flags(
    enabled=True,
    auto_send_threshold=80,
    ppv_approval_threshold=50,
    rate_limit_per_hour=100,
    max_tokens_per_day=100_000,
    max_tokens_per_message=512,
    rollout_stage=RolloutStage.FULL,
    rollout_creator=None,
    offers_per_fan_per_day=3,
    spend_per_fan_per_week=500,
    cooling_off_hours=24,
)
FAN = Spending(UUID(int=1), "USD")


def offered(*hours_ago: float) -> tuple[datetime, ...]:
    return tuple(NOW - hours * HOUR for hours in sorted(hours_ago))


def paid(*payments: tuple[float, int]) -> tuple[tuple[datetime, int], ...]:
    """Payments as hours ago and whole dollars."""
    return tuple((NOW - hours * HOUR, 100 * dollars) for hours, dollars in sorted(payments))


def test_a_fan_under_every_cap_may_get_an_offer() -> None:
    fan = replace(FAN, offered_at=offered(1, 2), paid=paid((1, 499)))
    assert hold_on_offers(fan, FLAGS, NOW) is None


def test_the_offer_after_the_last_one_allowed_waits_until_the_oldest_of_them_is_a_day_old() -> None:
    hold = hold_on_offers(replace(FAN, offered_at=offered(1, 2, 20, 23)), FLAGS, NOW)
    assert hold is not None
    assert (hold.cap, hold.until) == (Cap.OFFERS_PER_DAY, NOW + 4 * HOUR)
    assert "3 offers in the last 24 hours" in hold.reason
    assert "2026-11-22 16:00 UTC" in hold.reason


def test_a_fan_at_the_cap_of_a_week_gets_none_until_enough_of_it_is_a_week_old() -> None:
    fan = replace(FAN, paid=paid((1, 300), (100, 150), (160, 200)))
    hold = hold_on_offers(fan, FLAGS, NOW)
    assert hold is not None
    # 300 and 150 are below 500; the oldest 200 take them over it, and fall out 8 hours from now.
    assert (hold.cap, hold.until) == (Cap.SPEND_PER_WEEK, NOW + 8 * HOUR)
    assert "$650.00 in the last 7 days, and the cap is $500.00" in hold.reason


def test_a_fan_who_cools_off_gets_none() -> None:
    hold = hold_on_offers(replace(FAN, cooling_off_until=NOW + HOUR), FLAGS, NOW)
    assert hold is not None
    assert (hold.cap, hold.until) == (Cap.COOLING_OFF, NOW + HOUR)
    assert hold_on_offers(replace(FAN, cooling_off_until=NOW), FLAGS, NOW) is None


def test_of_several_reasons_the_one_that_lasts_longest_is_told() -> None:
    fan = replace(
        FAN,
        offered_at=offered(1, 2, 3),
        paid=paid((1, 500)),
        cooling_off_until=NOW + 24 * HOUR,
    )
    hold = hold_on_offers(fan, FLAGS, NOW)
    assert hold is not None
    assert hold.cap is Cap.SPEND_PER_WEEK


def test_what_a_manager_has_lifted_holds_nothing_back_until_it_ends() -> None:
    fan = replace(FAN, paid=paid((1, 900)), cooling_off_until=NOW + HOUR)
    assert hold_on_offers(replace(fan, lifted_until=NOW + HOUR), FLAGS, NOW) is None
    assert hold_on_offers(replace(fan, lifted_until=NOW), FLAGS, NOW) is not None


def test_a_cap_of_0_is_no_cap() -> None:
    fan = replace(FAN, offered_at=offered(*range(1, 20)), paid=paid((1, 100_000)))
    no_caps = replace(FLAGS, offers_per_fan_per_day=0, spend_per_fan_per_week=0)
    assert hold_on_offers(fan, no_caps, NOW) is None


@pytest.mark.parametrize(("currency", "minor"), [("JPY", 500), ("USD", 50_000), ("KWD", 500_000)])
def test_the_cap_of_a_week_is_in_whole_units_of_the_fans_currency(
    currency: str, minor: int
) -> None:
    at_cap = Spending(UUID(int=1), currency, paid=((NOW - HOUR, minor),))
    below = replace(at_cap, paid=((NOW - HOUR, minor - 1),))
    assert hold_on_offers(at_cap, FLAGS, NOW) is not None
    assert hold_on_offers(below, FLAGS, NOW) is None


@given(
    hours=st.lists(st.floats(min_value=0.1, max_value=23.9), max_size=12),
    payments=st.lists(
        st.tuples(st.floats(min_value=0.1, max_value=167.9), st.integers(1, 400)), max_size=12
    ),
)
def test_once_the_time_that_was_told_has_come_the_same_cap_holds_no_more(
    hours: list[float], payments: list[tuple[float, int]]
) -> None:
    fan = replace(FAN, offered_at=offered(*hours), paid=paid(*payments))
    hold = hold_on_offers(fan, FLAGS, NOW)
    if hold is None:
        assert len(fan.offered_at) < 3
        assert fan.week.minor < 50_000
        return
    then = hold.until
    later = replace(
        fan,
        offered_at=tuple(at for at in fan.offered_at if at > then - timedelta(days=1)),
        paid=tuple(one for one in fan.paid if one[0] > then - timedelta(days=7)),
    )
    assert hold_on_offers(later, FLAGS, then) is None
