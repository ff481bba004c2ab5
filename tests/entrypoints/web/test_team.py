"""The team: admins let people in, say what they may do, and show them out."""

from typing import Any
from uuid import UUID

import pytest

from tests.entrypoints.web.accounts import PASSWORD, try_to_sign_in, with_password
from tests.entrypoints.web.browser import Browser, Page, Person, read, sign_in, sign_in_path
from tests.support.app import RunningApp
from tests.support.world import SignedIn, Talk, conversation, rows
from tests.support.world import sign_in as add_person
from vaultcrm.domain.ids import new_id
from vaultcrm.domain.people import SYSTEM_USER_ID, Role

pytestmark = pytest.mark.anyio


async def send(person: Person, path: str, **fields: Any) -> Page:
    """Send a form of the team's; a list is so many ticked boxes."""
    form, _ = (await person.open("/account")).form("Sign out")
    answer = await person.client.post(
        path,
        data={"csrf": form.fields["csrf"], **fields},
        headers={"Origin": "http://vaultcrm.test"},
        follow_redirects=True,
    )
    return read(answer)


async def add(ada: Person, email: str = "jo@example.com", **fields: Any) -> Page:
    return await send(ada, "/team", **({"email": email, "role": "chatter"} | fields))


def link_on(page: Page) -> str:
    [link] = [given["value"] for _, given in page.elements if given.get("id") == "link"]
    return link.removeprefix("http://127.0.0.1:8000")


def row_of(page: Page, name: str) -> str:
    """What the list says of somebody, up to the next one."""
    return page.text.partition(name)[2][:120]


async def person_id(app: RunningApp, email: str) -> UUID:
    [row] = await rows(app, "SELECT id FROM users WHERE email = %(email)s", email=email)
    found: UUID = row["id"]
    return found


async def actions(app: RunningApp, user_id: UUID) -> list[str]:
    found = await rows(
        app, "SELECT action FROM audit_log WHERE subject_id = %(id)s ORDER BY id", id=str(user_id)
    )
    return [row["action"] for row in found]


async def test_an_admin_adds_a_person_who_comes_in_by_the_link_and_sees_their_creators_only(
    app: RunningApp,
) -> None:
    ada = await sign_in(app, Role.ADMIN, name="Ada")
    mia = await conversation(ada.api, creator="mia", fan="tom")
    await conversation(ada.api, creator="nova", fan="ann")

    form, _ = (await ada.open("/team/new")).form("Add and show the link")
    assert (form.method, form.action) == ("post", "/team")
    page = await add(ada, **jo_typed(mia))

    assert "Jo Doe is added" in page.text
    jo = Browser(app)
    assert (await jo.open(link_on(page))).status == 200
    user_id = await person_id(app, "jo@example.com")
    assigned = await rows(app, "SELECT creator_id, user_id FROM creator_assignments")
    assert assigned == [{"creator_id": UUID(mia.creator_id), "user_id": user_id}]
    assert await actions(app, user_id) == ["user.added", "user.link_made", "user.signed_in"]


def jo_typed(talk: Talk) -> dict[str, Any]:
    return {
        "email": " Jo@Example.com",
        "name": "  Jo   Doe ",
        "role": "chatter",
        "scope": "some",
        "creators": [talk.creator_id],
    }


async def test_the_list_says_what_people_may_do_and_whether_they_have_come(app: RunningApp) -> None:
    ada = await sign_in(app, Role.ADMIN, name="Ada")
    await conversation(ada.api, creator="mia")
    await add_person(app, Role.CHATTER, name="Invited", creators=["mia"])
    await add_person(app, Role.CHATTER, name="Blind", creators=[])
    await sign_in(app, Role.MANAGER, name="Mary")
    gone = await add_person(app, Role.CHATTER, name="Gone")
    await send(ada, f"/team/{gone.user_id}/disable")

    page = await ada.open("/team")

    assert "Chatter Mia never Invited" in row_of(page, "invited@example.com")
    assert "none: they see nothing" in row_of(page, "blind@example.com")
    assert "Manager All" in row_of(page, "mary@example.com")
    assert "Signed in" in row_of(page, "mary@example.com")
    assert "Disabled" in row_of(page, "gone@example.com")
    assert "VaultCRM@" not in page.text


