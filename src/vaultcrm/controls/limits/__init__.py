"""Limits: what to reserve before a call, how long to wait near a limit, what to say at it.

Tokens and dollars are reserved before the call and settled after it, so that any number of requests
at once cannot pass a limit together (`vaultcrm.db.queries.limits`). This module decides; it counts
nothing itself.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from vaultcrm.controls.limits.windows import windows_at
from vaultcrm.domain.budgets import BudgetPeriod, BudgetScope, BudgetUnit, amount_in_words
from vaultcrm.domain.errors import LimitExceeded
from vaultcrm.domain.ids import new_id
from vaultcrm.domain.limits import (
    REQUESTS_PER_HOUR,
    TOKENS_PER_DAY,
    LimitState,
    Quota,
    Reservation,
    Windows,
)
from vaultcrm.settings import Settings

PROMPT_TOKEN_BUDGET = 4_000
"""The prompt builder cuts history to stay within this many estimated tokens, so that what is
reserved before the context is known is never less than what one call can use. Rules take about
1,000, the longest voice 2,000, which leaves 1,000 for the fan and the conversation."""

LONGEST_ANSWER_TOKENS = 1_024
"""The greatest value of AI_MAX_TOKENS_PER_MESSAGE: what is in force is not known yet either."""

CHECK_PROMPT_TOKENS = 2_488
CHECK_ANSWER_TOKENS = 512
CHECK_TOKENS = CHECK_PROMPT_TOKENS + CHECK_ANSWER_TOKENS
"""What reading one fan's message with the checker model may use at most: its rules, 2,000
characters of the message and 3,000 of earlier ones, and a short answer."""

THROTTLE_FROM = 0.9
"""Share of a limit from which calls are slowed."""
THROTTLE_LONGEST_SECONDS = 3.0


def reservation_of(tokens: int, micro_usd: int, now: datetime, settings: Settings) -> Reservation:
    """What a call may use at most, in the windows of the moment in which it begins."""
    return Reservation(
        id=new_id(),
        windows=windows_at(now, settings.agency_time_zone),
        tokens=tokens,
        micro_usd=micro_usd,
        expires_at=now + timedelta(seconds=settings.ai_reservation_seconds),
    )


def throttle_seconds(used: int, limit: int) -> float:
    """How long a call waits near a limit: 0 below 90 %, rising evenly to 3 s at 100 %."""
    if limit <= 0:
        return 0.0
    share = used / limit
    if share <= THROTTLE_FROM:
        return 0.0
    return THROTTLE_LONGEST_SECONDS * min(1.0, (share - THROTTLE_FROM) / (1 - THROTTLE_FROM))


def nearest_throttle(states: Iterable[LimitState]) -> float:
    """How long a call waits when several limits apply: as long as the nearest one says.

    A request is counted after it, so that the only one of an hour is not slowed; tokens and dollars
    are counted before, as one call may use much of what is left.
    """
    longest = 0.0
    for state in states:
        if state.used is not None:
            used = state.used - (state.amount if state.kind == REQUESTS_PER_HOUR else 0)
            longest = max(longest, throttle_seconds(used, state.ceiling))
    return longest


def require_reserved(states: tuple[LimitState, ...], windows: Windows, now: datetime) -> None:
    """Raise LimitExceeded, with the seconds until its window ends, if a limit has refused.

    Where several have, the one is told that lasts longest; of equals the caller's own first.
    """
    refused = [state for state in states if state.used is None]
    if not refused:
        return
    state = max(refused, key=lambda one: (windows.of(one.kind)[1], one.kind == REQUESTS_PER_HOUR))
    raise LimitExceeded(
        state.kind,
        refusal_in_words(state, windows),
        _seconds_until(windows.of(state.kind)[1], now),
        policies(states, windows, now, given_back=True),
    )


def refusal_in_words(state: LimitState, windows: Windows) -> str:
    """Which limit refused a call, whose it is, when it ends, and what to do."""
    if state.kind == REQUESTS_PER_HOUR:
        return (
            f"The limit of {state.ceiling} drafts an hour is reached. "
            "Try again when the hour is over, or ask an admin to raise AI_RATE_LIMIT_PER_HOUR."
        )
    if state.kind == TOKENS_PER_DAY:
        return (
            f"The limit of {state.ceiling:,} tokens a day is reached (this draft may need "
            f"{state.amount:,}). Write the reply yourself, try again tomorrow, "
            "or ask an admin to raise AI_MAX_TOKENS_PER_DAY."
        )
    scope, unit, period = _budget_of(state.kind)
    budget = f"{amount_in_words(state.ceiling, unit)} a {period}"
    need = amount_in_words(state.amount, unit)
    return (
        f"{_WHOSE[scope].format(budget)} is used up (this draft may need {need}). It begins anew "
        f"on {_moment(windows.of(state.kind)[1], windows.zone)}. Write the reply yourself, wait "
        "until then, or ask a manager to raise the budget."
    )


_WHOSE: Mapping[BudgetScope, str] = {
    BudgetScope.INSTALLATION: "The budget of {} for everybody together",
    BudgetScope.CREATOR: "This creator's budget of {}",
    BudgetScope.USER: "The budget of {} for whoever asks",
}


def _moment(moment: datetime, zone: str) -> str:
    there = moment.astimezone(ZoneInfo(zone))
    return f"{there.day} {there:%B} at {there:%H:%M} ({zone})"


def _budget_of(kind: str) -> tuple[BudgetScope, BudgetUnit, BudgetPeriod]:
    scope, unit, _, period = kind.split("_")
    return BudgetScope(scope), BudgetUnit(unit), BudgetPeriod(period)


def policies(
    states: Iterable[LimitState], windows: Windows, now: datetime, *, given_back: bool = False
) -> tuple[Quota, ...]:
    """What is left of each limit. `given_back`: the call was refused, so that what it reserved of
    other limits is free again; of the limits that refused it nothing counts as left.
    """
    found = []
    for state in states:
        starts, ends = windows.of(state.kind)
        left = 0
        if state.used is not None:
            left = state.ceiling - state.used + (state.amount if given_back else 0)
        found.append(
            Quota(
                name=state.kind,
                quota=state.ceiling,
                left=max(left, 0),
                window_seconds=int((ends - starts).total_seconds()),
                ends_in_seconds=_seconds_until(ends, now),
            )
        )
    return tuple(found)


def _seconds_until(end: datetime, now: datetime) -> int:
    return max(1, int((end - now).total_seconds()) + 1)
