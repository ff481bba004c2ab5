"""One's own account: the password, and where one is signed in."""

import pytest

from tests.entrypoints.web.accounts import HELD, PASSWORD, try_to_sign_in, with_password
from tests.entrypoints.web.browser import Browser, Page, Person, sign_in, sign_in_path
from tests.support.app import RunningApp
from tests.support.world import rows
from vaultcrm.domain.people import Role

pytestmark = pytest.mark.anyio

JO = "jo@example.com"
NEW = "another long and quiet river"


async def set_password(person: Person, password: str = PASSWORD) -> Page:
    page = await person.open("/account")
    return await person.press(page, "Set the password", password=password, again=password)


async def change_password(person: Browser, current: str, new: str = NEW) -> Page:
    page = await person.open("/account")
    return await person.press(page, "Change the password", current=current, password=new, again=new)


async def test_whoever_came_by_a_link_sets_a_password_and_signs_in_with_it(
    app: RunningApp,
) -> None:
    jo = await sign_in(app, Role.CHATTER, name="Jo")

    page = await set_password(jo)

    assert "Your password is set." in page.text
    assert (await try_to_sign_in(Browser(app), JO)).status == 200
    [entry] = await rows(app, "SELECT * FROM audit_log WHERE action = 'user.password_set'")
    assert (entry["actor_id"], entry["subject_id"]) == (jo.api.user_id, str(jo.api.user_id))


async def test_the_database_keeps_no_password(app: RunningApp) -> None:
    await set_password(await sign_in(app, Role.CHATTER, name="Jo"))

    [kept] = await rows(app, "SELECT hash FROM passwords")
    assert kept["hash"].startswith("$argon2id$")
    assert PASSWORD not in kept["hash"]


async def test_whoever_has_a_password_must_know_it_to_change_it(app: RunningApp) -> None:
    jo = await sign_in(app, Role.CHATTER, name="Jo")
    await set_password(jo)

    page = await change_password(jo, "not my password")

    assert page.status == 422
    assert "Not your password" in page.text
    assert (await try_to_sign_in(Browser(app), JO, NEW)).status == 401
    assert "Your password is set." in (await change_password(jo, PASSWORD)).text
    assert (await try_to_sign_in(Browser(app), JO, NEW)).status == 200


async def test_the_password_cannot_be_guessed_through_an_open_session(app: RunningApp) -> None:
    jo = await sign_in(app, Role.CHATTER, name="Jo")
    await set_password(jo)
    for _ in range(5):
        assert (await change_password(jo, "not my password")).status == 422

    page = await change_password(jo, PASSWORD)

    assert (page.status, HELD in page.text) == (429, True)
    assert int(page.headers["retry-after"]) >= 1


@pytest.mark.parametrize(
    ("password", "again", "told"),
    [
        ("short", "short", "At least 12 characters; this one has 5"),
        (PASSWORD, PASSWORD + ".", "Not the same as the new password"),
        ("x" * 201, "x" * 201, "At most 200 characters; this one has 201"),
    ],
)
async def test_a_password_that_cannot_be_set_is_said_beside_its_field_and_not_sent_back(
    app: RunningApp, password: str, again: str, told: str
) -> None:
    jo = await sign_in(app, Role.CHATTER, name="Jo")

    page = await jo.press(
        await jo.open("/account"), "Set the password", password=password, again=again
    )

    assert (page.status, told in page.text) == (422, True)
    wrong = [given for _, given in page.elements if given.get("aria-invalid") == "true"]
    [told_by] = [given["aria-describedby"] for given in wrong]
    assert any(given.get("id") == told_by for _, given in page.elements)
    assert password not in page.html
    assert await rows(app, "SELECT 1 FROM passwords") == []


async def test_a_new_password_ends_all_other_sessions_and_the_links_made_before(
    app: RunningApp,
) -> None:
    here = await sign_in(app, Role.CHATTER, name="Jo")
    link = await sign_in_path(app, "Jo")
    there = Browser(app)
    await there.open(link)

    await set_password(here)

    assert (await here.open("/account")).path == "/account"
    assert (await there.open("/account")).path == "/sign-in?next=%2Faccount"
    assert (await Browser(app).open(link)).status == 401


async def test_one_sees_where_one_is_signed_in_and_ends_one_session_or_all_others(
    app: RunningApp,
) -> None:
    here = await sign_in(app, Role.CHATTER, name="Jo")
    others = [Browser(app) for _ in range(3)]
    for other, said in zip(others, ("Firefox/147.0 Windows", "Safari/6 iPhone", ""), strict=True):
        other.client.headers["User-Agent"] = said
        await other.open(await sign_in_path(app, "Jo"))

    page = await here.open("/account")
    assert page.text.count("This one") == 1
    for device in ("Firefox on Windows", "Safari on iPhone", "A browser"):
        assert device in page.text
    [first] = await rows(app, "SELECT id FROM sessions WHERE device = 'Firefox on Windows'")
    [form] = [form for form in page.forms if form.action.endswith(str(first["id"]))]
    page = await here.send(form.action, form.fields)

    assert "That browser is signed out." in page.text
    assert "Firefox on Windows" not in page.text
    assert (await others[0].open("/account")).path != "/account"
    assert (await others[1].open("/account")).path == "/account"
    page = await here.press(page, "Sign out everywhere else")
    assert "Sign out everywhere else" not in page.labels
    assert (await others[1].open("/account")).path != "/account"
    assert (await here.open("/account")).path == "/account"
    entries = await rows(
        app, "SELECT details FROM audit_log WHERE action = 'user.sessions_ended' ORDER BY id"
    )
    assert [entry["details"]["sessions_ended"] for entry in entries] == [1, 2]


async def test_nobody_ends_the_session_of_another(app: RunningApp) -> None:
    jo = await sign_in(app, Role.CHATTER, name="Jo")
    [session] = await rows(app, "SELECT id FROM sessions")
    ada = await sign_in(app, Role.ADMIN, name="Ada")
    form, _ = (await ada.open("/account")).form("Sign out")

    page = await ada.send(f"/account/sessions/{session['id']}", {"csrf": form.fields["csrf"]})

    assert page.status == 404
    assert (await jo.open("/account")).path == "/account"


async def test_a_password_that_was_set_in_two_browsers_at_once_is_the_first_ones(
    app: RunningApp,
) -> None:
    jo = await sign_in(app, Role.CHATTER, name="Jo")
    page = await jo.open("/account")
    await with_password_meanwhile(app)

    answer = await jo.press(page, "Set the password", password=NEW, again=NEW)

    assert answer.status == 422
    assert (await try_to_sign_in(Browser(app), JO, NEW)).status == 401


async def with_password_meanwhile(app: RunningApp) -> None:
    """Jo gets a password in another browser; this one's session goes on."""
    ann = await with_password(app, Role.CHATTER, name="Ann")
    await rows(
        app,
        "UPDATE passwords SET user_id = (SELECT id FROM users WHERE email = %(jo)s) "
        "WHERE user_id = %(ann)s",
        jo=JO,
        ann=ann.user_id,
    )
