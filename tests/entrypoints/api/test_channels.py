"""/api/channels: accounts are connected, paused and removed, and their secrets are never shown."""

import json
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.entrypoints.api.documented import hold_to_document
from tests.support.accounts import ACCOUNTS, SECRETS, account, connected
from tests.support.app import RunningApp, running_app
from tests.support.drafts import NOWHERE, decide, status_of
from tests.support.fixtures import settings
from tests.support.webhooks import OTHER_SECRET, SECRET, message_event, signed
from tests.support.worker import run_jobs, time_has_come
from tests.support.world import SignedIn, conversation, rows, sign_in
from vaultcrm.domain.people import Role

pytestmark = pytest.mark.anyio

KINDS = sorted(ACCOUNTS)


async def creator(caller: SignedIn, handle: str = "mia") -> str:
    body = {"handle": handle, "displayName": handle.title()}
    return str((await caller.made("/api/creators", body))["id"])


async def accounts(caller: SignedIn, **query: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await caller.found("/api/channels", **query))["items"]
    return found


async def tells(caller: SignedIn, channel: str, what: str, creator_id: str) -> httpx2.Response:
    return await caller.post(f"/api/channels/{channel}/{what}", {"creatorId": creator_id})


async def actions(app: RunningApp) -> list[str]:
    found = await rows(
        app, "SELECT action FROM audit_log WHERE action LIKE 'channel.%%' ORDER BY at, id"
    )
    return [row["action"] for row in found]


def fields_at_fault(response: httpx2.Response) -> list[str]:
    assert response.status_code == 422, response.text
    return [error["field"] for error in response.json()["errors"]]


async def test_every_kind_of_account_says_what_it_needs(app: RunningApp) -> None:
    chatter = await sign_in(app, Role.CHATTER)
    kinds = (await chatter.found("/api/channel-kinds"))["items"]
    assert sorted(kind["name"] for kind in kinds) == KINDS
    for kind in kinds:
        assert kind["title"]
        known = {setting["name"]: setting for setting in kind["settings"]}
        assert set(ACCOUNTS[kind["name"]]) <= set(known)
        secret = {name for name, setting in known.items() if setting["secret"]}
        assert secret == set(SECRETS[kind["name"]])
        assert all(setting["description"] for setting in known.values())


@pytest.mark.parametrize("kind", KINDS)
async def test_an_account_is_connected_and_shown_without_its_secrets(
    app: RunningApp, kind: str
) -> None:
    manager = await sign_in(app, Role.MANAGER)
    mia = await creator(manager)

    answer = await manager.post("/api/channels", account(kind, mia, sendDelaySeconds=30))

    assert answer.status_code == 201, answer.text
    shown = answer.json()
    assert (shown["creatorId"], shown["channel"], shown["sendDelaySeconds"]) == (mia, kind, 30)
    assert (shown["pausedAt"], shown["pausedReason"]) == (None, None)
    plain = {k: v for k, v in ACCOUNTS[kind].items() if k not in SECRETS[kind]}
    assert shown["settings"].items() >= plain.items()
    assert await accounts(manager) == [shown]
    assert await actions(app) == ["channel.connected"]


@pytest.mark.parametrize("kind", KINDS)
async def test_a_secret_is_in_no_answer_no_trace_and_no_row_in_the_clear(
    app: RunningApp, kind: str
) -> None:
    admin = await sign_in(app, Role.ADMIN)
    mia = await creator(admin)
    body = account(kind, mia)

    told = [await admin.post("/api/channels", body, key="k-1") for _ in range(2)]
    told.append(await admin.post("/api/channels", account(kind, mia, sendDelaySeconds=5)))
    await tells(admin, kind, "pause", mia)
    lists = ("/api/channels", "/api/channel-kinds", "/api/audit", "/api/alerts")
    told += [await admin.get(path) for path in lists]

    assert told[1].headers["Idempotency-Replayed"] == "true"
    stored = []
    for table in ("audit_log", "idempotency_keys", "channel_accounts", "alerts"):
        stored += [repr(row) for row in await rows(app, f"SELECT * FROM {table}")]  # noqa: S608
    for name in SECRETS[kind]:
        secret = str(ACCOUNTS[kind][name])
        assert all(secret not in answer.text for answer in told), name
        assert all(secret not in row for row in stored), name


