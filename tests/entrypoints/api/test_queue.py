"""The queue over HTTP: who works on what, in which order, and what a draft becomes."""

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from stubs.llm import LlmStub
from tests.support.app import RunningApp
from tests.support.drafts import (
    CLAIM,
    DECIDE,
    NOWHERE,
    RELEASE,
    SNOOZE,
    age,
    claimed,
    copies,
    decide,
    drafted,
    status_of,
    waiting,
)
from tests.support.world import SignedIn, conversation, rows, sign_in
from vaultcrm.domain.approval import RejectReason
from vaultcrm.domain.people import Role

pytestmark = pytest.mark.anyio

WHALE = 10**6


async def people(app: RunningApp, *names: str) -> list[SignedIn]:
    return [await sign_in(app, Role.CHATTER, name=name) for name in names]


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


# Claims


async def test_the_next_draft_can_be_asked_for_of_one_creator_or_one_split(
    claude: RunningApp, llm: LlmStub
) -> None:
    manager = await sign_in(claude, Role.MANAGER)
    theo = await conversation(manager, creator="theo", value_minor=0)
    plain = await drafted(manager, llm, await conversation(manager, value_minor=0))
    rich = await drafted(manager, llm, await conversation(manager, fan="rich", value_minor=WHALE))
    theos = await drafted(manager, llm, theo)
    ann, ben, cat, dan = await people(claude, "Ann", "Ben", "Cat", "Dan")

    assert await claimed(ann, creatorId=theo.creator_id) == theos
    assert await claimed(ben, split="high_value") == rich
    assert await claimed(cat, split="high_value") is None
    assert await claimed(cat, split="care") is None
    assert await claimed(dan, split="other") == plain
    assert await claimed(cat) is None


async def test_claiming_again_is_the_heartbeat_that_prolongs_a_claim(
    claude: RunningApp, llm: LlmStub
) -> None:
    manager = await sign_in(claude, Role.MANAGER)
    draft = await drafted(manager, llm, await conversation(manager))
    ann, ben = await people(claude, "Ann", "Ben")
    await ann.made(CLAIM, {"generationId": draft})
    await rows(claude, "UPDATE ai_message_generations SET claimed_until = now() + interval '5 s'")

    held = (await ann.made(CLAIM, {"generationId": draft}))["generation"]

    assert moment(held["claimedUntil"]) > datetime.now(UTC) + timedelta(minutes=4)
    assert (await ben.post(CLAIM, {"generationId": draft})).status_code == 409


async def test_two_people_who_claim_the_same_draft_at_once_never_both_hold_it(
    claude: RunningApp, llm: LlmStub
) -> None:
    manager = await sign_in(claude, Role.MANAGER)
    first = await drafted(manager, llm, await conversation(manager))
    drafts = [first, *await copies(claude, first, 39)]
    ann, ben = await people(claude, "Ann", "Ben")
    holders = {str(ann.user_id): "Ann", str(ben.user_id): "Ben"}

    async def both(draft: str) -> None:
        answers = await asyncio.gather(
            *(person.post(CLAIM, {"generationId": draft}) for person in (ann, ben))
        )
        assert sorted(answer.status_code for answer in answers) == [200, 409]
        [won] = [answer.json()["generation"] for answer in answers if answer.is_success]
        [lost] = [answer.json() for answer in answers if not answer.is_success]
        assert (lost["currentStatus"], lost["decidedBy"]) == ("claimed", holders[won["claimedBy"]])
        assert moment(lost["decidedAt"]) == moment(won["claimedUntil"])

    for start in range(0, len(drafts), 4):
        await asyncio.gather(*(both(draft) for draft in drafts[start : start + 4]))
    held = await rows(claude, "SELECT claimed_by FROM ai_message_generations")
    assert all(row["claimed_by"] is not None for row in held)


async def test_two_people_who_go_on_to_the_next_draft_share_the_queue_without_meeting(
    claude: RunningApp, llm: LlmStub
) -> None:
    manager = await sign_in(claude, Role.MANAGER)
    first = await drafted(manager, llm, await conversation(manager))
    drafts = {first, *await copies(claude, first, 29)}
    done: Counter[str] = Counter()

    async def work(person: SignedIn) -> None:
        while (draft := await claimed(person)) is not None:
            decided = await decide(person, draft, "reject")
            assert decided.status_code == 200, decided.text
            done[draft] += 1

    await asyncio.gather(*(work(person) for person in await people(claude, "Ann", "Ben")))

    assert done == Counter(drafts)


