"""Figures about A/B tests, each over many seeded worlds, with the target that it has to reach."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Literal

import numpy as np

from evals.experiments.worlds import World, play, sums_by_day
from vaultcrm.domain.experiments import Guardrail, Metric
from vaultcrm.pipeline.experiments.comparing import Sums, differences, worse_than_allowed
from vaultcrm.pipeline.experiments.policies import Group, PolicyValue, policy_value
from vaultcrm.pipeline.experiments.ratio import shared_out_wrong
from vaultcrm.pipeline.experiments.thompson import thompson_shares

SEED = 20_261_123
A, B = "A", "B"
LIMIT = 0.05

REPLIES = World()
PURCHASES = World("purchase", rate=0.04, likeness=0.05, messages_a_day=1.0)
MONEY = World("revenue", rate=0.08, likeness=0.05, messages_a_day=1.0)
METRICS = {
    "reply": Metric.REPLY_RATE,
    "purchase": Metric.PURCHASE_RATE,
    "revenue": Metric.REVENUE,
}


@dataclass(frozen=True)
class Figure:
    """One figure. `at_most` and `at_least` are its targets; without one it is told and no more."""

    name: str
    value: float
    told: str
    at_most: float | None = None
    at_least: float | None = None

    def misses(self, slack: float = 0.0) -> bool:
        """Whether it is beyond its target by more than `slack`."""
        return (self.at_most is not None and self.value > self.at_most + slack) or (
            self.at_least is not None and self.value < self.at_least - slack
        )


def measure(*, worlds: int = 1_000, seed: int = SEED) -> Iterator[Figure]:
    """Every figure. `worlds` is how many A/A tests there are; the others take a part of that."""
    some = max(40, worlds // 10)
    yield _false_alarms(worlds, seed)
    yield from _power(some, seed + 1)
    yield _false_alarms_of_three(some, seed + 2)
    yield _shared_out_anew(some, seed + 3)
    yield from _guardrails(some, seed + 4)
    yield from _ratios(worlds, seed + 5)
    yield from _policies(some, seed + 6)


def _halves(rng: np.random.Generator, fans: int) -> np.ndarray:
    return rng.random(fans) < 0.5


def _first_day(days: Iterator[bool]) -> int | None:
    """The first day on which something is so, counted from 1."""
    return next((day for day, so in enumerate(days, start=1) if so), None)


def _false_alarms(worlds: int, seed: int) -> Figure:
    rng = np.random.default_rng(seed)
    kinds = [REPLIES, PURCHASES, MONEY]
    alarms = {world.kind: 0 for world in kinds}
    played = {world.kind: 0 for world in kinds}
    for number in range(worlds):
        world = kinds[number % 3]
        course, in_b = play(world, rng), _halves(rng, world.fans)
        looks = zip(sums_by_day(course, ~in_b), sums_by_day(course, in_b), strict=True)
        metric = METRICS[world.kind]
        played[world.kind] += 1
        alarms[world.kind] += _first_day(_decided(metric, looks)) is not None
    each = ", ".join(f"{kind} {alarms[kind]} of {played[kind]}" for kind in alarms)
    share = sum(alarms.values()) / worlds
    told = f"{share:.1%} of {worlds:,} ({each})"
    return Figure("A/A, 60 daily looks: false alarms", share, told, at_most=0.05)


def _decided(metric: Metric, looks: Iterator[tuple[Sums, ...]]) -> Iterator[bool]:
    for sums in looks:
        by_variant = dict(zip("ABCDEF", sums, strict=False))
        found = differences(metric, by_variant, A, len(by_variant) - 1)
        yield any(one.low > 0 or one.high < 0 for one in found)


def _power(worlds: int, seed: int) -> Iterator[Figure]:
    rng = np.random.default_rng(seed)
    world = replace(REPLIES, fans=1_000, likeness=0.03)
    for effect in (0.05, 0.1):
        days = []
        for _ in range(worlds // 3):
            in_b = _halves(rng, world.fans)
            course = play(world, rng, np.where(in_b, effect, 0.0))
            looks = zip(sums_by_day(course, ~in_b), sums_by_day(course, in_b), strict=True)
            days.append(_first_day(_decided(Metric.REPLY_RATE, looks)))
        found = [day for day in days if day is not None]
        share = len(found) / len(days)
        when = f", half of them by day {median(found):.0f}" if found else ""
        told = f"{share:.1%} of {len(days)}{when}"
        name = f"B better by {effect * 100:.0f} points, 1,000 fans: found in 60 days"
        yield Figure(name, share, told, at_least=0.9 if effect >= 0.1 else None)


def _false_alarms_of_three(worlds: int, seed: int) -> Figure:
    rng = np.random.default_rng(seed)
    alarms = 0
    for _ in range(worlds):
        course, which = play(REPLIES, rng), rng.integers(0, 3, REPLIES.fans)
        looks = zip(*(sums_by_day(course, which == one, 1 / 3) for one in range(3)), strict=True)
        alarms += _first_day(_decided(Metric.REPLY_RATE, looks)) is not None
    share = alarms / worlds
    return Figure("A/A/A: false alarms", share, f"{share:.1%} of {worlds}", at_most=0.05)


def _shared_out_anew(worlds: int, seed: int) -> Figure:
    """A/A with Thompson allocation: shares follow what was seen, and fans keep what they got."""
    rng = np.random.default_rng(seed)
    alarms = 0
    for number in range(worlds):
        course = play(REPLIES, rng)
        in_b = np.zeros(REPLIES.fans, dtype=bool)
        propensity = np.ones(REPLIES.fans)
        share_of_b, found = 0.5, False
        for day in range(REPLIES.days):
            new = course.arrived == day
            in_b[new] = rng.random(new.sum()) < share_of_b
            propensity[new] = np.where(in_b[new], share_of_b, 1 - share_of_b)
            today = replace(course, n=course.n[:, [day]], y=course.y[:, [day]])
            today = replace(today, squares=course.squares[:, [day]])
            by_variant = {
                A: sums_by_day(today, ~in_b, propensity)[0],
                B: sums_by_day(today, in_b, propensity)[0],
            }
            found = found or any(
                one.low > 0 or one.high < 0
                for one in differences(Metric.REPLY_RATE, by_variant, A, 1)
            )
            shares = thompson_shares(by_variant, f"{seed}/{number}/{day}")
            share_of_b = shares[B] if shares else share_of_b
        alarms += found
    share = alarms / worlds
    name = "A/A shared out anew each day (Thompson): false alarms"
    return Figure(name, share, f"{share:.1%} of {worlds}", at_most=0.05)


def _guardrails(worlds: int, seed: int) -> Iterator[Figure]:
    rng = np.random.default_rng(seed)
    world = replace(REPLIES, rate=0.05, likeness=0.05)
    for worse, at_most, at_least in ((0.0, 0.05, None), (LIMIT, 0.05, None), (0.2, None, 0.9)):
        stopped = 0
        for _ in range(worlds // 2):
            in_b = _halves(rng, world.fans)
            courses = [play(world, rng, np.where(in_b, worse, 0.0)) for _ in Guardrail]
            stopped += _first_day(_stopped(courses, in_b)) is not None
        share = stopped / (worlds // 2)
        what = (
            "no worse"
            if not worse
            else f"worse by {worse * 100:.0f} points, limit {LIMIT * 100:.0f}"
        )
        told = f"{share:.1%} of {worlds // 2}"
        yield Figure(f"Guardrails, B {what}: stopped", share, told, at_most, at_least)


def _stopped(courses: Sequence[object], in_b: np.ndarray) -> Iterator[bool]:
    by_day = [
        zip(sums_by_day(course, ~in_b), sums_by_day(course, in_b), strict=True)  # type: ignore[arg-type]
        for course in courses
    ]
    limits = dict.fromkeys(Guardrail, LIMIT)
    for today in zip(*by_day, strict=True):
        sums = {
            one: {A: in_a, B: other} for one, (in_a, other) in zip(Guardrail, today, strict=True)
        }
        yield bool(worse_than_allowed(sums, limits))


def _ratios(worlds: int, seed: int) -> Iterator[Figure]:
    rng = np.random.default_rng(seed)
    shares: Mapping[str, float] = {A: 0.5, B: 0.5}
    for truth, at_most, at_least in ((0.5, 0.01, None), (0.42, None, 0.8)):
        alarms = 0
        for _ in range(worlds):
            of_b = rng.binomial(20, truth, 60).cumsum()
            alarms += any(
                shared_out_wrong([(shares, {A: 20 * day - int(got), B: int(got)})])
                for day, got in enumerate(of_b, start=1)
            )
        share = alarms / worlds
        what = "as meant" if truth == 0.5 else f"{1 - truth:.0%} to {truth:.0%} for half and half"
        told = f"{share:.1%} of {worlds:,}"
        yield Figure(f"Fans shared out {what}: alarm in 60 days", share, told, at_most, at_least)


TIERS = ("low", "whale")
TRUTH = {("low", A): 0.35, ("low", B): 0.45, ("whale", A): 0.6, ("whale", B): 0.4}
POLICIES = (
    ("everybody gets B", {"low": B, "whale": B}),
    ("whales get A, others B", {"low": B, "whale": A}),
)
WHALES = 0.3
OF_B = 0.3


def _policies(worlds: int, seed: int) -> Iterator[Figure]:
    """How often the interval holds the truth on every one of 60 days, and how wide it is."""
    rng = np.random.default_rng(seed)
    methods: tuple[Literal["ips", "dr"], ...] = ("ips", "dr")
    asked = [(method, *one) for method in methods for one in POLICIES]
    held = dict.fromkeys(range(len(asked)), 0)
    widths: dict[int, list[float]] = {number: [] for number in held}
    for _ in range(worlds):
        by_day = _groups_by_day(rng)
        for number, (method, _, policy) in enumerate(asked):
            shares = {1: {A: 1 - OF_B, B: OF_B}}
            values = (policy_value(groups, policy, shares, method) for groups in by_day)
            found = [value for value in values if isinstance(value, PolicyValue)]
            truth = _truth(policy)
            held[number] += all(one.low <= truth <= one.high for one in found)
            widths[number].append(found[-1].high - found[-1].low)
    for number, (method, told, _) in enumerate(asked):
        share = held[number] / worlds
        wide = f"{median(widths[number]) * 100:.1f} points wide at last"
        name = f"{method.upper()}, {told}: interval holds the truth on all days"
        yield Figure(name, share, f"{share:.1%} of {worlds}, {wide}", at_least=0.95)


def _truth(policy: Mapping[str, str]) -> float:
    of_whales, of_others = TRUTH["whale", policy["whale"]], TRUTH["low", policy["low"]]
    return WHALES * of_whales + (1 - WHALES) * of_others


def _groups_by_day(rng: np.random.Generator) -> list[list[Group]]:
    world = replace(REPLIES, rate=0.5, likeness=0.05, fans=600, there_at_once=1.0)
    whale, in_b = rng.random(world.fans) < WHALES, rng.random(world.fans) < OF_B
    rates = np.select(
        [whale & in_b, whale, in_b],
        [TRUTH["whale", B], TRUTH["whale", A], TRUTH["low", B]],
        TRUTH["low", A],
    )
    course = play(world, rng, rates - world.rate)
    by_day: list[list[Group]] = [[] for _ in range(world.days)]
    for tier, members in (("low", ~whale), ("whale", whale)):
        for name, chosen, share in ((A, ~in_b, 1 - OF_B), (B, in_b, OF_B)):
            for day, sums in enumerate(sums_by_day(course, members & chosen, share)):
                by_day[day].append(Group(1, tier, name, sums))
    return by_day
