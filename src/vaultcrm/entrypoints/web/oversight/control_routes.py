"""Flags and limits, for admins; the audit log, for admins and managers."""

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from http import HTTPStatus
from typing import Annotated, Literal
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Form, Query
from fastapi.responses import Response

from vaultcrm.controls.auth import require_role
from vaultcrm.controls.flags import FLAG_FIELDS, GLOBAL_ONLY
from vaultcrm.controls.limits.windows import windows_at
from vaultcrm.db.queries import audit, audit_seals, limits, usage
from vaultcrm.db.queries import flags as flag_queries
from vaultcrm.db.queries.audit import AuditFilter
from vaultcrm.domain.audit import AuditAction, stated_reason
from vaultcrm.domain.errors import InvalidInput, NotFound
from vaultcrm.domain.flags import RolloutStage
from vaultcrm.domain.ids import NIL
from vaultcrm.domain.people import Role
from vaultcrm.entrypoints.api.context import PartsDep
from vaultcrm.entrypoints.api.fields import FreeText
from vaultcrm.entrypoints.api.paging import decode_cursor, encode_cursor
from vaultcrm.entrypoints.web.dashboard import figures
from vaultcrm.entrypoints.web.frame.desk import Desk, DeskDep, open_desk
from vaultcrm.entrypoints.web.frame.pages import page, redirect
from vaultcrm.entrypoints.web.frame.sessions import FormSessionDep
from vaultcrm.entrypoints.web.oversight.audit_state import proof_of
from vaultcrm.entrypoints.web.text import words
from vaultcrm.workflows.parts import Parts
from vaultcrm.workflows.set_flag import flags_in_force, set_flag
from vaultcrm.workflows.switch_ai import switch_ai

router = APIRouter()

ENTRIES = 50
LONGEST_SUBJECT = 200
MOST_ACTORS = 500
MOST_USERS = 10
CHANGES = 10
"""Of a flag, that its history shows; the audit log has them all."""


@router.get("/audit")
async def audit_log(
    parts: PartsDep,
    desk: DeskDep,
    cursor: str | None = None,
    who: UUID | Literal[""] = "",
    what: AuditAction | Literal[""] = "",
    creator: UUID | Literal[""] = "",
    subject: Annotated[str, Query(max_length=LONGEST_SUBJECT)] = "",
    since: Annotated[str, Query(alias="from", max_length=10)] = "",
    until: Annotated[str, Query(alias="to", max_length=10)] = "",
) -> Response:
    """What happened, the newest first. Entries of the whole installation are for admins."""
    require_role(desk.caller, Role.ADMIN, Role.MANAGER)
    before = decode_cursor(cursor, UUID)
    first_day, last_day = _day(since, desk), _day(until, desk)
    wanted = AuditFilter(
        actor_id=who or None,
        action=what or None,
        subject_id=subject or None,
        since=first_day,
        until=None if last_day is None else last_day + timedelta(days=1),
    )
    creator_ids = _creators_asked_for(desk, creator or None)
    async with parts.pool.connection() as connection, connection.pipeline():
        entries_sent = await audit.page(
            connection,
            creator_ids,
            before=None if before is None else before[0],
            limit=ENTRIES + 1,
            wanted=wanted,
        )
        actors_sent = await audit.actors(connection, list(desk.creators), most=MOST_ACTORS)
        states_sent = await audit_seals.states(connection, creator_ids)
        rows, actors = await entries_sent.answer(), await actors_sent.answer()
        states = await states_sent.answer()
    shown = rows[:ENTRIES]
    asked = {
        "who": str(who),
        "what": str(what),
        "creator": str(creator),
        "subject": subject,
        "from": "" if first_day is None else since,
        "to": "" if last_day is None else until,
    }
    query = {name: value for name, value in asked.items() if value}
    older = {**query, "cursor": encode_cursor(shown[-1]["id"])} if len(rows) > ENTRIES else None
    return page(
        "oversight/audit.html",
        desk=desk,
        here="audit",
        proof=proof_of(states),
        rows=shown,
        actors=actors,
        asked=asked,
        is_filtered=bool(query),
        newest=_address("/audit", query),
        following=None if older is None else _address("/audit", older),
        first=cursor is None,
    )


def _creators_asked_for(desk: Desk, creator_id: UUID | None) -> list[UUID]:
    """One creator, or all of the reader's and the installation; raises NotFound."""
    if creator_id is None:
        return [*desk.creators, *([NIL] if desk.caller.role is Role.ADMIN else ())]
    if creator_id not in desk.creators:
        raise NotFound("creator")
    return [creator_id]


