"""Spending care: no offer passes a cap, whoever makes it and however many at once."""

import asyncio
import json
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from stubs.llm import LlmStub
from tests.support.app import RunningApp
from tests.support.drafts import decide, drafted, status_of
from tests.support.worker import run_jobs, time_has_come
from tests.support.world import SignedIn, Talk, conversation, rows, set_flag, sign_in
from vaultcrm.domain.channels import EventKind, InboundEvent
from vaultcrm.domain.ids import new_id
from vaultcrm.domain.money import Money
from vaultcrm.domain.people import Role
from vaultcrm.workflows.receive_message import receive_event

pytestmark = pytest.mark.anyio

OFFERS, SPEND = "AI_OFFERS_PER_FAN_PER_DAY", "AI_SPEND_PER_FAN_PER_WEEK"


async def pays(
    app: RunningApp, talk: Talk, minor: int, *, days_ago: float = 0, **more: Any
) -> None:
    """A tip of the fan's, or what `kind` says."""
    found = await rows(
        app, "SELECT external_ref FROM conversations WHERE id = %(id)s", id=talk.conversation_id
    )
    [fan] = await rows(app, "SELECT handle FROM fans WHERE id = %(id)s", id=talk.fan_id)
    event = InboundEvent(
        event_id=new_id().hex,
        kind=more.get("kind", EventKind.TIP),
        fan_handle=fan["handle"],
        fan_display_name="",
        conversation_ref=found[0]["external_ref"],
        occurred_at=app.parts.now() - timedelta(days=days_ago),
        amount=Money(minor, more.get("currency", "USD")),
        message_ref=more.get("message_ref", ""),
    )
    async with app.parts.transaction() as connection:
        await receive_event(app.parts, connection, "simulator", UUID(talk.creator_id), event)


async def caps(manager: SignedIn, talk: Talk) -> dict[str, Any]:
    found: dict[str, Any] = await manager.found(
        f"/api/fans/{talk.fan_id}/caps", creatorId=talk.creator_id
    )
    return found


async def writes_offer(caller: SignedIn, talk: Talk, minor: int = 900) -> int:
    """The status of the answer to an offer of somebody's own; a refusal is one of its price."""
    body = {
        "creatorId": talk.creator_id,
        "text": "New photos?",
        "priceMinor": minor,
        "currency": "USD",
    }
    answer = await caller.post(f"/api/conversations/{talk.conversation_id}/send", body)
    if answer.status_code == 422:
        assert [error["field"] for error in answer.json()["errors"]] == ["priceMinor"]
    return int(answer.status_code)


async def test_the_offer_that_would_pass_the_cap_of_a_day_is_not_drafted(
    claude: RunningApp, llm: LlmStub
) -> None:
    manager = await sign_in(claude, Role.MANAGER)
    talk = await conversation(manager)
    for _ in range(3):
        assert await writes_offer(manager, talk) == 200

    answer = await manager.made("/api/ai/generate", talk.asks("ppv_offer"))

    assert llm.requests == []
    assert (answer["status"], answer["message"]) == ("rejected", None)
    [finding] = answer["safety"]["findings"]
    assert (finding["rule"], finding["tier"]) == ("spending.offers_per_day", "block")
    assert "3 offers in the last 24 hours" in finding["reason"]
    hold = (await caps(manager, talk))["hold"]
    assert hold["until"][:16].replace("T", " ") in finding["reason"]
    assert (await manager.made("/api/ai/generate", talk.asks()))["status"] == "queued"


