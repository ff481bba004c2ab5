"""Fans at risk and what chatters are told, for managers."""

from enum import StrEnum
from http import HTTPStatus
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Form, Query
from fastapi.responses import Response

from vaultcrm.controls.auth import require_role
from vaultcrm.db.pending import Connection
from vaultcrm.domain.conversation import Care
from vaultcrm.domain.errors import Conflict, FieldProblem, InvalidInput, NotFound
from vaultcrm.domain.people import Caller, Role
from vaultcrm.entrypoints.api.context import PartsDep
from vaultcrm.entrypoints.api.fields import FreeText, Pasted
from vaultcrm.entrypoints.web.frame.desk import Desk, DeskDep, open_desk
from vaultcrm.entrypoints.web.frame.pages import page, redirect
from vaultcrm.entrypoints.web.frame.sessions import FormSessionDep
from vaultcrm.entrypoints.web.text import words
from vaultcrm.entrypoints.web.text.typed import lines
from vaultcrm.pipeline.guidance import LONGEST_GUIDANCE, helplines, lines_as_of
from vaultcrm.workflows.guide_care import read_guidance, set_guidance
from vaultcrm.workflows.parts import Parts
from vaultcrm.workflows.spending_care import (
    end_cooling_off,
    lift_caps,
    list_at_risk,
    start_cooling_off,
)

router = APIRouter(prefix="/care")

FANS = 50
MOST_SKIPPED = 1_000_000


class Step(StrEnum):
    """What a manager does about one fan's spending."""

    COOL_OFF = "cool_off"
    END = "end"
    LIFT = "lift"
    RESTORE = "restore"


@router.get("")
async def care_page(
    parts: PartsDep,
    desk: DeskDep,
    creator: UUID | Literal[""] = "",
    skip: Annotated[int, Query(ge=0, le=MOST_SKIPPED)] = 0,
    done: str | None = None,
) -> Response:
    """Fans whose spending somebody should look at, and what chatters of a creator are told."""
    require_role(desk.caller, Role.MANAGER, Role.ADMIN)
    return await _page(
        parts, desk, creator or None, skip=skip, done=words.forms.DONE.get(done or "", "")
    )


@router.post("/fans/{fan_id}")
async def tend_spending(
    parts: PartsDep,
    session: FormSessionDep,
    fan_id: UUID,
    creator: Annotated[UUID, Form()],
    step: Annotated[Step, Form()],
    hours: Annotated[FreeText, Form()] = "",
    reason: Annotated[FreeText, Form()] = "",
    conversation: Annotated[UUID | Literal[""], Form()] = "",
) -> Response:
    """Let a fan cool off, end that, lift their caps for a while, or let them hold again."""
    try:
        async with parts.transaction() as connection:
            await _do(parts, connection, session.caller, creator, fan_id, step, hours, reason)
    except (InvalidInput, Conflict) as refused:
        desk = await open_desk(parts, session)
        is_input = isinstance(refused, InvalidInput)
        told = (
            words.forms.problems(refused) if isinstance(refused, InvalidInput) else [str(refused)]
        )
        return await _page(
            parts,
            desk,
            None,
            problems=told,
            status=HTTPStatus.UNPROCESSABLE_ENTITY if is_input else HTTPStatus.CONFLICT,
        )
    back = f"/conversations/{conversation}" if conversation else "/care"
    return redirect(back, done=f"care_{step.value}")


async def _do(
    parts: Parts,
    connection: Connection,
    caller: Caller,
    creator_id: UUID,
    fan_id: UUID,
    step: Step,
    hours: str,
    reason: str,
) -> None:
    reason = reason.strip()
    match step:
        case Step.COOL_OFF:
            await start_cooling_off(
                parts, connection, caller, creator_id, fan_id, hours=_hours(hours), reason=reason
            )
        case Step.END:
            await end_cooling_off(parts, connection, caller, creator_id, fan_id, reason=reason)
        case Step.LIFT:
            wanted = _hours(hours)
            if wanted is None:
                raise InvalidInput(FieldProblem("hours", "say for how long"))
            await lift_caps(
                parts, connection, caller, creator_id, fan_id, hours=wanted, reason=reason
            )
        case Step.RESTORE:
            await lift_caps(
                parts, connection, caller, creator_id, fan_id, hours=None, reason=reason
            )


def _hours(text: str) -> int | None:
    if not text.strip():
        return None
    try:
        return int(text)
    except ValueError:
        raise InvalidInput(FieldProblem("hours", "a whole number, such as 24")) from None


@router.post("/guidance")
async def change_guidance(
    parts: PartsDep,
    session: FormSessionDep,
    creator: Annotated[UUID, Form()],
    kind: Annotated[Care, Form()],
    text: Annotated[Pasted, Form()] = "",
    own: Annotated[bool, Form()] = True,
) -> Response:
    """Set what chatters of a creator are told, or, without `own`, go back to our text."""
    typed = lines(text)
    try:
        await set_guidance(parts, session.caller, creator, kind, typed if own else None)
    except InvalidInput as refused:
        return await _page(
            parts,
            await open_desk(parts, session),
            creator,
            wrong={kind: refused.problems[0].reason},
            typed={kind: typed},
            status=HTTPStatus.UNPROCESSABLE_ENTITY,
        )
    return redirect("/care", creator=creator, done="care_guidance", fragment=f"told-{kind.value}")


async def _page(
    parts: Parts,
    desk: Desk,
    creator_id: UUID | None,
    *,
    skip: int = 0,
    done: str = "",
    problems: list[str] | None = None,
    wrong: dict[Care, str] | None = None,
    typed: dict[Care, str] | None = None,
    status: HTTPStatus = HTTPStatus.OK,
) -> Response:
    if creator_id is not None and creator_id not in desk.creators:
        raise NotFound("creator")
    found = await list_at_risk(parts, desk.caller, creator_id, limit=FANS + 1, offset=skip)
    whose = creator_id or next(iter(desk.creators), None)
    guidance = () if whose is None else await read_guidance(parts, desk.caller, whose)
    return page(
        "care/care.html",
        status,
        desk=desk,
        here="care",
        fans=found[:FANS],
        next_skip=skip + FANS if len(found) > FANS else None,
        skip=skip,
        creator_id=creator_id,
        whose=whose,
        guidance=guidance,
        own=None if whose is None else helplines().get(desk.creators[whose].region.upper()),
        countries=helplines().values(),
        as_of=lines_as_of(),
        longest=LONGEST_GUIDANCE,
        wrong=wrong or {},
        typed=typed or {},
        problems=problems or (),
        done=done,
    )
