"""Fitting, the guarantee and the watch, on small worlds whose truth is known."""

from dataclasses import replace
from random import Random

import numpy as np
from mapie.risk_control import BinaryClassificationController, precision

from evals.calibration.worlds import decided, new_world
from vaultcrm.domain.confidence import WHOLE, Guarantee, Missing, Pool
from vaultcrm.pipeline.calibration.fitting import drawn_alike, fit, split
from vaultcrm.pipeline.calibration.guaranteeing import contradicts, guarantee, p_values
from vaultcrm.pipeline.calibration.watching import SHUT_AT, bins, drift, evidence
from vaultcrm.pipeline.confidence import score_of

WORLD = new_world(3, creators=4, level=3.5, spread=1.2)
ALL = np.arange(WHOLE + 1)


def test_one_draft_is_scored_as_the_fit_scores_it_among_many() -> None:
    seen, unseen = split(decided(WORLD, 1_500)[0])
    fitted = fit(seen)
    assert fitted is not None
    together = fitted.scores(unseen)
    for place in (0, 7, 99):
        model = fitted.of(unseen.creators[unseen.creator[place]])
        alone = score_of(model, tuple(float(value) for value in unseen.inputs[place]))
        assert abs(alone - together[place]) <= 1


def test_a_creator_of_whom_little_is_known_is_drawn_towards_everybody() -> None:
    decisions = decided(WORLD, 3_000)[0]
    first = decisions.creator == 0
    few = np.flatnonzero(first)[:8]
    kept = ~first
    kept[few] = True
    much, little = fit(decisions), fit(decisions.part(kept))
    assert much is not None
    assert little is not None
    creator = decisions.creators[0]
    assert abs(little.shifts[creator]) < abs(much.shifts[creator])


def test_what_fits_is_older_than_what_is_guaranteed_by_and_neither_sees_the_other() -> None:
    decisions = decided(WORLD, 400)[0]
    seen, unseen = split(decisions)
    assert len(seen) + len(unseen) == 400
    assert np.array_equal(np.vstack([seen.inputs, unseen.inputs]), decisions.inputs)
    assert len(unseen) > len(seen) > 0


def test_what_people_see_all_of_is_thinned_out_to_what_they_see_a_sample_of() -> None:
    decisions = replace(
        decided(WORLD, 2_100)[0],
        propensity=np.repeat([1.0, 0.05, np.nan, 0.0], [1_000, 100, 500, 500]),
    )
    kept = drawn_alike(decisions, np.random.default_rng(4).random(2_100))
    assert 25 < kept[:1_000].sum() < 80
    assert kept[1_000:1_100].all()
    assert not kept[1_100:].any()
    seen_in_full = decisions.part(slice(0, 1_000))
    assert drawn_alike(seen_in_full, np.random.default_rng(4).random(1_000)).all()


def test_too_few_decisions_and_decisions_of_one_kind_make_no_model() -> None:
    decisions = decided(WORLD, 2_000)[0]
    assert fit(decisions.part(slice(0, 150))) is None
    assert fit(decisions.part(decisions.unchanged)) is None


def test_the_p_values_are_those_of_mapies_controller() -> None:
    random = np.random.default_rng(1)
    scores = random.integers(500, 1000, 600)
    unchanged = random.random(600) < scores / 1000
    thresholds = np.array([600, 700, 800, 900, 950])
    controller = BinaryClassificationController(
        predict_function=lambda scored: np.column_stack([1 - scored, scored]),
        risk=precision,
        target_level=0.8,
        confidence_level=0.95,
        list_predict_params=thresholds / 1000,
    ).calibrate(scores / 1000, unchanged.astype(int))
    ours = p_values(thresholds, scores, unchanged, 0.2)
    # Theirs rounds a count up where floating point has made a little more of it.
    assert np.all(ours <= controller.p_values[:, 0] + 1e-9)
    assert np.allclose(ours, controller.p_values[:, 0], atol=0.05)


def test_a_guarantee_says_from_where_on_and_counts_what_it_was_tested_on() -> None:
    random = np.random.default_rng(2)
    scores = random.integers(800, 1000, 4_000)
    unchanged = (scores < 900) & (random.random(4_000) < 0.7) | (scores >= 900)
    found = guarantee(scores, scores, unchanged, limit=0.02, pool=Pool.OWN)
    assert isinstance(found, Guarantee)
    assert 880 < found.lowest <= 900 <= found.highest
    assert found.checked == (scores >= found.lowest).sum()
    assert found.wrong == (~unchanged[scores >= found.lowest]).sum()
    assert found.wrong / found.checked < 0.02


def test_nothing_is_guaranteed_of_few_decisions_or_of_bad_ones() -> None:
    scores = np.full(148, 990)
    right = np.ones(148, dtype=np.bool_)
    assert guarantee(scores, scores, right, limit=0.02, pool=Pool.OWN) is Missing.TOO_FEW
    many = np.full(2_000, 990)
    wrong = np.arange(2_000) % 10 > 0
    assert guarantee(many, many, wrong, limit=0.02, pool=Pool.OWN) is Missing.NOT_SAFE


def test_no_threshold_below_the_floor_is_used() -> None:
    scores = np.repeat(np.arange(850, 1000), 40)
    older = np.repeat(np.arange(985, 1000), 40)
    right = np.ones(len(scores), dtype=np.bool_)
    found = guarantee(older, scores, right, limit=0.02, pool=Pool.OWN, floor=930)
    assert isinstance(found, Guarantee)
    assert found.lowest == 930


def test_a_creator_with_many_wrong_ones_contradicts_what_holds_together() -> None:
    scores = np.full(100, 950)
    unchanged = np.arange(100) >= 8
    assert contradicts(scores, unchanged, 900, 0.02)
    assert not contradicts(scores, np.arange(100) >= 2, 900, 0.02)
    assert not contradicts(scores, unchanged, 960, 0.02)


def drawn(count: int, *, off_by: float) -> tuple[list[int], list[bool]]:
    random = Random(5)  # noqa: S311 -- no secret
    scores = [random.randint(60, 97) for _ in range(count)]
    return scores, [random.random() < score / 100 - off_by for score in scores]


def test_scores_that_mean_what_they_say_are_no_drift_and_others_are() -> None:
    scores, unchanged = drawn(400, off_by=0.0)
    reference = [one.count / 400 for one in bins(scores, unchanged)]
    assert not drift(scores, unchanged, reference).is_large
    assert drift(*drawn(400, off_by=0.15), reference).is_large
    elsewhere = [0.5, 0.5, 0, 0, 0, 0, 0, 0, 0, 0.0]
    assert drift(scores, unchanged, elsewhere).is_large
    few_scores, few = drawn(100, off_by=0.5)
    assert not drift(few_scores, few, reference).is_large


def test_evidence_against_the_limit_grows_with_wrong_ones_and_falls_with_right_ones() -> None:
    assert evidence(0, 0, 0.02) == 1.0
    assert evidence(0, 100, 0.02) < 1.0
    assert evidence(2, 100, 0.02) < SHUT_AT
    assert evidence(9, 100, 0.02) > SHUT_AT


def test_who_keeps_the_limit_is_seldom_shut_however_often_one_looks() -> None:
    random = Random(7)  # noqa: S311 -- no secret
    shut = 0
    for _ in range(200):
        wrong = 0
        for count in range(1, 401):
            wrong += random.random() < 0.02
            if evidence(wrong, count, 0.02) >= SHUT_AT:
                shut += 1
                break
    assert shut <= 10
