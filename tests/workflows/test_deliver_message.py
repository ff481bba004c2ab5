"""What was decided is sent once, in its order, as it was decided, or it is told why not."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from stubs.llm import LlmStub, Reply
from tests.adapters.channels.platform import Answer, Platform, serve_platform
from tests.support.app import RunningApp, running_app
from tests.support.channels import only
from tests.support.drafts import copies, decide
from tests.support.fixtures import settings
from tests.support.webhooks import SECRET
from tests.support.worker import run_jobs, time_has_come
from tests.support.world import (
    WARM,
    SignedIn,
    Talk,
    conversation,
    jobs,
    rows,
    set_flag,
    sign_in,
)
from vaultcrm.adapters.channels.webhook import WebhookChannel
from vaultcrm.domain.generation import DeliveryStatus
from vaultcrm.domain.people import Role
from vaultcrm.workflows.deliver_message import Delivery, deliver_message
from vaultcrm.workflows.parts import Parts

pytestmark = pytest.mark.anyio


@pytest.fixture
def platform() -> Iterator[Platform]:
    with serve_platform() as served:
        yield served


@pytest.fixture
async def sending(database_url: str, home: Path, platform: Platform) -> AsyncIterator[RunningApp]:
    """The application with a webhook channel to the platform."""
    channel = {"webhook_secret": SECRET, "webhook_target_url": platform.url}
    async with running_app(settings(database_url, home, **channel)) as running:
        yield running


async def approved(
    manager: SignedIn, talk: Talk, text: str = "Hello Tom!", *, price: float | None = None
) -> UUID:
    """The id of a message in the outbox that a person has decided on."""
    draft = await manager.made("/api/ai/generate", talk.asks())
    await manager.made(
        "/api/ai/approve",
        {
            "generationId": draft["generationId"],
            "action": "modify",
            "modifiedMessage": text,
            "modifiedPrice": price,
        },
    )
    found = await rows(
        manager.app,
        "SELECT id FROM outbox WHERE generation_id = %(generation)s",
        generation=draft["generationId"],
    )
    item_id: UUID = found[0]["id"]
    return item_id


async def waiting(sending: RunningApp, **changes: Any) -> tuple[SignedIn, Talk, UUID]:
    manager = await sign_in(sending, Role.MANAGER)
    talk = await conversation(manager, channel="webhook")
    item_id = await approved(manager, talk, **changes)
    await time_has_come(sending)
    return manager, talk, item_id


async def attempt(parts: Parts, talk: Talk, item_id: UUID) -> Delivery | None:
    return await deliver_message(parts, UUID(talk.creator_id), item_id)


async def item_of(app: RunningApp, item_id: UUID) -> dict[str, Any]:
    [item] = await rows(app, "SELECT * FROM outbox WHERE id = %(id)s", id=item_id)
    return item


def at(parts: Parts, moment: datetime) -> Parts:
    """The same parts with a clock that stands at a moment."""
    return replace(parts, now=lambda: moment)


def texts(platform: Platform) -> list[str]:
    return [taken.json["data"]["message"]["text"] for taken in platform.taken]


async def test_a_message_is_sent_once_and_then_stands_in_the_conversation(
    sending: RunningApp, platform: Platform
) -> None:
    platform.answers = [Answer(body=json.dumps({"messageId": "theirs-1"}).encode())]
    manager, talk, item_id = await waiting(sending, price=12.5)

    first = await attempt(sending.parts, talk, item_id)
    again = await attempt(sending.parts, talk, item_id)

    assert first is not None
    assert (first.status, first.retry_at, again) == (DeliveryStatus.SENT, None, None)
    [taken] = platform.taken
    assert taken.headers["webhook-id"] == str(item_id)
    assert taken.json["data"]["message"]["price"] == {"amountMinor": 1250, "currency": "USD"}
    message = (await manager.found(talk.messages))["items"][0]
    assert (message["text"], message["author"]) == ("Hello Tom!", "ai_approved")
    assert (message["priceMinor"], message["currency"]) == (1250, "USD")
    [stored] = await rows(sending, "SELECT * FROM messages WHERE sender = 'creator'")
    assert (stored["external_id"], stored["author_user_id"]) == ("theirs-1", manager.user_id)
    now = await manager.found(f"/api/conversations/{talk.conversation_id}")
    assert (now["waitingSince"], now["unreadCount"]) == (None, 0)
    [trace] = await rows(sending, "SELECT * FROM audit_log WHERE action = 'message.sent'")
    assert trace["subject_id"] == str(item_id)


async def test_a_fan_who_writes_while_a_message_is_being_sent_still_waits(
    sending: RunningApp, platform: Platform
) -> None:
    platform.answers = [Answer(seconds=3)]
    manager, talk, item_id = await waiting(sending)
    delivery = asyncio.create_task(attempt(sending.parts, talk, item_id))
    for _ in range(400):
        if platform.taken:
            break
        await asyncio.sleep(0.02)
    assert platform.taken
    await manager.made(talk.messages, talk.says("One more thing!"))
    assert (await delivery) is not None

    now = await manager.found(f"/api/conversations/{talk.conversation_id}")
    assert now["waitingSince"] is not None
    newest = (await manager.found(talk.messages))["items"][0]
    assert newest["text"] == "One more thing!"


async def test_a_worker_sends_what_was_approved_and_the_generation_says_so(
    sending: RunningApp, platform: Platform
) -> None:
    manager, _, item_id = await waiting(sending)
    generation = f"/api/ai/generations/{(await item_of(sending, item_id))['generation_id']}"
    assert (await manager.found(generation))["deliveryStatus"] == "pending"
    await run_jobs(sending)
    assert texts(platform) == ["Hello Tom!"]
    assert (await item_of(sending, item_id))["delivery_status"] == "sent"
    assert (await manager.found(generation))["deliveryStatus"] == "sent"
    assert await jobs(sending, "deliver_message") == []
    await run_jobs(sending)
    assert len(platform.taken) == 1


@pytest.mark.parametrize(
    "tampering",
    [
        "UPDATE outbox SET text = 'Send me money'",
        "UPDATE outbox SET price_minor = 1, currency = 'USD'",
        "UPDATE outbox SET media_ids = ARRAY['other']",
        "UPDATE outbox SET bound_hash = '\\x00'",
        "UPDATE conversations SET channel = 'simulator'",
        "UPDATE conversations SET external_ref = 'somebody-else'",
        "UPDATE fans SET handle = 'somebody-else'",
    ],
)
async def test_what_differs_from_what_was_decided_does_not_leave(
    sending: RunningApp, platform: Platform, tampering: str
) -> None:
    manager, talk, item_id = await waiting(sending)
    await rows(sending, tampering)

    delivery = await attempt(sending.parts, talk, item_id)

    assert delivery is not None
    assert delivery.status is DeliveryStatus.FAILED
    assert platform.taken == []
    item = await item_of(sending, item_id)
    assert item["error"] == "it differs from what was decided"
    shown = await manager.found(f"/api/ai/generations/{item['generation_id']}")
    assert (shown["deliveryStatus"], shown["deliveryError"]) == ("failed", item["error"])
    [trace] = await rows(sending, "SELECT * FROM audit_log WHERE action = 'message.not_sent'")
    assert trace["details"]["error"] == "it differs from what was decided"
    [alert] = (await manager.found("/api/alerts", open="true"))["items"]
    assert (alert["kind"], alert["severity"]) == ("message_differs", "critical")
    assert await rows(sending, "SELECT 1 FROM messages WHERE sender = 'creator'") == []


async def test_of_many_who_decide_at_once_each_draft_reaches_the_platform_once(
    sending: RunningApp, platform: Platform
) -> None:
    """16 people over 500 drafts, each wanted by two of them: one of the two versions leaves."""
    manager = await sign_in(sending, Role.MANAGER)
    talk = await conversation(manager, channel="webhook")
    first = await manager.made("/api/ai/generate", talk.asks())
    drafts = [
        first["generationId"],
        *await copies(sending, first["generationId"], 499),
    ]
    deciders = [await sign_in(sending, Role.CHATTER) for _ in range(16)]
    won: list[str] = []

    async def work(place: int, person: SignedIn) -> None:
        for number, draft in enumerate(drafts):
            if number % 8 != place // 2:
                continue
            text = f"Number {number}, as chatter {place} would say it."
            answer = await decide(person, draft, "modify", modifiedMessage=text)
            if answer.is_success:
                won.append(text)
            else:
                assert answer.status_code == 409, answer.text

    await asyncio.gather(*(work(place, person) for place, person in enumerate(deciders)))
    await run_jobs(sending)

    assert len(won) == len(drafts)
    assert sorted(texts(platform)) == sorted(won)


async def automatic(claude: RunningApp, llm: LlmStub) -> tuple[SignedIn, Talk, UUID]:
    """A message that leaves by itself, over the simulator."""
    admin = await sign_in(claude, Role.ADMIN)
    talk = await conversation(admin)
    await set_flag(admin, "AI_ROLLOUT_STAGE", 3)
    llm.script([Reply(candidates=WARM)])
    draft = await admin.made("/api/ai/generate", talk.asks())
    assert draft["status"] == "auto_sent"
    [item] = await rows(claude, "SELECT * FROM outbox")
    return admin, talk, item["id"]


async def test_an_automatic_message_is_sent_by_the_worker(claude: RunningApp, llm: LlmStub) -> None:
    admin, talk, item_id = await automatic(claude, llm)
    await run_jobs(claude)
    item = await item_of(claude, item_id)
    assert (item["delivery_status"], item["external_id"]) == ("sent", f"sim-{item_id}")
    message = (await admin.found(talk.messages))["items"][0]
    assert (message["text"], message["author"]) == (WARM[0]["message"], "ai_automatic")
    assert message["generationId"] == str(item["generation_id"])


@pytest.mark.parametrize(
    ("happening", "reason"),
    [
        ("says more", "the fan has written since it was decided"),
        ("needs care", "automatic messages are stopped in this conversation"),
    ],
)
async def test_an_automatic_message_is_held_back_when_the_fans_state_has_changed(
    claude: RunningApp, llm: LlmStub, happening: str, reason: str
) -> None:
    admin, talk, item_id = await automatic(claude, llm)
    if happening == "says more":
        await admin.made(talk.messages, talk.says("Wait, something else!"))
    else:
        care = {"creatorId": talk.creator_id, "care": "distress", "reason": "he called"}
        await admin.made(f"/api/conversations/{talk.conversation_id}/care", care)
    await run_jobs(claude)
    item = await item_of(claude, item_id)
    assert (item["delivery_status"], item["error"]) == ("failed", reason)
    spoken = await rows(claude, "SELECT text FROM messages WHERE sender = 'creator'")
    assert spoken == []


async def test_an_offer_is_held_back_when_the_fan_has_shown_distress_since_it_was_approved(
    sending: RunningApp, platform: Platform
) -> None:
    manager, talk, item_id = await waiting(sending, price=12.5)
    await manager.made(talk.messages, talk.says("I want to kill myself tonight."))
    delivery = await attempt(sending.parts, talk, item_id)
    assert delivery is not None
    assert delivery.status is DeliveryStatus.FAILED
    assert platform.taken == []


async def test_after_a_crash_a_platform_that_knows_our_id_is_asked_again_with_the_same_bytes(
    sending: RunningApp, platform: Platform
) -> None:
    """The process died between the call and its receipt: nobody knows whether it was taken."""
    platform.answers = [Answer(drops=True), Answer()]
    _, talk, item_id = await waiting(sending)
    await attempt(sending.parts, talk, item_id)
    await rows(sending, "UPDATE outbox SET delivery_status = 'sending', not_before = created_at")

    delivery = await attempt(sending.parts, talk, item_id)

    assert delivery is not None
    assert delivery.status is DeliveryStatus.SENT
    lost, taken = platform.taken
    assert (lost.body, lost.headers["webhook-id"]) == (taken.body, taken.headers["webhook-id"])
    assert len(await rows(sending, "SELECT 1 FROM messages WHERE sender = 'creator'")) == 1


@pytest.mark.parametrize("answer", [Answer(drops=True), Answer(500)])
async def test_a_message_that_may_have_arrived_is_asked_for_again_though_the_fan_has_written_since(
    sending: RunningApp, platform: Platform, answer: Answer
) -> None:
    platform.answers = [answer, Answer()]
    manager, talk, item_id = await waiting(sending)

    first = await attempt(sending.parts, talk, item_id)
    too_soon = await attempt(sending.parts, talk, item_id)
    assert first is not None
    assert too_soon is not None
    assert (first.status, too_soon.status) == (DeliveryStatus.SENDING, DeliveryStatus.SENDING)
    assert too_soon.retry_at == first.retry_at
    assert first.retry_at is not None
    await manager.made(talk.messages, talk.says("Are you there?"))
    again = await attempt(at(sending.parts, first.retry_at), talk, item_id)

    assert again is not None
    assert again.status is DeliveryStatus.SENT
    assert [taken.headers["webhook-id"] for taken in platform.taken] == [str(item_id)] * 2
    assert (await item_of(sending, item_id))["attempts"] == 2


async def test_a_message_that_may_have_arrived_stays_so_when_the_platform_is_busy_the_next_time(
    sending: RunningApp, platform: Platform
) -> None:
    platform.answers = [Answer(drops=True), Answer(429), Answer()]
    manager, talk, item_id = await waiting(sending)

    first = await attempt(sending.parts, talk, item_id)
    assert first is not None
    assert first.retry_at is not None
    second = await attempt(at(sending.parts, first.retry_at), talk, item_id)
    assert second is not None
    assert second.retry_at is not None
    await manager.made(talk.messages, talk.says("Are you there?"))
    third = await attempt(at(sending.parts, second.retry_at), talk, item_id)

    assert third is not None
    assert (second.status, third.status) == (DeliveryStatus.SENDING, DeliveryStatus.SENT)
    assert [taken.headers["webhook-id"] for taken in platform.taken] == [str(item_id)] * 3


async def test_after_a_crash_a_platform_that_does_not_know_our_id_is_not_asked_again(
    sending: RunningApp, platform: Platform
) -> None:
    channel = WebhookChannel(SECRET, platform.url)
    channel.capabilities = replace(channel.capabilities, idempotent_sends=False)
    parts = replace(sending.parts, channels=only(webhook=channel))
    _, talk, item_id = await waiting(sending)
    await rows(sending, "UPDATE outbox SET delivery_status = 'sending', attempts = 1")

    delivery = await attempt(parts, talk, item_id)
    again = await attempt(parts, talk, item_id)

    assert delivery is not None
    assert (delivery.status, again) == (DeliveryStatus.UNCERTAIN, None)
    assert platform.taken == []
    assert (await item_of(sending, item_id))["error"] == "we stopped while it was being sent"


async def test_two_workers_that_send_the_same_message_leave_one_message(
    sending: RunningApp, platform: Platform
) -> None:
    """It should not happen; when it does, the platform sees one id, and we keep one receipt."""
    platform.answers = [Answer(seconds=0.2)]
    _, talk, item_id = await waiting(sending)
    await asyncio.gather(*(attempt(sending.parts, talk, item_id) for _ in range(4)))
    assert {taken.headers["webhook-id"] for taken in platform.taken} == {str(item_id)}
    assert len(await rows(sending, "SELECT 1 FROM messages WHERE sender = 'creator'")) == 1
    sent = await rows(sending, "SELECT 1 FROM audit_log WHERE action = 'message.sent'")
    assert len(sent) == 1


@pytest.mark.parametrize(
    ("answer", "least_seconds"),
    [
        (Answer(500), 2),
        (Answer(503, headers=(("Retry-After", "90"),)), 90),
        (Answer(429), 2),
        (Answer(429, headers=(("Retry-After", "120"),)), 120),
        (Answer(drops=True), 2),
    ],
)
async def test_a_platform_that_is_busy_is_asked_again_when_it_says_so(
    sending: RunningApp, platform: Platform, answer: Answer, least_seconds: int
) -> None:
    platform.answers = [answer, Answer()]
    _, talk, item_id = await waiting(sending)
    now = datetime.now(UTC)

    first = await attempt(at(sending.parts, now), talk, item_id)

    assert first is not None
    # A 429 was not taken; of the others nobody knows.
    waits_as = DeliveryStatus.PENDING if answer.status == 429 else DeliveryStatus.SENDING
    assert first.status is waits_as
    assert first.retry_at == now + timedelta(seconds=least_seconds)
    item = await item_of(sending, item_id)
    assert item["not_before"] == first.retry_at
    assert item["error"]
    early = await attempt(at(sending.parts, now + timedelta(seconds=1)), talk, item_id)
    assert early is not None
    assert (early.status, len(platform.taken)) == (waits_as, 1)
    assert early.retry_at == first.retry_at
    later = await attempt(at(sending.parts, first.retry_at), talk, item_id)
    assert later is not None
    assert (later.status, len(platform.taken)) == (DeliveryStatus.SENT, 2)


@pytest.mark.parametrize("status", [401, 403])
async def test_a_channel_that_refuses_us_is_paused_and_its_messages_wait(
    sending: RunningApp, platform: Platform, status: int
) -> None:
    platform.answers = [Answer(status), Answer()]
    manager, talk, item_id = await waiting(sending)
    refused = await attempt(sending.parts, talk, item_id)
    assert refused is not None
    assert refused.status is DeliveryStatus.PENDING
    assert refused.retry_at is not None

    later = at(sending.parts, refused.retry_at)
    waits = await attempt(later, talk, item_id)
    assert waits is not None
    assert (waits.status, len(platform.taken)) == (DeliveryStatus.PENDING, 1)
    [alert] = (await manager.found("/api/alerts"))["items"]
    assert (alert["kind"], alert["severity"]) == ("channel_paused", "critical")
    [account] = (await manager.found("/api/channels"))["items"]
    assert str(status) in account["pausedReason"]

    resumed = await manager.post("/api/channels/webhook/resume", {"creatorId": talk.creator_id})
    assert resumed.status_code == 204
    sent = await attempt(later, talk, item_id)
    assert sent is not None
    assert (sent.status, len(platform.taken)) == (DeliveryStatus.SENT, 2)
    assert (await manager.found("/api/alerts", open="true"))["items"] == []


@pytest.mark.parametrize("status", [400, 404, 451])
async def test_what_a_platform_refuses_is_not_tried_again(
    sending: RunningApp, platform: Platform, status: int
) -> None:
    platform.answers = [Answer(status)]
    _, talk, item_id = await waiting(sending)
    delivery = await attempt(sending.parts, talk, item_id)
    assert delivery is not None
    assert (delivery.status, delivery.retry_at) == (DeliveryStatus.FAILED, None)
    assert str(status) in (await item_of(sending, item_id))["error"]
    assert await attempt(sending.parts, talk, item_id) is None
    assert len(platform.taken) == 1


async def test_waits_double_and_come_to_an_end(sending: RunningApp, platform: Platform) -> None:
    platform.answers = [Answer(500)]
    _, talk, item_id = await waiting(sending)
    moment = datetime.now(UTC)
    waits = []
    while True:
        delivery = await attempt(at(sending.parts, moment), talk, item_id)
        assert delivery is not None
        if delivery.retry_at is None:
            break
        waits.append((delivery.retry_at - moment).total_seconds())
        moment = delivery.retry_at
    assert waits == [2, 4, 8, 16, 32, 64, 128]
    assert delivery.status is DeliveryStatus.FAILED
    assert len(platform.taken) == 8


async def test_what_was_decided_first_leaves_first_even_when_it_must_be_tried_again(
    sending: RunningApp, platform: Platform
) -> None:
    platform.answers = [Answer(500), Answer(500), Answer()]
    manager, talk, _ = await waiting(sending, text="first")
    await approved(manager, talk, "second")
    other = await conversation(manager, fan="ann", channel="webhook")
    await approved(manager, other, "elsewhere")

    for _ in range(3):
        await run_jobs(sending)
        await time_has_come(sending)
    await run_jobs(sending)

    mine = [text for text in texts(platform) if text != "elsewhere"]
    assert mine[0] == "first"
    assert mine[-2:] == ["first", "second"]
    assert mine.count("second") == 1
    assert "elsewhere" in texts(platform)
    statuses = await rows(sending, "SELECT DISTINCT delivery_status FROM outbox")
    assert [row["delivery_status"] for row in statuses] == ["sent"]


async def test_a_message_that_failed_does_not_hold_back_the_next_one(
    sending: RunningApp, platform: Platform
) -> None:
    platform.answers = [Answer(400), Answer()]
    manager, talk, _ = await waiting(sending, text="first")
    await approved(manager, talk, "second")
    await run_jobs(sending)
    assert texts(platform) == ["first", "second"]


async def test_a_message_for_a_channel_that_is_not_set_up_waits_and_somebody_hears_of_it(
    sending: RunningApp,
) -> None:
    _, talk, item_id = await waiting(sending)
    parts = replace(sending.parts, channels=only())
    delivery = await attempt(parts, talk, item_id)
    assert delivery is not None
    assert delivery.status is DeliveryStatus.PENDING
    assert delivery.retry_at is not None
    [alert] = await rows(sending, "SELECT * FROM alerts WHERE kind = 'channel_paused'")
    assert "no such channel" in alert["message"]
