"""What a message of a creator did, as a function of everything that is known of it.

The order in which things came to be known plays no part: what is late, repeated or out of order
ends in the same outcome. The rules are in `docs/outcomes.md`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from vaultcrm.domain.conversation import Author
from vaultcrm.domain.money import Money

ENGAGEMENT_PERIOD = timedelta(days=14)
"""How long before and after a conversation's first AI message fans' messages are counted."""


@dataclass(frozen=True, slots=True)
class Payment:
    """Money that a platform told of; `key` is the event's, for which it counts once.

    `amount` is None where the platform did not say: then it is the message's price.
    """

    at: datetime
    key: str
    amount: Money | None


@dataclass(frozen=True, slots=True)
class MessageFacts:
    """All that is known of one message of a creator.

    `answered_at`: when the fan wrote next, if that was within the time for answers and before
    anything else of the creator's. `purchases` name the message, `following` name none and came
    within the time, `refunds` name it. `reported` is what programs told, by the API's names.
    `is_bought`: the message itself is marked as bought. `counted_refund` is what was taken off the
    fan's lifetime value before.
    """

    creator_id: UUID
    id: UUID
    conversation_id: UUID
    fan_id: UUID
    generation_id: UUID | None
    template_id: UUID | None
    author: Author
    tier: str
    sent_at: datetime
    price: Money | None
    answered_at: datetime | None = None
    purchases: tuple[Payment, ...] = ()
    following: tuple[Payment, ...] = ()
    refunds: tuple[Payment, ...] = ()
    reported: Mapping[str, Any] = field(default_factory=dict)
    usual_currency: str | None = None
    is_bought: bool = False
    counted_refund: Money | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a message did. `revenue_minor` is less what was taken back, `refunded_minor`.

    `currency` is that of the revenue, else of the price; `performance` is what is known of it, by
    the API's names, and holds nothing that only time can tell before the time is over.
    """

    facts: MessageFacts
    settled_at: datetime
    replied: bool
    time_to_reply: int | None
    purchased: bool
    currency: str | None
    revenue_minor: int
    refunded_minor: int
    currencies_differ: bool
    performance: Mapping[str, Any]


def outcome_of(facts: MessageFacts, window: timedelta, now: datetime) -> Outcome:
    """The outcome of a message. `window` is how long answers and purchases count as its effect.

    What a program reports stands in the place of what was seen; refunds are taken off either.
    """
    settled_at = facts.sent_at + window
    paid, differ = _paid(facts)
    price_currency = None if facts.price is None else facts.price.currency
    currency = price_currency if paid is None else paid.currency
    reported = facts.reported
    revenue = 0 if paid is None else paid.minor
    if reported.get("revenue") is not None:
        revenue = int(reported["revenue"])
        currency = reported.get("currency") or currency or facts.usual_currency
    refunds = {one.key: one.amount for one in facts.refunds if one.amount is not None}.values()
    refunded = min(sum(one.minor for one in refunds if one.currency == currency), revenue)
    differ = differ or any(one.currency != currency for one in refunds)
    revenue -= refunded
    told = reported.get("purchased")
    bought = bool(told) if told is not None else paid is not None
    purchased = bought and not (refunded and not revenue)

    waited = None
    if facts.answered_at is not None:
        waited = int((facts.answered_at - facts.sent_at).total_seconds())
    if reported.get("timeToReply") is not None:
        waited = int(reported["timeToReply"])
    answered = reported.get("replied")
    replied = bool(answered) if answered is not None else facts.answered_at is not None

    seen: dict[str, Any] = {}
    if facts.answered_at is not None:
        seen |= {"replied": True, "timeToReply": waited}
    elif settled_at <= now:
        seen["replied"] = False
    if paid is not None:
        seen |= {"purchased": purchased, "revenue": revenue, "currency": currency}
    elif facts.price is not None and settled_at <= now:
        seen |= {"purchased": False, "revenue": 0}
    performance = seen | dict(reported)
    if refunded:
        performance |= {"purchased": purchased, "revenue": revenue}
    return Outcome(
        facts=facts,
        settled_at=settled_at,
        replied=replied,
        time_to_reply=waited if replied else None,
        purchased=purchased,
        currency=currency,
        revenue_minor=revenue,
        refunded_minor=refunded,
        currencies_differ=differ,
        performance=performance,
    )


def _paid(facts: MessageFacts) -> tuple[Money | None, bool]:
    """What was paid in the currency of the first payment, and whether another one was left out.

    A message is bought once: of several purchases that name it the earliest counts.
    """
    named = _in_order(facts.purchases)[:1]
    amounts = [
        amount
        for one in _in_order((*named, *facts.following))
        if (amount := one.amount or facts.price) is not None
    ]
    if not amounts:
        return None, False
    currency = amounts[0].currency
    whole = sum(one.minor for one in amounts if one.currency == currency)
    return Money(whole, currency), any(one.currency != currency for one in amounts)


def _in_order(payments: Sequence[Payment]) -> list[Payment]:
    return sorted({one.key: one for one in payments}.values(), key=lambda one: (one.at, one.key))
