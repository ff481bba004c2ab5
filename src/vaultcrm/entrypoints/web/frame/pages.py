"""Templates, and the headers that every answer of the console carries."""

import hashlib
from collections.abc import Mapping
from functools import cache
from http import HTTPStatus
from os import stat_result
from pathlib import Path
from urllib.parse import urlencode

from fastapi import Request
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import Response
from starlette.staticfiles import PathLike, StaticFiles
from starlette.types import Scope

from vaultcrm.entrypoints.web.text import times, words
from vaultcrm.entrypoints.web.text.marking import segments

HERE = Path(__file__).parents[1]
STATIC = HERE / "static"

HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self'; "
        "img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    # Not `no-referrer`: browsers would then call the origin of our own forms "null".
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}

_ENVIRONMENT = Environment(
    loader=FileSystemLoader(HERE / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


@cache
def _asset(name: str) -> str:
    """The address of a static file. Another content has another one, so it may be kept for ever."""
    version = hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]
    return f"/static/{name}?v={version}"


_ENVIRONMENT.globals.update(words=words, times=times, segments=segments, asset=_asset)


def page(
    template: str,
    status: int = HTTPStatus.OK,
    *,
    headers: Mapping[str, str] | None = None,
    **values: object,
) -> HTMLResponse:
    """A rendered page. Whatever the templates print is escaped."""
    body = _ENVIRONMENT.get_template(template).render(values)
    return HTMLResponse(body, status, {**HEADERS, **(headers or {})})


def asked_by_htmx(request: Request) -> bool:
    """Whether a part of a page is wanted and not a page."""
    return request.headers.get("hx-request") == "true"


def redirect(path: str, *, fragment: str = "", **query: object) -> RedirectResponse:
    """303 to a page of ours; a query value that is None is left out."""
    given = urlencode({name: value for name, value in query.items() if value is not None})
    target = path + (f"?{given}" if given else "") + (f"#{fragment}" if fragment else "")
    return RedirectResponse(target, HTTPStatus.SEE_OTHER, dict(HEADERS))


class Assets(StaticFiles):
    """Static files. One whose address names its version may be kept, as a new one gets a new."""

    def file_response(
        self, full_path: PathLike, stat_result: stat_result, scope: Scope, status_code: int = 200
    ) -> Response:
        response = super().file_response(full_path, stat_result, scope, status_code)
        response.headers["X-Content-Type-Options"] = HEADERS["X-Content-Type-Options"]
        if scope["query_string"].startswith(b"v="):
            response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return response
