"""Over every channel: what a fan writes comes in once, and what was approved goes out once."""

import json
from datetime import datetime, timedelta

import pytest

from stubs.telegram import HangAfter
from tests.entrypoints.channels.desk import open_desk
from tests.entrypoints.channels.platforms import Platform, Telegram
from tests.support.app import RunningApp
from tests.support.worker import run_jobs
from tests.support.world import rows

pytestmark = pytest.mark.anyio


async def test_an_accounts_secrets_are_stored_sealed_and_never_shown(
    app: RunningApp, platform: Platform
) -> None:
    desk = await open_desk(app, platform)
    shown = json.dumps(await desk.manager.found("/api/channels"))
    [kind] = [
        kind
        for kind in (await desk.manager.found("/api/channel-kinds"))["items"]
        if kind["name"] == platform.name
    ]
    secrets = [setting["name"] for setting in kind["settings"] if setting["secret"]]
    assert secrets
    [stored] = await rows(app, "SELECT config::text AS config, secret FROM channel_accounts")
    for name in secrets:
        value = platform.settings[name]
        if name != "expiresAt":
            assert value not in shown
            assert value not in stored["config"]
            assert value.encode() not in bytes(stored["secret"])


async def test_a_fans_message_is_drafted_for_approved_and_answered_once(
    app: RunningApp, platform: Platform
) -> None:
    desk = await open_desk(app, platform)
    event = platform.says("Hey, how are you?")
    first = await desk.hears(event)
    again = await desk.hears(event)
    await run_jobs(app)
    late = await desk.hears(event)
    await run_jobs(app)
    answers = [response.json()["duplicate"] for response in (first, again, late)]
    assert ({first.status_code, again.status_code, late.status_code}, answers) == (
        {202},
        [False, True, True],
    )
    assert platform.texts == []

    [draft] = await desk.waiting()
    await desk.approve(draft)
    await desk.deliver()
    await desk.deliver()

    assert platform.texts == [draft["message"]]
    assert await desk.thread() == [
        ("fan", "Hey, how are you?"),
        ("ai_approved", draft["message"]),
    ]
    [delivery] = await desk.deliveries()
    assert delivery["status"] == "sent"
    assert delivery["externalId"]
    assert await desk.waiting() == []


async def test_messages_that_come_in_the_wrong_order_stand_in_the_right_one(
    app: RunningApp, platform: Platform
) -> None:
    desk = await open_desk(app, platform)
    events = [platform.says(text, later=n) for n, text in enumerate(("one", "two", "three"))]
    await desk.works_through(events[2], events[0], events[2], events[1], events[0])
    assert [text for _, text in await desk.thread()] == ["one", "two", "three"]
    assert await desk.kept() == 3


async def test_what_is_not_signed_with_the_accounts_secret_is_not_kept(
    app: RunningApp, platform: Platform
) -> None:
    desk = await open_desk(app, platform)
    event = platform.says("Hello")
    responses = [await desk.hears(event, secret="another-secret-of-forty-characters-at-least")]
    if platform.is_dated:
        responses += [
            await desk.hears(event, age=timedelta(minutes=6)),
            await desk.hears(event, age=timedelta(minutes=-6)),
            await desk.hears(event, changed=json.dumps(platform.says("Hello!")).encode()),
        ]
    for response in responses:
        assert response.status_code == 401
        assert response.json()["type"] == "/problems/webhook-rejected"
    assert await desk.kept() == 0
    await run_jobs(app)
    assert await desk.thread() == []


async def test_a_creators_account_takes_nothing_that_is_signed_for_another_creator(
    app: RunningApp, telegram: Telegram
) -> None:
    desk = await open_desk(app, telegram)
    theo = await desk.manager.made("/api/creators", {"handle": "theo", "displayName": "Theo"})
    own = telegram.settings | {"webhookSecret": "the-other-creators-own-webhook-secret"}
    account = {"creatorId": theo["id"], "channel": "telegram", "settings": own}
    await desk.manager.made("/api/channels", account)
    body, headers = telegram.told(telegram.says("Hello"))
    response = await app.client.post("/api/webhooks/telegram/theo", content=body, headers=headers)
    assert response.status_code == 401
    assert await desk.kept() == 0


async def test_what_does_not_concern_us_is_taken_and_not_kept(
    app: RunningApp, keyless: Platform
) -> None:
    desk = await open_desk(app, keyless)
    assert (await desk.hears(keyless.nothing)).status_code == 202
    assert await desk.kept() == 0


