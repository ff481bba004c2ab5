"""Errors as pages, where a person and not a program asked."""

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from psycopg import OperationalError
from psycopg_pool import PoolTimeout
from starlette.exceptions import HTTPException
from starlette.responses import Response

from vaultcrm.domain import errors
from vaultcrm.entrypoints.api import refusals
from vaultcrm.entrypoints.api.problems import note_database_error, problem, status_of
from vaultcrm.entrypoints.web.frame.pages import asked_by_htmx, page, redirect
from vaultcrm.entrypoints.web.frame.sessions import asked_for

Handler = Callable[[Request, Any], Awaitable[Response]]

PROGRAMS = ("/api/", "/healthz", "/readyz", "/metrics")
"""Paths that answer programs: their errors stay problem documents."""

TITLES = {
    HTTPStatus.NOT_FOUND: "There is nothing here",
    HTTPStatus.FORBIDDEN: "This is not open to you",
    HTTPStatus.METHOD_NOT_ALLOWED: "There is nothing here",
    HTTPStatus.INTERNAL_SERVER_ERROR: "Something went wrong here",
}

NOTHING_HERE = "The address is wrong, or what it led to is gone or not yours to see."
BROKEN = (
    "It is not your fault, and what you sent may not have been saved. Go back and look; if it "
    "happens again, tell whoever runs this installation the time."
)
NO_DATABASE_TITLE = "The database does not answer"
NO_DATABASE = "Nothing was changed. Wait a moment, then reload this page."
_INTO_TROUBLE = {"HX-Retarget": "#trouble", "HX-Reswap": "outerHTML"}
UNREADABLE = "The form could not be read. Nothing was changed. Go back and send it again."


def install(app: FastAPI) -> None:
    """Lay error pages over the problem documents that are installed already."""
    for kind, handler in (
        (errors.VaultError, _ours),
        (RequestValidationError, _invalid),
        (HTTPException, _http),
        (OperationalError, _database),
        (PoolTimeout, _database),
    ):
        app.add_exception_handler(kind, _for_people(handler, app.exception_handlers[kind]))
    app.add_exception_handler(Exception, _for_people(_broken, _broken_for_programs))


def _for_people(ours: Handler, programs: Any) -> Handler:
    async def handle(request: Request, error: Any) -> Response:
        if request.url.path.startswith(PROGRAMS):
            answer: Response = await programs(request, error)
            return answer
        return await ours(request, error)

    return handle


async def _ours(request: Request, error: errors.VaultError) -> Response:
    if isinstance(error, errors.Unauthenticated):
        to_sign_in = redirect("/sign-in", next=asked_for(request))
        if asked_by_htmx(request):
            headers = {"HX-Redirect": to_sign_in.headers["location"]}
            return Response(status_code=HTTPStatus.UNAUTHORIZED, headers=headers)
        return to_sign_in
    if isinstance(error, errors.SecondFactorMissing):
        to_set_up = redirect("/account/second-factor")
        if asked_by_htmx(request):
            headers = {"HX-Redirect": to_set_up.headers["location"]}
            return Response(status_code=HTTPStatus.FORBIDDEN, headers=headers)
        return to_set_up
    await refusals.note(request, error)
    return _page(request, status_of(error), str(error))


async def _invalid(request: Request, error: RequestValidationError) -> Response:
    """An address that cannot be one of ours, or a form that none of our pages sends."""
    if any(item["loc"][0] in {"path", "query"} for item in error.errors()):
        return _page(request, HTTPStatus.NOT_FOUND, NOTHING_HERE)
    return _page(request, HTTPStatus.UNPROCESSABLE_ENTITY, UNREADABLE)


async def _http(request: Request, error: HTTPException) -> Response:
    status = HTTPStatus(error.status_code)
    told = {HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED}
    return _page(request, status, NOTHING_HERE if status in told else status.phrase)


async def _database(request: Request, error: Exception) -> Response:
    note_database_error(request)
    return _page(request, HTTPStatus.SERVICE_UNAVAILABLE, NO_DATABASE, title=NO_DATABASE_TITLE)


async def _broken(request: Request, error: Exception) -> Response:
    return _page(request, HTTPStatus.INTERNAL_SERVER_ERROR, BROKEN)


async def _broken_for_programs(request: Request, error: Exception) -> Response:
    return problem(
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "internal-error",
        "Something went wrong on our side. Whether anything was changed is not known: read, "
        "before you try again.",
    )


def _page(
    request: Request, status: HTTPStatus, message: str, *, title: str | None = None
) -> Response:
    """The error as a page; for a part of a page as a notice above it, which stays as it is."""
    title = title or TITLES.get(status, "This did not work")
    if asked_by_htmx(request):
        return page(
            "frame/_trouble.html", status, headers=_INTO_TROUBLE, title=title, message=message
        )
    return page("frame/error.html", status, title=title, message=message)
