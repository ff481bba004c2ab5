"""A query whose filter was forgotten shows the caller's own creators, whichever way they came.

Routes of the test's own take the place of routes that there are, and ask without any filter.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from fastapi import Request
from fastapi.routing import APIRoute

from stubs.llm import LlmStub
from tests.entrypoints.web.browser import sign_in as sign_in_at_the_console
from tests.support.app import RunningApp, running_app
from tests.support.fixtures import app, gate, llm, llm_server, settings, with_claude
from tests.support.gate import Gate
from tests.support.wire import Wire, tapped
from tests.support.world import SignedIn, conversation, rows, sign_in
from vaultcrm.domain.people import Role
from vaultcrm.entrypoints.api.context import CallerDep, PartsDep
from vaultcrm.entrypoints.web.frame.sessions import SessionDep
from vaultcrm.workflows.parts import Parts

__all__ = ["app", "gate", "llm", "llm_server"]

pytestmark = pytest.mark.anyio

# No filter, on purpose.
WHOSE = "SELECT DISTINCT c.handle FROM messages m JOIN creators c ON c.id = m.creator_id"
HOW_MANY = "SELECT count(*) FROM messages"


async def asked_without_a_filter(parts: Parts) -> dict[str, Any]:
    """In every way in which workflows get a connection."""
    async with parts.pool.connection() as connection:
        cursor = await connection.execute(WHOSE)
        whose = {row[0] for row in await cursor.fetchall()}
    async with parts.transaction() as connection:
        row = await (await connection.execute(HOW_MANY)).fetchone()
    async with parts.batch() as connection:
        piped = await connection.execute(HOW_MANY)
    async with parts.pipelined_transaction() as connection:
        begun = await connection.execute(HOW_MANY)
        in_pipeline = await begun.fetchone()
    found = [row, await piped.fetchone(), in_pipeline]
    return {"whose": sorted(whose), "messages": [one[0] for one in found if one is not None]}


def answer_on(running: RunningApp, path: str, endpoint: Callable[..., Awaitable[Any]]) -> None:
    """Let an endpoint of the test's own answer in the place of a route that there is."""
    running.app.router.routes.insert(0, APIRoute(path, endpoint))


async def by_token(parts: PartsDep, caller: CallerDep) -> dict[str, Any]:
    return await asked_without_a_filter(parts)


async def by_session(parts: PartsDep, session: SessionDep) -> dict[str, Any]:
    return await asked_without_a_filter(parts)


async def by_nobody(request: Request, parts: PartsDep) -> dict[str, Any]:
    return await asked_without_a_filter(parts)


async def two_creators(running: RunningApp) -> SignedIn:
    """Mia with one message, Theo with two, and an admin for both."""
    admin = await sign_in(running, Role.ADMIN)
    await conversation(admin, creator="mia", said=["One."])
    await conversation(admin, creator="theo", said=["One.", "Two."])
    return admin


SEEN_BY_ALL = {"whose": ["mia", "theo"], "messages": [3, 3, 3]}
SEEN_FOR_THEO = {"whose": ["theo"], "messages": [2, 2, 2]}
SEEN_BY_NOBODY = {"whose": [], "messages": [0, 0, 0]}


async def test_a_forgotten_filter_in_the_api_shows_a_manager_their_own_creators(
    app: RunningApp,
) -> None:
    admin = await two_creators(app)
    manager = await sign_in(app, Role.MANAGER, creators=["theo"])
    answer_on(app, "/api/creators", by_token)
    for _ in range(3):  # each connection has had either of them
        assert await admin.found("/api/creators") == SEEN_BY_ALL
        assert await manager.found("/api/creators") == SEEN_FOR_THEO


async def test_a_forgotten_filter_on_a_page_shows_a_chatter_their_own_creators(
    app: RunningApp,
) -> None:
    await two_creators(app)
    answer_on(app, "/queue", by_session)
    seen = {}
    for name, creators in (("Jo", ["theo"]), ("Kim", None), ("Lou", [])):
        person = await sign_in_at_the_console(app, Role.CHATTER, name=name, creators=creators)
        seen[name] = (await person.client.get("/queue")).json()
    assert seen == {"Jo": SEEN_FOR_THEO, "Kim": SEEN_BY_ALL, "Lou": SEEN_BY_NOBODY}