async def test_a_draft_that_is_let_go_is_there_for_everybody(
    claude: RunningApp, llm: LlmStub
) -> None:
    manager = await sign_in(claude, Role.MANAGER)
    draft = await drafted(manager, llm, await conversation(manager))
    ann, ben = await people(claude, "Ann", "Ben")
    await claimed(ann, generationId=draft)

    released = await ann.made(RELEASE, {"generationId": draft})

    assert (released["claimedBy"], released["claimedUntil"]) == (None, None)
    assert await claimed(ben) == draft


async def test_nobody_lets_go_what_they_do_not_hold(claude: RunningApp, llm: LlmStub) -> None:
    manager = await sign_in(claude, Role.MANAGER)
    draft = await drafted(manager, llm, await conversation(manager))
    ann, ben = await people(claude, "Ann", "Ben")

    free = await ann.post(RELEASE, {"generationId": draft})
    await claimed(ann, generationId=draft)
    anns = await ben.post(RELEASE, {"generationId": draft})
    await decide(ann, draft, "reject")
    decided = await ann.post(RELEASE, {"generationId": draft})

    assert (free.status_code, free.json()["currentStatus"]) == (409, "queued")
    assert (anns.status_code, anns.json()["decidedBy"]) == (409, "Ann")
    assert (decided.status_code, decided.json()["currentStatus"]) == (409, "rejected")
    unknown = await ann.post(RELEASE, {"generationId": NOWHERE})
    assert unknown.status_code == 404


async def test_everybody_sees_who_holds_what_and_until_when(
    claude: RunningApp, llm: LlmStub
) -> None:
    manager = await sign_in(claude, Role.MANAGER)
    talk = await conversation(manager)
    theo = await conversation(manager, creator="theo")
    mias = await drafted(manager, llm, talk)
    theos = await drafted(manager, llm, theo)
    ann, ben = await people(claude, "Ann", "Ben")
    stranger = await sign_in(claude, Role.CHATTER, creators=["theo"])
    held = (await ann.made(CLAIM, {"generationId": mias}))["generation"]
    await claimed(ben, generationId=theos)

    seen = (await ben.found("/api/ai/queue/claims"))["items"]

    assert [(one["userName"], one["generationId"]) for one in seen] == [
        ("Ann", mias),
        ("Ben", theos),
    ]
    assert seen[0]["conversationId"] == talk.conversation_id
    assert moment(seen[0]["until"]) == moment(held["claimedUntil"])
    mine = (await ben.found("/api/ai/queue/claims", creatorId=talk.creator_id))["items"]
    assert [one["userName"] for one in mine] == ["Ann"]
    assert [one["userName"] for one in (await stranger.found("/api/ai/queue/claims"))["items"]] == [
        "Ben"
    ]
    await ann.made(RELEASE, {"generationId": mias})
    await decide(ben, theos, "reject")
    assert (await ben.found("/api/ai/queue/claims"))["items"] == []


async def test_a_claim_that_has_run_out_is_shown_to_nobody(
    claude: RunningApp, llm: LlmStub
) -> None:
    manager = await sign_in(claude, Role.MANAGER)
    draft = await drafted(manager, llm, await conversation(manager))
    ann, ben = await people(claude, "Ann", "Ben")
    await claimed(ann, generationId=draft)
    await rows(claude, "UPDATE ai_message_generations SET claimed_until = now() - interval '1 s'")
    assert (await ann.found("/api/ai/queue/claims"))["items"] == []
    assert await waiting(ann, split="mine") == []
    assert await claimed(ben) == draft
    gone = await ann.post(RELEASE, {"generationId": draft})
    assert (gone.status_code, gone.json()["decidedBy"]) == (409, "Ben")


# Snoozing


async def test_a_snoozed_draft_is_out_of_everybodys_way_until_its_time(
    claude: RunningApp, llm: LlmStub
) -> None:
    manager = await sign_in(claude, Role.MANAGER)
    draft = await drafted(manager, llm, await conversation(manager))
    ann, ben = await people(claude, "Ann", "Ben")
    until = datetime.now(UTC) + timedelta(hours=3)
    await claimed(ann, generationId=draft)

    snoozed = await ann.made(SNOOZE, {"generationId": draft, "until": until.isoformat()})

    assert moment(snoozed["snoozedUntil"]) == until
    assert snoozed["claimedBy"] is None
    assert await waiting(ben) == [] == await waiting(ben, split="other")
    assert await claimed(ben) is None
    assert await waiting(ben, split="snoozed") == [draft]
    [trace] = await rows(claude, "SELECT * FROM audit_log WHERE action = 'generation.snoozed'")
    assert (trace["actor_id"], trace["subject_id"]) == (ann.user_id, draft)
    await rows(claude, "UPDATE ai_message_generations SET snoozed_until = now() - interval '1 s'")
    assert await waiting(ben) == [draft]
    assert await waiting(ben, split="snoozed") == []
    assert await claimed(ben) == draft


