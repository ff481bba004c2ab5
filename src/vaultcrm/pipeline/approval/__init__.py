"""The approval policy: which draft a person must see, and how soon.

The strictest rule that applies decides; all that apply are kept as reasons, strictest first.
"""

import re
from dataclasses import dataclass
from datetime import datetime

from vaultcrm.domain.approval import ApprovalReason, Decision, PolicyDecision
from vaultcrm.domain.conversation import Care, Mode
from vaultcrm.domain.flags import Flags, RolloutStage
from vaultcrm.domain.generation import SIMPLE_REPLY_MAX_CHARACTERS, SIMPLE_TYPES, GenerationType
from vaultcrm.domain.money import Money
from vaultcrm.domain.people import Tier
from vaultcrm.domain.safety import Verdict

_LINK = re.compile(
    r"\b[a-z][a-z0-9+.-]*://|\bmailto:|\bwww\.|\b[a-z0-9-]+\.[a-z]{2,}/"
    r"|\b[a-z0-9-]+\.(?:app|bio|biz|co|com|gg|info|io|link|ly|me|net|org|shop|site|tv|xyz)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class ApprovalCase:
    """All that the policy looks at. A `message` that is None or blank is no usable text."""

    generation_type: GenerationType
    message: str | None
    price: Money | None
    media_count: int
    verdict: Verdict
    refused: bool
    confidence: int
    tier: Tier
    care: Care | None
    mode: Mode
    channel_automates: bool
    disclosed: bool
    fan_was_read: bool = True
    """False when the checker model should have looked at the fan's message and could not."""
    judge_answered: bool = True
    """False when the checker model should have judged the draft and could not."""
    guaranteed: bool | None = True
    """Whether the draft is one of those that a guarantee lets leave; None where there is none."""


def decide(case: ApprovalCase, flags: Flags) -> PolicyDecision:
    """Send by itself, queue for a person, or reject."""
    reasons = tuple(reason for reason, applies in _rules(case, flags) if applies)
    if case.verdict is Verdict.BLOCK:
        return PolicyDecision(Decision.REJECT, (ApprovalReason.FILTER_BLOCKED, *reasons))
    return PolicyDecision(Decision.QUEUE if reasons else Decision.AUTO_SEND, reasons)


def _rules(case: ApprovalCase, flags: Flags) -> tuple[tuple[ApprovalReason, bool], ...]:
    """Every rule that keeps a draft from leaving by itself, strictest first."""
    price = case.price
    has_text = bool(case.message and case.message.strip())
    return (
        (ApprovalReason.FILTER_REVIEW, case.verdict is Verdict.REVIEW),
        (ApprovalReason.MODEL_REFUSED, case.refused),
        (ApprovalReason.UNUSABLE_DRAFT, not has_text and not case.refused),
        (ApprovalReason.FAN_DISTRESS, case.care is Care.DISTRESS),
        (ApprovalReason.POSSIBLE_MINOR, case.care is Care.POSSIBLE_MINOR),
        (ApprovalReason.CHECKER_UNAVAILABLE, not case.fan_was_read),
        (ApprovalReason.JUDGE_UNAVAILABLE, not case.judge_answered),
        (ApprovalReason.ROLLOUT_STAGE, flags.rollout_stage <= RolloutStage.MANUAL_APPROVAL),
        (ApprovalReason.DRAFT_ONLY, case.mode is not Mode.AUTO),
        (ApprovalReason.CHANNEL_MANUAL, not case.channel_automates),
        (
            ApprovalReason.HIGH_VALUE_OFFER,
            price is not None and price.major >= flags.ppv_approval_threshold,
        ),
        (ApprovalReason.HIGH_TIER, case.tier in {Tier.WHALE, Tier.HIGH}),
        (ApprovalReason.NOT_SIMPLE, not is_simple_reply(case)),
        (ApprovalReason.DISCLOSURE_MISSING, not case.disclosed),
        (
            ApprovalReason.LOW_CONFIDENCE,
            case.confidence < flags.auto_send_threshold or case.guaranteed is False,
        ),
        (ApprovalReason.NO_GUARANTEE, case.guaranteed is None),
        (
            ApprovalReason.TIER_NOT_AUTOMATIC,
            flags.rollout_stage is RolloutStage.AUTO_SEND_LOW_VALUE and case.tier is Tier.MEDIUM,
        ),
    )


def is_simple_reply(case: ApprovalCase) -> bool:
    """A reply, welcome or thank-you of at most 400 characters with no price, media or link."""
    return (
        case.generation_type in SIMPLE_TYPES
        and case.message is not None
        and len(case.message) <= SIMPLE_REPLY_MAX_CHARACTERS
        and case.price is None
        and case.media_count == 0
        and _LINK.search(case.message) is None
    )


_TIER_PRIORITY = {Tier.WHALE: 400, Tier.HIGH: 300, Tier.MEDIUM: 200, Tier.LOW: 100}
CARE_PRIORITY = 10_000
"""More than all the rest together, however long a draft waits."""
MOST_PRICE_PRIORITY = 100
MOST_WAITING_PRIORITY = 120
ONLINE_PRIORITY = 30
ONLINE_SECONDS = 300


def priority(
    *,
    tier: Tier,
    price: Money | None,
    care: Care | None,
    waiting_since: datetime | None,
    last_seen_at: datetime | None,
    now: datetime,
) -> int:
    """How soon a person should look; greater is sooner.

    The tier (100-400), a point per whole unit of price (at most 100), a point per minute that the
    fan has waited (at most 120), 30 for a fan seen in the last five minutes; care goes before all.
    """
    points = _TIER_PRIORITY[tier]
    if care is not None:
        points += CARE_PRIORITY
    if price is not None:
        points += min(MOST_PRICE_PRIORITY, int(price.major))
    if waiting_since is not None:
        minutes = int((now - waiting_since).total_seconds() // 60)
        points += min(MOST_WAITING_PRIORITY, max(0, minutes))
    if last_seen_at is not None and (now - last_seen_at).total_seconds() <= ONLINE_SECONDS:
        points += ONLINE_PRIORITY
    return points
