"""One's second factor: set up with an app, its recovery codes, taken away.

These pages have no menu: whoever must have a second factor sees nothing else before they do.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated

import segno
from fastapi import APIRouter, Form
from fastapi.responses import Response

from vaultcrm.domain.errors import Conflict, InvalidInput, LimitExceeded
from vaultcrm.entrypoints.api.context import PartsDep
from vaultcrm.entrypoints.api.fields import FreeText
from vaultcrm.entrypoints.web.frame.pages import page, redirect
from vaultcrm.entrypoints.web.frame.sessions import (
    FormSessionDep,
    Session,
    SessionDep,
    csrf_of,
    give_cookie,
)
from vaultcrm.entrypoints.web.text import words
from vaultcrm.workflows import second_factor
from vaultcrm.workflows.parts import Parts

router = APIRouter(prefix="/account/second-factor")

_Code = Annotated[FreeText, Form()]


@router.get("")
async def show(parts: PartsDep, session: SessionDep) -> Response:
    """How it stands: none, being set up, or in force."""
    return await _page(parts, session)


@router.post("")
async def begin(parts: PartsDep, session: FormSessionDep) -> Response:
    """Begin to set one up, or begin anew."""
    try:
        await second_factor.begin(parts, session.caller)
    except Conflict as refused:
        return await _page(parts, session, HTTPStatus.CONFLICT, problem=str(refused))
    return redirect("/account/second-factor")


@router.post("/confirm")
async def confirm(parts: PartsDep, session: FormSessionDep, code: _Code = "") -> Response:
    """Put it in force with the first code, and show the recovery codes this once."""
    try:
        renewed = await second_factor.confirm(parts, session.caller, session.id, code)
    except (InvalidInput, LimitExceeded, Conflict) as refused:
        return await _refused(parts, session, refused, "confirm")
    return _codes_page(parts, session, renewed, is_new=True)


@router.post("/codes")
async def renew_codes(parts: PartsDep, session: FormSessionDep, code: _Code = "") -> Response:
    """Other recovery codes, shown this once."""
    try:
        renewed = await second_factor.renew_recovery_codes(parts, session.caller, session.id, code)
    except (InvalidInput, LimitExceeded, Conflict) as refused:
        return await _refused(parts, session, refused, "codes")
    return _codes_page(parts, session, renewed)


@router.post("/remove")
async def remove(parts: PartsDep, session: FormSessionDep, code: _Code = "") -> Response:
    """Take it away, or make room for another phone."""
    try:
        secret = await second_factor.give_up(parts, session.caller, session.id, code)
    except (InvalidInput, LimitExceeded, Conflict) as refused:
        return await _refused(parts, session, refused, "remove")
    response = redirect("/account", done="second_factor_removed")
    give_cookie(response, parts, secret)
    return response


async def _refused(
    parts: Parts,
    session: Session,
    refused: InvalidInput | LimitExceeded | Conflict,
    form: str,
) -> Response:
    """The page again, with what is wrong beside the form that was sent."""
    headers = {}
    if isinstance(refused, InvalidInput):
        status, problem = (
            HTTPStatus.UNPROCESSABLE_ENTITY,
            words.phrases.sentence(refused.problems[0].reason),
        )
    elif isinstance(refused, LimitExceeded):
        status, problem = HTTPStatus.TOO_MANY_REQUESTS, str(refused)
        headers["Retry-After"] = str(refused.retry_after)
    else:
        status, problem = HTTPStatus.CONFLICT, str(refused)
    return await _page(parts, session, status, headers, problem=problem, at=form)


async def _page(
    parts: Parts,
    session: Session,
    status: HTTPStatus = HTTPStatus.OK,
    headers: Mapping[str, str] | None = None,
    *,
    problem: str | None = None,
    at: str = "",
) -> Response:
    factor = await second_factor.factor_of(parts, session.caller.user_id)
    setting_up = None
    if factor is not None and factor.confirmed_at is None:
        setting_up = await second_factor.being_set_up(parts, session.caller, factor)
    return page(
        "account/second_factor.html",
        status,
        headers=headers,
        theme=session.theme,
        csrf=session.csrf,
        now=parts.now().astimezone(session.zone),
        factor=factor,
        setting_up=setting_up,
        picture=_picture(setting_up.address) if setting_up else None,
        is_required=second_factor.is_required(parts.settings, session.caller),
        problem=problem,
        at=at,
    )


def _codes_page(
    parts: Parts, session: Session, renewed: second_factor.Renewed, *, is_new: bool = False
) -> Response:
    response = page(
        "account/recovery_codes.html",
        theme=session.theme,
        csrf=csrf_of(parts, renewed.session),
        codes=renewed.recovery_codes,
        is_new=is_new,
    )
    give_cookie(response, parts, renewed.session)
    return response


def _picture(address: str) -> str:
    """A QR code as an image that stands in the page itself: dark on light in either theme."""
    code = segno.make(address, error="m", micro=False)
    picture: str = code.svg_data_uri(scale=4, border=4, dark="#000", light="#fff")
    return picture
