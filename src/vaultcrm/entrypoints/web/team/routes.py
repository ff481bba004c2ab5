"""The people who may sign in: who they are, what they may do, and letting them in. For admins."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Form
from fastapi.responses import Response

from vaultcrm.controls.auth import SESSION_IDLE, require_role
from vaultcrm.db.queries import identities, people, second_factors
from vaultcrm.domain.errors import Conflict, InvalidInput, NotFound
from vaultcrm.domain.people import Caller, Person, Role
from vaultcrm.entrypoints.api.context import PartsDep
from vaultcrm.entrypoints.api.fields import FreeText
from vaultcrm.entrypoints.web.frame.desk import Desk, DeskDep, open_desk
from vaultcrm.entrypoints.web.frame.pages import page, redirect
from vaultcrm.entrypoints.web.frame.sessions import FormSessionDep, Session
from vaultcrm.entrypoints.web.text import words
from vaultcrm.workflows import manage_team
from vaultcrm.workflows.manage_people import sign_in_link
from vaultcrm.workflows.parts import Parts, Pool

router = APIRouter()

ROLES: Mapping[Role, str] = {
    Role.CHATTER: "answers fans and works the approval queue",
    Role.MANAGER: "also templates, personalities, the dashboard and the audit log",
    Role.ADMIN: "also flags and limits, and this team",
}
"""What each role of a person may do, each with all that stands before it."""

DONE: Mapping[str, str] = {
    "access": "Saved. It holds from their next page on; another role signs them out first.",
    "disabled": "They cannot sign in any more. Their sessions, links and API tokens are dead.",
    "enabled": "They can sign in again, with the role they had.",
    "ended": "They are signed out everywhere, and links made before are dead.",
    "second_factor": "Their second factor is taken away, and they are signed out everywhere.",
    "identity": "They are untied. The next token with their verified e-mail ties them anew.",
    "password": "Their password is taken away. Give them a sign-in link; they set another with it.",
}

Scope = Literal["all", "some"]
Ticked = Annotated[tuple[UUID, ...], Form()]


@dataclass(frozen=True, slots=True)
class Typed:
    """What stands in the form that says who somebody is and what they may do."""

    email: str = ""
    name: str = ""
    role: Role = Role.CHATTER
    scope: Scope = "some"
    creators: frozenset[UUID] = frozenset()
    problems: Mapping[str, str] = field(default_factory=dict)
    """By field; `form` for what is wrong with the whole."""


@router.get("/team")
async def team(parts: PartsDep, desk: DeskDep) -> Response:
    """Everybody who may sign in, or once could."""
    require_role(desk.caller, Role.ADMIN)
    now = parts.now()
    async with parts.pool.connection() as connection:
        sent = await people.everybody(connection, now=now, idle_since=now - SESSION_IDLE)
        everybody = await sent.answer()
    return page("team/team.html", desk=desk, here="team", people=everybody, roles=ROLES)


@router.get("/team/new")
async def new_person(desk: DeskDep) -> Response:
    require_role(desk.caller, Role.ADMIN)
    return _new_page(desk, Typed())


@router.post("/team")
async def add_person(
    parts: PartsDep,
    session: FormSessionDep,
    role: Annotated[Role, Form()],
    email: Annotated[FreeText, Form()] = "",
    name: Annotated[FreeText, Form()] = "",
    scope: Annotated[Scope, Form()] = "some",
    creators: Ticked = (),
) -> Response:
    """Add a person and show the link that lets them in, this once."""
    require_role(session.caller, Role.ADMIN)
    typed = Typed(email, name, role, scope, frozenset(creators))
    try:
        user_id = await manage_team.add_person(
            parts.pool,
            session.caller,
            email=email,
            name=name,
            role=role,
            all_creators=scope == "all",
            creator_ids=creators,
            now=parts.now(),
        )
    except InvalidInput as refused:
        problems = {each.field: words.phrases.sentence(each.reason) for each in refused.problems}
        desk = await open_desk(parts, session)
        return _new_page(desk, _with(typed, problems), HTTPStatus.UNPROCESSABLE_ENTITY)
    except Conflict as taken:
        desk = await open_desk(parts, session)
        return _new_page(desk, _with(typed, {"email": str(taken)}), HTTPStatus.CONFLICT)
    return await _with_link(parts, session, user_id, is_new=True)


@router.get("/team/{user_id}")
async def one_person(
    parts: PartsDep, desk: DeskDep, user_id: UUID, done: str | None = None
) -> Response:
    require_role(desk.caller, Role.ADMIN)
    person, ways_in = await _person(parts, user_id), await _ways_in(parts, user_id)
    return _person_page(desk, person, ways_in, done=DONE.get(done or ""))


@router.post("/team/{user_id}/access")
async def change_access(
    parts: PartsDep,
    session: FormSessionDep,
    user_id: UUID,
    role: Annotated[Role, Form()],
    scope: Annotated[Scope, Form()] = "some",
    creators: Ticked = (),
) -> Response:
    """Set role and creators; a refusal keeps what was chosen."""
    require_role(session.caller, Role.ADMIN)
    try:
        await manage_team.change_access(
            parts.pool,
            session.caller,
            user_id,
            role=role,
            all_creators=scope == "all",
            creator_ids=creators,
            now=parts.now(),
        )
    except (Conflict, InvalidInput) as refused:
        typed = Typed(
            role=role,
            scope=scope,
            creators=frozenset(creators),
            problems={"form": str(refused)},
        )
        return await _refused(parts, session, user_id, typed)
    return redirect(f"/team/{user_id}", done="access")


@router.post("/team/{user_id}/link")
async def make_link(parts: PartsDep, session: FormSessionDep, user_id: UUID) -> Response:
    """Show a new sign-in link, this once."""
    require_role(session.caller, Role.ADMIN)
    return await _with_link(parts, session, user_id)


@router.post("/team/{user_id}/sign-out")
async def end_access(parts: PartsDep, session: FormSessionDep, user_id: UUID) -> Response:
    """End their sessions and links."""
    return await _changed(parts, session, user_id, manage_team.end_access, "ended")


@router.post("/team/{user_id}/password")
async def remove_password(parts: PartsDep, session: FormSessionDep, user_id: UUID) -> Response:
    """Take a forgotten password away."""
    return await _changed(parts, session, user_id, manage_team.remove_password, "password")


@router.post("/team/{user_id}/second-factor")
async def remove_second_factor(parts: PartsDep, session: FormSessionDep, user_id: UUID) -> Response:
    """Take a lost second factor away."""
    remove = manage_team.remove_second_factor
    return await _changed(parts, session, user_id, remove, "second_factor")


@router.post("/team/{user_id}/identity")
async def remove_identity(parts: PartsDep, session: FormSessionDep, user_id: UUID) -> Response:
    """Untie somebody from the identity of another service that they came with."""
    return await _changed(parts, session, user_id, manage_team.remove_identity, "identity")


@router.post("/team/{user_id}/disable")
async def disable(parts: PartsDep, session: FormSessionDep, user_id: UUID) -> Response:
    return await _changed(parts, session, user_id, manage_team.disable, "disabled")


@router.post("/team/{user_id}/enable")
async def enable(parts: PartsDep, session: FormSessionDep, user_id: UUID) -> Response:
    return await _changed(parts, session, user_id, manage_team.enable, "enabled")


async def _changed(
    parts: Parts,
    session: Session,
    user_id: UUID,
    change: Callable[[Pool, Caller, UUID, datetime], Awaitable[object]],
    done: str,
) -> Response:
    """Change how a person may come in; `done` is what their page says then (`DONE`)."""
    require_role(session.caller, Role.ADMIN)
    try:
        await change(parts.pool, session.caller, user_id, parts.now())
    except Conflict as refused:
        return await _refused(parts, session, user_id, Typed(problems={"sign_in": str(refused)}))
    return redirect(f"/team/{user_id}", done=done)


async def _with_link(
    parts: Parts, session: Session, user_id: UUID, *, is_new: bool = False
) -> Response:
    """A person's page with a new link on it. It stands in no address, so no history keeps it."""
    now = parts.now()
    try:
        await manage_team.note_link(parts.pool, session.caller, user_id, now)
    except Conflict as refused:
        return await _refused(parts, session, user_id, Typed(problems={"sign_in": str(refused)}))
    person = await _person(parts, user_id)
    link = await sign_in_link(parts.pool, parts.settings, person.email, now)
    desk, ways_in = await open_desk(parts, session), await _ways_in(parts, user_id)
    return _person_page(desk, person, ways_in, link=link, is_new=is_new)


