"""Findings become a verdict."""

from hypothesis import given
from hypothesis import strategies as st

from vaultcrm.domain.safety import (
    Category,
    Finding,
    FindingTier,
    SafetyReport,
    Verdict,
    report_of,
)


def finding(tier: FindingTier, score: float, category: Category = Category.SPAM) -> Finding:
    return Finding(category, 0, 1, "some.rule", tier, score, "x")


FINDINGS = st.lists(
    st.builds(finding, st.sampled_from(FindingTier), st.floats(0, 1), st.sampled_from(Category)),
    max_size=6,
).map(tuple)


def test_a_text_without_findings_is_allowed_with_a_score_of_one() -> None:
    assert report_of(()) == SafetyReport(Verdict.ALLOW, 1.0, ())


def test_one_finding_to_block_outweighs_any_number_to_review() -> None:
    mild = finding(FindingTier.REVIEW, 0.9)
    report = report_of((mild, finding(FindingTier.BLOCK, 0.2), mild))
    assert report.verdict is Verdict.BLOCK


def test_findings_to_review_alone_make_a_review() -> None:
    assert report_of((finding(FindingTier.REVIEW, 0.1),)).verdict is Verdict.REVIEW


def test_the_score_is_one_minus_the_surest_finding() -> None:
    found = (finding(FindingTier.REVIEW, 0.3), finding(FindingTier.BLOCK, 0.85))
    assert report_of(found).score == 0.15


@given(FINDINGS, st.sampled_from(FindingTier))
def test_one_more_finding_never_makes_a_report_better(
    found: tuple[Finding, ...], tier: FindingTier
) -> None:
    strictness = [Verdict.ALLOW, Verdict.REVIEW, Verdict.BLOCK]
    before, after = report_of(found), report_of((*found, finding(tier, 0.5)))
    assert strictness.index(after.verdict) >= strictness.index(before.verdict)
    assert 0 <= after.score <= before.score <= 1


@given(FINDINGS)
def test_a_report_has_just_the_categories_of_its_findings(found: tuple[Finding, ...]) -> None:
    report = report_of(found)
    assert report.findings == found
    assert {c for c in Category if report.has(c)} == {f.category for f in found}
    assert report.has(*Category) == bool(found)
