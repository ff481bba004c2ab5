"""An erased fan is gone from every table, and what was under way cannot bring them back."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from psycopg.sql import SQL, Identifier

from tests.adapters.channels.platform import serve_platform
from tests.support.app import RunningApp, running_app
from tests.support.fixtures import settings
from tests.support.receiver import serve_receiver
from tests.support.webhooks import SECRET, message_event, signed
from tests.support.worker import run_jobs, time_has_come
from tests.support.world import SignedIn, rows, sign_in
from vaultcrm.domain.erasure import LAST_LOOK_AFTER
from vaultcrm.domain.people import Role
from vaultcrm.workflows.erase_fan import carry_on, continue_erasures
from vaultcrm.workflows.parts import Parts
from vaultcrm.workflows.receive_message import accept_webhook, process_webhook
from vaultcrm.workflows.seal_audit import seal_audit
from vaultcrm.workflows.verify_audit import verify_creator

pytestmark = pytest.mark.anyio

HANDLE, NAME = "zebedee77", "Zebedee Quux"
TRACES = (HANDLE, "zebedee", "quux", "lighthouse", "marmalade", "harpsichord", "platypus")
"""The fan's names, and words that stand in nothing but what was said by and about them."""


@dataclass(frozen=True)
class Erasing:
    """The creator mia on the generic webhook, and an admin."""

    app: RunningApp
    admin: SignedIn
    creator_id: UUID

    @property
    def parts(self) -> Parts:
        return self.app.parts

    async def hears(self, event: dict[str, Any]) -> UUID:
        """Accept a webhook; the id of what was kept."""
        body, headers = signed(event)
        assert await accept_webhook(self.parts, "webhook", "mia", headers, body)
        [row] = await rows(
            self.app, "SELECT id FROM inbound_events WHERE event_id = %(id)s", id=event["id"]
        )
        found: UUID = row["id"]
        return found

    async def works_through(self, event: dict[str, Any]) -> None:
        await process_webhook(self.parts, self.creator_id, await self.hears(event))

    async def fans(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (await self.admin.found("/api/fans"))["items"]
        return found

    async def talk_of(self, fan_id: str) -> dict[str, Any]:
        talks = (await self.admin.found("/api/conversations"))["items"]
        found: dict[str, Any] = next(talk for talk in talks if talk["fanId"] == fan_id)
        return found

    async def erase(self, fan_id: str, **changes: Any) -> dict[str, Any]:
        body = {"creatorId": str(self.creator_id), "handle": HANDLE, "reason": "asked by mail"}
        answer = await self.admin.post(f"/api/fans/{fan_id}/erasure", body | changes)
        assert answer.status_code == 202, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def carried_out(self, erasure_id: str) -> None:
        """The job's first look, the seals of the log, and the last look."""
        await carry_on(self.parts, self.creator_id, UUID(erasure_id))
        await seal_audit(self.parts, self.creator_id, margin=timedelta())
        assert (
            await carry_on(self.later(LAST_LOOK_AFTER), self.creator_id, UUID(erasure_id)) is None
        )

    def later(self, by: timedelta) -> Parts:
        return replace(self.parts, now=lambda: self.parts.now() + by)


@pytest.fixture
async def erasing(database_url: str, home: Path) -> AsyncIterator[Erasing]:
    with serve_platform() as platform:
        channel = {"webhook_secret": SECRET, "webhook_target_url": platform.url}
        async with running_app(settings(database_url, home, **channel)) as app:
            admin = await sign_in(app, Role.ADMIN)
            body = {"handle": "mia", "displayName": "Mia"}
            creator = await admin.made("/api/creators", body)
            yield Erasing(app, admin, UUID(creator["id"]))


def event_of(text: str, **more: Any) -> dict[str, Any]:
    event = message_event(text, fan=HANDLE)
    event["data"]["fan"]["displayName"] = NAME
    return event


async def find_everywhere(app: RunningApp, *words: str) -> set[tuple[str, str, str]]:
    """Table, column and word of each place in the database where a word stands."""
    columns = await rows(
        app,
        """SELECT c.relname AS table, a.attname AS column, t.typname AS type
           FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
           JOIN pg_type t ON t.oid = a.atttypid
           WHERE c.relkind IN ('r', 'p') AND c.relnamespace = current_schema()::regnamespace
             AND a.attnum > 0 AND NOT a.attisdropped""",
    )
    assert {"messages", "procrastinate_jobs", "audit_log", "erasures"} <= {
        column["table"] for column in columns
    }
    found = set()
    async with app.parts.pool.connection() as connection, connection.transaction():
        await connection.execute("SET LOCAL ROLE NONE")
        for column in columns:
            form = "encode({0}, 'escape')" if column["type"] == "bytea" else "{0}::text"
            statement = SQL(
                "SELECT count(*) FROM {0} WHERE strpos(lower({1}), %(word)s) > 0"
            ).format(Identifier(column["table"]), SQL(form).format(Identifier(column["column"])))
            for word in words:
                cursor = await connection.execute(statement, {"word": word.lower()})
                row = await cursor.fetchone()
                if row is not None and row[0]:
                    found.add((column["table"], column["column"], word))
    return found


async def a_life(erasing: Erasing) -> str:
    """Everything that there can be about a fan, in every table; their id."""
    admin, creator_id = erasing.admin, str(erasing.creator_id)
    with serve_receiver() as receiver:
        await admin.made(
            "/api/event-endpoints",
            {
                "creatorId": creator_id,
                "url": receiver.url,
                "kinds": ["generation.queued", "generation.decided", "message.sent"],
                "includeText": True,
            },
        )
        await erasing.works_through(event_of("I live in the lighthouse"))
        [fan] = await erasing.fans()
        talk = await erasing.talk_of(fan["id"])
        path = f"/api/conversations/{talk['id']}"
        drafts: list[str] = []
        for _ in range(3):
            asked = {
                "creatorId": creator_id,
                "conversationId": talk["id"],
                "fanId": fan["id"],
                "generationType": "reply",
            }
            answer = await admin.post("/api/ai/generate", asked, key=f"draft-{len(drafts)}")
            assert answer.status_code == 200, answer.text
            drafts.append(answer.json()["generationId"])
        decisions = (
            {"action": "modify", "modifiedMessage": "Send me marmalade"},
            {"action": "reject", "reason": "zebedee would not like the harpsichord"},
        )
        for generation_id, decision in zip(drafts, decisions, strict=False):
            body = {"generationId": generation_id, **decision}
            decided = await admin.post("/api/ai/approve", body, key=f"decide-{generation_id}")
            assert decided.status_code == 200, decided.text
        await admin.made(
            f"{path}/care",
            {"creatorId": creator_id, "care": "distress", "reason": "quux wrote of the platypus"},
        )
        await admin.made(f"{path}/care", {"creatorId": creator_id, "care": None, "reason": "quux"})
        cooled = {"creatorId": creator_id, "hours": 2, "reason": "marmalade is dear to zebedee"}
        await admin.made(f"/api/fans/{fan['id']}/cooling-off", cooled)
        await time_has_come(erasing.app)
        await run_jobs(erasing.app)
        sent = {"creatorId": creator_id, "text": "My harpsichord is tuned"}
        answer = await admin.post(f"{path}/send", sent, key="own-message")
        assert answer.status_code in {200, 201, 202}, answer.text
    await rows(
        erasing.app, "UPDATE fans SET notes = 'Keeps a platypus' WHERE id = %(id)s", id=fan["id"]
    )
    found: str = fan["id"]
    return found


async def test_nothing_of_an_erased_fan_stands_in_any_column_of_any_table(
    erasing: Erasing,
) -> None:
    fan_id = await a_life(erasing)
    before = {table for table, _, _ in await find_everywhere(erasing.app, *TRACES)}
    assert before >= {
        "fans",
        "conversations",
        "messages",
        "ai_message_generations",
        "ai_message_feedback",
        "outbox",
        "inbound_events",
        "event_deliveries",
        "idempotency_keys",
        "audit_log",
        "fan_spending_care",
    }
    erasure = await erasing.erase(fan_id)
    await erasing.carried_out(erasure["id"])
    assert await find_everywhere(erasing.app, *TRACES) == set()


async def test_the_audit_log_keeps_who_erased_whom_and_why_and_its_seals_hold(
    erasing: Erasing,
) -> None:
    fan_id = await a_life(erasing)
    await seal_audit(erasing.parts, erasing.creator_id, margin=timedelta())
    erasure = await erasing.erase(fan_id)
    await erasing.carried_out(erasure["id"])
    [tombstone] = await rows(erasing.app, "SELECT * FROM audit_log WHERE action = 'fan.erased'")
    assert tombstone["actor_id"] == erasing.admin.user_id
    assert tombstone["subject_id"] == fan_id
    assert tombstone["details"]["reason"] == "asked by mail"
    found = await verify_creator(erasing.parts.pool, erasing.creator_id)
    assert found.fault_count == 0
    assert found.erased >= 3


async def test_what_is_counted_is_counted_as_before(erasing: Erasing) -> None:
    fan_id = await a_life(erasing)
    counted = """
        SELECT (SELECT count(*) FROM messages) AS messages,
               (SELECT count(*) FROM ai_message_generations) AS drafts,
               (SELECT count(*) FROM ai_message_generations
                 WHERE generated_message IS NOT NULL) AS drafted,
               (SELECT count(*) FROM ai_message_generations
                 WHERE final_message IS DISTINCT FROM generated_message
                   AND status = 'approved') AS modified,
               (SELECT sum(cost_micro_usd) FROM usage) AS cost,
               (SELECT count(*) FROM ai_message_feedback) AS feedback
    """
    before = await rows(erasing.app, counted)
    erasure = await erasing.erase(fan_id)
    await erasing.carried_out(erasure["id"])
    assert await rows(erasing.app, counted) == before


async def test_what_waits_to_leave_never_leaves(erasing: Erasing) -> None:
    fan_id = await a_life(erasing)
    waiting = "SELECT id FROM outbox WHERE delivery_status = 'pending'"
    assert await rows(erasing.app, waiting)
    delivered = "SELECT count(*) AS n FROM messages WHERE author = 'chatter'"
    before = await rows(erasing.app, delivered)
    await erasing.erase(fan_id)
    await time_has_come(erasing.app)
    await run_jobs(erasing.app)
    assert not await rows(erasing.app, waiting)
    assert await rows(erasing.app, delivered) == before


async def test_whoever_writes_afterwards_is_another_fan_with_nothing_behind_them(
    erasing: Erasing,
) -> None:
    fan_id = await a_life(erasing)
    erasure = await erasing.erase(fan_id)
    await erasing.carried_out(erasure["id"])
    await erasing.works_through(event_of("Hello, I am new here"))
    [fan] = await erasing.fans()
    assert fan["id"] != fan_id
    talk = await erasing.talk_of(fan["id"])
    said = (await erasing.admin.found(f"/api/conversations/{talk['id']}/messages"))["items"]
    assert [message["text"] for message in said] == ["Hello, I am new here"]


async def test_a_webhook_that_waits_to_be_worked_through_does_not_bring_the_fan_back(
    erasing: Erasing,
) -> None:
    await erasing.works_through(event_of("I live in the lighthouse"))
    [fan] = await erasing.fans()
    waiting = await erasing.hears(event_of("Do you like marmalade?"))
    other = await erasing.hears(message_event("Who are you?", fan="tom88"))
    await erasing.erase(fan["id"])
    await process_webhook(erasing.parts, erasing.creator_id, waiting)
    await process_webhook(erasing.parts, erasing.creator_id, other)
    assert [each["handle"] for each in await erasing.fans()] == ["tom88"]
    assert await find_everywhere(erasing.app, "marmalade") == set()


async def test_a_webhook_that_is_worked_through_meanwhile_leaves_nothing(erasing: Erasing) -> None:
    await erasing.works_through(event_of("I live in the lighthouse"))
    [fan] = await erasing.fans()
    waiting = [await erasing.hears(event_of(f"Marmalade {number}")) for number in range(6)]
    erasure, *_ = await asyncio.gather(
        erasing.erase(fan["id"]),
        *(process_webhook(erasing.parts, erasing.creator_id, each) for each in waiting),
    )
    await erasing.carried_out(erasure["id"])
    assert await find_everywhere(erasing.app, *TRACES) == set()
    assert await erasing.fans() == []


async def test_others_keep_what_is_theirs(erasing: Erasing) -> None:
    await erasing.works_through(message_event("I like trains", fan="tom88"))
    fan_id = await a_life_beside(erasing)
    before = await find_everywhere(erasing.app, "tom88", "trains")
    erasure = await erasing.erase(fan_id)
    await erasing.carried_out(erasure["id"])
    assert await find_everywhere(erasing.app, "tom88", "trains") == before


async def a_life_beside(erasing: Erasing) -> str:
    await erasing.works_through(event_of("I live in the lighthouse"))
    found: str = next(fan["id"] for fan in await erasing.fans() if fan["handle"] == HANDLE)
    return found


async def test_a_draft_that_was_being_written_is_found_by_the_last_look(erasing: Erasing) -> None:
    fan_id = await a_life(erasing)
    [draft] = await rows(
        erasing.app, "SELECT * FROM ai_message_generations WHERE status = 'rejected' LIMIT 1"
    )
    erasure = await erasing.erase(fan_id)
    again_at = await carry_on(erasing.parts, erasing.creator_id, UUID(erasure["id"]))
    assert again_at is not None
    await rows(
        erasing.app,
        """UPDATE ai_message_generations SET generated_message = 'More marmalade',
           status = 'queued' WHERE id = %(id)s""",
        id=draft["id"],
    )
    await erasing.carried_out(erasure["id"])
    assert await find_everywhere(erasing.app, "marmalade") == set()
    assert not await rows(
        erasing.app, "SELECT id FROM ai_message_generations WHERE status = 'queued'"
    )


async def test_an_erasure_that_was_killed_goes_on_and_may_run_twice(erasing: Erasing) -> None:
    fan_id = await a_life(erasing)
    erasure = await erasing.erase(fan_id)
    # Each time it is stopped at another place, in the middle of a transaction or between two.
    for pause in (0.0, 0.004, 0.008, 0.012, 0.016, 0.02, 0.03):
        killed = asyncio.ensure_future(
            carry_on(erasing.parts, erasing.creator_id, UUID(erasure["id"]))
        )
        await asyncio.sleep(pause)
        killed.cancel()
        await asyncio.gather(killed, return_exceptions=True)
    await rows(erasing.app, "DELETE FROM procrastinate_jobs")
    assert await continue_erasures(erasing.later(LAST_LOOK_AFTER)) == 1
    await run_jobs(erasing.app)
    await erasing.carried_out(erasure["id"])
    assert await find_everywhere(erasing.app, *TRACES) == set()
    assert await carry_on(erasing.parts, erasing.creator_id, UUID(erasure["id"])) is None


async def test_an_erased_fan_is_not_to_be_found(erasing: Erasing) -> None:
    fan_id = await a_life(erasing)
    talk = await erasing.talk_of(fan_id)
    await erasing.erase(fan_id)
    said = {"creatorId": str(erasing.creator_id), "id": "m9", "from": "fan", "text": "Again"}
    asked = {"creatorId": str(erasing.creator_id), "conversationId": talk["id"]}
    path = f"/api/conversations/{talk['id']}"
    send = {"creatorId": str(erasing.creator_id), "text": "Hello"}
    for answer in (
        await erasing.admin.get(f"/api/fans/{fan_id}"),
        await erasing.admin.get(path),
        await erasing.admin.get(f"{path}/messages"),
        await erasing.admin.post(f"{path}/messages", said),
        await erasing.admin.post(f"{path}/send", send),
        await erasing.admin.post(
            "/api/ai/generate", asked | {"fanId": fan_id, "generationType": "reply"}
        ),
        await erasing.admin.get(f"/api/fans/{fan_id}/export", creatorId=str(erasing.creator_id)),
    ):
        assert answer.status_code == 404, answer.text
    assert (await erasing.admin.found("/api/conversations"))["items"] == []
    assert await erasing.fans() == []


async def test_a_repeated_request_about_an_erased_fan_gets_no_old_answer(erasing: Erasing) -> None:
    fan_id = await a_life(erasing)
    talk = await erasing.talk_of(fan_id)
    erasure = await erasing.erase(fan_id)
    await erasing.carried_out(erasure["id"])
    asked = {
        "creatorId": str(erasing.creator_id),
        "conversationId": talk["id"],
        "fanId": fan_id,
        "generationType": "reply",
    }
    again = await erasing.admin.post("/api/ai/generate", asked, key="draft-0")
    assert again.status_code == 404
    assert again.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"handle": "zebedee"}, "handle"),
        ({"reason": "   "}, "reason"),
        ({"reason": f"{NAME} asked for it"}, "reason"),
        ({"reason": f"{HANDLE.upper()} asked for it"}, "reason"),
    ],
)
async def test_an_erasure_needs_the_handle_and_a_reason_without_a_name(
    erasing: Erasing, changes: dict[str, str], field: str
) -> None:
    await erasing.works_through(event_of("Hello"))
    [fan] = await erasing.fans()
    body = {"creatorId": str(erasing.creator_id), "handle": HANDLE, "reason": "asked by mail"}
    answer = await erasing.admin.post(f"/api/fans/{fan['id']}/erasure", body | changes)
    assert answer.status_code == 422
    assert [problem["field"] for problem in answer.json()["errors"]] == [field]
    assert len(await erasing.fans()) == 1


