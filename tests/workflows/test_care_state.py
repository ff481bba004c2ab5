"""When care for a fan begins, people are called and nothing sells; when it ends, all goes back."""

from datetime import timedelta
from typing import Any

import pytest

from stubs.llm import LlmStub
from tests.support.app import RunningApp
from tests.support.drafts import SNOOZE, decide, drafted, status_of, waiting
from tests.support.world import SignedIn, Talk, conversation, rows, sign_in
from vaultcrm.domain.people import Role

pytestmark = pytest.mark.anyio

DESPAIR = "I want to kill myself tonight"
YOUNG = "I am 15 years old"


async def alerts(app: RunningApp) -> list[dict[str, Any]]:
    return await rows(app, "SELECT * FROM alerts WHERE kind = 'fan_needs_care' ORDER BY id")


async def says(caller: SignedIn, talk: Talk, text: str) -> None:
    await caller.made(talk.messages, talk.says(text))


async def ends(caller: SignedIn, talk: Talk) -> None:
    body = {"creatorId": talk.creator_id, "care": None, "reason": "They are well."}
    await caller.made(f"/api/conversations/{talk.conversation_id}/care", body)


async def test_drafts_that_wait_rise_above_all_others_and_say_why(
    claude: RunningApp, llm: LlmStub
) -> None:
    manager = await sign_in(claude, Role.MANAGER)
    whale = await drafted(manager, llm, await conversation(manager, fan="w", value_minor=900_000))
    talk = await conversation(manager)
    draft = await drafted(manager, llm, talk)
    assert await waiting(manager) == [whale, draft]

    await says(manager, talk, DESPAIR)

    assert await waiting(manager) == [draft, whale]
    assert draft in await waiting(manager, split="care")
    found = await manager.found(f"/api/ai/generations/{draft}")
    assert found["approvalReasons"][0] == "fan_distress"
    assert "rollout_stage" in found["approvalReasons"]
    before = found["priority"]
    await says(manager, talk, DESPAIR)
    assert (await manager.found(f"/api/ai/generations/{draft}"))["priority"] == before
    await ends(manager, talk)
    assert await waiting(manager) == [whale, draft]


async def test_a_draft_that_was_put_off_comes_back_when_its_fan_needs_care(
    claude: RunningApp, llm: LlmStub
) -> None:
    manager = await sign_in(claude, Role.MANAGER)
    talk = await conversation(manager)
    draft = await drafted(manager, llm, talk)
    until = claude.parts.now() + timedelta(hours=1)
    await manager.made(SNOOZE, {"generationId": draft, "until": until.isoformat()})
    assert await waiting(manager) == []
    await says(manager, talk, DESPAIR)
    assert await waiting(manager) == [draft]


@pytest.mark.parametrize("price_minor", [2_500, None])
async def test_an_offer_that_waits_cannot_go_out_as_it_is_priced_or_not(
    claude: RunningApp, llm: LlmStub, price_minor: int | None
) -> None:
    manager = await sign_in(claude, Role.MANAGER)
    talk = await conversation(manager)
    draft = await drafted(manager, llm, talk, price_minor=2_500)
    if price_minor is None:
        await rows(claude, "UPDATE ai_message_generations SET suggested_price_minor = NULL")
    await says(manager, talk, DESPAIR)

    refused = await decide(manager, draft, "approve", sendAnyway=True)

    assert refused.status_code == 422
    assert "selling is stopped" in refused.json()["detail"]
    assert await status_of(manager, draft) == "queued"
    words = {"modifiedMessage": "I am here. Are you safe?", "modifiedPrice": 0}
    kind = await decide(manager, draft, "modify", sendAnyway=True, **words)
    assert kind.status_code == 200
    [item] = await rows(claude, "SELECT * FROM outbox WHERE generation_id IS NOT NULL")
    assert (item["text"], item["price_minor"]) == ("I am here. Are you safe?", None)


async def test_one_alert_a_conversation_is_open_until_care_ends(app: RunningApp) -> None:
    manager = await sign_in(app, Role.MANAGER)
    tom, ann = await conversation(manager), await conversation(manager, fan="ann")
    for text in (DESPAIR, DESPAIR, YOUNG):
        await says(manager, tom, text)
    await says(manager, ann, YOUNG)

    found = await alerts(app)

    assert [one["subject"] for one in found] == [
        f"creator/{talk.creator_id}/{talk.conversation_id}" for talk in (tom, ann)
    ]
    assert {one["severity"] for one in found} == {"critical"}
    assert DESPAIR not in "".join(one["message"] for one in found)
    await ends(manager, tom)
    assert [one["cleared_at"] is None for one in await alerts(app)] == [False, True]
    await says(manager, tom, DESPAIR)
    assert [one["cleared_at"] is None for one in await alerts(app)] == [False, True, True]


async def test_care_that_a_person_sets_calls_the_manager_too(
    claude: RunningApp, llm: LlmStub
) -> None:
    manager = await sign_in(claude, Role.MANAGER)
    talk = await conversation(manager)
    draft = await drafted(manager, llm, talk)
    chatter = await sign_in(claude, Role.CHATTER)
    body = {"creatorId": talk.creator_id, "care": "possible_minor", "reason": "Spoke of school."}
    await chatter.made(f"/api/conversations/{talk.conversation_id}/care", body)
    [alert] = await alerts(claude)
    assert alert["details"] == {"care": "possible_minor", "conversation": talk.conversation_id}
    found = await manager.found(f"/api/ai/generations/{draft}")
    assert "possible_minor" in found["approvalReasons"]


async def test_that_a_fan_may_be_a_minor_is_traced_although_they_were_in_distress(
    app: RunningApp,
) -> None:
    manager = await sign_in(app, Role.MANAGER)
    talk = await conversation(manager)
    for text in (DESPAIR, YOUNG, DESPAIR):
        await says(manager, talk, text)
    traces = await rows(
        app,
        "SELECT details FROM audit_log WHERE action = 'conversation.care_changed' ORDER BY id",
    )
    assert [one["details"]["care"] for one in traces] == ["distress", "possible_minor"]