async def test_a_snoozed_draft_can_be_brought_back_and_decided_at_any_time(
    claude: RunningApp, llm: LlmStub
) -> None:
    manager = await sign_in(claude, Role.MANAGER)
    first = await drafted(manager, llm, await conversation(manager))
    [second] = await copies(claude, first, 1)
    until = (datetime.now(UTC) + timedelta(hours=3)).isoformat()
    for draft in (first, second):
        await manager.made(SNOOZE, {"generationId": draft, "until": until})
    back = await manager.made(SNOOZE, {"generationId": first, "until": None})
    assert back["snoozedUntil"] is None
    assert await waiting(manager) == [first]
    assert (await decide(manager, second, "reject")).status_code == 200


@pytest.mark.parametrize(
    "away", [timedelta(seconds=-1), timedelta(days=-400), timedelta(days=7, minutes=1)]
)
async def test_a_draft_is_snoozed_for_a_week_at_most_and_not_into_the_past(
    claude: RunningApp, llm: LlmStub, away: timedelta
) -> None:
    manager = await sign_in(claude, Role.MANAGER)
    draft = await drafted(manager, llm, await conversation(manager))
    until = (datetime.now(UTC) + away).isoformat()
    refused = await manager.post(SNOOZE, {"generationId": draft, "until": until})
    assert refused.status_code == 422
    assert [error["field"] for error in refused.json()["errors"]] == ["until"]
    assert await waiting(manager) == [draft]
    days = (datetime.now(UTC) + timedelta(days=7, minutes=-1)).isoformat()
    assert (await manager.post(SNOOZE, {"generationId": draft, "until": days})).is_success


async def test_nobody_snoozes_what_somebody_else_holds_or_what_is_decided(
    claude: RunningApp, llm: LlmStub
) -> None:
    manager = await sign_in(claude, Role.MANAGER)
    draft = await drafted(manager, llm, await conversation(manager))
    ann, ben = await people(claude, "Ann", "Ben")
    until = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    await claimed(ann, generationId=draft)
    held = await ben.post(SNOOZE, {"generationId": draft, "until": until})
    assert (held.status_code, held.json()["decidedBy"]) == (409, "Ann")
    await decide(ann, draft, "reject")
    decided = await ben.post(SNOOZE, {"generationId": draft, "until": until})
    assert (decided.status_code, decided.json()["currentStatus"]) == (409, "rejected")


# Parts of the queue and its pages


async def test_the_queue_is_split_by_value_care_and_owner(claude: RunningApp, llm: LlmStub) -> None:
    manager = await sign_in(claude, Role.MANAGER)
    plain = await drafted(manager, llm, await conversation(manager, value_minor=0))
    rich = await drafted(manager, llm, await conversation(manager, fan="rich", value_minor=WHALE))
    shop = await conversation(manager, fan="shop", value_minor=0)
    offer = await drafted(manager, llm, shop, price_minor=6000)
    sad = await conversation(manager, fan="sad", value_minor=0)
    care = {"creatorId": sad.creator_id, "care": "distress", "reason": "he called"}
    await manager.made(f"/api/conversations/{sad.conversation_id}/care", care)
    cared = await drafted(manager, llm, sad)
    ann, ben = await people(claude, "Ann", "Ben")
    await claimed(ann, generationId=plain)

    assert await waiting(ben) == [cared, rich, offer, plain]
    assert await waiting(ben, split="care") == [cared]
    assert await waiting(ben, split="high_value") == [rich, offer]
    assert await waiting(ben, split="other") == [plain]
    assert await waiting(ann, split="mine") == [plain]
    assert await waiting(ben, split="mine") == []
    assert await waiting(ben, unclaimed=True) == [cared, rich, offer]
    assert await waiting(ann, unclaimed=True) == [cared, rich, offer, plain]


