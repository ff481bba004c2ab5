"""What an account is connected with, and what each setting does."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stubs.llm import LlmStub
from tests.entrypoints.channels.desk import Desk, open_desk
from tests.entrypoints.channels.platforms import Fanvue, Platform, Webhook
from tests.support.app import RunningApp, running_app
from tests.support.fixtures import settings as settings_of
from tests.support.fixtures import with_claude
from tests.support.world import sign_in
from vaultcrm.domain.people import Role

pytestmark = pytest.mark.anyio


async def test_an_account_says_whether_its_messages_may_go_by_themselves(
    app: RunningApp, platform: Platform
) -> None:
    desk = await open_desk(app, platform)
    account = await desk.connect()
    assert account["settings"]["automatedSending"] is (platform.name != "fanvue")


@pytest.mark.parametrize(
    ("said", "meant"), [("yes", True), (True, True), ("no", False), (False, False), ("", False)]
)
async def test_automated_sending_is_the_word_of_whoever_connects_the_account(
    app: RunningApp, fanvue: Fanvue, said: Any, meant: bool
) -> None:
    desk = await open_desk(app, fanvue)
    account = await desk.connect(automatedSending=said)
    assert account["settings"]["automatedSending"] is meant


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"automatedSending": "maybe"}, "settings.automatedSending"),
        ({"expiresAt": "tomorrow"}, "settings.expiresAt"),
        ({"clientSecret": ""}, "settings.clientSecret"),
        ({"wings": "2"}, "settings.wings"),
    ],
)
async def test_a_setting_that_cannot_be_used_is_named_and_the_account_stays_as_it_was(
    app: RunningApp, fanvue: Fanvue, settings: dict[str, Any], field: str
) -> None:
    desk = await open_desk(app, fanvue)
    before = await desk.manager.found("/api/channels")
    body = {
        "creatorId": desk.creator_id,
        "channel": "fanvue",
        "settings": fanvue.settings | settings,
    }
    response = await desk.manager.post("/api/channels", body)
    assert response.status_code == 422
    assert [error["field"] for error in response.json()["errors"]] == [field]
    assert await desk.manager.found("/api/channels") == before


async def test_a_renewed_sign_in_is_kept_sealed_for_every_process(
    app: RunningApp, fanvue: Fanvue
) -> None:
    desk = await open_desk(app, fanvue)
    await desk.connect(expiresAt="2026-01-01T00:00:00Z")
    await desk.works_through(fanvue.says("Hello"))
    await desk.wrote("first")
    await desk.deliver()
    assert [taken.access for taken in fanvue.stub.accepted] == ["access-1"]
    await app.parts.channels.aclose()
    fanvue.stub.expire()
    await desk.wrote("second")
    await desk.deliver()
    assert [taken.access for taken in fanvue.stub.accepted] == ["access-1", "access-2"]
    assert (fanvue.texts, fanvue.stub.renewals) == (["first", "second"], 2)
    assert await desk.alerts() == []


async def test_a_machine_with_another_key_sends_nothing_and_says_what_to_do(
    app: RunningApp, fanvue: Fanvue, database_url: str, home: Path
) -> None:
    desk = await open_desk(app, fanvue)
    draft = await desk.drafted()
    await desk.approve(draft)
    own = settings_of(
        database_url, home, vaultcrm_secret_key="another key of at least thirty-two characters"
    )
    async with running_app(own) as other:
        there = replace(desk, app=other, manager=replace(desk.manager, app=other))
        for refused in (await there.write("Hello"), await there.hears(fanvue.says("Hello?"))):
            assert refused.status_code == 503
            assert "VAULTCRM_SECRET_KEY" in refused.json()["detail"]
        await there.deliver()
        assert fanvue.texts == []
        assert await there.alerts() == ["channel_paused"]
    path = "/api/channels/fanvue/resume"
    await desk.manager.post(path, {"creatorId": desk.creator_id})
    await desk.deliver()
    assert fanvue.texts == [draft["message"]]


async def test_the_webhook_of_the_environment_serves_every_creator_and_can_be_paused(
    webhook: Webhook, database_url: str, home: Path, llm: LlmStub
) -> None:
    own = settings_of(
        database_url,
        home,
        ai_quiet_seconds=0,
        webhook_secret=webhook.settings["secret"],
        webhook_target_url=webhook.settings["targetUrl"],
        **with_claude(llm.url),
    )
    async with running_app(own) as running:
        manager = await sign_in(running, Role.MANAGER)
        made = await manager.made("/api/creators", {"handle": "mia", "displayName": "Mia"})
        desk = Desk(running, manager, made["id"], webhook)
        draft = await desk.drafted()
        account = {"creatorId": desk.creator_id, "channel": "webhook", "settings": webhook.settings}
        refused = await manager.post("/api/channels", account)
        assert refused.status_code == 422
        assert "settings of this installation" in refused.json()["detail"]

        creator = {"creatorId": desk.creator_id}
        assert (await manager.post("/api/channels/webhook/pause", creator)).status_code == 204
        await desk.approve(draft)
        await desk.deliver()
        assert webhook.texts == []
        assert (await manager.post("/api/channels/webhook/resume", creator)).status_code == 204
        await desk.deliver()
        assert webhook.texts == [draft["message"]]
