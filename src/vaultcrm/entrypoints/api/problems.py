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

from vaultcrm.controls.monitoring.request_id import current_request_id
from vaultcrm.domain import errors
from vaultcrm.domain.conversation import Message
from vaultcrm.entrypoints.api import refusals
from vaultcrm.entrypoints.api.rate_limits import rate_limit_headers
from vaultcrm.entrypoints.api.schemas.problems import NewMessageOut

PROBLEM_TYPE = "/problems/"
MEDIA_TYPE = "application/problem+json"
MOST_BODY_BYTES = 1_000_000
MOST_BYTES: Mapping[str, int] = {"/api/import": 32_000_000}
"""Paths that take more than `MOST_BODY_BYTES`."""
LONGEST_ECHO = 200
UNREADABLE = "is not valid JSON in UTF-8"

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
    errors.IssuerUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.SecretUnreadable: HTTPStatus.SERVICE_UNAVAILABLE,
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
    if (request_id := current_request_id()) is not None:
        body["requestId"] = request_id
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
        headers |= rate_limit_headers(error.quotas)
    if isinstance(error, errors.Conflict):
        members["currentStatus"] = error.status
        members["decidedBy"] = error.decided_by
        members["decidedAt"] = _iso(error.decided_at)
    if isinstance(error, errors.ThreadMovedOn):
        members["newMessages"] = [_new_message(message) for message in error.messages]
    return problem(status_of(error), error.slug, str(error), headers=headers, **members)


def _new_message(message: Message) -> dict[str, Any]:
    return NewMessageOut(
        id=message.id,
        sender=message.sender,
        author=message.author,
        text=message.text,
        sent_at=message.sent_at,
    ).model_dump(mode="json", by_alias=True)


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def most_bytes(path: str) -> int:
    """The longest body that a path takes."""
    return MOST_BYTES.get(path, MOST_BODY_BYTES)


def body_too_large(path: str) -> JSONResponse:
    return problem(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        "body-too-large",
        f"A request to {path[:LONGEST_ECHO]} may send at most {most_bytes(path):,} bytes.",
    )


def note_database_error(request: Request) -> None:
    """Count that the database was away, for the alert that tells of it."""
    parts = getattr(request.app.state, "parts", None)
    if parts is not None:
        parts.observed.database_error()


def install(app: FastAPI) -> None:
    """Answer every error with a problem document."""

    @app.exception_handler(errors.VaultError)
    async def ours(request: Request, error: errors.VaultError) -> JSONResponse:
        await refusals.note(request, error)
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
        if error.status_code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            return body_too_large(request.url.path)
        if error.status_code == HTTPStatus.BAD_REQUEST:
            return problem_of(errors.InvalidInput(errors.FieldProblem("body", UNREADABLE)))
        status = HTTPStatus(error.status_code)
        slug = status.phrase.lower().replace(" ", "-")
        return problem(status, slug, str(error.detail), headers=error.headers)

    @app.exception_handler(OperationalError)
    @app.exception_handler(PoolTimeout)
    async def database(request: Request, error: Exception) -> JSONResponse:
        note_database_error(request)
        return problem(
            HTTPStatus.SERVICE_UNAVAILABLE,
            errors.DatabaseUnavailable.slug,
            "The database cannot be reached just now. Nothing was changed; try again.",
            headers={"Retry-After": "2"},
        )

    @app.exception_handler(Exception)
    async def unforeseen(request: Request, error: Exception) -> JSONResponse:
        """Starlette raises the error again after this answer, so the server's log has it."""
        return problem(
            HTTPStatus.INTERNAL_SERVER_ERROR,
            errors.VaultError.slug,
            "Something went wrong here, and it is noted in the server's log. Try again, or tell "
            "whoever runs this server.",
        )


def _field_problem(item: Mapping[str, Any]) -> dict[str, str]:
    """One finding of pydantic's, without the value that was found at fault."""
    path = [_shown(str(part)) for part in item["loc"]]
    if path and path[0] in {"body", "query", "path", "header"}:
        path = path[1:] or path
    field = ".".join(path)
    match item["type"]:
        case "json_invalid":
            return {"field": "body", "reason": UNREADABLE}
        case "model_attributes_type" | "model_type" if field == "body":
            return {"field": field, "reason": "must be a JSON object, sent as application/json"}
        case "missing" if field == "body":
            return {"field": field, "reason": "is missing: send a JSON object"}
        case "extra_forbidden":
            return {"field": field, "reason": "is not a known field"}
    return {"field": field, "reason": _shown(str(item["msg"]).removeprefix("Value error, "))}


def _shown(text: str) -> str:
    """A text of the caller's that can be written as UTF-8 and is not sent back at any length."""
    return text[:LONGEST_ECHO].encode("utf-8", "replace").decode()
