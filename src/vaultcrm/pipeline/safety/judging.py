"""When a draft is judged by a model, and what its judgement does to the filter's report."""

import re
from dataclasses import dataclass

from vaultcrm.domain.judging import SETTLED, JudgeFinding
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

RULE_PREFIX = "judge."
"""Findings of a judge have the rule `judge.CATEGORY`."""

SCORES = {FindingTier.BLOCK: 0.9, FindingTier.REVIEW: 0.6}

_OWN_RULES = "own_rule."
"""What a creator's team has forbidden in so many words is not for a model to allow."""

_HIGH_TIERS = frozenset({Tier.WHALE, Tier.HIGH})
_WORD = re.compile(r"\w+")

REASONS = {
    Category.MINORS: "May concern somebody under 18.",
    Category.DISTRESS: "Handles a fan in distress badly.",
    Category.VIOLENCE: "Threatens or praises violence.",
    Category.MEETING: "Keeps a meeting in person open.",
    Category.OFF_PLATFORM_PAYMENT: "Leads to paying elsewhere.",
    Category.OFF_PLATFORM_CONTACT: "Leads to contact elsewhere.",
    Category.HARASSMENT: "Demeans or coerces.",
    Category.DRUGS_WEAPONS: "Is about drugs or weapons.",
    Category.DECEPTION: "Misleads the fan.",
    Category.PRESSURE: "Presses the fan.",
    Category.EXPLICIT: "Is sexually explicit.",
}
"""What people are told where the judge's own words are not kept."""


@dataclass(frozen=True, slots=True)
class JudgingCase:
    """All that says whether a draft is judged. `leaves_by_itself`: the policy would send it."""

    safety: SafetyReport
    price: Money | None
    tier: Tier
    leaves_by_itself: bool


def needs_judging(case: JudgingCase) -> bool:
    """Whether a model has to judge a draft: where rules leave doubt, or much is at stake.

    A block stands whatever the draft means. Doubt that a judge may not settle goes to a person as
    it is, so by itself it asks for no judge.
    """
    if case.safety.verdict is Verdict.BLOCK:
        return False
    at_stake = case.price is not None or case.tier in _HIGH_TIERS or case.leaves_by_itself
    doubts = [one for one in case.safety.findings if one.tier is FindingTier.REVIEW]
    return at_stake or (bool(doubts) and all(_may_be_cleared(one) for one in doubts))


def doubts_in(report: SafetyReport) -> tuple[Finding, ...]:
    """The findings that a judge is asked about."""
    return tuple(finding for finding in report.findings if _may_be_cleared(finding))


def apply_judgement(
    report: SafetyReport, found: tuple[Finding, ...], cleared: frozenset[Category]
) -> SafetyReport:
    """The filter's report with what the judge has found and without the doubts that it clears.

    A doubt goes only when the judge names its category and finds nothing of that category itself.
    """
    confirmed = {finding.category for finding in found}
    kept = tuple(
        finding
        for finding in report.findings
        if not _may_be_cleared(finding)
        or finding.category not in cleared
        or finding.category in confirmed
    )
    return report_of((*kept, *found))


def _may_be_cleared(finding: Finding) -> bool:
    return (
        finding.tier is FindingTier.REVIEW
        and finding.category in SETTLED
        and not finding.rule.startswith(_OWN_RULES)
    )


def located(found: JudgeFinding, text: str) -> Finding:
    """What a judge has found, at its place in the text."""
    start, end = locate(text, found.quote)
    return judged_finding(found.category, found.tier, start, end, text, found.reason)


def judged_finding(
    category: Category, tier: FindingTier, start: int, end: int, text: str, reason: str = ""
) -> Finding:
    """A finding of a judge at `start:end` of the text; without its reason, what is told instead."""
    return Finding(
        category=category,
        start=start,
        end=end,
        rule=f"{RULE_PREFIX}{category.value}",
        tier=tier,
        score=SCORES[tier],
        matched=text[start:end],
        reason=reason or REASONS[category],
    )


def locate(text: str, quote: str) -> tuple[int, int]:
    """Where a quote stands in a text: its words in their order, whatever is between them, in small
    letters or capitals. The whole text where it does not stand there.
    """
    words = _WORD.findall(quote)
    if words:
        pattern = r"\W+".join(re.escape(word) for word in words)
        if seen := re.search(rf"(?<!\w){pattern}(?!\w)", text, re.IGNORECASE):
            return seen.span()
    elif quote and (at := text.find(quote)) >= 0:
        return at, at + len(quote)
    return 0, len(text)