@pytest.mark.parametrize("role", [Role.CHATTER, Role.MANAGER])
async def test_only_admins_see_or_change_the_team(app: RunningApp, role: Role) -> None:
    mary = await sign_in(app, role, name="Mary")
    jo = await add_person(app, Role.CHATTER, name="Jo")

    for path in ("/team", "/team/new", f"/team/{jo.user_id}"):
        assert (await mary.open(path)).status == 403, path
    assert (await add(mary, "new@example.com")).status == 403
    for act in ("link", "sign-out", "password", "disable", "enable"):
        assert (await send(mary, f"/team/{jo.user_id}/{act}")).status == 403, act
    changed = await send(mary, f"/team/{jo.user_id}/access", role="admin", scope="all")
    assert changed.status == 403
    assert await actions(app, jo.user_id) == ["user.added", "token.created"]
    assert "/team" not in (await mary.open("/account")).links.values()


@pytest.mark.parametrize(
    ("email", "status", "told"),
    [
        ("jo", 422, "An address such as jo@example.com"),
        ("", 422, "An address such as jo@example.com"),
        ("two words@example.com", 422, "An address such as"),
        ("ADA@example.com", 409, "There is a user with the address ada@example.com already."),
    ],
)
async def test_an_address_that_cannot_be_added_is_said_beside_it_and_what_was_typed_stays(
    app: RunningApp, email: str, status: int, told: str
) -> None:
    ada = await sign_in(app, Role.ADMIN, name="Ada")

    page = await add(ada, email, name="Jo <b>Doe</b>", role="manager", scope="all")

    assert (page.status, told in page.text) == (status, True)
    form, _ = page.form("Add and show the link")
    assert (form.fields["email"], form.fields["name"]) == (email, "Jo <b>Doe</b>")
    assert (form.fields["role"], form.fields["scope"]) == ("manager", "all")
    assert len(await rows(app, "SELECT 1 FROM users WHERE role <> 'service'")) == 1


@pytest.mark.parametrize("name", ["x" * 101, "<img src=x onerror=alert(1)>", "عبد الرحمن", ""])
async def test_names_are_shown_as_they_are_and_of_bounded_length(
    app: RunningApp, name: str
) -> None:
    ada = await sign_in(app, Role.ADMIN, name="Ada")

    page = await add(ada, name=name)

    if len(name) > 100:
        assert (page.status, "At most 100 characters" in page.text) == (422, True)
    else:
        assert f"{name or 'jo'} is added" in page.text
        assert not any(tag == "img" for tag, _ in page.elements)


async def role_and_creators(app: RunningApp, user_id: UUID) -> tuple[str, bool, int]:
    [row] = await rows(
        app,
        "SELECT role, all_creators, (SELECT count(*) FROM creator_assignments a "
        "WHERE a.user_id = u.id) AS creators FROM users u WHERE id = %(id)s",
        id=user_id,
    )
    return row["role"], row["all_creators"], row["creators"]


async def test_a_new_role_ends_a_persons_sessions_and_new_creators_do_not(app: RunningApp) -> None:
    ada = await sign_in(app, Role.ADMIN, name="Ada")
    talks = [await conversation(ada.api, creator=name) for name in ("mia", "nova", "wren")]
    jo = await sign_in(app, Role.CHATTER, name="Jo", creators=["mia"])
    path, ids = f"/team/{jo.api.user_id}/access", [talk.creator_id for talk in talks]

    page = await send(ada, path, role="chatter", scope="some", creators=ids[1:])
    assert "Saved." in page.text
    assert await role_and_creators(app, jo.api.user_id) == ("chatter", False, 2)
    assert (await jo.open("/account")).path == "/account"

    await send(ada, path, role="manager", scope="all")
    assert await role_and_creators(app, jo.api.user_id) == ("manager", True, 0)
    assert (await jo.open("/account")).path == "/sign-in?next=%2Faccount"
    await jo.open(await sign_in_path(app, "Jo"))
    assert (await jo.open("/audit")).status == 200


