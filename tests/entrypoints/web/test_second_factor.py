"""The second factor: set up with an app, asked for at every sign-in, and taken away."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.entrypoints.web.accounts import PASSWORD, try_to_sign_in, with_password
from tests.entrypoints.web.browser import Browser, Page, Person, sign_in, sign_in_path
from tests.support.app import RunningApp, running_app
from tests.support.fixtures import settings
from tests.support.world import own_details, rows
from vaultcrm.controls.auth import FirstStep, second_step_token
from vaultcrm.controls.auth.totp import code_of, step_at
from vaultcrm.controls.secrets import Sealer, installation_key
from vaultcrm.domain.people import Role
from vaultcrm.workflows import manage_team

pytestmark = pytest.mark.anyio

SECOND_FACTOR = "/account/second-factor"
JO = "jo@example.com"


async def secret_of(app: RunningApp) -> bytes:
    """The secret of the one second factor that there is, as an app holds it."""
    [row] = await rows(app, "SELECT secret FROM second_factors")
    key = installation_key(app.parts.settings.vaultcrm_home, None)
    return Sealer(key).open(bytes(row["secret"]))


async def code(app: RunningApp, later: int = 0) -> str:
    """What the app shows now, or so many half minutes later."""
    return code_of(await secret_of(app), step_at(app.parts.now()) + later)


async def begin(person: Browser) -> Page:
    return await person.press(await person.open(SECOND_FACTOR), "Set it up")


async def turn_on(app: RunningApp, person: Browser) -> list[str]:
    """Set a second factor up; its recovery codes. The first code is of the half minute before."""
    page = await person.press(await begin(person), "Turn it on", code=await code(app, -1))
    assert page.status == 200, page.text
    return [text for text in page.text.split() if text.count("-") == 3]


async def with_factor(app: RunningApp, role: Role = Role.CHATTER) -> tuple[Person, list[str]]:
    person = await sign_in(app, role, name="Jo")
    await manage_team.set_password(app.parts.pool, JO, PASSWORD, app.parts.now())
    await person.open(await sign_in_path(app, "Jo"))
    return person, await turn_on(app, person)


async def audited(app: RunningApp, action: str) -> list[dict[str, object]]:
    found = await rows(
        app, "SELECT details FROM audit_log WHERE action = %(action)s ORDER BY id", action=action
    )
    return [own_details(row) for row in found]


async def test_an_app_is_shown_a_picture_and_a_key_and_nothing_is_in_force_before_its_first_code(
    app: RunningApp,
) -> None:
    jo = await sign_in(app, Role.CHATTER, name="Jo")

    page = await begin(jo)

    [picture] = [given for tag, given in page.elements if tag == "img"]
    assert picture["src"].startswith("data:image/svg+xml")
    assert picture["alt"]
    assert "Or type the key:" in page.text
    assert (await Browser(app).open(await sign_in_path(app, "Jo"))).path.startswith("/queue")


async def test_a_wrong_code_puts_nothing_in_force(app: RunningApp) -> None:
    jo = await sign_in(app, Role.CHATTER, name="Jo")

    page = await jo.press(await begin(jo), "Turn it on", code="000000")

    assert page.status == 422
    assert "Not the code that the app shows now" in page.text
    [row] = await rows(app, "SELECT confirmed_at FROM second_factors")
    assert row["confirmed_at"] is None


async def test_the_secret_is_sealed_and_recovery_codes_are_kept_as_hashes(app: RunningApp) -> None:
    _, codes = await with_factor(app)

    [factor] = await rows(app, "SELECT secret FROM second_factors")
    kept = await rows(app, "SELECT code_hash FROM recovery_codes")
    assert await secret_of(app) not in bytes(factor["secret"])
    assert len(codes) == len(kept) == 10
    assert not any(one.encode() in bytes(row["code_hash"]) for one in codes for row in kept)


async def test_turning_it_on_renews_this_session_ends_the_others_and_is_audited(
    app: RunningApp,
) -> None:
    jo = await sign_in(app, Role.CHATTER, name="Jo")
    other = Browser(app)
    await other.open(await sign_in_path(app, "Jo"))
    before = jo.client.cookies["vaultcrm_session"]

    await turn_on(app, jo)

    assert jo.client.cookies["vaultcrm_session"] != before
    assert (await jo.open("/account")).path == "/account"
    assert (await other.open("/account")).path.startswith("/sign-in")
    thief = Browser(app)
    thief.client.cookies.set("vaultcrm_session", before)
    assert (await thief.open("/account")).path.startswith("/sign-in")
    assert await audited(app, "user.second_factor_added") == [{"sessions_ended": 1}]


@pytest.mark.parametrize("way", ["password", "link"])
async def test_neither_a_password_nor_a_link_is_enough_any_more(app: RunningApp, way: str) -> None:
    await with_factor(app)
    browser = Browser(app)

    if way == "password":
        page = await try_to_sign_in(browser, JO)
    else:
        page = await browser.open(await sign_in_path(app, "Jo"))

    assert page.path == "/sign-in/code"
    assert "vaultcrm_session" not in browser.client.cookies
    assert (await browser.open("/account")).path.startswith("/sign-in")
    page = await browser.press(await browser.open("/sign-in/code"), "Sign in", code=await code(app))
    assert page.path.startswith("/queue")
    assert (await audited(app, "user.signed_in"))[-1] == {"with": way, "second": "code"}


async def test_signing_in_with_a_code_leads_on_to_the_page_that_was_asked_for(
    app: RunningApp,
) -> None:
    await with_factor(app)
    browser = Browser(app)

    page = await browser.press(await browser.open("/inbox"), "Sign in", email=JO, password=PASSWORD)
    page = await browser.press(page, "Sign in", code="111111")
    assert page.status == 401
    page = await browser.press(page, "Sign in", code=await code(app))

    assert page.path == "/inbox"


async def test_a_code_signs_in_once_even_when_it_is_sent_twice_at_once(app: RunningApp) -> None:
    await with_factor(app)
    typed = await code(app)
    browsers = [Browser(app) for _ in range(4)]
    pages = [await try_to_sign_in(browser, JO) for browser in browsers]

    answers = await asyncio.gather(
        *(
            browser.press(page, "Sign in", code=typed)
            for browser, page in zip(browsers, pages, strict=True)
        )
    )

    assert sorted(page.status for page in answers) == [200, 401, 401, 401]


async def test_a_recovery_code_signs_in_once(app: RunningApp) -> None:
    _, codes = await with_factor(app)

    for expected in (200, 401):
        browser = Browser(app)
        page = await try_to_sign_in(browser, JO)
        answer = await browser.press(page, "Sign in", code=codes[3].upper())
        assert answer.status == expected
    assert (await audited(app, "user.signed_in"))[-1]["second"] == "recovery_code"


async def test_five_wrong_codes_make_the_right_one_wait_and_are_audited(app: RunningApp) -> None:
    await with_factor(app)
    browser = Browser(app)
    page = await try_to_sign_in(browser, JO)
    for _ in range(5):
        page = await browser.press(page, "Sign in", code="000000")
        assert page.status == 401

    page = await browser.press(page, "Sign in", code=await code(app))

    assert page.status == 429
    assert "There were too many wrong codes. Wait" in page.text
    assert 1 <= int(page.headers["retry-after"]) <= 30
    refused = await audited(app, "user.sign_in_refused")
    assert [(each["with"], each["reason"]) for each in refused] == [("code", "wrong_code")] * 5
    assert await audited(app, "user.sign_in_held") == [{"wait_seconds": 30}]


async def test_what_ends_links_ends_a_sign_in_that_waits_for_its_code(app: RunningApp) -> None:
    jo, _ = await with_factor(app)
    browser = Browser(app)
    page = await try_to_sign_in(browser, JO)
    await manage_team.end_access(app.parts.pool, None, jo.api.user_id, app.parts.now())

    page = await browser.press(page, "Sign in", code=await code(app))

    assert page.status == 401
    assert "vaultcrm_session" not in browser.client.cookies


async def test_without_the_first_step_there_is_no_second(app: RunningApp) -> None:
    await with_factor(app)
    stranger = Browser(app)
    assert (await stranger.open("/sign-in/code")).path == "/sign-in"
    for made_up in ("nonsense", "a.b.c"):
        stranger.client.cookies.set("vaultcrm_step", made_up)
        page = await stranger.send("/sign-in/code", {"code": await code(app)})
        assert (page.status, "Sign in again from the beginning" in page.text) == (401, True)


async def test_new_recovery_codes_need_a_code_and_end_those_before(app: RunningApp) -> None:
    jo, codes = await with_factor(app)
    page = await jo.open(SECOND_FACTOR)
    assert "10 codes left" in page.text
    assert (await jo.press(page, "Make new codes", code="000000")).status == 422

    page = await jo.press(page, "Make new codes", code=await code(app))

    renewed = [text for text in page.text.split() if text.count("-") == 3]
    assert len(renewed) == 10
    assert set(renewed).isdisjoint(codes)
    browser = Browser(app)
    sent = await try_to_sign_in(browser, JO)
    assert (await browser.press(sent, "Sign in", code=codes[0])).status == 401
    assert (await browser.press(sent, "Sign in", code=renewed[0])).status == 200


async def test_one_takes_ones_own_away_with_a_code(app: RunningApp) -> None:
    jo, codes = await with_factor(app)
    page = await jo.open(SECOND_FACTOR)
    assert (await jo.press(page, "Take it away", code="000000")).status == 422

    page = await jo.press(page, "Take it away", code=codes[0])

    assert "Your second factor is taken away" in page.text
    assert (await try_to_sign_in(Browser(app), JO)).path.startswith("/queue")
    assert len(await audited(app, "user.second_factor_removed")) == 1


async def test_an_admin_takes_a_lost_one_away_which_signs_its_owner_out(app: RunningApp) -> None:
    jo, _ = await with_factor(app)
    ada = await sign_in(app, Role.ADMIN, name="Ada")
    page = await ada.open(f"/team/{jo.api.user_id}")
    form = next(form for form in page.forms if form.action.endswith("/second-factor"))

    page = await ada.send(form.action, form.fields)

    assert "Their second factor is taken away" in page.text
    assert (await jo.open("/account")).path.startswith("/sign-in")
    assert (await try_to_sign_in(Browser(app), JO)).path.startswith("/queue")
    [entry] = await rows(
        app, "SELECT actor_id FROM audit_log WHERE action = 'user.second_factor_removed'"
    )
    assert entry["actor_id"] == ada.api.user_id


@pytest.fixture
async def strict(database_url: str, home: Path) -> AsyncIterator[RunningApp]:
    """An installation whose admins need a second factor."""
    values = settings(database_url, home, require_second_factor="admin,manager")
    async with running_app(values) as running:
        yield running


async def test_who_needs_one_gets_nowhere_before_it_is_set_up(strict: RunningApp) -> None:
    await with_password(strict, Role.ADMIN, name="Jo")
    browser = Browser(strict)

    page = await try_to_sign_in(browser, JO)

    assert page.path == SECOND_FACTOR
    assert "Your role needs a second factor here" in page.text
    for path in ("/queue", "/account", "/team"):
        assert (await browser.open(path)).path == SECOND_FACTOR
    part = await browser.client.get("/menu", headers={"HX-Request": "true"})
    assert (part.status_code, part.headers["hx-redirect"]) == (403, SECOND_FACTOR)
    await turn_on(strict, browser)
    assert (await browser.open("/team")).path == "/team"


async def test_who_needs_one_cannot_take_it_away_and_who_does_not_is_not_asked(
    strict: RunningApp,
) -> None:
    await with_password(strict, Role.ADMIN, name="Jo")
    browser = Browser(strict)
    await try_to_sign_in(browser, JO)
    codes = await turn_on(strict, browser)
    page = await browser.open(SECOND_FACTOR)
    form, _ = page.form("Make new codes")
    sent = {"csrf": form.fields["csrf"], "code": codes[0]}

    assert "Take it away" not in page.labels
    assert (await browser.send(f"{SECOND_FACTOR}/remove", sent)).status == 409
    assert (await sign_in(strict, Role.CHATTER, name="Ann")).name == "Ann"


async def test_a_second_step_that_took_too_long_begins_anew(app: RunningApp) -> None:
    await with_factor(app)
    browser = Browser(app)
    page = await try_to_sign_in(browser, JO)
    [user] = await rows(app, "SELECT id FROM users WHERE email = %(email)s", email=JO)
    key = installation_key(app.parts.settings.vaultcrm_home, None)
    long_ago = app.parts.now() - timedelta(minutes=11)
    browser.client.cookies.set(
        "vaultcrm_step",
        second_step_token(FirstStep(user["id"], "password", long_ago), key),
        path="/sign-in",
        domain="vaultcrm.test",
    )

    page = await browser.press(page, "Sign in", code=await code(app))

    assert page.status == 401
    assert "That took too long" in page.text
