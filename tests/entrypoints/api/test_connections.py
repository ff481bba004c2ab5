"""What a draft costs the database: round trips, connections, and none of them while it waits."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import psycopg
import pytest

from stubs.llm import LlmStub, Reply
from tests.support.app import RunningApp, running_app
from tests.support.fixtures import settings, with_claude
from tests.support.gate import Gate
from tests.support.wire import Wire, tapped
from tests.support.world import WARM, SignedIn, conversation, rows, set_flag, sign_in
from vaultcrm.domain.people import Role

pytestmark = pytest.mark.anyio


@pytest.fixture
async def wire(database_url: str) -> AsyncIterator[Wire]:
    async with tapped(database_url) as counted:
        yield counted


async def checkouts(app: RunningApp) -> int:
    """How often a connection was taken from the pool so far."""
    return int(app.parts.pool.get_stats()["requests_num"])


async def test_a_draft_takes_one_round_trip_before_the_model_and_one_after_it(
    wire: Wire, home: Path, gate: Gate
) -> None:
    own = settings(wire.url, home, **with_claude(gate.url), database_pool_size=2)
    async with running_app(own) as app:
        app.leaves_running_calls_unwatched()
        manager = await sign_in(app, Role.MANAGER)
        talk = await conversation(manager)
        for _ in range(8):  # until each connection has prepared its statements
            await manager.made("/api/ai/generate", talk.asks())
        gate.shut()
        begun, taken = wire.round_trips, await checkouts(app)
        drafting = asyncio.create_task(manager.made("/api/ai/generate", talk.asks()))
        await gate.until_waiting(1)
        opened, taken_to_open = wire.round_trips, await checkouts(app)
        gate.open()
        await drafting
        assert (opened - begun, wire.round_trips - opened) == (1, 1)
        assert (taken_to_open - taken, await checkouts(app) - taken_to_open) == (1, 1)


async def test_a_draft_that_leaves_by_itself_is_saved_in_one_transaction(
    wire: Wire, home: Path, gate: Gate, llm: LlmStub
) -> None:
    own = settings(wire.url, home, **with_claude(gate.url), database_pool_size=2, ai_judge=False)
    async with running_app(own) as app:
        admin = await sign_in(app, Role.ADMIN)
        talk = await conversation(admin)
        await set_flag(admin, "AI_ROLLOUT_STAGE", 3)
        llm.script([Reply(candidates=WARM)])
        taken = await checkouts(app)
        answer = await admin.made("/api/ai/generate", talk.asks())
        assert answer["status"] == "auto_sent"
        assert await checkouts(app) - taken == 2
        # All rows that one transaction wrote carry its number.
        [numbers] = await rows(
            app,
            """SELECT array_agg(DISTINCT x.xmin::text) AS seen FROM (
                 SELECT xmin FROM ai_message_generations
                 UNION ALL SELECT xmin FROM usage
                 UNION ALL SELECT xmin FROM outbox
                 UNION ALL SELECT xmin FROM ai_message_feedback
                 UNION ALL SELECT xmin FROM audit_log WHERE action = 'generation.created'
                 UNION ALL SELECT xmin FROM limit_counters WHERE kind = 'tokens_per_day'
                 UNION ALL SELECT xmin FROM procrastinate_jobs WHERE task_name = 'deliver_message'
               ) x""",
        )
        assert len(numbers["seen"]) == 1


async def test_an_approval_takes_three_questions_and_one_transaction(
    wire: Wire, home: Path, llm: LlmStub
) -> None:
    own = settings(wire.url, home, **with_claude(llm.url), database_pool_size=2)
    async with running_app(own) as app:
        app.leaves_running_calls_unwatched()
        manager = await sign_in(app, Role.MANAGER)
        talk = await conversation(manager)
        drafts = [await manager.made("/api/ai/generate", talk.asks()) for _ in range(9)]

        async def approve(draft: dict[str, Any]) -> None:
            decision = {"generationId": draft["generationId"], "action": "approve"}
            await manager.made("/api/ai/approve", decision)

        for draft in drafts[1:]:  # until each connection has prepared its statements
            await approve(draft)
        begun = wire.round_trips
        await approve(drafts[0])
        # Who asks, which draft, where it goes; then the decision with all that it writes, which
        # waits once inside for whether this decision was the first.
        assert wire.round_trips - begun == 4


async def test_drafts_that_wait_for_the_model_hold_no_connection(
    database_url: str, home: Path, gate: Gate
) -> None:
    own = settings(database_url, home, **with_claude(gate.url), database_pool_size=2)
    async with running_app(own) as app:
        admin = await sign_in(app, Role.ADMIN)
        talk = await conversation(admin)
        await set_flag(admin, "AI_MAX_TOKENS_PER_DAY", 10**9)
        gate.shut()
        drafting = [
            asyncio.create_task(admin.made("/api/ai/generate", talk.asks())) for _ in range(20)
        ]
        await gate.until_waiting(20)

        # Whether AI is still on is asked a few times a second, which takes a moment.
        async with asyncio.timeout(60):
            while await in_use(app) or app.parts.pool.get_stats()["pool_available"] != 2:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert app.parts.pool.get_stats().get("requests_waiting", 0) == 0
        assert (await admin.get("/api/fans")).status_code == 200

        gate.open()
        answers = await asyncio.gather(*drafting)
        assert {answer["status"] for answer in answers} == {"queued"}


async def in_use(app: RunningApp) -> int:
    """Connections that are at work or in a transaction, but for the one that asks."""
    [sessions] = await rows(
        app,
        """SELECT count(*) AS sessions FROM pg_stat_activity
           WHERE datname = current_database() AND pid <> pg_backend_pid()
             AND backend_type = 'client backend' AND state <> 'idle'""",
    )
    return int(sessions["sessions"])


async def ended_connections(app: RunningApp) -> None:
    """End all of the application's connections, as a restart of the server does."""
    with psycopg.connect(app.parts.database_url, autocommit=True) as elsewhere:
        elsewhere.execute(
            """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
               WHERE datname = current_database() AND pid <> pg_backend_pid()"""
        )


async def test_a_database_that_goes_away_is_told_as_such_and_found_again(
    claude: RunningApp,
) -> None:
    manager = await sign_in(claude, Role.MANAGER)
    talk = await conversation(manager)
    await ended_connections(claude)

    async def ask(caller: SignedIn) -> httpx2.Response:
        return await caller.post("/api/ai/generate", talk.asks())

    answers = [await ask(manager) for _ in range(6)]

    lost = [answer for answer in answers if answer.status_code != 200]
    assert lost
    assert answers[-1].status_code == 200
    for answer in lost:
        assert answer.status_code == 503
        assert answer.json()["type"] == "/problems/database-unavailable"
        assert int(answer.headers["Retry-After"]) > 0
    assert (await claude.client.get("/readyz")).status_code == 200


async def test_an_error_that_nobody_foresaw_is_a_problem_too_and_shows_nothing_of_us(
    app: RunningApp,
) -> None:
    manager = await sign_in(app, Role.MANAGER)
    await rows(app, "DROP TABLE ai_message_templates")
    transport = httpx2.ASGITransport(app=app.app, raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://vaultcrm.test") as client:
        response = await client.get("/api/templates", headers=manager.headers)
    assert response.status_code == 500
    assert response.headers["content-type"] == "application/problem+json"
    assert "ai_message_templates" not in response.text
