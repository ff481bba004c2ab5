"""The rollout: where each creator stands, how well that goes, and on or back by one stage."""

from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form
from fastapi.responses import Response

from vaultcrm.controls.auth import require_role
from vaultcrm.controls.rollout import rollout_limits
from vaultcrm.domain.errors import Conflict, FieldProblem, InvalidInput
from vaultcrm.domain.flags import RolloutStage
from vaultcrm.domain.people import Role
from vaultcrm.entrypoints.api.context import PartsDep
from vaultcrm.entrypoints.api.fields import FreeText
from vaultcrm.entrypoints.web.frame.desk import Desk, DeskDep, open_desk
from vaultcrm.entrypoints.web.frame.pages import page, redirect
from vaultcrm.entrypoints.web.frame.sessions import FormSessionDep, Session
from vaultcrm.entrypoints.web.rollout.view import STAGES, cards_of
from vaultcrm.entrypoints.web.text import words
from vaultcrm.workflows.move_stage import Move, move_stage
from vaultcrm.workflows.parts import Parts
from vaultcrm.workflows.rollout_health import read_rollout

router = APIRouter(prefix="/rollout")

LONGEST_REASON = 200


@router.get("")
async def rollout(parts: PartsDep, desk: DeskDep, done: str | None = None) -> Response:
    """Every creator's stage with its health."""
    require_role(desk.caller, Role.ADMIN, Role.MANAGER)
    return await _page(parts, desk, done=words.forms.DONE.get(done or "", ""))


@router.post("/all")
async def move_everybody(
    parts: PartsDep,
    session: FormSessionDep,
    move: Annotated[Move, Form()],
    seen: Annotated[RolloutStage, Form()],
    reason: Annotated[FreeText, Form()] = "",
) -> Response:
    """Move all who have no stage of their own."""
    return await _moved(parts, session, None, move, seen, reason)


@router.post("/creators/{creator_id}")
async def move_one(
    parts: PartsDep,
    session: FormSessionDep,
    creator_id: UUID,
    move: Annotated[Move, Form()],
    seen: Annotated[RolloutStage, Form()],
    reason: Annotated[FreeText, Form()] = "",
) -> Response:
    """Move one creator alone, or have them follow the others again."""
    return await _moved(parts, session, creator_id, move, seen, reason)


async def _moved(
    parts: Parts,
    session: Session,
    creator_id: UUID | None,
    move: Move,
    seen: RolloutStage,
    reason: str,
) -> Response:
    reason = reason.strip()
    try:
        if len(reason) > LONGEST_REASON:
            raise InvalidInput(FieldProblem("reason", f"at most {LONGEST_REASON} characters"))
        await move_stage(
            parts, session.caller, creator_id=creator_id, move=move, seen=seen, reason=reason
        )
    except (InvalidInput, Conflict) as refused:
        is_input = isinstance(refused, InvalidInput)
        told = (
            words.forms.problems(refused) if isinstance(refused, InvalidInput) else [str(refused)]
        )
        return await _page(
            parts,
            await open_desk(parts, session),
            status=HTTPStatus.UNPROCESSABLE_ENTITY if is_input else HTTPStatus.CONFLICT,
            wrong="all" if creator_id is None else str(creator_id),
            problems=told,
            typed=reason,
        )
    done = {Move.ON: "stage_on", Move.BACK: "stage_back", Move.FOLLOW: "stage_follows"}[move]
    return redirect("/rollout", done=done, fragment=str(creator_id or "all"))


async def _page(
    parts: Parts,
    desk: Desk,
    *,
    status: HTTPStatus = HTTPStatus.OK,
    done: str = "",
    wrong: str = "",
    problems: list[str] | None = None,
    typed: str = "",
) -> Response:
    async with parts.pool.connection() as connection:
        found = await read_rollout(parts, connection, list(desk.creators))
    whole, creators = cards_of(found)
    return page(
        "rollout/rollout.html",
        status,
        desk=desk,
        here="rollout",
        whole=whole,
        cards=creators,
        stages=STAGES,
        limits=rollout_limits(),
        first_creator=found.first_creator,
        moves=desk.caller.is_one_of(Role.ADMIN),
        moves_all=desk.caller.is_one_of(Role.ADMIN) and desk.caller.all_creators,
        done=done,
        wrong=wrong,
        problems=problems or (),
        typed=typed,
    )
