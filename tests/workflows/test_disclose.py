"""A fan is told that AI helps to write: first, again after the set time, and when they ask."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest

from stubs.llm import LlmStub, Reply
from tests.adapters.channels.platform import Answer, Platform, serve_platform
from tests.support.app import RunningApp, running_app
from tests.support.fixtures import settings
from tests.support.locks import until_waiting
from tests.support.webhooks import SECRET
from tests.support.worker import run_jobs, time_has_come
from tests.support.world import (
    WARM,
    SignedIn,
    Talk,
    candidate,
    conversation,
    own_details,
    rows,
    set_flag,
    sign_in,
)
from vaultcrm.domain.generation import DeliveryStatus
from vaultcrm.domain.people import Role
from vaultcrm.pipeline.disclosure import languages
from vaultcrm.workflows.deliver_message import deliver_message
from vaultcrm.workflows.recover import recover_lost_work

pytestmark = pytest.mark.anyio

ENGLISH = languages()["en"].shipped.text
SPANISH = languages()["es"].shipped.text
ASKS = "wait, are you a bot?"


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


async def begun(app: RunningApp, **more: Any) -> tuple[SignedIn, Talk]:
    manager = await sign_in(app, Role.MANAGER)
    return manager, await conversation(manager, channel="webhook", **more)


async def approve(manager: SignedIn, talk: Talk, text: str = "Hello Tom!") -> str:
    """Approve a draft in these words; the id of the draft."""
    draft = await manager.made("/api/ai/generate", talk.asks())
    body = {"generationId": draft["generationId"], "action": "modify", "modifiedMessage": text}
    await manager.made("/api/ai/approve", body)
    return str(draft["generationId"])


async def deliver(app: RunningApp) -> None:
    await time_has_come(app)
    await run_jobs(app)


async def outbox(app: RunningApp) -> list[dict[str, Any]]:
    return await rows(app, "SELECT * FROM outbox ORDER BY created_at, id")


async def told(app: RunningApp) -> list[dict[str, Any]]:
    return await rows(app, "SELECT * FROM disclosures ORDER BY created_at, id")


async def told_days_ago(app: RunningApp, days: int) -> None:
    await rows(app, "UPDATE fans SET disclosed_at = now() - %(by)s", by=timedelta(days=days))


def texts(platform: Platform) -> list[str]:
    return [taken.json["data"]["message"]["text"] for taken in platform.taken]


async def test_a_fan_reads_that_ai_helps_right_before_the_first_message_that_it_had_a_part_in(
    sending: RunningApp, platform: Platform
) -> None:
    manager, talk = await begun(sending, disclosed=False)

    await approve(manager, talk)
    await deliver(sending)

    assert texts(platform) == [ENGLISH, "Hello Tom!"]
    spoken = (await manager.found(talk.messages))["items"]
    assert [message["author"] for message in spoken[:2]] == ["ai_approved", "disclosure"]
    [disclosure] = await told(sending)
    assert (disclosure["why"], disclosure["language"], disclosure["wording_version"]) == (
        "first",
        "en",
        0,
    )
    assert disclosure["sent_at"] is not None
    fan = await manager.found(f"/api/fans/{talk.fan_id}")
    assert fan["disclosedAt"] is not None
    [entry] = await rows(sending, "SELECT * FROM audit_log WHERE action = 'fan.disclosed'")
    assert (entry["actor_id"], entry["subject_id"]) == (manager.user_id, talk.fan_id)
    assert entry["details"]["why"] == "first"


async def test_who_was_told_is_not_told_with_every_message(
    sending: RunningApp, platform: Platform
) -> None:
    manager, talk = await begun(sending, disclosed=False)
    for text in ("Hello Tom!", "And one more"):
        await approve(manager, talk, text)
        await deliver(sending)
    assert texts(platform) == [ENGLISH, "Hello Tom!", "And one more"]


async def test_two_messages_decided_before_either_left_bring_one_disclosure(
    sending: RunningApp, platform: Platform
) -> None:
    manager, talk = await begun(sending, disclosed=False)
    await approve(manager, talk, "Hello Tom!")
    await approve(manager, talk, "And one more")
    await deliver(sending)
    assert texts(platform) == [ENGLISH, "Hello Tom!", "And one more"]


async def test_a_disclosure_that_arrives_while_the_next_message_is_decided_is_not_sent_again(
    sending: RunningApp, platform: Platform
) -> None:
    manager, talk = await begun(sending, disclosed=False)
    drafts = [await manager.made("/api/ai/generate", talk.asks()) for _ in range(2)]
    said = {"action": "modify", "modifiedMessage": "Hello Tom!"}
    approvals = [said | {"generationId": draft["generationId"]} for draft in drafts]
    await manager.made("/api/ai/approve", approvals[0])
    holding = await psycopg.AsyncConnection.connect(sending.parts.database_url)
    async with holding:
        await holding.execute("SELECT FROM conversations FOR UPDATE")
        second = asyncio.create_task(manager.made("/api/ai/approve", approvals[1]))
        await until_waiting(sending)
        await holding.execute("UPDATE outbox SET delivery_status = 'sent'")
        await holding.execute("UPDATE disclosures SET sent_at = now()")
        await holding.execute("UPDATE fans SET disclosed_at = now()")
    await second
    assert [one["why"] for one in await told(sending)] == ["first"]
    assert (await outbox(sending))[-1]["after_id"] is None


@pytest.mark.parametrize(("days", "again"), [(89, False), (91, True)])
async def test_a_fan_is_told_again_once_the_set_time_has_passed(
    sending: RunningApp, platform: Platform, days: int, again: bool
) -> None:
    manager, talk = await begun(sending)
    await told_days_ago(sending, days)

    await approve(manager, talk)
    await deliver(sending)

    assert texts(platform) == ([ENGLISH] if again else []) + ["Hello Tom!"]
    assert [one["why"] for one in await told(sending)] == (["again"] if again else [])


async def test_with_no_set_time_once_is_enough(
    database_url: str, home: Path, platform: Platform
) -> None:
    channel = {"webhook_secret": SECRET, "webhook_target_url": platform.url}
    never = settings(database_url, home, ai_disclosure_every_days=0, **channel)
    async with running_app(never) as app:
        manager, talk = await begun(app)
        await told_days_ago(app, 3000)
        await approve(manager, talk)
        await deliver(app)
    assert texts(platform) == ["Hello Tom!"]


async def test_the_fans_own_language_is_spoken_where_it_is_known(
    sending: RunningApp, platform: Platform
) -> None:
    manager, talk = await begun(sending, disclosed=False)
    await rows(sending, "UPDATE messages SET language = 'es-MX' WHERE sender = 'fan'")
    await approve(manager, talk, "Hola Tom!")
    await deliver(sending)
    assert texts(platform) == [SPANISH, "Hola Tom!"]


async def test_else_the_creators_language_is_and_in_the_wording_that_a_manager_has_set(
    sending: RunningApp, platform: Platform
) -> None:
    manager, talk = await begun(sending, disclosed=False)
    await rows(sending, "UPDATE creators SET language = 'de'")
    text = "Mein Team schreibt mit Hilfe von KI."
    body = {"creatorId": talk.creator_id, "language": "de", "text": text, "version": 0}
    response = await sending.client.put("/api/disclosure", json=body, headers=manager.headers)
    assert response.status_code == 200, response.text
    await approve(manager, talk)
    await deliver(sending)
    assert texts(platform)[0] == text
    [disclosure] = await told(sending)
    assert (disclosure["language"], disclosure["wording_version"]) == ("de", 1)


async def test_a_fan_who_asks_is_answered_before_whatever_is_sent_next(
    sending: RunningApp, platform: Platform
) -> None:
    manager, talk = await begun(sending, said=[ASKS])

    body = {"creatorId": talk.creator_id, "text": "Hey, good to hear from you"}
    await manager.made(f"/api/conversations/{talk.conversation_id}/send", body)
    await deliver(sending)

    assert texts(platform) == [ENGLISH, "Hey, good to hear from you"]
    assert [one["why"] for one in await told(sending)] == ["asked"]
    [now] = await rows(sending, "SELECT disclosure_asked_at FROM conversations")
    assert now["disclosure_asked_at"] is None


async def test_a_chatters_own_message_tells_nobody_who_has_not_asked(
    sending: RunningApp, platform: Platform
) -> None:
    manager, talk = await begun(sending, disclosed=False)
    body = {"creatorId": talk.creator_id, "text": "Typed by hand"}
    await manager.made(f"/api/conversations/{talk.conversation_id}/send", body)
    await deliver(sending)
    assert texts(platform) == ["Typed by hand"]


async def test_where_messages_leave_by_themselves_a_fan_who_asks_is_told_at_once_and_waits_on(
    claude: RunningApp, llm: LlmStub
) -> None:
    admin = await sign_in(claude, Role.ADMIN)
    talk = await conversation(admin)
    await set_flag(admin, "AI_ROLLOUT_STAGE", 3)
    await admin.made(talk.messages, talk.says(f"{ASKS} and how was your day"))

    await run_jobs(claude)

    newest = (await admin.found(talk.messages))["items"][0]
    assert (newest["author"], newest["text"]) == ("disclosure", ENGLISH)
    now = await admin.found(f"/api/conversations/{talk.conversation_id}")
    assert now["waitingSince"] is not None
    llm.script([Reply(candidates=WARM)])
    assert (await admin.made("/api/ai/generate", talk.asks()))["status"] == "auto_sent"
    await admin.made(talk.messages, talk.says(ASKS))
    await run_jobs(claude)
    assert len(await told(claude)) == 1, "the answer stands right above"


@pytest.mark.parametrize("obstacle", ["stage", "mode", "care", "off"])
async def test_where_a_person_decides_what_leaves_a_person_answers_a_fan_who_asks(
    claude: RunningApp, obstacle: str
) -> None:
    admin = await sign_in(claude, Role.ADMIN)
    talk = await conversation(admin, mode="draft_only" if obstacle == "mode" else "auto")
    await set_flag(admin, "AI_ROLLOUT_STAGE", 2 if obstacle == "stage" else 3)
    if obstacle == "off":
        await set_flag(admin, "ENABLE_AI_CHAT", value=False)
    if obstacle == "care":
        care = {"creatorId": talk.creator_id, "care": "distress", "reason": "he called"}
        await admin.made(f"/api/conversations/{talk.conversation_id}/care", care)

    await admin.made(talk.messages, talk.says(ASKS))

    assert await outbox(claude) == []
    [now] = await rows(claude, "SELECT disclosure_asked_at FROM conversations")
    assert now["disclosure_asked_at"] is not None
    [entry] = await rows(claude, "SELECT * FROM audit_log WHERE action = 'disclosure.asked'")
    assert own_details(entry) == {"answered_at_once": False}


@pytest.mark.parametrize("state", ["never told", "told long ago", "asked"])
async def test_no_draft_leaves_by_itself_for_a_fan_who_is_to_be_told(
    claude: RunningApp, llm: LlmStub, state: str
) -> None:
    admin = await sign_in(claude, Role.ADMIN)
    said = [ASKS] if state == "asked" else ["Hey, how are you?"]
    talk = await conversation(admin, said=said, disclosed=state != "never told")
    if state == "told long ago":
        await told_days_ago(claude, 91)
    await set_flag(admin, "AI_ROLLOUT_STAGE", 3)
    llm.script([Reply(candidates=WARM)])
    draft = await admin.made("/api/ai/generate", talk.asks())
    assert (draft["status"], draft["approvalReasons"]) == ("queued", ["disclosure_missing"])


async def test_a_message_whose_disclosure_the_platform_refuses_does_not_leave_either(
    sending: RunningApp, platform: Platform
) -> None:
    manager, talk = await begun(sending, disclosed=False)
    await approve(manager, talk)
    platform.answers = [Answer(400), Answer()]

    await deliver(sending)

    assert texts(platform) == [ENGLISH]
    first, message = sorted(await outbox(sending), key=lambda row: row["author"] != "disclosure")
    assert (first["delivery_status"], message["delivery_status"]) == ("failed", "failed")
    assert message["error"] == "the disclosure that goes before it did not reach the fan"
    fan = await manager.found(f"/api/fans/{talk.fan_id}")
    assert fan["disclosedAt"] is None

    again = {"creatorId": talk.creator_id, "resolution": "send_again"}
    await manager.made(f"/api/deliveries/{message['id']}", again)
    await deliver(sending)
    assert texts(platform) == [ENGLISH, ENGLISH, "Hello Tom!"]
    assert (await manager.found(f"/api/fans/{talk.fan_id}"))["disclosedAt"] is not None


async def test_a_message_waits_while_its_disclosure_is_tried_again(
    sending: RunningApp, platform: Platform
) -> None:
    manager, talk = await begun(sending, disclosed=False)
    await approve(manager, talk)
    platform.answers = [Answer(503), Answer()]
    await deliver(sending)
    assert texts(platform) == [ENGLISH]
    await deliver(sending)
    assert texts(platform)[-1] == "Hello Tom!"
    assert texts(platform).count("Hello Tom!") == 1
    assert {row["delivery_status"] for row in await outbox(sending)} == {"sent"}


async def test_a_disclosure_that_broke_off_is_asked_for_with_the_same_id_and_then_the_message_goes(
    sending: RunningApp, platform: Platform
) -> None:
    """The process died between the call and its receipt."""
    manager, talk = await begun(sending, disclosed=False)
    await approve(manager, talk)
    platform.answers = [Answer(drops=True), Answer()]
    await deliver(sending)
    await rows(
        sending,
        "UPDATE outbox SET delivery_status = 'sending', not_before = created_at"
        " WHERE author = 'disclosure'",
    )

    await deliver(sending)

    ids = [taken.headers["webhook-id"] for taken in platform.taken]
    assert ids[0] == ids[1] != ids[2]
    assert texts(platform) == [ENGLISH, ENGLISH, "Hello Tom!"]
    assert len(await rows(sending, "SELECT 1 FROM messages WHERE author = 'disclosure'")) == 1
    assert len(await told(sending)) == 1


async def test_a_message_never_overtakes_its_disclosure_though_its_job_was_lost(
    sending: RunningApp, platform: Platform
) -> None:
    manager, talk = await begun(sending, disclosed=False)
    await approve(manager, talk)
    await rows(sending, "DELETE FROM procrastinate_jobs")
    old = "UPDATE outbox SET not_before = now() - interval '1 day', updated_at = not_before"
    await rows(sending, old)
    await rows(sending, "UPDATE outbox SET updated_at = now() - interval '1 day'")

    await recover_lost_work(sending.parts)
    await run_jobs(sending)

    assert texts(platform) == [ENGLISH, "Hello Tom!"]


async def test_what_is_held_back_tells_the_fan_nothing(
    sending: RunningApp, platform: Platform
) -> None:
    manager, talk = await begun(sending, disclosed=False)
    await approve(manager, talk)
    await manager.made(talk.messages, talk.says("Wait, something else"))

    await deliver(sending)

    assert platform.taken == []
    [message] = await outbox(sending)
    assert message["error"] == "the fan has written since it was decided"
    assert await told(sending) == []


async def test_undo_takes_the_disclosure_back_with_its_message(
    sending: RunningApp, platform: Platform
) -> None:
    manager, talk = await begun(sending, disclosed=False)
    draft = await approve(manager, talk)
    assert len(await outbox(sending)) == 2

    await manager.made("/api/ai/undo", {"generationId": draft})

    assert (await outbox(sending), await told(sending)) == ([], [])
    await deliver(sending)
    assert platform.taken == []


async def test_undo_leaves_the_disclosure_that_another_message_needs(
    sending: RunningApp, platform: Platform
) -> None:
    manager, talk = await begun(sending, disclosed=False)
    draft = await approve(manager, talk)
    await approve(manager, talk, "And one more")
    await manager.made("/api/ai/undo", {"generationId": draft})
    await deliver(sending)
    assert texts(platform) == [ENGLISH, "And one more"]


async def test_a_disclosure_that_was_tampered_with_does_not_leave_and_neither_does_its_message(
    sending: RunningApp, platform: Platform
) -> None:
    manager, talk = await begun(sending, disclosed=False)
    await approve(manager, talk)
    await rows(sending, "UPDATE outbox SET text = 'All by hand' WHERE author = 'disclosure'")
    await deliver(sending)
    assert platform.taken == []
    assert {row["delivery_status"] for row in await outbox(sending)} == {"failed"}


async def test_an_uncertain_disclosure_that_a_person_says_was_sent_has_told_the_fan(
    sending: RunningApp, platform: Platform
) -> None:
    manager, talk = await begun(sending, disclosed=False)
    await approve(manager, talk)
    await rows(
        sending, "UPDATE outbox SET delivery_status = 'uncertain' WHERE author = 'disclosure'"
    )
    await deliver(sending)
    assert platform.taken == []
    [item] = [row for row in await outbox(sending) if row["author"] == "disclosure"]

    sent = {"creatorId": talk.creator_id, "resolution": "sent"}
    await manager.made(f"/api/deliveries/{item['id']}", sent)

    assert (await manager.found(f"/api/fans/{talk.fan_id}"))["disclosedAt"] is not None
    [disclosure] = await told(sending)
    assert disclosure["sent_at"] is not None


async def test_a_person_can_send_the_disclosure_by_itself_once(
    sending: RunningApp, platform: Platform
) -> None:
    manager, talk = await begun(sending)
    path = f"/api/conversations/{talk.conversation_id}/disclosure"
    body = {"creatorId": talk.creator_id}

    first = await manager.post(path, body, key="once")
    same = await manager.post(path, body, key="once")
    second = await manager.post(path, body)
    await deliver(sending)

    assert (first.status_code, same.json(), second.status_code) == (200, first.json(), 409)
    assert texts(platform) == [ENGLISH]
    [disclosure] = await told(sending)
    assert disclosure["why"] == "ordered"


async def test_a_draft_for_a_fan_whom_nobody_told_is_held_back_though_it_was_decided(
    sending: RunningApp, platform: Platform
) -> None:
    """As one may stand in the outbox of an installation from before disclosures were sent."""
    manager, talk = await begun(sending)
    await approve(manager, talk)
    await rows(sending, "UPDATE fans SET disclosed_at = NULL")
    await deliver(sending)
    assert platform.taken == []
    [message] = await outbox(sending)
    assert message["error"] == "the fan has not been told that AI helps to write"


async def test_that_a_person_told_the_fan_answers_what_they_asked(sending: RunningApp) -> None:
    manager, talk = await begun(sending, said=[ASKS])
    await manager.made(f"/api/fans/{talk.fan_id}/disclosure", {"creatorId": talk.creator_id})
    [now] = await rows(sending, "SELECT disclosure_asked_at FROM conversations")
    assert now["disclosure_asked_at"] is None


async def test_a_draft_that_denies_ai_is_stopped_and_an_honest_one_is_not(
    claude: RunningApp, llm: LlmStub
) -> None:
    admin = await sign_in(claude, Role.ADMIN)
    talk = await conversation(admin, said=[ASKS])
    llm.script([Reply(candidates=[candidate("lol no, I'm not a b0t babe")] * 2)] * 3)
    denied = await admin.made("/api/ai/generate", talk.asks())
    assert (denied["status"], denied["message"]) == ("rejected", None)
    honest = "Fair question! The team uses AI to help write, and people look over it too."
    llm.script([Reply(candidates=[candidate(honest)] * 2)])
    answered = await admin.made("/api/ai/generate", talk.asks())
    assert (answered["status"], answered["safety"]["verdict"]) == ("queued", "allow")
    asked = llm.requests[0].body
    assert "deny that AI is involved" in json.dumps(asked)


async def test_disclosures_are_neither_phrases_to_say_again_nor_messages_of_anybodys_count(
    app: RunningApp,
) -> None:
    admin = await sign_in(app, Role.ADMIN)
    talk = await conversation(admin)
    path = f"/api/conversations/{talk.conversation_id}/disclosure"
    await admin.made(path, {"creatorId": talk.creator_id})
    await deliver(app)
    assert (await admin.found(talk.messages))["items"][0]["author"] == "disclosure"
    draft = await admin.made("/api/ai/generate", talk.asks())
    assert ENGLISH not in str(draft)


async def test_an_attempt_says_what_became_of_the_message_and_not_of_its_disclosure(
    sending: RunningApp, platform: Platform
) -> None:
    manager, talk = await begun(sending, disclosed=False)
    await approve(manager, talk)
    await time_has_come(sending)
    [message] = [row for row in await outbox(sending) if row["author"] != "disclosure"]
    delivery = await deliver_message(sending.parts, UUID(talk.creator_id), message["id"])
    assert delivery is not None
    assert (delivery.item.id, delivery.status) == (message["id"], DeliveryStatus.SENT)
    assert texts(platform) == [ENGLISH, "Hello Tom!"]
