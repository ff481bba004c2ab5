"""What AI changes: its messages beside those that people wrote, time saved, and engagement.

None of it is an experiment: which messages AI drafts, and which drafts people let go, was chosen.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from vaultcrm.domain.conversation import Author
from vaultcrm.domain.estimates import LEAST_FOR_MEAN, Estimate, mean_of, share_of
from vaultcrm.domain.metrics import Period
from vaultcrm.domain.outcomes import ENGAGEMENT_PERIOD
from vaultcrm.domain.time_saved import TimeSaved


class Writer(StrEnum):
    """`AI`: drafts that went out, edited or not. `PEOPLE`: what chatters wrote themselves."""

    AI = "ai"
    PEOPLE = "people"


WRITERS: Mapping[Author, Writer] = {
    Author.AI_APPROVED: Writer.AI,
    Author.AI_AUTOMATIC: Writer.AI,
    Author.CHATTER: Writer.PEOPLE,
}
"""Whose messages are compared. Of imported ones nobody knows who wrote them."""

SQUARES_UNIT = 100
"""Sums of squares are kept in hundreds."""


@dataclass(frozen=True, slots=True)
class OutcomeTally:
    """Messages of one author and what came of them. `currency` is empty where nothing was paid,
    `offers` had a price; `squares` is the sum of the squares of the revenues, in hundreds.
    """

    author: Author
    currency: str
    messages: int
    replied: int
    offers: int
    bought: int
    revenue_minor: int
    squares: int
    refunded_minor: int


@dataclass(frozen=True, slots=True)
class EngagementTally:
    """Conversations in which the weeks after the first AI message are over, with how many messages
    fans wrote in the weeks before it and in those after; `squares` is of the differences.

    `is_compared` is False where the conversation was too new to have had the weeks before.
    """

    is_compared: bool
    conversations: int
    before: int
    after: int
    squares: int


@dataclass(frozen=True, slots=True)
class Side:
    """Messages of one kind of writer, with what came of them.

    Shares and means are None, or left out, while there are too few. `conversion` is of those that
    had a price, `revenue_per_message` of all, in minor units by currency, less refunds.
    """

    messages: int
    replied: int
    offers: int
    bought: int
    revenue_minor: Mapping[str, int]
    reply_rate: Estimate | None
    conversion: Estimate | None
    revenue_per_message: Mapping[str, Estimate]


@dataclass(frozen=True, slots=True)
class EngagementChange:
    """Messages a day that a fan wrote before the first AI message of a conversation and after it.

    `change` is the mean of the differences by conversation, None while there are too few of these.
    `too_new` conversations had no weeks before to compare with.
    """

    conversations: int
    too_new: int
    before_per_day: float | None
    after_per_day: float | None
    change: Estimate | None


@dataclass(frozen=True, slots=True)
class Effect:
    """`messages` is the period in which compared messages were sent: all had their time to be
    answered. `period` is that of decisions and of conversations that came to be compared.
    """

    period: Period
    messages: Period
    sides: Mapping[Writer, Side]
    time_saved: tuple[TimeSaved, ...]
    median_by_hand_seconds: Mapping[int, float]
    engagement: EngagementChange

    @property
    def seconds_saved(self) -> float | None:
        """Of everybody together; None while of nobody there is enough to tell."""
        known = [one.seconds for one in self.time_saved if one.seconds is not None]
        return sum(known) if known else None


def sides_of(tallies: Iterable[OutcomeTally]) -> Mapping[Writer, Side]:
    """Both sides of the comparison."""
    found: dict[Writer, list[OutcomeTally]] = {writer: [] for writer in Writer}
    for tally in tallies:
        writer = WRITERS.get(tally.author)
        if writer is not None:
            found[writer].append(tally)
    return {writer: _side(each) for writer, each in found.items()}


def _side(tallies: Sequence[OutcomeTally]) -> Side:
    messages = sum(one.messages for one in tallies)
    replied = sum(one.replied for one in tallies)
    offers = sum(one.offers for one in tallies)
    bought = sum(one.bought for one in tallies)
    revenue: dict[str, int] = {}
    squares: dict[str, int] = {}
    for one in tallies:
        if one.currency:
            revenue[one.currency] = revenue.get(one.currency, 0) + one.revenue_minor
            squares[one.currency] = squares.get(one.currency, 0) + one.squares * SQUARES_UNIT
    means = {
        currency: mean_of(messages, revenue[currency], squares[currency], least=0)
        for currency in sorted(revenue)
    }
    return Side(
        messages=messages,
        replied=replied,
        offers=offers,
        bought=bought,
        revenue_minor={currency: revenue[currency] for currency in sorted(revenue)},
        reply_rate=share_of(replied, messages),
        conversion=share_of(bought, offers),
        revenue_per_message={c: mean for c, mean in means.items() if mean is not None},
    )


def engagement_change(tallies: Iterable[EngagementTally]) -> EngagementChange:
    """What the conversations of a period come to."""
    conversations = too_new = before = after = squares = 0
    for one in tallies:
        if not one.is_compared:
            too_new += one.conversations
            continue
        conversations += one.conversations
        before += one.before
        after += one.after
        squares += one.squares
    if conversations < LEAST_FOR_MEAN:
        return EngagementChange(conversations, too_new, None, None, None)
    days = ENGAGEMENT_PERIOD.days
    change = mean_of(conversations, (after - before) / days, squares / days**2)
    whole = conversations * days
    return EngagementChange(conversations, too_new, before / whole, after / whole, change)