async def test_only_admins_erase(erasing: Erasing) -> None:
    await erasing.works_through(event_of("Hello"))
    [fan] = await erasing.fans()
    manager = await sign_in(erasing.app, Role.MANAGER)
    body = {"creatorId": str(erasing.creator_id), "handle": HANDLE, "reason": "asked by mail"}
    assert (await manager.post(f"/api/fans/{fan['id']}/erasure", body)).status_code == 403
    assert len(await erasing.fans()) == 1


async def test_an_erasure_is_listed_with_how_far_it_is(erasing: Erasing) -> None:
    fan_id = await a_life(erasing)
    erasure = await erasing.erase(fan_id)
    [listed] = (await erasing.admin.found("/api/erasures"))["items"]
    assert listed["id"] == erasure["id"]
    assert listed["finishedAt"] is None
    await erasing.carried_out(erasure["id"])
    [listed] = (await erasing.admin.found("/api/erasures"))["items"]
    assert listed["clearedAt"] is not None
    assert listed["finishedAt"] is not None


async def test_an_export_holds_everything_that_is_held_and_is_audited(erasing: Erasing) -> None:
    fan_id = await a_life(erasing)
    answer = await erasing.admin.get(
        f"/api/fans/{fan_id}/export", creatorId=str(erasing.creator_id)
    )
    assert answer.status_code == 200
    held = json.loads(answer.text)
    assert held["fan"]["handle"] == HANDLE
    assert held["fan"]["notes"] == "Keeps a platypus"
    counted = await rows(
        erasing.app,
        """SELECT (SELECT count(*) FROM messages) AS messages,
                  (SELECT count(*) FROM ai_message_generations) AS drafts,
                  (SELECT count(*) FROM outbox) AS leaving""",
    )
    assert {name: len(held[name]) for name in ("messages", "drafts", "leaving")} == counted[0]
    assert "Send me marmalade" in {draft["finalMessage"] for draft in held["drafts"]}
    assert any("harpsichord" in (draft["decisionReason"] or "") for draft in held["drafts"])
    entries = await rows(erasing.app, "SELECT * FROM audit_log WHERE action = 'fan.exported'")
    assert [entry["subject_id"] for entry in entries] == [fan_id]


async def test_an_export_is_not_for_chatters(erasing: Erasing) -> None:
    await erasing.works_through(event_of("Hello"))
    [fan] = await erasing.fans()
    chatter = await sign_in(erasing.app, Role.CHATTER, creators=["mia"])
    answer = await chatter.get(f"/api/fans/{fan['id']}/export", creatorId=str(erasing.creator_id))
    assert answer.status_code == 403
