"""Limits: what to reserve before a call, how long to wait near a limit, what to say at it.

Tokens are reserved before the call and settled after it, so that any number of requests at once
cannot pass the limit together (`vaultcrm.db.queries.limits`). This module decides; it counts
nothing itself.
"""

from datetime import datetime, timedelta

from vaultcrm.domain.errors import LimitExceeded
from vaultcrm.domain.limits import REQUESTS_PER_HOUR, TOKENS_PER_DAY, Reservation

PROMPT_TOKEN_BUDGET = 4_000
"""The prompt builder cuts history to stay within this many estimated tokens, so that what is
reserved before the context is known is never less than what one call can use. Rules take about
1,000, the longest voice 2,000, which leaves 1,000 for the fan and the conversation."""

LONGEST_ANSWER_TOKENS = 1_024
"""The greatest value of AI_MAX_TOKENS_PER_MESSAGE: what is in force is not known yet either."""

THROTTLE_FROM = 0.9
"""Share of the day's tokens from which calls are slowed."""
THROTTLE_LONGEST_SECONDS = 3.0


def reservation_for(*, free: bool, now: datetime) -> Reservation:
    """What one draft may use at most: the prompt's budget and the longest answer.

    A drafter that calls no model is `free` and reserves no tokens.
    """
    day = now.replace(hour=0, minute=0, second=0, microsecond=0)
    hour = now.replace(minute=0, second=0, microsecond=0)
    return Reservation(hour, day, 0 if free else PROMPT_TOKEN_BUDGET + LONGEST_ANSWER_TOKENS)


def throttle_seconds(used: int, limit: int) -> float:
    """How long a call waits near the daily limit: 0 below 90 %, rising evenly to 3 s at 100 %."""
    if limit <= 0:
        return 0.0
    share = used / limit
    if share <= THROTTLE_FROM:
        return 0.0
    return THROTTLE_LONGEST_SECONDS * min(1.0, (share - THROTTLE_FROM) / (1 - THROTTLE_FROM))


def require_reserved(
    used: dict[str, int], reservation: Reservation, *, per_hour: int, per_day: int, now: datetime
) -> None:
    """Raise LimitExceeded, with the seconds until the window ends, for a limit that was refused."""
    if REQUESTS_PER_HOUR not in used:
        ends = reservation.hour + timedelta(hours=1)
        raise LimitExceeded(
            REQUESTS_PER_HOUR,
            f"The limit of {per_hour} drafts an hour is reached. "
            "Try again when the hour is over, or ask an admin to raise AI_RATE_LIMIT_PER_HOUR.",
            _seconds_until(ends, now),
        )
    if TOKENS_PER_DAY not in used:
        ends = reservation.day + timedelta(days=1)
        raise LimitExceeded(
            TOKENS_PER_DAY,
            f"The limit of {per_day:,} tokens a day is reached (this draft may need "
            f"{reservation.tokens:,}). Write the reply yourself, try again tomorrow, "
            "or ask an admin to raise AI_MAX_TOKENS_PER_DAY.",
            _seconds_until(ends, now),
        )


def _seconds_until(end: datetime, now: datetime) -> int:
    return max(1, int((end - now).total_seconds()) + 1)