async def _refused(parts: Parts, session: Session, user_id: UUID, typed: Typed) -> Response:
    desk = await open_desk(parts, session)
    person, ways_in = await _person(parts, user_id), await _ways_in(parts, user_id)
    return _person_page(desk, person, ways_in, HTTPStatus.CONFLICT, typed=typed)


async def _person(parts: Parts, user_id: UUID) -> Person:
    now = parts.now()
    async with parts.pool.connection() as connection:
        sent = await people.person(connection, user_id, now=now, idle_since=now - SESSION_IDLE)
        found = await sent.answer()
    if found is None:
        raise NotFound("user")
    return found


@dataclass(frozen=True, slots=True)
class WaysIn:
    """What somebody has beside a password: a second factor since, and another service's word."""

    second_factor_since: datetime | None
    has_identity: bool


async def _ways_in(parts: Parts, user_id: UUID) -> WaysIn:
    async with parts.pool.connection() as connection:
        factor = await (await second_factors.of_user(connection, user_id)).answer()
        return WaysIn(
            factor.confirmed_at if factor else None,
            await identities.has_identity(connection, user_id),
        )


def _with(typed: Typed, problems: Mapping[str, str]) -> Typed:
    return Typed(typed.email, typed.name, typed.role, typed.scope, typed.creators, problems)


def _new_page(desk: Desk, typed: Typed, status: HTTPStatus = HTTPStatus.OK) -> Response:
    return page("team/new.html", status, desk=desk, here="team", typed=typed, roles=ROLES)


def _person_page(
    desk: Desk,
    person: Person,
    ways_in: WaysIn,
    status: HTTPStatus = HTTPStatus.OK,
    *,
    typed: Typed | None = None,
    done: str | None = None,
    link: str | None = None,
    is_new: bool = False,
) -> Response:
    problems = typed.problems if typed else {}
    if typed is None or "form" not in problems:
        typed = Typed(
            role=person.role,
            scope="all" if person.all_creators else "some",
            creators=person.creator_ids,
            problems=problems,
        )
    return page(
        "team/person.html",
        status,
        desk=desk,
        here="team",
        person=person,
        ways_in=ways_in,
        is_self=person.id == desk.caller.user_id,
        typed=typed,
        roles=ROLES,
        done=done,
        link=link,
        is_new=is_new,
    )
