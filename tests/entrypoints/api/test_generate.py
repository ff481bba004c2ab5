"""POST /api/ai/generate, the whole way: real database, real SDK, a stub in the provider's place."""

import asyncio
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from stubs.llm import Fail, LlmStub, Nonsense, Refuse, Reply
from tests.support.app import RunningApp
from tests.support.gate import Gate
from tests.support.world import (
    WARM,
    SignedIn,
    Talk,
    candidate,
    conversation,
    counters,
    jobs,
    rows,
    set_flag,
    sign_in,
)
from vaultcrm.domain.people import Role

pytestmark = pytest.mark.anyio

CONTRACT = {
    "generationId", "message", "confidence", "requiresApproval", "suggestedPrice", "status",
    "reasoning", "approvalReasons", "safety", "model", "usage",
}  # fmt: skip


async def automatic(app: RunningApp) -> SignedIn:
    """An admin of an installation in which simple replies to low-tier fans go by themselves."""
    admin = await sign_in(app, Role.ADMIN)
    await set_flag(admin, "AI_ROLLOUT_STAGE", 3)
    return admin


async def test_a_draft_comes_back_in_the_form_that_the_contract_names(
    claude: RunningApp, llm: LlmStub
) -> None:
    chatter = await sign_in(claude, Role.CHATTER)
    talk = await conversation(await sign_in(claude, Role.MANAGER))
    llm.script([Reply(candidates=WARM)])

    answer = await chatter.made("/api/ai/generate", talk.asks(chatterId=str(chatter.user_id)))

    assert answer.keys() >= CONTRACT
    assert answer["message"] == WARM[0]["message"]
    assert (answer["status"], answer["requiresApproval"]) == ("queued", True)
    assert answer["approvalReasons"] == ["rollout_stage"]
    assert answer["suggestedPrice"] is None
    assert answer["reasoning"] == "Warm and short."
    assert 0 <= answer["confidence"] <= 100
    assert answer["safety"] == {"verdict": "allow", "score": 1.0, "findings": []}
    assert answer["model"] == "claude-sonnet-5-5"
    assert answer["usage"].keys() == {"inputTokens", "outputTokens", "cachedTokens", "costUsd"}
    assert answer["usage"]["inputTokens"] > 0
    assert answer["usage"]["costUsd"] > 0
    assert answer["chatterId"] == str(chatter.user_id)
    assert answer["stale"] is False


async def test_a_draft_its_cost_and_its_trace_are_saved_together(
    claude: RunningApp, llm: LlmStub
) -> None:
    manager = await sign_in(claude, Role.MANAGER)
    talk = await conversation(manager)
    llm.script([Reply(candidates=WARM)])

    answer = await manager.made("/api/ai/generate", talk.asks())

    [draft] = await rows(claude, "SELECT * FROM ai_message_generations")
    [usage] = await rows(claude, "SELECT * FROM usage")
    [trace] = await rows(claude, "SELECT * FROM audit_log WHERE action = 'generation.created'")
    assert str(draft["id"]) == str(usage["generation_id"]) == trace["subject_id"]
    assert answer["generationId"] == str(draft["id"])
    assert draft["generated_message"] == answer["message"]
    assert usage["input_tokens"] == draft["input_tokens"] == answer["usage"]["inputTokens"]
    assert usage["cost_micro_usd"] == draft["cost_micro_usd"]
    assert trace["actor_id"] == manager.user_id
    assert answer["message"] not in str(trace["details"])
    used = usage["input_tokens"] + usage["output_tokens"] + usage["cached_tokens"]
    assert (await counters(claude))["tokens_per_day", "all"] == used


async def test_the_second_draft_of_a_conversation_reads_its_prefix_from_the_cache(
    claude: RunningApp,
) -> None:
    manager = await sign_in(claude, Role.MANAGER)
    talk = await conversation(manager)
    first = await manager.made("/api/ai/generate", talk.asks())
    second = await manager.made("/api/ai/generate", talk.asks())
    assert first["usage"]["cachedTokens"] == 0
    assert second["usage"]["cachedTokens"] > 0


def cached_share(answer: dict[str, Any]) -> float:
    used = answer["usage"]
    return float(used["cachedTokens"] / (used["inputTokens"] + used["cachedTokens"]))


