"""One's own API tokens: made, shown once, revoked."""

from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form
from fastapi.responses import Response

from vaultcrm.domain.errors import InvalidInput
from vaultcrm.domain.people import TokenScope
from vaultcrm.entrypoints.api.context import PartsDep
from vaultcrm.entrypoints.api.fields import FreeText
from vaultcrm.entrypoints.web.account.routes import account_page
from vaultcrm.entrypoints.web.account.token_view import TokenForm, expiry_of
from vaultcrm.entrypoints.web.frame.desk import open_desk
from vaultcrm.entrypoints.web.frame.pages import redirect
from vaultcrm.entrypoints.web.frame.sessions import FormSessionDep
from vaultcrm.entrypoints.web.text import words
from vaultcrm.workflows import manage_tokens
from vaultcrm.workflows.manage_tokens import NewToken

router = APIRouter(prefix="/account/tokens")


@router.post("")
async def add(
    parts: PartsDep,
    session: FormSessionDep,
    name: Annotated[FreeText, Form()] = "",
    scopes: Annotated[tuple[TokenScope, ...], Form()] = (),
    lifetime: Annotated[FreeText, Form()] = "90",
) -> Response:
    """Make a token and show it, this once: it stands in no address, so no history keeps it."""
    asked = NewToken(name, scopes, expiry_of(lifetime, parts.now()))
    desk = await open_desk(parts, session)
    try:
        token = await manage_tokens.add_own_token(parts, session.caller, asked)
    except InvalidInput as refused:
        problems = {each.field: words.phrases.sentence(each.reason) for each in refused.problems}
        form = TokenForm(name, frozenset(scopes), lifetime, problems)
        return await account_page(parts, desk, HTTPStatus.UNPROCESSABLE_ENTITY, token_form=form)
    return await account_page(parts, desk, new_token=token)


@router.post("/{token_id}/revoke")
async def revoke(parts: PartsDep, session: FormSessionDep, token_id: UUID) -> Response:
    await manage_tokens.revoke_own_token(parts, session.caller, token_id)
    return redirect("/account", done="token_revoked")