async def test_the_queue_can_be_asked_for_what_has_waited_long(
    claude: RunningApp, llm: LlmStub
) -> None:
    manager = await sign_in(claude, Role.MANAGER)
    old = await drafted(manager, llm, await conversation(manager))
    [new] = await copies(claude, old, 1)
    await age(claude, old, timedelta(minutes=31))
    assert await waiting(manager, waitingMinutes=30) == [old]
    assert await waiting(manager, waitingMinutes=60) == []
    assert set(await waiting(manager)) == {old, new}


async def test_pages_over_several_creators_lead_to_the_end_in_the_order_of_urgency(
    claude: RunningApp, llm: LlmStub
) -> None:
    """Many have the same urgency, and some were made in the same moment."""
    manager = await sign_in(claude, Role.MANAGER)
    for name in ("mia", "theo", "wren"):
        talk = await conversation(manager, creator=name)
        first = await drafted(manager, llm, talk)
        await copies(claude, first, 4, priority=200)
        await copies(claude, first, 4, priority=150)
        await copies(claude, first, 2, priority=150, created_at="2026-01-01T00:00:00Z")
        await copies(claude, first, 2, priority=-5)
    expected = await rows(
        claude,
        """SELECT id FROM ai_message_generations WHERE status = 'queued'
           ORDER BY priority DESC, created_at, id""",
    )

    for limit in (1, 7, 200):
        seen: list[str] = []
        cursor: dict[str, str] = {}
        while True:
            page = await manager.found("/api/ai/queue", limit=limit, **cursor)
            assert len(page["items"]) <= limit
            seen += [item["generationId"] for item in page["items"]]
            if page["nextCursor"] is None:
                break
            cursor = {"cursor": page["nextCursor"]}
        assert seen == [str(row["id"]) for row in expected]


async def test_a_page_begins_behind_the_one_before_it_although_that_was_worked_off(
    claude: RunningApp, llm: LlmStub
) -> None:
    manager = await sign_in(claude, Role.MANAGER)
    first = await drafted(manager, llm, await conversation(manager))
    drafts = [first, *await copies(claude, first, 5)]
    page = await manager.found("/api/ai/queue", limit=3)
    shown = [item["generationId"] for item in page["items"]]
    assert shown == drafts[:3]
    for draft in shown:
        await decide(manager, draft, "reject")
    assert await waiting(manager, cursor=page["nextCursor"]) == drafts[3:]


async def test_a_queue_of_no_creator_is_empty_and_a_strangers_is_not_found(
    claude: RunningApp, llm: LlmStub
) -> None:
    manager = await sign_in(claude, Role.MANAGER)
    talk = await conversation(manager)
    await drafted(manager, llm, talk)
    nobody = await sign_in(claude, Role.CHATTER, creators=[])
    assert await waiting(nobody) == []
    assert await claimed(nobody) is None
    assert (await nobody.get("/api/ai/queue", creatorId=talk.creator_id)).status_code == 404
    assert (await nobody.post(CLAIM, {"creatorId": talk.creator_id})).status_code == 404


# Decisions


async def test_of_many_decisions_at_once_those_that_can_be_made_are_made(
    claude: RunningApp, llm: LlmStub
) -> None:
    manager = await sign_in(claude, Role.MANAGER)
    ann, ben = await people(claude, "Ann", "Ben")
    first = await drafted(manager, llm, await conversation(manager))
    good, bad, held, done = await copies(claude, first, 4)
    await claimed(ben, generationId=held)
    await decide(ben, done, "reject")
    decisions = [
        {"generationId": good, "action": "approve"},
        {"generationId": bad, "action": "modify", "modifiedMessage": "Pay by paypal: a@b.com"},
        {"generationId": held, "action": "approve"},
        {"generationId": done, "action": "approve"},
        {"generationId": NOWHERE, "action": "reject"},
        {"generationId": first, "action": "reject", "rejectReason": "not_now"},
        {"generationId": good, "action": "reject"},
    ]

    answer = await ann.made(DECIDE, {"decisions": decisions})

    assert (answer["succeeded"], answer["failed"]) == (2, 5)
    results = answer["results"]
    assert [one["generationId"] for one in results] == [one["generationId"] for one in decisions]
    assert [one["success"] for one in results] == [True, False, False, False, False, True, False]
    assert [one["currentStatus"] for one in results] == [
        None, None, "claimed", "rejected", None, None, "approved",
    ]  # fmt: skip
    assert results[0]["generation"]["status"] == "approved"
    assert "paypal" in results[1]["problem"].lower()
    assert "Ben" in results[2]["problem"]
    assert "Ben" in results[3]["problem"]
    assert await waiting(ann) == [bad, held]
    assert len(await rows(claude, "SELECT 1 FROM outbox")) == 1