async def says(caller: SignedIn, talk: Talk, sender: str, text: str, **more: str) -> None:
    await caller.made(talk.messages, talk.says(text, **{"from": sender}, **more))


async def long_known(caller: SignedIn, since: datetime) -> Talk:
    """A conversation of twelve messages, one an hour."""
    talk = await conversation(caller, said=[])
    for hour in range(12):
        text = f"message {hour}: went up the ridge again this weekend, the light was unreal"
        sent_at = (since + timedelta(hours=hour)).isoformat()
        await says(caller, talk, "creator" if hour % 2 else "fan", text, sentAt=sent_at)
    return talk


async def test_a_second_draft_after_a_new_message_reads_most_of_its_prompt_from_the_cache(
    claude: RunningApp,
) -> None:
    manager = await sign_in(claude, Role.MANAGER)
    talk = await long_known(manager, datetime.now(UTC) - timedelta(days=1))
    await says(manager, talk, "fan", "hey, are you there?")
    await manager.made("/api/ai/generate", talk.asks())
    await says(manager, talk, "creator", "Which part of the climb was it? Tell me more.")
    await says(manager, talk, "fan", "the steep one at the end, my legs still hurt")

    second = await manager.made("/api/ai/generate", talk.asks())

    assert cached_share(second) >= 0.8


async def test_two_of_three_drafts_of_a_conversation_that_goes_on_read_most_from_the_cache(
    claude: RunningApp,
) -> None:
    """In the third what is shown of the conversation begins later; the rules are read even then."""
    manager = await sign_in(claude, Role.MANAGER)
    talk = await long_known(manager, datetime.now(UTC) - timedelta(days=1))
    await says(manager, talk, "fan", "hey, are you there?")
    answers = []
    for number in range(10):
        answers.append(await manager.made("/api/ai/generate", talk.asks()))
        await says(manager, talk, "creator", f"Tell me about part {number} of the climb, please.")
        await says(manager, talk, "fan", f"part {number} was steep, and then there was the lake")

    shares = [cached_share(answer) for answer in answers[1:]]
    assert sum(share >= 0.8 for share in shares) == 6
    assert min(shares) > 0.5
    assert sum(shares) / len(shares) >= 0.8


async def test_a_fan_who_writes_after_five_minutes_begins_anew_with_ten_messages(
    claude: RunningApp, llm: LlmStub
) -> None:
    manager = await sign_in(claude, Role.MANAGER)
    at = datetime.now(UTC) - timedelta(days=2)
    talk = await long_known(manager, at)
    at += timedelta(hours=11)
    shown = []
    for pause, sender in (
        (3600, "fan"), (60, "creator"), (300, "fan"), (301, "fan"), (7200, "creator"), (60, "fan"),
    ):  # fmt: skip
        at += timedelta(seconds=pause)
        await says(manager, talk, sender, "and then?", sentAt=at.isoformat())
        await manager.made("/api/ai/generate", talk.asks())
        shown.append(llm.drafted[-1].turn.count(' at="'))
    assert shown == [10, 11, 12, 10, 11, 12]


async def test_a_conversation_without_any_pause_is_shown_from_the_same_message_for_six(
    claude: RunningApp, llm: LlmStub
) -> None:
    manager = await sign_in(claude, Role.MANAGER)
    talk = await conversation(manager, said=[f"message {number}" for number in range(12)])
    first_shown = []
    for number in range(12, 20):
        await says(manager, talk, "fan", f"message {number}")
        await manager.made("/api/ai/generate", talk.asks())
        first_shown.append(re.findall(r">message (\d+)<", llm.drafted[-1].turn)[0])
    assert first_shown == ["3"] * 6 + ["9"] * 2


async def test_without_a_key_drafts_come_from_what_the_creator_has_said(app: RunningApp) -> None:
    manager = await sign_in(app, Role.MANAGER)
    talk = await conversation(manager)
    said = "My day was long, but your message makes it better. What did you do?"
    body = {
        "creatorId": talk.creator_id,
        "name": "hello",
        "category": "reply",
        "templateText": said,
    }
    await manager.made("/api/templates", body)

    answer = await manager.made("/api/ai/generate", talk.asks())

    assert answer["message"] == said
    assert answer["usage"] == {
        "inputTokens": 0, "outputTokens": 0, "cachedTokens": 0, "costUsd": 0.0,
    }  # fmt: skip


