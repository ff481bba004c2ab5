"""Links that work once, tries counted by address, and sessions that are renewed."""

import httpx2
import pytest

from tests.entrypoints.web.accounts import PASSWORD, try_to_sign_in, with_password
from tests.entrypoints.web.browser import Browser, sign_in, sign_in_path
from tests.support.app import RunningApp
from tests.support.world import own_details, rows
from tests.support.world import sign_in as add_person
from vaultcrm.domain.people import Role
from vaultcrm.workflows.manage_people import sign_in_link

pytestmark = pytest.mark.anyio

JO = "jo@example.com"
USED = "This sign-in link was used already"


def from_address(app: RunningApp, address: str, agent: str = "Firefox/1") -> Browser:
    """A browser that a proxy of this test puts at an address."""
    browser = Browser(app)
    transport = httpx2.ASGITransport(app=app.app, client=(address, 1234))
    browser.client = httpx2.AsyncClient(
        transport=transport, base_url="http://vaultcrm.test", headers={"User-Agent": agent}
    )
    return browser


async def test_a_link_opens_one_session_and_nobody_elses(app: RunningApp) -> None:
    await add_person(app, Role.CHATTER, name="Jo")
    link = await sign_in_path(app, "Jo")
    assert (await from_address(app, "203.0.113.7").open(link)).status == 200

    for other in (
        from_address(app, "203.0.113.8"),
        from_address(app, "203.0.113.7", agent="Chrome/1"),
    ):
        page = await other.open(link)
        assert (page.status, USED in page.text) == (401, True)
        assert "vaultcrm user link EMAIL" in page.text

    [entry, _] = await rows(
        app, "SELECT details FROM audit_log WHERE action = 'user.sign_in_refused'"
    )
    assert (entry["details"]["with"], entry["details"]["reason"]) == ("link", "used")


async def test_whoever_clicks_twice_is_let_in_twice_for_some_minutes(app: RunningApp) -> None:
    await add_person(app, Role.CHATTER, name="Jo")
    link = await sign_in_path(app, "Jo")
    for _ in range(2):
        assert (await from_address(app, "203.0.113.7").open(link)).status == 200

    await rows(app, "UPDATE used_links SET used_at = used_at - interval '6 minutes'")

    assert (await from_address(app, "203.0.113.7").open(link)).status == 401


async def test_a_used_link_leads_on_where_its_person_is_signed_in(app: RunningApp) -> None:
    await add_person(app, Role.CHATTER, name="Jo")
    link = await sign_in_path(app, "Jo")
    jo = Browser(app)
    await jo.open(link)
    await rows(app, "UPDATE used_links SET used_at = used_at - interval '1 hour'")

    assert (await jo.open(link)).path.startswith("/queue")
    ann = await sign_in(app, Role.CHATTER, name="Ann")
    assert (await ann.open(link)).status == 401


async def test_a_program_that_looks_ahead_uses_no_link_up(app: RunningApp) -> None:
    await add_person(app, Role.CHATTER, name="Jo")
    link = await sign_in_path(app, "Jo")
    preview = from_address(app, "198.51.100.1", agent="Slackbot-LinkExpanding 1.0")
    ahead = from_address(app, "203.0.113.7")
    ahead.client.headers["Sec-Purpose"] = "prefetch"

    for looking in (preview, ahead):
        page = await looking.open(link)
        assert (page.status, "Sign in" in page.labels) == (200, True)
        assert "vaultcrm_session" not in looking.client.cookies

    assert (await from_address(app, "203.0.113.7").open(link)).path.startswith("/queue")


async def test_the_link_of_a_demo_works_as_often_as_it_is_opened(app: RunningApp) -> None:
    await add_person(app, Role.CHATTER, name="Jo")
    parts = app.parts
    link = await sign_in_link(parts.pool, parts.settings, JO, parts.now(), repeats=True)
    path = "/" + link.split("/", 3)[3]

    for address in ("203.0.113.7", "203.0.113.8", "203.0.113.9"):
        assert (await from_address(app, address).open(path)).status == 200


