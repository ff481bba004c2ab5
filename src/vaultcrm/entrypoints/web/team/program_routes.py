"""The tokens of programs, which act for every creator. For admins."""

from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form
from fastapi.responses import Response

from vaultcrm.domain.errors import Conflict, InvalidInput
from vaultcrm.domain.people import TokenScope
from vaultcrm.entrypoints.api.context import PartsDep
from vaultcrm.entrypoints.api.fields import FreeText
from vaultcrm.entrypoints.web.account.token_view import (
    LIFETIMES,
    SCOPES,
    TokenForm,
    expiry_of,
    view_of,
)
from vaultcrm.entrypoints.web.frame.desk import Desk, DeskDep, open_desk
from vaultcrm.entrypoints.web.frame.pages import page, redirect
from vaultcrm.entrypoints.web.frame.sessions import FormSessionDep
from vaultcrm.entrypoints.web.text import words
from vaultcrm.workflows import manage_tokens
from vaultcrm.workflows.manage_tokens import NewToken
from vaultcrm.workflows.parts import Parts

router = APIRouter(prefix="/team/programs")

REVOKED = "That token is revoked: it opens nothing any more."


@router.get("")
async def programs(parts: PartsDep, desk: DeskDep, done: str | None = None) -> Response:
    """Every program's tokens, and the form that makes one."""
    return await _page(parts, desk, done=REVOKED if done == "revoked" else None)


@router.post("")
async def add(
    parts: PartsDep,
    session: FormSessionDep,
    name: Annotated[FreeText, Form()] = "",
    scopes: Annotated[tuple[TokenScope, ...], Form()] = (),
    lifetime: Annotated[FreeText, Form()] = "90",
) -> Response:
    """Make a token and show it, this once."""
    desk = await open_desk(parts, session)
    asked = NewToken(name, scopes, expiry_of(lifetime, parts.now()))
    try:
        token = await manage_tokens.add_program_token(
            parts.pool, session.caller, name, asked, parts.now()
        )
    except InvalidInput as refused:
        problems = {each.field: words.phrases.sentence(each.reason) for each in refused.problems}
        if "program" in problems:
            problems["name"] = problems.pop("program")
        status = HTTPStatus.UNPROCESSABLE_ENTITY
    except Conflict as refused:
        problems, status = {"name": str(refused)}, HTTPStatus.CONFLICT
    else:
        return await _page(parts, desk, new_token=token)
    form = TokenForm(name, frozenset(scopes), lifetime, problems)
    return await _page(parts, desk, status, token_form=form)


@router.post("/{token_id}/revoke")
async def revoke(parts: PartsDep, session: FormSessionDep, token_id: UUID) -> Response:
    await manage_tokens.revoke_program_token(parts, session.caller, token_id)
    return redirect("/team/programs", done="revoked")


async def _page(
    parts: Parts,
    desk: Desk,
    status: HTTPStatus = HTTPStatus.OK,
    *,
    done: str | None = None,
    token_form: TokenForm | None = None,
    new_token: str | None = None,
) -> Response:
    tokens = await manage_tokens.program_tokens(parts, desk.caller)
    return page(
        "team/programs.html",
        status,
        desk=desk,
        here="team",
        tokens=view_of(tokens, desk.now),
        token_form=token_form or TokenForm(),
        new_token=new_token,
        token_scopes=SCOPES,
        token_lifetimes=LIFETIMES,
        done=done,
    )
