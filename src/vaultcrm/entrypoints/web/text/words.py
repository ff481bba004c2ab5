"""Every code of the product in plain English, in one place.

Where a word depends on more than its code (the price from which an offer waits, the tier of a fan)
there is a function; the tables are complete for their enumerations.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from vaultcrm.db.queries.cards import MOST_COUNTED
from vaultcrm.domain.alerts import AlertKind, Severity
from vaultcrm.domain.approval import ApprovalReason, RejectReason
from vaultcrm.domain.audit import AuditAction
from vaultcrm.domain.content_rules import RuleKind
from vaultcrm.domain.conversation import Author, Care, Mode
from vaultcrm.domain.draft_options import DraftOptions, Length, Tone
from vaultcrm.domain.errors import Conflict, InvalidInput
from vaultcrm.domain.flags import Flags, RolloutStage
from vaultcrm.domain.generation import (
    DeliveryStatus,
    GenerationRecord,
    GenerationStatus,
    GenerationType,
)
from vaultcrm.domain.money import Money, minor_per_major
from vaultcrm.domain.people import Role, Tier
from vaultcrm.domain.personality import EmojiStyle
from vaultcrm.domain.retention import Kept
from vaultcrm.domain.safety import Category, Finding, FindingTier, Scope
from vaultcrm.domain.spending import Cap
from vaultcrm.entrypoints.web.text import times

TIERS: Mapping[Tier, str] = {
    Tier.WHALE: "Whale",
    Tier.HIGH: "High",
    Tier.MEDIUM: "Medium",
    Tier.LOW: "Low",
}

ROLES: Mapping[Role, str] = {
    Role.CHATTER: "chatter",
    Role.MANAGER: "manager",
    Role.ADMIN: "admin",
    Role.SERVICE: "program",
}

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

MODES: Mapping[Mode, str] = {
    Mode.AUTO: "Automatic",
    Mode.DRAFT_ONLY: "Drafts only",
    Mode.OFF: "Off",
}

CARES: Mapping[Care, str] = {
    Care.DISTRESS: "The fan may be in distress",
    Care.POSSIBLE_MINOR: "The fan may be under 18",
}

HOLDS: Mapping[Cap, str] = {
    Cap.OFFERS_PER_DAY: "they have had as many in 24 hours as they may",
    Cap.SPEND_PER_WEEK: "they have spent what they may in 7 days",
    Cap.COOLING_OFF: "they are cooling off",
}

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

CATEGORIES: Mapping[Category, str] = {
    Category.MINORS: "Age",
    Category.DISTRESS: "Distress",
    Category.VIOLENCE: "Violence",
    Category.MEETING: "Meeting in person",
    Category.OFF_PLATFORM_PAYMENT: "Payment elsewhere",
    Category.OFF_PLATFORM_CONTACT: "Contact elsewhere",
    Category.PERSONAL_DATA: "Personal data",
    Category.HARASSMENT: "Harassment",
    Category.DRUGS_WEAPONS: "Drugs and weapons",
    Category.DECEPTION: "Deception",
    Category.PRESSURE: "Pressure",
    Category.SPAM: "Spam",
    Category.EXPLICIT: "Explicit text",
    Category.OBFUSCATION: "Hidden wording",
    Category.PROMPT_INJECTION: "Instructions to the AI",
    Category.FORBIDDEN_WORD: "Forbidden word",
    Category.FILTER_ERROR: "Filter failed",
}

SCOPES: Mapping[Scope, str] = {
    Scope.DRAFT: "AI drafts",
    Scope.CHATTER: "your team’s messages",
    Scope.FAN: "fans’ messages",
}

RULE_KINDS: Mapping[RuleKind, tuple[str, str, str]] = {
    RuleKind.PHRASE: (
        "Phrase",
        "Phrases",
        "Whole words that the filter shall find, also where they are disguised.",
    ),
    RuleKind.PATTERN: (
        "Pattern",
        "Patterns",
        "An RE2 expression. Capitals and accents make no difference; it cannot look around.",
    ),
    RuleKind.EXCEPTION: (
        "Exception",
        "Exceptions",
        "Words that your team has looked at: what the filter finds inside them is let through.",
    ),
}
"""Each kind of content rule: its name, that of several, and what it does."""

EMOJI_STYLES: Mapping[EmojiStyle, str] = {
    EmojiStyle.NONE: "None at all",
    EmojiStyle.RARE: "Rarely, at most one",
    EmojiStyle.MODERATE: "Now and then, one or two",
    EmojiStyle.FREQUENT: "Often, up to three",
}

VOICE_FIELDS: Mapping[str, str] = {
    "personality_type": "Type",
    "tone_descriptors": "Tone",
    "preferred_phrases": "Preferred phrases",
    "forbidden_words": "Forbidden words",
    "emoji_style": "Emoji",
    "system_prompt": "Instructions",
}
"""The fields of a personality by their names in the domain."""

FINDING_TIERS: Mapping[FindingTier, str] = {
    FindingTier.BLOCK: "stops the draft",
    FindingTier.REVIEW: "to look at",
    FindingTier.NOTE: "to know",
}

AUTHORS: Mapping[Author, str] = {
    Author.FAN: "",
    Author.CHATTER: "written by a person",
    Author.AI_APPROVED: "AI, approved",
    Author.AI_AUTOMATIC: "AI, sent automatically",
    Author.DISCLOSURE: "AI disclosure",
    Author.IMPORTED: "imported",
}

ACTIONS: Mapping[AuditAction, str] = {
    AuditAction.GENERATED: "drafted a message",
    AuditAction.DECIDED: "decided on a draft",
    AuditAction.UNDONE: "took an approval back",
    AuditAction.CALLED_BACK: "held back an automatic message",
    AuditAction.COMPLAINT_MARKED: "marked a complaint about a message",
    AuditAction.SNOOZED: "snoozed a draft",
    AuditAction.WRITTEN: "wrote a message",
    AuditAction.RESOLVED: "settled a delivery",
    AuditAction.TAKEN_BACK: "took a message back",
    AuditAction.CHANNEL_CONNECTED: "connected a channel",
    AuditAction.CHANNEL_REMOVED: "removed a channel",
    AuditAction.CHANNEL_PAUSED: "sending over a channel paused",
    AuditAction.CHANNEL_RESUMED: "let sending over a channel go on",
    AuditAction.SENT: "message sent",
    AuditAction.NOT_SENT: "message not sent",
    AuditAction.PERSONALITY_CHANGED: "changed a personality",
    AuditAction.TEMPLATE_ADDED: "added a template",
    AuditAction.TEMPLATE_CHANGED: "changed a template",
    AuditAction.TEMPLATE_ARCHIVED: "archived a template",
    AuditAction.TEMPLATE_RESTORED: "restored a template",
    AuditAction.CONTENT_RULE_ADDED: "added a content rule",
    AuditAction.CONTENT_RULE_REMOVED: "removed a content rule",
    AuditAction.CONTENT_RULE_RESTORED: "put a content rule back in force",
    AuditAction.FLAG_CHANGED: "changed a flag",
    AuditAction.BUDGET_CHANGED: "changed a budget",
    AuditAction.DISCLOSED: "noted that a fan was told about AI",
    AuditAction.DISCLOSURE_ASKED: "a fan asked whether AI writes",
    AuditAction.DISCLOSURE_ORDERED: "sent the AI disclosure",
    AuditAction.DISCLOSURE_WORDED: "changed what fans are told about AI",
    AuditAction.NOTES_CHANGED: "changed the notes on a fan",
    AuditAction.CARE_CHANGED: "care for a fan changed",
    AuditAction.CARE_GUIDANCE_CHANGED: "changed the guidance for care",
    AuditAction.COOLING_OFF_STARTED: "a fan began to cool off",
    AuditAction.COOLING_OFF_ENDED: "ended a fan's cooling off",
    AuditAction.CAPS_LIFTED: "lifted the caps for a fan",
    AuditAction.CAPS_RESTORED: "let the caps hold for a fan again",
    AuditAction.MODE_CHANGED: "changed what AI does in a conversation",
    AuditAction.CREATOR_ADDED: "added a creator",
    AuditAction.USER_ADDED: "added a user",
    AuditAction.TOKEN_CREATED: "made an API token",
    AuditAction.SIGNED_IN: "signed in",
    AuditAction.TOKEN_REVOKED: "revoked an API token",
    AuditAction.SIGN_IN_HELD: "signing in held up after wrong tries",
    AuditAction.SIGN_IN_REFUSED: "signing in refused",
    AuditAction.SECOND_FACTOR_ADDED: "set up a second factor",
    AuditAction.SECOND_FACTOR_REMOVED: "took a second factor away",
    AuditAction.RECOVERY_CODES_MADE: "made new recovery codes",
    AuditAction.IDENTITY_BOUND: "tied a user to another service's sign-in",
    AuditAction.IDENTITY_REMOVED: "untied a user from another service's sign-in",
    AuditAction.USER_CHANGED: "changed what a user may do",
    AuditAction.USER_DISABLED: "disabled a user",
    AuditAction.USER_ENABLED: "enabled a user",
    AuditAction.PASSWORD_SET: "set a password",
    AuditAction.PASSWORD_REMOVED: "took a password away",
    AuditAction.LINK_MADE: "made a sign-in link",
    AuditAction.SESSIONS_ENDED: "ended sessions",
    AuditAction.IMPORTED: "imported conversations",
    AuditAction.FAN_EXPORTED: "exported what is held about a fan",
    AuditAction.FAN_ERASED: "erased a fan",
    AuditAction.EVENT_ENDPOINT_ADDED: "added an endpoint for events",
    AuditAction.EVENT_ENDPOINT_DISABLED: "disabled an endpoint for events",
    AuditAction.EVENT_ENDPOINT_TESTED: "tried an endpoint for events",
    AuditAction.EVENT_RETRIED: "sent an event again",
    AuditAction.AB_TEST_ADDED: "added an A/B test",
    AuditAction.AB_TEST_CHANGED: "started or ended an A/B test",
    AuditAction.AB_TEST_VARIANT_STOPPED: "stopped a variant of an A/B test",
    AuditAction.AB_TEST_SHARED_OUT: "shared fans out anew in an A/B test",
    AuditAction.CALIBRATED: "calibrated confidence",
    AuditAction.AUTOMATIC_SENDING_STOPPED: "stopped automatic sending",
    AuditAction.ALERT_ACKNOWLEDGED: "acknowledged an alert",
    AuditAction.AUDIT_EXPORTED: "exported the audit log",
    AuditAction.LEARNING_PROPOSED: "proposed a change of a personality",
    AuditAction.LEARNING_APPLIED: "applied what was learned",
    AuditAction.LEARNING_DISMISSED: "dismissed what was learned",
    AuditAction.LEARNING_ROLLED_BACK: "took back what was learned",
    AuditAction.REFUSED: "was refused",
}

ALERTS: Mapping[AlertKind, str] = {
    AlertKind.UNKNOWN_MODEL: "The price of a model is not known",
    AlertKind.CHANNEL_PAUSED: "Sending over a channel is paused",
    AlertKind.MESSAGE_DIFFERS: "A message differed from what was decided",
    AlertKind.MESSAGE_UNCERTAIN: "A message may not have reached the fan",
    AlertKind.FAN_NEEDS_CARE: "A fan needs care",
    AlertKind.AUDIT_LOG_DIFFERS: "The audit log differs from its seals",
    AlertKind.MODEL_ERRORS: "Calls to models fail",
    AlertKind.MODEL_LATENCY: "Models answer slowly",
    AlertKind.REQUEST_ERRORS: "Requests to VaultCRM fail",
    AlertKind.REQUEST_LATENCY: "VaultCRM answers slowly",
    AlertKind.DAILY_COST: "Models cost much today",
    AlertKind.FILTER_RATE: "The content filter finds much",
    AlertKind.CONFIDENCE_DRIFTS: "Confidence no longer fits what people decide",
    AlertKind.GUARANTEE_BROKEN: "Too many automatic messages would have been changed",
    AlertKind.AB_TEST: "An A/B test needs a look",
    AlertKind.DATABASE_ERRORS: "The database could not be reached",
}
"""What has happened. What to do about it stands in the alert's own message."""

