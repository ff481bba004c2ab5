"""The evaluation of A/B tests in its small form: seeded, and able to fail."""

import math
from dataclasses import replace

import numpy as np

from evals.experiments.measure import REPLIES, Figure, measure
from evals.experiments.report import failures, table
from evals.experiments.worlds import play, sums_by_day


def test_a_few_worlds_reach_every_target_and_the_same_seed_gives_the_same_figures() -> None:
    figures = list(measure(worlds=40, seed=3))
    assert failures(figures, small=True) == []
    assert "A/A, 60 daily looks: false alarms" in table(figures)
    assert next(measure(worlds=40, seed=3)) == figures[0]


def test_daily_looks_at_intervals_of_a_single_look_would_be_wrong_far_too_often() -> None:
    """What the product's intervals are there for, in the worlds of the evaluation."""
    rng = np.random.default_rng(3)
    wrong = 0
    for _ in range(60):
        course, in_b = play(REPLIES, rng), rng.random(REPLIES.fans) < 0.5
        looks = zip(sums_by_day(course, ~in_b), sums_by_day(course, in_b), strict=True)
        wrong += any(
            abs((a.value or 0) - (b.value or 0)) > 1.96 * math.sqrt(a.variance + b.variance)
            for a, b in looks
        )
    assert wrong / 60 > 0.15


def test_a_figure_beyond_its_target_is_told() -> None:
    figure = Figure("alarms", 0.06, "6 of 100", at_most=0.05)
    assert failures([figure]) == ["A/B tests: alarms: 6 of 100 (at most 5%)"]
    assert failures([figure], small=True) == []
    assert failures([replace(figure, value=0.05)]) == []
