"""Data: how long things are kept, who was erased, and one fan's export and erasure."""

from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form
from fastapi.responses import Response, StreamingResponse

from vaultcrm.controls.auth import require_role
from vaultcrm.db.queries import erasures, retention
from vaultcrm.domain.erasure import LAST_LOOK_AFTER, LONGEST_REASON
from vaultcrm.domain.errors import InvalidInput
from vaultcrm.domain.people import Role
from vaultcrm.entrypoints.api.context import PartsDep
from vaultcrm.entrypoints.api.fields import FreeText
from vaultcrm.entrypoints.web.frame.desk import Desk, DeskDep, open_desk
from vaultcrm.entrypoints.web.frame.pages import HEADERS, page, redirect
from vaultcrm.entrypoints.web.frame.sessions import FormSessionDep
from vaultcrm.entrypoints.web.text import words
from vaultcrm.workflows.erase_fan import erase_fan, look_at_fan
from vaultcrm.workflows.export_fan import export_fan
from vaultcrm.workflows.parts import Parts
from vaultcrm.workflows.prune import periods

router = APIRouter(prefix="/data")

ERASURES = 50


@router.get("")
async def data_page(parts: PartsDep, desk: DeskDep, done: str | None = None) -> Response:
    """For how long each kind of row is kept, and the latest erasures. For admins."""
    require_role(desk.caller, Role.ADMIN)
    async with parts.pool.connection() as connection:
        noted = await retention.noted(connection)
        erased = await (await erasures.page(connection, list(desk.creators), ERASURES)).answer()
    return page(
        "data/data.html",
        desk=desk,
        here="data",
        kept=periods(parts.settings),
        noted=noted,
        erased=erased,
        last_look_after=LAST_LOOK_AFTER,
        done=words.forms.DONE.get(done or "", ""),
    )


@router.get("/fans/{creator_id}/{fan_id}")
async def fan_page(parts: PartsDep, desk: DeskDep, creator_id: UUID, fan_id: UUID) -> Response:
    """What is held about a fan: to be exported, and by an admin to be erased."""
    return await _fan_page(parts, desk, creator_id, fan_id)


@router.post("/fans/{creator_id}/{fan_id}/export")
async def export(
    parts: PartsDep, session: FormSessionDep, creator_id: UUID, fan_id: UUID
) -> Response:
    """Everything that is held about a fan, as a file."""
    pieces = await export_fan(parts, session.caller, creator_id, fan_id)
    return StreamingResponse(
        pieces,
        media_type="application/json",
        headers={**HEADERS, "Content-Disposition": f'attachment; filename="fan-{fan_id}.json"'},
    )


@router.post("/fans/{creator_id}/{fan_id}/erase")
async def erase(
    parts: PartsDep,
    session: FormSessionDep,
    creator_id: UUID,
    fan_id: UUID,
    handle: Annotated[FreeText, Form()] = "",
    reason: Annotated[FreeText, Form()] = "",
) -> Response:
    """Erase a fan, whose handle was typed."""
    try:
        await erase_fan(parts, session.caller, creator_id, fan_id, handle=handle, reason=reason)
    except InvalidInput as refused:
        return await _fan_page(
            parts,
            await open_desk(parts, session),
            creator_id,
            fan_id,
            wrong={problem.field: problem.reason for problem in refused.problems},
            typed={"handle": handle, "reason": reason},
            status=HTTPStatus.UNPROCESSABLE_ENTITY,
        )
    return redirect("/data", done="fan_erased")


async def _fan_page(
    parts: Parts,
    desk: Desk,
    creator_id: UUID,
    fan_id: UUID,
    *,
    wrong: dict[str, str] | None = None,
    typed: dict[str, str] | None = None,
    status: HTTPStatus = HTTPStatus.OK,
) -> Response:
    require_role(desk.caller, Role.MANAGER, Role.ADMIN)
    found, held = await look_at_fan(parts, desk.caller, creator_id, str(fan_id))
    return page(
        "data/fan.html",
        status,
        desk=desk,
        here="data",
        creator_id=creator_id,
        fan=found,
        held=held,
        may_erase=desk.caller.is_one_of(Role.ADMIN),
        longest=LONGEST_REASON,
        wrong=wrong or {},
        typed=typed or {},
    )
