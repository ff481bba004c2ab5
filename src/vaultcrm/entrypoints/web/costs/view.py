"""Costs and budgets as they stand on the page."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from vaultcrm.domain.budgets import (
    Budget,
    BudgetPeriod,
    BudgetScope,
    BudgetUnit,
    amount_in_words,
)
from vaultcrm.domain.costs import CostGroup, CostSum, CostTally, grouped, total
from vaultcrm.domain.limits import Windows
from vaultcrm.domain.people import Creator
from vaultcrm.entrypoints.web.dashboard.figures import MICRO_USD, usd

FULL_FROM = 0.9
"""Share of a budget from which it is marked: there calls are slowed."""

PURPOSES: Mapping[str, str] = {
    "draft": "Drafts",
    "judge": "Judging drafts",
    "analysis": "Reading fans’ messages",
    "trial": "Trying voices",
    "learning": "Learning",
}
GROUPS: Mapping[CostGroup, str] = {
    CostGroup.CREATOR: "By creator",
    CostGroup.MODEL: "By model",
    CostGroup.PURPOSE: "By purpose",
}
PERIODS: Mapping[BudgetPeriod, str] = {BudgetPeriod.DAY: "a day", BudgetPeriod.MONTH: "a month"}
UNITS: Mapping[BudgetUnit, str] = {BudgetUnit.USD: "dollars", BudgetUnit.TOKENS: "tokens"}


@dataclass(frozen=True, slots=True)
class CostRow:
    """One line of costs. `share` (0 to 1) is of the dearest line; `cached` is the share of what was
    read that came from the provider's cache.
    """

    name: str
    cost: str
    share: float
    calls: int
    tokens: int
    cached: str


@dataclass(frozen=True, slots=True)
class BudgetRow:
    """One budget. `share` is at most 1, for the bar."""

    id: str
    subject: str
    name: str
    limit: str
    used: str
    share: float
    is_near: bool
    is_full: bool
    ends: datetime
    budget: Budget


def dollars(micro_usd: int) -> str:
    """`$0.004`, `$12.00`."""
    return usd(micro_usd / MICRO_USD)


def cost_rows(
    tallies: tuple[CostTally, ...], group: CostGroup, creators: Mapping[UUID, Creator]
) -> tuple[CostRow, ...]:
    """The lines of one way to tell costs apart, the dearest first."""
    sums = grouped(tallies, group)
    most = max((one.micro_usd for one in sums), default=0)
    return tuple(
        CostRow(
            name=_name(one.key, group, creators),
            cost=dollars(one.micro_usd),
            share=one.micro_usd / most if most else 0.0,
            calls=one.calls,
            tokens=one.input_tokens + one.output_tokens + one.cached_tokens,
            cached=cached_share(one),
        )
        for one in sums
    )


def cached_share(one: CostSum) -> str:
    """Of the tokens that were read, those from the provider's cache; nothing for none."""
    read = one.input_tokens + one.cached_tokens
    return f"{one.cached_tokens / read:.0%}" if read else ""


def whole(tallies: Iterable[CostTally]) -> CostRow:
    """All of it in one line."""
    one = total(tallies)
    tokens = one.input_tokens + one.output_tokens + one.cached_tokens
    return CostRow("", dollars(one.micro_usd), 1.0, one.calls, tokens, cached_share(one))


def _name(key: str, group: CostGroup, creators: Mapping[UUID, Creator]) -> str:
    match group:
        case CostGroup.CREATOR:
            found = creators.get(UUID(key))
            return key if found is None else found.display_name
        case CostGroup.MODEL:
            return "No model (retrieval)" if key == "retrieval" else key
        case CostGroup.PURPOSE:
            return PURPOSES.get(key, key.replace("_", " ").capitalize())


def budget_rows(budgets: tuple[Budget, ...], windows: Windows) -> tuple[BudgetRow, ...]:
    """The budgets with how full they are."""
    return tuple(_budget_row(budget, windows) for budget in budgets)


def _used(budget: Budget) -> str:
    if budget.key.unit is BudgetUnit.USD:
        return dollars(budget.used)
    return amount_in_words(budget.used, budget.key.unit)


def _budget_row(budget: Budget, windows: Windows) -> BudgetRow:
    key = budget.key
    name = "Everybody together" if key.scope is BudgetScope.INSTALLATION else budget.name
    return BudgetRow(
        id=f"budget-{key.kind}-{key.subject}",
        subject=str(key.subject),
        name=name,
        limit=f"{amount_in_words(budget.ceiling, key.unit)} {PERIODS[key.period]}",
        used=_used(budget),
        share=min(budget.share, 1.0),
        is_near=budget.share >= FULL_FROM,
        is_full=budget.share >= 1.0,
        ends=windows.of(key.kind)[1],
        budget=budget,
    )