@pytest.mark.parametrize("reason", list(RejectReason))
async def test_the_reason_for_a_rejection_is_kept_with_what_was_written_beside_it(
    claude: RunningApp, llm: LlmStub, reason: RejectReason
) -> None:
    manager = await sign_in(claude, Role.MANAGER)
    draft = await drafted(manager, llm, await conversation(manager))
    more = {"rejectReason": reason.value, "reason": "she would never say so"}
    assert (await decide(manager, draft, "reject", **more)).status_code == 200
    [kept] = await rows(claude, "SELECT * FROM ai_message_feedback")
    assert (kept["feedback_type"], kept["reason"]) == ("rejected", reason.value)
    assert kept["modification_notes"] == "she would never say so"
    assert kept["original_message"] is not None
    assert kept["final_message"] is None


async def test_sixteen_people_decide_five_hundred_drafts_and_each_is_decided_once(
    claude: RunningApp, llm: LlmStub
) -> None:
    """Each draft is dealt to two of them, the last sixteen to all; they go on as fast as they
    can.
    """
    manager = await sign_in(claude, Role.MANAGER)
    first = await drafted(manager, llm, await conversation(manager))
    drafts = [first, *await copies(claude, first, 499)]
    deciders = await people(claude, *(f"Chatter {i}" for i in range(16)))
    for_all = set(drafts[-16:])
    won: dict[str, str] = {}
    lost: list[tuple[str, str]] = []

    async def work(place: int, person: SignedIn) -> None:
        for number, draft in enumerate(drafts):
            if draft not in for_all and number % 8 != place // 2:
                continue
            action = "approve" if place % 2 else "reject"
            answer = await decide(person, draft, action)
            if answer.is_success:
                assert draft not in won
                won[draft] = f"Chatter {place}"
                continue
            assert answer.status_code == 409, answer.text
            said = answer.json()
            status = "rejected" if said["decidedBy"] in even else "approved"
            assert said["currentStatus"] == status
            assert said["decidedAt"] is not None
            lost.append((draft, said["decidedBy"]))

    even = {f"Chatter {i}" for i in range(0, 16, 2)}
    await asyncio.gather(*(work(place, person) for place, person in enumerate(deciders)))

    assert won.keys() == set(drafts)
    assert len(lost) == 484 + 15 * 16
    assert all(won[draft] == winner for draft, winner in lost)
    stored = await rows(
        claude,
        """SELECT g.id::text, g.status, u.name FROM ai_message_generations g
           JOIN users u ON u.id = g.approved_by""",
    )
    assert {row["id"]: row["name"] for row in stored} == won
    approved = {row["id"] for row in stored if row["status"] == "approved"}
    assert approved == {draft for draft, who in won.items() if who not in even}
    left = await rows(claude, "SELECT generation_id::text FROM outbox")
    assert Counter(row["generation_id"] for row in left) == Counter(approved)
    told = await rows(claude, "SELECT generation_id::text FROM ai_message_feedback")
    assert Counter(row["generation_id"] for row in told) == Counter(won.keys())
    deferred = await rows(
        claude,
        "SELECT args ->> 'item_id' FROM procrastinate_jobs WHERE task_name = 'deliver_message'",
    )
    assert len(deferred) == len(approved)


# What the fan has overtaken


async def test_a_decision_on_what_the_fan_has_overtaken_shows_all_that_was_said_since(
    claude: RunningApp, llm: LlmStub
) -> None:
    manager = await sign_in(claude, Role.MANAGER)
    talk = await conversation(manager, said=["Hi!", "How are you?"])
    draft = await drafted(manager, llm, talk)
    for text in ("Wait.", "I meant yesterday."):
        await manager.made(talk.messages, talk.says(text))
    [item] = (await manager.found("/api/ai/queue"))["items"]
    assert item["stale"] is True
    for action, more in (("approve", {}), ("modify", {"modifiedMessage": "Yes?"})):
        refused = await decide(manager, draft, action, **more)
        assert (refused.status_code, refused.json()["currentStatus"]) == (409, "stale")
        assert refused.json()["type"] == "/problems/thread-moved-on"
        assert [one["text"] for one in refused.json()["newMessages"]] == [
            "Wait.",
            "I meant yesterday.",
        ]
    assert await status_of(manager, draft) == "queued"
