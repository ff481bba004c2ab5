"""A draft on its way to being saved: what the model wrote, what was chosen, what is decided."""

from dataclasses import dataclass, replace
from uuid import UUID

from vaultcrm.domain.approval import PolicyDecision
from vaultcrm.domain.confidence import Scored
from vaultcrm.domain.drafting import Draft
from vaultcrm.domain.generation import Attempt
from vaultcrm.domain.money import Money
from vaultcrm.domain.safety import SafetyReport

CANDIDATES = 2
"""So many texts are asked for at once."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """What became of the candidates. `message` is None where there is nothing to send."""

    message: str | None
    price: Money | None
    confidence: int
    reasoning: str
    safety: SafetyReport
    alternatives: tuple[str, ...] = ()
    template_id: UUID | None = None
    inputs: tuple[float, ...] | None = None
    """What the confidence is computed from by a model; None where there is nothing to send."""
    thousandths: int | None = None
    """The model's probability that a person would send it unchanged; None without a model."""
    scored_by: UUID | None = None
    """The model that the confidence is of; None for the formula."""


@dataclass(frozen=True, slots=True)
class Drafted:
    """One draft with everything that is known of it. `attempts` are those before it.

    `draft.usage` is what all attempts used.
    """

    draft: Draft
    chosen: Chosen
    decision: PolicyDecision
    attempts: tuple[Attempt, ...] = ()
    scored: Scored | None = None

    def noted(self, note: str) -> "Drafted":
        """The same with one more sentence for people."""
        told = f"{self.draft.note} {note}".strip()
        return replace(self, draft=replace(self.draft, note=told))
