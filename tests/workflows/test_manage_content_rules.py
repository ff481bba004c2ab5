"""Rules of a creator's own hold wherever a text is checked, from the moment they are added."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx2
import pytest

from stubs.llm import LlmStub, Reply
from tests.support.app import RunningApp, running_app
from tests.support.fixtures import settings, with_claude
from tests.support.wire import tapped
from tests.support.world import SignedIn, Talk, candidate, conversation, rows, set_flag, sign_in
from vaultcrm.domain.content_rules import MOST_RULES
from vaultcrm.domain.people import Role

pytestmark = pytest.mark.anyio

LAGOON = Reply(
    candidates=(
        candidate("I wore my blue lagoon dress all day, how was yours?"),
        candidate("My blue lagoon dress is so warm today, how are you?"),
    )
)
HARMLESS = Reply(
    candidates=(
        candidate("Hey you, I was just thinking about you! How was your day?"),
        candidate("Hey you, I was just thinking about you! How was your morning?"),
    )
)


async def add(caller: SignedIn, talk: Talk, kind: str, text: str, **more: Any) -> Any:
    """A rule that is added and must be taken."""
    body = {
        "creatorId": talk.creator_id,
        "kind": kind,
        "text": text,
        "category": "spam",
        "reason": "Our partners forbid it.",
    }
    return await caller.made("/api/content-rules", body | more)


async def remove(caller: SignedIn, rule: Any) -> httpx2.Response:
    path = f"/api/content-rules/{rule['id']}"
    return await caller.app.client.delete(path, headers=caller.headers)


async def drafted(caller: SignedIn, llm: LlmStub, talk: Talk, reply: Reply) -> Any:
    """A draft of a model that always answers the same."""
    llm.script([reply] * 4)
    return await caller.made("/api/ai/generate", talk.asks())


async def test_a_draft_with_a_phrase_of_the_creators_own_is_stopped_until_it_is_removed(
    claude: RunningApp, llm: LlmStub
) -> None:
    manager = await sign_in(claude, Role.MANAGER)
    talk = await conversation(manager)
    before = await drafted(manager, llm, talk, LAGOON)
    rule = await add(manager, talk, "phrase", "Blue Lagoon")

    stopped = await drafted(manager, llm, talk, LAGOON)
    assert (await remove(manager, rule)).status_code == 204
    after = await drafted(manager, llm, talk, LAGOON)

    assert before["safety"]["findings"] == after["safety"]["findings"] == []
    assert (stopped["status"], stopped["message"]) == ("rejected", None)
    (found,) = stopped["safety"]["findings"]
    assert found["rule"] == f"own_rule.{rule['id']}"
    assert found["reason"] == "Our partners forbid it."


async def test_a_rule_is_no_rule_of_another_creator(claude: RunningApp, llm: LlmStub) -> None:
    manager = await sign_in(claude, Role.MANAGER)
    mia = await conversation(manager)
    theo = await conversation(manager, creator="theo")
    await add(manager, mia, "phrase", "blue lagoon")

    assert (await drafted(manager, llm, mia, LAGOON))["safety"]["verdict"] == "block"
    assert (await drafted(manager, llm, theo, LAGOON))["safety"]["verdict"] == "allow"


async def test_a_rule_that_one_process_adds_holds_in_another_that_had_read_the_rules(
    claude: RunningApp, llm: LlmStub, database_url: str, home: Path
) -> None:
    manager = await sign_in(claude, Role.MANAGER)
    talk = await conversation(manager)
    async with running_app(settings(database_url, home, **with_claude(llm.url))) as other:
        there = replace(manager, app=other)
        await add(manager, talk, "phrase", "green lagoon")
        assert (await drafted(there, llm, talk, LAGOON))["safety"]["verdict"] == "allow"
        await add(manager, talk, "phrase", "blue lagoon")
        assert (await drafted(there, llm, talk, LAGOON))["safety"]["verdict"] == "block"


async def test_rules_that_were_read_once_cost_a_draft_no_round_trip(
    llm: LlmStub, database_url: str, home: Path
) -> None:
    async with (
        tapped(database_url) as wire,
        running_app(settings(wire.url, home, **with_claude(llm.url), database_pool_size=2)) as app,
    ):
        app.leaves_running_calls_unwatched()
        manager = await sign_in(app, Role.MANAGER)
        talk = await conversation(manager)
        await add(manager, talk, "phrase", "blue lagoon")
        for _ in range(8):  # until each connection has prepared its statements
            await manager.made("/api/ai/generate", talk.asks())
        begun = wire.round_trips
        await manager.made("/api/ai/generate", talk.asks())
        assert wire.round_trips - begun == 2


async def test_drafts_go_to_a_person_while_the_rules_cannot_be_read(
    claude: RunningApp, llm: LlmStub
) -> None:
    admin = await sign_in(claude, Role.ADMIN)
    talk = await conversation(admin)
    await set_flag(admin, "AI_ROLLOUT_STAGE", 3)
    assert (await drafted(admin, llm, talk, HARMLESS))["status"] == "auto_sent"
    await add(admin, talk, "phrase", "blue lagoon")
    await rows(claude, "ALTER TABLE content_rules RENAME TO elsewhere")

    unread = await drafted(admin, llm, talk, HARMLESS)
    await rows(claude, "ALTER TABLE elsewhere RENAME TO content_rules")
    read = await drafted(admin, llm, talk, HARMLESS)

    assert (unread["status"], unread["safety"]["verdict"]) == ("queued", "review")
    assert [one["rule"] for one in unread["safety"]["findings"]] == ["filter_error.own_rules"]
    assert (read["status"], read["safety"]["findings"]) == ("auto_sent", [])


async def test_a_stored_rule_of_a_kind_that_this_version_does_not_know_is_not_passed_over(
    claude: RunningApp, llm: LlmStub
) -> None:
    manager = await sign_in(claude, Role.MANAGER)
    talk = await conversation(manager)
    await add(manager, talk, "phrase", "blue lagoon")
    await rows(claude, "UPDATE content_rules SET category = 'of_tomorrow'")

    draft = await drafted(manager, llm, talk, HARMLESS)

    assert [one["rule"] for one in draft["safety"]["findings"]] == ["filter_error.own_rules"]


async def test_what_a_chatter_writes_is_held_to_the_rules_and_let_through_by_exceptions(
    claude: RunningApp,
) -> None:
    manager = await sign_in(claude, Role.MANAGER)
    talk = await conversation(manager)

    async def sends(text: str) -> httpx2.Response:
        path = f"/api/conversations/{talk.conversation_id}/send"
        return await manager.post(path, {"creatorId": talk.creator_id, "text": text})

    refused = await sends("My song is called Cash App Blues")
    await add(
        manager,
        talk,
        "exception",
        "cash app blues",
        category="off_platform_payment",
        reason="The title of a song.",
    )
    await add(manager, talk, "pattern", r"promo ?code [0-9]{2,}")

    assert refused.status_code == 422
    assert (await sends("My song is called Cash App Blues")).status_code == 200
    assert (await sends("Send it over cash app")).status_code == 422
    told = await sends("Use PROMO CODE 33")
    assert (told.status_code, "Our partners forbid it." in told.text) == (422, True)


async def test_an_edited_draft_is_held_to_the_rules(claude: RunningApp, llm: LlmStub) -> None:
    manager = await sign_in(claude, Role.MANAGER)
    talk = await conversation(manager)
    waiting = await drafted(manager, llm, talk, HARMLESS)
    await add(manager, talk, "phrase", "blue lagoon")

    edited = await manager.post(
        "/api/ai/approve",
        {
            "generationId": waiting["generationId"],
            "action": "modify",
            "modifiedMessage": "I love the Blue Lagoon!",
        },
    )

    assert edited.status_code == 422
    assert "Our partners forbid it." in edited.text


async def test_a_fans_words_that_the_team_knows_as_a_sign_of_distress_stop_selling(
    app: RunningApp,
) -> None:
    manager = await sign_in(app, Role.MANAGER)
    talk = await conversation(manager)
    await add(
        manager,
        talk,
        "phrase",
        "back on the bridge",
        category="distress",
        tier="review",
        scopes=["fan"],
        reason="How fans of this creator say that they are at risk.",
    )

    await manager.made(talk.messages, talk.says("i am back on the bridge tonight"))

    (found,) = await rows(app, "SELECT care FROM conversations")
    assert found["care"] == "distress"


async def test_what_is_no_rule_is_refused_with_the_field_and_the_reason(app: RunningApp) -> None:
    manager = await sign_in(app, Role.MANAGER)
    talk = await conversation(manager)

    async def problems(kind: str, text: str, **more: Any) -> dict[str, str]:
        body = {
            "creatorId": talk.creator_id,
            "kind": kind,
            "text": text,
            "category": "spam",
            "reason": "Because.",
        }
        refused = await manager.post("/api/content-rules", body | more)
        assert refused.status_code == 422, refused.text
        return {one["field"]: one["reason"] for one in refused.json()["errors"]}

    assert "look ahead or behind" in (await problems("pattern", "(?<!my )shop"))["text"]
    assert "empty text" in (await problems("pattern", "a*"))["text"]
    assert "too large" in (await problems("pattern", "(x{1,900}y){1,900}"))["text"]
    assert "500 characters" in (await problems("pattern", "x" * 501))["text"]
    assert "100 characters" in (await problems("phrase", "x" * 101))["text"]
    assert (await problems("phrase", "blue", reason=" "))["reason"] == "must not be empty"
    assert "choose" in (await problems("phrase", "blue", scopes=[]))["scopes"]
    assert "a fan writes" in (await problems("phrase", "blue", scopes=["fan"]))["scopes"]
    for category in ("minors", "distress", "violence", "deception", "filter_error"):
        told = await problems("exception", "school girl", category=category)
        assert told["category"].startswith("cannot be excepted: ")
    assert await rows(app, "SELECT 1 FROM content_rules") == []


async def test_the_same_rule_is_there_once_and_a_creator_has_only_so_many(
    app: RunningApp,
) -> None:
    manager = await sign_in(app, Role.MANAGER)
    talk = await conversation(manager)
    first = await add(manager, talk, "phrase", "blue lagoon")
    body = {
        "creatorId": talk.creator_id,
        "kind": "phrase",
        "text": "  blue   lagoon ",
        "category": "spam",
        "reason": "Again.",
    }
    again = await manager.post("/api/content-rules", body)
    await rows(
        app,
        """INSERT INTO content_rules
           SELECT creator_id, gen_random_uuid(), kind, 'word ' || n, category, tier, scopes,
                  reason, created_by, created_at
           FROM content_rules, generate_series(1, %(more)s) n""",
        more=MOST_RULES - 2,
    )
    taken = await asyncio.gather(
        *(
            manager.post("/api/content-rules", body | {"text": f"at once {number}"})
            for number in range(3)
        )
    )
    assert again.status_code == 409
    assert sorted(one.status_code for one in taken) == [201, 409, 409]
    assert (await remove(manager, first)).status_code == 204
    assert (await manager.post("/api/content-rules", body)).status_code == 201
    back = await manager.post(f"/api/content-rules/{first['id']}/restore")
    assert back.status_code == 409


async def test_every_change_is_in_the_audit_log_without_the_text(app: RunningApp) -> None:
    manager = await sign_in(app, Role.MANAGER)
    talk = await conversation(manager)
    rule = await add(manager, talk, "phrase", "blue lagoon")
    await remove(manager, rule)
    await remove(manager, rule)
    await manager.made(f"/api/content-rules/{rule['id']}/restore", None)

    log = await rows(
        app,
        """SELECT action, actor_id, subject_id, details FROM audit_log
           WHERE subject_type = 'content_rule' ORDER BY id""",
    )
    assert [one["action"] for one in log] == [
        "content_rule.added",
        "content_rule.removed",
        "content_rule.restored",
    ]
    assert {one["actor_id"] for one in log} == {manager.user_id}
    assert {UUID(one["subject_id"]) for one in log} == {UUID(rule["id"])}
    assert "lagoon" not in str(log)
