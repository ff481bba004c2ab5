"""What a fan has bought of late, as the panel beside a conversation or a draft shows it."""

from datetime import datetime, timedelta

from vaultcrm.db.queries.inbox import Bought
from vaultcrm.domain.money import Money

LAST_BOUGHT = 3
WEEKS = 12


def by_week(bought: tuple[Bought, ...], currency: str, now: datetime) -> tuple[Money, ...]:
    """What was bought in each of the last `WEEKS`, the oldest first; other currencies left out."""
    weeks = [0] * WEEKS
    for one in bought:
        back = (now - one.at) // timedelta(weeks=1)
        if 0 <= back < WEEKS and one.amount.currency == currency:
            weeks[WEEKS - 1 - back] += one.amount.minor
    return tuple(Money(minor, currency) for minor in weeks)
