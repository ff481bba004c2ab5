"""Whether what an application answers is what its OpenAPI document says."""

import re
from functools import cache
from typing import Any

import httpx2

from tests.support.app import RunningApp
from vaultcrm.entrypoints.asgi import create_app


@cache
def the_document() -> dict[str, Any]:
    """The document of every application of this process: its routes are the same for all of them,
    and reading them takes longer than most tests.
    """
    return create_app().openapi()


@cache
def _templates() -> tuple[tuple[re.Pattern[str], str], ...]:
    return tuple((re.compile(_pattern(path)), path) for path in the_document()["paths"])


def hold_to_document(running: RunningApp) -> None:
    """From now on each answer below /api is compared with the document as it comes."""
    document, templates = the_document(), _templates()

    async def check(response: httpx2.Response) -> None:
        path = response.request.url.path
        template = next((known for form, known in templates if form.fullmatch(path)), None)
        if template is None or not path.startswith("/api/"):
            return
        operation = document["paths"][template].get(response.request.method.lower())
        if operation is None:
            return
        media_type = response.headers.get("content-type", "").partition(";")[0]
        where = f"{response.request.method} {template} -> {response.status_code} {media_type}"
        answers: dict[str, Any] = operation["responses"]
        assert str(response.status_code) in answers, f"not documented: {where}"
        if response.status_code == 204:
            assert await response.aread() == b"", f"a body: {where}"
            return
        assert media_type in answers[str(response.status_code)]["content"], f"other form: {where}"
        if response.status_code >= 400:
            await response.aread()
            known = document["components"]["schemas"]["Problem"]["properties"]
            assert response.json().keys() <= known.keys(), f"unknown members: {where}"
            assert response.json()["status"] == response.status_code

    running.client.event_hooks["response"].append(check)


def _pattern(path: str) -> str:
    return re.sub(r"\\\{.+?\\\}", "[^/]+", re.escape(path))
