"""A POST that is sent again with the same Idempotency-Key has one effect and one answer."""

import asyncio
from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from stubs.llm import Fail, LlmStub
from tests.support.accounts import account
from tests.support.app import RunningApp
from tests.support.gate import Gate
from tests.support.world import SignedIn, Talk, conversation, counters, rows, sign_in
from vaultcrm.domain.ids import new_id
from vaultcrm.domain.people import Role

pytestmark = pytest.mark.anyio

Body = dict[str, Any]
Case = tuple[str, Callable[[Talk], Body], str]

CASES: dict[str, Case] = {
    "creator": (
        "/api/creators",
        lambda _: {"handle": "theo", "displayName": "Theo"},
        "SELECT count(*) FROM creators WHERE handle = 'theo'",
    ),
    "fan": (
        "/api/fans",
        lambda talk: {"creatorId": talk.creator_id, "handle": "ann", "displayName": "Ann"},
        "SELECT count(*) FROM fans WHERE handle = 'ann'",
    ),
    "conversation": (
        "/api/conversations",
        lambda talk: {
            "creatorId": talk.creator_id, "fanId": talk.fan_id, "externalRef": "second",
        },
        "SELECT count(*) FROM conversations WHERE external_ref = 'second'",
    ),
    "template": (
        "/api/templates",
        lambda talk: {
            "creatorId": talk.creator_id, "name": "hello", "category": "welcome",
            "templateText": "Hello {fan_name}",
        },
        "SELECT count(*) FROM ai_message_templates",
    ),
    "personality": (
        "/api/ai/personality",
        lambda talk: {"creatorId": talk.creator_id, "emojiStyle": "none"},
        "SELECT count(*) FROM ai_creator_personalities",
    ),
    "flag": (
        "/api/flags",
        lambda talk: {"name": "AI_ROLLOUT_STAGE", "value": 3, "reason": "try it"},
        "SELECT count(*) FROM audit_log WHERE action = 'flag.changed'",
    ),
    "A/B test": (
        "/api/ai/ab-tests",
        lambda talk: {
            "creatorId": talk.creator_id, "testName": "models", "variants": [
                {"name": name, "kind": "model", "reference": name} for name in ("a", "b")
            ],
        },
        "SELECT count(*) FROM ai_ab_tests",
    ),
    "own message": (
        "/api/conversations/{talk.conversation_id}/send",
        lambda talk: {"creatorId": talk.creator_id, "text": "Hi Tom."},
        "SELECT count(*) FROM outbox",
    ),
    "channel": (
        "/api/channels",
        lambda talk: account("telegram", talk.creator_id),
        "SELECT count(*) FROM audit_log WHERE action = 'channel.connected'",
    ),
    "draft": (
        "/api/ai/generate",
        lambda talk: talk.asks(),
        "SELECT count(*) FROM ai_message_generations",
    ),
}  # fmt: skip

every_effect = pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())


async def count(app: RunningApp, statement: str) -> int:
    [found] = await rows(app, statement)
    return int(found["count"])


async def prepared(app: RunningApp) -> tuple[SignedIn, Talk]:
    admin = await sign_in(app, Role.ADMIN)
    return admin, await conversation(admin)


def replayed(response: httpx2.Response) -> bool:
    return response.headers.get("Idempotency-Replayed") == "true"


@every_effect
async def test_the_same_request_again_gets_the_same_answer_and_changes_nothing(
    claude: RunningApp, case: Case
) -> None:
    path, body, effect = case
    admin, talk = await prepared(claude)
    path = path.format(talk=talk)

    first = await admin.post(path, body(talk), key="k-1")
    again = await admin.post(path, body(talk), key="k-1")

    assert first.is_success
    assert (again.status_code, again.json()) == (first.status_code, first.json())
    assert (replayed(first), replayed(again)) == (False, True)
    assert await count(claude, effect) == 1


@every_effect
async def test_a_key_is_not_good_for_another_request(claude: RunningApp, case: Case) -> None:
    path, body, effect = case
    admin, talk = await prepared(claude)
    path = path.format(talk=talk)
    await admin.post("/api/creators", {"handle": "zoe", "displayName": "Zoe"}, key="k-1")
    other = await admin.post(path, body(talk), key="k-1")
    assert other.status_code == 422
    assert other.json()["errors"][0]["field"] == "Idempotency-Key"
    assert await count(claude, effect) == 0


