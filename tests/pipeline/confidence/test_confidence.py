"""How a draft's score comes out of stored numbers, and what is guaranteed of it."""

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.guarantee import AS_THE_FORMULA, FROM_ZERO
from vaultcrm.domain.confidence import Calibration, Missing
from vaultcrm.domain.flags import Flags, RolloutStage
from vaultcrm.pipeline.confidence import INPUTS, Known, guaranteed_from, inputs_of, score_of

KNOWN = Known(
    formula=88,
    self_rating=90,
    agreement=0.7,
    familiarity=1.0,
    review_findings=0,
    message="Hey you, how was your day?",
    price_minor=None,
    generation_type="reply",
    tier="low",
    foreign_language=False,
    at=datetime(2026, 11, 23, 20, 0, tzinfo=UTC),
    asked_with_wishes=False,
    from_template=False,
    fan_text="Hi!",
)
FLAGS = Flags(
    enabled=True,
    auto_send_threshold=80,
    ppv_approval_threshold=50,
    rate_limit_per_hour=100,
    max_tokens_per_day=100_000,
    max_tokens_per_message=512,
    rollout_stage=RolloutStage.AUTO_SEND_LOW_VALUE,
    rollout_creator=None,
)
STAGE_3 = RolloutStage.AUTO_SEND_LOW_VALUE
IN_FORCE = Calibration(
    UUID(int=1),
    UUID(int=1),
    1,
    AS_THE_FORMULA,
    {STAGE_3: replace(FROM_ZERO, lowest=910, highest=970, limit=0.02)},
    {RolloutStage.FULL: Missing.TOO_FEW},
)


@given(st.integers(2, 98))
def test_a_model_that_only_reads_the_formula_scores_as_the_formula_does(formula: int) -> None:
    inputs = inputs_of(replace(KNOWN, formula=formula))
    assert len(inputs) == len(INPUTS)
    assert abs(score_of(AS_THE_FORMULA, inputs) - 10 * formula) <= 2


def test_a_creators_shift_moves_every_score_and_never_beyond_the_curves_ends() -> None:
    inputs = inputs_of(KNOWN)
    scores = [score_of(replace(AS_THE_FORMULA, shift=by), inputs) for by in (-9, -1, 0, 1, 9)]
    assert scores == sorted(scores)
    assert 0 < scores[0] < 500 < scores[-1] < 1000


def test_a_model_of_other_inputs_is_not_applied() -> None:
    with pytest.raises(ValueError, match="version 0"):
        score_of(replace(AS_THE_FORMULA, inputs_version=0), inputs_of(KNOWN))


@pytest.mark.parametrize(
    ("calibration", "flags", "least"),
    [
        (IN_FORCE, FLAGS, 910),
        (IN_FORCE, replace(FLAGS, auto_send_risk=0.05), 910),
        (IN_FORCE, replace(FLAGS, auto_send_risk=0.01), Missing.STRICTER_LIMIT),
        (IN_FORCE, replace(FLAGS, auto_send_threshold=98), Missing.OUTSIDE),
        (IN_FORCE, replace(FLAGS, rollout_stage=RolloutStage.FULL), Missing.TOO_FEW),
        (replace(IN_FORCE, stopped=Missing.DRIFT), FLAGS, Missing.DRIFT),
        (replace(IN_FORCE, guarantees={}), FLAGS, Missing.NOT_CALIBRATED),
        (None, FLAGS, Missing.NOT_CALIBRATED),
    ],
)
def test_a_guarantee_holds_for_what_was_tested_and_for_nothing_else(
    calibration: Calibration | None, flags: Flags, least: int | Missing
) -> None:
    assert guaranteed_from(calibration, flags) == least
