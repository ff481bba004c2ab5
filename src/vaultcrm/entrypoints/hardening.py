"""What every answer carries, whoever gives it, and how long any may take.

Headers that a route sets itself stay. The console's pages bring a content security policy of their
own (`web.frame.pages`); to all else, which no browser has to show, nothing is allowed.
"""

import asyncio
from collections.abc import Mapping
from http import HTTPStatus
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from vaultcrm.entrypoints.api.problems import problem
from vaultcrm.settings import Settings

HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    # Browsers that know no `frame-ancestors`.
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cache-Control": "no-store",
}
OVER_HTTPS = "max-age=31536000"
"""A year in which browsers come over https only, once they have come so."""

_ENCODED = tuple((name.lower().encode(), value.encode()) for name, value in HEADERS.items())
_SECURE = (*_ENCODED, (b"strict-transport-security", OVER_HTTPS.encode()))


class SecurityHeaders:
    """Around everything else, so that errors of the server carry them too."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def adding(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = message.get("headers", ())
                present = {name for name, _ in given}
                ours = _SECURE if _is_secure(scope) else _ENCODED
                message["headers"] = [*given, *(pair for pair in ours if pair[0] not in present)]
            await send(message)

        await self._app(scope, receive, adding)


class Deadline:
    """Gives up a request that has no answer after `REQUEST_SECONDS`; what it did is rolled back,
    unless it was committed already. An answer that has begun may take its time.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        settings = _settings(scope)
        if scope["type"] != "http" or settings is None:
            await self._app(scope, receive, send)
            return
        limit = asyncio.timeout(settings.request_seconds)

        async def begun(message: Message) -> None:
            if limit.when() is not None:
                limit.reschedule(None)
            await send(message)

        try:
            async with limit:
                await self._app(scope, receive, begun)
        except TimeoutError:
            if not limit.expired():
                raise
            refusal = problem(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "too-slow",
                f"This took longer than {settings.request_seconds:g} seconds and was given up. "
                "Whether anything was changed is not known: read, or send the request again with "
                "the same Idempotency-Key.",
                headers={"Retry-After": "5"},
            )
            await refusal(scope, receive, send)


def _settings(scope: Scope) -> Settings | None:
    parts = getattr(getattr(scope.get("app"), "state", None), "parts", None)
    return None if parts is None else parts.settings


def _is_secure(scope: Scope) -> bool:
    settings = _settings(scope)
    return settings is not None and urlsplit(settings.vaultcrm_base_url).scheme == "https"