async def test_what_left_counts_for_a_day_and_what_did_not_leave_does_not(
    claude: RunningApp, llm: LlmStub
) -> None:
    admin = await sign_in(claude, Role.ADMIN)
    talk = await conversation(admin)
    await set_flag(admin, OFFERS, 1)
    draft = await drafted(admin, llm, talk, price_minor=900)
    assert (await decide(admin, draft, "approve")).status_code == 200
    assert (await caps(admin, talk))["offersLastDay"] == 1
    assert (await admin.post("/api/ai/undo", {"generationId": draft})).status_code == 200
    assert (await caps(admin, talk))["offersLastDay"] == 0
    assert (await decide(admin, draft, "approve")).status_code == 200
    await time_has_come(claude)
    await run_jobs(claude)
    assert await status_of(admin, draft) == "approved"
    assert (await caps(admin, talk))["offersLastDay"] == 1
    assert await writes_offer(admin, talk) == 422
    await rows(claude, "UPDATE messages SET sent_at = sent_at - interval '25 hours'")
    assert (await caps(admin, talk))["hold"] is None
    assert await writes_offer(admin, talk) == 200


async def test_nobody_sends_an_offer_over_the_cap_and_all_else_goes_as_before(
    claude: RunningApp, llm: LlmStub
) -> None:
    admin = await sign_in(claude, Role.ADMIN)
    talk = await conversation(admin)
    draft = await drafted(admin, llm, talk, price_minor=900)
    await pays(claude, talk, 50_000)

    approved = await decide(admin, draft, "approve")
    dearer = await decide(admin, draft, "modify", modifiedPrice=12)

    for refused in (approved, dearer):
        assert refused.status_code == 422
        [error] = refused.json()["errors"]
        assert error["field"] == "modifiedPrice"
        assert "$500.00 in the last 7 days, and the cap is $500.00" in error["reason"]
    assert await writes_offer(admin, talk) == 422
    assert await status_of(admin, draft) == "queued"
    assert await rows(claude, "SELECT 1 FROM outbox") == []
    free = await decide(admin, draft, "modify", modifiedMessage="How are you?", modifiedPrice=0)
    assert free.status_code == 200


async def test_of_offers_that_would_pass_the_cap_together_only_as_many_leave_as_may(
    claude: RunningApp, llm: LlmStub
) -> None:
    manager = await sign_in(claude, Role.MANAGER)
    talk = await conversation(manager)
    drafts = [await drafted(manager, llm, talk, price_minor=900) for _ in range(4)]

    async def approves(draft: str) -> int:
        return int((await decide(manager, draft, "approve")).status_code)

    codes = await asyncio.gather(
        *(approves(one) for one in drafts),
        *(writes_offer(manager, talk) for _ in range(4)),
    )

    assert codes.count(200) == 3
    assert len(await rows(claude, "SELECT 1 FROM outbox WHERE price_minor IS NOT NULL")) == 3


async def test_a_cap_holds_over_all_conversations_of_a_fan(app: RunningApp) -> None:
    admin = await sign_in(app, Role.ADMIN)
    talk = await conversation(admin)
    await set_flag(admin, OFFERS, 1)
    other = await admin.made(
        "/api/conversations",
        {
            "creatorId": talk.creator_id,
            "fanId": talk.fan_id,
            "channel": "simulator",
            "externalRef": "elsewhere",
        },
    )
    assert await writes_offer(admin, talk) == 200
    elsewhere = Talk(talk.creator_id, "mia", talk.fan_id, other["id"])
    assert await writes_offer(admin, elsewhere) == 422
    assert await writes_offer(admin, await conversation(admin, fan="ann")) == 200


async def test_tips_subscriptions_and_purchases_count_once_each_in_the_fans_currency(
    app: RunningApp,
) -> None:
    admin = await sign_in(app, Role.ADMIN)
    talk = await conversation(admin)
    told = {"creatorId": talk.creator_id, "id": "c-1", "from": "creator", "text": "A new set"}
    await admin.made(talk.messages, told)
    await rows(
        app, "UPDATE messages SET price_minor = 700, currency = 'USD' WHERE external_id = 'c-1'"
    )

    await pays(app, talk, 100)
    await pays(app, talk, 20, kind=EventKind.SUBSCRIPTION)
    for _ in range(2):
        await pays(app, talk, 700, kind=EventKind.PURCHASE, message_ref="c-1")
    await pays(app, talk, 3, kind=EventKind.PURCHASE)
    await pays(app, talk, 5_000, currency="EUR")
    await pays(app, talk, 9_000, days_ago=7.1)

    found = await caps(admin, talk)
    assert (found["weekMinor"], found["currency"], found["hold"]) == (823, "USD", None)


