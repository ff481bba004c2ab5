"""`/api/ai/rollout`: how each stage does. And complaints, which it is judged by."""

from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import Response

from vaultcrm.controls.auth import require_role
from vaultcrm.domain.people import Role
from vaultcrm.entrypoints.api.context import (
    CallerDep,
    PartsDep,
    creators_asked_for,
    json_response,
    once,
)
from vaultcrm.entrypoints.api.schemas.rollout import ComplaintIn, ComplaintOut, RolloutOut
from vaultcrm.entrypoints.api.writing import OneCreator
from vaultcrm.workflows.mark_complaint import Complained, mark_complaint
from vaultcrm.workflows.parts import Receipt
from vaultcrm.workflows.rollout_health import read_rollout

router = APIRouter(prefix="/api/ai", tags=["Rollout"])


@router.get("/rollout")
async def get_rollout(
    parts: PartsDep, caller: CallerDep, creator_id: OneCreator = None
) -> RolloutOut:
    """The stage of each creator, and how well it does. It is moved with POST /api/flags."""
    require_role(caller, Role.MANAGER, Role.ADMIN, Role.SERVICE)
    async with parts.pool.connection() as connection:
        creator_ids = await creators_asked_for(connection, caller, creator_id)
        return RolloutOut.of(await read_rollout(parts, connection, creator_ids))


@router.post("/generations/{generation_id}/complaint", response_model=ComplaintOut)
async def post_complaint(
    request: Request, generation_id: UUID, body: ComplaintIn, parts: PartsDep, caller: CallerDep
) -> Response:
    """Mark that a fan has complained about the message that was sent of a draft."""

    def encode(done: Complained) -> str:
        return ComplaintOut(
            generation_id=done.generation_id, complaint=done.complaint
        ).model_dump_json(by_alias=True)

    async def work(receipt: Receipt | None) -> Response:
        done = await mark_complaint(
            parts,
            caller,
            generation_id,
            complaint=body.complaint,
            receipt=receipt,
            encode=encode,
        )
        return json_response(encode(done))

    return await once(request, parts, caller.user_id, work)