SEVERITIES: Mapping[Severity, str] = {Severity.CRITICAL: "Severe", Severity.WARNING: "Warning"}

STAGES: Mapping[RolloutStage, str] = {
    RolloutStage.ONE_CREATOR: "1 · one creator, people approve everything",
    RolloutStage.MANUAL_APPROVAL: "2 · all creators, people approve everything",
    RolloutStage.AUTO_SEND_LOW_VALUE: "3 · simple replies to low-tier fans leave by themselves",
    RolloutStage.FULL: "4 · simple replies to all but whales and high-tier fans do",
}

FLAGS: Mapping[str, tuple[str, str]] = {
    "ENABLE_AI_CHAT": ("AI", "Off hides AI everywhere; conversations go on without it."),
    "AI_AUTO_SEND_THRESHOLD": (
        "Least confidence to send automatically",
        "0 to 100. Drafts below it wait for a person.",
    ),
    "AI_PPV_APPROVAL_THRESHOLD": (
        "Offers that wait for a person",
        "From this price on, in whole units of the fan's currency.",
    ),
    "AI_RATE_LIMIT_PER_HOUR": ("Drafts an hour", "For each user."),
    "AI_MAX_TOKENS_PER_DAY": ("Tokens a day", "For everybody together."),
    "AI_MAX_TOKENS_PER_MESSAGE": ("Tokens a draft", "512 to 1024."),
    "AI_ROLLOUT_STAGE": ("Rollout stage", "How much leaves without a person."),
    "AI_ROLLOUT_CREATOR": ("Creator of stage 1", "The handle of the one creator that has AI then."),
    "AI_JUDGE": (
        "Judging of risky drafts",
        "Off leaves it to the rules; drafts that they doubt still wait for a person.",
    ),
    "AI_OFFERS_PER_FAN_PER_DAY": (
        "Offers to a fan in 24 hours",
        "After so many no other offer goes to that fan. 0 for no cap.",
    ),
    "AI_SPEND_PER_FAN_PER_WEEK": (
        "What a fan may spend in 7 days",
        "From this on, in whole units of the fan's currency, offers to them stop. 0 for no cap.",
    ),
    "AI_COOLING_OFF_HOURS": (
        "Hours of cooling off",
        "How long a fan gets no offers once they have reached the cap of a week.",
    ),
    "AI_LEARNING_APPLIES": (
        "Learning applies its proposals",
        "On: what weekly learning proposes holds by itself, watched, taken back if it does worse.",
    ),
    "AI_AUTO_SEND_GUARANTEE": (
        "Automatic sending needs a guarantee",
        "Off lets the least confidence alone decide, with nothing known about its mistakes.",
    ),
    "AI_AUTO_SEND_RISK": (
        "Automatic messages that may be wrong",
        "The largest share that a person would have changed or rejected: 0.02 is 2 in 100.",
    ),
    "AI_AUTO_SEND_SAMPLE": (
        "Automatic messages that a person checks",
        "The share that is drawn by lot and waits in the queue instead: 0.05 is 5 in 100.",
    ),
}
"""Title and explanation of each flag."""

