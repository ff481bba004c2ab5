"""Budgets of the demo: two of this month's dollars, and one of a person's tokens."""

from uuid import UUID

from vaultcrm.domain.budgets import (
    MICRO_USD,
    BudgetKey,
    BudgetPeriod,
    BudgetScope,
    BudgetUnit,
)
from vaultcrm.domain.ids import NIL
from vaultcrm.domain.people import Caller
from vaultcrm.workflows.manage_budgets import set_budget
from vaultcrm.workflows.parts import Parts

CENT = MICRO_USD // 100
SHARES = (0.45, 0.8)
"""How full the months' budgets are to be, of everybody and of one creator."""


async def set_budgets(parts: Parts, caller: Caller, creator_id: UUID) -> None:
    """Set them by what this month has cost; setting them again changes them."""
    whole = BudgetKey(BudgetScope.INSTALLATION, NIL, BudgetPeriod.MONTH, BudgetUnit.USD)
    one = BudgetKey(BudgetScope.CREATOR, creator_id, BudgetPeriod.MONTH, BudgetUnit.USD)
    for key, share in zip((whole, one), SHARES, strict=True):
        found = await set_budget(parts, caller, key, 1_000 * MICRO_USD, "Agreed with the team")
        used = next(budget.used for budget in found if budget.key == key)
        ceiling = max(int(used / share) // CENT * CENT, MICRO_USD)
        await set_budget(parts, caller, key, ceiling, "Agreed with the team")
    person = BudgetKey(BudgetScope.USER, caller.user_id, BudgetPeriod.DAY, BudgetUnit.TOKENS)
    await set_budget(parts, caller, person, 50_000, "Only trying things out")
