"""Care for fans: what chatters are told, and caps on what fans are offered and spend."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field

from vaultcrm.domain.conversation import Care
from vaultcrm.domain.spending import Cap, Concern, FanAtRisk
from vaultcrm.entrypoints.api.fields import FreeText, Line, Schema
from vaultcrm.workflows.guide_care import Guidance
from vaultcrm.workflows.spending_care import LONGEST_HOURS, FanCaps

Hours = Annotated[int, Field(ge=1, le=LONGEST_HOURS)]


class GuidanceIn(Schema):
    """What chatters are told; `text` null goes back to the text that comes with the product."""

    creator_id: UUID
    kind: Care
    text: FreeText | None


class GuidanceOut(Schema):
    """`setAt` is null where the text is the product's own."""

    creator_id: UUID
    kind: Care
    text: str
    set_by: str | None
    set_at: datetime | None

    @classmethod
    def of(cls, guidance: Guidance) -> "GuidanceOut":
        return cls(
            creator_id=guidance.creator_id,
            kind=guidance.kind,
            text=guidance.text,
            set_by=guidance.set_by,
            set_at=guidance.set_at,
        )


class GuidancePage(Schema):
    items: list[GuidanceOut]
    next_cursor: None = None


class CoolingOffIn(Schema):
    """No offers for so many hours; `hours` null for as many as the flag AI_COOLING_OFF_HOURS."""

    creator_id: UUID
    hours: Hours | None = None
    reason: Line


class EndIn(Schema):
    creator_id: UUID
    reason: Line


class LiftIn(Schema):
    """No cap and no cooling off for so many hours."""

    creator_id: UUID
    hours: Hours
    reason: Line


class HoldOut(Schema):
    """Why no offer goes to the fan before `until`."""

    cap: Cap
    until: datetime
    reason: str


class FanCapsOut(Schema):
    """How a fan stands to their caps. `weekMinor` is what they paid in the last 7 days, in their
    currency; a cap of null, or of 0 offers, is no cap.
    """

    creator_id: UUID
    fan_id: UUID
    currency: str
    week_minor: int
    week_cap_minor: int | None
    offers_last_day: int
    most_offers: int
    cooling_off_until: datetime | None
    lifted_until: datetime | None
    hold: HoldOut | None

    @classmethod
    def of(cls, creator_id: UUID, caps: FanCaps) -> "FanCapsOut":
        hold = caps.hold
        return cls(
            creator_id=creator_id,
            fan_id=caps.spending.fan_id,
            currency=caps.spending.currency,
            week_minor=caps.spending.week.minor,
            week_cap_minor=None if caps.cap is None else caps.cap.minor,
            offers_last_day=len(caps.spending.offered_at),
            most_offers=caps.flags.offers_per_fan_per_day,
            cooling_off_until=caps.spending.cooling_off_until,
            lifted_until=caps.spending.lifted_until,
            hold=None
            if hold is None
            else HoldOut(cap=hold.cap, until=hold.until, reason=hold.reason),
        )


class FanAtRiskOut(Schema):
    """A fan whose spending somebody should look at. `beforeMinor` is the mean of the eight weeks
    before this one.
    """

    creator_id: UUID
    fan_id: UUID
    display_name: str
    conversation_id: UUID | None
    currency: str
    week_minor: int
    before_minor: int
    week_cap_minor: int | None
    offers_last_day: int
    most_offers: int
    cooling_off_until: datetime | None
    lifted_until: datetime | None
    reason: str
    concerns: list[Concern]

    @classmethod
    def of(cls, fan: FanAtRisk) -> "FanAtRiskOut":
        return cls(
            creator_id=fan.creator_id,
            fan_id=fan.fan_id,
            display_name=fan.display_name,
            conversation_id=fan.conversation_id,
            currency=fan.week.currency,
            week_minor=fan.week.minor,
            before_minor=fan.before.minor,
            week_cap_minor=None if fan.cap is None else fan.cap.minor,
            offers_last_day=fan.offers,
            most_offers=fan.most_offers,
            cooling_off_until=fan.cooling_off_until,
            lifted_until=fan.lifted_until,
            reason=fan.reason,
            concerns=list(fan.concerns),
        )