SOURCES: Mapping[str, str] = {
    "environment": "from the settings",
    "installation": "set here, for everybody",
    "creator": "set for this creator",
}

KEPT: Mapping[Kept, str] = {
    Kept.MESSAGES: "Messages",
    Kept.DRAFTS: "Drafts that were rejected or expired",
    Kept.INBOUND: "Webhooks that came in",
    Kept.EVENTS: "Events told to other systems",
    Kept.JUDGEMENTS: "Judgements of the checker model",
    Kept.ALERTS: "Alerts, once cleared",
    Kept.IDEMPOTENCY: "Answers for repeated requests",
    Kept.SESSIONS: "Sessions, once ended",
    Kept.SIGN_INS: "Counted tries to sign in",
    Kept.COUNTERS: "Counters of limits",
    Kept.JOBS: "Jobs that failed",
}

DONE: Mapping[str, str] = {
    "calibrating": "A worker calibrates now. Come back in a minute.",
    "fan_erased": "Erased. Nothing leaves for them any more; the rest is emptied now.",
    "approve": "Approved. The message is on its way.",
    "modify": "Your version is approved and on its way.",
    "reject": "Rejected. Nothing was sent.",
    "snoozed": "Snoozed. It comes back by itself.",
    "woken": "It waits again.",
    "undone": "Taken back. Nothing was sent.",
    "disclosed": "Noted that the fan was told that AI helps to write.",
    "told": "The disclosure is on its way.",
    "worded": "Saved. Fans read it from the next disclosure on.",
    "mode": "Changed what AI does in this conversation.",
    "flag": "The flag is changed, from the next draft on.",
    "budget": "The budget is set, from the next draft on.",
    "budget_cleared": "The budget is taken away.",
    "ai_off": "AI is off for everybody. Drafts that wait are kept and out of sight.",
    "stage_on": "Moved on by one stage, from the next draft on.",
    "stage_back": "Moved back by one stage. What may not leave by itself any more waits.",
    "stage_follows": "They follow the installation again.",
    "complaint": "Marked as a complaint. It counts against the stage on the rollout page.",
    "no_complaint": "No longer marked as a complaint.",
    "ai_on": "AI is on again, except for creators who have it off themselves.",
    "drafted": "The draft is below.",
    "care_cool_off": "They cool off: no offers go to them.",
    "care_end": "They cool off no longer. The caps go on holding.",
    "care_lift": "The caps are lifted for this fan.",
    "care_restore": "The caps hold for this fan again.",
    "care_guidance": "Saved. Chatters see it from now on.",
    "written": "On its way.",
}
"""What a page says after a form has done its work."""