async def test_a_simple_reply_to_a_fan_of_little_value_leaves_by_itself(
    claude: RunningApp, llm: LlmStub
) -> None:
    admin = await automatic(claude)
    talk = await conversation(admin)
    llm.script([Reply(candidates=WARM)])

    answer = await admin.made("/api/ai/generate", talk.asks())

    assert (answer["status"], answer["requiresApproval"]) == ("auto_sent", False)
    assert answer["approvalReasons"] == []
    [item] = await rows(claude, "SELECT * FROM outbox")
    assert (item["text"], item["delivery_status"]) == (answer["message"], "pending")
    assert (item["author"], item["author_user_id"]) == ("ai_automatic", None)
    assert str(item["generation_id"]) == answer["generationId"]
    [feedback] = await rows(claude, "SELECT * FROM ai_message_feedback")
    assert (feedback["feedback_type"], feedback["edit_distance"]) == ("auto_sent", 0)
    [job] = await jobs(claude, "deliver_message")
    assert job["args"] == {"creator_id": talk.creator_id, "item_id": str(item["id"])}
    assert job["lock"] == talk.conversation_id


@pytest.mark.parametrize(
    ("changes", "asked", "reason"),
    [
        ({"disclosed": False}, "reply", "disclosure_missing"),
        ({"mode": "draft_only"}, "reply", "draft_only"),
        ({"value_minor": 35_000}, "reply", "high_tier"),
        ({"value_minor": 6_000}, "reply", "tier_not_automatic"),
        ({}, "re_engagement", "not_simple"),
        ({"channel": "webhook"}, "reply", "channel_manual"),
    ],
)
async def test_what_must_be_seen_by_a_person_waits_although_the_draft_is_sure(
    claude: RunningApp, llm: LlmStub, changes: dict[str, Any], asked: str, reason: str
) -> None:
    admin = await automatic(claude)
    if changes.get("channel") == "webhook":
        # A conversation of a channel that this process is not set up for.
        talk = await conversation(admin)
        await rows(claude, "UPDATE conversations SET channel = 'webhook'")
    else:
        talk = await conversation(admin, **changes)
    llm.script([Reply(candidates=WARM)])
    answer = await admin.made("/api/ai/generate", talk.asks(asked))
    assert (answer["status"], answer["approvalReasons"]) == ("queued", [reason])
    assert await rows(claude, "SELECT * FROM outbox") == []


async def test_an_offer_of_much_money_waits_for_a_person(claude: RunningApp, llm: LlmStub) -> None:
    admin = await automatic(claude)
    talk = await conversation(admin)
    offer = "I filmed something for you at the lake. Curious?"
    llm.script([Reply(candidates=[candidate(offer, price_minor=7500), candidate(offer + " :)")])])
    answer = await admin.made("/api/ai/generate", talk.asks("ppv_offer"))
    assert (answer["suggestedPrice"], answer["currency"]) == (75, "USD")
    assert answer["status"] == "queued"
    assert "high_value_offer" in answer["approvalReasons"]


async def test_a_price_that_nobody_asked_for_is_not_taken_over(
    claude: RunningApp, llm: LlmStub
) -> None:
    manager = await sign_in(claude, Role.MANAGER)
    talk = await conversation(manager)
    llm.script([Reply(candidates=[candidate("Hi you!", price_minor=7500), candidate("Hey you!")])])
    answer = await manager.made("/api/ai/generate", talk.asks("reply"))
    assert answer["suggestedPrice"] is None


