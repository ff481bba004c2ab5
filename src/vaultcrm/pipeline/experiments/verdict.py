"""What a test has come to, in a sentence that says what to do next."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from vaultcrm.domain.experiments import Metric
from vaultcrm.domain.money import Money
from vaultcrm.pipeline.experiments.comparing import FEWEST_FANS, FEWEST_MESSAGES, Difference, Sums

MOST_DAYS = 365
NAMES = {
    Metric.REPLY_RATE: "answered messages",
    Metric.PURCHASE_RATE: "bought messages",
    Metric.REVENUE: "revenue a message",
    Metric.APPROVED_UNCHANGED: "drafts sent unchanged",
}


class Outcome(StrEnum):
    """`MISTRUST`: the figures cannot be taken for anything. `TOO_FEW`: there is nothing to tell
    yet. `OPEN`: it is not decided. `NO_DIFFERENCE`: none that matters. `BETTER`: one variant is
    better than the first for certain. `WORSE`: every other one is worse than the first.
    """

    MISTRUST = "mistrust"
    TOO_FEW = "too_few"
    OPEN = "open"
    NO_DIFFERENCE = "no_difference"
    BETTER = "better"
    WORSE = "worse"


@dataclass(frozen=True, slots=True)
class Judged:
    """`winner` is the variant to keep, where there is one. `days` is how long it may still take."""

    outcome: Outcome
    sentence: str
    winner: str | None = None
    days: int | None = None

    @property
    def may_stop(self) -> bool:
        return self.outcome in {Outcome.BETTER, Outcome.WORSE, Outcome.NO_DIFFERENCE}


@dataclass(frozen=True, slots=True)
class Figures:
    """What a verdict is made of: the sums by variant, the differences from `baseline`, how many
    days the test has run, and why it cannot be trusted, if it cannot.
    """

    metric: Metric
    effect: float
    baseline: str
    sums: Sequence[tuple[str, Sums]]
    differences: Sequence[Difference]
    days: float
    currency: str = "USD"
    mistrust: str = ""


def judge(figures: Figures) -> Judged:
    """The verdict. Whatever says that somebody may stop holds however often it was looked at."""
    if figures.mistrust:
        return Judged(Outcome.MISTRUST, figures.mistrust)
    others = [name for name, _ in figures.sums if name != figures.baseline]
    if len(figures.differences) < len(others) or not others:
        return _too_few(figures)
    better = [one for one in figures.differences if one.low > 0]
    if better:
        best = max(better, key=lambda one: one.estimate)
        size = _between(figures, best.low, best.high)
        return Judged(
            Outcome.BETTER,
            f"{best.variant} is better than {best.baseline} by {size} of "
            f"{NAMES[figures.metric]}; you may stop.",
            winner=best.variant,
        )
    if all(one.high < 0 for one in figures.differences):
        told = " and ".join(
            f"{one.variant} is worse by {_between(figures, -one.high, -one.low)}"
            for one in figures.differences
        )
        return Judged(
            Outcome.WORSE,
            f"{told} of {NAMES[figures.metric]} than {figures.baseline}; you may stop.",
            winner=figures.baseline,
        )
    effect = figures.effect
    if all(one.low > -effect and one.high < effect for one in figures.differences):
        largest = max(max(-one.low, one.high) for one in figures.differences)
        return Judged(
            Outcome.NO_DIFFERENCE,
            f"There can be no difference larger than {_sized(figures)(largest)} of "
            f"{NAMES[figures.metric]}, less than the {_sized(figures)(effect)} that matter here; "
            "you may stop.",
        )
    return _undecided(figures)


def _undecided(figures: Figures) -> Judged:
    widest = max(figures.differences, key=lambda one: one.reaches)
    sized = _sized(figures)
    lower = f"{sized(-widest.low)} worse" if widest.low < 0 else f"{sized(widest.low)} better"
    upper = f"{sized(widest.high)} better" if widest.high > 0 else f"{sized(-widest.high)} worse"
    days = _days_left(figures, widest.reaches)
    return Judged(
        Outcome.OPEN,
        f"Not decided: {widest.variant} may be anything from {lower} to {upper} than "
        f"{widest.baseline} in {NAMES[figures.metric]}. {_waiting(days)}",
        days=days,
    )


def _too_few(figures: Figures) -> Judged:
    """How long until the variant that has least has enough, as fast as fans came so far."""
    fans, messages = (
        min((one.fans for _, one in figures.sums), default=0),
        min((one.n for _, one in figures.sums), default=0.0),
    )
    told = (
        f"Not enough data yet: each variant needs {FEWEST_FANS} fans and {FEWEST_MESSAGES} "
        f"messages whose outcome is known; the smallest has {fans:,} and {messages:,.0f}."
    )
    if not messages or not fans or figures.days < 1:
        return Judged(Outcome.TOO_FEW, told)
    lacking = max(FEWEST_FANS / fans, FEWEST_MESSAGES / messages)
    days = math.ceil(figures.days * (lacking - 1))
    if not 0 < days <= MOST_DAYS:
        return Judged(Outcome.TOO_FEW, told)
    return Judged(Outcome.TOO_FEW, f"{told} About {_told_days(days)} more.", days=days)


def _days_left(figures: Figures, reaches: float) -> int | None:
    """The width shrinks with the root of the time, as long as as many messages come a day."""
    if figures.days < 1 or reaches <= figures.effect:
        return None
    days = math.ceil(figures.days * ((reaches / figures.effect) ** 2 - 1))
    return days if days <= MOST_DAYS else None


def _waiting(days: int | None) -> str:
    return f"About {_told_days(days)} more." if days else "Let it run on."


def _told_days(days: int) -> str:
    return "1 day" if days == 1 else f"{days} days"


def _sized(figures: Figures) -> Callable[[float], str]:
    """An amount of the metric in words: points of a share, or money."""
    if figures.metric is Metric.REVENUE:
        return lambda value: str(Money(round(value), figures.currency))
    return lambda value: f"{value * 100:.1f} points"


def _between(figures: Figures, low: float, high: float) -> str:
    if figures.metric is Metric.REVENUE:
        sized = _sized(figures)
        return f"{sized(low)} to {sized(high)}"
    return f"{low * 100:.1f} to {high * 100:.1f} points"
