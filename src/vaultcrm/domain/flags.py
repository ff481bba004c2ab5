"""The flags in force for one creator: defaults with run-time overrides laid over them."""

from dataclasses import dataclass
from enum import IntEnum


class RolloutStage(IntEnum):
    ONE_CREATOR = 1
    MANUAL_APPROVAL = 2
    AUTO_SEND_LOW_VALUE = 3
    FULL = 4


@dataclass(frozen=True, slots=True)
class Flags:
    """`ppv_approval_threshold` is in whole units of the conversation's currency, and
    `spend_per_fan_per_week` in those of the fan's; a cap of 0 is no cap.
    """

    enabled: bool
    auto_send_threshold: int
    ppv_approval_threshold: float
    rate_limit_per_hour: int
    max_tokens_per_day: int
    max_tokens_per_message: int
    rollout_stage: RolloutStage
    rollout_creator: str | None
    offers_per_fan_per_day: int = 3
    spend_per_fan_per_week: int = 500
    cooling_off_hours: int = 24
    judge: bool = True
    learning_applies: bool = False
    auto_send_guarantee: bool = True
    auto_send_risk: float = 0.02
    auto_send_sample: float = 0.05

    def ai_is_on_for(self, creator_handle: str) -> bool:
        """In stage 1, AI is on for the one chosen creator and nobody else."""
        if not self.enabled:
            return False
        if self.rollout_stage is RolloutStage.ONE_CREATOR:
            return self.rollout_creator == creator_handle
        return True