async def test_used_links_are_forgotten_when_they_would_have_ended(app: RunningApp) -> None:
    await sign_in(app, Role.CHATTER, name="Jo")
    await rows(app, "UPDATE used_links SET expires_at = now() - interval '1 minute'")

    await sign_in(app, Role.CHATTER, name="Ann")

    assert len(await rows(app, "SELECT 1 FROM used_links")) == 1


async def wrong_tries(app: RunningApp, address: str, number: int) -> list[int]:
    return [
        (
            await from_address(app, address).send(
                "/sign-in", {"email": f"{n}@x.de", "password": "x"}
            )
        ).status
        for n in range(number)
    ]


async def test_an_address_that_tries_many_accounts_has_to_wait_and_others_do_not(
    app: RunningApp,
) -> None:
    await with_password(app, Role.CHATTER, name="Jo")
    assert await wrong_tries(app, "203.0.113.7", 30) == [401] * 30

    held = await try_to_sign_in(from_address(app, "203.0.113.7"), JO)

    assert held.status == 429
    assert "too many wrong tries from your network" in held.text
    assert 1 <= int(held.headers["retry-after"]) <= 30
    assert (await try_to_sign_in(from_address(app, "203.0.113.8"), JO)).status == 200
    [entry] = await rows(app, "SELECT * FROM audit_log WHERE action = 'user.sign_in_held'")
    assert entry["subject_type"] == "address"
    assert "203.0.113" not in str(entry)
    await rows(app, "UPDATE address_tries SET free_at = last_at")
    assert (await try_to_sign_in(from_address(app, "203.0.113.7"), JO)).status == 200


async def test_right_passwords_are_not_counted_for_an_address(app: RunningApp) -> None:
    await with_password(app, Role.CHATTER, name="Jo")
    for _ in range(3):
        assert (await try_to_sign_in(from_address(app, "203.0.113.7"), JO)).status == 200

    [row] = await rows(app, "SELECT tries FROM address_tries")
    assert row["tries"] == 0


async def test_behind_a_proxy_on_this_machine_that_is_not_named_no_address_is_counted(
    app: RunningApp,
) -> None:
    browser = from_address(app, "127.0.0.1")
    browser.client.headers["X-Forwarded-For"] = "203.0.113.7"
    await try_to_sign_in(browser, JO)
    assert await rows(app, "SELECT 1 FROM address_tries") == []

    outside = from_address(app, "198.51.100.1")
    outside.client.headers["X-Forwarded-For"] = "127.0.0.1"
    await try_to_sign_in(outside, JO)
    assert len(await rows(app, "SELECT 1 FROM address_tries")) == 1


async def test_a_wrong_password_of_somebody_is_audited_and_one_of_nobody_is_not(
    app: RunningApp,
) -> None:
    jo = await with_password(app, Role.CHATTER, name="Jo")
    await try_to_sign_in(Browser(app), JO, "wrong" * 3)
    await try_to_sign_in(Browser(app), "nobody@example.com", "wrong" * 3)

    [entry] = await rows(app, "SELECT * FROM audit_log WHERE action = 'user.sign_in_refused'")

    assert entry["subject_id"] == str(jo.user_id)
    assert (entry["details"]["with"], entry["details"]["reason"]) == ("password", "wrong_password")
    assert set(own_details(entry)) == {"with", "reason", "address_hash"}


async def test_another_password_renews_the_session_that_set_it(app: RunningApp) -> None:
    jo = await sign_in(app, Role.CHATTER, name="Jo")
    before = jo.client.cookies["vaultcrm_session"]
    [session] = await rows(app, "SELECT id FROM sessions")

    page = await jo.press(
        await jo.open("/account"), "Set the password", password=PASSWORD, again=PASSWORD
    )

    assert "Your password is set" in page.text
    assert jo.client.cookies["vaultcrm_session"] != before
    [renewed] = await rows(app, "SELECT id FROM sessions")
    assert renewed["id"] != session["id"]
    thief = Browser(app)
    thief.client.cookies.set("vaultcrm_session", before)
    assert (await thief.open("/account")).path.startswith("/sign-in")
