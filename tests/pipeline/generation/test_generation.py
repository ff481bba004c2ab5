"""Which candidate is chosen, and how sure we are of it."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vaultcrm.domain.drafting import Candidate
from vaultcrm.domain.safety import Category, Finding, FindingTier, SafetyReport, Verdict, report_of
from vaultcrm.pipeline.generation import CheckedCandidate, choose, confidence

CLEAN = report_of(())


def finding(tier: FindingTier = FindingTier.REVIEW) -> Finding:
    return Finding(Category.SPAM, 0, 1, "spam.some_rule", tier, 0.5, "x")


REVIEW = report_of((finding(),))
BLOCK = report_of((finding(FindingTier.BLOCK),))


def candidate(
    message: str = "alpha beta gamma delta",
    rating: int = 90,
    safety: SafetyReport = CLEAN,
    price: int | None = None,
) -> CheckedCandidate:
    return CheckedCandidate(Candidate(message, "because", rating, price), safety)


def sure(chosen: CheckedCandidate, *others: CheckedCandidate, known_messages: int = 5) -> int:
    return confidence(chosen, [chosen, *others], known_messages)


CANDIDATES = st.builds(
    candidate,
    st.text("ab ", max_size=9) | st.just("x" * 401),
    st.integers(0, 100),
    st.lists(st.builds(finding, st.sampled_from(FindingTier)), max_size=4).map(
        lambda found: report_of(tuple(found))
    ),
    st.none() | st.integers(0, 9999),
)
LISTS = st.lists(CANDIDATES, min_size=1, max_size=5)
STRICTNESS = [Verdict.ALLOW, Verdict.REVIEW, Verdict.BLOCK]


@pytest.mark.parametrize(("milder", "stricter"), [(CLEAN, REVIEW), (REVIEW, BLOCK), (CLEAN, BLOCK)])
def test_the_candidate_with_the_milder_verdict_is_chosen_however_it_is_rated(
    milder: SafetyReport, stricter: SafetyReport
) -> None:
    wanted = candidate(rating=1, safety=milder)
    assert choose([candidate(rating=100, safety=stricter), wanted]) is wanted


def test_among_equals_the_one_that_the_model_rates_highest_is_chosen() -> None:
    wanted = candidate(rating=71)
    assert choose([candidate(rating=70), wanted, candidate(rating=69)]) is wanted


def test_the_earlier_of_two_that_tie_is_chosen() -> None:
    first = candidate("the first")
    assert choose([first, candidate("the second")]) is first


@given(LISTS)
def test_no_candidate_is_milder_or_as_mild_and_rated_higher_than_the_chosen_one(
    candidates: Sequence[CheckedCandidate],
) -> None:
    chosen = choose(candidates)
    assert any(chosen is item for item in candidates)
    rank = STRICTNESS.index(chosen.safety.verdict)
    for item in candidates:
        assert rank <= STRICTNESS.index(item.safety.verdict)
        if item.safety.verdict is chosen.safety.verdict:
            assert item.candidate.self_rating <= chosen.candidate.self_rating


def test_confidence_follows_its_formula() -> None:
    other = candidate("delta epsilon zeta eta")
    # One word of seven in common: 0.7 · 90 + 15 · 2/7 + 15 · 5/10 = 63 + 4.29 + 7.5 = 74.79
    assert sure(candidate(), other) == 75
    # A second other with nothing in common halves the agreement: 63 + 2.14 + 7.5 = 72.64
    assert sure(candidate(), other, candidate("theta iota")) == 73
    # − 15 a finding − 5 for the price: 74.79 − 30 − 5 = 39.79
    worse = candidate(safety=report_of((finding(), finding())), price=1000)
    assert sure(worse, other) == 40


def test_a_text_of_401_characters_makes_it_10_less_sure_than_one_of_400() -> None:
    assert sure(candidate("x" * 400)) - sure(candidate("x" * 401)) == 10


def test_without_another_candidate_agreement_is_half() -> None:
    # 0.7 · 90 + 15 · 0.5 + 15 · 0.5
    assert sure(candidate()) == 78


def test_candidates_that_share_half_of_their_words_agree_fully() -> None:
    half = candidate("alpha beta gamma")
    same = candidate("ALPHA  beta gamma delta")
    # 0.7 · 90 + 15 · 1 + 15 · 1
    assert sure(candidate(), half, known_messages=10) == 93
    assert sure(candidate(), same, known_messages=10) == 93


def test_ten_known_messages_are_familiar_and_more_do_not_add() -> None:
    assert sure(candidate(), known_messages=0) == round(70.5)
    assert sure(candidate(), known_messages=10) == sure(candidate(), known_messages=99) == 86


def test_the_best_draft_reaches_100_and_a_hopeless_one_0() -> None:
    best = candidate(rating=100)
    assert sure(best, candidate(rating=100), known_messages=10) == 100
    hopeless = candidate(rating=0, safety=report_of((finding(), finding())))
    assert sure(hopeless, known_messages=0) == 0


@given(LISTS, st.integers(0, 50))
def test_confidence_is_always_between_0_and_100(
    candidates: Sequence[CheckedCandidate], known: int
) -> None:
    assert 0 <= confidence(choose(candidates), candidates, known) <= 100


@given(CANDIDATES, LISTS, st.integers(0, 20), st.integers(0, 100), st.integers(0, 20))
def test_a_better_rating_or_a_longer_acquaintance_never_makes_it_less_sure(
    chosen: CheckedCandidate,
    others: list[CheckedCandidate],
    known: int,
    rating: int,
    more: int,
) -> None:
    higher = max(rating, chosen.candidate.self_rating)
    better = replace(chosen, candidate=replace(chosen.candidate, self_rating=higher))
    before = confidence(chosen, [chosen, *others], known)
    assert confidence(better, [better, *others], known + more) >= before


@given(CANDIDATES, LISTS, st.integers(0, 20))
def test_one_more_finding_never_makes_it_more_sure(
    chosen: CheckedCandidate, others: list[CheckedCandidate], known: int
) -> None:
    worse = replace(chosen, safety=report_of((*chosen.safety.findings, finding())))
    before = confidence(chosen, [chosen, *others], known)
    after = confidence(worse, [worse, *others], known)
    assert after < before or before == 0
