"""Budgets and costs. Dollars are decimals; tokens are whole numbers."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, FiniteFloat

from vaultcrm.domain.budgets import (
    MICRO_USD,
    MOST,
    Budget,
    BudgetKey,
    BudgetPeriod,
    BudgetScope,
    BudgetUnit,
)
from vaultcrm.domain.costs import CostGroup, CostSum, Forecast
from vaultcrm.domain.errors import FieldProblem, InvalidInput
from vaultcrm.domain.ids import NIL
from vaultcrm.entrypoints.api.fields import Line, Schema
from vaultcrm.workflows.manage_budgets import counted

Amount = Annotated[FiniteFloat, Field(ge=0, le=MOST / MICRO_USD)]


class BudgetIn(Schema):
    """`creatorId` for a creator's budget, `userId` for a user's, neither for the installation's.
    `amount` is in the unit: tokens, or dollars; 0 lets nothing be spent, null takes it away.
    """

    scope: BudgetScope
    creator_id: UUID | None = None
    user_id: UUID | None = None
    period: BudgetPeriod
    unit: BudgetUnit
    amount: Amount | None
    reason: Line

    def key(self) -> BudgetKey:
        """Raises InvalidInput where the scope and the ids do not fit together."""
        subject = NIL
        for field, scope, found in (
            ("creatorId", BudgetScope.CREATOR, self.creator_id),
            ("userId", BudgetScope.USER, self.user_id),
        ):
            if (scope is self.scope) != (found is not None):
                told = "must be given" if found is None else "does not belong to this scope"
                raise InvalidInput(FieldProblem(field, told))
            if found is not None:
                subject = found
        if subject == NIL and self.scope is not BudgetScope.INSTALLATION:
            raise InvalidInput(FieldProblem("scope", "names nobody"))
        return BudgetKey(self.scope, subject, self.period, self.unit)

    def ceiling(self) -> int | None:
        """In tokens or millionths of a dollar. Raises InvalidInput for a part of a token."""
        return None if self.amount is None else counted(str(self.amount), self.unit)


class BudgetOut(Schema):
    """`amount` and `used`, which counts what is reserved, are in the unit."""

    scope: BudgetScope
    creator_id: UUID | None
    user_id: UUID | None
    name: str
    period: BudgetPeriod
    unit: BudgetUnit
    amount: float
    used: float
    reason: str
    set_by: str | None
    set_at: datetime

    @classmethod
    def of(cls, budget: Budget) -> "BudgetOut":
        key = budget.key
        factor = MICRO_USD if key.unit is BudgetUnit.USD else 1
        return cls(
            scope=key.scope,
            creator_id=key.subject if key.scope is BudgetScope.CREATOR else None,
            user_id=key.subject if key.scope is BudgetScope.USER else None,
            name=budget.name,
            period=key.period,
            unit=key.unit,
            amount=budget.ceiling / factor,
            used=budget.used / factor,
            reason=budget.reason,
            set_by=budget.set_by,
            set_at=budget.set_at,
        )


class BudgetPage(Schema):
    items: list[BudgetOut]
    next_cursor: None = None


class CostTokensOut(Schema):
    """`input` leaves tokens out that were read from the provider's cache; they are `cached`."""

    input: int
    output: int
    cached: int


class CostSumOut(Schema):
    """`key` is a creator's id, a model or a purpose; `name` is for people."""

    key: str
    name: str
    calls: int
    tokens: CostTokensOut
    cost_usd: float

    @classmethod
    def of(cls, found: CostSum, name: str) -> "CostSumOut":
        return cls(
            key=found.key,
            name=name,
            calls=found.calls,
            tokens=CostTokensOut(
                input=found.input_tokens, output=found.output_tokens, cached=found.cached_tokens
            ),
            cost_usd=found.micro_usd / MICRO_USD,
        )


class ForecastOut(Schema):
    """What today and this month will have cost, in the agency's time zone, judged by `days` days
    before today.
    """

    day_usd: float
    month_usd: float
    days: int

    @classmethod
    def of(cls, found: Forecast) -> "ForecastOut":
        return cls(
            day_usd=found.day / MICRO_USD, month_usd=found.month / MICRO_USD, days=found.days
        )


class CostsOut(Schema):
    """`forecast` is null while there is not enough data for one."""

    start: datetime = Field(alias="from")
    end: datetime = Field(alias="to")
    group_by: CostGroup
    total: CostSumOut
    items: list[CostSumOut]
    today_usd: float
    month_usd: float
    forecast: ForecastOut | None
    next_cursor: Literal[None] = None
