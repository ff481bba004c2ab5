"""When a draft is judged, and what a judgement can and cannot change."""

from dataclasses import replace

import pytest

from vaultcrm.domain.judging import JUDGED, SETTLED, JudgeFinding
from vaultcrm.domain.money import Money
from vaultcrm.domain.people import Tier
from vaultcrm.domain.safety import (
    Category,
    Finding,
    FindingTier,
    SafetyReport,
    Verdict,
    report_of,
)
from vaultcrm.pipeline.safety.judging import (
    REASONS,
    JudgingCase,
    apply_judgement,
    doubts_in,
    locate,
    located,
    needs_judging,
)

CLEAN = report_of(())
UNSETTLED = sorted(set(Category) - SETTLED)


def finding(
    category: Category, tier: FindingTier = FindingTier.REVIEW, rule: str = "a.rule"
) -> Finding:
    return Finding(category, 0, 4, rule, tier, 0.7, "word", "Because.")


def case(
    *found: Finding, price: Money | None = None, tier: Tier = Tier.LOW, leaves: bool = False
) -> JudgingCase:
    return JudgingCase(report_of(found), price, tier, leaves)


def test_a_plain_draft_that_waits_for_a_person_anyway_is_not_judged() -> None:
    assert not needs_judging(case())
    assert not needs_judging(case(tier=Tier.MEDIUM))


@pytest.mark.parametrize(
    "at_stake",
    [
        case(price=Money(100)),
        case(tier=Tier.HIGH),
        case(tier=Tier.WHALE),
        case(leaves=True),
        case(finding(Category.PERSONAL_DATA), price=Money(100)),
    ],
)
def test_a_draft_is_judged_where_much_is_at_stake(at_stake: JudgingCase) -> None:
    assert needs_judging(at_stake)


@pytest.mark.parametrize("category", sorted(SETTLED))
def test_doubt_about_the_meaning_is_judged(category: Category) -> None:
    assert needs_judging(case(finding(category)))
    assert needs_judging(case(finding(category), finding(Category.PRESSURE)))


@pytest.mark.parametrize("category", UNSETTLED)
def test_doubt_that_no_judge_may_settle_goes_to_a_person_as_it_is(category: Category) -> None:
    assert not needs_judging(case(finding(category)))
    assert not needs_judging(case(finding(category), finding(Category.PRESSURE)))


def test_what_a_creators_team_has_forbidden_is_no_doubt() -> None:
    own = finding(Category.DECEPTION, rule="own_rule.01890a5d")
    assert not needs_judging(case(own))
    assert doubts_in(report_of((own,))) == ()
    assert apply_judgement(report_of((own,)), (), frozenset(SETTLED)) == report_of((own,))


@pytest.mark.parametrize("category", sorted(Category))
def test_a_blocked_draft_is_never_judged_whatever_is_at_stake(category: Category) -> None:
    blocked = case(
        finding(category, FindingTier.BLOCK), price=Money(9_900), tier=Tier.WHALE, leaves=True
    )
    assert not needs_judging(blocked)


def test_a_doubt_that_is_cleared_is_gone_and_the_others_stay() -> None:
    doubt, other = finding(Category.PRESSURE), finding(Category.DECEPTION)
    report = apply_judgement(report_of((doubt, other)), (), frozenset({Category.PRESSURE}))
    assert report == report_of((other,))
    assert apply_judgement(report_of((doubt,)), (), frozenset({Category.PRESSURE})) == CLEAN


def test_a_doubt_that_the_judge_passes_over_in_silence_stays() -> None:
    report = report_of((finding(Category.PRESSURE),))
    assert apply_judgement(report, (), frozenset()) == report


def test_a_doubt_that_the_judge_both_clears_and_finds_itself_stays() -> None:
    doubt = finding(Category.PRESSURE)
    seen = located(_seen(Category.PRESSURE, "word"), "a word")
    report = apply_judgement(report_of((doubt,)), (seen,), frozenset({Category.PRESSURE}))
    assert report.findings == (doubt, seen)


@pytest.mark.parametrize("category", sorted(Category))
def test_no_judge_lifts_a_block_or_what_is_not_its_to_settle(category: Category) -> None:
    block = finding(category, FindingTier.BLOCK)
    cleared = frozenset(Category)
    assert apply_judgement(report_of((block,)), (), cleared) == report_of((block,))
    if category not in SETTLED:
        doubt = finding(category)
        assert apply_judgement(report_of((doubt,)), (), cleared) == report_of((doubt,))


def test_what_the_judge_finds_makes_the_verdict_stricter() -> None:
    seen = located(_seen(Category.DECEPTION, "really me", FindingTier.BLOCK), "It is really me.")
    report = apply_judgement(CLEAN, (seen,), frozenset())
    assert report.verdict is Verdict.BLOCK
    [only] = report.findings
    assert (only.rule, only.matched) == ("judge.deception", "really me")
    assert (only.start, only.end) == (6, 15)
    assert report.score == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("text", "quote", "matched"),
    [
        ("Only today, my love", "only today", "Only today"),
        ("Only  today,\nmy love", "“Only today, my love”", "Only  today,\nmy love"),
        ("I <3 you alone", "‹3 you", "3 you"),
        ("Say yes, yesterday ends", "yes", "yes"),
        ("no words: ♥♥", "♥♥", "♥♥"),
        ("straße am Meer", "STRASSE", "straße am Meer"),
        ("What it says is not there", "something else", "What it says is not there"),
        ("Nothing is quoted", "", "Nothing is quoted"),
        ("a.b (c)* d", "b (c)", "b (c"),
    ],
)
def test_a_quote_is_found_in_the_text_or_stands_for_all_of_it(
    text: str, quote: str, matched: str
) -> None:
    start, end = locate(text, quote)
    assert text[start:end] == matched


def test_a_finding_without_a_reason_is_told_with_one() -> None:
    for category in JUDGED:
        unexplained = replace(_seen(category, "word"), reason="")
        assert located(unexplained, "a word").reason == REASONS[category]


def test_doubts_are_what_a_judge_is_asked_about() -> None:
    doubt = finding(Category.MEETING)
    report: SafetyReport = report_of(
        (doubt, finding(Category.PERSONAL_DATA), finding(Category.MEETING, FindingTier.BLOCK))
    )
    assert doubts_in(report) == (doubt,)


def _seen(category: Category, quote: str, tier: FindingTier = FindingTier.REVIEW) -> JudgeFinding:
    return JudgeFinding(category, tier, quote, "Because.")