async def test_a_draft_that_the_filter_blocks_is_rejected_with_its_findings_and_without_text(
    claude: RunningApp, llm: LlmStub
) -> None:
    manager = await sign_in(claude, Role.MANAGER)
    talk = await conversation(manager)
    bad = "Send it to my paypal, mia@example.com, it is cheaper than here!"
    llm.script([Reply(candidates=[candidate(bad), candidate(bad + " Please!")])] * 2)

    response = await manager.post("/api/ai/generate", talk.asks())

    answer = response.json()
    assert response.status_code == 200
    assert (answer["status"], answer["message"], answer["alternatives"]) == ("rejected", None, [])
    assert answer["safety"]["verdict"] == "block"
    assert answer["approvalReasons"][0] == "filter_blocked"
    found = answer["safety"]["findings"]
    assert any(one["category"] == "off_platform_payment" for one in found)
    assert all(bad[one["start"] : one["end"]] == one["matched"] for one in found)
    refused = await manager.post(
        "/api/ai/approve", {"generationId": answer["generationId"], "action": "approve"}
    )
    assert refused.status_code == 409
    assert await rows(claude, "SELECT * FROM outbox") == []


async def test_of_two_candidates_the_harmless_one_is_taken(
    claude: RunningApp, llm: LlmStub
) -> None:
    manager = await sign_in(claude, Role.MANAGER)
    talk = await conversation(manager)
    bad = candidate("Send it to my paypal, mia@example.com!", rating=99)
    llm.script([Reply(candidates=[bad, candidate("How sweet of you!", rating=60)])])
    answer = await manager.made("/api/ai/generate", talk.asks())
    assert answer["message"] == "How sweet of you!"


async def test_a_creators_forbidden_word_stops_a_draft(claude: RunningApp, llm: LlmStub) -> None:
    manager = await sign_in(claude, Role.MANAGER)
    talk = await conversation(manager)
    await manager.made(
        "/api/ai/personality", {"creatorId": talk.creator_id, "forbiddenWords": ["darling"]}
    )
    llm.script([Reply(candidates=[candidate("Hello darling!"), candidate("Hi darling.")])] * 2)
    answer = await manager.made("/api/ai/generate", talk.asks())
    assert answer["status"] == "rejected"
    assert {one["category"] for one in answer["safety"]["findings"]} == {"forbidden_word"}
    assert answer["personalityVersion"] == 1


@pytest.mark.parametrize(
    ("steps", "reason"),
    [
        ([Refuse()], "model_refused"),
        ([Nonsense("no JSON at all"), Nonsense("still none")], "unusable_draft"),
    ],
)
async def test_where_the_model_gives_no_text_a_person_writes_it(
    claude: RunningApp, llm: LlmStub, steps: list[Any], reason: str
) -> None:
    manager = await sign_in(claude, Role.MANAGER)
    talk = await conversation(manager)
    llm.script(steps)

    answer = await manager.made("/api/ai/generate", talk.asks())

    assert (answer["status"], answer["message"], answer["confidence"]) == ("queued", None, 0)
    assert reason in answer["approvalReasons"]
    body = {"generationId": answer["generationId"], "action": "approve"}
    refused = await manager.post("/api/ai/approve", body)
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["field"] == "action"
    written = await manager.made(
        "/api/ai/approve",
        {**body, "action": "modify", "modifiedMessage": "I am well, and you?"},
    )
    assert written["generation"]["finalMessage"] == "I am well, and you?"
    assert llm.unused_steps == 0


async def test_a_fan_in_distress_gets_a_person_before_all_others(
    claude: RunningApp, llm: LlmStub
) -> None:
    admin = await automatic(claude)
    rich = await conversation(admin, fan="rich", value_minor=900_000)
    poor = await conversation(admin, fan="poor", said=["I want to kill myself tonight."])
    llm.script([Reply(candidates=WARM), Reply(candidates=WARM)])

    calm = await admin.made("/api/ai/generate", rich.asks())
    urgent = await admin.made("/api/ai/generate", poor.asks())

    assert urgent["status"] == "queued"
    assert "fan_distress" in urgent["approvalReasons"]
    assert urgent["priority"] > calm["priority"]
    queue = await admin.found("/api/ai/queue")
    assert queue["items"][0]["generationId"] == urgent["generationId"]


async def test_a_fan_in_distress_is_sold_nothing_and_the_model_is_not_even_asked(
    claude: RunningApp, llm: LlmStub
) -> None:
    manager = await sign_in(claude, Role.MANAGER)
    talk = await conversation(manager, said=["I want to kill myself tonight."])

    answer = await manager.made("/api/ai/generate", talk.asks("ppv_offer"))

    assert (answer["status"], answer["message"]) == ("rejected", None)
    assert [one["rule"] for one in answer["safety"]["findings"]] == ["care.no_selling"]
    assert llm.requests == []
    assert ("tokens_per_day", "all") not in await counters(claude)


