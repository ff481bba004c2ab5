"""Rules of a creator's own: what their team adds to the content filter, and what it excepts.

A *phrase* or a *pattern* is one more thing to find. An *exception* is a phrase that the team has
looked at: what the shipped packs find wholly inside it, in one category, is let through.
"""

import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from vaultcrm.domain.errors import FieldProblem
from vaultcrm.domain.safety import Category, FindingTier, Scope

MOST_RULES = 200
"""So many rules one creator may have at a time."""
LONGEST_PHRASE = 100
"""Characters of a phrase or an exception."""
LONGEST_PATTERN = 500
"""Characters of a pattern."""
LONGEST_REASON = 300
MOST_INSTRUCTIONS = 4_000
"""Instructions that RE2 may compile one pattern to."""
MOST_INSTRUCTIONS_TOGETHER = 20_000
"""Instructions of all patterns of one creator. Reading one view of a text takes at worst
instructions times characters, about a nanosecond each: a quarter of a second for 10,000 characters.
"""


class RuleKind(StrEnum):
    PHRASE = "phrase"
    PATTERN = "pattern"
    EXCEPTION = "exception"


EXCEPTED_FROM = (
    Category.MEETING,
    Category.OFF_PLATFORM_PAYMENT,
    Category.OFF_PLATFORM_CONTACT,
    Category.PERSONAL_DATA,
    Category.HARASSMENT,
    Category.DRUGS_WEAPONS,
    Category.PRESSURE,
    Category.SPAM,
    Category.EXPLICIT,
    Category.OBFUSCATION,
)
"""Categories that an exception may be for."""

ADDED_TO = (
    Category.MINORS,
    Category.DISTRESS,
    Category.VIOLENCE,
    Category.DECEPTION,
    *(category for category in EXCEPTED_FROM if category is not Category.OBFUSCATION),
)
"""Categories that a phrase or a pattern may belong to."""

FAN_CATEGORIES = frozenset({Category.MINORS, Category.DISTRESS})
"""What a fan's text is searched for by own rules: both stop selling and automation."""

NEVER_EXCEPTED: Mapping[Category, str] = {
    Category.MINORS: "signs that somebody may be under 18 are never let through",
    Category.DISTRESS: "signs of distress are never let through",
    Category.VIOLENCE: "violence and missing consent are never let through",
    Category.DECEPTION: "false promises and denying that AI helps are never let through",
    Category.FORBIDDEN_WORD: "take the word out of the personality's forbidden words instead",
    Category.PROMPT_INJECTION: "instructions to the AI are never let through",
    Category.FILTER_ERROR: "what the filter could not check, a person must",
}
"""Categories that no exception reaches, and why."""

EXCEPTION_SCOPES = frozenset({Scope.DRAFT, Scope.CHATTER})


@dataclass(frozen=True, slots=True)
class RuleDraft:
    """What a person writes of a rule. `reason` is shown wherever it finds or lets through.

    `tier` has no meaning in an exception.
    """

    kind: RuleKind
    text: str
    category: Category
    reason: str
    tier: FindingTier = FindingTier.BLOCK
    scopes: tuple[Scope, ...] = (Scope.DRAFT, Scope.CHATTER)


@dataclass(frozen=True, slots=True)
class ContentRule:
    """One rule of one creator in force. `created_by` is None for one that was not added here."""

    id: UUID
    draft: RuleDraft
    created_by: UUID | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class OwnRules:
    """A creator's rules as they were at `revision`, which is another one after every change.

    `are_known` is False where they could not be read: then a person has to look at every text.
    """

    revision: UUID | None = None
    rules: tuple[ContentRule, ...] = field(default=(), hash=False)
    are_known: bool = True


NO_RULES = OwnRules()
UNKNOWN_RULES = OwnRules(are_known=False)


def written(draft: RuleDraft) -> RuleDraft:
    """The draft as it is stored: trimmed, single spaces in phrases, scopes once and in order."""
    text = draft.text.strip()
    if draft.kind is not RuleKind.PATTERN:
        text = " ".join(text.split())
    return RuleDraft(
        kind=draft.kind,
        text=text,
        category=draft.category,
        reason=" ".join(draft.reason.split()),
        tier=draft.tier,
        scopes=tuple(scope for scope in Scope if scope in draft.scopes),
    )


def problems_of(draft: RuleDraft) -> Iterator[FieldProblem]:
    """What is wrong with a draft as `written` gives it, field by field.

    Whether a pattern can be compiled is for the filter to say.
    """
    longest = LONGEST_PATTERN if draft.kind is RuleKind.PATTERN else LONGEST_PHRASE
    yield from _line("text", draft.text, longest)
    if draft.tier is FindingTier.NOTE:
        yield FieldProblem("tier", "must be block or review")
    yield from _line("reason", draft.reason, LONGEST_REASON)
    if draft.kind is RuleKind.EXCEPTION:
        if draft.category not in EXCEPTED_FROM:
            why = NEVER_EXCEPTED.get(draft.category, "it is not made of rules")
            yield FieldProblem("category", f"cannot be excepted: {why}")
        allowed = EXCEPTION_SCOPES
        refused = "what a fan writes is only read for signs of age and distress: no exceptions"
    else:
        if draft.category not in ADDED_TO:
            yield FieldProblem("category", "takes no phrases or patterns of your own")
        allowed = frozenset(Scope) if draft.category in FAN_CATEGORIES else EXCEPTION_SCOPES
        refused = "what a fan writes is only read for signs of age and distress"
    if not draft.scopes:
        yield FieldProblem("scopes", "choose at least one")
    elif not allowed.issuperset(draft.scopes):
        yield FieldProblem("scopes", refused)


def _line(name: str, value: str, longest: int) -> Iterator[FieldProblem]:
    if not value:
        yield FieldProblem(name, "must not be empty")
    elif len(value) > longest:
        yield FieldProblem(name, f"must have at most {longest} characters, not {len(value):,}")
    elif any(unicodedata.category(sign) in {"Cc", "Cs"} for sign in value):
        yield FieldProblem(name, "must be one line without control characters")
