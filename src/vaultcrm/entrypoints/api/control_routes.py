"""Flags, audit, health and inbound webhooks."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse, Response
from psycopg import Error as DatabaseError
from psycopg_pool import PoolTimeout

from vaultcrm.controls.auth import require_role
from vaultcrm.db.migrate import head
from vaultcrm.db.pending import Record
from vaultcrm.db.queries import audit
from vaultcrm.db.queries.observations import revision_of
from vaultcrm.domain.ids import NIL
from vaultcrm.domain.people import Role
from vaultcrm.entrypoints.api.context import (
    CallerDep,
    PartsDep,
    creators_asked_for,
    json_response,
    once,
    parts_of,
)
from vaultcrm.entrypoints.api.fields import Line
from vaultcrm.entrypoints.api.paging import Cursor, Limit, Page, Place, listing
from vaultcrm.entrypoints.api.schemas.control import (
    AuditOut,
    FlagIn,
    FlagOut,
    FlagPage,
    HealthOut,
    WebhookOut,
)
from vaultcrm.workflows.observe import worker_is_alive
from vaultcrm.workflows.parts import Receipt
from vaultcrm.workflows.receive_message import accept_webhook
from vaultcrm.workflows.set_flag import FlagInForce, flags_in_force, set_flag

router = APIRouter()

_AUDIT = listing(AuditOut, id=UUID)


@router.get("/api/flags", tags=["Control"])
async def get_flags(
    parts: PartsDep,
    caller: CallerDep,
    creator_id: Annotated[UUID | None, Query(alias="creatorId")] = None,
) -> FlagPage:
    """Every flag with its value in force, for one creator or the whole installation."""
    return _flag_page(await flags_in_force(parts, caller, creator_id))


def _flag_page(flags: tuple[FlagInForce, ...]) -> FlagPage:
    return FlagPage(
        items=[
            FlagOut.model_validate({"name": f.name, "value": f.value, "source": f.source})
            for f in flags
        ]
    )


@router.post("/api/flags", tags=["Control"], response_model=FlagPage)
async def post_flag(request: Request, body: FlagIn, parts: PartsDep, caller: CallerDep) -> Response:
    """Override a flag at run time, or take an override away. Each change is audited."""

    def encode(flags: tuple[FlagInForce, ...]) -> str:
        return _flag_page(flags).model_dump_json(by_alias=True)

    async def work(receipt: Receipt | None) -> Response:
        in_force = await set_flag(
            parts,
            caller,
            creator_id=body.creator_id,
            name=body.name,
            value=body.value,
            reason=body.reason,
            receipt=receipt,
            encode=encode,
        )
        return json_response(encode(in_force))

    return await once(request, parts, caller.user_id, work)


@router.get("/api/audit", tags=["Control"], response_model=Page[AuditOut])
async def get_audit(
    parts: PartsDep,
    caller: CallerDep,
    limit: Limit = 50,
    cursor: Cursor = None,
    creator_id: Annotated[UUID | None, Query(alias="creatorId")] = None,
) -> Response:
    """What happened, the newest first. Entries of the whole installation are for admins."""
    require_role(caller, Role.ADMIN, Role.MANAGER)

    async def read(before: Place | None, most: int) -> list[Record]:
        async with parts.pool.connection() as connection:
            creator_ids = await creators_asked_for(connection, caller, creator_id)
            if creator_id is None and caller.role is Role.ADMIN:
                creator_ids.append(NIL)
            sent = await audit.page(
                connection, creator_ids, before=before[0] if before else None, limit=most
            )
            return await sent.answer()

    return await _AUDIT.page(limit, cursor, read)


@router.post("/api/webhooks/{channel}/{creator_handle}", tags=["Webhooks"], status_code=202)
async def webhook(request: Request, channel: Line, creator_handle: Line) -> WebhookOut:
    """What a platform tells us. Kept first, answered, then worked through."""
    body = await request.body()
    new = await accept_webhook(parts_of(request), channel, creator_handle, request.headers, body)
    return WebhookOut(accepted=True, duplicate=not new)


@router.get("/healthz", tags=["Health"])
async def healthz() -> HealthOut:
    """The process is alive."""
    return HealthOut(status="ok")


@router.get("/readyz", tags=["Health"], responses={503: {"model": HealthOut}})
async def readyz(request: Request) -> Response:
    """The process can work: the database answers and has this release's schema, or a newer one.

    `worker` says whether a worker was seen in the last minute. Without one this process can work
    all the same: what it defers waits.
    """
    parts = parts_of(request)
    try:
        async with parts.pool.connection(timeout=2) as connection:
            revision = await revision_of(connection)
            alive = await worker_is_alive(parts, connection)
    except (DatabaseError, PoolTimeout):
        body = HealthOut(status="unavailable", detail="The database does not answer.")
        return JSONResponse(body.model_dump(by_alias=True), 503)
    if revision is None or revision < head():
        body = HealthOut(status="unavailable", detail="The database needs vaultcrm migrate.")
        return JSONResponse(body.model_dump(by_alias=True), 503)
    body = HealthOut(status="ok", worker="alive" if alive else "silent")
    return JSONResponse(body.model_dump(by_alias=True))
