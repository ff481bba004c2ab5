"""One's own account: the password, and where one is signed in."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form
from fastapi.responses import Response

from vaultcrm.controls.auth import SESSION_IDLE
from vaultcrm.controls.auth.passwords import LONGEST, SHORTEST
from vaultcrm.db.queries import people, second_factors, sessions
from vaultcrm.domain.errors import Conflict, InvalidInput, LimitExceeded, Unauthenticated
from vaultcrm.entrypoints.api.context import PartsDep
from vaultcrm.entrypoints.api.fields import FreeText
from vaultcrm.entrypoints.web.account.token_view import LIFETIMES, SCOPES, TokenForm, view_of
from vaultcrm.entrypoints.web.frame.desk import Desk, DeskDep, open_desk
from vaultcrm.entrypoints.web.frame.pages import page, redirect
from vaultcrm.entrypoints.web.frame.sessions import FormSessionDep, give_cookie
from vaultcrm.entrypoints.web.text import words
from vaultcrm.workflows import manage_account, manage_tokens
from vaultcrm.workflows.parts import Parts
from vaultcrm.workflows.second_factor import is_required

router = APIRouter()

DONE: Mapping[str, str] = {
    "password": "Your password is set. You are signed out everywhere else.",
    "ended": "That browser is signed out.",
    "others": "You are signed out everywhere else.",
    "second_factor_removed": "Your second factor is taken away. Its recovery codes are dead.",
    "token_revoked": "That token is revoked: it opens nothing any more.",
}


@router.get("/account")
async def account(parts: PartsDep, desk: DeskDep, done: str | None = None) -> Response:
    return await account_page(parts, desk, done=DONE.get(done or ""))


@router.post("/account/password")
async def change_password(
    parts: PartsDep,
    session: FormSessionDep,
    current: Annotated[FreeText, Form()] = "",
    password: Annotated[FreeText, Form()] = "",
    again: Annotated[FreeText, Form()] = "",
) -> Response:
    """Set one's password. Nothing that was typed is sent back."""
    headers: dict[str, str] = {}
    try:
        secret = await manage_account.change_password(
            parts, session.caller, session.id, current=current, new=password, again=again
        )
    except InvalidInput as refused:
        status = HTTPStatus.UNPROCESSABLE_ENTITY
        problems = {each.field: words.phrases.sentence(each.reason) for each in refused.problems}
    except LimitExceeded as held:
        status, problems = HTTPStatus.TOO_MANY_REQUESTS, {"current": str(held)}
        headers["Retry-After"] = str(held.retry_after)
    except Conflict as refused:
        status, problems = HTTPStatus.CONFLICT, {"password": str(refused)}
    else:
        response = redirect("/account", done="password")
        give_cookie(response, parts, secret)
        return response
    desk = await open_desk(parts, session)
    return await account_page(parts, desk, status, headers, problems=problems)


@router.post("/account/sessions/others")
async def end_others(parts: PartsDep, session: FormSessionDep) -> Response:
    await manage_account.end_other_sessions(parts, session.caller, session.id)
    return redirect("/account", done="others")


@router.post("/account/sessions/{session_id}")
async def end_one(parts: PartsDep, session: FormSessionDep, session_id: UUID) -> Response:
    await manage_account.end_own_session(parts, session.caller, session_id)
    return redirect("/account", done="ended")


async def account_page(
    parts: Parts,
    desk: Desk,
    status: HTTPStatus = HTTPStatus.OK,
    headers: Mapping[str, str] | None = None,
    *,
    problems: Mapping[str, str] | None = None,
    done: str | None = None,
    token_form: TokenForm | None = None,
    new_token: str | None = None,
) -> Response:
    """Everything of one's own. `new_token` is shown this once."""
    now, user_id = parts.now(), desk.caller.user_id
    idle_since = now - SESSION_IDLE
    async with parts.pool.connection() as connection:
        async with connection.pipeline():
            person_sent = await people.person(connection, user_id, now=now, idle_since=idle_since)
            open_sent = await sessions.of_user(connection, user_id, now=now, idle_since=idle_since)
            factor_sent = await second_factors.of_user(connection, user_id)
        person = await person_sent.answer()
        signed_in = await open_sent.answer()
        factor = await factor_sent.answer()
    tokens = await manage_tokens.own_tokens(parts, desk.caller)
    if person is None:
        raise Unauthenticated("This user may not sign in any more.")
    return page(
        "account/account.html",
        status,
        headers=headers,
        desk=desk,
        here="account",
        person=person,
        role=words.people.ROLES[person.role],
        signed_in=signed_in,
        shortest=SHORTEST,
        longest=LONGEST,
        idle_hours=int(SESSION_IDLE.total_seconds() // 3600),
        problems=problems or {},
        factor=factor,
        factor_is_required=is_required(parts.settings, desk.caller),
        tokens=view_of(tokens, desk.now),
        token_form=token_form or TokenForm(),
        new_token=new_token,
        token_scopes=SCOPES,
        token_lifetimes=LIFETIMES,
        done=done,
    )
