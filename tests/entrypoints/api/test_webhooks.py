"""POST /api/webhooks/…: verified, kept, answered; then worked through, once."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.entrypoints.api.documented import hold_to_document
from tests.support.app import RunningApp, running_app
from tests.support.fixtures import settings
from tests.support.webhooks import OTHER_SECRET, SECRET, message_event, signed
from tests.support.world import conversation, jobs, rows, sign_in
from vaultcrm.domain.people import Role

pytestmark = pytest.mark.anyio


@pytest.fixture
async def app(database_url: str, home: Path) -> AsyncIterator[RunningApp]:
    """The application with the generic webhook set up, and the creator mia."""
    own = settings(database_url, home, webhook_secret=SECRET)
    async with running_app(own) as running:
        hold_to_document(running)
        manager = await sign_in(running, Role.MANAGER)
        await manager.made("/api/creators", {"handle": "mia", "displayName": "Mia"})
        yield running


async def deliver(
    app: RunningApp, event: dict[str, Any], *, to: str = "webhook/mia", **signing: Any
) -> httpx2.Response:
    body, headers = signed(event, **signing)
    return await app.client.post(f"/api/webhooks/{to}", content=body, headers=headers)


async def nothing_is_kept(app: RunningApp) -> bool:
    kept = await rows(app, "SELECT 1 FROM inbound_events")
    return kept == [] == await jobs(app, "process_inbound")


async def test_a_signed_webhook_is_kept_as_it_came_and_its_work_is_a_job(app: RunningApp) -> None:
    event = message_event()
    response = await deliver(app, event)
    assert (response.status_code, response.json()) == (202, {"accepted": True, "duplicate": False})
    [kept] = await rows(app, "SELECT * FROM inbound_events")
    assert bytes(kept["payload"]) == signed(event)[0]
    assert (kept["channel"], kept["event_id"]) == ("webhook", event["id"])
    assert kept["processed_at"] is None
    [job] = await jobs(app, "process_inbound")
    assert job["args"] == {"creator_id": str(kept["creator_id"]), "row_id": str(kept["id"])}
    assert await rows(app, "SELECT 1 FROM messages") == []


async def test_the_same_webhook_again_is_answered_and_kept_once(app: RunningApp) -> None:
    event = message_event()
    responses = await asyncio.gather(*(deliver(app, event) for _ in range(6)))
    assert {response.status_code for response in responses} == {202}
    assert sorted(response.json()["duplicate"] for response in responses) == [False] + [True] * 5
    assert len(await rows(app, "SELECT 1 FROM inbound_events")) == 1
    assert len(await jobs(app, "process_inbound")) == 1


@pytest.mark.parametrize(
    "signing",
    [
        {"secret": OTHER_SECRET},
        {"at": datetime.now(UTC) - timedelta(minutes=6)},
        {"at": datetime.now(UTC) + timedelta(hours=2)},
    ],
    ids=["another secret", "too old", "from the future"],
)
async def test_a_webhook_with_a_wrong_or_old_signature_is_not_kept(
    app: RunningApp, signing: dict[str, Any]
) -> None:
    response = await deliver(app, message_event(), **signing)
    assert response.status_code == 401
    assert response.json()["type"] == "/problems/webhook-rejected"
    assert await nothing_is_kept(app)


async def test_a_body_that_was_changed_after_signing_is_not_kept(app: RunningApp) -> None:
    body, headers = signed(message_event("Send me 5 dollars"))
    changed = body.replace(b"5 dollars", b"9 dollars")
    response = await app.client.post("/api/webhooks/webhook/mia", content=changed, headers=headers)
    assert response.status_code == 401
    unsigned = await app.client.post("/api/webhooks/webhook/mia", content=body)
    assert unsigned.status_code == 401
    assert await nothing_is_kept(app)


async def test_a_signed_body_of_another_form_is_refused_with_its_fields(app: RunningApp) -> None:
    event = message_event()
    event["data"]["message"]["text"] = ""
    response = await deliver(app, event)
    assert response.status_code == 422
    assert response.json()["errors"][0]["field"].endswith("message.text")
    assert await nothing_is_kept(app)


@pytest.mark.parametrize("to", ["webhook/nobody", "pigeon/mia"])
async def test_a_webhook_for_a_creator_or_channel_that_is_not_there_is_not_found(
    app: RunningApp, to: str
) -> None:
    assert (await deliver(app, message_event(), to=to)).status_code == 404
    assert await nothing_is_kept(app)


@pytest.mark.parametrize("to", ["webhook/%00", "webhook/mi%00a", "%00/mia", "webhook/" + "x" * 300])
async def test_a_webhook_for_a_name_that_cannot_be_is_refused(app: RunningApp, to: str) -> None:
    assert (await deliver(app, message_event(), to=to)).status_code == 422
    assert await nothing_is_kept(app)


async def test_the_simulator_takes_nothing_from_outside(app: RunningApp) -> None:
    assert (await deliver(app, message_event(), to="simulator/mia")).status_code == 401


async def test_a_channel_that_is_not_set_up_takes_nothing(database_url: str, home: Path) -> None:
    async with running_app(settings(database_url, home)) as running:
        await conversation(await sign_in(running, Role.MANAGER))
        assert (await deliver(running, message_event())).status_code == 404
