"""What the figures of a test say, from sums whose truth is known."""

import math
from dataclasses import replace
from random import Random

import pytest

from vaultcrm.domain.experiments import Guardrail, Metric
from vaultcrm.pipeline.experiments.comparing import (
    Sums,
    differences,
    interval,
    pooled,
    summed,
    worse_than_allowed,
)
from vaultcrm.pipeline.experiments.policies import Group, NoAnswer, PolicyValue, policy_value
from vaultcrm.pipeline.experiments.ratio import shared_out_wrong
from vaultcrm.pipeline.experiments.sequences import effective_observations, one_sided, two_sided
from vaultcrm.pipeline.experiments.thompson import LEAST_SHARE, thompson_shares
from vaultcrm.pipeline.experiments.verdict import Figures, Judged, Outcome, judge


def of_fans(fans: list[tuple[int, int]], propensity: float = 0.5) -> Sums:
    """The sums over fans with so many messages and replies."""
    w = 1 / propensity
    return summed(
        Sums(1, n, y, y, n * n, w * n, w * y, w * n * n, w * n * y, w * w * n * n, w * w * n * y,
             w * w * y * y)
        for n, y in fans
    )  # fmt: skip


def group(fans: int, rate: float, *, messages: int = 10, seed: int = 0) -> Sums:
    """Fans who each answer a message with a probability near this."""
    random = Random(seed)  # noqa: S311 -- fans, no secret
    return of_fans(
        [(messages, sum(random.random() < rate for _ in range(messages))) for _ in range(fans)]
    )


def judged(a: Sums, b: Sums, *, days: float = 20, metric: Metric = Metric.REPLY_RATE) -> Judged:
    sums = {"A": a, "B": b}
    return judge(
        Figures(
            metric=metric,
            effect=0.03,
            baseline="A",
            sums=list(sums.items()),
            differences=differences(metric, sums, "A", 1),
            days=days,
        )
    )


def test_the_factor_is_that_of_the_normal_mixture() -> None:
    """Worked out by hand from the formula: t r^2 = 7.9415 at the tuned time, alpha = .05."""
    x = -2 * math.log(0.05) + math.log(1 - 2 * math.log(0.05))
    expected = math.sqrt(2 * (x + 1) / x * math.log(math.sqrt(x + 1) / 0.05))
    assert two_sided(2_000, 0.05) == pytest.approx(expected)
    assert expected == pytest.approx(3.036, abs=0.001)


def test_an_interval_that_may_be_looked_at_every_day_is_wider_than_one_for_a_single_look() -> None:
    for t in (50, 500, 5_000, 500_000):
        assert two_sided(t, 0.05) > 2.9
        assert 2.4 < one_sided(t, 0.05) < two_sided(t, 0.05)
    assert two_sided(50, 0.05) > two_sided(500, 0.05), "little is known, and so little is said"


def test_messages_to_one_fan_say_less_than_as_many_to_different_fans() -> None:
    alike = of_fans([(20, 20), (20, 0)] * 50)
    apart = of_fans([(1, 1), (1, 0)] * 1_000)
    assert alike.value == apart.value == 0.5
    assert alike.variance > 15 * apart.variance
    assert effective_observations(alike.variance, 0.25 / 2_000, 2_000) == pytest.approx(99, abs=2)


def test_a_real_difference_is_told_with_its_size_and_no_difference_with_its_bound() -> None:
    found = judged(group(1_500, 0.4, seed=1), group(1_500, 0.5, seed=2))
    assert (found.outcome, found.winner, found.may_stop) == (Outcome.BETTER, "B", True)
    assert "B is better than A by " in found.sentence
    assert found.sentence.endswith(" points of answered messages; you may stop.")

    worse = judged(group(1_500, 0.5, seed=1), group(1_500, 0.4, seed=2))
    assert (worse.outcome, worse.winner) == (Outcome.WORSE, "A")

    same = judged(group(4_000, 0.4, seed=3), group(4_000, 0.4, seed=4))
    assert same.outcome is Outcome.NO_DIFFERENCE
    assert "no difference larger than" in same.sentence


def test_where_it_is_open_the_sentence_says_what_is_possible_and_how_long_it_may_take() -> None:
    found = judged(group(200, 0.40, seed=5), group(200, 0.41, seed=6))
    assert (found.outcome, found.may_stop) == (Outcome.OPEN, False)
    assert found.days is not None
    assert found.days > 20
    assert f"About {found.days} days more." in found.sentence


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (Sums(), Sums()),
        (of_fans([(3, 1)]), Sums()),
        (group(29, 0.4), group(500, 0.4)),
        (group(200, 0.0), group(200, 0.0)),
        (group(200, 1.0), group(200, 1.0)),
    ],
)
def test_with_too_little_to_go_by_nothing_is_said_but_that(a: Sums, b: Sums) -> None:
    found = judged(a, b)
    assert found.outcome is Outcome.TOO_FEW
    assert found.sentence.startswith("Not enough data yet")