async def test_what_an_import_says_was_bought_counts_too_and_once(app: RunningApp) -> None:
    admin = await sign_in(app, Role.ADMIN)
    at = (app.parts.now() - timedelta(days=2)).isoformat()
    line = {
        "creator": {"handle": "mia", "displayName": "Mia"},
        "fan": {
            "handle": "tom88",
            "displayName": "Tom",
            "lifetimeValueMinor": 1,
            "currency": "USD",
        },
        "channel": "simulator",
        "messages": [
            {"id": "m1", "from": "fan", "text": "Hi", "sentAt": at},
            {
                "id": "m2",
                "from": "creator",
                "text": "A set",
                "sentAt": at,
                "priceMinor": 60_000,
                "purchasedAt": at,
            },
        ],
    }
    for _ in range(2):
        answer = await app.client.post(
            "/api/import",
            content=json.dumps(line),
            headers={**admin.headers, "Content-Type": "application/x-ndjson"},
        )
        assert answer.status_code == 200, answer.text
    [fan] = (await admin.found("/api/fans"))["items"]
    path = f"/api/fans/{fan['id']}/caps"
    found = await admin.found(path, creatorId=fan["creatorId"])
    assert (found["weekMinor"], found["hold"]["cap"]) == (60_000, "spend_per_week")


async def test_reaching_the_cap_of_a_week_begins_a_cooling_off_that_is_traced_once(
    app: RunningApp,
) -> None:
    admin = await sign_in(app, Role.ADMIN)
    talk = await conversation(admin)
    await set_flag(admin, "AI_COOLING_OFF_HOURS", 48)
    await pays(app, talk, 49_999)
    assert (await caps(admin, talk))["coolingOffUntil"] is None

    await pays(app, talk, 1)
    await pays(app, talk, 1)

    until = datetime.fromisoformat((await caps(admin, talk))["coolingOffUntil"])
    assert timedelta(hours=47) < until - app.parts.now() <= timedelta(hours=48)
    [trace] = await rows(app, "SELECT * FROM audit_log WHERE action = 'fan.cooling_off_started'")
    assert (trace["actor_id"], trace["subject_id"]) == (None, talk.fan_id)
    assert trace["details"]["reason"] == "reached the cap of a week"


async def test_payments_at_the_same_moment_reach_the_cap_together(app: RunningApp) -> None:
    admin = await sign_in(app, Role.ADMIN)
    talk = await conversation(admin)
    await asyncio.gather(*(pays(app, talk, 10_000) for _ in range(5)))
    found = await caps(admin, talk)
    assert found["weekMinor"] == 50_000
    assert found["coolingOffUntil"] is not None


async def test_an_offer_that_still_waits_to_leave_does_not_go_to_a_fan_who_begins_to_cool_off(
    app: RunningApp,
) -> None:
    admin = await sign_in(app, Role.ADMIN)
    talk = await conversation(admin)
    assert await writes_offer(admin, talk) == 200
    path = f"/api/fans/{talk.fan_id}/cooling-off"
    await admin.made(path, {"creatorId": talk.creator_id, "reason": "asked for a break"})

    await time_has_come(app)
    await run_jobs(app)

    [item] = await rows(app, "SELECT * FROM outbox")
    assert item["delivery_status"] == "failed"
    assert item["error"] == "the fan is cooling off: no offers go to them"
    assert await writes_offer(admin, talk) == 422


