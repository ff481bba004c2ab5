"""Flags and the audit log, and who may see them."""

import pytest

from tests.entrypoints.web.browser import Person, sign_in
from tests.support.app import RunningApp
from tests.support.world import conversation, rows
from vaultcrm.controls.flags import FLAG_FIELDS
from vaultcrm.domain.people import Role

pytestmark = pytest.mark.anyio

ALLOWED = {Role.CHATTER: set[str](), Role.MANAGER: {"/audit"}, Role.ADMIN: {"/audit", "/flags"}}


async def change(person: Person, flag: str, path: str = "/flags", **fields: str) -> str:
    """Fill in one flag's form; the text of the page that comes back."""
    page = await person.open(path)
    [form] = [form for form in page.forms if form.fields.get("name") == flag]
    return (await person.send("/flags", {**form.fields, **fields})).text


async def overrides(app: RunningApp) -> dict[str, object]:
    return {row["name"]: row["value"] for row in await rows(app, "SELECT * FROM flag_overrides")}


@pytest.mark.parametrize("role", ALLOWED)
async def test_pages_are_linked_and_open_to_those_whose_role_allows_them(
    app: RunningApp, role: Role
) -> None:
    person = await sign_in(app, role, name="Jo")
    start = await person.open("/inbox")

    for path in ("/audit", "/flags"):
        page = await person.open(path)
        assert (path in start.links.values()) is (path in ALLOWED[role])
        assert page.status == (200 if path in ALLOWED[role] else 403), path
        assert ("This needs the role" in page.text) is (path not in ALLOWED[role])


async def test_a_manager_cannot_send_the_flags_form(app: RunningApp) -> None:
    mary = await sign_in(app, Role.MANAGER, name="Mary")
    token = (await mary.open("/inbox")).forms[0].fields["csrf"]
    form = {"csrf": token, "name": "AI_ROLLOUT_STAGE", "value": "4", "reason": "faster"}

    assert (await mary.send("/flags", form)).status == 403
    assert await overrides(app) == {}


async def test_every_flag_is_listed_with_its_value_and_where_it_comes_from(
    app: RunningApp,
) -> None:
    ada = await sign_in(app, Role.ADMIN, name="Ada")

    text = await change(ada, "AI_RATE_LIMIT_PER_HOUR", value="7", reason="a slow week")
    page = await ada.open("/flags")

    assert "The flag is changed" in text
    for name in FLAG_FIELDS:
        assert name in page.text
    assert "AI_RATE_LIMIT_PER_HOUR 7 set here, for everybody" in page.text
    assert "AI_MAX_TOKENS_PER_DAY 100,000 from the settings" in page.text
    assert await overrides(app) == {"AI_RATE_LIMIT_PER_HOUR": 7}
    [entry] = await rows(app, "SELECT * FROM audit_log WHERE action = 'flag.changed'")
    assert entry["actor_id"] == ada.api.user_id
    assert entry["details"]["reason"] == "a slow week"


async def test_a_flag_goes_back_to_its_default(app: RunningApp) -> None:
    ada = await sign_in(app, Role.ADMIN, name="Ada")
    await change(ada, "AI_ROLLOUT_STAGE", value="3", reason="try it")
    assert "AI on · stage 3" in (await ada.open("/flags")).text

    text = await change(ada, "AI_ROLLOUT_STAGE", take_away="true", reason="enough")

    assert "AI on · stage 2" in text
    assert await overrides(app) == {}


async def test_a_flag_of_one_creator_leaves_the_others_alone(app: RunningApp) -> None:
    ada = await sign_in(app, Role.ADMIN, name="Ada")
    talk = await conversation(ada.api)
    path = f"/flags?creator={talk.creator_id}"

    await change(ada, "ENABLE_AI_CHAT", path, value="false", reason="on holiday")

    assert "ENABLE_AI_CHAT Off set for this creator" in (await ada.open(path)).text
    assert "ENABLE_AI_CHAT On from the settings" in (await ada.open("/flags")).text
    names = {form.fields.get("name") for form in (await ada.open(path)).forms}
    assert "AI_MAX_TOKENS_PER_DAY" not in names


@pytest.mark.parametrize(
    ("name", "value", "reason", "told"),
    [
        ("AI_AUTO_SEND_THRESHOLD", "101", "more", "The value: Input should be less than"),
        ("AI_AUTO_SEND_THRESHOLD", "a lot", "more", "The value: Input should be a valid integer"),
        ("AI_RATE_LIMIT_PER_HOUR", "5", " ", "The reason: say in a few words why"),
        ("AI_RATE_LIMIT_PER_HOUR", "5", "x" * 201, "The reason: at most 200 characters"),
    ],
)
async def test_a_value_that_cannot_be_is_explained_and_changes_nothing(
    app: RunningApp, name: str, value: str, reason: str, told: str
) -> None:
    ada = await sign_in(app, Role.ADMIN, name="Ada")

    assert told in await change(ada, name, value=value, reason=reason)
    assert await overrides(app) == {}


async def test_an_unknown_flag_is_refused(app: RunningApp) -> None:
    ada = await sign_in(app, Role.ADMIN, name="Ada")

    await change(ada, "AI_ROLLOUT_STAGE", name="AI_EVERYTHING", value="1", reason="why not")

    assert await overrides(app) == {}


async def test_the_audit_log_tells_who_did_what_newest_first_page_by_page(
    app: RunningApp,
) -> None:
    ada = await sign_in(app, Role.ADMIN, name="Ada")
    talk = await conversation(ada.api, creator="mia")
    for number in range(60):
        body = {"creatorId": talk.creator_id, "mode": ["auto", "off"][number % 2]}
        await ada.api.made(f"/api/conversations/{talk.conversation_id}/mode", body)

    newest = await ada.open("/audit")
    older = await ada.open(newest.link("Older entries"))

    told = "Ada changed what AI does in a conversation Mia mode"
    assert newest.text.index(f"{told} Off") < newest.text.index(f"{told} Automatic")
    assert newest.text.count(told) + older.text.count(told) == 60
    assert newest.text.count(told) == 50
    assert "Ada signed in the whole installation" in older.text


async def test_a_manager_reads_nothing_of_the_installation_or_of_foreign_creators(
    app: RunningApp,
) -> None:
    ada = await sign_in(app, Role.ADMIN, name="Ada")
    await conversation(ada.api, creator="mia", fan="one")
    await conversation(ada.api, creator="zoe", fan="two")
    mary = await sign_in(app, Role.MANAGER, name="Mary", creators=["zoe"])

    page = await mary.open("/audit")

    assert "noted that a fan was told about AI Zoe" in page.text
    assert "Mia" not in page.text
    assert "signed in" not in page.text