REJECT_REASONS: Mapping[RejectReason, str] = {
    RejectReason.WRONG_FACTS: "Wrong facts",
    RejectReason.WRONG_VOICE: "Not the creator's voice",
    RejectReason.TOO_PUSHY: "Too pushy",
    RejectReason.UNSAFE: "Unsafe",
    RejectReason.WRONG_PRICE: "Wrong price",
    RejectReason.REPETITIVE: "Repeats itself",
    RejectReason.NOT_NOW: "Not now",
    RejectReason.OTHER: "Another reason",
}


def rejection(reason: str) -> str:
    """Why a draft was rejected: a reason of ours in words, or what somebody wrote."""
    return REJECT_REASONS[RejectReason(reason)] if reason in set(RejectReason) else reason


SNOOZES: Mapping[int, str] = {15: "15 minutes", 60: "1 hour", 240: "4 hours", 1440: "a day"}
"""For how many minutes a draft can be put off with one press."""

EMPTY_LISTS: Mapping[str, str] = {
    "all": "Nothing waits.",
    "high-value": "No offer and no high-value fan waits.",
    "care": "No fan needs care.",
    "mine": "You hold no draft.",
    "snoozed": "Nothing is snoozed.",
}
"""What an empty part of the queue says."""

_FIELDS: Mapping[str, str] = {
    "modifiedMessage": "Your text",
    "modifiedPrice": "The price",
    "price": "The price",
    "action": "This draft",
    "value": "The value",
    "reason": "The reason",
    "amount": "The amount",
    "hours": "The hours",
}


