"""What a fan is offered and pays, and why offers to them stop for a while."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from vaultcrm.domain.money import Money

DAY = timedelta(days=1)
WEEK = timedelta(days=7)


class PaymentKind(StrEnum):
    PURCHASE = "purchase"
    TIP = "tip"
    SUBSCRIPTION = "subscription"


@dataclass(frozen=True, slots=True)
class Spending:
    """What counts for a fan's caps now.

    `offered_at` are the priced messages of the last 24 hours that left, or are to leave, the newest
    first and at most 100. `paid` is what they paid in the last 7 days, hour by hour, the newest
    first: when the last payment of the hour was, and minor units of `currency`, the fan's; payments
    in other currencies do not count, as nobody here knows a rate. `lifted_until` ends a manager's
    exception from all caps.
    """

    fan_id: UUID
    currency: str
    offered_at: tuple[datetime, ...] = ()
    paid: tuple[tuple[datetime, int], ...] = ()
    cooling_off_until: datetime | None = None
    lifted_until: datetime | None = None

    def is_lifted(self, now: datetime) -> bool:
        return self.lifted_until is not None and self.lifted_until > now

    def cools_off(self, now: datetime) -> bool:
        cooling = self.cooling_off_until is not None and self.cooling_off_until > now
        return cooling and not self.is_lifted(now)

    @property
    def week(self) -> Money:
        return Money(sum(minor for _, minor in self.paid), self.currency)


class Cap(StrEnum):
    """What keeps offers from a fan."""

    OFFERS_PER_DAY = "offers_per_day"
    SPEND_PER_WEEK = "spend_per_week"
    COOLING_OFF = "cooling_off"


@dataclass(frozen=True, slots=True)
class OfferHold:
    """No offer goes to the fan before `until`, and why."""

    cap: Cap
    until: datetime
    reason: str


class Concern(StrEnum):
    """Why a fan stands in the list of fans at risk."""

    OVER_CAP = "over_cap"
    NEAR_CAP = "near_cap"
    STEEP_RISE = "steep_rise"
    MANY_OFFERS = "many_offers"
    COOLING_OFF = "cooling_off"
    LIFTED = "lifted"


WEEKS_BEFORE = 8
"""A fan's week is compared with the mean of so many before it."""
STEEP = 3
"""So many times that mean is a steep rise."""
NEAR = 0.8
"""Share of the week's cap from which a fan is near it."""
NOTABLE = 0.2
"""Share of the week's cap below which no rise is steep: doubling little is no sign of anything."""
CAP_TO_COMPARE = 500
"""Whole units that stand for the cap where there is none, so that rises still show."""


@dataclass(frozen=True, slots=True)
class FanAtRisk:
    """A fan whose spending somebody should look at, with the figures that say so.

    `week` is what they paid in the last 7 days, `before` the mean of the 8 weeks before; `cap` is
    None where there is none. `offers` are those of the last 24 hours, of at most `most_offers` (0:
    no cap). `reason` is that of the last change by a person or a cap.
    """

    creator_id: UUID
    fan_id: UUID
    display_name: str
    conversation_id: UUID | None
    week: Money
    before: Money
    cap: Money | None
    offers: int
    most_offers: int
    cooling_off_until: datetime | None
    lifted_until: datetime | None
    reason: str
    concerns: tuple[Concern, ...]
