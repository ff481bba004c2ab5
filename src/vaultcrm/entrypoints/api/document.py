"""The OpenAPI document: what FastAPI reads from the routes, and what holds for many at once.

That is the token, the `Idempotency-Key`, and the problems that an operation may answer.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from vaultcrm.entrypoints.api.context import LONGEST_KEY
from vaultcrm.entrypoints.api.problems import MEDIA_TYPE
from vaultcrm.entrypoints.api.schemas.problems import Problem

_API = "/api/"
_WEBHOOKS = "/api/webhooks/"

_ANY = (
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.NOT_FOUND,
    HTTPStatus.UNPROCESSABLE_ENTITY,
    HTTPStatus.INTERNAL_SERVER_ERROR,
    HTTPStatus.SERVICE_UNAVAILABLE,
)
_CHANGING = (HTTPStatus.FORBIDDEN, HTTPStatus.CONFLICT, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
_SPECIAL: Mapping[str, tuple[HTTPStatus, ...]] = {
    "/api/ai/generate": (
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.BAD_GATEWAY,
        HTTPStatus.GATEWAY_TIMEOUT,
    ),
    "/api/ai/ab-tests": (HTTPStatus.FORBIDDEN,),
    "/api/ai/metrics": (HTTPStatus.FORBIDDEN,),
    "/api/ai/costs": (HTTPStatus.FORBIDDEN,),
    "/api/budgets": (HTTPStatus.FORBIDDEN,),
    "/api/alerts": (HTTPStatus.FORBIDDEN,),
    "/api/audit": (HTTPStatus.FORBIDDEN,),
    "/api/audit/seals": (HTTPStatus.FORBIDDEN,),
    "/api/fans/{fan_id}/export": (HTTPStatus.FORBIDDEN,),
    "/api/erasures": (HTTPStatus.FORBIDDEN,),
    "/api/audit/export": (HTTPStatus.FORBIDDEN,),
    "/api/care/fans": (HTTPStatus.FORBIDDEN,),
    "/api/content-rules": (HTTPStatus.FORBIDDEN,),
    "/api/event-endpoints": (HTTPStatus.FORBIDDEN,),
    "/api/event-deliveries": (HTTPStatus.FORBIDDEN,),
}
_TOKEN = {"type": "http", "scheme": "bearer", "description": "vaultcrm token create prints one"}
_IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "The same request with the same key has one effect and gets the same answer, "
    "with the header Idempotency-Replayed.",
    "schema": {"type": "string", "minLength": 1, "maxLength": LONGEST_KEY},
}


def install(app: FastAPI) -> None:
    """Let the application give out this document."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            read = get_openapi(
                title=app.title,
                version=app.version,
                description=app.description,
                routes=app.routes,
            )
            app.openapi_schema = _completed(read)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's own way to extend it


def _completed(document: dict[str, Any]) -> dict[str, Any]:
    """The document with ours added, and `Problem` in the place of FastAPI's own form of errors."""
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            operation["responses"].pop("422", None)
            if path.startswith(_API):
                _complete(path, method, operation)
    components = document["components"]
    components["securitySchemes"] = {"token": _TOKEN}
    schemas = components["schemas"]
    for theirs in ("HTTPValidationError", "ValidationError"):
        schemas.pop(theirs, None)
    ours = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas |= ours.pop("$defs", {})
    schemas["Problem"] = ours
    return document


def _complete(path: str, method: str, operation: dict[str, Any]) -> None:
    statuses = {
        *_ANY,
        *_SPECIAL.get(path, ()),
        *(_CHANGING if method in {"post", "put", "delete"} else ()),
    }
    for status in sorted(statuses):
        operation["responses"][str(status.value)] = {
            "description": status.phrase,
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
    if path.startswith(_WEBHOOKS):
        return
    operation["security"] = [{"token": []}]
    if method == "post":
        operation.setdefault("parameters", []).append(_IDEMPOTENCY_KEY)
