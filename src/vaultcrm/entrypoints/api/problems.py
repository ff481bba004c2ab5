"""Errors as RFC 9457 problem details. No answer holds the caller's own text, a key or a trace."""

from collections.abc import Mapping
from datetime import datetime
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from psycopg import OperationalError
from psycopg_pool import PoolTimeout
from starlette.exceptions import HTTPException

from vaultcrm.domain import errors

PROBLEM_TYPE = "/problems/"
MEDIA_TYPE = "application/problem+json"

STATUS: Mapping[type[errors.VaultError], HTTPStatus] = {
    errors.InvalidInput: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.NotFound: HTTPStatus.NOT_FOUND,
    errors.Forbidden: HTTPStatus.FORBIDDEN,
    errors.Unauthenticated: HTTPStatus.UNAUTHORIZED,
    errors.Conflict: HTTPStatus.CONFLICT,
    errors.LimitExceeded: HTTPStatus.TOO_MANY_REQUESTS,
    errors.AiDisabled: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.DrafterRateLimited: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.DrafterTimeout: HTTPStatus.GATEWAY_TIMEOUT,
    errors.DrafterError: HTTPStatus.BAD_GATEWAY,
    errors.DatabaseUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
}
"""The status of each error; one that is not listed has that of its nearest ancestor."""


def problem(
    status: int,
    slug: str,
    detail: str,
    *,
    headers: Mapping[str, str] | None = None,
    **members: Any,
) -> JSONResponse:
    """A problem document. `members` that are None are left out."""
    body = {
        "type": PROBLEM_TYPE + slug,
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
    }
    body.update({name: value for name, value in members.items() if value is not None})
    return JSONResponse(body, status, dict(headers or {}), media_type=MEDIA_TYPE)


def status_of(error: errors.VaultError) -> HTTPStatus:
    """The HTTP status of an error of ours."""
    for kind in type(error).__mro__:
        if kind in STATUS:
            return STATUS[kind]
    return HTTPStatus.INTERNAL_SERVER_ERROR


def problem_of(error: errors.VaultError) -> JSONResponse:
    """The problem document of an error of ours."""
    headers: dict[str, str] = {}
    members: dict[str, Any] = {}
    if isinstance(error, errors.InvalidInput):
        members["errors"] = [{"field": p.field, "reason": p.reason} for p in error.problems]
    if isinstance(error, errors.Unauthenticated):
        headers["WWW-Authenticate"] = "Bearer"
    if isinstance(error, errors.LimitExceeded | errors.DrafterRateLimited):
        headers["Retry-After"] = str(error.retry_after)
    if isinstance(error, errors.LimitExceeded):
        members["limit"] = error.limit
    if isinstance(error, errors.Conflict):
        members["currentStatus"] = error.status
        members["decidedBy"] = error.decided_by
        members["decidedAt"] = _iso(error.decided_at)
    return problem(status_of(error), error.slug, str(error), headers=headers, **members)


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def install(app: FastAPI) -> None:
    """Answer every error with a problem document."""

    @app.exception_handler(errors.VaultError)
    async def ours(request: Request, error: errors.VaultError) -> JSONResponse:
        return problem_of(error)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        found = [_field_problem(item) for item in error.errors()]
        return problem(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            errors.InvalidInput.slug,
            "; ".join(f"{item['field']}: {item['reason']}" for item in found[:5]),
            errors=found,
        )

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> JSONResponse:
        status = HTTPStatus(error.status_code)
        slug = status.phrase.lower().replace(" ", "-")
        return problem(status, slug, str(error.detail), headers=error.headers)

    @app.exception_handler(OperationalError)
    @app.exception_handler(PoolTimeout)
    async def database(request: Request, error: Exception) -> JSONResponse:
        return problem(
            HTTPStatus.SERVICE_UNAVAILABLE,
            errors.DatabaseUnavailable.slug,
            "The database cannot be reached just now. Nothing was changed; try again.",
            headers={"Retry-After": "2"},
        )


def _field_problem(item: Mapping[str, Any]) -> dict[str, str]:
    """One finding of pydantic's, without the value that was found at fault."""
    path = [str(part) for part in item["loc"]]
    if path and path[0] in {"body", "query", "path", "header"}:
        path = path[1:] or path
    if item["type"] == "json_invalid":
        return {"field": "body", "reason": "is not valid JSON"}
    if item["type"] == "extra_forbidden":
        return {"field": ".".join(path), "reason": "is not a known field"}
    reason = str(item["msg"]).removeprefix("Value error, ")
    return {"field": ".".join(path), "reason": reason.encode("utf-8", "replace").decode()}
