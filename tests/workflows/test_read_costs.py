"""Sums of costs, and a forecast that says when it knows too little."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from vaultcrm.domain.costs import CostGroup, CostTally, Forecast, PastDay, forecast, grouped, total
from vaultcrm.domain.ids import new_id
from vaultcrm.domain.rollups import HOUR
from vaultcrm.workflows.read_costs import past_days

NOW = datetime(2026, 11, 20, 18, 30, tzinfo=UTC)
DAYS = past_days(NOW, "UTC")
MIA, THEO = new_id(), new_id()


def told(by_hour: dict[datetime, int], days: tuple[PastDay, ...] = DAYS) -> Forecast | None:
    return forecast(today=100, month=1_000, days_left=10, past=days, by_hour=by_hour)


def evenly(cost: int, *, hours: int = 7 * 24) -> dict[datetime, int]:
    """The same cost in each of the hours before today."""
    return {DAYS[-1].ends - number * HOUR: cost for number in range(1, hours + 1)}


def test_without_a_day_before_today_nothing_is_forecast() -> None:
    assert told({}) is None
    assert told(dict.fromkeys(evenly(0), 0)) is None


def test_the_rest_of_today_is_the_mean_of_the_same_time_in_the_days_before() -> None:
    """At half past six five hours and a half are left, and ten days after today."""
    assert told(evenly(10)) == Forecast(day=100 + 55, month=1_000 + 55 + 10 * 240, days=7)


def test_days_before_the_first_cost_do_not_count() -> None:
    assert told(evenly(10, hours=2 * 24)) == Forecast(155, 1_000 + 55 + 2_400, days=2)


def test_a_day_on_which_nothing_was_spent_counts_once_something_was_before_it() -> None:
    costs = {DAYS[0].begins + 20 * HOUR: 700}
    assert told(costs) == Forecast(day=200, month=1_000 + 100 + 10 * 100, days=7)


@given(st.dictionaries(st.integers(0, 24 * 7 - 1), st.integers(0, 10**9)))
def test_a_forecast_is_never_less_than_what_was_spent(costs: dict[int, int]) -> None:
    found = told({DAYS[0].begins + number * HOUR: cost for number, cost in costs.items()})
    assert found is None or (found.day >= 100 and found.month >= 1_000 + found.day - 100)


def test_the_days_before_touch_each_other_also_where_clocks_change() -> None:
    days = past_days(datetime(2026, 10, 28, 1, 30, tzinfo=UTC), "Europe/Berlin")
    assert [one.ends for one in days[:-1]] == [one.begins for one in days[1:]]
    assert all(one.begins <= one.same_time <= one.ends for one in days)
    assert {one.ends - one.begins for one in days} == {timedelta(hours=24), timedelta(hours=25)}


def test_sums_are_of_what_is_asked_for_the_dearest_first_and_nothing_is_lost() -> None:
    tallies = (
        CostTally(MIA, "a", "draft", 2, 10, 20, 30, 400),
        CostTally(MIA, "b", "judge", 1, 1, 2, 3, 5),
        CostTally(THEO, "a", "draft", 4, 100, 200, 300, 4_000),
    )
    by_creator = grouped(tallies, CostGroup.CREATOR)
    assert [(one.key, one.micro_usd) for one in by_creator] == [(str(THEO), 4_000), (str(MIA), 405)]
    assert [one.key for one in grouped(tallies, CostGroup.MODEL)] == ["a", "b"]
    for group in CostGroup:
        sums = grouped(tallies, group)
        assert sum(one.cached_tokens for one in sums) == total(tallies).cached_tokens == 333
        assert sum(one.calls for one in sums) == 7
