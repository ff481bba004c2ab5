"""`/api/audit/…`: seals of the audit log, and the log itself with proofs."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query
from fastapi.responses import Response, StreamingResponse

from vaultcrm.controls.auth import require_role
from vaultcrm.db.pending import Record
from vaultcrm.db.queries import audit_seals
from vaultcrm.domain.ids import NIL
from vaultcrm.domain.people import Caller, Role
from vaultcrm.entrypoints.api.context import CallerDep, PartsDep, creators_asked_for
from vaultcrm.entrypoints.api.fields import Time
from vaultcrm.entrypoints.api.paging import Cursor, Limit, Listing, Page, Place, as_sent
from vaultcrm.entrypoints.api.schemas.audit import SealOut
from vaultcrm.entrypoints.api.writing import OneCreator
from vaultcrm.workflows.export_audit import export_audit, note_export
from vaultcrm.workflows.parts import Parts

router = APIRouter(prefix="/api/audit", tags=["Control"])

MEDIA_TYPE = "application/x-ndjson"
_LINES: dict[int | str, dict[str, Any]] = {
    200: {"content": {MEDIA_TYPE: {"schema": {"type": "string"}}}, "description": "JSON Lines"}
}
_SEALS: Listing[Record] = Listing(
    show=lambda record: as_sent(SealOut.of(record)),
    place_of=lambda record: (record["id"],),
    kinds=(UUID,),
)


@router.get("/seals", response_model=Page[SealOut])
async def get_seals(
    parts: PartsDep,
    caller: CallerDep,
    limit: Limit = 50,
    cursor: Cursor = None,
    creator_id: OneCreator = None,
) -> Response:
    """Seals of the audit log, the newest first. Those of the whole installation are for admins."""
    creator_ids = await _readable(parts, caller, creator_id)

    async def read(before: Place | None, most: int) -> list[Record]:
        async with parts.pool.connection() as connection:
            sent = await audit_seals.page(
                connection, creator_ids, before=before[0] if before else None, most=most
            )
            return await sent.answer()

    return await _SEALS.page(limit, cursor, read)


@router.get("/export", response_class=StreamingResponse, responses=_LINES)
async def get_export(
    parts: PartsDep,
    caller: CallerDep,
    creator_id: OneCreator = None,
    since: Annotated[Time | None, Query(alias="from")] = None,
    until: Annotated[Time | None, Query(alias="to")] = None,
) -> Response:
    """The audit log as JSON Lines with proofs, in whole seals; `vaultcrm audit check` reads it.

    Entries of the whole installation are for admins. That it was exported is an entry too.
    """
    creator_ids = await _readable(parts, caller, creator_id)
    now = parts.now()
    await note_export(parts.pool, caller.user_id, creator_ids, since=since, until=until, now=now)
    lines = export_audit(parts.pool, creator_ids, since=since, until=until, now=now)
    return StreamingResponse(lines, media_type=MEDIA_TYPE)


async def _readable(parts: Parts, caller: Caller, creator_id: UUID | None) -> list[UUID]:
    require_role(caller, Role.ADMIN, Role.MANAGER)
    async with parts.pool.connection() as connection:
        creator_ids = await creators_asked_for(connection, caller, creator_id)
    if creator_id is None and caller.role is Role.ADMIN:
        creator_ids.append(NIL)
    return creator_ids