@pytest.mark.parametrize(
    ("kind", "changes", "fields"),
    [
        ("webhook", {"secret": None}, ["settings.secret"]),
        ("webhook", {"secret": ""}, ["settings.secret"]),
        ("webhook", {"secret": "whsec_dG9vIHNob3J0"}, ["settings.secret"]),
        ("webhook", {"secret": "whsec_no base64 at all, whatever it is!"}, ["settings.secret"]),
        ("webhook", {"targetUrl": "ftp://files.example"}, ["settings.targetUrl"]),
        ("webhook", {"colour": "red"}, ["settings.colour"]),
        ("telegram", {"botToken": "123"}, ["settings.botToken"]),
        ("telegram", {"webhookSecret": "short"}, ["settings.webhookSecret"]),
        ("telegram", {"baseUrl": "nowhere"}, ["settings.baseUrl"]),
        (
            "telegram",
            {"botToken": None, "webhookSecret": None, "secret": "x"},
            ["settings.botToken", "settings.webhookSecret", "settings.secret"],
        ),
        ("chatwoot", {"accountId": "seven"}, ["settings.accountId"]),
        ("chatwoot", {"inboxId": -1}, ["settings.inboxId"]),
        ("chatwoot", {"apiAccessToken": "with blanks in it"}, ["settings.apiAccessToken"]),
        ("fanvue", {"creatorUuid": "mia"}, ["settings.creatorUuid"]),
        ("fanvue", {"expiresAt": "soon"}, ["settings.expiresAt"]),
        ("fanvue", {"expiresAt": "2030-01-01T00:00:00"}, ["settings.expiresAt"]),
        ("fanvue", {"accessToken": "with blanks in it"}, ["settings.accessToken"]),
        ("fanvue", {"refreshToken": "with blanks in it"}, ["settings.refreshToken"]),
        ("fanvue", {"baseUrl": "http://elsewhere.example"}, ["settings.baseUrl"]),
    ],
)
async def test_settings_that_are_missing_unknown_or_malformed_are_named_and_nothing_is_kept(
    app: RunningApp, kind: str, changes: dict[str, Any], fields: list[str]
) -> None:
    manager = await sign_in(app, Role.MANAGER)
    values = {**ACCOUNTS[kind], **changes}
    given = {name: value for name, value in values.items() if value is not None}
    body = {"creatorId": await creator(manager), "channel": kind, "settings": given}

    refused = await manager.post("/api/channels", body)

    assert fields_at_fault(refused) == fields
    assert all(error["reason"] for error in refused.json()["errors"])
    for name in SECRETS[kind]:
        if len(str(given.get(name, ""))) > 5:
            assert str(given[name]) not in refused.text
    assert await accounts(manager) == []


async def test_a_kind_that_nobody_knows_is_refused_with_those_that_are_known(
    app: RunningApp,
) -> None:
    manager = await sign_in(app, Role.MANAGER)
    body = {"creatorId": await creator(manager), "channel": "pigeon", "settings": {}}
    refused = await manager.post("/api/channels", body)
    assert fields_at_fault(refused) == ["channel"]
    assert all(kind in refused.json()["detail"] for kind in KINDS)


async def test_what_the_installation_has_set_up_for_all_cannot_be_connected_for_one(
    app: RunningApp,
) -> None:
    manager = await sign_in(app, Role.MANAGER)
    body = {"creatorId": await creator(manager), "channel": "simulator", "settings": {}}
    refused = await manager.post("/api/channels", body)
    assert fields_at_fault(refused) == ["channel"]
    assert "set up for everybody" in refused.json()["detail"]


