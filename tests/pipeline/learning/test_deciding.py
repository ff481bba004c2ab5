"""What counts as found: sums against a hand calculation, e-values, and silence where nothing is."""

import math
from random import Random

import pytest

from vaultcrm.domain.learning import PHRASE, Hypothesis, Outcome, Score
from vaultcrm.pipeline.learning.deciding import (
    expected,
    found_in,
    log_e,
    margin,
    pooled,
    together,
)
from vaultcrm.pipeline.learning.edits import Edits
from vaultcrm.pipeline.learning.tallying import BANDS, Batch, Tally
from vaultcrm.pipeline.learning.traits import INDEX, pieces_of
from vaultcrm.pipeline.learning.watching import course, is_worse

QUESTION = Hypothesis("question", Outcome.REPLIED)


def tallied(rows: list[tuple[int, bool, bool]]) -> Score:
    """The score of questions over rows of stratum, question, replied."""
    tally, batch = Tally(), Batch()
    for stratum, asks, replied in rows:
        batch.add(stratum, [INDEX["question"]] if asks else [], replied, False, 0)
    tally.add(batch)
    return tally.scores("USD")[QUESTION]


def test_the_score_is_that_of_mantel_and_haenszel() -> None:
    """Two tables by hand: (a, n1, m1, n) of replies among questions."""
    tables = [(0, 12, 20, 18, 40), (2 * BANDS, 5, 10, 8, 30)]
    rows = []
    for stratum, a, n1, m1, n in tables:
        rows += [(stratum, True, index < a) for index in range(n1)]
        rows += [(stratum, False, index < m1 - a) for index in range(n - n1)]
    score = tallied(rows)
    chance = sum(n1 * m1 / n for _, _, n1, m1, n in tables)
    variance = sum(n1 * (n - n1) * m1 * (n - m1) / (n * n * (n - 1)) for _, _, n1, m1, n in tables)
    difference = sum((a * (n - n1) - (m1 - a) * n1) / n for _, a, n1, m1, n in tables) / sum(
        n1 * (n - n1) / n for _, _, n1, m1, n in tables
    )
    assert score.score == pytest.approx(17 - chance)
    assert score.variance == pytest.approx(variance)
    assert score.effect == pytest.approx(difference)
    assert (score.of_arm, score.others, score.events) == (30, 40, 9)


def test_what_a_tier_does_is_not_taken_for_what_a_question_does() -> None:
    random = Random(3)  # noqa: S311 -- a small world
    rows = []
    for _ in range(4_000):
        rich = random.random() < 0.5
        asks = random.random() < (0.8 if rich else 0.2)
        rows.append((0 if rich else 3 * BANDS, asks, random.random() < (0.6 if rich else 0.2)))
    answered = [sum(r for _, asks, r in rows if asks is way) for way in (True, False)]
    asked = sum(asks for _, asks, _ in rows)
    assert answered[0] / asked - answered[1] / (len(rows) - asked) > 0.15
    assert abs(tallied(rows).effect) < 0.04
    assert found_in({QUESTION: tallied(rows)}, 0.05) == []


def test_weeks_add_up_to_what_they_would_be_as_strata_of_one() -> None:
    one, other = (tallied([(0, i % 2 == 0, i % k == 0) for i in range(80)]) for k in (3, 5))
    both = together({QUESTION: one}, {QUESTION: other})[QUESTION]
    assert both.score == pytest.approx(one.score + other.score)
    assert both.first == one.first


def test_an_e_value_is_on_average_at_most_one_where_nothing_matters() -> None:
    random = Random(5)  # noqa: S311 -- a small world
    looks = []
    for _ in range(120):
        score = Score()
        for _ in range(3):
            rows = [(0, random.random() < 0.5, random.random() < 0.4) for _ in range(60)]
            score = score + tallied(rows)
        looks.append(math.exp(log_e(QUESTION, score)))
    assert sum(looks) / len(looks) < 1.5


def test_what_is_found_has_an_interval_without_nought_and_what_is_rare_is_not_asked() -> None:
    rows = [(0, index % 2 == 0, index % 10 < (6 if index % 2 == 0 else 3)) for index in range(900)]
    score = tallied(rows)
    [found] = found_in({QUESTION: score}, 0.05)
    assert abs(score.effect) > margin(QUESTION, score, found.level)
    few = tallied(rows[:50])
    assert found_in({QUESTION: few}, 0.05) == []


def test_a_creators_own_effect_is_drawn_to_the_whole_where_it_is_uncertain() -> None:
    def of(effect: float, weight: float) -> Score:
        variance = 0.24 * weight
        return Score(effect * weight, variance, weight, 0.4 * weight, variance, 900, 900, 300)

    pool = pooled([{QUESTION: of(x, 2_000)} for x in (0.02, 0.10, 0.06, 0.14, -0.02)])[QUESTION]
    assert pool.typical == pytest.approx(0.06)
    sure, unsure = of(-0.10, 5_000), of(-0.10, 20)
    assert expected(sure, pool) < -0.08
    assert 0 < expected(unsure, pool) < 0.06
    assert expected(None, pool) == pytest.approx(0.06)


def test_a_phrase_that_people_keep_taking_out_is_found_and_one_they_keep_is_not() -> None:
    random = Random(2)  # noqa: S311 -- a small world
    edits = Edits(["my sweet angel", "tell me more"])
    for _ in range(300):
        parts = ["It was a long day here.", "Tell me more about the boat."]
        draft = " ".join([*parts, "Goodnight, my sweet angel."])
        final = draft if random.random() < 0.4 else " ".join([*parts, "Goodnight."])
        if random.random() < 0.1:
            final = final.replace(" boat", " trip")
        edits.add(pieces_of(draft, frozenset()), pieces_of(final, frozenset()))
    found = {one.hypothesis for one in found_in(edits.scores(), 0.001)}
    assert found == {Hypothesis(f"{PHRASE}my sweet angel", Outcome.REMOVED)}


def test_the_watch_sees_a_fall_and_no_fall_where_there_is_none() -> None:
    fell = course("replied", (900, 360.0, 360.0), (400, 60.0, 60.0))
    same = course("replied", (900, 360.0, 360.0), (400, 158.0, 158.0))
    assert fell is not None
    assert same is not None
    assert is_worse([same, fell])
    assert not is_worse([same])
    assert course("replied", (900, 360.0, 360.0), (10, 0.0, 0.0)) is None


def test_looking_daily_at_a_change_that_changes_nothing_alarms_seldom() -> None:
    random = Random(7)  # noqa: S311 -- a small world
    alarms = 0
    for _ in range(120):
        before = sum(random.random() < 0.4 for _ in range(600))
        total = 0
        for day in range(1, 29):
            total += sum(random.random() < 0.4 for _ in range(20))
            seen = course("replied", (600, before, before), (20 * day, total, total))
            if seen is not None and is_worse([seen]):
                alarms += 1
                break
    assert alarms <= 6
