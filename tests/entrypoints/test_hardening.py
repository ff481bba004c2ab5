"""Every answer carries what keeps browsers from misusing it, and none takes for ever."""

from pathlib import Path

import httpx2
import pytest

from stubs.llm import LlmStub
from tests.support.app import RunningApp, running_app
from tests.support.fixtures import app, gate, llm, llm_server, settings, with_claude
from tests.support.gate import Gate
from tests.support.world import conversation, counters, sign_in
from vaultcrm.domain.people import Role

__all__ = ["app", "gate", "llm", "llm_server"]

pytestmark = pytest.mark.anyio

CARRIED = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
PATHS = {
    "/": 303,
    "/healthz": 200,
    "/api/openapi.json": 200,
    "/api/docs": 200,
    "/api/fans": 401,
    "/api/no-such-thing": 404,
    "/api/fans/not-an-id": 401,
    "/no-such-page": 404,
    "/sign-in": 200,
    "/static/console.css": 200,
    "/static/console.css?v=1": 200,
    "/static/no-such-file.css": 404,
}


def carries(answer: httpx2.Response) -> None:
    for name, value in CARRIED.items():
        assert answer.headers[name] == value, (answer.url, name)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["cache-control"]
    assert answer.headers.get_list("content-security-policy") == [policy]
    assert "geolocation=()" in answer.headers["permissions-policy"]


@pytest.mark.parametrize(("path", "status"), PATHS.items())
async def test_every_answer_carries_the_headers_that_keep_browsers_safe(
    app: RunningApp, path: str, status: int
) -> None:
    answer = await app.client.get(path)
    assert answer.status_code == status
    carries(answer)


async def test_refusals_of_a_body_carry_them_too(app: RunningApp) -> None:
    mary = await sign_in(app, Role.MANAGER)
    long = await app.client.post("/api/fans", content=b"x" * 1_000_001, headers=mary.headers)
    wrong = await mary.post("/api/fans", {"no": "fan"})
    assert (long.status_code, wrong.status_code) == (413, 422)
    carries(long)
    carries(wrong)


async def test_what_breaks_carries_them_too(app: RunningApp) -> None:
    @app.app.get("/api/breaks")
    async def breaks() -> None:
        raise RuntimeError("on purpose")

    transport = httpx2.ASGITransport(app=app.app, raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://vaultcrm.test") as client:
        answer = await client.get("/api/breaks")
    assert answer.status_code == 500
    carries(answer)
    assert "on purpose" not in answer.text


async def test_answers_are_not_kept_except_static_files_whose_address_names_their_version(
    app: RunningApp,
) -> None:
    for path in PATHS:
        kept = (await app.client.get(path)).headers["cache-control"]
        is_versioned = path.startswith("/static/") and "?v=" in path
        assert ("immutable" in kept) == is_versioned, path
        assert ("no-store" in kept) != is_versioned, path


@pytest.mark.parametrize(
    ("base_url", "told"),
    [("https://crm.example.com", "max-age=31536000"), ("http://127.0.0.1:8000", None)],
)
async def test_browsers_are_told_to_come_over_https_where_people_do(
    database_url: str, home: Path, base_url: str, told: str | None
) -> None:
    own = settings(database_url, home, vaultcrm_base_url=base_url)
    async with running_app(own) as app:
        for path in ("/healthz", "/sign-in", "/api/fans", "/static/console.css"):
            answer = await app.client.get(path)
            assert answer.headers.get("strict-transport-security") == told


async def test_a_request_that_takes_too_long_is_given_up_and_gives_back_what_it_reserved(
    database_url: str, home: Path, gate: Gate, llm: LlmStub
) -> None:
    own = settings(database_url, home, **with_claude(gate.url), request_seconds=3)
    async with running_app(own) as app:
        mary = await sign_in(app, Role.MANAGER)
        talk = await conversation(mary)
        gate.shut()
        answer = await mary.post("/api/ai/generate", talk.asks())
        gate.open()
        assert answer.status_code == 503
        assert answer.json()["type"] == "/problems/too-slow"
        assert answer.headers["retry-after"]
        carries(answer)
        assert await counters(app) == {}


async def test_the_page_of_the_api_loads_nothing_from_elsewhere(app: RunningApp) -> None:
    answer = await app.client.get("/api/docs")
    assert "https://" not in answer.text
    assert "//cdn" not in answer.text
    policy = answer.headers["content-security-policy"]
    assert "script-src 'self';" in policy
    for part in ("/static/vendor/swagger-ui-bundle.js", "/static/api-docs.js"):
        assert part in answer.text
        assert (await app.client.get(part)).status_code == 200
