"""Flags, stages of the rollout, and how long rows are kept."""

from collections.abc import Mapping
from typing import Any

from vaultcrm.domain.flags import RolloutStage
from vaultcrm.domain.retention import Kept

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


def flag_value(value: Any) -> str:
    """A flag's value as people read it."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "On" if value else "Off"
    if isinstance(value, int | float):
        return f"{value:,.10g}"
    return str(value)
