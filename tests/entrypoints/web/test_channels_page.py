"""Accounts on platforms: connected, paused, resumed and forgotten from the console."""

import base64

import pytest

from tests.entrypoints.web.browser import Person, sign_in
from tests.support.app import RunningApp
from tests.support.world import Talk, conversation, rows
from vaultcrm.domain.people import Role

pytestmark = pytest.mark.anyio

SECRET = "whsec_" + base64.b64encode(b"a secret of more than 24 bytes").decode()


async def mary_and_mia(app: RunningApp) -> tuple[Person, Talk]:
    mary = await sign_in(app, Role.MANAGER, name="Mary")
    return mary, await conversation(mary.api)


async def test_a_manager_connects_an_account_and_is_told_what_to_tell_the_platform(
    app: RunningApp,
) -> None:
    mary, talk = await mary_and_mia(app)
    assert "No account is connected yet" in (await mary.open("/channels")).text

    form = await mary.open("/channels/new?kind=webhook")
    page = await mary.press(
        form, "Connect", secret=SECRET, targetUrl="https://crm.example/in", delay="30"
    )

    assert page.path.startswith("/channels")
    assert f"/api/webhooks/webhook/{talk.creator_handle}" in page.text
    assert "after 30 s" in page.text
    assert SECRET not in page.html
    [account] = (await mary.api.found("/api/channels"))["items"]
    assert (account["channel"], account["pausedAt"]) == ("webhook", None)


async def test_what_is_wrong_is_told_beside_its_field_and_only_secrets_are_typed_again(
    app: RunningApp,
) -> None:
    mary, _ = await mary_and_mia(app)
    form = await mary.open("/channels/new?kind=webhook")

    page = await mary.press(form, "Connect", secret="too short", targetUrl="https://crm.example/in")
    late = await mary.press(form, "Connect", secret=SECRET, delay="soon")

    assert page.status == late.status == 422
    fields = {given.get("name"): given for tag, given in page.elements if tag == "input"}
    assert fields["secret"]["aria-invalid"] == "true"
    assert "value" not in fields["secret"]
    assert fields["targetUrl"]["value"] == "https://crm.example/in"
    assert "A number of seconds, at most 3,600" in late.text
    assert await rows(app, "SELECT 1 FROM channel_accounts") == []


async def test_an_account_is_paused_resumed_and_forgotten_by_whom_the_audit_log_names(
    app: RunningApp,
) -> None:
    mary, _ = await mary_and_mia(app)
    form = await mary.open("/channels/new?kind=webhook")
    page = await mary.press(form, "Connect", secret=SECRET, targetUrl="https://crm.example/in")

    paused = await mary.press(page, "Pause the generic webhook for Mia")
    resumed = await mary.press(paused, "Resume the generic webhook for Mia")
    gone = await mary.press(resumed, "Forget it and its credentials the generic webhook for Mia")

    assert "paused by Mary" in paused.text
    assert "What waits leaves within a minute" in resumed.text
    assert "No account is connected yet" in gone.text
    noted = await rows(
        app, "SELECT action FROM audit_log WHERE subject_type = 'channel' ORDER BY id"
    )
    assert [row["action"] for row in noted] == [
        "channel.connected",
        "channel.paused",
        "channel.resumed",
        "channel.removed",
    ]


async def test_chatters_and_managers_of_other_creators_neither_see_nor_change_accounts(
    app: RunningApp,
) -> None:
    mary, talk = await mary_and_mia(app)
    form = await mary.open("/channels/new?kind=webhook")
    await mary.press(form, "Connect", secret=SECRET, targetUrl="https://crm.example/in")
    await conversation(mary.api, creator="theo", fan="ann")
    jo = await sign_in(app, Role.CHATTER, name="Jo")
    max_ = await sign_in(app, Role.MANAGER, name="Max", creators=["theo"])

    csrf = (await max_.open("/channels/new?kind=webhook")).forms[-1].fields["csrf"]
    refused = await max_.send(
        f"/channels/{talk.creator_id}/webhook", {"csrf": csrf, "action": "remove"}
    )

    assert (await jo.open("/channels")).status == 403
    assert "Channels" not in (await jo.open("/inbox")).text
    assert "/api/webhooks/" not in (await max_.open("/channels")).text
    assert refused.status == 404
    assert len(await rows(app, "SELECT 1 FROM channel_accounts")) == 1
