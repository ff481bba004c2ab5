"""What fans may ask for: everything that is held about them, and to be erased."""

from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response, StreamingResponse

from vaultcrm.controls.auth import require_role
from vaultcrm.db.queries import erasures
from vaultcrm.domain.people import Role
from vaultcrm.entrypoints.api.context import (
    CallerDep,
    PartsDep,
    creators_asked_for,
    json_response,
    once,
)
from vaultcrm.entrypoints.api.schemas.data_duties import (
    ErasureIn,
    ErasureList,
    ErasureOut,
    FanExport,
)
from vaultcrm.entrypoints.api.writing import OneCreator
from vaultcrm.workflows.erase_fan import erase_fan
from vaultcrm.workflows.export_fan import export_fan
from vaultcrm.workflows.parts import Receipt

router = APIRouter(prefix="/api", tags=["Data duties"])

MOST = 200


@router.get("/fans/{fan_id}/export", response_model=FanExport)
async def get_export(
    parts: PartsDep,
    caller: CallerDep,
    fan_id: UUID,
    creator_id: Annotated[UUID, Query(alias="creatorId")],
) -> Response:
    """Everything that is held about a fan. For managers; that it was exported is audited."""
    pieces = await export_fan(parts, caller, creator_id, fan_id)
    return StreamingResponse(
        pieces,
        media_type="application/json",
        headers={"Content-Disposition": f'attachment; filename="fan-{fan_id}.json"'},
    )


@router.post("/fans/{fan_id}/erasure", response_model=ErasureOut, status_code=HTTPStatus.ACCEPTED)
async def post_erasure(
    request: Request, fan_id: UUID, body: ErasureIn, parts: PartsDep, caller: CallerDep
) -> Response:
    """Erase a fan. Nothing leaves for them from now on and their names are gone; the rest follows.

    For admins. What cannot be undone is asked for with the fan's handle and a reason.
    """

    async def work(receipt: Receipt | None) -> Response:
        erasure = await erase_fan(
            parts,
            caller,
            body.creator_id,
            fan_id,
            handle=body.handle,
            reason=body.reason,
            receipt=receipt,
            encode=lambda done: ErasureOut.of(done).model_dump_json(by_alias=True),
        )
        answer = ErasureOut.of(erasure).model_dump_json(by_alias=True)
        return json_response(answer, HTTPStatus.ACCEPTED)

    return await once(request, parts, caller.user_id, work)


@router.get("/erasures")
async def list_erasures(
    parts: PartsDep, caller: CallerDep, creator_id: OneCreator = None
) -> ErasureList:
    """The latest 200 erasures, the newest first, and how far each is. For admins."""
    require_role(caller, Role.ADMIN)
    async with parts.pool.connection() as connection:
        creator_ids = await creators_asked_for(connection, caller, creator_id)
        found = await (await erasures.page(connection, creator_ids, MOST)).answer()
    return ErasureList(items=[ErasureOut.of_record(record) for record in found])
