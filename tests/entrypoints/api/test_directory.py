"""Creators, fans, conversations and messages through the API."""

import pytest

from tests.support.app import RunningApp
from tests.support.world import SignedIn, conversation, jobs, rows, sign_in
from vaultcrm.domain.people import Role

pytestmark = pytest.mark.anyio


@pytest.fixture
async def manager(app: RunningApp) -> SignedIn:
    return await sign_in(app, Role.MANAGER)


@pytest.mark.parametrize(
    ("minor", "currency", "tier"),
    [
        (0, "USD", "low"),
        (4_999, "USD", "low"),
        (5_000, "USD", "medium"),
        (30_000, "USD", "high"),
        (100_000, "USD", "whale"),
        (300, "JPY", "high"),
    ],
)
async def test_a_fans_tier_follows_from_what_they_have_spent(
    manager: SignedIn, minor: int, currency: str, tier: str
) -> None:
    creator = await manager.made("/api/creators", {"handle": "mia", "displayName": "Mia"})
    fan = await manager.made(
        "/api/fans",
        {
            "creatorId": creator["id"],
            "handle": "tom88",
            "displayName": "Tom",
            "lifetimeValueMinor": minor,
            "currency": currency,
        },
    )
    assert fan["tier"] == tier
    assert (await manager.found(f"/api/fans/{fan['id']}")) == fan


async def test_what_is_there_already_is_a_conflict(manager: SignedIn) -> None:
    talk = await conversation(manager)
    mine = {"creatorId": talk.creator_id}
    twice = {
        "/api/creators": {"handle": "mia", "displayName": "Another Mia"},
        "/api/fans": {**mine, "handle": "tom88", "displayName": "Another Tom"},
        "/api/conversations": {**mine, "fanId": talk.fan_id},
    }
    for path, body in twice.items():
        assert (await manager.post(path, body)).status_code == 409, path
    hello = {**mine, "name": "hello", "category": "reply", "templateText": "Hello"}
    assert (await manager.post("/api/templates", hello)).status_code == 201
    assert (await manager.post("/api/templates", hello)).status_code == 409


async def test_the_same_handle_may_be_another_creators_fan(manager: SignedIn) -> None:
    one = await conversation(manager, creator="mia")
    other = await conversation(manager, creator="theo")
    assert one.fan_id != other.fan_id


async def test_a_fans_message_waits_for_an_answer_and_one_of_the_creators_ends_the_wait(
    app: RunningApp, manager: SignedIn
) -> None:
    talk = await conversation(manager, said=["Hey!", "Are you there?"])
    path = f"/api/conversations/{talk.conversation_id}"
    waiting = await manager.found(path)
    assert (waiting["unreadCount"], waiting["waitingSince"] is not None) == (2, True)
    assert len(await jobs(app, "answer_fan")) == 1

    await manager.made(talk.messages, talk.says("Yes!", **{"from": "creator"}))

    answered = await manager.found(path)
    assert (answered["unreadCount"], answered["waitingSince"]) == (0, None)
    messages = (await manager.found(talk.messages))["items"]
    assert [message["sender"] for message in messages] == ["creator", "fan", "fan"]


async def test_the_same_message_twice_is_one_message(app: RunningApp, manager: SignedIn) -> None:
    talk = await conversation(manager, said=())
    body = talk.says("Hey!")
    first = await manager.made(talk.messages, body)
    again = await manager.made(talk.messages, {**body, "text": "Changed!"})
    assert first == again
    conversation_now = await manager.found(f"/api/conversations/{talk.conversation_id}")
    assert conversation_now["unreadCount"] == 1


async def test_that_a_fan_was_told_about_ai_is_kept_with_who_noted_it(
    app: RunningApp, manager: SignedIn
) -> None:
    talk = await conversation(manager, disclosed=False)
    assert (await manager.found(f"/api/fans/{talk.fan_id}"))["disclosedAt"] is None
    body = {"creatorId": talk.creator_id, "shownAt": "2026-11-01T10:00:00+02:00"}
    fan = await manager.made(f"/api/fans/{talk.fan_id}/disclosure", body)
    assert fan["disclosedAt"] == "2026-11-01T08:00:00Z"
    [trace] = await rows(app, "SELECT * FROM audit_log WHERE action = 'fan.disclosed'")
    assert (trace["actor_id"], trace["subject_id"]) == (manager.user_id, talk.fan_id)


async def test_a_chatter_may_raise_care_and_only_a_manager_ends_it(
    app: RunningApp, manager: SignedIn
) -> None:
    chatter = await sign_in(app, Role.CHATTER)
    talk = await conversation(manager)
    path = f"/api/conversations/{talk.conversation_id}/care"
    body = {"creatorId": talk.creator_id, "reason": "says he is 16"}
    raised = await chatter.made(path, {**body, "care": "possible_minor"})
    assert raised["care"] == "possible_minor"
    # What comes after does not make less of it.
    await manager.made(talk.messages, talk.says("I want to kill myself tonight."))
    found = await manager.found(f"/api/conversations/{talk.conversation_id}")
    assert found["care"] == "possible_minor"
    assert (await chatter.post(path, {**body, "care": None})).status_code == 403
    assert (await manager.made(path, {**body, "care": None}))["care"] is None


async def test_a_personality_grows_by_versions_and_keeps_what_was_not_changed(
    app: RunningApp, manager: SignedIn
) -> None:
    talk = await conversation(manager)
    known = await manager.found("/api/ai/personality", creatorId=talk.creator_id)
    assert known["version"] == 0
    mine = {"creatorId": talk.creator_id}
    await manager.made("/api/ai/personality", {**mine, "toneDescriptors": ["dry", "brief"]})
    second = await manager.made("/api/ai/personality", {**mine, "emojiStyle": "none"})
    assert (second["version"], second["toneDescriptors"]) == (2, ["dry", "brief"])
    assert await manager.found("/api/ai/personality", creatorId=talk.creator_id) == second
    traces = await rows(
        app, "SELECT * FROM audit_log WHERE action = 'personality.changed' ORDER BY id"
    )
    assert [trace["details"]["fields"] for trace in traces] == [
        ["tone_descriptors"],
        ["emoji_style"],
    ]


async def test_a_flag_says_where_its_value_comes_from_and_each_change_is_traced(
    app: RunningApp,
) -> None:
    admin = await sign_in(app, Role.ADMIN)
    talk = await conversation(admin)

    async def stage(**query: str) -> tuple[int, str]:
        flags = (await admin.found("/api/flags", **query))["items"]
        [one] = [flag for flag in flags if flag["name"] == "AI_ROLLOUT_STAGE"]
        return one["value"], one["source"]

    async def change(creator_id: str | None, value: int | None) -> None:
        body = {"creatorId": creator_id, "name": "AI_ROLLOUT_STAGE", "value": value, "reason": "r"}
        await admin.made("/api/flags", body)

    seen = [await stage(creatorId=talk.creator_id)]
    await change(None, 3)
    seen.append(await stage(creatorId=talk.creator_id))
    await change(talk.creator_id, 4)
    seen += [await stage(creatorId=talk.creator_id), await stage()]
    await change(talk.creator_id, None)
    seen.append(await stage(creatorId=talk.creator_id))
    assert seen == [
        (2, "environment"),
        (3, "installation"),
        (4, "creator"),
        (3, "installation"),
        (3, "installation"),
    ]
    traces = (await admin.found("/api/audit"))["items"]
    changes = [item["details"] for item in traces if item["action"] == "flag.changed"]
    assert [(one["from"], one["to"]) for one in changes] == [(4, None), (None, 4), (None, 3)]
