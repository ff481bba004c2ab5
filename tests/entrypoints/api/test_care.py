"""What chatters are told, and the list of fans at risk, over the API."""

from datetime import timedelta
from typing import Any

import pytest

from tests.support.app import RunningApp
from tests.support.world import SignedIn, Talk, conversation, rows, set_flag, sign_in
from vaultcrm.domain.conversation import Care
from vaultcrm.domain.ids import new_id
from vaultcrm.domain.people import Role
from vaultcrm.pipeline.guidance import DEFAULT_GUIDANCE

pytestmark = pytest.mark.anyio

GUIDANCE = "/api/care/guidance"
AT_RISK = "/api/care/fans"


async def puts(caller: SignedIn, talk: Talk, text: str | None, kind: str = "distress") -> Any:
    body = {"creatorId": talk.creator_id, "kind": kind, "text": text}
    return await caller.app.client.put(GUIDANCE, json=body, headers=caller.headers)


async def told(caller: SignedIn, talk: Talk) -> dict[str, str]:
    found = await caller.found(GUIDANCE, creatorId=talk.creator_id)
    return {item["kind"]: item["text"] for item in found["items"]}


async def paid(app: RunningApp, talk: Talk, minor: int, *, days_ago: float) -> None:
    await rows(
        app,
        """INSERT INTO fan_payments
             (creator_id, id, fan_id, kind, amount_minor, currency, paid_at)
           VALUES (%(creator)s, %(id)s, %(fan)s, 'tip', %(minor)s, 'USD', %(at)s)""",
        creator=talk.creator_id,
        id=new_id(),
        fan=talk.fan_id,
        minor=minor,
        at=app.parts.now() - timedelta(days=days_ago),
    )


async def test_a_manager_sets_what_chatters_are_told_and_goes_back_to_our_text(
    app: RunningApp,
) -> None:
    manager = await sign_in(app, Role.MANAGER, name="Mary")
    talk = await conversation(manager)
    assert await told(manager, talk) == {kind.value: DEFAULT_GUIDANCE[kind] for kind in Care}

    answer = await puts(manager, talk, "  Call Mary at once. ")

    assert answer.status_code == 200
    [first, second] = answer.json()["items"]
    assert (first["text"], first["setBy"]) == ("Call Mary at once.", "Mary")
    assert second["setAt"] is None
    await puts(manager, talk, "Call Mary, then Jo.")
    assert (await told(manager, talk))["distress"] == "Call Mary, then Jo."
    await puts(manager, talk, None)
    assert (await told(manager, talk))["distress"] == DEFAULT_GUIDANCE[Care.DISTRESS]
    traces = await rows(
        app, "SELECT * FROM audit_log WHERE action = 'care_guidance.changed' ORDER BY id"
    )
    assert [trace["details"]["own_text"] for trace in traces] == [True, True, False]
    assert {(trace["actor_id"], trace["subject_id"]) for trace in traces} == {
        (manager.user_id, "distress")
    }


async def test_what_is_told_is_each_creators_own_and_a_chatter_only_reads_it(
    app: RunningApp,
) -> None:
    admin = await sign_in(app, Role.ADMIN)
    mia, ava = await conversation(admin), await conversation(admin, creator="ava")
    await puts(admin, mia, "Call Ada.")
    chatter = await sign_in(app, Role.CHATTER, creators=["mia"])
    assert (await told(chatter, mia))["distress"] == "Call Ada."
    assert (await told(admin, ava))["distress"] == DEFAULT_GUIDANCE[Care.DISTRESS]
    assert (await puts(chatter, mia, "Never mind.")).status_code == 403
    assert (await chatter.get(GUIDANCE, creatorId=ava.creator_id)).status_code == 404


@pytest.mark.parametrize("text", ["", "   ", "a" * 4_001])
async def test_a_text_that_tells_nothing_or_too_much_is_refused(app: RunningApp, text: str) -> None:
    manager = await sign_in(app, Role.MANAGER)
    answer = await puts(manager, await conversation(manager), text)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == ["text"]