async def test_saving_what_is_already_so_changes_nothing_and_is_no_audit_entry(
    app: RunningApp,
) -> None:
    ada = await sign_in(app, Role.ADMIN, name="Ada")
    jo = await add_person(app, Role.CHATTER, name="Jo")
    before = await actions(app, jo.user_id)

    await send(ada, f"/team/{jo.user_id}/access", role="chatter", scope="all")

    assert await actions(app, jo.user_id) == before


async def test_a_disabled_person_is_out_at_once_everywhere_and_back_only_with_a_new_link(
    app: RunningApp,
) -> None:
    ada = await sign_in(app, Role.ADMIN, name="Ada")
    jo = await sign_in(app, Role.CHATTER, name="Jo")
    link = await sign_in_path(app, "Jo")
    person = await ada.open(f"/team/{jo.api.user_id}")

    page = await ada.press(person, "Disable")

    assert "They cannot sign in any more." in page.text
    assert "Make a link" not in page.labels
    assert (await jo.open("/account")).path == "/sign-in?next=%2Faccount"
    assert (await jo.api.get("/api/creators")).status_code == 401
    assert (await Browser(app).open(link)).status == 401
    refused = await send(ada, f"/team/{jo.api.user_id}/link")
    assert (refused.status, "Enable them first." in refused.text) == (409, True)

    page = await ada.press(page, "Enable")
    assert "They can sign in again" in page.text
    assert (await jo.open("/account")).path == "/sign-in?next=%2Faccount"
    assert (await Browser(app).open(link)).status == 401
    page = await ada.press(page, "Make a link")
    assert (await Browser(app).open(link_on(page))).status == 200
    assert await actions(app, jo.api.user_id) == [
        "user.added",
        "token.created",
        "user.signed_in",
        "user.disabled",
        "user.enabled",
        "user.link_made",
        "user.signed_in",
    ]


async def test_signing_somebody_out_everywhere_ends_their_sessions_and_links(
    app: RunningApp,
) -> None:
    ada = await sign_in(app, Role.ADMIN, name="Ada")
    jo = await sign_in(app, Role.CHATTER, name="Jo")
    link = await sign_in_path(app, "Jo")

    page = await ada.press(await ada.open(f"/team/{jo.api.user_id}"), "Sign out everywhere")

    assert "They are signed out everywhere" in page.text
    assert (await jo.open("/account")).path == "/sign-in?next=%2Faccount"
    assert (await Browser(app).open(link)).status == 401


async def test_a_forgotten_password_is_taken_away_and_another_set_after_a_link(
    app: RunningApp,
) -> None:
    ada = await sign_in(app, Role.ADMIN, name="Ada")
    jo = await with_password(app, Role.CHATTER, name="Jo")

    page = await ada.press(await ada.open(f"/team/{jo.user_id}"), "Take it away")

    assert "Take it away" not in page.labels
    assert (await try_to_sign_in(Browser(app), "jo@example.com")).status == 401
    again = Browser(app)
    await again.open(link_on(await ada.press(page, "Make a link")))
    await again.press(
        await again.open("/account"), "Set the password", password=PASSWORD, again=PASSWORD
    )
    assert (await try_to_sign_in(Browser(app), "jo@example.com")).status == 200