async def test_a_request_that_nobody_is_known_to_make_sees_nothing(app: RunningApp) -> None:
    await two_creators(app)
    answer_on(app, "/healthz", by_nobody)
    assert (await app.client.get("/healthz")).json() == SEEN_BY_NOBODY
    # What the request was to see has gone with it.
    assert await asked_without_a_filter(app.parts) == SEEN_BY_ALL


async def test_requests_at_once_over_few_connections_see_each_what_is_theirs(
    database_url: str, home: Path
) -> None:
    async with running_app(settings(database_url, home, database_pool_size=3)) as running:
        admin = await two_creators(running)
        people = {
            "admin": (admin, SEEN_BY_ALL),
            "theo's": (
                await sign_in(running, Role.MANAGER, creators=["theo"]),
                SEEN_FOR_THEO,
            ),
            "mia's": (
                await sign_in(running, Role.CHATTER, creators=["mia"]),
                {"whose": ["mia"], "messages": [1, 1, 1]},
            ),
        }
        answer_on(running, "/api/creators", by_token)
        asked = [name for name in people for _ in range(12)]
        found = await asyncio.gather(*(people[name][0].found("/api/creators") for name in asked))
        assert [
            (name, answer)
            for name, answer in zip(asked, found, strict=True)
            if answer != people[name][1]
        ] == []


def one_line(creator: str) -> dict[str, Any]:
    """One conversation, as an import has it."""
    said = {"id": f"m-{creator}", "from": "fan", "text": "Hey", "sentAt": "2026-11-01T10:00:00Z"}
    return {
        "creator": {"handle": creator},
        "fan": {"handle": "tom"},
        "channel": "simulator",
        "messages": [said],
    }


async def test_whoever_adds_a_creator_sees_them_in_the_same_request(app: RunningApp) -> None:
    await two_creators(app)
    manager = await sign_in(app, Role.MANAGER, creators=["theo"])
    lines = "\n".join(json.dumps(one_line(name)) for name in ("nova", "theo", "zoe", "mia"))
    answer = await app.client.post(
        "/api/import",
        content=lines.encode(),
        headers={**manager.headers, "Content-Type": "application/jsonl"},
    )
    report = answer.json()
    assert (report["creatorsNew"], report["messagesNew"], len(report["problems"])) == (2, 3, 1)
    said = await rows(app, "SELECT action FROM audit_log WHERE action = 'creator.added'")
    assert len(said) >= 2


@pytest.fixture
async def wire(database_url: str) -> AsyncIterator[Wire]:
    async with tapped(database_url) as counted:
        yield counted


async def test_people_of_different_creators_by_turns_cost_no_more_round_trips(
    wire: Wire, home: Path, gate: Gate, llm: LlmStub
) -> None:
    own = settings(wire.url, home, **with_claude(gate.url), database_pool_size=2)
    async with running_app(own) as running:
        running.leaves_running_calls_unwatched()
        admin = await sign_in(running, Role.ADMIN)
        talks = {name: await conversation(admin, creator=name) for name in ("mia", "theo")}
        people = {
            name: await sign_in(running, Role.CHATTER, creators=[name], name=f"{name}-chatter")
            for name in talks
        }
        costs: dict[str, list[int]] = {"generate": [], "approve": []}
        for _ in range(9):
            drafts = {}
            for name, person in people.items():
                begun = wire.round_trips
                drafts[name] = await person.made("/api/ai/generate", talks[name].asks())
                costs["generate"].append(wire.round_trips - begun)
            for name, person in people.items():
                begun = wire.round_trips
                decision = {"generationId": drafts[name]["generationId"], "action": "approve"}
                await person.made("/api/ai/approve", decision)
                costs["approve"].append(wire.round_trips - begun)
        # The first ones prepare statements.
        assert set(costs["generate"][-4:]) == {2}
        assert set(costs["approve"][-4:]) == {4}
