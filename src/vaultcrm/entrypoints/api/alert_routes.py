"""`/api/alerts`: what somebody must know of."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from vaultcrm.controls.auth import require_role
from vaultcrm.db.pending import Record
from vaultcrm.db.queries import alerts
from vaultcrm.domain.people import Role
from vaultcrm.entrypoints.api.context import CallerDep, PartsDep, json_response, once
from vaultcrm.entrypoints.api.paging import Cursor, Limit, Page, Place, listing
from vaultcrm.entrypoints.api.schemas.alerts import AlertOut
from vaultcrm.workflows.alerting import acknowledge_alert
from vaultcrm.workflows.find_draft import visible_creators
from vaultcrm.workflows.parts import Receipt

router = APIRouter(prefix="/api/alerts", tags=["Control"])

_ALERTS = listing(AlertOut, id=UUID)


@router.get("", response_model=Page[AlertOut])
async def list_alerts(
    parts: PartsDep,
    caller: CallerDep,
    limit: Limit = 50,
    cursor: Cursor = None,
    is_open: Annotated[
        bool | None, Query(alias="open", description="true: not over yet; false: over")
    ] = None,
) -> Response:
    """Alerts of the installation and of the creators that you may act for, the newest first."""
    require_role(caller, Role.MANAGER, Role.ADMIN, Role.SERVICE)

    async def read(before: Place | None, most: int) -> list[Record]:
        async with parts.pool.connection() as connection:
            creator_ids = await visible_creators(connection, caller)
            sent = await alerts.list_alerts(
                connection,
                creator_ids,
                is_open=is_open,
                before=before[0] if before else None,
                limit=most,
            )
            return await sent.answer()

    return await _ALERTS.page(limit, cursor, read)


@router.post("/{alert_id}/acknowledge", response_model=AlertOut)
async def acknowledge(
    request: Request, alert_id: UUID, parts: PartsDep, caller: CallerDep
) -> Response:
    """Say that you have seen an alert. Whoever is first is kept; it stays open until it is over."""

    async def work(receipt: Receipt | None) -> Response:
        async with parts.transaction() as connection:
            alert = await acknowledge_alert(connection, caller, alert_id, parts.now())
            answer = AlertOut(**alert).model_dump_json(by_alias=True)
            if receipt is not None:
                await receipt.store(connection, answer)
        return json_response(answer)

    return await once(request, parts, caller.user_id, work)
