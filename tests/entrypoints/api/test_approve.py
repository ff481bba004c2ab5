"""POST /api/ai/approve: one person decides, once, and only what may leave leaves."""

import asyncio
from typing import Any

import httpx2
import pytest

from stubs.llm import LlmStub, Reply
from tests.support.app import RunningApp
from tests.support.world import (
    WARM,
    SignedIn,
    Talk,
    candidate,
    conversation,
    jobs,
    rows,
    sign_in,
)
from vaultcrm.domain.people import Role

pytestmark = pytest.mark.anyio

NOWHERE = "01890a5d-ac96-774b-bcce-b302099a8057"


async def drafted(
    caller: SignedIn, llm: LlmStub, talk: Talk, *, price_minor: int | None = None
) -> str:
    """The id of a waiting draft, of an offer when there is a price."""
    if price_minor is None:
        llm.script([Reply(candidates=WARM)])
        answer = await caller.made("/api/ai/generate", talk.asks())
    else:
        offer = [candidate("New photos?", price_minor=price_minor), candidate("Photos, new!")]
        llm.script([Reply(candidates=offer)])
        answer = await caller.made("/api/ai/generate", talk.asks("ppv_offer"))
    assert answer["status"] == "queued"
    return str(answer["generationId"])


async def decide(caller: SignedIn, generation_id: str, action: str, **more: Any) -> httpx2.Response:
    body = {"generationId": generation_id, "action": action, **more}
    return await caller.post("/api/ai/approve", body)


def field_at_fault(response: httpx2.Response) -> str:
    assert response.status_code == 422, response.text
    return str(response.json()["errors"][0]["field"])


async def nothing_left(app: RunningApp) -> bool:
    return await rows(app, "SELECT 1 FROM outbox") == [] == await jobs(app, "deliver_message")


async def test_an_approved_draft_is_handed_to_delivery_as_it_is(
    claude: RunningApp, llm: LlmStub
) -> None:
    chatter = await sign_in(claude, Role.CHATTER)
    talk = await conversation(await sign_in(claude, Role.MANAGER))
    generation_id = await drafted(chatter, llm, talk)

    response = await decide(chatter, generation_id, "approve")

    answer = response.json()
    generation = answer["generation"]
    assert (response.status_code, answer["success"]) == (200, True)
    assert (generation["status"], generation["deliveryStatus"]) == ("approved", "pending")
    assert generation["finalMessage"] == generation["message"] == WARM[0]["message"]
    assert generation["approvedBy"] == str(chatter.user_id)
    assert generation["approvedAt"] is not None
    assert generation["requiresApproval"] is False
    [item] = await rows(claude, "SELECT * FROM outbox")
    assert (item["text"], item["price_minor"]) == (WARM[0]["message"], None)
    assert (item["author"], item["author_user_id"]) == ("ai_approved", chatter.user_id)
    [job] = await jobs(claude, "deliver_message")
    assert job["args"]["item_id"] == str(item["id"])
    [feedback] = await rows(claude, "SELECT * FROM ai_message_feedback")
    assert (feedback["feedback_type"], feedback["edit_distance"]) == ("approved", 0)
    [trace] = await rows(claude, "SELECT * FROM audit_log WHERE action = 'generation.decided'")
    assert (trace["actor_id"], trace["subject_id"]) == (chatter.user_id, generation_id)


async def test_a_modified_draft_leaves_as_the_person_wrote_it_and_the_edit_is_measured(
    claude: RunningApp, llm: LlmStub
) -> None:
    manager = await sign_in(claude, Role.MANAGER)
    talk = await conversation(manager)
    generation_id = await drafted(manager, llm, talk)
    final = WARM[0]["message"] + " Tell me!"

    response = await decide(
        manager, generation_id, "modify", modifiedMessage=final, reason="asks for more"
    )

    generation = response.json()["generation"]
    assert (generation["status"], generation["finalMessage"]) == ("approved", final)
    assert generation["message"] == WARM[0]["message"]
    [feedback] = await rows(claude, "SELECT * FROM ai_message_feedback")
    assert feedback["feedback_type"] == "modified"
    assert feedback["original_message"] == WARM[0]["message"]
    assert feedback["final_message"] == final
    assert feedback["modification_notes"] == "asks for more"
    assert feedback["edit_distance"] == 2
    assert [item["text"] for item in await rows(claude, "SELECT * FROM outbox")] == [final]


