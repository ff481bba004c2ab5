"""From sums over fans to differences between variants, each with an interval that always holds.

What a variant comes to is a ratio of two sums over its fans, y (replies, say) over n (messages).
Fans are what was shared out, and messages to one fan are alike, so the variance is that of the
linearised ratio over fans (the cluster-robust one of survey sampling: Cochran, "Sampling
Techniques", 1977, chapter 6):

    R = sum w y / sum w n,   Var R = G / (G - 1) sum w^2 (y - R n)^2 / (sum w n)^2

with G fans who have any n, and w one over the probability with which the fan got the variant. With
fixed shares w drops out; with shares that change it keeps R what it would be had all fans got it.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from vaultcrm.domain.experiments import Guardrail, Metric
from vaultcrm.pipeline.experiments.sequences import effective_observations, one_sided, two_sided

ALPHA = 0.05
"""One test in twenty may say at some time that there is a difference where there is none."""
FEWEST_FANS = 30
FEWEST_MESSAGES = 100
FEWEST_EVENTS = 10
"""Of either kind, both variants together: before that a sum is far from normal."""

Measured = Metric | Guardrail
MEASURED: tuple[Measured, ...] = (*Metric, *Guardrail)
SHARES: frozenset[Measured] = frozenset(MEASURED) - {Metric.REVENUE}


@dataclass(frozen=True, slots=True)
class Sums:
    """Sums over the fans of a group: how many have any n, and their n and y, plain, squared and
    weighted by w. `events` is the sum of the squares of what each message brought, which for a
    share is y itself.
    """

    fans: int = 0
    n: float = 0.0
    y: float = 0.0
    events: float = 0.0
    nn: float = 0.0
    wn: float = 0.0
    wy: float = 0.0
    wnn: float = 0.0
    wny: float = 0.0
    wwnn: float = 0.0
    wwny: float = 0.0
    wwyy: float = 0.0

    def __add__(self, other: "Sums") -> "Sums":
        return Sums(
            self.fans + other.fans,
            self.n + other.n,
            self.y + other.y,
            self.events + other.events,
            self.nn + other.nn,
            self.wn + other.wn,
            self.wy + other.wy,
            self.wnn + other.wnn,
            self.wny + other.wny,
            self.wwnn + other.wwnn,
            self.wwny + other.wwny,
            self.wwyy + other.wwyy,
        )

    @property
    def value(self) -> float | None:
        """The ratio; None where nothing has happened yet."""
        return self.wy / self.wn if self.wn > 0 else None

    @property
    def per_message(self) -> float:
        """The variance of what one message brings."""
        return max(0.0, self.events / self.n - (self.y / self.n) ** 2) if self.n else 0.0

    @property
    def variance(self) -> float:
        """That of `value`, over fans."""
        if self.fans < 2 or self.wn <= 0:
            return math.inf
        ratio = self.wy / self.wn
        spread = self.wwyy - 2 * ratio * self.wwny + ratio * ratio * self.wwnn
        return max(0.0, spread) / self.wn**2 * self.fans / (self.fans - 1)


NOTHING = Sums()


def summed(some: Iterable[Sums]) -> Sums:
    return sum(some, NOTHING)


@dataclass(frozen=True, slots=True)
class Difference:
    """How much greater `variant` is than `baseline`: a confidence sequence, as it stands now."""

    variant: str
    baseline: str
    estimate: float
    low: float
    high: float

    @property
    def reaches(self) -> float:
        """Half the width of the interval."""
        return (self.high - self.low) / 2


def enough(measured: Measured, one: Sums, other: Sums) -> bool:
    """Whether anything may be said of a difference yet."""
    if min(one.fans, other.fans) < FEWEST_FANS or min(one.n, other.n) < FEWEST_MESSAGES:
        return False
    if measured not in SHARES:
        return one.events + other.events > 0
    happened = one.y + other.y
    return FEWEST_EVENTS <= happened <= one.n + other.n - FEWEST_EVENTS


def difference(
    measured: Measured, variant: tuple[str, Sums], baseline: tuple[str, Sums], alpha: float
) -> Difference | None:
    """The difference with its confidence sequence of 1 - alpha; None while there is too little."""
    (name, one), (other_name, other) = variant, baseline
    if not enough(measured, one, other):
        return None
    estimate, error, t = _estimated(one, other)
    reach = error * two_sided(t, alpha)
    return Difference(name, other_name, estimate, estimate - reach, estimate + reach)


def differences(
    measured: Measured, by_variant: Mapping[str, Sums], baseline: str, comparisons: int
) -> tuple[Difference, ...]:
    """Every variant against the baseline. With several of them each interval is wider, by
    Bonferroni's correction for `comparisons`, so that all of them hold together. Those are as many
    as the test began with: a variant that is taken out makes the others no surer.
    """
    others = [name for name in by_variant if name != baseline]
    alpha = ALPHA / max(1, comparisons)
    found = (
        difference(measured, (name, by_variant[name]), (baseline, by_variant[baseline]), alpha)
        for name in others
    )
    return tuple(one for one in found if one is not None)


@dataclass(frozen=True, slots=True)
class Worse:
    """A variant that is worse than the others together by more than it may be, for certain."""

    variant: str
    guardrail: Guardrail
    value: float
    others: float
    at_least: float


def worse_than_allowed(
    sums: Mapping[Guardrail, Mapping[str, Sums]], limits: Mapping[Guardrail, float]
) -> tuple[Worse, ...]:
    """Variants that a guardrail stops.

    Each is compared with all others together, by a one-sided confidence sequence. `ALPHA` is shared
    out among all of these comparisons, so that one test in twenty at most stops a variant that is
    within the limits.
    """
    found = []
    for guardrail, by_variant in sums.items():
        alpha = ALPHA / (len(sums) * max(1, len(by_variant)))
        for name, one in by_variant.items():
            rest = summed(other for each, other in by_variant.items() if each != name)
            if not enough(guardrail, one, rest):
                continue
            estimate, error, t = _estimated(one, rest)
            at_least = estimate - error * one_sided(t, alpha)
            if at_least > limits[guardrail]:
                found.append(Worse(name, guardrail, one.value or 0.0, rest.value or 0.0, at_least))
    return tuple(found)


def _estimated(one: Sums, other: Sums) -> tuple[float, float, float]:
    """The difference, its standard error, and the effective observations behind it.

    A variance is never taken for less than that of independent messages which are as varied as
    those of both together: a variant in which nothing happened yet would otherwise have none.
    """
    both = one + other
    floors = [both.per_message / each.n for each in (one, other)]
    variance = sum(
        max(each.variance, floor) for each, floor in zip((one, other), floors, strict=True)
    )
    t = effective_observations(variance, sum(floors), both.n)
    return (one.value or 0.0) - (other.value or 0.0), math.sqrt(variance), t


def interval(sums: Sums, alpha: float = ALPHA) -> tuple[float, float] | None:
    """What one variant comes to: its own confidence sequence; None while there is too little."""
    value = sums.value
    if value is None or sums.fans < FEWEST_FANS or sums.n < FEWEST_MESSAGES:
        return None
    floor = sums.per_message / sums.n
    variance = max(sums.variance, floor)
    reach = math.sqrt(variance) * two_sided(effective_observations(variance, floor, sums.n), alpha)
    return value - reach, value + reach


def pooled(groups: Sequence[tuple[str, Sums]]) -> dict[str, Sums]:
    """Groups of sums by variant put together."""
    found: dict[str, Sums] = {}
    for name, sums in groups:
        found[name] = found.get(name, NOTHING) + sums
    return found
