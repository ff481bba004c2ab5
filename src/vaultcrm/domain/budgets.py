"""Budgets: what models may use for a creator, for a user or in all, a day or a month."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from vaultcrm.domain.ids import NIL

MICRO_USD = 1_000_000
"""Millionths of a dollar in a dollar."""
MOST = 10**15
"""The greatest budget, in tokens or millionths of a dollar."""


class BudgetScope(StrEnum):
    """Whose calls count. Automatic work counts for its creator and for no user."""

    INSTALLATION = "installation"
    CREATOR = "creator"
    USER = "user"


class BudgetPeriod(StrEnum):
    DAY = "day"
    MONTH = "month"


class BudgetUnit(StrEnum):
    TOKENS = "tokens"
    USD = "usd"


@dataclass(frozen=True, slots=True)
class BudgetKey:
    """What a budget is about. `subject` is the creator's or user's id, NIL for the installation."""

    scope: BudgetScope
    subject: UUID
    period: BudgetPeriod
    unit: BudgetUnit

    def __post_init__(self) -> None:
        if (self.scope is BudgetScope.INSTALLATION) != (self.subject == NIL):
            raise ValueError("the installation's budget has no subject, and every other has one")

    @property
    def kind(self) -> str:
        """Its counter's kind, as `creator_usd_per_month`."""
        return f"{self.scope}_{self.unit}_per_{self.period}"


@dataclass(frozen=True, slots=True)
class Budget:
    """A budget with what is used and reserved of it now.

    `ceiling` and `used` are in tokens or in millionths of a dollar; a ceiling of 0 lets nothing be
    spent. `name` is the creator's or the user's.
    """

    key: BudgetKey
    ceiling: int
    used: int
    name: str
    reason: str
    set_by: str | None
    set_at: datetime

    @property
    def share(self) -> float:
        """How full it is: 0 to 1, and more where it was lowered below what was used."""
        if self.ceiling == 0:
            return 1.0
        return self.used / self.ceiling


def amount_in_words(amount: int, unit: BudgetUnit) -> str:
    """`12,000 tokens`, `$5.00`, or `$0.0312` where cents are too coarse."""
    if unit is BudgetUnit.TOKENS:
        return f"{amount:,} token{'' if amount == 1 else 's'}"
    if amount % 10_000 and amount < MICRO_USD:
        return f"${amount / MICRO_USD:.4f}"
    return f"${amount / MICRO_USD:,.2f}"
