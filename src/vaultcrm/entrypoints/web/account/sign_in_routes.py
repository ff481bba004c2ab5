"""Signing in, with a password or by a signed link and then a code, and out."""

from http import HTTPStatus
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import Response

from vaultcrm.controls.auth import SECOND_STEP_LIFETIME
from vaultcrm.domain.errors import InvalidInput, LimitExceeded, LinkUsed, Unauthenticated
from vaultcrm.entrypoints.api.context import PartsDep
from vaultcrm.entrypoints.api.fields import FreeText
from vaultcrm.entrypoints.web.frame.desk import DeskDep
from vaultcrm.entrypoints.web.frame.pages import page, redirect
from vaultcrm.entrypoints.web.frame.preferences import theme_of
from vaultcrm.entrypoints.web.frame.sessions import (
    FormSessionDep,
    give_cookie,
    is_over_https,
    own_path,
    require_our_origin,
    session_of,
    take_cookie,
)
from vaultcrm.entrypoints.web.frame.visitors import fetches_ahead, visitor_of
from vaultcrm.entrypoints.web.text import words
from vaultcrm.workflows.parts import Parts
from vaultcrm.workflows.sign_in import (
    Opened,
    SecondStep,
    sign_in_with_code,
    sign_in_with_link,
    sign_in_with_password,
    sign_out,
)

router = APIRouter()

STEP_COOKIE = "vaultcrm_step"
_STEP_PATH = "/sign-in"
BEGIN_AGAIN = "That took too long. Sign in again from the beginning."


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
    if fetches_ahead(request):
        return _page(request, onward=onward)
    try:
        entered = await sign_in_with_link(parts, token, visitor_of(request))
    except LinkUsed as used:
        if await _is_signed_in_as(request, used):
            return redirect(onward or "/")
        return _bad_link(request, onward, used)
    except Unauthenticated as refused:
        return _bad_link(request, onward, refused)
    return _entered(parts, entered, onward)


async def _is_signed_in_as(request: Request, used: LinkUsed) -> bool:
    try:
        return (await session_of(request)).caller.user_id == used.user_id
    except Unauthenticated:
        return False


def _bad_link(request: Request, onward: str | None, refused: Unauthenticated) -> Response:
    return _page(
        request, HTTPStatus.UNAUTHORIZED, onward=onward, problem=str(refused), link_is_bad=True
    )


def _entered(parts: Parts, entered: Opened | SecondStep, onward: str | None) -> Response:
    """On to the console, or to the second factor first."""
    if isinstance(entered, Opened):
        response = redirect(onward or "/")
        give_cookie(response, parts, entered.secret)
        return response
    response = redirect("/sign-in/code", next=onward)
    response.set_cookie(
        STEP_COOKIE,
        entered.token,
        max_age=int(SECOND_STEP_LIFETIME.total_seconds()),
        path=_STEP_PATH,
        httponly=True,
        samesite="lax",
        secure=is_over_https(parts),
    )
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
        entered = await sign_in_with_password(parts, email, password, visitor_of(request))
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
    return _entered(parts, entered, onward)


@router.get("/sign-in/code")
async def code_page(
    request: Request, wanted: Annotated[str | None, Query(alias="next")] = None
) -> Response:
    """Ask for the second factor of somebody who has shown the first."""
    onward = own_path(wanted)
    if not request.cookies.get(STEP_COOKIE):
        return redirect("/sign-in", next=onward)
    return _code_page(request, onward)


@router.post("/sign-in/code")
async def code_form(
    request: Request,
    parts: PartsDep,
    code: Annotated[FreeText, Form()] = "",
    wanted: Annotated[FreeText, Form(alias="next")] = "",
) -> Response:
    """Sign in with the code of an app, or with a recovery code."""
    require_our_origin(request)
    onward = own_path(wanted)
    step = request.cookies.get(STEP_COOKIE)
    if not step:
        return _page(request, HTTPStatus.UNAUTHORIZED, onward=onward, problem=BEGIN_AGAIN)
    try:
        opened = await sign_in_with_code(parts, step, code, visitor_of(request))
    except InvalidInput as refused:
        problem = words.phrases.sentence(refused.problems[0].reason)
        return _code_page(request, onward, HTTPStatus.UNAUTHORIZED, problem=problem)
    except LimitExceeded as held:
        return _code_page(
            request,
            onward,
            HTTPStatus.TOO_MANY_REQUESTS,
            {"Retry-After": str(held.retry_after)},
            problem=str(held),
        )
    except Unauthenticated as refused:
        response = _bad_link(request, onward, refused)
        _take_step_cookie(response, parts)
        return response
    response = redirect(onward or "/")
    _take_step_cookie(response, parts)
    give_cookie(response, parts, opened.secret)
    return response


def _take_step_cookie(response: Response, parts: Parts) -> None:
    response.delete_cookie(
        STEP_COOKIE, path=_STEP_PATH, httponly=True, samesite="lax", secure=is_over_https(parts)
    )


def _code_page(
    request: Request,
    onward: str | None,
    status: HTTPStatus = HTTPStatus.OK,
    headers: dict[str, str] | None = None,
    *,
    problem: str | None = None,
) -> Response:
    return page(
        "account/code.html",
        status,
        headers=headers,
        theme=theme_of(request),
        onward=onward,
        problem=problem,
    )


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
