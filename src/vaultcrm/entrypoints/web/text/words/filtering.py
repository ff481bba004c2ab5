"""The content filter: what it finds, how grave that is, and what teams add to it."""

from collections.abc import Mapping

from vaultcrm.domain.content_rules import RuleKind
from vaultcrm.domain.safety import Category, Finding, FindingTier, Scope

CATEGORIES: Mapping[Category, str] = {
    Category.MINORS: "Age",
    Category.DISTRESS: "Distress",
    Category.VIOLENCE: "Violence",
    Category.MEETING: "Meeting in person",
    Category.OFF_PLATFORM_PAYMENT: "Payment elsewhere",
    Category.OFF_PLATFORM_CONTACT: "Contact elsewhere",
    Category.PERSONAL_DATA: "Personal data",
    Category.HARASSMENT: "Harassment",
    Category.DRUGS_WEAPONS: "Drugs and weapons",
    Category.DECEPTION: "Deception",
    Category.PRESSURE: "Pressure",
    Category.SPAM: "Spam",
    Category.EXPLICIT: "Explicit text",
    Category.OBFUSCATION: "Hidden wording",
    Category.PROMPT_INJECTION: "Instructions to the AI",
    Category.FORBIDDEN_WORD: "Forbidden word",
    Category.FILTER_ERROR: "Filter failed",
}

SCOPES: Mapping[Scope, str] = {
    Scope.DRAFT: "AI drafts",
    Scope.CHATTER: "your team’s messages",
    Scope.FAN: "fans’ messages",
}

RULE_KINDS: Mapping[RuleKind, tuple[str, str, str]] = {
    RuleKind.PHRASE: (
        "Phrase",
        "Phrases",
        "Whole words that the filter shall find, also where they are disguised.",
    ),
    RuleKind.PATTERN: (
        "Pattern",
        "Patterns",
        "An RE2 expression. Capitals and accents make no difference; it cannot look around.",
    ),
    RuleKind.EXCEPTION: (
        "Exception",
        "Exceptions",
        "Words that your team has looked at: what the filter finds inside them is let through.",
    ),
}
"""Each kind of content rule: its name, that of several, and what it does."""

FINDING_TIERS: Mapping[FindingTier, str] = {
    FindingTier.BLOCK: "stops the draft",
    FindingTier.REVIEW: "to look at",
    FindingTier.NOTE: "to know",
}


def finding(found: Finding) -> str:
    """One finding in a sentence."""
    told = CATEGORIES[found.category]
    return f"{told}: {found.reason}" if found.reason else told
