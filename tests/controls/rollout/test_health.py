"""When a stage of the rollout is ready to move on, and when it is not."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from scipy.stats import binomtest

from vaultcrm.controls.rollout import health_of, rollout_limits, wilson
from vaultcrm.domain.flags import RolloutStage
from vaultcrm.domain.rollout import Measure, StageCounts, StageHealth, Standing

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
LONG_AGO = NOW - timedelta(days=20)
WELL = StageCounts(
    rejected=20,
    modified=100,
    decided=500,
    edits=100,
    edit_sum=15.0,
    edit_squares=3.0,
    with_findings=20,
    drafts=600,
    complaints=2,
    sent=480,
    taken_back=0,
    automatic=200,
)


def health(
    stage: RolloutStage = RolloutStage.FULL, began: datetime | None = LONG_AGO, **changes: float
) -> StageHealth:
    known = {name: getattr(WELL, name) for name in StageCounts.__slots__}
    return health_of(stage, StageCounts(**(known | changes)), began, NOW, rollout_limits())


@pytest.mark.parametrize(("part", "of"), [(0, 1), (0, 40), (3, 10), (50, 200), (200, 200)])
def test_the_interval_of_a_share_is_wilsons(part: int, of: int) -> None:
    low, high = wilson(part, of, rollout_limits().z)
    known = binomtest(part, of).proportion_ci(0.95, method="wilson")
    assert (low, high) == pytest.approx((known.low, known.high), abs=1e-6)


def test_a_stage_that_does_well_for_long_enough_is_ready() -> None:
    assert health().standing is Standing.GOOD


@pytest.mark.parametrize(
    ("measure", "changes"),
    [
        (Measure.REJECTED, {"rejected": 120}),
        (Measure.MODIFIED, {"modified": 350}),
        (Measure.EDIT_SHARE, {"edit_sum": 60.0, "edit_squares": 40.0}),
        (Measure.FINDINGS, {"with_findings": 150}),
        (Measure.COMPLAINTS, {"complaints": 30}),
        (Measure.TAKEN_BACK, {"taken_back": 30}),
    ],
)
def test_one_share_above_its_limit_keeps_a_stage_from_moving_on_and_is_named(
    measure: Measure, changes: dict[str, Any]
) -> None:
    found = health(**changes)
    assert found.standing is Standing.BAD
    assert [reading.measure for reading in found.why] == [measure]


def test_a_share_whose_interval_holds_the_limit_is_not_enough_data() -> None:
    found = health(rejected=70)
    assert found.standing is Standing.UNCLEAR
    assert [reading.measure for reading in found.why] == [Measure.REJECTED]


def test_where_nothing_happened_nothing_is_said() -> None:
    found = health_of(RolloutStage.FULL, StageCounts(), LONG_AGO, NOW, rollout_limits())
    assert found.standing is Standing.UNCLEAR
    assert {reading.value for reading in found.readings} == {None}


def test_a_stage_has_to_hold_for_its_least_time_however_well_it_does() -> None:
    young = health(began=NOW - timedelta(days=2))
    assert (young.standing, young.days_left) == (Standing.UNCLEAR, 5)
    assert health(began=NOW - timedelta(days=7)).standing is Standing.GOOD
    assert health(began=None).standing is Standing.GOOD


def test_a_stage_that_does_badly_is_not_excused_by_its_youth() -> None:
    assert health(began=NOW - timedelta(days=1), rejected=200).standing is Standing.BAD


def test_what_leaves_by_itself_is_asked_about_from_stage_3_on() -> None:
    asked = {
        stage: Measure.TAKEN_BACK in {one.measure for one in health(stage).readings}
        for stage in RolloutStage
    }
    assert list(asked.values()) == [False, False, True, True]


def test_of_a_long_stage_the_last_weeks_are_looked_at() -> None:
    assert health(began=NOW - timedelta(days=400)).since == NOW - timedelta(
        days=rollout_limits().longest_days
    )