async def test_a_price_can_be_changed_and_taken_away(claude: RunningApp, llm: LlmStub) -> None:
    manager = await sign_in(claude, Role.MANAGER)
    talk = await conversation(manager)
    cheaper = await drafted(manager, llm, talk, price_minor=7500)
    free = await drafted(manager, llm, talk, price_minor=7500)

    one = (await decide(manager, cheaper, "modify", modifiedPrice=60.5)).json()["generation"]
    other = (await decide(manager, free, "modify", modifiedPrice=0)).json()["generation"]

    assert (one["suggestedPrice"], one["finalPrice"]) == (75, 60.5)
    assert (other["suggestedPrice"], other["finalPrice"]) == (75, None)
    items = await rows(claude, "SELECT * FROM outbox ORDER BY id")
    assert [(item["price_minor"], item["currency"]) for item in items] == [
        (6050, "USD"),
        (None, None),
    ]


async def test_a_rejected_draft_goes_nowhere_and_the_reason_is_kept(
    claude: RunningApp, llm: LlmStub
) -> None:
    manager = await sign_in(claude, Role.MANAGER)
    generation_id = await drafted(manager, llm, await conversation(manager))

    response = await decide(manager, generation_id, "reject", reason="not her voice")

    assert response.json()["generation"]["status"] == "rejected"
    [feedback] = await rows(claude, "SELECT * FROM ai_message_feedback")
    assert (feedback["feedback_type"], feedback["reason"]) == ("rejected", "not her voice")
    assert feedback["final_message"] is None
    assert await nothing_left(claude)


async def test_of_sixteen_people_who_approve_at_once_one_wins_and_the_others_are_told_who(
    claude: RunningApp, llm: LlmStub
) -> None:
    manager = await sign_in(claude, Role.MANAGER)
    people = [await sign_in(claude, Role.CHATTER, name=f"Chatter {i}") for i in range(16)]
    generation_id = await drafted(manager, llm, await conversation(manager))

    responses = await asyncio.gather(
        *(decide(person, generation_id, "approve") for person in people)
    )

    assert sorted(response.status_code for response in responses) == [200] + [409] * 15
    [won] = [response.json()["generation"] for response in responses if response.is_success]
    winner = next(i for i, person in enumerate(people) if str(person.user_id) == won["approvedBy"])
    for response in responses:
        if response.status_code == 409:
            assert response.json()["decidedBy"] == f"Chatter {winner}"
            assert response.json()["decidedAt"].startswith(won["approvedAt"][:19])
            assert response.json()["currentStatus"] == "approved"
            assert f"Chatter {winner}" in response.json()["detail"]
    assert len(await rows(claude, "SELECT 1 FROM outbox")) == 1
    assert len(await rows(claude, "SELECT 1 FROM ai_message_feedback")) == 1
    assert len(await jobs(claude, "deliver_message")) == 1


@pytest.mark.parametrize("first", ["approve", "reject", "modify"])
@pytest.mark.parametrize("second", ["approve", "reject", "modify"])
async def test_a_decided_draft_is_decided_for_good(
    claude: RunningApp, llm: LlmStub, first: str, second: str
) -> None:
    manager = await sign_in(claude, Role.MANAGER)
    generation_id = await drafted(manager, llm, await conversation(manager))
    texts = {"modify": {"modifiedMessage": "Something else."}}
    decided = await decide(manager, generation_id, first, **texts.get(first, {}))
    again = await decide(manager, generation_id, second, **texts.get(second, {}))
    assert again.status_code == 409
    assert again.json()["currentStatus"] == decided.json()["generation"]["status"]


async def test_a_draft_that_the_fan_has_overtaken_is_only_sent_when_one_insists(
    claude: RunningApp, llm: LlmStub
) -> None:
    manager = await sign_in(claude, Role.MANAGER)
    talk = await conversation(manager)
    generation_id = await drafted(manager, llm, talk)
    await manager.made(talk.messages, talk.says("Wait, something else!"))

    refused = await decide(manager, generation_id, "approve")

    assert (refused.status_code, refused.json()["currentStatus"]) == (409, "stale")
    assert "sendAnyway" in refused.json()["detail"]
    [newer] = refused.json()["newMessages"]
    assert (newer["from"], newer["text"]) == ("fan", "Wait, something else!")
    assert await nothing_left(claude)
    insisted = await decide(manager, generation_id, "approve", sendAnyway=True)
    assert insisted.json()["generation"]["status"] == "approved"
    [trace] = await rows(claude, "SELECT * FROM audit_log WHERE action = 'generation.decided'")
    assert trace["details"]["although_stale"] is True