async def test_a_body_of_another_form_is_refused_and_not_kept(
    app: RunningApp, platform: Platform
) -> None:
    desk = await open_desk(app, platform)
    response = await desk.hears({"id": "1", "type": 7, "event": 7, "update_id": "x"})
    assert response.status_code == 422
    assert response.json()["errors"]
    assert await desk.kept() == 0


async def test_a_removed_account_takes_nothing_in(app: RunningApp, platform: Platform) -> None:
    desk = await open_desk(app, platform)
    path = f"/api/channels/{platform.name}/remove"
    assert (await desk.manager.post(path, {"creatorId": desk.creator_id})).status_code == 204
    assert (await desk.hears(platform.says("Hello"))).status_code == 404
    assert await desk.kept() == 0


async def test_a_platform_that_asks_to_wait_is_waited_for(
    app: RunningApp, platform: Platform
) -> None:
    desk = await open_desk(app, platform)
    draft = await desk.drafted()
    platform.limits(90)
    await desk.approve(draft)
    await run_jobs(app)
    [delivery] = await desk.deliveries()
    assert (delivery["status"], delivery["attempts"], platform.texts) == ("pending", 1, [])
    assert "429" in delivery["error"]
    asked = datetime.fromisoformat(delivery["notBefore"])
    assert asked - datetime.fromisoformat(delivery["updatedAt"]) >= timedelta(seconds=89)

    await run_jobs(app)
    assert platform.texts == []
    await desk.deliver()
    assert platform.texts == [draft["message"]]
    [delivery] = await desk.deliveries()
    assert (delivery["status"], delivery["attempts"]) == ("sent", 2)


async def test_what_the_platform_may_have_taken_is_asked_of_a_person_and_not_sent_again(
    app: RunningApp, keyless: Platform
) -> None:
    desk = await open_desk(app, keyless)
    for number, go_wrong in enumerate((keyless.fails_after, keyless.drops_after), start=1):
        go_wrong()
        await run_jobs(app)
        await desk.works_through(keyless.says(f"Question {number}", later=number))
        [draft] = await desk.waiting()
        await desk.approve(draft)
        await desk.deliver()
        await desk.deliver()
        assert len(keyless.texts) == number
    found = await desk.deliveries()
    assert [(one["status"], one["attempts"]) for one in found] == [("uncertain", 1)] * 2
    assert all(one["error"] for one in found)
    assert await desk.alerts() == ["message_uncertain"]
    assert {author for author, _ in await desk.thread()} == {"fan"}


async def test_a_platform_that_takes_a_message_and_never_answers_leaves_it_to_a_person(
    app: RunningApp, telegram: Telegram
) -> None:
    desk = await open_desk(app, telegram)
    draft = await desk.drafted()
    telegram.stub.behave(HangAfter())
    await desk.approve(draft)
    await desk.deliver()
    [delivery] = await desk.deliveries()
    assert (delivery["status"], telegram.texts) == ("uncertain", [draft["message"]])
    assert "did not answer within" in delivery["error"]


@pytest.mark.parametrize(
    ("resolution", "status", "times", "stands"),
    [
        ("sent", "sent", 1, True),
        ("not_sent", "failed", 1, False),
        ("send_again", "sent", 2, True),
    ],
)
async def test_a_person_settles_an_uncertain_message_once(
    app: RunningApp,
    keyless: Platform,
    resolution: str,
    status: str,
    times: int,
    stands: bool,
) -> None:
    desk = await open_desk(app, keyless)
    draft = await desk.drafted()
    keyless.drops_after()
    await desk.approve(draft)
    await desk.deliver()
    [delivery] = await desk.deliveries()
    assert delivery["status"] == "uncertain"

    assert (await desk.settle(delivery, resolution)).status_code == 200
    await desk.deliver()

    assert (await desk.settle(delivery, "sent")).status_code == 409
    [delivery] = await desk.deliveries()
    assert delivery["status"] == status
    assert keyless.texts == [draft["message"]] * times
    assert (("ai_approved", draft["message"]) in await desk.thread()) is stands
    assert await desk.alerts() == []


async def test_a_platform_that_knows_our_ids_is_asked_again_and_counts_once(
    app: RunningApp, webhook: Platform
) -> None:
    desk = await open_desk(app, webhook)
    draft = await desk.drafted()
    webhook.fails_after()
    webhook.drops_after()
    await desk.approve(draft)
    for _ in range(3):
        await desk.deliver()
    assert webhook.texts == [draft["message"]]
    [delivery] = await desk.deliveries()
    assert (delivery["status"], delivery["attempts"]) == ("sent", 3)
    assert await desk.alerts() == []


