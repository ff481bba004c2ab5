"""Costs and budgets, for those who oversee."""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Form
from fastapi.responses import Response

from vaultcrm.controls.auth import require_role
from vaultcrm.db.pending import Connection
from vaultcrm.db.queries import budgets as budget_queries
from vaultcrm.domain.budgets import BudgetKey, BudgetPeriod, BudgetScope, BudgetUnit
from vaultcrm.domain.costs import CostGroup
from vaultcrm.domain.errors import InvalidInput, NotFound
from vaultcrm.domain.ids import NIL
from vaultcrm.domain.people import SYSTEM_USER_ID, Caller, Role
from vaultcrm.entrypoints.api.context import PartsDep
from vaultcrm.entrypoints.api.fields import FreeText
from vaultcrm.entrypoints.web.costs import view
from vaultcrm.entrypoints.web.frame.desk import Desk, DeskDep, open_desk
from vaultcrm.entrypoints.web.frame.pages import page, redirect
from vaultcrm.entrypoints.web.frame.sessions import FormSessionDep
from vaultcrm.entrypoints.web.text import words
from vaultcrm.workflows.manage_budgets import counted, list_budgets, sees_whole, set_budget
from vaultcrm.workflows.parts import Parts
from vaultcrm.workflows.read_costs import read_costs_now

router = APIRouter()

MOST_PEOPLE = 500
Period = Literal["day", "month"]


@router.get("/costs")
async def costs_page(
    parts: PartsDep, desk: DeskDep, period: Period = "day", done: str | None = None
) -> Response:
    """What models cost today or this month, what that will come to, and how full budgets are."""
    require_role(desk.caller, Role.MANAGER, Role.ADMIN)
    return await _page(parts, desk, period, done=words.forms.DONE.get(done or "", ""))


@router.post("/budgets")
async def change_budget(
    parts: PartsDep,
    session: FormSessionDep,
    period: Annotated[BudgetPeriod, Form()],
    unit: Annotated[BudgetUnit, Form()],
    subject: Annotated[UUID | Literal[""], Form()] = "",
    amount: Annotated[FreeText, Form()] = "",
    reason: Annotated[FreeText, Form()] = "",
    take_away: Annotated[bool, Form()] = False,
) -> Response:
    """Set a budget, or take it away. The subject is a creator, a user, or nobody for all of it."""
    require_role(session.caller, Role.MANAGER, Role.ADMIN)
    key = BudgetKey(await _scope(parts, session.caller, subject), subject or NIL, period, unit)
    try:
        ceiling = None if take_away else counted(_plain(amount), unit)
        await set_budget(parts, session.caller, key, ceiling, reason)
    except InvalidInput as refused:
        return await _page(
            parts,
            await open_desk(parts, session),
            "day",
            status=HTTPStatus.UNPROCESSABLE_ENTITY,
            problems=words.forms.problems(refused),
            typed=Typed(str(subject), period, unit, amount, reason),
        )
    return redirect("/costs", done="budget_cleared" if take_away else "budget", fragment="budgets")


@dataclass(frozen=True, slots=True)
class Typed:
    """What somebody put into the form of a budget."""

    subject: str = ""
    period: BudgetPeriod = BudgetPeriod.DAY
    unit: BudgetUnit = BudgetUnit.USD
    amount: str = ""
    reason: str = ""


def _plain(amount: str) -> str:
    """An amount as people write it, `$1,200.50`, without what is no part of the number."""
    return amount.strip().removeprefix("$").replace(",", "").strip()


async def _scope(parts: Parts, caller: Caller, subject: UUID | Literal[""]) -> BudgetScope:
    """Whose budget it is; raises NotFound for somebody else's creator and for nobody."""
    if not subject:
        return BudgetScope.INSTALLATION
    if subject == NIL:
        raise NotFound("creator")
    async with parts.pool.connection() as connection:
        for scope in (BudgetScope.CREATOR, BudgetScope.USER):
            key = BudgetKey(scope, subject, BudgetPeriod.DAY, BudgetUnit.USD)
            if await budget_queries.subject_is_known(connection, key):
                if scope is BudgetScope.CREATOR and not caller.may_see(subject):
                    break
                return scope
    raise NotFound("creator")


async def _page(
    parts: Parts,
    desk: Desk,
    period: Period,
    *,
    status: HTTPStatus = HTTPStatus.OK,
    done: str = "",
    problems: list[str] | None = None,
    typed: Typed | None = None,
) -> Response:
    zone = parts.settings.agency_time_zone
    budgets = await list_budgets(parts, desk.caller)
    async with parts.pool.connection() as connection:
        now = await read_costs_now(connection, list(desk.creators), parts.now(), zone)
        people = await _people(connection, desk.caller)
    shown = now.today if period == "day" else now.month
    return page(
        "costs/costs.html",
        status,
        desk=desk,
        here="costs",
        period=period,
        zone=zone,
        windows=now.windows,
        today=view.whole(now.today),
        month=view.whole(now.month),
        forecast=now.forecast,
        dollars=view.dollars,
        groups=[
            (name, view.cost_rows(shown, group, desk.creators))
            for group, name in view.GROUPS.items()
            if group is not CostGroup.CREATOR or len(desk.creators) > 1
        ],
        budgets=view.budget_rows(budgets, now.windows),
        people=people,
        whole=sees_whole(desk.caller),
        periods=view.PERIODS,
        units=view.UNITS,
        done=done,
        problems=problems or (),
        typed=typed or Typed(),
    )


async def _people(connection: Connection, caller: Caller) -> tuple[tuple[UUID, str], ...]:
    if not sees_whole(caller):
        return ()
    sent = await budget_queries.people(connection, SYSTEM_USER_ID, most=MOST_PEOPLE)
    return await sent.answer()