async def test_a_new_draft_takes_the_place_of_one_that_the_fan_has_overtaken(
    claude: RunningApp, llm: LlmStub
) -> None:
    manager = await sign_in(claude, Role.MANAGER)
    talk = await conversation(manager)
    old = await drafted(manager, llm, talk)
    await manager.made(talk.messages, talk.says("Wait, something else!"))
    new = await drafted(manager, llm, talk)
    queue = await manager.found("/api/ai/queue")
    assert [item["generationId"] for item in queue["items"]] == [new]
    late = await decide(manager, old, "approve", sendAnyway=True)
    assert (late.status_code, late.json()["currentStatus"]) == (409, "expired")


async def test_a_text_that_the_filter_blocks_does_not_leave_whoever_wrote_it(
    claude: RunningApp, llm: LlmStub
) -> None:
    manager = await sign_in(claude, Role.MANAGER)
    generation_id = await drafted(manager, llm, await conversation(manager))
    text = "Send it to my paypal, mia@example.com!"
    response = await decide(manager, generation_id, "modify", modifiedMessage=text)
    assert field_at_fault(response) == "modifiedMessage"
    assert any("paypal" in error["reason"] for error in response.json()["errors"])
    assert await nothing_left(claude)
    assert (await decide(manager, generation_id, "approve")).status_code == 200


async def test_a_word_that_was_forbidden_after_the_draft_still_stops_it(
    claude: RunningApp, llm: LlmStub
) -> None:
    manager = await sign_in(claude, Role.MANAGER)
    talk = await conversation(manager)
    generation_id = await drafted(manager, llm, talk)
    body = {"creatorId": talk.creator_id, "forbiddenWords": ["thinking"]}
    await manager.made("/api/ai/personality", body)
    response = await decide(manager, generation_id, "approve")
    assert field_at_fault(response) == "modifiedMessage"
    assert await nothing_left(claude)


@pytest.mark.parametrize(
    ("action", "more", "field"),
    [
        ("modify", {}, "modifiedMessage"),
        ("modify", {"modifiedMessage": WARM[0]["message"]}, "modifiedMessage"),
        ("modify", {"modifiedMessage": "x" * 2001}, "modifiedMessage"),
        ("modify", {"modifiedPrice": 2.99}, "modifiedPrice"),
        ("modify", {"modifiedPrice": 200.01}, "modifiedPrice"),
        ("approve", {"modifiedMessage": "Something else."}, "modifiedMessage"),
        ("approve", {"modifiedPrice": 5}, "modifiedPrice"),
    ],
)
async def test_a_decision_that_makes_no_sense_changes_nothing(
    claude: RunningApp, llm: LlmStub, action: str, more: dict[str, Any], field: str
) -> None:
    manager = await sign_in(claude, Role.MANAGER)
    generation_id = await drafted(manager, llm, await conversation(manager))
    response = await decide(manager, generation_id, action, **more)
    assert field_at_fault(response) == field
    assert await nothing_left(claude)
    assert (await decide(manager, generation_id, "approve")).status_code == 200


async def test_an_offer_waiting_when_the_fan_shows_distress_can_only_leave_as_another_free_message(
    claude: RunningApp, llm: LlmStub
) -> None:
    manager = await sign_in(claude, Role.MANAGER)
    talk = await conversation(manager)
    generation_id = await drafted(manager, llm, talk, price_minor=900)
    await manager.made(talk.messages, talk.says("I want to kill myself tonight."))

    for action, more in (("approve", {}), ("modify", {"modifiedPrice": 5})):
        refused = await decide(manager, generation_id, action, sendAnyway=True, **more)
        assert field_at_fault(refused) == "modifiedPrice"
        assert "selling is stopped" in refused.json()["detail"]
    free = {"sendAnyway": True, "modifiedPrice": 0}
    offered = await decide(manager, generation_id, "modify", **free)
    assert field_at_fault(offered) == "modifiedMessage"
    kind = {"modifiedMessage": "I am here. Are you safe?"}
    freed = await decide(manager, generation_id, "modify", **free, **kind)
    assert freed.json()["generation"]["finalPrice"] is None


