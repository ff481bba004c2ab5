"""What was lost with its job is found again by its state, and done once."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from tests.adapters.channels.platform import Platform, serve_platform
from tests.support.accounts import connected
from tests.support.app import RunningApp, running_app
from tests.support.drafts import undelivered
from tests.support.fixtures import settings
from tests.support.webhooks import SECRET, message_event, signed
from tests.support.worker import run_jobs, time_has_come
from tests.support.world import SignedIn, Talk, conversation, jobs, rows, sign_in
from vaultcrm.domain.generation import DeliveryStatus
from vaultcrm.domain.people import Role
from vaultcrm.workflows.deliver_message import deliver_message
from vaultcrm.workflows.receive_message import accept_webhook
from vaultcrm.workflows.recover import recover_lost_work

pytestmark = pytest.mark.anyio


@pytest.fixture
def platform() -> Iterator[Platform]:
    with serve_platform() as served:
        yield served


@pytest.fixture
async def sending(database_url: str, home: Path, platform: Platform) -> AsyncIterator[RunningApp]:
    channel = {"webhook_secret": SECRET, "webhook_target_url": platform.url}
    async with running_app(settings(database_url, home, **channel)) as running:
        yield running


async def sent_off(manager: SignedIn, talk: Talk, text: str) -> UUID:
    path = f"/api/conversations/{talk.conversation_id}/send"
    sent = await manager.made(path, {"creatorId": talk.creator_id, "text": text})
    return UUID(sent["messageId"])


async def lose_jobs(app: RunningApp) -> None:
    await rows(app, "DELETE FROM procrastinate_jobs")


async def found_after(app: RunningApp, **waited: float) -> int:
    """How much lost work is found so much later."""
    moment = datetime.now(UTC) + timedelta(**waited)
    return await recover_lost_work(replace(app.parts, now=lambda: moment))


def texts(platform: Platform) -> list[str]:
    return [taken.json["data"]["message"]["text"] for taken in platform.taken]


async def test_a_message_whose_job_is_lost_is_found_after_two_minutes_and_sent_once(
    sending: RunningApp, platform: Platform
) -> None:
    manager = await sign_in(sending, Role.MANAGER)
    talk = await conversation(manager, channel="webhook")
    await sent_off(manager, talk, "Hi Tom.")
    await lose_jobs(sending)

    assert await found_after(sending, seconds=110) == 0
    assert await found_after(sending, minutes=3) == 1
    assert await found_after(sending, minutes=3) == 0
    await run_jobs(sending)
    await run_jobs(sending)

    assert texts(platform) == ["Hi Tom."]
    assert await undelivered(sending, talk) == []
    assert await found_after(sending, minutes=10) == 0


async def test_a_message_that_was_being_sent_when_all_was_lost_is_settled_and_not_forgotten(
    sending: RunningApp, platform: Platform
) -> None:
    manager = await sign_in(sending, Role.MANAGER)
    talk = await conversation(manager, channel="webhook")
    await sent_off(manager, talk, "Hi Tom.")
    await rows(sending, "UPDATE outbox SET delivery_status = 'sending', attempts = 1")
    await lose_jobs(sending)
    assert await found_after(sending, minutes=3) == 1
    await run_jobs(sending)
    [item] = await rows(sending, "SELECT delivery_status FROM outbox")
    assert item["delivery_status"] == "sent"
    assert len(platform.taken) == 1


async def test_lost_messages_of_one_conversation_leave_in_the_order_of_their_decisions(
    sending: RunningApp, platform: Platform
) -> None:
    manager = await sign_in(sending, Role.MANAGER)
    talk = await conversation(manager, channel="webhook")
    for text in ("one", "two", "three"):
        await sent_off(manager, talk, text)
    await lose_jobs(sending)
    assert await found_after(sending, minutes=3) == 3
    await run_jobs(sending)
    assert texts(platform) == ["one", "two", "three"]


async def test_what_has_its_job_still_is_sent_once_although_it_looked_lost(
    sending: RunningApp, platform: Platform
) -> None:
    manager = await sign_in(sending, Role.MANAGER)
    talk = await conversation(manager, channel="webhook")
    await sent_off(manager, talk, "Hi Tom.")
    assert await found_after(sending, minutes=3) == 1
    assert len(await jobs(sending, "deliver_message")) == 2
    await run_jobs(sending)
    assert texts(platform) == ["Hi Tom."]
    assert await jobs(sending, "deliver_message") == []


async def test_a_message_whose_time_has_not_come_is_not_lost(sending: RunningApp) -> None:
    manager = await sign_in(sending, Role.MANAGER)
    talk = await conversation(manager, channel="webhook")
    await sent_off(manager, talk, "Hi Tom.")
    await rows(sending, "UPDATE outbox SET not_before = now() + interval '1 hour'")
    await lose_jobs(sending)
    assert await found_after(sending, minutes=30) == 0
    assert await found_after(sending, minutes=63) == 1


@pytest.mark.parametrize("status", ["sent", "failed", "uncertain"])
async def test_what_is_over_is_not_done_again(
    sending: RunningApp, platform: Platform, status: str
) -> None:
    manager = await sign_in(sending, Role.MANAGER)
    talk = await conversation(manager, channel="webhook")
    await sent_off(manager, talk, "Hi Tom.")
    await rows(sending, "UPDATE outbox SET delivery_status = %(status)s", status=status)
    await lose_jobs(sending)
    assert await found_after(sending, hours=5) == 0
    await run_jobs(sending)
    assert platform.taken == []


async def test_an_event_whose_job_is_lost_is_found_after_two_minutes_and_worked_through_once(
    sending: RunningApp,
) -> None:
    manager = await sign_in(sending, Role.MANAGER)
    await manager.made("/api/creators", {"handle": "mia", "displayName": "Mia"})
    body, headers = signed(message_event("Hello there"))
    assert await accept_webhook(sending.parts, "webhook", "mia", headers, body)
    await lose_jobs(sending)

    assert await found_after(sending, seconds=110) == 0
    assert await found_after(sending, minutes=3) == 1
    assert await found_after(sending, minutes=3) == 0
    assert len(await jobs(sending, "process_inbound")) == 1
    await run_jobs(sending)

    spoken = await rows(sending, "SELECT text FROM messages")
    assert spoken == [{"text": "Hello there"}]
    assert len(await rows(sending, "SELECT 1 FROM inbound_events")) == 1
    assert await found_after(sending, minutes=10) == 0


async def test_lost_work_of_every_creator_is_found(sending: RunningApp, platform: Platform) -> None:
    manager = await sign_in(sending, Role.MANAGER)
    for creator in ("mia", "theo"):
        talk = await conversation(manager, creator=creator, channel="webhook")
        await sent_off(manager, talk, creator)
    await lose_jobs(sending)
    assert await found_after(sending, minutes=3) == 2
    await run_jobs(sending)
    assert sorted(texts(platform)) == ["mia", "theo"]


async def test_a_message_waits_while_the_credentials_cannot_be_read_and_leaves_when_they_can(
    database_url: str, home: Path, platform: Platform
) -> None:
    """A machine with another key sends nothing and loses nothing."""

    def keyed(letter: str) -> Any:
        return settings(database_url, home, vaultcrm_secret_key=letter * 32)

    async with running_app(keyed("a")) as right, running_app(keyed("b")) as wrong:
        manager = await sign_in(right, Role.MANAGER)
        creator_id = await connected(manager, "webhook")
        anew = {"secret": SECRET, "targetUrl": platform.url}
        body = {"creatorId": creator_id, "channel": "webhook", "settings": anew}
        await manager.made("/api/channels", body)
        talk = await conversation(manager, channel="webhook")
        item = await sent_off(manager, talk, "Hi Tom.")

        tried = await deliver_message(wrong.parts, UUID(creator_id), item)

        assert tried is not None
        assert tried.status is DeliveryStatus.PENDING
        assert tried.retry_at is not None
        assert platform.taken == []
        [account] = (await manager.found("/api/channels"))["items"]
        assert "VAULTCRM_SECRET_KEY" in account["pausedReason"]
        [alert] = (await manager.found("/api/alerts", open=True))["items"]
        assert alert["kind"] == "channel_paused"
        await manager.post("/api/channels/webhook/resume", {"creatorId": creator_id})
        await time_has_come(right)
        await run_jobs(right)
        assert texts(platform) == ["Hi Tom."]
        assert (await manager.found("/api/alerts", open=True))["items"] == []