def tier_title(tier: Tier) -> str:
    """A tier where it stands for the fan: `whale`, `high tier`."""
    return "whale" if tier is Tier.WHALE else f"{tier.value} tier"


def reason(code: ApprovalReason, record: GenerationRecord, tier: Tier, flags: Flags) -> str:
    """Why a draft waits, with the numbers that apply as long as they are still those."""
    price, threshold = record.suggested_price, flags.ppv_approval_threshold
    if code is ApprovalReason.HIGH_VALUE_OFFER and price is not None and price.major >= threshold:
        return f"offer of {whole_price(threshold, record.currency)} or more"
    if code is ApprovalReason.HIGH_TIER and tier in {Tier.WHALE, Tier.HIGH}:
        return tier_title(tier)
    if code is ApprovalReason.LOW_CONFIDENCE and record.confidence < flags.auto_send_threshold:
        return f"confidence below {flags.auto_send_threshold}"
    return REASONS[code]


def waits(record: GenerationRecord, tier: Tier, flags: Flags) -> str:
    """All reasons of a waiting draft in one phrase, the strictest first."""
    return ", ".join(reason(code, record, tier, flags) for code in record.approval_reasons)


def whole_price(major: float, currency: str) -> str:
    """`$50`, `$49.50`, `1,500 JPY`: cents only where there are any."""
    money = str(Money(round(major * minor_per_major(currency)), currency))
    amount, _, rest = money.partition(" ")
    if set(amount.partition(".")[2]) == {"0"}:
        amount = amount.partition(".")[0]
    return f"{amount} {rest}".strip()


def money(minor: int, currency: str) -> str:
    """An amount in minor units as people read it."""
    return str(Money(minor, currency))


