"""Signing in with e-mail and password: who is let in, and what those learn who are not."""

import asyncio
from datetime import timedelta

import pytest

from tests.entrypoints.web.accounts import HELD, PASSWORD, WRONG, try_to_sign_in, with_password
from tests.entrypoints.web.browser import Browser, sign_in, sign_in_path
from tests.support.app import RunningApp
from tests.support.world import own_details, rows
from tests.support.world import sign_in as add_person
from vaultcrm.domain.people import Role
from vaultcrm.workflows import manage_team

pytestmark = pytest.mark.anyio

JO = "jo@example.com"


async def test_e_mail_and_password_open_the_console_and_the_audit_log_says_so(
    app: RunningApp,
) -> None:
    jo = await with_password(app, Role.CHATTER, name="Jo")
    browser = Browser(app)

    page = await try_to_sign_in(browser, "  JO@Example.com ")

    assert (page.status, page.path.partition("?")[0]) == (200, "/queue")
    [entry] = await rows(app, "SELECT * FROM audit_log WHERE action = 'user.signed_in'")
    assert (entry["actor_id"], own_details(entry)) == (jo.user_id, {"with": "password"})


async def test_whoever_is_refused_learns_nothing_about_who_has_an_account(app: RunningApp) -> None:
    await with_password(app, Role.CHATTER, name="Jo")
    await add_person(app, Role.CHATTER, name="NoPassword")
    gone = await with_password(app, Role.CHATTER, name="Gone")
    await manage_team.disable(app.parts.pool, None, gone.user_id, app.parts.now())
    told = set()
    for email, password in (
        (JO, "wrong from the beginning"),
        ("nobody@example.com", PASSWORD),
        ("nopassword@example.com", PASSWORD),
        ("gone@example.com", PASSWORD),
    ):
        browser = Browser(app)
        page = await try_to_sign_in(browser, email, password)
        assert page.status == 401
        assert "set-cookie" not in page.headers
        told.add(page.html.replace(email, "EMAIL"))
    assert len(told) == 1
    assert WRONG in told.pop()
    assert await rows(app, "SELECT 1 FROM sessions") == []


async def test_the_page_keeps_the_e_mail_and_never_the_password(app: RunningApp) -> None:
    page = await try_to_sign_in(Browser(app), JO, "what I typed here")

    form, _ = page.form("Sign in")
    assert (form.fields["email"], form.fields["password"]) == (JO, "")
    assert "what I typed here" not in page.html


async def test_an_empty_form_is_answered_with_what_is_missing_and_counts_as_no_try(
    app: RunningApp,
) -> None:
    page = await try_to_sign_in(Browser(app), JO, "")

    assert page.status == 422
    assert "Type your e-mail and your password." in page.text
    assert await rows(app, "SELECT 1 FROM sign_in_tries") == []


async def test_after_five_wrong_tries_even_the_right_password_has_to_wait(app: RunningApp) -> None:
    await with_password(app, Role.CHATTER, name="Jo")
    browser = Browser(app)
    for _ in range(5):
        assert (await try_to_sign_in(browser, JO, "wrong" * 3)).status == 401

    page = await try_to_sign_in(browser, JO)

    assert (page.status, HELD in page.text) == (429, True)
    assert 1 <= int(page.headers["retry-after"]) <= 30
    assert "Wait 30 seconds" in page.text or "Wait 2" in page.text
    assert "sign in with a link at once" in page.text
    [entry] = await rows(app, "SELECT details FROM audit_log WHERE action = 'user.sign_in_held'")
    assert own_details(entry) == {"wait_seconds": 30}


async def test_an_address_that_nobody_has_waits_like_any_other(app: RunningApp) -> None:
    browser = Browser(app)
    statuses = [(await try_to_sign_in(browser, "nobody@example.com", "x")).status for _ in range(6)]
    assert statuses == [401] * 5 + [429]


