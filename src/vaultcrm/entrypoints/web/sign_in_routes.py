"""Signing in by a signed link, and out."""

from http import HTTPStatus

from fastapi import APIRouter, Request
from fastapi.responses import Response

from vaultcrm.domain.errors import Unauthenticated
from vaultcrm.entrypoints.api.context import PartsDep
from vaultcrm.entrypoints.web.desk import DeskDep
from vaultcrm.entrypoints.web.pages import page, redirect
from vaultcrm.entrypoints.web.sessions import (
    COOKIE,
    FormSessionDep,
    give_cookie,
    session_of,
    sign_in,
    sign_out,
    take_cookie,
)

router = APIRouter()


@router.get("/")
async def start(desk: DeskDep) -> Response:
    return redirect("/queue" if desk.has_ai else "/inbox")


@router.get("/sign-in")
async def sign_in_page(request: Request, parts: PartsDep, token: str | None = None) -> Response:
    """Sign the holder of a link in, or say how to get one."""
    if token is None:
        try:
            await session_of(request)
        except Unauthenticated:
            return page("sign_in.html", problem=None)
        return redirect("/")
    try:
        secret = await sign_in(parts, token, request.cookies.get(COOKIE))
    except Unauthenticated as refused:
        return page("sign_in.html", HTTPStatus.UNAUTHORIZED, problem=str(refused))
    response = redirect("/")
    give_cookie(response, parts, secret)
    return response


@router.post("/sign-out")
async def sign_out_form(parts: PartsDep, session: FormSessionDep) -> Response:
    await sign_out(parts, session)
    response = redirect("/sign-in")
    take_cookie(response, parts)
    return response
