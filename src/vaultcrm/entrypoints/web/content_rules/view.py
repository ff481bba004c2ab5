"""What the page of content rules shows: the rules in force, the form, and a text that is tried."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from secrets import token_hex
from uuid import UUID

from vaultcrm.db.pending import Record
from vaultcrm.db.queries import content_rules
from vaultcrm.domain.content_rules import (
    ADDED_TO,
    EXCEPTED_FROM,
    FAN_CATEGORIES,
    LONGEST_PATTERN,
    LONGEST_PHRASE,
    MOST_RULES,
    RuleDraft,
    RuleKind,
)
from vaultcrm.domain.errors import FieldProblem, NotFound
from vaultcrm.domain.safety import Category, Finding, FindingTier, SafetyReport, Scope, Verdict
from vaultcrm.entrypoints.web.frame.desk import Desk
from vaultcrm.entrypoints.web.text import words
from vaultcrm.workflows.manage_content_rules import TriedText
from vaultcrm.workflows.parts import Parts

LONGEST_SAMPLE = 10_000
_PREFIX = "own_rule."


@dataclass(frozen=True, slots=True)
class Typed:
    """The fields of the form as they were typed, and what is wrong with them by field.

    `key` tells one form from another: a fresh one takes over nothing of what stood in the last.
    """

    kind: RuleKind = RuleKind.PHRASE
    text: str = ""
    category: Category | None = None
    tier: FindingTier = FindingTier.BLOCK
    scopes: tuple[Scope, ...] = (Scope.DRAFT, Scope.CHATTER)
    reason: str = ""
    key: str = field(default_factory=lambda: token_hex(4))
    problems: Mapping[str, str] = field(default_factory=dict)

    @property
    def categories(self) -> Sequence[Category]:
        """What may be chosen for this kind, by the name that people see."""
        choices = EXCEPTED_FROM if self.kind is RuleKind.EXCEPTION else ADDED_TO
        return sorted(choices, key=words.filtering.CATEGORIES.__getitem__)

    @property
    def offered_scopes(self) -> Sequence[Scope]:
        scopes = (Scope.DRAFT, Scope.CHATTER)
        return scopes if self.kind is RuleKind.EXCEPTION else (*scopes, Scope.FAN)

    @property
    def longest(self) -> int:
        return LONGEST_PATTERN if self.kind is RuleKind.PATTERN else LONGEST_PHRASE

    @property
    def fan_categories(self) -> str:
        return " and ".join(sorted(words.filtering.CATEGORIES[one] for one in FAN_CATEGORIES))

    def draft(self) -> RuleDraft:
        """What was typed as a rule. Without a category it is one that no rule may have."""
        return RuleDraft(
            kind=self.kind,
            text=self.text,
            category=self.category or Category.FILTER_ERROR,
            reason=self.reason,
            tier=self.tier,
            scopes=self.scopes,
        )

    def with_problems(self, found: Sequence[FieldProblem]) -> "Typed":
        """The form with what is wrong with it, the first thing of each field."""
        told = {
            problem.field: words.phrases.sentence(problem.reason) for problem in reversed(found)
        }
        if self.category is None:
            told["category"] = "Choose what kind of finding it is"
        return replace(self, problems=told)


@dataclass(frozen=True, slots=True)
class Listed:
    """The rules of one creator by kind, the newest first."""

    by_kind: Mapping[RuleKind, Sequence[Record]]

    @property
    def total(self) -> int:
        return sum(map(len, self.by_kind.values()))

    @property
    def room(self) -> int:
        """How many more there may be."""
        return max(MOST_RULES - self.total, 0)


@dataclass(frozen=True, slots=True)
class Sample:
    """A text that is tried. `released` is what only the exceptions let through."""

    text: str = ""
    scope: Scope = Scope.CHATTER
    report: SafetyReport | None = None
    released: Sequence[Finding] = ()

    @property
    def outcome(self) -> str:
        """What becomes of the text, in a sentence."""
        if self.report is None:
            return ""
        return _OUTCOMES[self.scope, self.report.verdict]


_OUTCOMES: Mapping[tuple[Scope, Verdict], str] = {
    (Scope.DRAFT, Verdict.ALLOW): "The filter has nothing against this draft.",
    (Scope.DRAFT, Verdict.REVIEW): "This draft waits for a person.",
    (Scope.DRAFT, Verdict.BLOCK): "This draft is stopped.",
    (Scope.CHATTER, Verdict.ALLOW): "The filter has nothing against this message.",
    (Scope.CHATTER, Verdict.REVIEW): "This message is sent; its writer is told what was found.",
    (Scope.CHATTER, Verdict.BLOCK): "This message cannot be sent.",
    (Scope.FAN, Verdict.ALLOW): "Nothing is noticed in what this fan wrote.",
    (Scope.FAN, Verdict.REVIEW): "Something is noticed in what this fan wrote.",
    (Scope.FAN, Verdict.BLOCK): "Something is noticed in what this fan wrote.",
}


def creator_of(desk: Desk, creator_id: UUID | None) -> UUID | None:
    """The creator whose rules are shown, the first by default; raises NotFound for a foreign one.

    None where there is no creator at all.
    """
    if creator_id is None:
        return next(iter(desk.creators), None)
    if creator_id not in desk.creators:
        raise NotFound("creator")
    return creator_id


async def read_listed(parts: Parts, creator_id: UUID) -> Listed:
    """A creator's rules in force."""
    async with parts.pool.connection() as connection:
        sent = await content_rules.listed(connection, [creator_id], MOST_RULES)
        found = list(reversed(await sent.answer()))
    return Listed({kind: [one for one in found if one["kind"] == kind.value] for kind in RuleKind})


def sample_of(text: str, scope: Scope, tried: TriedText) -> Sample:
    """What the page says about a text that was tried."""
    with_rules = tried.with_rules.findings
    places = {(found.category, place) for found in with_rules for place in _places(found)}
    released = [
        found
        for found in tried.without_rules.findings
        if found.category is not Category.OBFUSCATION
        and not places.intersection((found.category, place) for place in _places(found))
    ]
    return Sample(text, scope, tried.with_rules, released)


def _places(found: Finding) -> range:
    return range(found.start, max(found.end, found.start + 1))


def is_own(found: Finding) -> bool:
    """Whether a finding is a rule's of the creator's own."""
    return found.rule.startswith(_PREFIX)


def may_be_excepted(found: Finding) -> bool:
    """Whether an exception for exactly this would be taken."""
    return (
        not is_own(found)
        and found.category in EXCEPTED_FROM
        and found.category is not Category.OBFUSCATION
        and 0 < len(found.matched) <= LONGEST_PHRASE
    )
