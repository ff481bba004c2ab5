"""API tokens on the account page, and those of programs on the team's."""

import re
from datetime import timedelta

import httpx2
import pytest

from tests.entrypoints.web.browser import Page, Person, sign_in
from tests.support.app import RunningApp
from tests.support.world import conversation, own_details, rows
from vaultcrm.domain.people import Role

pytestmark = pytest.mark.anyio


async def make(person: Person, path: str, **fields: object) -> Page:
    page = await person.open("/account" if path.startswith("/account") else path)
    form, _ = page.form("Make it and show it")
    sent = {"csrf": form.fields["csrf"], "name": "a script", "scopes": "read", "lifetime": "90"}
    return await person.send(path, sent | fields)  # type: ignore[arg-type]


def token_of(page: Page) -> str:
    found = re.findall(r'value="(vcrm_[^"]+)"', page.html)
    assert len(found) == 1, page.text
    return str(found[0])


async def ask(app: RunningApp, token: str, path: str) -> httpx2.Response:
    return await app.client.get(path, headers={"Authorization": f"Bearer {token}"})


async def test_a_token_of_ones_own_is_shown_once_and_does_what_was_ticked(app: RunningApp) -> None:
    ada = await sign_in(app, Role.ADMIN, name="Ada")

    token = token_of(await make(ada, "/account/tokens", scopes=["read", "metrics"]))

    assert (await ask(app, token, "/api/creators")).status_code == 200
    assert (await ask(app, token, "/api/ai/metrics")).status_code == 200
    refused = await ask(app, token, "/api/event-endpoints")
    assert refused.status_code == 403
    assert refused.json()["detail"] == (
        "This needs a token with the scope manage; yours has: metrics, read."
    )
    assert token not in (await ada.open("/account")).html
    [row] = await rows(app, "SELECT * FROM api_tokens WHERE name = 'a script'")
    lives = row["expires_at"] - row["created_at"]
    assert abs(lives - timedelta(days=90)) < timedelta(minutes=1)
    [entry] = await rows(
        app, "SELECT * FROM audit_log WHERE action = 'token.created' ORDER BY id DESC LIMIT 1"
    )
    assert entry["actor_id"] == ada.api.user_id
    assert own_details(entry) == {"token_id": str(row["id"]), "scopes": ["metrics", "read"]}


async def test_a_token_without_the_scope_drafts_nothing_and_gives_back_what_was_reserved(
    app: RunningApp,
) -> None:
    ada = await sign_in(app, Role.ADMIN, name="Ada")
    talk = await conversation(ada.api)
    token = token_of(await make(ada, "/account/tokens"))

    for key in ({}, {"Idempotency-Key": "k"}):
        answer = await app.client.post(
            "/api/ai/generate",
            json=talk.asks(),
            headers={"Authorization": f"Bearer {token}", **key},
        )
        assert answer.status_code == 403
    assert await rows(app, "SELECT 1 FROM ai_message_generations") == []
    assert await rows(app, "SELECT 1 FROM limit_counters WHERE used <> 0") == []


async def test_a_token_does_no_more_than_its_person_may(app: RunningApp) -> None:
    jo = await sign_in(app, Role.CHATTER, name="Jo", creators=[])
    token = token_of(await make(jo, "/account/tokens", scopes=["read", "metrics", "manage"]))

    assert (await ask(app, token, "/api/ai/metrics")).status_code == 403
    assert (await ask(app, token, "/api/creators")).json()["items"] == []


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"name": "  "}, "A name of 1 to 100 characters"),
        ({"name": "x" * 101}, "A name of 1 to 100 characters"),
        ({"scopes": []}, "At least one"),
    ],
)
async def test_a_token_without_a_name_or_a_scope_is_not_made(
    app: RunningApp, fields: dict[str, object], told: str
) -> None:
    jo = await sign_in(app, Role.CHATTER, name="Jo")
    page = await make(jo, "/account/tokens", **fields)
    assert (page.status, told in page.text) == (422, True)
    assert len(await rows(app, "SELECT 1 FROM api_tokens")) == 1


async def test_a_revoked_token_opens_nothing_and_only_its_owner_revokes_it(app: RunningApp) -> None:
    jo = await sign_in(app, Role.CHATTER, name="Jo")
    ann = await sign_in(app, Role.CHATTER, name="Ann")
    token = token_of(await make(jo, "/account/tokens"))
    [row] = await rows(app, "SELECT id FROM api_tokens WHERE name = 'a script'")
    path = f"/account/tokens/{row['id']}/revoke"
    theirs = (await ann.open("/account")).forms[0].fields["csrf"]
    assert (await ann.send(path, {"csrf": theirs})).status == 404
    assert (await ask(app, token, "/api/creators")).status_code == 200

    own = (await jo.open("/account")).forms[0].fields["csrf"]
    page = await jo.send(path, {"csrf": own})

    assert "That token is revoked" in page.text
    assert (await ask(app, token, "/api/creators")).status_code == 401
    assert len(await rows(app, "SELECT 1 FROM audit_log WHERE action = 'token.revoked'")) == 1


async def test_the_page_says_when_a_token_was_last_used(app: RunningApp) -> None:
    jo = await sign_in(app, Role.CHATTER, name="Jo")
    token = token_of(await make(jo, "/account/tokens"))
    assert "just now" not in (await jo.open("/account")).text.partition("API tokens")[2]

    await ask(app, token, "/api/creators")
    await ask(app, "vcrm_made_up", "/api/creators")

    assert "just now" in (await jo.open("/account")).text.partition("API tokens")[2]
    assert len(await rows(app, "SELECT 1 FROM token_uses")) == 1


async def test_an_admin_for_every_creator_makes_and_revokes_tokens_of_programs(
    app: RunningApp,
) -> None:
    ada = await sign_in(app, Role.ADMIN, name="Ada")
    await conversation(ada.api)

    page = await make(ada, "/team/programs", name="billing", lifetime="never")
    token = token_of(page)

    assert len((await ask(app, token, "/api/creators")).json()["items"]) == 1
    [user] = await rows(app, "SELECT * FROM users WHERE name = 'billing'")
    assert user["role"] == "service"
    page = await ada.press(await ada.open("/team/programs"), "Revoke")
    assert "That token is revoked" in page.text
    assert (await ask(app, token, "/api/creators")).status_code == 401


async def test_tokens_of_before_keep_every_scope(app: RunningApp) -> None:
    ada = await sign_in(app, Role.ADMIN, name="Ada")
    [row] = await rows(app, "SELECT scopes FROM api_tokens")
    assert row["scopes"] is None
    assert (await ada.api.get("/api/event-endpoints")).status_code == 200
    assert "everything" in (await ada.open("/account")).text