async def test_admins_cannot_disable_or_demote_themselves(app: RunningApp) -> None:
    ada = await sign_in(app, Role.ADMIN, name="Ada")
    await add_person(app, Role.ADMIN, name="Abe")
    mine = f"/team/{ada.api.user_id}"

    disabled = await send(ada, f"{mine}/disable")
    demoted = await send(ada, f"{mine}/access", role="chatter", scope="all")

    assert (disabled.status, "You cannot disable yourself." in disabled.text) == (409, True)
    assert (demoted.status, "You cannot change your own role." in demoted.text) == (409, True)
    assert "Disable" not in (await ada.open(mine)).labels
    assert await role_and_creators(app, ada.api.user_id) == ("admin", True, 0)


async def test_admins_cannot_lock_themselves_out_from_the_team_page(app: RunningApp) -> None:
    await with_password(app, Role.ADMIN, name="Ada")
    browser = Browser(app)
    await try_to_sign_in(browser, "ada@example.com")
    mine = f"/team/{await person_id(app, 'ada@example.com')}"
    form, _ = (await browser.open("/account")).form("Sign out")

    for act in ("sign-out", "password"):
        page = await browser.send(f"{mine}/{act}", {"csrf": form.fields["csrf"]})
        assert (page.status, "are on your account page" in page.text) == (409, True)

    page = await browser.open(mine)
    assert {"Sign out everywhere", "Take it away", "Disable"}.isdisjoint(page.labels)
    assert (await try_to_sign_in(Browser(app), "ada@example.com")).status == 200


async def test_an_admin_demotes_another_admin(app: RunningApp) -> None:
    ada = await sign_in(app, Role.ADMIN, name="Ada")
    abe = await sign_in(app, Role.ADMIN, name="Abe")

    page = await send(ada, f"/team/{abe.api.user_id}/access", role="chatter", scope="all")

    assert page.status == 200
    assert await role_and_creators(app, abe.api.user_id) == ("chatter", True, 0)


async def program(app: RunningApp) -> SignedIn:
    return await add_person(app, Role.SERVICE, name="crm")


async def test_programs_are_no_people_of_the_team(app: RunningApp) -> None:
    ada = await sign_in(app, Role.ADMIN, name="Ada")
    crm = await program(app)

    for user_id in (crm.user_id, SYSTEM_USER_ID, new_id()):
        assert (await ada.open(f"/team/{user_id}")).status == 404
        assert (await send(ada, f"/team/{user_id}/disable")).status == 404
    made = await add(ada, role="service")
    assert (made.status, "Role: Chatter, manager or admin" in made.text) == (422, True)
    assert (await crm.get("/api/creators")).status_code == 200


async def test_an_admin_of_some_creators_gives_and_takes_away_no_others(app: RunningApp) -> None:
    ada = await sign_in(app, Role.ADMIN, name="Ada")
    mia, nova = [(await conversation(ada.api, creator=name)).creator_id for name in ("mia", "nova")]
    abe = await sign_in(app, Role.ADMIN, name="Abe", creators=["mia"])
    jo = await add_person(app, Role.CHATTER, name="Jo", creators=["nova"])
    path = f"/team/{jo.user_id}/access"

    await send(abe, path, role="chatter", scope="some", creators=[mia])
    assert await role_and_creators(app, jo.user_id) == ("chatter", False, 2)
    await send(abe, path, role="chatter", scope="some")
    left = await rows(
        app, "SELECT creator_id FROM creator_assignments WHERE user_id = %(i)s", i=jo.user_id
    )
    assert left == [{"creator_id": UUID(nova)}]

    everything = await send(abe, path, role="chatter", scope="all")
    assert everything.status == 403
    assert (await add(abe, "new@example.com", scope="all")).status == 403
    own = await send(
        abe, f"/team/{abe.api.user_id}/access", role="admin", scope="some", creators=[mia, nova]
    )
    assert own.status == 200
    assert await role_and_creators(app, abe.api.user_id) == ("admin", False, 1)