@every_effect
async def test_of_requests_with_one_key_at_once_one_has_an_effect(
    claude: RunningApp, case: Case
) -> None:
    path, body, effect = case
    admin, talk = await prepared(claude)
    path = path.format(talk=talk)
    wanted = body(talk)
    responses = await asyncio.gather(*(admin.post(path, wanted, key="k-1") for _ in range(8)))
    answered = [response for response in responses if response.is_success]
    assert len({response.text for response in answered}) == 1
    assert [replayed(response) for response in answered].count(False) == 1
    assert {response.status_code for response in responses if not response.is_success} <= {409}
    assert await count(claude, effect) == 1


async def test_an_approval_again_is_answered_as_it_was_and_not_as_a_conflict(
    claude: RunningApp,
) -> None:
    admin, talk = await prepared(claude)
    draft = await admin.made("/api/ai/generate", talk.asks())
    body = {"generationId": draft["generationId"], "action": "approve"}
    first = await admin.post("/api/ai/approve", body, key="k-1")
    again = await admin.post("/api/ai/approve", body, key="k-1")
    other_key = await admin.post("/api/ai/approve", body, key="k-2")
    assert (first.status_code, again.json()) == (200, first.json())
    assert replayed(again)
    assert other_key.status_code == 409
    assert await count(claude, "SELECT count(*) FROM outbox") == 1


async def test_many_decisions_again_are_answered_as_they_were(claude: RunningApp) -> None:
    admin, talk = await prepared(claude)
    draft = await admin.made("/api/ai/generate", talk.asks())
    decision = {"generationId": draft["generationId"], "action": "approve"}
    body = {"decisions": [decision, decision]}
    first = await admin.post("/api/ai/queue/decide", body, key="k-1")
    again = await admin.post("/api/ai/queue/decide", body, key="k-1")
    assert (first.json()["succeeded"], first.json()["failed"]) == (1, 1)
    assert (again.json(), replayed(again)) == (first.json(), True)
    assert await count(claude, "SELECT count(*) FROM outbox") == 1


async def test_taking_back_again_is_answered_as_it_was_and_takes_nothing_back(
    claude: RunningApp,
) -> None:
    admin, talk = await prepared(claude)
    draft = (await admin.made("/api/ai/generate", talk.asks()))["generationId"]
    priced = {"generationId": draft, "action": "modify", "modifiedPrice": 20}
    await admin.made("/api/ai/approve", priced)
    first = await admin.post("/api/ai/undo", {"generationId": draft}, key="k-1")
    await admin.made("/api/ai/approve", priced)
    again = await admin.post("/api/ai/undo", {"generationId": draft}, key="k-1")
    assert first.status_code == 200
    assert (again.json(), replayed(again)) == (first.json(), True)
    assert await count(claude, "SELECT count(*) FROM outbox") == 1


async def test_settling_a_message_again_is_answered_as_it_was(claude: RunningApp) -> None:
    admin, talk = await prepared(claude)
    path = f"/api/conversations/{talk.conversation_id}/send"
    sent = await admin.made(path, {"creatorId": talk.creator_id, "text": "Hi Tom."})
    await rows(claude, "UPDATE outbox SET delivery_status = 'uncertain'")
    body = {"creatorId": talk.creator_id, "resolution": "send_again"}
    delivery = f"/api/deliveries/{sent['messageId']}"
    first, again = [await admin.post(delivery, body, key="k-1") for _ in range(2)]
    assert first.status_code == 200
    assert (again.json(), replayed(again)) == (first.json(), True)
    resolved = "SELECT count(*) FROM audit_log WHERE action = 'message.resolved'"
    assert await count(claude, resolved) == 1


async def test_a_claim_again_is_answered_as_it_was(claude: RunningApp) -> None:
    admin, talk = await prepared(claude)
    await admin.made("/api/ai/generate", talk.asks())
    first = await admin.post("/api/ai/queue/claim", {}, key="k-1")
    held = first.json()["generation"]["generationId"]
    rejection = {"generationId": held, "action": "reject"}
    await admin.made("/api/ai/approve", rejection)
    again = await admin.post("/api/ai/queue/claim", {}, key="k-1")
    assert again.json() == first.json()
    assert (await admin.post("/api/ai/queue/claim", {})).json() == {"generation": None}


