"""Signing in and out: a link opens a session, and nothing but a living session opens a page."""

import hashlib
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlencode

import pytest

from tests.entrypoints.web.browser import Browser, sign_in, sign_in_path
from tests.support.app import RunningApp, running_app
from tests.support.fixtures import settings
from tests.support.world import rows
from tests.support.world import sign_in as add_person
from vaultcrm.controls.auth import sign_in_token
from vaultcrm.controls.secrets import installation_key
from vaultcrm.domain.people import SYSTEM_USER_ID, Role

pytestmark = pytest.mark.anyio

PAGES = ["/", "/inbox", "/queue?tab=mine", "/team", "/account", f"/conversations/{SYSTEM_USER_ID}"]


async def test_a_sign_in_link_opens_the_console_and_says_so_in_the_audit_log(
    app: RunningApp,
) -> None:
    jo = await add_person(app, Role.CHATTER, name="Jo")
    browser = Browser(app)

    page = await browser.open(await sign_in_path(app, "Jo"))

    assert (page.status, page.path.partition("?")[0]) == (200, "/queue")
    [entry] = await rows(app, "SELECT * FROM audit_log WHERE action = 'user.signed_in'")
    assert entry["actor_id"] == jo.user_id


@pytest.mark.parametrize(
    ("base_url", "secure"), [("http://127.0.0.1:8000", False), ("https://crm.example", True)]
)
async def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(
    database_url: str, home: Path, base_url: str, secure: bool
) -> None:
    async with running_app(settings(database_url, home, vaultcrm_base_url=base_url)) as app:
        await add_person(app, Role.CHATTER, name="Jo")
        page = await Browser(app).open(await sign_in_path(app, "Jo"), follow=False)

    attributes = {part.strip().lower() for part in page.headers["set-cookie"].split(";")[1:]}
    assert {"httponly", "samesite=lax", "path=/", "max-age=43200"} <= attributes
    assert ("secure" in attributes) is secure


async def test_the_database_holds_only_a_hash_of_the_session(app: RunningApp) -> None:
    jo = await sign_in(app, Role.CHATTER, name="Jo")

    [session] = await rows(app, "SELECT * FROM sessions")

    secret = jo.client.cookies["vaultcrm_session"]
    assert bytes(session["token_hash"]) == hashlib.sha256(secret.encode()).digest()
    assert session["expires_at"] - session["created_at"] == timedelta(hours=12)


async def test_signing_in_anew_ends_the_session_before(app: RunningApp) -> None:
    jo = await sign_in(app, Role.CHATTER, name="Jo")
    before = jo.client.cookies["vaultcrm_session"]

    await jo.open(await sign_in_path(app, "Jo"))

    assert jo.client.cookies["vaultcrm_session"] != before
    assert len(await rows(app, "SELECT 1 FROM sessions")) == 1


async def test_a_link_that_is_forged_old_or_garbled_opens_nothing_and_says_what_to_do(
    app: RunningApp,
) -> None:
    jo = await add_person(app, Role.CHATTER, name="Jo")
    key, now = installation_key(app.parts.settings.vaultcrm_home, None), app.parts.now()
    day = timedelta(days=1)
    tokens = [
        sign_in_token(jo.user_id, b"somebody else's key, as long as ours", now, day),
        sign_in_token(jo.user_id, key, now - 2 * day, day),
        sign_in_token(SYSTEM_USER_ID, key, now, day),
        "nonsense",
        "\x00\ud7ff",
        "",
    ]
    for token in tokens:
        browser = Browser(app)
        response = await browser.client.get("/sign-in", params={"token": token})
        assert response.status_code == 401
        assert "set-cookie" not in response.headers
        assert "vaultcrm user link EMAIL" in response.text
    assert await rows(app, "SELECT 1 FROM sessions") == []


@pytest.mark.parametrize("path", PAGES)
async def test_without_a_session_every_page_leads_to_the_sign_in_page(
    app: RunningApp, path: str
) -> None:
    stranger = Browser(app)
    stranger.client.cookies.set("vaultcrm_session", "vcrm_guessed")

    page = await stranger.open(path, follow=False)
    shown = await stranger.open(path)

    onward = "" if path == "/" else f"?{urlencode({'next': path})}"
    assert (page.status, page.headers["location"]) == (303, f"/sign-in{onward}")
    assert shown.status == 200
    assert "vaultcrm user link EMAIL" in shown.text


async def test_a_session_that_was_signed_out_opens_nothing_any_more(app: RunningApp) -> None:
    jo = await sign_in(app, Role.CHATTER, name="Jo")
    secret = jo.client.cookies["vaultcrm_session"]

    page = await jo.press(await jo.open("/account"), "Sign out")

    assert page.path == "/sign-in"
    thief = Browser(app)
    thief.client.cookies.set("vaultcrm_session", secret)
    assert (await thief.open("/account")).path == "/sign-in?next=%2Faccount"


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE sessions SET expires_at = created_at",
        "UPDATE sessions SET last_used_at = created_at - interval '2 hours'",
        "UPDATE users SET disabled_at = created_at WHERE role = 'chatter'",
    ],
    ids=["expired", "idle", "disabled"],
)
async def test_a_session_ends_with_its_time_and_with_its_user(
    app: RunningApp, statement: str
) -> None:
    jo = await sign_in(app, Role.CHATTER, name="Jo")
    assert (await jo.open("/account")).path == "/account"

    await rows(app, statement)

    assert (await jo.open("/account")).path == "/sign-in?next=%2Faccount"


async def test_whoever_is_signed_in_is_not_asked_to_sign_in(app: RunningApp) -> None:
    jo = await sign_in(app, Role.CHATTER, name="Jo")

    assert (await jo.open("/sign-in")).path.partition("?")[0] == "/queue"
