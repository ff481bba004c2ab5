"""`/api/ai/metrics`: what a period's drafts came to."""

from typing import Annotated

from fastapi import APIRouter, Query

from vaultcrm.controls.auth import require_role
from vaultcrm.domain.people import Role
from vaultcrm.entrypoints.api.context import CallerDep, PartsDep, creators_asked_for
from vaultcrm.entrypoints.api.fields import Time
from vaultcrm.entrypoints.api.schemas.metrics import MetricsOut
from vaultcrm.entrypoints.api.writing import OneCreator
from vaultcrm.workflows.read_metrics import period_asked_for, read_metrics

router = APIRouter(prefix="/api/ai", tags=["Metrics"])


@router.get("/metrics")
async def get_metrics(
    parts: PartsDep,
    caller: CallerDep,
    creator_id: OneCreator = None,
    start: Annotated[Time | None, Query(alias="from")] = None,
    end: Annotated[Time | None, Query(alias="to")] = None,
) -> MetricsOut:
    """Counts and rates over a period: the last 24 hours, or up to 92 days between `from` and `to`.

    `generations` are drafts made in it, `decisions` those made in it on drafts of any age, and
    `outcomes` is what is known by now of the messages so decided on.
    """
    require_role(caller, Role.MANAGER, Role.ADMIN, Role.SERVICE)
    period = period_asked_for(start, end, parts.now())
    async with parts.pool.connection() as connection:
        creator_ids = await creators_asked_for(connection, caller, creator_id)
        return MetricsOut.of(creator_id, await read_metrics(connection, creator_ids, period))
