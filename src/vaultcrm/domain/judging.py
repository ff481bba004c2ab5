"""What a model is asked about a text whose meaning rules cannot see, and what it answers.

A judge adds findings of its own and clears doubts that rules had; it never lifts a block. The
adapters that implement `Drafter` implement the port `Judge` too, and one contract test suite runs
over all three.
"""

from dataclasses import dataclass
from typing import Protocol

from vaultcrm.domain.drafting import DraftOutcome, Phrase, Prompt
from vaultcrm.domain.generation import TokenUsage
from vaultcrm.domain.safety import Category, FindingTier

JUDGED = (
    Category.MINORS,
    Category.DISTRESS,
    Category.VIOLENCE,
    Category.MEETING,
    Category.OFF_PLATFORM_PAYMENT,
    Category.OFF_PLATFORM_CONTACT,
    Category.HARASSMENT,
    Category.DRUGS_WEAPONS,
    Category.DECEPTION,
    Category.PRESSURE,
    Category.EXPLICIT,
)
"""What a judge may find, in the order in which it is asked for."""

JUDGED_TIERS = (FindingTier.BLOCK, FindingTier.REVIEW)

SETTLED = frozenset(
    {
        Category.VIOLENCE,
        Category.MEETING,
        Category.HARASSMENT,
        Category.DRUGS_WEAPONS,
        Category.DECEPTION,
        Category.PRESSURE,
    }
)
"""Where the meaning decides, so that a judge may clear what a rule only doubts. Age, distress,
contact, payment and personal data are not among them: there a person looks."""

LONGEST_REASON = 200
MOST_FINDINGS = 12


@dataclass(frozen=True, slots=True)
class JudgeRequest:
    """One call: the prompt with the text fenced in it, and the text itself.

    `user_hash` is an opaque hash for the provider's abuse checks. `text`, `fan_name` and
    `repertoire` serve the retrieval drafter, which reads no prompt.
    """

    prompt: Prompt
    text: str
    user_hash: str = ""
    fan_name: str = ""
    repertoire: tuple[Phrase, ...] = ()


@dataclass(frozen=True, slots=True)
class JudgeFinding:
    """One thing that a judge saw. `quote` is what it says the text says, word for word or not."""

    category: Category
    tier: FindingTier
    quote: str
    reason: str


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a judge answers. Anything but `COMPLETE` is no judgement: a person decides then.

    `cleared` names the categories of doubts that are harmless in context; only those of `SETTLED`
    count. `usage` sums all attempts.
    """

    outcome: DraftOutcome
    findings: tuple[JudgeFinding, ...]
    cleared: frozenset[Category]
    usage: TokenUsage
    model: str


class Judge(Protocol):
    """Reads what a text means. Raises the errors of `vaultcrm.domain.errors.DrafterError`."""

    checker: str
    """The model that judges, as it is priced and logged."""

    async def judge(self, request: JudgeRequest) -> Judgement:
        """What the text means, by the checker model."""
