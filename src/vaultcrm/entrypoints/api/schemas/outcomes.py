"""What messages did, and what AI changes. Intervals are of 95 %."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import Field

from vaultcrm.domain.conversation import Author
from vaultcrm.domain.effects import Effect, Side, Writer
from vaultcrm.domain.estimates import Estimate
from vaultcrm.entrypoints.api.fields import Schema

SELECTION = (
    "Not an experiment: which messages AI drafts, and which of its drafts people let go, was "
    "chosen, so the difference is not what AI causes. An A/B test tells that."
)


class MessageOutcomeOut(Schema):
    """What one message did. While `settled` is false it may still be answered.

    `revenueMinor` is less `refundedMinor`. `currenciesDiffer`: money in another currency was left
    out, as nobody here knows a rate.
    """

    message_id: UUID
    creator_id: UUID
    conversation_id: UUID
    generation_id: UUID | None
    template_id: UUID | None
    author: Author
    sent_at: datetime
    settled: bool
    settled_at: datetime
    price_minor: int | None
    currency: str | None
    replied: bool
    time_to_reply: int | None
    purchased: bool
    revenue_minor: int
    refunded_minor: int
    currencies_differ: bool

    @classmethod
    def of(cls, record: Mapping[str, Any], now: datetime) -> "MessageOutcomeOut":
        """The public form of a row of `message_outcomes`."""
        told = {name: value for name, value in record.items() if name not in {"id", "updated_at"}}
        return cls(message_id=record["id"], settled=record["settled_at"] <= now, **told)


class EstimateOut(Schema):
    """A value with its interval."""

    value: float
    low: float
    high: float

    @classmethod
    def of(cls, estimate: Estimate | None) -> "EstimateOut | None":
        """None stays None: there is not enough data yet."""
        if estimate is None:
            return None
        return cls(value=estimate.value, low=estimate.low, high=estimate.high)


class RevenueSideOut(Schema):
    """Revenue less refunds. `perMessageMinor` is null while there are too few messages."""

    currency: str
    minor: int
    per_message_minor: EstimateOut | None


class SideOut(Schema):
    """`conversion` is of the messages that had a price. Null: not enough data yet."""

    messages: int
    replied: int
    offers: int
    bought: int
    reply_rate: EstimateOut | None
    conversion: EstimateOut | None
    revenue: list[RevenueSideOut]

    @classmethod
    def of(cls, side: Side) -> "SideOut":
        """The public form of one side."""
        return cls(
            messages=side.messages,
            replied=side.replied,
            offers=side.offers,
            bought=side.bought,
            reply_rate=EstimateOut.of(side.reply_rate),
            conversion=EstimateOut.of(side.conversion),
            revenue=[
                RevenueSideOut(
                    currency=currency,
                    minor=minor,
                    per_message_minor=EstimateOut.of(side.revenue_per_message.get(currency)),
                )
                for currency, minor in side.revenue_minor.items()
            ],
        )


class TimeSavedOut(Schema):
    """`seconds` is `byHandSeconds` less `decidingSeconds`; null: not enough data yet."""

    user_id: UUID
    decisions: int
    uncompared: int
    by_hand_seconds: float | None
    deciding_seconds: float | None
    seconds: float | None


class EngagementOut(Schema):
    """Messages a day of a fan, in the 14 days before the first AI message of a conversation and in
    the 14 after. `tooNew` conversations had no 14 days before.
    """

    conversations: int
    too_new: int
    before_per_day: float | None
    after_per_day: float | None
    change: EstimateOut | None


class EffectOut(Schema):
    """`messagesTo` is before `to`: later messages can still be answered."""

    creator_id: UUID | None
    start: datetime = Field(alias="from")
    end: datetime = Field(alias="to")
    messages_to: datetime
    ai: SideOut
    by_hand: SideOut
    note: str = SELECTION
    time_saved_seconds: float | None
    time_saved: list[TimeSavedOut]
    engagement: EngagementOut

    @classmethod
    def of(cls, creator_id: UUID | None, effect: Effect) -> "EffectOut":
        """The public form for one creator, or with None for all that may be seen."""
        engagement = effect.engagement
        return cls(
            creator_id=creator_id,
            start=effect.period.start,
            end=effect.period.end,
            messages_to=effect.messages.end,
            ai=SideOut.of(effect.sides[Writer.AI]),
            by_hand=SideOut.of(effect.sides[Writer.PEOPLE]),
            time_saved_seconds=effect.seconds_saved,
            time_saved=[
                TimeSavedOut(
                    user_id=one.user_id,
                    decisions=one.decisions,
                    uncompared=one.uncompared,
                    by_hand_seconds=one.by_hand_seconds,
                    deciding_seconds=one.deciding_seconds,
                    seconds=one.seconds,
                )
                for one in effect.time_saved
            ],
            engagement=EngagementOut(
                conversations=engagement.conversations,
                too_new=engagement.too_new,
                before_per_day=engagement.before_per_day,
                after_per_day=engagement.after_per_day,
                change=EstimateOut.of(engagement.change),
            ),
        )
