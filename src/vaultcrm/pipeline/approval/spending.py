"""Caps on what one fan is offered and spends: whether an offer may go to them now."""

from collections.abc import Iterator
from datetime import UTC, datetime

from vaultcrm.domain.flags import Flags
from vaultcrm.domain.money import Money, minor_per_major
from vaultcrm.domain.spending import DAY, WEEK, Cap, OfferHold, Spending


def hold_on_offers(spending: Spending, flags: Flags, now: datetime) -> OfferHold | None:
    """Why no offer goes to this fan now, of several reasons the one that lasts longest.

    None where one may, also while a manager has lifted the caps for the fan.
    """
    if spending.is_lifted(now):
        return None
    return max(_holds(spending, flags, now), key=lambda hold: hold.until, default=None)


def week_cap(flags: Flags, currency: str) -> Money | None:
    """What a fan may spend in 7 days; None where there is no cap."""
    if not flags.spend_per_fan_per_week:
        return None
    return Money(flags.spend_per_fan_per_week * minor_per_major(currency), currency)


def _holds(spending: Spending, flags: Flags, now: datetime) -> Iterator[OfferHold]:
    most = flags.offers_per_fan_per_day
    if most and len(spending.offered_at) >= most:
        until = spending.offered_at[most - 1] + DAY
        if until > now:
            had = "1 offer" if most == 1 else f"{most} offers"
            yield OfferHold(
                Cap.OFFERS_PER_DAY,
                until,
                f"this fan has had {had} in the last 24 hours, the most that is allowed; "
                f"the next one can go out from {_told(until)}",
            )
    cap = week_cap(flags, spending.currency)
    if cap is not None:
        below = _falls_below(cap.minor, spending)
        if below is not None and below > now:
            yield OfferHold(
                Cap.SPEND_PER_WEEK,
                below,
                f"this fan has spent {spending.week} in the last 7 days, and the cap is {cap}; "
                f"no offer goes out before {_told(below)}",
            )
    cooling = spending.cooling_off_until
    if cooling is not None and cooling > now:
        yield OfferHold(
            Cap.COOLING_OFF,
            cooling,
            f"this fan is cooling off; no offer goes out before {_told(cooling)}",
        )


def _falls_below(cap_minor: int, spending: Spending) -> datetime | None:
    """When so much of what was paid lies 7 days back that the rest is below the cap.

    Adding up from the newest payment, the one that reaches the cap is the last that has to go. None
    where the cap is not reached.
    """
    total = 0
    for paid_at, minor in spending.paid:
        total += minor
        if total >= cap_minor:
            return paid_at + WEEK
    return None


def _told(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
