"""Care for fans: what chatters are told, caps on offers and spending, fans at risk."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from vaultcrm.db.pending import Connection
from vaultcrm.domain.people import Caller
from vaultcrm.entrypoints.api.context import CallerDep, PartsDep
from vaultcrm.entrypoints.api.paging import Cursor, Limit, Page, decode_cursor, encode_cursor, place
from vaultcrm.entrypoints.api.schemas.care import (
    CoolingOffIn,
    EndIn,
    FanAtRiskOut,
    FanCapsOut,
    GuidanceIn,
    GuidanceOut,
    GuidancePage,
    LiftIn,
)
from vaultcrm.entrypoints.api.writing import OneCreator, write_once
from vaultcrm.workflows.guide_care import Guidance, read_guidance, set_guidance
from vaultcrm.workflows.parts import Parts
from vaultcrm.workflows.spending_care import (
    FanCaps,
    end_cooling_off,
    lift_caps,
    list_at_risk,
    read_caps,
    start_cooling_off,
)

router = APIRouter(prefix="/api", tags=["Care"])

Creator = Annotated[UUID, Query(alias="creatorId")]


@router.get("/care/guidance")
async def get_guidance(parts: PartsDep, caller: CallerDep, creator_id: Creator) -> GuidancePage:
    """What chatters of a creator are told where a fan needs care, one text for each kind."""
    return _guidance(await read_guidance(parts, caller, creator_id))


@router.put("/care/guidance")
async def put_guidance(body: GuidanceIn, parts: PartsDep, caller: CallerDep) -> GuidancePage:
    """Set what chatters are told, or go back to the product's own text. For managers."""
    return _guidance(await set_guidance(parts, caller, body.creator_id, body.kind, body.text))


def _guidance(texts: tuple[Guidance, ...]) -> GuidancePage:
    return GuidancePage(items=[GuidanceOut.of(text) for text in texts])


@router.get("/care/fans")
async def get_fans_at_risk(
    parts: PartsDep,
    caller: CallerDep,
    limit: Limit = 50,
    cursor: Cursor = None,
    creator_id: OneCreator = None,
) -> Page[FanAtRiskOut]:
    """Fans near or over a cap, cooling off, or spending steeply more. For managers."""
    [offset] = decode_cursor(cursor, place) or (0,)
    found = await list_at_risk(parts, caller, creator_id, limit=limit + 1, offset=max(0, offset))
    return Page(
        items=[FanAtRiskOut.of(fan) for fan in found[:limit]],
        next_cursor=encode_cursor(offset + limit) if len(found) > limit else None,
    )


@router.get("/fans/{fan_id}/caps")
async def get_caps(
    parts: PartsDep, caller: CallerDep, fan_id: UUID, creator_id: Creator
) -> FanCapsOut:
    """How a fan stands to the caps on offers and spending."""
    return FanCapsOut.of(creator_id, await read_caps(parts, caller, creator_id, fan_id))


@router.post("/fans/{fan_id}/cooling-off", response_model=FanCapsOut)
async def post_cooling_off(
    request: Request, fan_id: UUID, body: CoolingOffIn, parts: PartsDep, caller: CallerDep
) -> Response:
    """Send a fan no offers for some hours. For managers; audited with the reason."""
    return await _changed_caps(
        request,
        parts,
        caller,
        body.creator_id,
        lambda connection: start_cooling_off(
            parts, connection, caller, body.creator_id, fan_id, hours=body.hours, reason=body.reason
        ),
    )


@router.post("/fans/{fan_id}/cooling-off/end", response_model=FanCapsOut)
async def post_end_of_cooling_off(
    request: Request, fan_id: UUID, body: EndIn, parts: PartsDep, caller: CallerDep
) -> Response:
    """Let a fan cool off no longer; the caps go on holding. For managers."""
    return await _changed_caps(
        request,
        parts,
        caller,
        body.creator_id,
        lambda connection: end_cooling_off(
            parts, connection, caller, body.creator_id, fan_id, reason=body.reason
        ),
    )


@router.post("/fans/{fan_id}/caps/lift", response_model=FanCapsOut)
async def post_lift(
    request: Request, fan_id: UUID, body: LiftIn, parts: PartsDep, caller: CallerDep
) -> Response:
    """Let no cap hold for a fan for some hours. For managers; audited with the reason."""
    return await _changed_caps(
        request,
        parts,
        caller,
        body.creator_id,
        lambda connection: lift_caps(
            parts, connection, caller, body.creator_id, fan_id, hours=body.hours, reason=body.reason
        ),
    )


@router.post("/fans/{fan_id}/caps/restore", response_model=FanCapsOut)
async def post_restore(
    request: Request, fan_id: UUID, body: EndIn, parts: PartsDep, caller: CallerDep
) -> Response:
    """Let the caps hold for a fan again. For managers."""
    return await _changed_caps(
        request,
        parts,
        caller,
        body.creator_id,
        lambda connection: lift_caps(
            parts, connection, caller, body.creator_id, fan_id, hours=None, reason=body.reason
        ),
    )


async def _changed_caps(
    request: Request,
    parts: Parts,
    caller: Caller,
    creator_id: UUID,
    change: Callable[[Connection], Awaitable[FanCaps]],
) -> Response:
    """Do one change once, and answer how the fan stands to their caps then."""

    async def write(connection: Connection) -> dict[str, Any]:
        return FanCapsOut.of(creator_id, await change(connection)).model_dump()

    return await write_once(request, parts, caller, creator_id, FanCapsOut, write, status=200)
