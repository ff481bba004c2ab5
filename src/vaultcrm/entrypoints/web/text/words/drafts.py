"""Drafts: what kind they are, where they stand, why they wait, what was wished of them."""

from collections.abc import Mapping

from vaultcrm.domain.approval import ApprovalReason
from vaultcrm.domain.draft_options import DraftOptions, Length, Tone
from vaultcrm.domain.flags import Flags
from vaultcrm.domain.generation import (
    DeliveryStatus,
    GenerationRecord,
    GenerationStatus,
    GenerationType,
)
from vaultcrm.domain.people import Tier
from vaultcrm.domain.safety import FindingTier
from vaultcrm.entrypoints.web.text.words import filtering, people, phrases

TYPES: Mapping[GenerationType, str] = {
    GenerationType.REPLY: "Reply",
    GenerationType.PPV_OFFER: "Paid offer",
    GenerationType.WELCOME: "Welcome",
    GenerationType.RE_ENGAGEMENT: "Re-engagement",
    GenerationType.THANK_YOU: "Thank-you",
}

STATUSES: Mapping[GenerationStatus, str] = {
    GenerationStatus.QUEUED: "waits for approval",
    GenerationStatus.APPROVED: "approved",
    GenerationStatus.AUTO_SENT: "sent automatically",
    GenerationStatus.REJECTED: "rejected",
    GenerationStatus.EXPIRED: "expired",
}

DELIVERIES: Mapping[DeliveryStatus, str] = {
    DeliveryStatus.PENDING: "waits to be sent",
    DeliveryStatus.SENDING: "is being sent",
    DeliveryStatus.SENT: "sent",
    DeliveryStatus.FAILED: "not sent",
    DeliveryStatus.UNCERTAIN: "perhaps sent: check on the platform",
}

TONES: Mapping[Tone, str] = {
    Tone.WARMER: "warmer",
    Tone.PLAYFUL: "more playful",
    Tone.CALMER: "calmer",
    Tone.DIRECT: "plain and direct",
}

LENGTHS: Mapping[Length, str] = {Length.SHORTER: "shorter", Length.LONGER: "longer"}

REASONS: Mapping[ApprovalReason, str] = {
    ApprovalReason.FILTER_BLOCKED: "stopped by the content filter",
    ApprovalReason.FILTER_REVIEW: "the content filter asks for a look",
    ApprovalReason.MODEL_REFUSED: "the model declined",
    ApprovalReason.UNUSABLE_DRAFT: "there is no usable text",
    ApprovalReason.FAN_DISTRESS: "the fan may be in distress",
    ApprovalReason.POSSIBLE_MINOR: "the fan may be under 18",
    ApprovalReason.CHECKER_UNAVAILABLE: "the checker could not read the fan's message",
    ApprovalReason.JUDGE_UNAVAILABLE: "the checker could not judge what the draft means",
    ApprovalReason.ROLLOUT_STAGE: "people approve everything at this stage",
    ApprovalReason.DRAFT_ONLY: "this conversation is set to drafts only",
    ApprovalReason.CHANNEL_MANUAL: "this platform allows no automatic sending",
    ApprovalReason.HIGH_VALUE_OFFER: "high-value offer",
    ApprovalReason.HIGH_TIER: "high-value fan",
    ApprovalReason.NOT_SIMPLE: "not a simple reply",
    ApprovalReason.DISCLOSURE_MISSING: "the fan has not been told about AI",
    ApprovalReason.LOW_CONFIDENCE: "low confidence",
    ApprovalReason.NO_GUARANTEE: "there is no guarantee yet for automatic sending",
    ApprovalReason.TIER_NOT_AUTOMATIC: "fans of this tier get nothing automatic yet",
    ApprovalReason.AUDIT_SAMPLE: "drawn by lot for a look",
    ApprovalReason.AI_STOPPED: "it was to leave by itself when automatic sending was stopped",
    ApprovalReason.TAKEN_BACK: "a person stopped it before it left by itself",
}


def reason(code: ApprovalReason, record: GenerationRecord, tier: Tier, flags: Flags) -> str:
    """Why a draft waits, with the numbers that apply as long as they are still those."""
    price, threshold = record.suggested_price, flags.ppv_approval_threshold
    if code is ApprovalReason.HIGH_VALUE_OFFER and price is not None and price.major >= threshold:
        return f"offer of {phrases.whole_price(threshold, record.currency)} or more"
    if code is ApprovalReason.HIGH_TIER and tier in {Tier.WHALE, Tier.HIGH}:
        return people.tier_title(tier)
    if code is ApprovalReason.LOW_CONFIDENCE and record.confidence < flags.auto_send_threshold:
        return f"confidence below {flags.auto_send_threshold}"
    return REASONS[code]


def waits(record: GenerationRecord, tier: Tier, flags: Flags) -> str:
    """All reasons of a waiting draft in one phrase, the strictest first."""
    return ", ".join(reason(code, record, tier, flags) for code in record.approval_reasons)


def stopped_before(record: GenerationRecord) -> str:
    """Why this is a second attempt; nothing where it is the first."""
    if not record.attempts:
        return ""
    found = record.attempts[-1].safety.findings
    stopping = [one for one in found if one.tier is FindingTier.BLOCK] or found
    named = dict.fromkeys(filtering.CATEGORIES[one.category] for one in stopping)
    return f"Second attempt: the first was stopped ({', '.join(named)})."


def asked_for(options: DraftOptions) -> str:
    """What a person wished of a draft: `shorter, more playful, to say: …`; "" for nothing."""
    wishes = [
        LENGTHS[options.length] if options.length else "",
        TONES[options.tone] if options.tone else "",
        f"to say: {options.hint}" if options.hint else "",
        f"begun with: {options.begin_from}" if options.begin_from else "",
    ]
    return ", ".join(wish for wish in wishes if wish)


def stale(fan_name: str) -> str:
    """What to do about a draft that the fan has overtaken."""
    return (
        f"{fan_name} has written since this was drafted. Read the new messages; then draft anew, "
        "edit, or send it all the same."
    )
