"""`vaultcrm budget …`: what models may use, a day or a month."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from vaultcrm.domain.budgets import BudgetKey, BudgetPeriod, BudgetScope, BudgetUnit
from vaultcrm.domain.errors import FieldProblem, InvalidInput
from vaultcrm.domain.ids import NIL
from vaultcrm.domain.people import SYSTEM_USER_ID, Caller, Role
from vaultcrm.entrypoints.cli.environment import run, settings_or_exit, stdout

if TYPE_CHECKING:
    from uuid import UUID

    from vaultcrm.domain.budgets import Budget
    from vaultcrm.settings import Settings
    from vaultcrm.workflows.parts import Parts, Pool

budgets = typer.Typer(no_args_is_help=True, add_completion=False)

CreatorOption = Annotated[
    str | None, typer.Option("--creator", metavar="HANDLE", help="of this creator")
]
UserOption = Annotated[
    str | None, typer.Option("--user", metavar="EMAIL", help="of this person, or program by name")
]
PeriodOption = Annotated[BudgetPeriod, typer.Option("--per", help="a day or a month")]
ReasonOption = Annotated[str, typer.Option(metavar="TEXT", help="why; the audit log keeps it")]


@budgets.callback()
def budgets_are_a_group() -> None:
    """What models may use: list, set, clear.

    A budget is of a creator, of a person or, with neither, of everybody together. Calls are slowed
    near it and refused at it.
    """


@budgets.command("list")
def list_them() -> None:
    """Every budget with what is used of it."""
    from vaultcrm.workflows.manage_budgets import list_budgets

    settings = settings_or_exit()

    async def work() -> "tuple[Budget, ...]":
        async with _opened(settings) as (parts, caller):
            return await list_budgets(parts, caller)

    found = run(work)
    for budget in found:
        _tell(budget)
    if not found:
        stdout.print("No budget is set.", markup=False)


@budgets.command("set")
def set_one(
    amount: Annotated[str, typer.Argument(metavar="AMOUNT", help="12.50, or a number of tokens")],
    reason: ReasonOption,
    unit: Annotated[BudgetUnit, typer.Option("--in", help="usd or tokens")] = BudgetUnit.USD,
    period: PeriodOption = BudgetPeriod.DAY,
    creator: CreatorOption = None,
    user: UserOption = None,
) -> None:
    """Set a budget, or change it; 0 lets nothing be spent. In force from the next call on."""
    from vaultcrm.workflows.manage_budgets import counted

    settings = settings_or_exit()

    async def work() -> "Budget | None":
        return await _change(settings, creator, user, period, unit, counted(amount, unit), reason)

    found = run(work)
    if found is not None:
        _tell(found)


@budgets.command("clear")
def clear(
    reason: ReasonOption,
    unit: Annotated[BudgetUnit, typer.Option("--in", help="usd or tokens")] = BudgetUnit.USD,
    period: PeriodOption = BudgetPeriod.DAY,
    creator: CreatorOption = None,
    user: UserOption = None,
) -> None:
    """Take a budget away."""
    settings = settings_or_exit()

    async def work() -> None:
        await _change(settings, creator, user, period, unit, None, reason)

    run(work)
    stdout.print("There is no such budget any more.", markup=False)


async def _change(
    settings: "Settings",
    creator: str | None,
    user: str | None,
    period: BudgetPeriod,
    unit: BudgetUnit,
    ceiling: int | None,
    reason: str,
) -> "Budget | None":
    from vaultcrm.workflows.manage_budgets import set_budget

    async with _opened(settings) as (parts, caller):
        scope, subject = await _subject(parts.pool, creator, user)
        key = BudgetKey(scope, subject, period, unit)
        found = await set_budget(parts, caller, key, ceiling, reason)
    return next((budget for budget in found if budget.key == key), None)


async def _subject(
    pool: "Pool", creator: str | None, user: str | None
) -> "tuple[BudgetScope, UUID]":
    """Whose budget is meant; raises InvalidInput for nobody we know, and for two at once."""
    from vaultcrm.db.queries import access, creators

    if creator is not None and user is not None:
        raise InvalidInput(FieldProblem("--user", "name a creator or a person, not both"))
    async with pool.connection() as connection:
        if creator is not None:
            found = await (await creators.creator_by_handle(connection, creator)).answer()
            if found is None:
                raise InvalidInput(FieldProblem("--creator", "there is no creator of this handle"))
            return BudgetScope.CREATOR, found.id
        if user is not None:
            user_id = await access.user_by_email(connection, user) or await access.service_by_name(
                connection, user
            )
            if user_id is None:
                raise InvalidInput(FieldProblem("--user", "there is nobody of this e-mail or name"))
            return BudgetScope.USER, user_id
    return BudgetScope.INSTALLATION, NIL


@asynccontextmanager
async def _opened(settings: "Settings") -> "AsyncIterator[tuple[Parts, Caller]]":
    """The parts, and whoever works at this machine as the caller."""
    from vaultcrm.bootstrap import open_parts

    async with open_parts(settings) as parts:
        yield parts, Caller(SYSTEM_USER_ID, Role.ADMIN, "this machine", all_creators=True)


def _tell(budget: "Budget") -> None:
    from vaultcrm.domain.budgets import amount_in_words

    key = budget.key
    whose = "everybody together" if key.scope is BudgetScope.INSTALLATION else budget.name
    used = amount_in_words(budget.used, key.unit)
    limit = amount_in_words(budget.ceiling, key.unit)
    stdout.print(f"{whose}: {used} of {limit} a {key.period}", markup=False, soft_wrap=True)