async def test_what_could_not_be_sent_is_not_sent_again_over_the_cap(app: RunningApp) -> None:
    admin = await sign_in(app, Role.ADMIN)
    talk = await conversation(admin)
    await set_flag(admin, OFFERS, 1)
    assert await writes_offer(admin, talk) == 200
    await rows(app, "UPDATE outbox SET delivery_status = 'failed'")
    assert await writes_offer(admin, talk) == 200
    [failed] = await rows(app, "SELECT id FROM outbox WHERE delivery_status = 'failed'")
    body = {"creatorId": talk.creator_id, "resolution": "send_again"}
    answer = await admin.post(f"/api/deliveries/{failed['id']}", body)
    assert answer.status_code == 409
    assert "1 offer in the last 24 hours" in answer.json()["detail"]


async def test_a_manager_cools_a_fan_off_ends_it_lifts_the_caps_and_restores_them(
    app: RunningApp,
) -> None:
    manager = await sign_in(app, Role.MANAGER)
    talk = await conversation(manager)
    own = {"creatorId": talk.creator_id}
    fan = f"/api/fans/{talk.fan_id}"

    cooled = await manager.made(f"{fan}/cooling-off", {**own, "hours": 5, "reason": "a break"})
    assert cooled["hold"]["cap"] == "cooling_off"
    ended = await manager.made(f"{fan}/cooling-off/end", {**own, "reason": "well again"})
    assert (ended["coolingOffUntil"], ended["hold"]) == (None, None)
    again = await manager.post(f"{fan}/cooling-off/end", {**own, "reason": "well again"})
    assert again.status_code == 409

    await pays(app, talk, 90_000)
    assert await writes_offer(manager, talk) == 422
    lifted = await manager.made(f"{fan}/caps/lift", {**own, "hours": 3, "reason": "knows them"})
    assert (lifted["hold"], lifted["weekMinor"]) == (None, 90_000)
    assert await writes_offer(manager, talk) == 200
    restored = await manager.made(f"{fan}/caps/restore", {**own, "reason": "enough"})
    assert restored["hold"]["cap"] == "spend_per_week"
    assert await writes_offer(manager, talk) == 422

    traces = await rows(
        app,
        """SELECT action, details ->> 'reason' AS reason FROM audit_log
           WHERE subject_type = 'fan' AND action <> 'fan.disclosed' ORDER BY id""",
    )
    assert [(one["action"], one["reason"]) for one in traces] == [
        ("fan.cooling_off_started", "a break"),
        ("fan.cooling_off_ended", "well again"),
        ("fan.cooling_off_started", "reached the cap of a week"),
        ("fan.caps_lifted", "knows them"),
        ("fan.caps_restored", "enough"),
    ]


async def test_a_cooling_off_that_a_manager_begins_ends_what_was_lifted_and_shortens_nothing(
    app: RunningApp,
) -> None:
    manager = await sign_in(app, Role.MANAGER)
    talk = await conversation(manager)
    own = {"creatorId": talk.creator_id, "reason": "so"}
    fan = f"/api/fans/{talk.fan_id}"
    await manager.made(f"{fan}/caps/lift", {**own, "hours": 100})
    long = await manager.made(f"{fan}/cooling-off", {**own, "hours": 200})
    assert (long["liftedUntil"], long["hold"]["cap"]) == (None, "cooling_off")
    short = await manager.made(f"{fan}/cooling-off", {**own, "hours": 1})
    assert short["coolingOffUntil"] == long["coolingOffUntil"]


async def test_a_creators_own_flag_sets_their_fans_caps(app: RunningApp) -> None:
    admin = await sign_in(app, Role.ADMIN)
    mia, ava = await conversation(admin), await conversation(admin, creator="ava")
    await set_flag(admin, SPEND, 10, mia.creator_id)
    for talk in (mia, ava):
        await pays(app, talk, 1_000)
    assert await writes_offer(admin, mia) == 422
    assert await writes_offer(admin, ava) == 200