async def test_distress_outlasts_the_message_that_showed_it_until_a_manager_says_otherwise(
    claude: RunningApp, llm: LlmStub
) -> None:
    manager = await sign_in(claude, Role.MANAGER)
    chatter = await sign_in(claude, Role.CHATTER)
    talk = await conversation(manager, said=["I want to kill myself tonight."])
    for sender, text in (("creator", "I am here. Talk to me."), ("fan", "I feel better, thanks.")):
        await manager.made(talk.messages, talk.says(text, **{"from": sender}))
    offer = talk.asks("ppv_offer")
    assert (await manager.made("/api/ai/generate", offer))["status"] == "rejected"

    care = f"/api/conversations/{talk.conversation_id}/care"
    body = {"creatorId": talk.creator_id, "care": None, "reason": "talked to him"}
    assert (await chatter.post(care, body)).status_code == 403
    changed = await manager.made(care, body)

    assert changed["care"] is None
    llm.script([Reply(candidates=[candidate("A new set?", price_minor=900), candidate("New!")])])
    assert (await manager.made("/api/ai/generate", offer))["status"] == "queued"
    traces = await rows(
        claude, "SELECT * FROM audit_log WHERE action = 'conversation.care_changed' ORDER BY id"
    )
    assert [trace["details"].get("care") for trace in traces] == ["distress", None]
    assert traces[-1]["actor_id"] == manager.user_id


@pytest.mark.parametrize(
    ("step", "status", "slug"),
    [
        (Fail(500), 502, "drafter-unavailable"),
        (Fail(401), 502, "drafter-misconfigured"),
        (Fail(429, retry_after_seconds=700), 503, "drafter-rate-limited"),
    ],
)
async def test_a_model_that_fails_costs_neither_a_request_nor_tokens(
    claude: RunningApp, llm: LlmStub, step: Fail, status: int, slug: str
) -> None:
    manager = await sign_in(claude, Role.MANAGER)
    talk = await conversation(manager)
    await manager.made("/api/ai/generate", talk.asks())
    before = await counters(claude)
    llm.script([step])

    response = await manager.post("/api/ai/generate", talk.asks())

    assert response.status_code == status
    assert response.json()["type"] == f"/problems/{slug}"
    if status == 503:
        assert response.headers["Retry-After"] == "700"
    assert await counters(claude) == before
    assert len(await rows(claude, "SELECT 1 FROM ai_message_generations")) == 1


async def _ask_for_other(caller: SignedIn, talk: Talk, **changes: Any) -> Any:
    return await caller.post("/api/ai/generate", talk.asks() | changes)


async def test_a_draft_is_only_made_for_a_conversation_of_that_fan_and_creator(
    claude: RunningApp, llm: LlmStub
) -> None:
    manager = await sign_in(claude, Role.MANAGER)
    mine = await conversation(manager)
    other = await conversation(manager, creator="theo", fan="ann")
    before = await counters(claude)
    for changes in (
        {"fanId": other.fan_id},
        {"creatorId": other.creator_id},
        {"conversationId": other.conversation_id},
    ):
        assert (await _ask_for_other(manager, mine, **changes)).status_code == 404
    assert llm.requests == []
    assert await counters(claude) == before


async def test_a_fan_who_writes_while_the_model_does_makes_the_draft_stale(
    claude: RunningApp, gate: Gate
) -> None:
    """Nobody may take a draft for an answer to a message that it was made without."""
    manager = await sign_in(claude, Role.MANAGER)
    talk = await conversation(manager)
    gate.shut()
    drafting = asyncio.create_task(manager.made("/api/ai/generate", talk.asks()))
    await gate.until_waiting(1)
    await manager.made(talk.messages, talk.says("Oh, and one more thing!"))
    gate.open()
    answer = await drafting
    assert (answer["status"], answer["stale"]) == ("queued", True)
    refused = await manager.post(
        "/api/ai/approve", {"generationId": answer["generationId"], "action": "approve"}
    )
    assert refused.status_code == 409
    assert refused.json()["currentStatus"] == "stale"
