"""What a fan does is worked through exactly once, and asks for what it should ask for."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from stubs.llm import LlmStub, Reply
from tests.adapters.channels.platform import serve_platform
from tests.support.app import RunningApp, running_app
from tests.support.fixtures import settings, with_claude
from tests.support.gate import Gate
from tests.support.guarantee import give_guarantee
from tests.support.webhooks import SECRET, message_event, purchase_event, signed
from tests.support.worker import run_jobs, time_has_come
from tests.support.world import WARM, SignedIn, jobs, own_details, rows, set_flag, sign_in
from vaultcrm.domain.people import Role
from vaultcrm.workflows.attribute_outcomes import attribute_outcomes
from vaultcrm.workflows.receive_message import accept_webhook, process_webhook

pytestmark = pytest.mark.anyio


CALM = {
    "sentiment": "positive",
    "intent": "chat",
    "distress": "none",
    "possible_minor": False,
    "language": "en",
}


@dataclass(frozen=True)
class Mia:
    """The creator mia, on the generic webhook, and the admin who looks after her."""

    app: RunningApp
    admin: SignedIn
    creator_id: UUID

    async def hears(self, event: dict[str, Any]) -> UUID:
        """Accept a webhook; the id of what was kept."""
        body, headers = signed(event)
        assert await accept_webhook(self.app.parts, "webhook", "mia", headers, body)
        kept = "SELECT id FROM inbound_events WHERE event_id = %(id)s"
        [row] = await rows(self.app, kept, id=event["id"])
        found: UUID = row["id"]
        return found

    async def works_through(self, *events: dict[str, Any]) -> None:
        for event in events:
            await process_webhook(self.app.parts, self.creator_id, await self.hears(event))

    async def conversations(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (await self.admin.found("/api/conversations"))["items"]
        return found

    async def says(self, text: str, *, message_id: str, price: int | None = None) -> None:
        """A message of hers that a fan may buy, as delivery would have left it."""
        [conversation] = await self.conversations()
        path = f"/api/conversations/{conversation['id']}/messages"
        body = {"creatorId": str(self.creator_id), "id": message_id, "from": "creator"}
        await self.admin.made(path, {**body, "text": text})
        if price is not None:
            await rows(
                self.app,
                """UPDATE messages SET price_minor = %(price)s, currency = 'USD'
                   WHERE external_id = %(id)s""",
                price=price,
                id=message_id,
            )


@pytest.fixture
async def mia(database_url: str, home: Path, gate: Gate) -> AsyncIterator[Mia]:
    with serve_platform() as platform:
        channel = {"webhook_secret": SECRET, "webhook_target_url": platform.url}
        own = settings(database_url, home, **channel, **with_claude(gate.url))
        async with running_app(own) as running:
            admin = await sign_in(running, Role.ADMIN)
            made = await admin.made("/api/creators", {"handle": "mia", "displayName": "Mia"})
            yield Mia(running, admin, UUID(made["id"]))


async def test_the_first_message_of_a_fan_opens_a_conversation_that_waits(mia: Mia) -> None:
    await mia.works_through(message_event("Hello there"))
    [conversation] = await mia.conversations()
    assert (conversation["channel"], conversation["externalRef"]) == ("webhook", "chat-tom88")
    assert (conversation["fanHandle"], conversation["fanTier"]) == ("tom88", "low")
    assert (conversation["unreadCount"], conversation["mode"]) == (1, "auto")
    assert conversation["waitingSince"] == conversation["lastMessageAt"]
    messages = await mia.admin.found(f"/api/conversations/{conversation['id']}/messages")
    assert [(m["text"], m["author"]) for m in messages["items"]] == [("Hello there", "fan")]


async def test_working_through_a_webhook_again_changes_nothing(mia: Mia) -> None:
    row_id = await mia.hears(message_event())
    await process_webhook(mia.app.parts, mia.creator_id, row_id)
    before = await mia.conversations()
    [kept] = await rows(mia.app, "SELECT * FROM inbound_events")
    await asyncio.gather(
        *(process_webhook(mia.app.parts, mia.creator_id, row_id) for _ in range(4))
    )
    assert await mia.conversations() == before
    assert await rows(mia.app, "SELECT * FROM inbound_events") == [kept]
    assert kept["processed_at"] is not None
    assert len(await rows(mia.app, "SELECT 1 FROM messages")) == 1
    assert len(await jobs(mia.app, "answer_fan")) == 1


async def test_a_message_that_comes_in_two_webhooks_is_one_message(mia: Mia) -> None:
    await mia.works_through(message_event(id="m-1"), message_event(id="m-1"))
    [conversation] = await mia.conversations()
    assert conversation["unreadCount"] == 1


async def test_messages_of_a_new_fan_at_once_make_one_conversation_and_ask_for_one_draft(
    mia: Mia,
) -> None:
    ids = [await mia.hears(message_event(f"message {number}")) for number in range(8)]
    await asyncio.gather(*(process_webhook(mia.app.parts, mia.creator_id, one) for one in ids))
    [conversation] = await mia.conversations()
    assert conversation["unreadCount"] == 8
    [job] = await jobs(mia.app, "answer_fan")
    assert job["args"] == {
        "creator_id": str(mia.creator_id),
        "conversation_id": conversation["id"],
        "generation_type": "reply",
    }
    assert job["queueing_lock"] == f"answer:{conversation['id']}:reply"
    [due] = await rows(mia.app, "SELECT scheduled_at > now() AS later FROM procrastinate_jobs "
                                "WHERE task_name = 'answer_fan'")  # fmt: skip
    assert due["later"]


async def test_a_new_message_makes_waiting_drafts_stale_and_asks_for_another(mia: Mia) -> None:
    await mia.works_through(message_event("Hello"))
    await time_has_come(mia.app)
    await run_jobs(mia.app)
    [first] = (await mia.admin.found("/api/ai/queue"))["items"]
    assert (first["stale"], first["chatterId"]) == (False, None)

    await mia.works_through(message_event("And another thing"))
    [overtaken] = (await mia.admin.found("/api/ai/queue"))["items"]
    assert (overtaken["generationId"], overtaken["stale"]) == (first["generationId"], True)
    await time_has_come(mia.app)
    await run_jobs(mia.app)

    [second] = (await mia.admin.found("/api/ai/queue"))["items"]
    assert second["generationId"] != first["generationId"]
    assert second["stale"] is False


async def test_where_ai_is_off_a_message_asks_for_no_draft(mia: Mia) -> None:
    await mia.works_through(message_event("Hello"))
    [conversation] = await mia.conversations()
    await rows(mia.app, "DELETE FROM procrastinate_jobs")
    mode = {"creatorId": str(mia.creator_id), "mode": "off"}
    await mia.admin.made(f"/api/conversations/{conversation['id']}/mode", mode)
    await mia.works_through(message_event("Hello?"))
    assert await jobs(mia.app, "answer_fan") == []


async def test_a_fan_who_was_answered_meanwhile_gets_no_draft(mia: Mia, llm: LlmStub) -> None:
    await mia.works_through(message_event("Hello"))
    await mia.says("Hi Tom!", message_id="c-1")
    await time_has_come(mia.app)
    await run_jobs(mia.app)
    assert llm.requests == []
    assert await jobs(mia.app, "answer_fan") == []


async def test_a_sign_of_distress_is_kept_and_traced_once(mia: Mia) -> None:
    for text in ("I want to kill myself tonight.", "I really want to kill myself."):
        await mia.works_through(message_event(text))
    [conversation] = await mia.conversations()
    assert conversation["care"] == "distress"
    traces = await rows(
        mia.app, "SELECT * FROM audit_log WHERE action = 'conversation.care_changed'"
    )
    assert [own_details(trace) for trace in traces] == [{"care": "distress"}]


async def test_a_purchase_raises_the_fans_value_and_tier_once(mia: Mia) -> None:
    await mia.works_through(message_event())
    await mia.says("A new set", message_id="c-1", price=6_000)
    await mia.works_through(purchase_event("c-1", 6_000), purchase_event("c-1", 6_000))
    [fan] = (await mia.admin.found("/api/fans"))["items"]
    assert (fan["lifetimeValueMinor"], fan["tier"]) == (6_000, "medium")
    [message] = await rows(mia.app, "SELECT * FROM messages WHERE external_id = 'c-1'")
    assert message["purchased_at"] is not None


async def test_a_purchase_that_belongs_to_no_message_is_not_lost_without_a_word(mia: Mia) -> None:
    await mia.works_through(message_event(), purchase_event("unheard-of", 6_000))
    [fan] = (await mia.admin.found("/api/fans"))["items"]
    assert fan["lifetimeValueMinor"] == 0
    kept = await rows(mia.app, "SELECT error FROM inbound_events ORDER BY received_at")
    assert [row["error"] for row in kept] == [
        None,
        "the message unheard-of is not known here, or was bought before",
    ]


async def test_money_of_two_currencies_is_never_added_up(mia: Mia) -> None:
    await mia.works_through(message_event())
    for number, (minor, currency) in enumerate([(6_000, "EUR"), (9_000, "USD"), (100, "EUR")]):
        await mia.says("A new set", message_id=f"c-{number}", price=100)
        await mia.works_through(purchase_event(f"c-{number}", minor, currency=currency))
    [fan] = (await mia.admin.found("/api/fans"))["items"]
    assert (fan["lifetimeValueMinor"], fan["currency"]) == (6_100, "EUR")


async def test_a_purchase_is_told_to_the_draft_that_caused_it(mia: Mia) -> None:
    await mia.works_through(message_event())
    await time_has_come(mia.app)
    await run_jobs(mia.app)
    [draft] = (await mia.admin.found("/api/ai/queue"))["items"]
    body = {"generationId": draft["generationId"], "action": "approve"}
    await mia.admin.made("/api/ai/approve", body)
    await run_jobs(mia.app)
    [message] = await rows(mia.app, "SELECT * FROM messages WHERE author = 'ai_approved'")
    await mia.works_through(purchase_event(message["external_id"], 2_500))
    await attribute_outcomes(mia.app.parts)
    [feedback] = await rows(mia.app, "SELECT * FROM ai_message_feedback")
    assert feedback["performance_data"] == {
        "purchased": True, "revenue": 2_500, "currency": "USD",
    }  # fmt: skip


async def test_from_a_fans_words_to_the_platform_without_a_person_where_that_is_allowed(
    database_url: str, home: Path, gate: Gate, llm: LlmStub
) -> None:
    with serve_platform() as platform:
        channel = {"webhook_secret": SECRET, "webhook_target_url": platform.url}
        own = settings(database_url, home, **channel, **with_claude(gate.url))
        async with running_app(own) as app:
            admin = await sign_in(app, Role.ADMIN)
            made = await admin.made("/api/creators", {"handle": "mia", "displayName": "Mia"})
            mia = Mia(app, admin, UUID(made["id"]))
            await give_guarantee(app, made["id"])
            await set_flag(admin, "AI_ROLLOUT_STAGE", 3)
            await mia.hears(message_event("Hello there"))
            await run_jobs(app)
            [fan] = (await admin.found("/api/fans"))["items"]
            disclosure = {"creatorId": made["id"]}
            await admin.made(f"/api/fans/{fan['id']}/disclosure", disclosure)
            llm.script([Reply(analysis=CALM), Reply(candidates=WARM)])
            await time_has_come(app)
            await run_jobs(app)

            [taken] = platform.taken
            assert taken.json["data"]["message"]["text"] == WARM[0]["message"]
            assert taken.json["data"]["conversation"] == "chat-tom88"
            [conversation] = await mia.conversations()
            assert conversation["waitingSince"] is None
            assert await rows(app, "SELECT 1 FROM procrastinate_jobs") == []
