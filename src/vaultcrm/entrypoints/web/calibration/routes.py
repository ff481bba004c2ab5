"""The page Confidence, for managers and admins."""

from typing import Literal
from uuid import UUID

from fastapi import APIRouter
from fastapi.responses import Response

from vaultcrm.controls.auth import require_role
from vaultcrm.domain.errors import NotFound
from vaultcrm.domain.people import Role
from vaultcrm.entrypoints.api.context import PartsDep
from vaultcrm.entrypoints.web.calibration.view import LEFT, SIDE, TOP, card, diagram
from vaultcrm.entrypoints.web.frame.desk import DeskDep
from vaultcrm.entrypoints.web.frame.pages import page, redirect
from vaultcrm.entrypoints.web.frame.sessions import FormSessionDep
from vaultcrm.entrypoints.web.text import times, words
from vaultcrm.workflows.read_calibration import ask_for_calibration, read_calibration

router = APIRouter(prefix="/calibration")


@router.get("")
async def calibration_page(
    parts: PartsDep,
    desk: DeskDep,
    creator: UUID | Literal[""] = "",
    done: str | None = None,
) -> Response:
    """What confidence means for each creator, and what leaves by itself because of it."""
    require_role(desk.caller, Role.MANAGER, Role.ADMIN)
    if creator and creator not in desk.creators:
        raise NotFound("creator")
    found = await read_calibration(parts, desk.caller, creator or None)
    return page(
        "calibration/calibration.html",
        desk=desk,
        here="calibration",
        cards=[
            card(one, "" if one.made_at is None else times.date(one.made_at, desk.now))
            for one in found.creators
        ],
        together=None if found.together is None else diagram(found.together),
        made_at=found.made_at,
        decisions=found.decisions,
        creator_id=creator or None,
        plot={"side": SIDE, "left": LEFT, "top": TOP},
        done=words.forms.DONE.get(done or "", ""),
    )


@router.post("")
async def calibrate_now(parts: PartsDep, session: FormSessionDep) -> Response:
    """Have a worker calibrate everything now."""
    await ask_for_calibration(parts, session.caller)
    return redirect("/calibration", done="calibrating")
