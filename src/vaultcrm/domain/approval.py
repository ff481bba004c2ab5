"""What the approval policy, or a person, decides about a draft."""

from dataclasses import dataclass
from enum import StrEnum


class ApprovalReason(StrEnum):
    """Why a draft waits for a person, or is stopped. The order is the order of strictness."""

    FILTER_BLOCKED = "filter_blocked"
    FILTER_REVIEW = "filter_review"
    MODEL_REFUSED = "model_refused"
    UNUSABLE_DRAFT = "unusable_draft"
    FAN_DISTRESS = "fan_distress"
    POSSIBLE_MINOR = "possible_minor"
    CHECKER_UNAVAILABLE = "checker_unavailable"
    JUDGE_UNAVAILABLE = "judge_unavailable"
    ROLLOUT_STAGE = "rollout_stage"
    DRAFT_ONLY = "draft_only"
    CHANNEL_MANUAL = "channel_manual"
    HIGH_VALUE_OFFER = "high_value_offer"
    HIGH_TIER = "high_tier"
    NOT_SIMPLE = "not_simple"
    DISCLOSURE_MISSING = "disclosure_missing"
    LOW_CONFIDENCE = "low_confidence"
    NO_GUARANTEE = "no_guarantee"
    TIER_NOT_AUTOMATIC = "tier_not_automatic"
    AUDIT_SAMPLE = "audit_sample"
    AI_STOPPED = "ai_stopped"
    TAKEN_BACK = "taken_back"


class Decision(StrEnum):
    AUTO_SEND = "auto_send"
    QUEUE = "queue"
    REJECT = "reject"


@dataclass(frozen=True, slots=True)
class PolicyDecision:
    """The strictest rule that applies decides; `reasons` keeps all that apply, strictest first."""

    decision: Decision
    reasons: tuple[ApprovalReason, ...]

    @property
    def requires_approval(self) -> bool:
        return self.decision is Decision.QUEUE


class DecisionAction(StrEnum):
    """What a person does with a waiting draft."""

    APPROVE = "approve"
    MODIFY = "modify"
    REJECT = "reject"


class RejectReason(StrEnum):
    """Why a person rejects a draft: what learning can count."""

    WRONG_FACTS = "wrong_facts"
    WRONG_VOICE = "wrong_voice"
    TOO_PUSHY = "too_pushy"
    UNSAFE = "unsafe"
    WRONG_PRICE = "wrong_price"
    REPETITIVE = "repetitive"
    NOT_NOW = "not_now"
    OTHER = "other"
