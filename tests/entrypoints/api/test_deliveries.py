"""/api/deliveries: what became of every message, and a person's word on what nobody knows."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx2
import pytest

from tests.support.app import RunningApp
from tests.support.drafts import NOWHERE, decide
from tests.support.worker import run_jobs
from tests.support.world import SignedIn, Talk, conversation, jobs, own_details, rows, sign_in
from vaultcrm.domain.alerts import creator_subject
from vaultcrm.domain.people import Role

pytestmark = pytest.mark.anyio


async def sent_off(caller: SignedIn, talk: Talk, text: str = "Hi Tom.") -> str:
    """The id of a message that waits to leave."""
    path = f"/api/conversations/{talk.conversation_id}/send"
    sent = await caller.made(path, {"creatorId": talk.creator_id, "text": text})
    return str(sent["messageId"])


async def becomes(app: RunningApp, item: str, status: str, error: str | None = None) -> None:
    """What a worker that met trouble would have left, with no job for it."""
    await rows(
        app,
        """UPDATE outbox SET delivery_status = %(status)s, error = %(error)s, attempts = 1
           WHERE id = %(id)s""",
        id=item,
        status=status,
        error=error,
    )
    await rows(
        app,
        """DELETE FROM procrastinate_jobs
           WHERE task_name = 'deliver_message' AND args ->> 'item_id' = %(id)s""",
        id=item,
    )


async def settle(caller: SignedIn, talk: Talk, item: str, resolution: str) -> httpx2.Response:
    body = {"creatorId": talk.creator_id, "resolution": resolution}
    return await caller.post(f"/api/deliveries/{item}", body)


async def listed(caller: SignedIn, *statuses: str, **query: Any) -> list[str]:
    found = await caller.found("/api/deliveries", status=list(statuses), **query)
    return [item["id"] for item in found["items"]]


async def spoken(app: RunningApp) -> list[str]:
    found = await rows(app, "SELECT text FROM messages WHERE sender = 'creator' ORDER BY id")
    return [row["text"] for row in found]


async def test_messages_are_listed_by_what_became_of_them_the_latest_change_first(
    app: RunningApp,
) -> None:
    manager = await sign_in(app, Role.MANAGER, name="Mary")
    talk = await conversation(manager)
    failed, unsure, left, waits = [await sent_off(manager, talk, f"no. {i}") for i in range(4)]
    await becomes(app, failed, "failed", "the platform refused it")
    await becomes(app, unsure, "uncertain", "we stopped while it was being sent")
    await becomes(app, left, "sent")
    for place, item in enumerate((left, unsure, failed, waits)):
        await rows(
            app,
            "UPDATE outbox SET updated_at = created_at - %(by)s WHERE id = %(id)s",
            id=item,
            by=timedelta(minutes=place + 1),
        )

    assert await listed(manager) == [left, unsure, failed, waits]
    assert await listed(manager, "failed", "uncertain") == [unsure, failed]
    assert await listed(manager, "sent") == [left]
    assert await listed(manager, "sending") == []
    [shown] = (await manager.found("/api/deliveries", status="failed"))["items"]
    assert (shown["text"], shown["status"]) == ("no. 0", "failed")
    assert shown["error"] == "the platform refused it"
    assert (shown["author"], shown["authorName"]) == ("chatter", "Mary")
    assert shown["conversationId"] == talk.conversation_id
    wrong = await manager.get("/api/deliveries", status="lost")
    assert wrong.status_code == 422


async def test_the_list_of_deliveries_has_pages_to_its_end(app: RunningApp) -> None:
    manager = await sign_in(app, Role.MANAGER)
    talk = await conversation(manager)
    items = [await sent_off(manager, talk, f"no. {i}") for i in range(7)]
    await rows(app, "UPDATE outbox SET updated_at = '2026-01-01T00:00:00Z'")
    seen: list[str] = []
    query: dict[str, Any] = {"limit": 3}
    while True:
        page = await manager.found("/api/deliveries", **query)
        seen += [item["id"] for item in page["items"]]
        if page["nextCursor"] is None:
            break
        query["cursor"] = page["nextCursor"]
    assert seen == sorted(items, reverse=True)


async def test_a_message_that_a_person_saw_on_the_platform_stands_in_the_conversation(
    app: RunningApp,
) -> None:
    manager = await sign_in(app, Role.MANAGER)
    talk = await conversation(manager)
    item = await sent_off(manager, talk)
    await becomes(app, item, "uncertain")

    answer = await settle(manager, talk, item, "sent")

    assert answer.json() == {"id": item, "status": "sent"}
    assert await spoken(app) == ["Hi Tom."]
    talked = await manager.found(f"/api/conversations/{talk.conversation_id}")
    assert talked["waitingSince"] is None
    [trace] = await rows(app, "SELECT * FROM audit_log WHERE action = 'message.resolved'")
    assert trace["actor_id"] == manager.user_id
    assert own_details(trace) == {"resolution": "sent", "was": "uncertain"}
    await run_jobs(app)
    assert await spoken(app) == ["Hi Tom."]


async def test_a_message_that_never_arrived_has_failed_and_is_not_sent_by_itself(
    app: RunningApp,
) -> None:
    manager = await sign_in(app, Role.MANAGER)
    talk = await conversation(manager)
    item = await sent_off(manager, talk)
    await becomes(app, item, "uncertain")
    assert (await settle(manager, talk, item, "not_sent")).json()["status"] == "failed"
    await run_jobs(app)
    assert await spoken(app) == []
    [shown] = (await manager.found("/api/deliveries", status="failed"))["items"]
    assert shown["error"] == "a person says that it was not sent"


@pytest.mark.parametrize("was", ["uncertain", "failed"])
async def test_a_message_is_sent_again_when_a_person_says_so_whatever_was_said_since(
    app: RunningApp, was: str
) -> None:
    manager = await sign_in(app, Role.MANAGER)
    talk = await conversation(manager)
    draft = (await manager.made("/api/ai/generate", talk.asks()))["generationId"]
    await decide(manager, draft, "modify", modifiedMessage="Hi Tom.")
    [item] = await listed(manager)
    await becomes(app, item, was)
    await manager.made(talk.messages, talk.says("Are you there?"))

    again = await settle(manager, talk, item, "send_again")

    assert again.json() == {"id": item, "status": "pending"}
    assert len(await jobs(app, "deliver_message")) == 1
    await run_jobs(app)
    assert await listed(manager, "sent") == [item]
    assert await spoken(app) == ["Hi Tom."]


async def test_a_message_that_failed_and_is_sent_again_may_be_tried_as_often_as_a_new_one(
    app: RunningApp,
) -> None:
    manager = await sign_in(app, Role.MANAGER)
    talk = await conversation(manager)
    item = await sent_off(manager, talk)
    await becomes(app, item, "failed")
    await rows(app, "UPDATE outbox SET attempts = 8")
    await settle(manager, talk, item, "send_again")
    [stored] = await rows(app, "SELECT attempts, error FROM outbox")
    assert stored == {"attempts": 0, "error": None}


@pytest.mark.parametrize("first", ["sent", "not_sent", "send_again"])
async def test_what_a_person_has_settled_is_settled(app: RunningApp, first: str) -> None:
    manager = await sign_in(app, Role.MANAGER)
    talk = await conversation(manager)
    item = await sent_off(manager, talk)
    await becomes(app, item, "uncertain")
    settled = (await settle(manager, talk, item, first)).json()["status"]
    for again in ("sent", "not_sent"):
        refused = await settle(manager, talk, item, again)
        assert (refused.status_code, refused.json()["currentStatus"]) == (409, settled)
    assert len(await rows(app, "SELECT 1 FROM audit_log WHERE action = 'message.resolved'")) == 1


@pytest.mark.parametrize("status", ["pending", "sending", "sent"])
@pytest.mark.parametrize("resolution", ["sent", "not_sent", "send_again"])
async def test_there_is_nothing_to_settle_about_a_message_whose_fate_is_known(
    app: RunningApp, status: str, resolution: str
) -> None:
    manager = await sign_in(app, Role.MANAGER)
    talk = await conversation(manager)
    item = await sent_off(manager, talk)
    await becomes(app, item, status)
    refused = await settle(manager, talk, item, resolution)
    assert (refused.status_code, refused.json()["currentStatus"]) == (409, status)
    assert await listed(manager, status) == [item]


async def test_a_failed_message_cannot_be_said_to_have_been_sent(app: RunningApp) -> None:
    manager = await sign_in(app, Role.MANAGER)
    talk = await conversation(manager)
    item = await sent_off(manager, talk)
    await becomes(app, item, "failed")
    assert (await settle(manager, talk, item, "sent")).status_code == 409
    assert await spoken(app) == []


async def test_the_alert_on_uncertain_messages_is_over_when_the_last_one_is_settled(
    app: RunningApp,
) -> None:
    manager = await sign_in(app, Role.MANAGER)
    talk = await conversation(manager)
    items = [await sent_off(manager, talk) for _ in range(2)]
    for item in items:
        await becomes(app, item, "uncertain")
    await rows(
        app,
        """INSERT INTO alerts (id, kind, subject, severity, message, details, raised_at)
           VALUES (gen_random_uuid(), 'message_uncertain', %(subject)s, 'warning', 'look', '{}',
                   now())""",
        subject=creator_subject(UUID(talk.creator_id)),
    )
    open_alerts: list[int] = []
    for item in items:
        await settle(manager, talk, item, "not_sent")
        found = await manager.found("/api/alerts", open=True)
        open_alerts.append(len(found["items"]))
    assert open_alerts == [1, 0]


async def test_a_creators_messages_do_not_exist_for_a_chatter_of_another(
    app: RunningApp,
) -> None:
    manager = await sign_in(app, Role.MANAGER)
    talk = await conversation(manager)
    theo = await conversation(manager, creator="theo", fan="ann")
    stranger = await sign_in(app, Role.CHATTER, creators=["theo"])
    item = await sent_off(manager, talk)
    await becomes(app, item, "uncertain")
    assert await listed(stranger) == []
    response = await stranger.get("/api/deliveries", creatorId=talk.creator_id)
    assert response.status_code == 404
    assert (await settle(stranger, talk, item, "sent")).status_code == 404
    assert (await settle(stranger, theo, item, "sent")).status_code == 404
    assert (await settle(manager, talk, NOWHERE, "sent")).status_code == 404
    assert await listed(manager, "uncertain") == [item]