async def test_many_tries_at_once_are_no_more_than_many_in_a_row(app: RunningApp) -> None:
    await with_password(app, Role.CHATTER, name="Jo")

    async def one() -> int:
        return (await Browser(app).send("/sign-in", {"email": JO, "password": "x" * 12})).status

    statuses = await asyncio.gather(*(one() for _ in range(12)))

    assert sorted(statuses) == [401] * 5 + [429] * 7


async def test_while_an_address_waits_a_link_signs_in_and_others_use_their_passwords(
    app: RunningApp,
) -> None:
    await with_password(app, Role.CHATTER, name="Jo")
    await with_password(app, Role.CHATTER, name="Ann")
    for _ in range(6):
        await try_to_sign_in(Browser(app), JO, "x" * 12)

    assert (await try_to_sign_in(Browser(app), JO)).status == 429
    assert (await Browser(app).open(await sign_in_path(app, "Jo"))).status == 200
    assert (await try_to_sign_in(Browser(app), "ann@example.com")).status == 200


async def test_when_the_wait_is_over_the_right_password_is_taken_and_wrong_tries_are_forgotten(
    app: RunningApp,
) -> None:
    await with_password(app, Role.CHATTER, name="Jo")
    for _ in range(5):
        await try_to_sign_in(Browser(app), JO, "x" * 12)
    await rows(app, "UPDATE sign_in_tries SET free_at = last_at")

    assert (await try_to_sign_in(Browser(app), JO)).status == 200

    for _ in range(4):
        assert (await try_to_sign_in(Browser(app), JO, "x" * 12)).status == 401
    assert (await try_to_sign_in(Browser(app), JO)).status == 200


async def test_each_wrong_try_after_a_wait_brings_one_twice_as_long(app: RunningApp) -> None:
    waits = []
    for number in range(7):
        assert (await try_to_sign_in(Browser(app), JO, "x" * 12)).status == 401, number
        [row] = await rows(app, "SELECT free_at - last_at AS wait FROM sign_in_tries")
        waits.append(row["wait"])
        await rows(app, "UPDATE sign_in_tries SET free_at = last_at")
    assert waits == [None] * 4 + [timedelta(seconds=30 * 2**n) for n in range(3)]


async def test_wrong_tries_of_more_than_a_quarter_of_an_hour_ago_count_no_more(
    app: RunningApp,
) -> None:
    for _ in range(4):
        await try_to_sign_in(Browser(app), JO, "x" * 12)
    await rows(app, "UPDATE sign_in_tries SET last_at = last_at - interval '16 minutes'")

    for _ in range(5):
        assert (await try_to_sign_in(Browser(app), JO, "x" * 12)).status == 401
    assert (await try_to_sign_in(Browser(app), JO, "x" * 12)).status == 429


async def test_old_tries_and_ended_sessions_do_not_pile_up(app: RunningApp) -> None:
    await with_password(app, Role.CHATTER, name="Jo")
    await try_to_sign_in(Browser(app), "long.ago@example.com", "x" * 12)
    await try_to_sign_in(Browser(app), JO)
    await try_to_sign_in(Browser(app), JO)
    await rows(app, "UPDATE sign_in_tries SET last_at = last_at - interval '1 hour'")
    await rows(app, "UPDATE sessions SET last_used_at = last_used_at - interval '3 hours'")

    await try_to_sign_in(Browser(app), JO)

    assert await rows(app, "SELECT 1 FROM sign_in_tries") == []
    assert len(await rows(app, "SELECT 1 FROM sessions")) == 1


