"""Flags, for admins; the audit log, for admins and managers."""

from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form
from fastapi.responses import Response

from vaultcrm.controls.auth import require_role
from vaultcrm.controls.flags import GLOBAL_ONLY
from vaultcrm.db.queries import audit
from vaultcrm.domain.errors import FieldProblem, InvalidInput
from vaultcrm.domain.flags import RolloutStage
from vaultcrm.domain.ids import NIL
from vaultcrm.domain.people import Role
from vaultcrm.entrypoints.api.context import PartsDep
from vaultcrm.entrypoints.api.fields import FreeText
from vaultcrm.entrypoints.api.paging import decode_cursor, encode_cursor
from vaultcrm.entrypoints.web import words
from vaultcrm.entrypoints.web.desk import Desk, DeskDep, open_desk
from vaultcrm.entrypoints.web.pages import page, redirect
from vaultcrm.entrypoints.web.sessions import FormSessionDep
from vaultcrm.workflows.parts import Parts
from vaultcrm.workflows.set_flag import flags_in_force, set_flag

router = APIRouter()

ENTRIES = 50
LONGEST_REASON = 200


@router.get("/audit")
async def audit_log(parts: PartsDep, desk: DeskDep, cursor: str | None = None) -> Response:
    """What happened, the newest first. Entries of the whole installation are for admins."""
    require_role(desk.caller, Role.ADMIN, Role.MANAGER)
    before = decode_cursor(cursor, UUID)
    creator_ids = list(desk.creators)
    if desk.caller.role is Role.ADMIN:
        creator_ids.append(NIL)
    async with parts.pool.connection() as connection:
        sent = await audit.page(
            connection,
            creator_ids,
            before=None if before is None else before[0],
            limit=ENTRIES + 1,
        )
        rows = await sent.answer()
    shown = rows[:ENTRIES]
    return page(
        "audit.html",
        desk=desk,
        here="audit",
        rows=shown,
        following=encode_cursor(shown[-1]["id"]) if len(rows) > ENTRIES else None,
        first=cursor is None,
    )


@router.get("/flags")
async def flags(
    parts: PartsDep, desk: DeskDep, creator: UUID | None = None, done: str | None = None
) -> Response:
    """Every flag in force and where its value comes from."""
    require_role(desk.caller, Role.ADMIN)
    return await _flags_page(parts, desk, creator, done=done)


@router.post("/flags")
async def change_flag(
    parts: PartsDep,
    session: FormSessionDep,
    name: Annotated[FreeText, Form()],
    creator: Annotated[UUID | None, Form()] = None,
    value: Annotated[FreeText, Form()] = "",
    reason: Annotated[FreeText, Form()] = "",
    take_away: Annotated[bool, Form()] = False,
) -> Response:
    """Override a flag, or take an override away; an empty value does the latter too."""
    require_role(session.caller, Role.ADMIN)
    try:
        await set_flag(
            parts,
            session.caller,
            creator_id=creator,
            name=name,
            value=None if take_away else value.strip() or None,
            reason=_reason(reason),
        )
    except InvalidInput as refused:
        desk = await open_desk(parts, session)
        return await _flags_page(
            parts,
            desk,
            creator,
            status=HTTPStatus.UNPROCESSABLE_ENTITY,
            wrong=name,
            problems=words.problems(refused),
            typed=(value, reason),
        )
    return redirect("/flags", creator=creator, done="flag", fragment=name)


def _reason(text: str) -> str:
    text = text.strip()
    if not text:
        raise InvalidInput(FieldProblem("reason", "say in a few words why; the audit log keeps it"))
    if len(text) > LONGEST_REASON:
        raise InvalidInput(FieldProblem("reason", f"at most {LONGEST_REASON} characters"))
    return text


async def _flags_page(
    parts: Parts,
    desk: Desk,
    creator_id: UUID | None,
    *,
    done: str | None = None,
    status: HTTPStatus = HTTPStatus.OK,
    wrong: str = "",
    problems: list[str] | None = None,
    typed: tuple[str, str] = ("", ""),
) -> Response:
    found = await flags_in_force(parts, desk.caller, creator_id)
    return page(
        "flags.html",
        status,
        desk=desk,
        here="flags",
        flags=found,
        creator_id=creator_id,
        global_only=GLOBAL_ONLY,
        stages=tuple(RolloutStage),
        own_source="installation" if creator_id is None else "creator",
        wrong=wrong,
        problems=problems or (),
        typed=typed,
        done=words.DONE.get(done or ""),
    )