async def test_only_managers_admins_and_programs_touch_accounts(app: RunningApp) -> None:
    people = {role: await sign_in(app, role) for role in Role}
    mia = await connected(people[Role.ADMIN], "telegram")
    managing = {Role.MANAGER, Role.ADMIN, Role.SERVICE}

    async def allowed(ask: Any) -> set[Role]:
        answers = {role: await ask(caller) for role, caller in people.items()}
        assert {answer.status_code for answer in answers.values()} <= {201, 204, 403}
        return {role for role, answer in answers.items() if answer.is_success}

    for what in ("pause", "resume"):
        assert await allowed(lambda who, what=what: tells(who, "telegram", what, mia)) == managing
    connecting = account("telegram", mia)
    assert await allowed(lambda who: who.post("/api/channels", connecting)) == managing
    assert (await tells(people[Role.CHATTER], "telegram", "remove", mia)).status_code == 403
    assert len(await accounts(people[Role.CHATTER])) == 1


async def test_the_accounts_of_a_creator_do_not_exist_for_a_manager_of_another(
    app: RunningApp,
) -> None:
    admin = await sign_in(app, Role.ADMIN)
    mia = await connected(admin, "telegram")
    await creator(admin, "theo")
    stranger = await sign_in(app, Role.MANAGER, creators=["theo"])
    assert await accounts(stranger) == []
    assert (await stranger.get("/api/channels", creatorId=mia)).status_code == 404
    assert (await stranger.post("/api/channels", account("telegram", mia))).status_code == 404
    for what in ("pause", "resume", "remove"):
        assert (await tells(stranger, "telegram", what, mia)).status_code == 404
    assert await actions(app) == ["channel.connected"]


async def test_an_account_is_paused_goes_on_and_is_forgotten_and_each_is_traced(
    app: RunningApp,
) -> None:
    mary = await sign_in(app, Role.MANAGER, name="Mary")
    mia = await connected(mary, "telegram")

    assert (await tells(mary, "telegram", "pause", mia)).status_code == 204
    [paused] = await accounts(mary)
    assert paused["pausedReason"] == "paused by Mary"
    assert paused["pausedAt"] is not None
    assert (await tells(mary, "telegram", "resume", mia)).status_code == 204
    assert (await tells(mary, "telegram", "resume", mia)).status_code == 204
    [going] = await accounts(mary)
    assert (going["pausedAt"], going["pausedReason"]) == (None, None)
    assert (await tells(mary, "telegram", "remove", mia)).status_code == 204
    assert await accounts(mary) == []
    assert await rows(app, "SELECT 1 FROM channel_accounts") == []
    assert await actions(app) == [
        "channel.connected", "channel.paused", "channel.resumed", "channel.removed",
    ]  # fmt: skip


async def test_what_is_not_connected_cannot_be_paused_resumed_or_removed(app: RunningApp) -> None:
    manager = await sign_in(app, Role.MANAGER)
    mia = await creator(manager)
    for what in ("pause", "resume", "remove"):
        assert (await tells(manager, "telegram", what, mia)).status_code == 404, what
        assert (await tells(manager, "pigeon", what, mia)).status_code == 404, what
        assert (await tells(manager, "telegram", what, NOWHERE)).status_code == 404, what
    unknown = await manager.post("/api/channels", account("telegram", NOWHERE))
    assert unknown.status_code == 404


async def test_messages_wait_while_their_channel_is_paused_and_leave_when_it_goes_on(
    app: RunningApp,
) -> None:
    manager = await sign_in(app, Role.MANAGER)
    talk = await conversation(manager)
    draft = (await manager.made("/api/ai/generate", talk.asks()))["generationId"]
    assert (await tells(manager, "simulator", "pause", talk.creator_id)).status_code == 204
    await decide(manager, draft, "modify", modifiedMessage="Hello Tom!")
    sent = "SELECT text FROM messages WHERE sender = 'creator'"

    await run_jobs(app)
    await time_has_come(app)
    await run_jobs(app)
    assert await rows(app, sent) == []
    [item] = (await manager.found("/api/deliveries"))["items"]
    assert (item["status"], item["attempts"]) == ("pending", 0)
    await tells(manager, "simulator", "resume", talk.creator_id)
    await time_has_come(app)
    await run_jobs(app)
    assert await rows(app, sent) == [{"text": "Hello Tom!"}]


