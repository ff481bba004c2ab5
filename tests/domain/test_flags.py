"""For whom AI is on."""

from dataclasses import replace

import pytest

from vaultcrm.domain.flags import Flags, RolloutStage

FLAGS = Flags(
    enabled=True,
    auto_send_threshold=80,
    ppv_approval_threshold=50,
    rate_limit_per_hour=100,
    max_tokens_per_day=100_000,
    max_tokens_per_message=512,
    rollout_stage=RolloutStage.ONE_CREATOR,
    rollout_creator="mia",
)


def test_in_stage_1_ai_is_on_for_the_chosen_creator_and_nobody_else() -> None:
    assert FLAGS.ai_is_on_for("mia")
    assert not FLAGS.ai_is_on_for("zoe")


@pytest.mark.parametrize("handle", ["mia", "", "None"])
def test_in_stage_1_without_a_chosen_creator_ai_is_on_for_nobody(handle: str) -> None:
    assert not replace(FLAGS, rollout_creator=None).ai_is_on_for(handle)


@pytest.mark.parametrize("stage", [s for s in RolloutStage if s is not RolloutStage.ONE_CREATOR])
def test_from_stage_2_on_ai_is_on_for_every_creator(stage: RolloutStage) -> None:
    assert replace(FLAGS, rollout_stage=stage).ai_is_on_for("zoe")


@pytest.mark.parametrize("stage", RolloutStage)
def test_switched_off_ai_is_on_for_nobody_in_any_stage(stage: RolloutStage) -> None:
    assert not replace(FLAGS, enabled=False, rollout_stage=stage).ai_is_on_for("mia")


def test_the_stages_are_numbered_as_the_setting_numbers_them() -> None:
    assert [RolloutStage(number) for number in (1, 2, 3, 4)] == [
        RolloutStage.ONE_CREATOR,
        RolloutStage.MANUAL_APPROVAL,
        RolloutStage.AUTO_SEND_LOW_VALUE,
        RolloutStage.FULL,
    ]