async def test_fans_stand_in_the_list_for_what_they_spend_and_are_offered(
    app: RunningApp,
) -> None:
    admin = await sign_in(app, Role.ADMIN)
    fans = {
        name: await conversation(admin, fan=name)
        for name in ("over", "near", "steep", "steady", "small", "cooling", "quiet")
    }
    await paid(app, fans["over"], 60_000, days_ago=1)
    await paid(app, fans["near"], 40_000, days_ago=6)
    await paid(app, fans["near"], 300_000, days_ago=30)
    await paid(app, fans["steep"], 12_000, days_ago=2)
    await paid(app, fans["steep"], 8_000, days_ago=20)
    await paid(app, fans["steady"], 12_000, days_ago=2)
    await paid(app, fans["steady"], 80_000, days_ago=20)
    await paid(app, fans["small"], 9_999, days_ago=2)
    await paid(app, fans["quiet"], 400_000, days_ago=64)
    cooling = fans["cooling"]
    body = {"creatorId": cooling.creator_id, "hours": 5, "reason": "asked for a break"}
    await admin.made(f"/api/fans/{cooling.fan_id}/cooling-off", body)

    found = {item["displayName"].lower(): item for item in (await admin.found(AT_RISK))["items"]}

    assert list(found) == ["over", "near", "steep", "cooling"]
    assert {name: item["concerns"] for name, item in found.items()} == {
        "over": ["over_cap", "steep_rise"],
        "near": ["near_cap"],
        "steep": ["steep_rise"],
        "cooling": ["cooling_off"],
    }
    near = found["near"]
    assert (near["weekMinor"], near["beforeMinor"], near["weekCapMinor"]) == (
        40_000,
        37_500,
        50_000,
    )
    assert near["conversationId"] == fans["near"].conversation_id
    assert found["cooling"]["reason"] == "asked for a break"


async def test_a_fan_at_the_cap_of_offers_stands_in_the_list(app: RunningApp) -> None:
    admin = await sign_in(app, Role.ADMIN)
    talk = await conversation(admin)
    await set_flag(admin, "AI_OFFERS_PER_FAN_PER_DAY", 1, talk.creator_id)
    body = {
        "creatorId": talk.creator_id,
        "text": "New photos?",
        "priceMinor": 900,
        "currency": "USD",
    }
    await admin.made(f"/api/conversations/{talk.conversation_id}/send", body)
    [item] = (await admin.found(AT_RISK))["items"]
    assert (item["concerns"], item["offersLastDay"], item["mostOffers"]) == (["many_offers"], 1, 1)


async def test_the_list_goes_on_page_by_page_and_is_for_managers_of_those_creators(
    app: RunningApp,
) -> None:
    admin = await sign_in(app, Role.ADMIN)
    talks = [await conversation(admin, fan=f"fan{number}") for number in range(5)]
    for number, talk in enumerate(talks):
        await paid(app, talk, 50_000 + number, days_ago=1)
    ava = await conversation(admin, creator="ava")
    await paid(app, ava, 90_000, days_ago=1)

    first = await admin.found(AT_RISK, limit=4)
    second = await admin.found(AT_RISK, limit=4, cursor=first["nextCursor"])

    ids = [item["fanId"] for page in (first, second) for item in page["items"]]
    assert ids == [ava.fan_id, *(talk.fan_id for talk in reversed(talks))]
    assert second["nextCursor"] is None
    own = await sign_in(app, Role.MANAGER, creators=["ava"])
    assert [item["fanId"] for item in (await own.found(AT_RISK))["items"]] == [ava.fan_id]
    assert (await own.get(AT_RISK, creatorId=talks[0].creator_id)).status_code == 404
    chatter = await sign_in(app, Role.CHATTER)
    assert (await chatter.get(AT_RISK)).status_code == 403


@pytest.mark.parametrize("path", ["cooling-off", "cooling-off/end", "caps/lift", "caps/restore"])
async def test_only_a_manager_of_the_creator_changes_what_holds_for_a_fan_and_says_why(
    app: RunningApp, path: str
) -> None:
    admin = await sign_in(app, Role.ADMIN)
    talk = await conversation(admin)
    await conversation(admin, creator="ava")
    body: dict[str, Any] = {"creatorId": talk.creator_id, "reason": "so"}
    if path == "caps/lift":
        body["hours"] = 24
    address = f"/api/fans/{talk.fan_id}/{path}"
    chatter = await sign_in(app, Role.CHATTER)
    stranger = await sign_in(app, Role.MANAGER, creators=["ava"])
    assert (await chatter.post(address, body)).status_code == 403
    assert (await stranger.post(address, body)).status_code == 404
    assert (await admin.post(address, body | {"reason": " "})).status_code == 422
    nobody = f"/api/fans/{new_id()}/{path}"
    assert (await admin.post(nobody, body)).status_code == 404
    assert await rows(app, "SELECT 1 FROM fan_spending_care") == []


async def test_the_same_key_cools_a_fan_off_once(app: RunningApp) -> None:
    manager = await sign_in(app, Role.MANAGER)
    talk = await conversation(manager)
    body = {"creatorId": talk.creator_id, "hours": 5, "reason": "a break"}
    address = f"/api/fans/{talk.fan_id}/cooling-off"
    answers = [await manager.post(address, body, key="k-1") for _ in range(2)]
    assert answers[0].json() == answers[1].json()
    traces = "SELECT 1 FROM audit_log WHERE action = 'fan.cooling_off_started'"
    assert len(await rows(app, traces)) == 1
