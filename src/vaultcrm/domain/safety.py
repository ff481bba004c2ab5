"""What the content filter says about a text."""

from dataclasses import dataclass
from enum import StrEnum


class FindingTier(StrEnum):
    """`BLOCK` stops the text; `REVIEW` sends it to a person. `NOTE` says what a fan wants to know,
    in which there is no harm: it changes neither verdict nor score.
    """

    BLOCK = "block"
    REVIEW = "review"
    NOTE = "note"


class Verdict(StrEnum):
    """The worst tier among the findings."""

    ALLOW = "allow"
    REVIEW = "review"
    BLOCK = "block"


class Scope(StrEnum):
    """Whose text is checked: rules apply to some scopes and not to others."""

    DRAFT = "draft"
    CHATTER = "chatter"
    FAN = "fan"


class Category(StrEnum):
    MINORS = "minors"
    DISTRESS = "distress"
    VIOLENCE = "violence"
    MEETING = "meeting"
    OFF_PLATFORM_PAYMENT = "off_platform_payment"
    OFF_PLATFORM_CONTACT = "off_platform_contact"
    PERSONAL_DATA = "personal_data"
    HARASSMENT = "harassment"
    DRUGS_WEAPONS = "drugs_weapons"
    DECEPTION = "deception"
    PRESSURE = "pressure"
    SPAM = "spam"
    EXPLICIT = "explicit"
    OBFUSCATION = "obfuscation"
    PROMPT_INJECTION = "prompt_injection"
    FORBIDDEN_WORD = "forbidden_word"
    FILTER_ERROR = "filter_error"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a rule saw. `start:end` are code-point offsets into the original text."""

    category: Category
    start: int
    end: int
    rule: str
    tier: FindingTier
    score: float
    matched: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class SafetyReport:
    """The filter's answer. `score` is 1.0 for a clean text and 0.0 for a sure finding."""

    verdict: Verdict
    score: float
    findings: tuple[Finding, ...] = ()

    def has(self, *categories: Category) -> bool:
        return any(finding.category in categories for finding in self.findings)


CLEAN = SafetyReport(Verdict.ALLOW, 1.0)
"""The report on a text in which nothing was found."""


def report_of(findings: tuple[Finding, ...]) -> SafetyReport:
    """The verdict is the worst tier; the score is 1 minus the surest finding's score. Notes count
    for neither.
    """
    if not findings:
        return CLEAN
    harmful = [finding for finding in findings if finding.tier is not FindingTier.NOTE]
    if any(finding.tier is FindingTier.BLOCK for finding in harmful):
        verdict = Verdict.BLOCK
    elif harmful:
        verdict = Verdict.REVIEW
    else:
        verdict = Verdict.ALLOW
    surest = max((finding.score for finding in harmful), default=0.0)
    return SafetyReport(verdict, round(1.0 - surest, 4), findings)