@pytest.mark.parametrize(
    "headers",
    [{"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}, {"Origin": "null"}],
)
async def test_another_site_cannot_sign_a_visitor_in(
    app: RunningApp, headers: dict[str, str]
) -> None:
    await with_password(app, Role.CHATTER, name="Jo")

    page = await Browser(app).send("/sign-in", {"email": JO, "password": PASSWORD}, headers=headers)

    assert page.status == 403
    assert await rows(app, "SELECT 1 FROM sessions") == []


async def test_signing_in_leads_on_to_the_page_that_was_asked_for(app: RunningApp) -> None:
    await with_password(app, Role.ADMIN, name="Ada")
    browser = Browser(app)

    page = await browser.open("/flags?creator=&done=flag")
    page = await browser.press(page, "Sign in", email="ada@example.com", password="x" * 12)
    page = await browser.press(page, "Sign in", email="ada@example.com", password=PASSWORD)

    assert (page.status, page.path) == (200, "/flags?creator=&done=flag")


@pytest.mark.parametrize(
    "onward",
    [
        "//evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "/\t/evil.example",
        "/\n/evil.example",
        "https://evil.example",
        "javascript:alert(1)",
        "evil.example",
        "/sign-in?next=/team",
        "/" + "x" * 2000,
        "",
    ],
)
async def test_signing_in_never_leads_to_another_site(app: RunningApp, onward: str) -> None:
    await with_password(app, Role.CHATTER, name="Jo")
    fields = {"email": JO, "password": PASSWORD, "next": onward}

    page = await Browser(app).send("/sign-in", fields, follow=False)
    shown = await Browser(app).client.get("/sign-in", params={"next": onward})

    assert (page.status, page.headers["location"]) == (303, "/")
    assert 'name="next"' not in shown.text


async def test_a_part_of_a_page_that_asks_without_a_session_sends_the_whole_page_to_sign_in(
    app: RunningApp,
) -> None:
    asked = {"HX-Request": "true", "HX-Current-URL": "http://vaultcrm.test/queue?tab=mine"}

    answer = await Browser(app).client.get("/menu", headers=asked)

    assert answer.status_code == 401
    assert answer.headers["hx-redirect"] == "/sign-in?next=%2Fqueue%3Ftab%3Dmine"


async def last_used(app: RunningApp) -> object:
    [row] = await rows(app, "SELECT last_used_at FROM sessions")
    return row["last_used_at"]


async def test_using_a_session_keeps_it_and_is_written_down_once_a_minute(app: RunningApp) -> None:
    jo = await sign_in(app, Role.CHATTER, name="Jo")
    at_first = await last_used(app)
    await jo.open("/account")
    assert await last_used(app) == at_first
    await rows(app, "UPDATE sessions SET last_used_at = last_used_at - interval '119 minutes'")

    assert (await jo.open("/account")).path == "/account"

    [row] = await rows(
        app, "SELECT now() - last_used_at < interval '1 minute' AS noted FROM sessions"
    )
    assert row["noted"]
    [seen] = await rows(
        app, "SELECT now() - last_seen_at < interval '1 minute' AS it FROM people_seen"
    )
    assert seen["it"]


async def test_a_page_that_refreshes_itself_keeps_no_session_alive(app: RunningApp) -> None:
    jo = await sign_in(app, Role.CHATTER, name="Jo")
    await rows(app, "UPDATE sessions SET last_used_at = last_used_at - interval '1 hour'")
    before = await last_used(app)

    by_itself = {"HX-Request": "true", "HX-Source": "nav#menu"}
    assert (await jo.client.get("/menu", headers=by_itself)).status_code == 200
    assert await last_used(app) == before

    by_somebody = {"HX-Request": "true", "HX-Source": "a#next"}
    assert (await jo.client.get("/menu", headers=by_somebody)).status_code == 200
    assert await last_used(app) != before


async def test_a_link_that_was_made_before_access_was_ended_opens_nothing(app: RunningApp) -> None:
    jo = await add_person(app, Role.CHATTER, name="Jo")
    old = await sign_in_path(app, "Jo")
    await manage_team.end_access(app.parts.pool, None, jo.user_id, app.parts.now())
    new = await sign_in_path(app, "Jo")

    assert (await Browser(app).open(old)).status == 401
    assert (await Browser(app).open(new)).status == 200
