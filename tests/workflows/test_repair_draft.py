"""The second attempt: a draft that is stopped is drafted once more, and both attempts are kept."""

from typing import Any
from uuid import UUID

import pytest

from stubs.llm import Fail, LlmStub, Nonsense, Refuse, Reply, Step
from tests.support.app import RunningApp
from tests.support.world import WARM, candidate, conversation, counters, rows, set_flag, sign_in
from vaultcrm.domain.generation import GenerationType
from vaultcrm.domain.people import SYSTEM_USER_ID, Credential, Role
from vaultcrm.workflows.generate_message import GenerateRequest, generate_message

pytestmark = pytest.mark.anyio

BAD = (
    candidate("Send it to my paypal, mia@example.com, it is cheaper!"),
    candidate("Send it to my paypal, mia@example.com, please!"),
)
BAD_REPLY = Reply(candidates=BAD)
GOOD_REPLY = Reply(candidates=WARM)


async def used(app: RunningApp) -> dict[str, Any]:
    [row] = await rows(
        app,
        "SELECT count(*) AS calls, sum(input_tokens + output_tokens + cached_tokens) AS tokens "
        "FROM usage",
    )
    return row


async def test_a_draft_that_the_filter_stops_is_drafted_once_more_and_waits(
    claude: RunningApp, llm: LlmStub
) -> None:
    manager = await sign_in(claude, Role.MANAGER)
    talk = await conversation(manager)
    llm.script([BAD_REPLY, GOOD_REPLY])
    answer = await manager.made("/api/ai/generate", talk.asks())
    assert (answer["status"], answer["message"]) == ("queued", WARM[0]["message"])
    assert answer["safety"]["verdict"] == "allow"
    [attempt] = answer["attempts"]
    assert attempt["verdict"] == "block"
    assert "off_platform_payment" in {one["category"] for one in attempt["findings"]}
    [stored] = await rows(claude, "SELECT attempts FROM ai_message_generations")
    assert stored["attempts"][0]["message"] == BAD[0]["message"]
    found = await manager.found(f"/api/ai/generations/{answer['generationId']}")
    assert found["attempts"] == answer["attempts"]


async def test_the_second_attempt_is_told_what_was_found_but_no_personal_data(
    claude: RunningApp, llm: LlmStub
) -> None:
    manager = await sign_in(claude, Role.MANAGER)
    talk = await conversation(manager)
    llm.script([BAD_REPLY, GOOD_REPLY])
    await manager.made("/api/ai/generate", talk.asks())
    first, second = llm.requests
    assert first.body["system"] == second.body["system"]
    assert second.turn.startswith(first.turn.partition("# The fan")[0])
    told = second.turn
    assert 'category="off_platform_payment"' in told
    assert 'category="personal_data"' in told
    assert "mia@example.com" not in told
    assert "found" not in first.turn


async def test_both_attempts_count_against_the_days_tokens_and_as_one_request(
    claude: RunningApp, llm: LlmStub
) -> None:
    manager = await sign_in(claude, Role.MANAGER)
    talk = await conversation(manager)
    llm.script([GOOD_REPLY, GOOD_REPLY])
    await manager.made("/api/ai/generate", talk.asks())  # now the prefix is in the cache
    once = (await manager.made("/api/ai/generate", talk.asks()))["usage"]
    llm.script([BAD_REPLY, GOOD_REPLY])
    twice = (await manager.made("/api/ai/generate", talk.asks()))["usage"]
    assert twice["outputTokens"] > 1.5 * once["outputTokens"]
    assert twice["costUsd"] > once["costUsd"]
    counted = await counters(claude)
    assert counted["tokens_per_day", "all"] == (await used(claude))["tokens"]
    assert counted["requests_per_hour", str(manager.user_id)] == 3


async def test_a_draft_that_is_stopped_twice_is_rejected_and_both_attempts_are_kept(
    claude: RunningApp, llm: LlmStub
) -> None:
    manager = await sign_in(claude, Role.MANAGER)
    talk = await conversation(manager)
    again = Reply(candidates=[candidate("Then use cashapp!"), candidate("Cashapp it is!")])
    llm.script([BAD_REPLY, again])
    answer = await manager.made("/api/ai/generate", talk.asks())
    assert (answer["status"], answer["message"]) == ("rejected", None)
    assert len(answer["attempts"]) == 1
    assert "cashapp" in str(answer["safety"]["findings"]).lower()
    assert len(llm.requests) == 2
    [row] = await rows(claude, "SELECT details FROM audit_log WHERE action = 'generation.created'")
    assert len(row["details"]["stopped_attempts"]) == 1


WITHOUT_TEXT: dict[str, tuple[list[Step], str]] = {
    "the model is down": ([Fail(500)], "could not be made"),
    "the model declines": ([Refuse()], "no usable text"),
    "the model talks nonsense": ([Nonsense("no"), Nonsense("no")], "no usable text"),
}