@pytest.mark.parametrize("way", ["connect", "resume"])
async def test_when_credentials_fail_messages_wait_and_then_leave_in_their_order(
    app: RunningApp, platform: Platform, way: str
) -> None:
    desk = await open_desk(app, platform)
    await desk.works_through(platform.says("Hello"))
    platform.refuses_us()
    await desk.wrote("first")
    await desk.wrote("second")
    await desk.deliver()
    await desk.deliver()

    assert platform.texts == []
    assert {one["status"] for one in await desk.deliveries()} == {"pending"}
    assert await desk.alerts() == ["channel_paused"]
    [account] = (await desk.manager.found("/api/channels"))["items"]
    assert account["pausedAt"]
    assert account["pausedReason"]
    assert (await desk.hears(platform.says("Are you there?", later=9))).status_code == 202

    if way == "connect":
        await desk.connect()
    else:
        path = f"/api/channels/{platform.name}/resume"
        assert (await desk.manager.post(path, {"creatorId": desk.creator_id})).status_code == 204
    await desk.deliver()

    assert platform.texts == ["first", "second"]
    assert {one["status"] for one in await desk.deliveries()} == {"sent"}
    assert await desk.alerts() == []


async def test_a_message_that_may_have_left_over_an_account_that_is_gone_is_not_sent_anew(
    app: RunningApp, keyless: Platform
) -> None:
    """The process died in the call, and before anybody looked the account was removed."""
    desk = await open_desk(app, keyless)
    draft = await desk.drafted()
    await desk.approve(draft)
    await rows(app, "UPDATE outbox SET delivery_status = 'sending', attempts = 1")
    path = f"/api/channels/{keyless.name}/remove"
    await desk.manager.post(path, {"creatorId": desk.creator_id})
    await desk.deliver()
    assert await desk.alerts() == ["channel_paused"]

    await desk.connect()
    await desk.deliver()

    [delivery] = await desk.deliveries()
    assert (delivery["status"], keyless.texts) == ("uncertain", [])


async def test_a_message_that_may_have_left_is_not_called_unsent_because_the_fan_has_answered(
    app: RunningApp, keyless: Platform
) -> None:
    desk = await open_desk(app, keyless)
    await desk.approve(await desk.drafted())
    await rows(app, "UPDATE outbox SET delivery_status = 'sending', attempts = 1")
    await rows(app, "UPDATE procrastinate_jobs SET scheduled_at = now() + interval '1 hour'")
    await desk.works_through(keyless.says("Thanks!", later=5))
    await desk.deliver()
    [delivery] = await desk.deliveries()
    assert (delivery["status"], keyless.texts) == ("uncertain", [])


async def test_a_broken_off_send_is_finished_where_the_platform_knows_our_ids(
    app: RunningApp, webhook: Platform
) -> None:
    desk = await open_desk(app, webhook)
    draft = await desk.drafted()
    await desk.approve(draft)
    await rows(app, "UPDATE outbox SET delivery_status = 'sending', attempts = 1")
    await rows(app, "UPDATE procrastinate_jobs SET scheduled_at = now() + interval '1 hour'")
    await desk.works_through(webhook.says("Thanks!", later=5))
    await desk.deliver()
    [delivery] = await desk.deliveries()
    assert (delivery["status"], webhook.texts) == ("sent", [draft["message"]])


@pytest.mark.parametrize(
    ("text", "media", "field"),
    [
        ("x" * 4096, (), None),
        ("x" * 4097, (), "text"),
        ("🌻" * 2048, (), None),
        ("🌻" * 2049, (), "text"),
        ("x" * 1024, ("photo:AgACAgIAAx",), None),
        ("x" * 1025, ("photo:AgACAgIAAx",), "text"),
        ("🌻" * 513, ("photo:AgACAgIAAx",), "text"),
    ],
)
async def test_a_text_that_telegram_finds_too_long_is_refused_at_once(
    app: RunningApp, telegram: Telegram, text: str, media: tuple[str, ...], field: str | None
) -> None:
    desk = await open_desk(app, telegram)
    await desk.works_through(telegram.says("Hello"))
    response = await desk.write(text, mediaIds=list(media))
    if field is None:
        assert response.status_code == 200, response.text
        await desk.deliver()
        assert telegram.texts == [text]
    else:
        assert response.status_code == 422
        assert response.json()["errors"][0]["field"] == field
        assert await desk.deliveries() == []
