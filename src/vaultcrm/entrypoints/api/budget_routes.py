"""`/api/budgets` and `/api/ai/costs`: what models may use, and what they have cost."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from vaultcrm.controls.auth import require_role
from vaultcrm.db.queries import console
from vaultcrm.domain.budgets import MICRO_USD, Budget
from vaultcrm.domain.costs import CostGroup, grouped, total
from vaultcrm.domain.people import Role
from vaultcrm.entrypoints.api.context import (
    CallerDep,
    PartsDep,
    creators_asked_for,
    json_response,
    once,
)
from vaultcrm.entrypoints.api.fields import Time
from vaultcrm.entrypoints.api.schemas.budgets import (
    BudgetIn,
    BudgetOut,
    BudgetPage,
    CostsOut,
    CostSumOut,
    ForecastOut,
)
from vaultcrm.entrypoints.api.writing import OneCreator
from vaultcrm.workflows.manage_budgets import list_budgets, set_budget
from vaultcrm.workflows.parts import Receipt
from vaultcrm.workflows.read_costs import read_costs, read_costs_now
from vaultcrm.workflows.read_metrics import period_asked_for

router = APIRouter(prefix="/api", tags=["Budgets"])


@router.get("/budgets")
async def get_budgets(parts: PartsDep, caller: CallerDep) -> BudgetPage:
    """Budgets of your creators with what is used of them; for those who act for every creator also
    those of users and of the installation.
    """
    return _page(await list_budgets(parts, caller))


def _page(found: tuple[Budget, ...]) -> BudgetPage:
    return BudgetPage(items=[BudgetOut.of(budget) for budget in found])


@router.post("/budgets", response_model=BudgetPage)
async def post_budget(
    request: Request, body: BudgetIn, parts: PartsDep, caller: CallerDep
) -> Response:
    """Set a budget or take it away, from the next call on. Each change is audited."""
    key, ceiling = body.key(), body.ceiling()

    def encode(found: tuple[Budget, ...]) -> str:
        return _page(found).model_dump_json(by_alias=True)

    async def work(receipt: Receipt | None) -> Response:
        found = await set_budget(
            parts, caller, key, ceiling, body.reason, receipt=receipt, encode=encode
        )
        return json_response(encode(found))

    return await once(request, parts, caller.user_id, work)


@router.get("/ai/costs")
async def get_costs(
    parts: PartsDep,
    caller: CallerDep,
    creator_id: OneCreator = None,
    start: Annotated[Time | None, Query(alias="from")] = None,
    end: Annotated[Time | None, Query(alias="to")] = None,
    group_by: Annotated[CostGroup, Query(alias="groupBy")] = CostGroup.CREATOR,
) -> CostsOut:
    """What calls to models cost in the last 24 hours, or in up to 92 days between `from` and `to`.

    `todayUsd`, `monthUsd` and `forecast` are of now. The purposes are `draft`, `judge`, `analysis`
    (reading what fans write), `trial` (trying a voice) and those of learning.
    """
    require_role(caller, Role.MANAGER, Role.ADMIN, Role.SERVICE)
    now, zone = parts.now(), parts.settings.agency_time_zone
    period = period_asked_for(start, end, now)
    async with parts.pool.connection() as connection:
        creator_ids = await creators_asked_for(connection, caller, creator_id)
        found = await read_costs(connection, creator_ids, period)
        of_now = await read_costs_now(connection, creator_ids, now, zone)
        known = await (await console.creators(connection, creator_ids)).answer()
    names = {str(creator.id): creator.display_name for creator in known}
    return CostsOut(
        start=period.start,
        end=period.end,
        group_by=group_by,
        total=CostSumOut.of(total(found), ""),
        items=[CostSumOut.of(one, names.get(one.key, one.key)) for one in grouped(found, group_by)],
        today_usd=total(of_now.today).micro_usd / MICRO_USD,
        month_usd=total(of_now.month).micro_usd / MICRO_USD,
        forecast=None if of_now.forecast is None else ForecastOut.of(of_now.forecast),
    )