async def test_a_creators_drafts_do_not_exist_for_a_chatter_of_another(
    claude: RunningApp, llm: LlmStub
) -> None:
    manager = await sign_in(claude, Role.MANAGER)
    talk = await conversation(manager)
    await conversation(manager, creator="theo")
    stranger = await sign_in(claude, Role.CHATTER, creators=["theo"])
    generation_id = await drafted(manager, llm, talk)

    foreign = await decide(stranger, generation_id, "approve")
    unknown = await decide(stranger, NOWHERE, "approve")

    assert foreign.status_code == unknown.status_code == 404
    assert foreign.json() | {"requestId": ""} == unknown.json() | {"requestId": ""}
    assert (await stranger.post("/api/ai/queue/claim", {})).json() == {"generation": None}
    assert await nothing_left(claude)


async def test_a_draft_that_somebody_reviews_is_left_to_them(
    claude: RunningApp, llm: LlmStub
) -> None:
    manager = await sign_in(claude, Role.MANAGER)
    ann, ben = [await sign_in(claude, Role.CHATTER, name=name) for name in ("Ann", "Ben")]
    generation_id = await drafted(manager, llm, await conversation(manager))
    claimed = (await ann.post("/api/ai/queue/claim", {"generationId": generation_id})).json()
    assert claimed["generation"]["claimedBy"] == str(ann.user_id)

    for response in (
        await decide(ben, generation_id, "approve"),
        await ben.post("/api/ai/queue/claim", {"generationId": generation_id}),
    ):
        assert response.status_code == 409
        assert (response.json()["currentStatus"], response.json()["decidedBy"]) == (
            "claimed",
            "Ann",
        )
    assert (await ben.post("/api/ai/queue/claim", {})).json() == {"generation": None}
    assert (await decide(ann, generation_id, "approve")).status_code == 200


async def test_a_claim_that_has_run_out_holds_nobody_back(claude: RunningApp, llm: LlmStub) -> None:
    manager = await sign_in(claude, Role.MANAGER)
    ann, ben = [await sign_in(claude, Role.CHATTER) for _ in range(2)]
    generation_id = await drafted(manager, llm, await conversation(manager))
    await ann.made("/api/ai/queue/claim", {"generationId": generation_id})
    past = "UPDATE ai_message_generations SET claimed_until = claimed_until - interval '1 hour'"
    await rows(claude, past)
    assert (await decide(ben, generation_id, "approve")).status_code == 200


async def test_people_who_ask_for_the_next_draft_at_once_get_different_ones(
    claude: RunningApp, llm: LlmStub
) -> None:
    manager = await sign_in(claude, Role.MANAGER)
    people = [await sign_in(claude, Role.CHATTER) for _ in range(8)]
    for i in range(6):
        await drafted(manager, llm, await conversation(manager, fan=f"fan{i}"))
    answers = await asyncio.gather(*(person.made("/api/ai/queue/claim", {}) for person in people))
    given = [answer["generation"]["generationId"] for answer in answers if answer["generation"]]
    assert len(set(given)) == len(given) == 6


async def test_the_next_draft_is_the_most_urgent_that_nobody_holds(
    claude: RunningApp, llm: LlmStub
) -> None:
    manager = await sign_in(claude, Role.MANAGER)
    poor = await drafted(manager, llm, await conversation(manager, fan="poor", value_minor=0))
    rich = await drafted(manager, llm, await conversation(manager, fan="rich", value_minor=10**6))
    ann, ben = [await sign_in(claude, Role.CHATTER) for _ in range(2)]
    first = await ann.made("/api/ai/queue/claim", {})
    second = await ben.made("/api/ai/queue/claim", {})
    again = await ann.made("/api/ai/queue/claim", {})
    found = [answer["generation"]["generationId"] for answer in (first, second, again)]
    assert found == [rich, poor, rich]


async def test_an_outcome_is_laid_over_what_is_known(claude: RunningApp, llm: LlmStub) -> None:
    manager = await sign_in(claude, Role.MANAGER)
    generation_id = await drafted(manager, llm, await conversation(manager))
    report = {"generationId": generation_id, "replied": True, "timeToReply": 40}
    early = await manager.post("/api/ai/feedback", report)
    assert early.status_code == 409
    await decide(manager, generation_id, "approve")

    await manager.made("/api/ai/feedback", report)
    later = {"generationId": generation_id, "purchased": True, "revenue": 2500}
    known = await manager.made("/api/ai/feedback", later)

    assert known["performanceData"] == {
        "replied": True, "timeToReply": 40, "purchased": True, "revenue": 2500,
    }  # fmt: skip
