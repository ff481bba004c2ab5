"""Health, /metrics, and the id of a request, over HTTP."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import pytest

from stubs.llm import Fail, LlmStub
from tests.support.app import RunningApp, running_app
from tests.support.fixtures import settings
from tests.support.world import conversation, rows, sign_in
from vaultcrm.controls.monitoring.observed import OK, Observed
from vaultcrm.domain.people import Role
from vaultcrm.workflows.observe import WORKER, hand_on, observing

pytestmark = pytest.mark.anyio

TOKEN = "a-token-for-prometheus"


async def scraped(app: RunningApp) -> str:
    answer = await app.client.get("/metrics")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    return answer.text


def value(text: str, name: str, **labels: str) -> float:
    """The one sample of this name with these labels, whatever its others are."""
    found = [
        line
        for line in text.splitlines()
        if line.startswith((f"{name}{{", f"{name} "))
        and all(f'{label}="{wanted}"' in line for label, wanted in labels.items())
    ]
    assert len(found) == 1, (name, labels, found)
    return float(found[0].rpartition(" ")[2])


async def test_what_happened_is_on_the_page_for_prometheus(
    claude: RunningApp, llm: LlmStub
) -> None:
    admin = await sign_in(claude, Role.ADMIN)
    talk = await conversation(admin)
    drafts = [await admin.made("/api/ai/generate", talk.asks()) for _ in range(2)]
    decided = {"generationId": drafts[0]["generationId"], "action": "approve"}
    await admin.made("/api/ai/approve", decided)
    llm.script([Fail(500)])
    assert (await admin.post("/api/ai/generate", talk.asks())).status_code == 502

    text = await scraped(claude)

    generate = {"method": "POST", "route": "/api/ai/generate"}
    assert value(text, "vaultcrm_http_requests_total", **generate, status="200") == 2
    assert value(text, "vaultcrm_http_requests_total", **generate, status="502") == 1
    assert value(text, "vaultcrm_http_request_duration_seconds_count", **generate) == 3
    calls = {"model": "claude-sonnet-5-5", "purpose": "draft"}
    assert value(text, "vaultcrm_model_calls_total", **calls, outcome="ok") == 2
    assert value(text, "vaultcrm_model_calls_total", **calls, outcome="drafter-unavailable") == 1
    used = sum(draft["usage"]["outputTokens"] for draft in drafts)
    assert value(text, "vaultcrm_model_tokens_total", **calls, kind="output") == used
    cost = sum(draft["usage"]["costUsd"] for draft in drafts)
    assert value(text, "vaultcrm_model_cost_dollars_total", **calls) == pytest.approx(cost)
    assert value(text, "vaultcrm_cost_today_dollars") == pytest.approx(cost)
    assert value(text, "vaultcrm_drafts_today", status="approved") == 1
    assert value(text, "vaultcrm_drafts_today", status="queued") == 1
    assert value(text, "vaultcrm_decisions_today", decision="approved") == 1
    assert value(text, "vaultcrm_queue_drafts") == 1
    assert value(text, "vaultcrm_queue_oldest_seconds") > 0
    assert value(text, "vaultcrm_outbox_messages", status="pending") == 1
    assert value(text, "vaultcrm_jobs", queue="default", status="todo") >= 1
    assert value(text, "vaultcrm_database_bytes") > 1_000_000
    assert value(text, "vaultcrm_pool_connections") >= 1
    assert value(text, "vaultcrm_database_errors_total") == 0


async def test_one_process_answers_for_all(app: RunningApp) -> None:
    worker = replace(app.parts, observed=Observed())
    worker.observed.process = "another-1"
    worker.observed.model_call("m", "draft", OK, 1.0)
    async with observing(worker, WORKER):
        pass
    text = await scraped(app)
    assert value(text, "vaultcrm_model_calls_total", process="another-1") == 1
    assert value(text, "vaultcrm_process_last_seen_seconds", kind="worker") < 60


async def test_no_label_tells_who_somebody_is_or_which_of_them(app: RunningApp) -> None:
    admin = await sign_in(app, Role.ADMIN, name="Ada")
    talk = await conversation(admin, fan="secretfan", said=["my words are mine"])
    await admin.found(f"/api/conversations/{talk.conversation_id}/messages")
    await admin.get("/api/fans", q="secretfan")
    await app.client.get(f"/nowhere/{talk.fan_id}")

    text = await scraped(app)

    for private in ("secretfan", "Ada", "my words", talk.fan_id, talk.conversation_id, "mia"):
        assert private not in text
    assert 'route="/api/conversations/{conversation_id}/messages"' in text
    assert 'route="(none)",status="404"' in text


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": TOKEN},
        {"Authorization": f"bearer {TOKEN}x"},
    ],
)
async def test_where_a_token_is_set_only_it_opens_the_page(
    database_url: str, home: Path, headers: dict[str, str]
) -> None:
    async with running_app(settings(database_url, home, metrics_token=TOKEN)) as app:
        refused = await app.client.get("/metrics", headers=headers)
        assert refused.status_code == 401
        assert refused.json()["type"] == "/problems/unauthenticated"
        let_in = await app.client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
        assert let_in.status_code == 200


async def test_without_a_token_only_this_machine_reads_it(app: RunningApp) -> None:
    assert (await app.client.get("/metrics")).status_code == 200
    for header in ("X-Forwarded-For", "Forwarded", "Via", "X-Real-IP"):
        handed_on = await app.client.get("/metrics", headers={header: "203.0.113.9"})
        assert handed_on.status_code == 401
    transport = httpx2.ASGITransport(app=app.app, client=("203.0.113.9", 4711))
    async with httpx2.AsyncClient(transport=transport, base_url="http://x.test") as client:
        assert (await client.get("/metrics")).status_code == 401


async def test_a_request_has_an_id_in_its_answer_and_in_its_problem(app: RunningApp) -> None:
    answer = await app.client.get("/healthz")
    assert len(answer.headers["X-Request-Id"]) == 16
    given = {"X-Request-Id": "crm-4711"}
    assert (await app.client.get("/healthz", headers=given)).headers["X-Request-Id"] == "crm-4711"
    problem = await app.client.get("/api/fans", headers=given)
    assert (problem.status_code, problem.json()["requestId"]) == (401, "crm-4711")
    odd = await app.client.get("/api/fans", headers={"X-Request-Id": "no good id"})
    assert odd.headers["X-Request-Id"] == odd.json()["requestId"] != "no good id"


async def test_a_process_is_ready_when_its_database_is_migrated_and_says_if_a_worker_lives(
    app: RunningApp,
) -> None:
    async def ready() -> tuple[int, dict[str, Any]]:
        answer = await app.client.get("/readyz")
        return answer.status_code, answer.json()

    assert await ready() == (200, {"status": "ok", "detail": "", "worker": "silent"})
    worker = replace(app.parts, observed=Observed())
    worker.observed.process = "another-1"
    assert await hand_on(worker, WORKER)
    assert (await ready())[1]["worker"] == "alive"
    await rows(app, "UPDATE processes SET seen_at = seen_at - interval '2 days'")
    assert (await ready())[1]["worker"] == "silent"


async def test_a_process_whose_database_was_not_migrated_is_not_ready(app: RunningApp) -> None:
    await _at_revision(app, "0001")
    answer = await app.client.get("/readyz")
    assert (answer.status_code, answer.json()["status"]) == (503, "unavailable")
    assert "migrate" in answer.json()["detail"]
    await _at_revision(app, "9999")
    assert (await app.client.get("/readyz")).status_code == 200


async def _at_revision(app: RunningApp, revision: str) -> None:
    import psycopg

    with psycopg.connect(app.parts.database_url, autocommit=True) as owner:
        owner.execute("UPDATE alembic_version SET version_num = %s", (revision,))