def _day(text: str, desk: Desk) -> datetime | None:
    """The beginning of a day in the reader's zone; None for what is no date."""
    try:
        return datetime.combine(date.fromisoformat(text), time.min, desk.now.tzinfo)
    except ValueError:
        return None


def _address(path: str, query: Mapping[str, str]) -> str:
    return f"{path}?{urlencode(query)}" if query else path


@router.get("/flags")
async def flags(
    parts: PartsDep,
    desk: DeskDep,
    creator: UUID | Literal[""] = "",
    done: str | None = None,
    switch: Literal["off", "on", ""] = "",
) -> Response:
    """Every flag in force and where its value comes from, and what is used of the limits."""
    require_role(desk.caller, Role.ADMIN)
    return await _flags_page(parts, desk, creator or None, done=done, switch=switch)


@router.get("/flags/{name}/history")
async def flag_history(
    parts: PartsDep, desk: DeskDep, name: str, creator: UUID | Literal[""] = ""
) -> Response:
    """Who changed a flag, why, and what it was before; raises NotFound."""
    require_role(desk.caller, Role.ADMIN)
    if name not in FLAG_FIELDS:
        raise NotFound("flag")
    scope = creator or NIL
    if scope != NIL:
        _creators_asked_for(desk, scope)
    wanted = AuditFilter(action=AuditAction.FLAG_CHANGED, subject_id=name)
    async with parts.pool.connection() as connection:
        sent = await audit.page(connection, [scope], before=None, limit=CHANGES, wanted=wanted)
        rows = await sent.answer()
    return page(
        "oversight/_flag_history.html", desk=desk, rows=rows, name=name, creator_id=creator or None
    )


@router.post("/flags/ai")
async def switch_all_ai(
    parts: PartsDep,
    session: FormSessionDep,
    on: Annotated[bool, Form()],
    reason: Annotated[FreeText, Form()] = "",
) -> Response:
    """Switch AI off for everybody, or on again."""
    require_role(session.caller, Role.ADMIN)
    try:
        await switch_ai(parts, session.caller, on=on, reason=stated_reason(reason))
    except InvalidInput as refused:
        return await _flags_page(
            parts,
            await open_desk(parts, session),
            None,
            status=HTTPStatus.UNPROCESSABLE_ENTITY,
            wrong="switch",
            problems=words.forms.problems(refused),
            typed=("", reason),
        )
    return redirect("/flags", done="ai_on" if on else "ai_off")


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
            reason=stated_reason(reason),
        )
    except InvalidInput as refused:
        desk = await open_desk(parts, session)
        return await _flags_page(
            parts,
            desk,
            creator,
            status=HTTPStatus.UNPROCESSABLE_ENTITY,
            wrong=name,
            problems=words.forms.problems(refused),
            typed=(value, reason),
        )
    return redirect("/flags", creator=creator, done="flag", fragment=name)


async def _flags_page(
    parts: Parts,
    desk: Desk,
    creator_id: UUID | None,
    *,
    done: str | None = None,
    switch: str = "",
    status: HTTPStatus = HTTPStatus.OK,
    wrong: str = "",
    problems: list[str] | None = None,
    typed: tuple[str, str] = ("", ""),
) -> Response:
    found = await flags_in_force(parts, desk.caller, creator_id)
    windows = windows_at(parts.now(), parts.settings.agency_time_zone)
    day, hour = windows.day, windows.hour
    own = list(desk.creators)
    async with parts.pool.connection() as connection, connection.pipeline():
        origins_sent = await flag_queries.origins(connection, creator_id or NIL)
        hour_sent = await limits.used_this_hour(connection, hour, own, most=MOST_USERS)
        cost_sent = await usage.cost_since(connection, own, day)
        origins, this_hour = await origins_sent.answer(), await hour_sent.answer()
        cost = await cost_sent.answer()
    return page(
        "oversight/flags.html",
        status,
        desk=desk,
        here="flags",
        flags=found,
        origins=origins,
        creator_id=creator_id,
        global_only=GLOBAL_ONLY,
        stages=tuple(RolloutStage),
        own_source="installation" if creator_id is None else "creator",
        this_hour=this_hour,
        hour_ends=hour + timedelta(hours=1),
        day_ends=windows.day_ends,
        cost=figures.usd(cost / figures.MICRO_USD),
        without_ai=len(desk.creators) - len(desk.ai_creator_ids),
        wrong=wrong,
        switch=switch,
        problems=problems or (),
        typed=typed,
        done=words.forms.DONE.get(done or ""),
    )
