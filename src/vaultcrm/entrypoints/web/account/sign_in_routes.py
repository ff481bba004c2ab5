"""Signing in, with a password or by a signed link, and out."""

from http import HTTPStatus
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import Response

from vaultcrm.domain.errors import LimitExceeded, Unauthenticated
from vaultcrm.entrypoints.api.context import PartsDep
from vaultcrm.entrypoints.api.fields import FreeText
from vaultcrm.entrypoints.web.frame.desk import DeskDep
from vaultcrm.entrypoints.web.frame.pages import page, redirect
from vaultcrm.entrypoints.web.frame.preferences import theme_of
from vaultcrm.entrypoints.web.frame.sessions import (
    COOKIE,
    FormSessionDep,
    device_of,
    give_cookie,
    own_path,
    require_our_origin,
    session_of,
    take_cookie,
)
from vaultcrm.workflows.sign_in import sign_in_with_link, sign_in_with_password, sign_out

router = APIRouter()


@router.get("/")
async def start(desk: DeskDep) -> Response:
    return redirect("/queue" if desk.has_ai else "/inbox")


@router.get("/sign-in")
async def sign_in_page(
    request: Request,
    parts: PartsDep,
    token: str | None = None,
    wanted: Annotated[str | None, Query(alias="next")] = None,
) -> Response:
    """Sign the holder of a link in, or ask for e-mail and password."""
    onward = own_path(wanted)
    if token is None:
        try:
            await session_of(request)
        except Unauthenticated:
            return _page(request, onward=onward)
        return redirect(onward or "/")
    try:
        secret = await sign_in_with_link(
            parts, token, replaces=request.cookies.get(COOKIE), device=device_of(request)
        )
    except Unauthenticated as refused:
        return _page(
            request, HTTPStatus.UNAUTHORIZED, onward=onward, problem=str(refused), link_is_bad=True
        )
    response = redirect(onward or "/")
    give_cookie(response, parts, secret)
    return response


@router.post("/sign-in")
async def sign_in_form(
    request: Request,
    parts: PartsDep,
    email: Annotated[FreeText, Form()] = "",
    password: Annotated[FreeText, Form()] = "",
    wanted: Annotated[FreeText, Form(alias="next")] = "",
) -> Response:
    """Sign in with a password. The answer to a wrong one says nothing about who has an account."""
    require_our_origin(request)
    onward = own_path(wanted)
    if not email.strip() or not password:
        return _page(
            request,
            HTTPStatus.UNPROCESSABLE_ENTITY,
            onward=onward,
            email=email,
            problem="Type your e-mail and your password.",
        )
    try:
        secret = await sign_in_with_password(
            parts,
            email,
            password,
            replaces=request.cookies.get(COOKIE),
            device=device_of(request),
        )
    except Unauthenticated as refused:
        return _page(
            request, HTTPStatus.UNAUTHORIZED, onward=onward, email=email, problem=str(refused)
        )
    except LimitExceeded as held:
        return _page(
            request,
            HTTPStatus.TOO_MANY_REQUESTS,
            {"Retry-After": str(held.retry_after)},
            onward=onward,
            email=email,
            problem=str(held),
        )
    response = redirect(onward or "/")
    give_cookie(response, parts, secret)
    return response


def _page(
    request: Request,
    status: HTTPStatus = HTTPStatus.OK,
    headers: dict[str, str] | None = None,
    *,
    onward: str | None,
    email: str = "",
    problem: str | None = None,
    link_is_bad: bool = False,
) -> Response:
    return page(
        "account/sign_in.html",
        status,
        headers=headers,
        theme=theme_of(request),
        onward=onward,
        asked_path=urlsplit(onward).path if onward else None,
        email=email,
        problem=problem,
        link_is_bad=link_is_bad,
    )


@router.post("/sign-out")
async def sign_out_form(parts: PartsDep, session: FormSessionDep) -> Response:
    await sign_out(parts, session.token_hash)
    response = redirect("/sign-in")
    take_cookie(response, parts)
    return response