@pytest.mark.parametrize("what", WITHOUT_TEXT)
async def test_without_a_second_text_the_first_verdict_stands(
    claude: RunningApp, llm: LlmStub, what: str
) -> None:
    manager = await sign_in(claude, Role.MANAGER)
    talk = await conversation(manager)
    steps, note = WITHOUT_TEXT[what]
    llm.script([BAD_REPLY, *steps])
    answer = await manager.made("/api/ai/generate", talk.asks())
    assert (answer["status"], answer["attempts"]) == ("rejected", [])
    assert answer["approvalReasons"][0] == "filter_blocked"
    [stored] = await rows(claude, "SELECT note FROM ai_message_generations")
    assert note in stored["note"]
    assert (await counters(claude))["tokens_per_day", "all"] == (await used(claude))["tokens"]


async def test_a_second_attempt_that_cannot_be_reserved_is_not_made(
    claude: RunningApp, llm: LlmStub
) -> None:
    admin = await sign_in(claude, Role.ADMIN)
    talk = await conversation(admin)
    await set_flag(admin, "AI_MAX_TOKENS_PER_DAY", 5_100)
    llm.script([BAD_REPLY, GOOD_REPLY])
    answer = await admin.made("/api/ai/generate", talk.asks())
    assert answer["status"] == "rejected"
    assert len(llm.requests) == 1
    assert (await counters(claude))["tokens_per_day", "all"] == (await used(claude))["tokens"]


async def test_a_second_attempt_that_fails_to_be_saved_is_counted_all_the_same(
    claude: RunningApp, llm: LlmStub
) -> None:
    manager = await sign_in(claude, Role.MANAGER)
    talk = await conversation(manager)
    await rows(claude, "ALTER TABLE audit_log ADD CONSTRAINT never CHECK (false) NOT VALID")
    llm.script([BAD_REPLY, GOOD_REPLY])
    with pytest.raises(Exception, match="never"):
        await manager.post("/api/ai/generate", talk.asks())
    assert (await used(claude))["calls"] == 0
    both = sum(
        -(-len(str(step.candidates)) // 40) for step in (BAD_REPLY, GOOD_REPLY)
    )  # a tenth of what the answers alone come to
    assert both < (await counters(claude))["tokens_per_day", "all"] < 5_000


async def test_what_the_judge_stops_is_drafted_once_more_too(
    claude: RunningApp, llm: LlmStub
) -> None:
    manager = await sign_in(claude, Role.MANAGER)
    talk = await conversation(manager)
    offer = [candidate("A set made for you alone?", price_minor=2500), candidate("A set for you?")]
    honest = [candidate("A set of twelve photos?", price_minor=2500), candidate("Twelve photos?")]
    llm.script([Reply(candidates=offer), Reply(candidates=honest)])
    finding = {
        "category": "deception",
        "tier": "block",
        "quote": "for you alone",
        "reason": "The set is sold to many.",
    }
    llm.script_judge([Reply(judgement={"findings": [finding], "cleared": []})])
    answer = await manager.made("/api/ai/generate", talk.asks("ppv_offer"))
    assert (answer["status"], answer["message"]) == ("queued", "A set of twelve photos?")
    assert [one["rule"] for one in answer["attempts"][0]["findings"]] == ["judge.deception"]
    assert "The set is sold to many." in str(llm.drafted[1].body["messages"])
    assert len(llm.judged) == 2


async def test_a_watched_draft_that_is_stopped_is_watched_anew(
    claude: RunningApp, llm: LlmStub
) -> None:
    admin = await sign_in(claude, Role.ADMIN)
    talk = await conversation(admin)
    wanted = GenerateRequest(
        UUID(talk.creator_id), UUID(talk.conversation_id), GenerationType.REPLY
    )
    told: list[str] = []
    llm.script([BAD_REPLY, GOOD_REPLY])
    record = await generate_message(
        claude.parts, Credential(user_id=SYSTEM_USER_ID), wanted, watcher=told.append
    )
    assert [request.body.get("stream", False) for request in llm.requests] == [True, True]
    assert BAD[0]["message"] in told
    assert told[-1] == record.message == WARM[0]["message"]


async def test_a_model_that_is_none_suggests_what_was_not_stopped(app: RunningApp) -> None:
    admin = await sign_in(app, Role.ADMIN)
    talk = await conversation(admin, said=())
    for said in ("text me on snapchat mia99", "add me on telegram mia99", "A long walk, and you?"):
        await admin.made(talk.messages, talk.says("What are you doing?"))
        await admin.made(talk.messages, talk.says(said, **{"from": "creator"}))
    await admin.made(talk.messages, talk.says("What are you doing?"))
    answer = await admin.made("/api/ai/generate", talk.asks())
    assert answer["message"] == "A long walk, and you?"
    assert answer["status"] == "queued"