async def test_what_is_connected_anew_works_with_the_new_credentials_and_no_pause(
    app: RunningApp,
) -> None:
    manager = await sign_in(app, Role.MANAGER)
    mia = await connected(manager, "webhook")

    async def hears(secret: str) -> int:
        body, headers = signed(message_event(), secret=secret)
        response = await app.client.post("/api/webhooks/webhook/mia", content=body, headers=headers)
        return response.status_code

    assert [await hears(secret) for secret in (OTHER_SECRET, SECRET)] == [202, 401]
    await tells(manager, "webhook", "pause", mia)
    anew = {"creatorId": mia, "channel": "webhook", "settings": {"secret": SECRET}}
    shown = await manager.made("/api/channels", anew)
    assert (shown["pausedAt"], "targetUrl" in shown["settings"]) == (None, False)
    assert [await hears(secret) for secret in (OTHER_SECRET, SECRET)] == [401, 202]
    await tells(manager, "webhook", "remove", mia)
    assert await hears(SECRET) == 404


async def test_one_creators_account_is_not_anothers(app: RunningApp) -> None:
    manager = await sign_in(app, Role.MANAGER)
    await connected(manager, "webhook")
    await creator(manager, "theo")
    body, headers = signed(message_event(), secret=OTHER_SECRET)
    strange = await app.client.post("/api/webhooks/webhook/theo", content=body, headers=headers)
    assert strange.status_code == 404


async def test_nothing_is_approved_for_an_account_that_is_gone(app: RunningApp) -> None:
    manager = await sign_in(app, Role.MANAGER)
    mia = await connected(manager, "chatwoot")
    talk = await conversation(manager, channel="chatwoot")
    draft = (await manager.made("/api/ai/generate", talk.asks()))["generationId"]
    await tells(manager, "chatwoot", "remove", mia)
    refused = await decide(manager, draft, "modify", modifiedMessage="Hello Tom!")
    assert refused.status_code == 422
    assert "chatwoot is not set up here" in refused.json()["detail"]
    assert await status_of(manager, draft) == "queued"


async def test_with_another_key_than_they_were_sealed_with_credentials_are_of_no_use(
    database_url: str, home: Path
) -> None:
    """Nothing is sent, nothing is lost, and the answer says what to do."""
    keys = [letter * 32 for letter in "ab"]
    async with running_app(settings(database_url, home, vaultcrm_secret_key=keys[0])) as first:
        manager = await sign_in(first, Role.MANAGER)
        await connected(manager, "chatwoot")
        talk = await conversation(manager, channel="chatwoot")
        draft = (await manager.made("/api/ai/generate", talk.asks()))["generationId"]
    async with running_app(settings(database_url, home, vaultcrm_secret_key=keys[1])) as other:
        hold_to_document(other)
        elsewhere = SignedIn(other, manager.user_id, manager.token)
        refused = await decide(elsewhere, draft, "modify", modifiedMessage="Hello Tom!")
        assert refused.status_code == 503, refused.text
        assert refused.json()["type"] == "/problems/secret-unreadable"
        assert "VAULTCRM_SECRET_KEY" in refused.json()["detail"]
        assert json.dumps(ACCOUNTS["chatwoot"]["apiAccessToken"]) not in refused.text
        assert await status_of(elsewhere, draft) == "queued"
        [shown] = await accounts(elsewhere)
        assert shown["channel"] == "chatwoot"


async def test_names_of_settings_are_not_sent_back_at_any_length(app: RunningApp) -> None:
    manager = await sign_in(app, Role.MANAGER)
    body = account("telegram", await creator(manager))
    body["settings"] = {**body["settings"], "x" * 50_000: "y"}
    [field] = fields_at_fault(await manager.post("/api/channels", body))
    assert field.startswith("settings.")
    assert len(field) < 1000
