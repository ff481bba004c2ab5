"""AI's messages beside people's, time saved and engagement, in words and figures."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from vaultcrm.domain.effects import Effect, EngagementChange, Side, Writer
from vaultcrm.domain.estimates import LEAST_FOR_MEAN, LEAST_FOR_SHARE, Estimate
from vaultcrm.domain.money import Money
from vaultcrm.domain.outcomes import ENGAGEMENT_PERIOD
from vaultcrm.domain.time_saved import LEAST_BY_HAND, LEAST_DECISIONS, SIZES, TimeSaved
from vaultcrm.entrypoints.web.dashboard.figures import duration
from vaultcrm.entrypoints.web.text import words

TOO_FEW = "not enough data yet"


@dataclass(frozen=True, slots=True)
class Cell:
    """One figure: what it is, its interval, and what it was counted from."""

    value: str
    interval: str = ""
    counted: str = ""

    @property
    def is_words(self) -> bool:
        return self.value == TOO_FEW


@dataclass(frozen=True, slots=True)
class Row:
    """One question about messages, answered for AI's and for people's; `answer` compares them."""

    name: str
    ai: Cell
    by_hand: Cell


@dataclass(frozen=True, slots=True)
class Person:
    """What drafts saved one person."""

    name: str
    saved: str
    counted: str
    loses: bool


@dataclass(frozen=True, slots=True)
class EffectView:
    """What the dashboard shows of AI's effect."""

    days: int
    has_messages: bool
    rows: tuple[Row, ...]
    people: tuple[Person, ...]
    saved: str
    saved_rests_on: str
    engagement: str
    engagement_rests_on: str


def effect_view(effect: Effect, names: Mapping[UUID, str]) -> EffectView:
    """The effect as it is shown; `names` are of those whose time is told."""
    ai, by_hand = effect.sides[Writer.AI], effect.sides[Writer.PEOPLE]
    currencies = sorted({*ai.revenue_minor, *by_hand.revenue_minor})
    rows = [
        Row("Fans who answered", _answers(ai), _answers(by_hand)),
        Row("Offers bought", _offers(ai), _offers(by_hand)),
        *(
            Row(f"Revenue a message, {one}", _revenue(ai, one), _revenue(by_hand, one))
            for one in currencies or ["USD"]
        ),
    ]
    return EffectView(
        days=(effect.period.end - effect.period.start).days,
        has_messages=bool(ai.messages or by_hand.messages),
        rows=tuple(rows),
        people=tuple(_person(one, names) for one in effect.time_saved),
        saved=_saved(effect),
        saved_rests_on=_rests_on(effect.median_by_hand_seconds),
        engagement=_engagement(effect.engagement),
        engagement_rests_on=_engagement_rests_on(effect.engagement),
    )


def _answers(side: Side) -> Cell:
    return _share(side.reply_rate, f"{side.replied:,} of {side.messages:,} messages")


def _offers(side: Side) -> Cell:
    return _share(side.conversion, f"{side.bought:,} of {side.offers:,} with a price")


def _share(of: Estimate | None, counted: str) -> Cell:
    if of is None:
        return Cell(TOO_FEW, f"({LEAST_FOR_SHARE} are needed)", counted)
    return Cell(f"{100 * of.value:.0f} %", f"{100 * of.low:.0f} to {100 * of.high:.0f} %", counted)


def _revenue(side: Side, currency: str) -> Cell:
    whole = Money(side.revenue_minor.get(currency, 0), currency)
    counted = f"{whole} in {words.phrases.count(side.messages, 'message')}"
    if side.messages < LEAST_FOR_MEAN:
        return Cell(TOO_FEW, f"({LEAST_FOR_MEAN} are needed)", counted)
    mean = side.revenue_per_message.get(currency)
    if mean is None:
        return Cell(str(whole), "", counted)
    value, low, high = (Money(round(one), currency) for one in (mean.value, mean.low, mean.high))
    return Cell(str(value), f"{low} to {high}", counted)


def _person(one: TimeSaved, names: Mapping[UUID, str]) -> Person:
    name = names.get(one.user_id, "Somebody who is gone")
    counted = words.phrases.count(one.decisions, "decision")
    if one.uncompared:
        counted += f", {one.uncompared:,} more not comparable"
    if one.seconds is None:
        return Person(name, TOO_FEW, counted, loses=False)
    return Person(name, _signed(one.seconds), counted, loses=one.seconds < 0)


def _signed(seconds: float) -> str:
    return duration(seconds) if seconds >= 0 else f"−{duration(-seconds)}"


def _saved(effect: Effect) -> str:
    saved = effect.seconds_saved
    if saved is None:
        return "Not enough data yet to tell what drafts save."
    if saved < 0:
        return f"Drafts cost {duration(-saved)} more than writing by hand would have taken."
    return f"Drafts saved about {duration(saved)} of people's time."


_SIZES = (
    f"for up to {SIZES[0]} characters",
    f"for up to {SIZES[1]}",
    f"for more than {SIZES[1]}",
)


def _rests_on(medians: Mapping[int, float]) -> str:
    if not medians:
        return (
            f"It is told once {LEAST_BY_HAND} messages of about one length were written by hand, "
            f"and somebody has decided on {LEAST_DECISIONS} drafts."
        )
    told = ", ".join(f"{duration(took)} {_SIZES[size]}" for size, took in medians.items())
    return (
        f"By hand, half of the messages took no longer than {told}. A draft saves that, less the "
        "time until the decision; rejected drafts only cost. Time is from what the same person did "
        "before; more than 10 minutes is a break."
    )


def _engagement(change: EngagementChange) -> str:
    if change.change is None or change.before_per_day is None or change.after_per_day is None:
        return "Not enough data yet to tell whether fans write more."
    of = change.change
    told = f"{change.before_per_day:.2f} messages a day before, {change.after_per_day:.2f} after"
    if of.low > 0:
        return f"Fans write more: {told}."
    if of.high < 0:
        return f"Fans write less: {told}."
    return f"No change can be told from chance: {told}."


def _engagement_rests_on(change: EngagementChange) -> str:
    days = ENGAGEMENT_PERIOD.days
    text = (
        f"A fan's messages in the {days} days before and after the first AI message of their "
        f"conversation, over {words.phrases.count(change.conversations, 'conversation')}"
    )
    if change.too_new:
        text += f"; {change.too_new:,} were too new to have a before"
    if change.change is None:
        return f"{text}. It takes {LEAST_FOR_MEAN}."
    of = change.change
    return (
        f"{text}. The change a day lies between {of.low:+.2f} and {of.high:+.2f}; fans may have "
        "changed for other reasons."
    )
