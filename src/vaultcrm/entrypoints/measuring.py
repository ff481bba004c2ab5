"""Every request, measured: its id, its route, its answer, and how long it took."""

import logging
import time
from contextlib import AbstractContextManager

from opentelemetry import propagate, trace
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from vaultcrm.controls.monitoring.observed import FAILED, Observed
from vaultcrm.controls.monitoring.request_id import take_request_id
from vaultcrm.entrypoints.tracing import start_tracing

REQUEST_ID = "X-Request-Id"
NO_ROUTE = "(none)"
"""What stands for the route of a request for something that there is not."""

KNOWN_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
OTHER_METHOD = "(other)"

log = logging.getLogger("vaultcrm.access")
_tracer = trace.get_tracer("vaultcrm")


class Measured:
    """Counts each request by its route's template, and logs a line where access is logged.

    The id that a caller gives in `X-Request-Id` comes back in the answer; without one, or for one
    that is not plain, a new one is made. No address, query or header is counted or logged: they may
    say who somebody is.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        request_id = take_request_id(_given_id(scope))
        status, took = 500, 0.0

        async def noting(message: Message) -> None:
            nonlocal status, took
            if message["type"] == "http.response.start":
                status, took = message["status"], time.perf_counter() - began
                MutableHeaders(scope=message).append(REQUEST_ID, request_id)
            await send(message)

        try:
            if start_tracing():
                with _span(scope) as span:
                    try:
                        await self._app(scope, receive, noting)
                    finally:
                        _describe(span, scope, status, request_id)
            else:
                await self._app(scope, receive, noting)
        finally:
            _note(scope, status, took or time.perf_counter() - began)


def _note(scope: Scope, status: int, seconds: float) -> None:
    method, route = _method(scope), route_of(scope)
    observed = _observed(scope)
    if observed is not None:
        observed.request(method, route, status, seconds)
    if log.isEnabledFor(logging.INFO):
        fields = {
            "method": method,
            "route": route,
            "status": status,
            "ms": round(seconds * 1000, 1),
        }
        log.info("request", extra={"fields": fields})


def _span(scope: Scope) -> AbstractContextManager[trace.Span]:
    return _tracer.start_as_current_span(
        _method(scope),
        context=propagate.extract(Headers(scope=scope)),
        kind=trace.SpanKind.SERVER,
        # An error's words may quote what was sent.
        record_exception=False,
        set_status_on_exception=False,
    )


def _describe(span: trace.Span, scope: Scope, status: int, request_id: str) -> None:
    method, route = _method(scope), route_of(scope)
    span.update_name(f"{method} {route}")
    span.set_attributes(
        {
            "http.request.method": method,
            "http.route": route,
            "http.response.status_code": status,
            "vaultcrm.request_id": request_id,
        }
    )
    if status in FAILED:
        span.set_status(trace.StatusCode.ERROR)


def _method(scope: Scope) -> str:
    return scope["method"] if scope["method"] in KNOWN_METHODS else OTHER_METHOD


def route_of(scope: Scope) -> str:
    """The template of the route that has answered, as `/api/fans/{fan_id}`."""
    route = scope.get("route")
    path = getattr(route, "path", None)
    return path if isinstance(path, str) and path else NO_ROUTE


def _given_id(scope: Scope) -> str | None:
    for name, value in scope["headers"]:
        if name == b"x-request-id":
            return bytes(value).decode("latin-1")
    return None


def _observed(scope: Scope) -> Observed | None:
    parts = getattr(getattr(scope.get("app"), "state", None), "parts", None)
    found = getattr(parts, "observed", None)
    return found if isinstance(found, Observed) else None
