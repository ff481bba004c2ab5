"""Limits: what to reserve before a call, how long to wait near a limit, what to say at it.

Tokens are reserved before the call and settled after it, so that any number of requests at once
cannot pass the limit together (`vaultcrm.db.queries.limits`). This module decides; it counts
nothing itself.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from vaultcrm.domain.errors import LimitExceeded
from vaultcrm.domain.limits import REQUESTS_PER_HOUR, TOKENS_PER_DAY, Reservation

PROMPT_TOKEN_BUDGET = 4_000
"""The prompt builder cuts history to stay within this many estimated tokens, so that what is
reserved before the context is known is never less than what one call can use. Rules take about
1,000, the longest voice 2,000, which leaves 1,000 for the fan and the conversation."""

LONGEST_ANSWER_TOKENS = 1_024
"""The greatest value of AI_MAX_TOKENS_PER_MESSAGE: what is in force is not known yet either."""

CHECK_TOKENS = 3_000
"""What reading one fan's message with the checker model may use at most: its rules, 2,000
characters of the message and 3,000 of earlier ones, and a short answer."""

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


def check_reservation_for(*, free: bool, now: datetime) -> Reservation:
    """What reading one message may use at most. It counts as no request of anybody's."""
    return replace(reservation_for(free=free, now=now), tokens=0 if free else CHECK_TOKENS)


def token_reservation(tokens: int, now: datetime) -> Reservation:
    """So many tokens of the day, for a call that is part of a request let in already."""
    return replace(reservation_for(free=True, now=now), tokens=tokens)


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
    require_tokens(TOKENS_PER_DAY in used, reservation, per_day=per_day, now=now)


def require_tokens(let_in: bool, reservation: Reservation, *, per_day: int, now: datetime) -> None:
    """Raise LimitExceeded, with the seconds until the day ends, unless the tokens were reserved."""
    if not let_in:
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