def test_what_cannot_be_trusted_is_not_told_as_a_result() -> None:
    figures = Figures(Metric.REVENUE, 50, "A", [], [], 3, mistrust="Do not trust this.")
    assert judge(figures) == Judged(Outcome.MISTRUST, "Do not trust this.")


def test_several_variants_get_wider_intervals_than_one() -> None:
    sums = {name: group(300, 0.4, seed=seed) for seed, name in enumerate("ABC")}
    [alone] = differences(Metric.REPLY_RATE, {one: sums[one] for one in "AB"}, "A", 1)
    together, _ = differences(Metric.REPLY_RATE, sums, "A", 2)
    assert together.reaches > alone.reaches
    assert together.estimate == alone.estimate


def test_a_variant_is_stopped_when_it_is_worse_by_more_than_its_limit_for_certain() -> None:
    limits = dict.fromkeys(Guardrail, 0.05)
    good, bad = group(300, 0.05, seed=1), group(300, 0.3, seed=2)
    quiet = {one: {"A": good, "B": good} for one in Guardrail}
    assert worse_than_allowed(quiet, limits) == ()
    [stopped] = worse_than_allowed(quiet | {Guardrail.REJECTIONS: {"A": good, "B": bad}}, limits)
    assert (stopped.variant, stopped.guardrail) == ("B", Guardrail.REJECTIONS)
    assert 0.05 < stopped.at_least < stopped.value - stopped.others
    wide = dict.fromkeys(Guardrail, 0.3)
    assert worse_than_allowed({Guardrail.REJECTIONS: {"A": good, "B": bad}}, wide) == ()


def test_fans_that_are_not_shared_out_as_meant_are_noticed() -> None:
    halves = {"A": 0.5, "B": 0.5}
    assert not shared_out_wrong([(halves, {"A": 510, "B": 490})])
    assert shared_out_wrong([(halves, {"A": 600, "B": 400})])
    assert shared_out_wrong([({"A": 1.0}, {"A": 10, "B": 1})]), "nobody was to get B"
    some = (halves, {"A": 560, "B": 460})
    assert not shared_out_wrong([some])
    assert shared_out_wrong([some] * 4), "what is known of several times adds up"


def test_the_better_a_variant_does_the_more_fans_get_it_and_none_is_left_without() -> None:
    known = {"A": group(200, 0.4, seed=1), "B": group(200, 0.55, seed=2)}
    shares = thompson_shares(known, "a seed")
    assert shares is not None
    assert shares == thompson_shares(known, "a seed")
    assert shares["B"] > 0.8
    assert shares["A"] >= LEAST_SHARE
    assert sum(shares.values()) == pytest.approx(1)
    assert thompson_shares({"A": known["A"], "B": Sums()}, "a seed") is None


TIERS = {"low": "B", "whale": "B"}


def grouped(**changes: Sums) -> list[Group]:
    rates = {"low A": 0.3, "low B": 0.4, "whale A": 0.6, "whale B": 0.5}
    found = []
    for seed, (name, rate) in enumerate(rates.items()):
        tier, variant = name.split(" ")
        sums = changes.get(f"{tier}_{variant}", group(150, rate, seed=seed))
        found.append(Group(1, tier, variant, sums))
    return found


@pytest.mark.parametrize("method", ["ips", "dr"])
def test_what_would_have_been_is_estimated_from_those_who_got_it(method: str) -> None:
    shares = {1: {"A": 0.5, "B": 0.5}}
    found = policy_value(grouped(), TIERS, shares, method)  # type: ignore[arg-type]
    assert isinstance(found, PolicyValue)
    assert found.low < 0.45 < found.high
    assert found.estimate == pytest.approx(0.45, abs=0.03)
    best = {"low": "B", "whale": "A"}
    better = policy_value(grouped(), best, shares, method)  # type: ignore[arg-type]
    assert isinstance(better, PolicyValue)
    assert better.estimate > found.estimate


def test_nothing_is_estimated_of_what_nobody_could_have_got() -> None:
    only_a = policy_value(grouped(), TIERS, {1: {"A": 1.0, "B": 0.0}}, "dr")
    assert isinstance(only_a, NoAnswer)
    assert "could have got B" in only_a.reason
    none_yet = policy_value(grouped(whale_B=Sums()), TIERS, {1: {"A": 0.5, "B": 0.5}}, "ips")
    assert isinstance(none_yet, NoAnswer)
    assert "whale has got B yet" in none_yet.reason


def test_the_interval_of_one_variant_holds_its_value_and_groups_add_up() -> None:
    whole = group(400, 0.4, seed=9)
    reach = interval(whole)
    assert reach is not None
    assert whole.value is not None
    assert reach[0] < whole.value < reach[1]
    assert interval(replace(whole, fans=3)) is None
    halves = pooled([("A", group(10, 0.4)), ("A", group(10, 0.4)), ("B", group(1, 0.4))])
    assert (halves["A"].fans, halves["B"].fans) == (20, 1)
