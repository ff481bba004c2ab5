"""What keeps other sites, scripts and strangers' forms out of the console."""

import pytest
from fastapi.routing import APIRoute

from tests.entrypoints.web.browser import Browser, Page, Person, sign_in
from tests.support.app import RunningApp
from tests.support.world import conversation, rows
from vaultcrm.domain.ids import NIL, new_id
from vaultcrm.domain.people import Role
from vaultcrm.entrypoints.web import console

pytestmark = pytest.mark.anyio

POLICY = (
    "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self'; "
    "img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


async def mode_form(person: Person) -> tuple[str, dict[str, str]]:
    """Where the form is sent that switches a conversation's AI off, and what it carries."""
    talk = await conversation(person.api, fan=f"fan-{new_id().hex}")
    page = await person.open(f"/conversations/{talk.conversation_id}")
    form, button = page.form("Off")
    return form.action, {**form.fields, button.name: button.value}


async def modes(app: RunningApp) -> set[str]:
    return {row["mode"] for row in await rows(app, "SELECT mode FROM conversations")}


async def test_a_form_of_our_own_page_is_taken(app: RunningApp) -> None:
    mary = await sign_in(app, Role.MANAGER, name="Mary")
    path, fields = await mode_form(mary)

    assert (await mary.send(path, fields)).status == 200
    assert await modes(app) == {"off"}


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://vaultcrm.test.evil.example"},
    ],
)
async def test_a_form_that_another_site_sends_changes_nothing(
    app: RunningApp, headers: dict[str, str]
) -> None:
    mary = await sign_in(app, Role.MANAGER, name="Mary")
    path, fields = await mode_form(mary)

    page = await mary.send(path, fields, headers=headers)

    assert page.status == 403
    assert "Nothing was changed" in page.text
    assert await modes(app) == {"auto"}


@pytest.mark.parametrize("token", ["", "0" * 64, "é\x00"])
async def test_a_form_without_the_right_token_changes_nothing(app: RunningApp, token: str) -> None:
    mary = await sign_in(app, Role.MANAGER, name="Mary")
    path, fields = await mode_form(mary)

    page = await mary.send(path, {**fields, "csrf": token})

    assert page.status == 403
    assert await modes(app) == {"auto"}


async def test_the_token_of_one_session_is_no_good_in_another(app: RunningApp) -> None:
    mary = await sign_in(app, Role.MANAGER, name="Mary")
    path, fields = await mode_form(mary)
    ann = await sign_in(app, Role.MANAGER, name="Ann")

    assert (await ann.send(path, fields)).status == 403
    assert await modes(app) == {"auto"}


async def test_every_form_of_the_console_asks_for_the_token(app: RunningApp) -> None:
    ada = await sign_in(app, Role.ADMIN, name="Ada")
    asked = 0
    for route in (route for router in console.ROUTERS for route in router.routes):
        if isinstance(route, APIRoute) and route.methods == {"POST"}:
            # Before there is a session; its origin is looked at.
            if route.path in {"/sign-in", "/sign-in/code"}:
                continue
            path = route.path.replace("{generation_id}", str(NIL))
            path = path.replace("{conversation_id}", str(NIL))
            assert (await ada.send(path, {})).status == 403, path
            assert (await Browser(app).send(path, {})).path == "/sign-in", path
            asked += 1
    assert asked >= 6


async def pages_of(app: RunningApp) -> list[Page]:
    ada = await sign_in(app, Role.ADMIN, name="Ada")
    talk = await conversation(ada.api)
    await ada.api.post("/api/ai/generate", talk.asks())
    stranger = Browser(app)
    jo = await sign_in(app, Role.CHATTER, name="Jo")
    return [
        await ada.open("/queue"),
        await ada.open("/queue?tab=mine&skip=50"),
        await ada.open("/inbox"),
        await ada.open(f"/conversations/{talk.conversation_id}"),
        await ada.open("/flags"),
        await ada.open(f"/flags?creator={talk.creator_id}"),
        await ada.open("/audit"),
        await ada.open("/templates"),
        await ada.open("/personalities"),
        await ada.open("/dashboard"),
        await ada.open("/alerts"),
        await ada.open("/team"),
        await ada.open("/account"),
        await ada.open("/nothing"),
        await jo.open("/flags"),
        await ada.send("/flags", {}),
        await ada.send("/queue/1", {}),
        await stranger.open("/sign-in"),
        await stranger.open("/sign-in?token=wrong"),
        await stranger.open("/inbox", follow=False),
    ]


async def test_every_answer_forbids_foreign_scripts_frames_and_sniffing(app: RunningApp) -> None:
    for page in await pages_of(app):
        assert page.headers["content-security-policy"] == POLICY, page.path
        assert page.headers["x-content-type-options"] == "nosniff", page.path
        assert page.headers["referrer-policy"] == "same-origin", page.path
        assert page.headers["cache-control"] == "no-store", page.path


async def test_no_page_holds_script_or_style_of_its_own(app: RunningApp) -> None:
    seen = 0
    for page in await pages_of(app):
        for tag, attributes in page.elements:
            seen += 1
            assert tag not in {"style", "iframe", "object", "base"}, page.path
            assert not [
                name
                for name in attributes
                if name == "style" or name.startswith(("on", "hx-on", "data-hx-on"))
            ], page.path
            if tag == "script" and attributes.get("type") != "application/json":
                assert attributes["src"].startswith("/static/"), page.path
    assert seen > 500


async def test_static_files_are_kept_by_browsers_only_under_the_address_of_their_version(
    app: RunningApp,
) -> None:
    browser = Browser(app)
    page = await browser.open("/sign-in")
    styles = [given["href"] for _, given in page.elements if given.get("rel") == "stylesheet"]
    style = styles[0]

    kept = await browser.client.get(style)
    not_kept = await browser.client.get(style.partition("?")[0])

    assert (kept.status_code, kept.headers["content-type"]) == (200, "text/css; charset=utf-8")
    assert "immutable" in kept.headers["cache-control"]
    assert not_kept.headers["cache-control"] == "no-store"
    assert kept.headers["x-content-type-options"] == "nosniff"
    outside = await browser.client.get("/static/..%2fpages.py")
    assert outside.status_code == 404