def price_field(price: Money | None) -> str:
    """A price as it stands in a form: `25.00`, without a sign for the currency."""
    return "" if price is None else str(price).replace(",", "").strip("$").split()[0]


def finding(found: Finding) -> str:
    """One finding in a sentence."""
    told = CATEGORIES[found.category]
    return f"{told}: {found.reason}" if found.reason else told


def stopped_before(record: GenerationRecord) -> str:
    """Why this is a second attempt; nothing where it is the first."""
    if not record.attempts:
        return ""
    found = record.attempts[-1].safety.findings
    stopping = [one for one in found if one.tier is FindingTier.BLOCK] or found
    named = dict.fromkeys(CATEGORIES[one.category] for one in stopping)
    return f"Second attempt: the first was stopped ({', '.join(named)})."


def byline(author: Author, user_name: str | None) -> str:
    """Who really wrote a message of the creator's: `AI, approved by Jo`; of the fan's, nothing."""
    if user_name and author is Author.CHATTER:
        return f"written by {user_name}"
    if user_name and author is Author.AI_APPROVED:
        return f"{AUTHORS[author]} by {user_name}"
    return AUTHORS[author]


def setting(name: str) -> str:
    """A setting's name as a label: `apiAccessToken` is `Api access token`."""
    return sentence(re.sub(r"(?=[A-Z])", " ", name).lower()).rstrip(".")


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


def conflict(error: Conflict, now: datetime) -> str:
    """Who came first, with what and when."""
    if error.status == "claimed":
        until = f" until {times.clock(error.decided_at, now)}" if error.decided_at else ""
        return f"Being reviewed by {error.decided_by or 'somebody else'}{until}."
    if error.status not in set(GenerationStatus):
        return str(error)
    by = f" by {error.decided_by}" if error.decided_by else ""
    when = f", {times.ago(error.decided_at, now)}" if error.decided_at else ""
    return f"This draft is {STATUSES[GenerationStatus(error.status)]}{by}{when}."


_MANY: Mapping[str, str] = {"approve": "approved", "reject": "rejected", "snooze": "snoozed"}


def decided_many(action: str, succeeded: int, refused: Sequence[str]) -> str:
    """What became of several decisions at once, with each different reason why one did not."""
    told = f"{count(succeeded, 'draft')} {_MANY[action]}."
    if not refused:
        return told
    return f"{told} {count(len(refused), 'draft')} not: {' '.join(dict.fromkeys(refused))}"


def problems(error: InvalidInput) -> list[str]:
    """Each thing that is wrong with a form, field first."""
    return [f"{_FIELDS.get(p.field, p.field)}: {p.reason}" for p in error.problems]


def sentence(phrase: str) -> str:
    """A phrase as it stands by itself: with a capital."""
    return phrase[:1].upper() + phrase[1:]


def flag_value(value: Any) -> str:
    """A flag's value as people read it."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "On" if value else "Off"
    if isinstance(value, int | float):
        return f"{value:,.10g}"
    return str(value)


_CODES: Mapping[str, str] = {
    code: words
    for table in (STATUSES, DELIVERIES, REASONS, MODES, CATEGORIES)
    for code, words in table.items()
}
"""Codes in an audit entry's details that have words."""


def details(values: Mapping[str, Any]) -> list[tuple[str, str]]:
    """An audit entry's details, name and value, without those that say nothing."""
    return [
        (name.replace("_", " "), _detail(value))
        for name, value in values.items()
        if value not in (None, "", []) and value is not False
    ]


_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")


def _detail(value: Any) -> str:
    if value is True:
        return "yes"
    if isinstance(value, str) and _MOMENT.match(value):
        return times.exact(datetime.fromisoformat(value))
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(_detail(item) for item in value)
    return _CODES.get(str(value), str(value))


def initials(name: str) -> str:
    """Up to two letters that stand for a name; a dot when it has none."""
    letters = [next((sign for sign in word if sign.isalnum()), "") for word in name.split()]
    found = [letter for letter in letters if letter]
    return "".join(found[:1] + found[1:][-1:]).upper() or "·"


def counted(number: int) -> str:
    """A number that was counted up to `MOST_COUNTED` only: from there on it is `99+`."""
    return f"{MOST_COUNTED - 1}+" if number >= MOST_COUNTED else str(number)


def count(number: int, one: str, many: str | None = None) -> str:
    """`1 finding`, `2 findings`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"