async def test_a_message_or_an_outcome_again_is_answered_as_it_was(claude: RunningApp) -> None:
    admin, talk = await prepared(claude)
    draft = await admin.made("/api/ai/generate", talk.asks())
    decision = {"generationId": draft["generationId"], "action": "approve"}
    await admin.made("/api/ai/approve", decision)
    outcome = {"generationId": draft["generationId"], "replied": True}
    for path, body in ((talk.messages, talk.says("Hello?")), ("/api/ai/feedback", outcome)):
        key = new_id().hex
        first = await admin.post(path, body, key=key)
        again = await admin.post(path, body, key=key)
        assert first.is_success
        assert (again.text, replayed(again)) == (first.text, True)
    spoken = "SELECT count(*) FROM messages WHERE text = 'Hello?'"
    assert await count(claude, spoken) == 1


async def test_a_request_that_failed_may_be_made_again_with_its_key(
    claude: RunningApp, llm: LlmStub
) -> None:
    admin, talk = await prepared(claude)
    llm.script([Fail(500)])
    failed = await admin.post("/api/ai/generate", talk.asks(), key="k-1")
    worked = await admin.post("/api/ai/generate", talk.asks(), key="k-1")
    assert [failed.status_code, worked.status_code] == [502, 200]
    assert not replayed(worked)


async def test_one_persons_key_is_another_key_than_anothers(claude: RunningApp) -> None:
    admin, talk = await prepared(claude)
    other = await sign_in(claude, Role.ADMIN)
    for caller in (admin, other):
        response = await caller.post("/api/ai/generate", talk.asks(), key="k-1")
        assert not replayed(response)
    assert await count(claude, "SELECT count(*) FROM ai_message_generations") == 2


async def test_while_the_first_request_is_worked_on_the_same_again_is_a_conflict(
    claude: RunningApp, gate: Gate
) -> None:
    admin, talk = await prepared(claude)
    gate.shut()
    first = asyncio.create_task(admin.post("/api/ai/generate", talk.asks(), key="k-1"))
    await gate.until_waiting(1)
    assert (await admin.post("/api/ai/generate", talk.asks(), key="k-1")).status_code == 409
    gate.open()
    assert (await first).status_code == 200


async def test_a_request_that_was_given_up_and_comes_back_late_has_no_effect_beside_the_other(
    claude: RunningApp, gate: Gate, llm: LlmStub
) -> None:
    """The first takes so long that its key is taken over; then both come to their end."""
    admin, talk = await prepared(claude)
    gate.shut()
    slow = asyncio.create_task(admin.post("/api/ai/generate", talk.asks(), key="k-1"))
    await gate.until_waiting(1)
    await rows(claude, "UPDATE idempotency_keys SET created_at = created_at - interval '1 hour'")
    second = asyncio.create_task(admin.post("/api/ai/generate", talk.asks(), key="k-1"))
    await gate.until_waiting(2)
    gate.open()

    statuses = [(await slow).status_code, (await second).status_code]
    again = await admin.post("/api/ai/generate", talk.asks(), key="k-1")

    assert statuses == [409, 200]
    assert (again.json(), replayed(again)) == ((await second).json(), True)
    assert await count(claude, "SELECT count(*) FROM ai_message_generations") == 1
    assert len(llm.requests) == 2
    # Both calls were made and paid, so both count; but nothing stays reserved.
    [spent] = await rows(
        claude, "SELECT sum(input_tokens + output_tokens + cached_tokens) AS tokens FROM usage"
    )
    used = (await counters(claude))["tokens_per_day", "all"]
    assert spent["tokens"] < used <= 2 * spent["tokens"] + 10


@pytest.mark.parametrize("key", ["", "x" * 256, "tab\there"])
async def test_a_key_that_is_no_key_is_refused(claude: RunningApp, key: str) -> None:
    admin, _ = await prepared(claude)
    response = await admin.post("/api/creators", {"handle": "a", "displayName": "A"}, key=key)
    assert response.status_code == 422
    assert response.json()["errors"][0]["field"] == "Idempotency-Key"
