"""Flags and the audit log, and who may see them."""

from datetime import timedelta

import pytest

from tests.entrypoints.web.browser import Person, sign_in
from tests.support.app import RunningApp
from tests.support.world import conversation, rows, set_flag
from vaultcrm.controls.flags import FLAG_FIELDS
from vaultcrm.domain.people import Role

pytestmark = pytest.mark.anyio

OFF = "Yes, switch all AI off"
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


async def test_the_audit_log_is_filtered_by_person_deed_creator_subject_and_day(
    app: RunningApp,
) -> None:
    ada = await sign_in(app, Role.ADMIN, name="Ada")
    bea = await sign_in(app, Role.ADMIN, name="Bea")
    one = await conversation(ada.api, creator="mia", fan="one")
    two = await conversation(bea.api, creator="zoe", fan="two")
    for person, talk in ((ada, one), (bea, two)):
        body = {"creatorId": talk.creator_id, "mode": "off"}
        await person.api.made(f"/api/conversations/{talk.conversation_id}/mode", body)
    await rows(
        app,
        "UPDATE audit_log SET at = at - '2 days'::interval WHERE actor_id = %(bea)s "
        "AND action = 'conversation.mode_changed'",
        bea=bea.api.user_id,
    )
    by_ada = "Ada changed what AI does in a conversation Mia"
    by_bea = "Bea changed what AI does in a conversation Zoe"
    today = app.parts.now().date()
    yesterday = today - timedelta(days=1)
    what = "what=conversation.mode_changed"

    for query, seen in (
        (what, {by_ada, by_bea}),
        (f"{what}&who={ada.api.user_id}", {by_ada}),
        (f"{what}&creator={two.creator_id}", {by_bea}),
        (f"subject={one.conversation_id}", {by_ada}),
        (f"{what}&from={yesterday}", {by_ada}),
        (f"{what}&to={yesterday}", {by_bea}),
        (f"{what}&from=soon&to=&who=&creator=", {by_ada, by_bea}),
        ("what=user.signed_in", set()),
    ):
        page = await ada.open(f"/audit?{query}")
        assert page.status == 200
        assert {told for told in (by_ada, by_bea) if told in page.text} == seen, query


async def test_a_filter_stays_while_somebody_goes_through_its_pages(app: RunningApp) -> None:
    ada = await sign_in(app, Role.ADMIN, name="Ada")
    talk = await conversation(ada.api)
    for number in range(55):
        body = {"creatorId": talk.creator_id, "mode": ["auto", "off"][number % 2]}
        await ada.api.made(f"/api/conversations/{talk.conversation_id}/mode", body)

    query = f"what=conversation.mode_changed&creator={talk.creator_id}"
    older = await ada.open((await ada.open(f"/audit?{query}")).link("Older entries"))

    assert older.text.count("Ada changed what AI does") == 5
    assert "signed in the whole" not in older.text
    assert query in older.link("To the newest")
    [form] = [form for form in older.forms if form.action == "/audit"]
    assert form.fields["what"] == "conversation.mode_changed"
    assert form.fields["creator"] == talk.creator_id


async def test_a_foreign_creator_cannot_be_filtered_for(app: RunningApp) -> None:
    ada = await sign_in(app, Role.ADMIN, name="Ada")
    talk = await conversation(ada.api, creator="mia")
    await conversation(ada.api, creator="zoe", fan="two")
    mary = await sign_in(app, Role.MANAGER, name="Mary", creators=["zoe"])

    assert (await mary.open(f"/audit?creator={talk.creator_id}")).status == 404


async def test_a_line_of_the_audit_log_leads_to_what_it_concerns(app: RunningApp) -> None:
    ada = await sign_in(app, Role.ADMIN, name="Ada")
    talk = await conversation(ada.api)
    body = {"creatorId": talk.creator_id, "mode": "off"}
    await ada.api.made(f"/api/conversations/{talk.conversation_id}/mode", body)

    page = await ada.open("/audit?what=conversation.mode_changed")

    assert page.link("the conversation") == f"/conversations/{talk.conversation_id}"
    assert page.link("All that concerns this") == f"/audit?subject={talk.conversation_id}"


async def test_who_set_a_flag_and_why_stands_beside_it_and_its_history_behind_a_click(
    app: RunningApp,
) -> None:
    ada = await sign_in(app, Role.ADMIN, name="Ada")
    await change(ada, "AI_RATE_LIMIT_PER_HOUR", value="7", reason="a slow week")
    await change(ada, "AI_RATE_LIMIT_PER_HOUR", value="9", reason="a quick <week>")

    page = await ada.open("/flags")
    history = await ada.open("/flags/AI_RATE_LIMIT_PER_HOUR/history")

    assert page.text.count(": a quick <week>") == 1
    assert "Ada 7 → 9 a quick <week>" in history.text
    assert "Ada the default → 7 a slow week" in history.text
    assert "Nobody has changed it" in (await ada.open("/flags/AI_ROLLOUT_STAGE/history")).text
    assert (await ada.open("/flags/AI_EVERYTHING/history")).status == 404
    found = await ada.open(history.link("All changes"))
    assert found.text.count("changed a flag the whole installation AI_RATE_LIMIT_PER_HOUR") == 2


async def test_what_is_used_of_the_limits_stands_beside_them(app: RunningApp) -> None:
    ada = await sign_in(app, Role.ADMIN, name="Ada")
    talk = await conversation(ada.api)
    for _ in range(2):
        await ada.api.made("/api/ai/generate", talk.asks())

    text = (await ada.open("/flags")).text

    assert "Tokens today 0 of 100,000" in text
    assert "Cost today $0.00" in text
    assert "Drafts this hour, of 100 each Ada 2 " in text


async def test_one_switch_turns_all_ai_off_and_on_again_with_a_reason(app: RunningApp) -> None:
    ada = await sign_in(app, Role.ADMIN, name="Ada")
    await conversation(ada.api)

    off = await ada.press(await ada.open("/flags"), OFF, reason="something is wrong")
    assert "AI is off for everybody." in off.text
    assert await overrides(app) == {"ENABLE_AI_CHAT": False}
    assert "/queue" not in (await ada.open("/inbox")).links.values()

    on = await ada.press(off, "Yes, switch AI on", reason="it was nothing")
    assert "AI is on for" not in on.text
    assert "AI is on again" in on.text
    assert "/queue" in (await ada.open("/inbox")).links.values()
    entries = await rows(app, "SELECT * FROM audit_log WHERE action = 'flag.changed' ORDER BY id")
    assert [entry["details"]["reason"] for entry in entries] == [
        "something is wrong",
        "it was nothing",
    ]


async def test_the_switch_wins_over_a_creator_who_has_ai_on_and_leaves_one_who_has_it_off(
    app: RunningApp,
) -> None:
    ada = await sign_in(app, Role.ADMIN, name="Ada")
    own_on = await conversation(ada.api, creator="mia", fan="one")
    own_off = await conversation(ada.api, creator="zoe", fan="two")
    await set_flag(ada.api, "ENABLE_AI_CHAT", True, own_on.creator_id)
    await set_flag(ada.api, "ENABLE_AI_CHAT", False, own_off.creator_id)

    off = await ada.press(await ada.open("/flags"), OFF, reason="something is wrong")

    for talk in (own_on, own_off):
        assert (await ada.api.post("/api/ai/generate", talk.asks())).status_code == 503
    await ada.press(off, "Yes, switch AI on", reason="it was nothing")
    assert (await ada.api.post("/api/ai/generate", own_on.asks())).status_code == 200
    assert (await ada.api.post("/api/ai/generate", own_off.asks())).status_code == 503


async def test_the_switch_needs_a_reason_and_an_admin(app: RunningApp) -> None:
    ada = await sign_in(app, Role.ADMIN, name="Ada")
    mary = await sign_in(app, Role.MANAGER, name="Mary")
    token = (await mary.open("/inbox")).forms[0].fields["csrf"]

    refused = await ada.press(await ada.open("/flags"), OFF, reason=" ")
    sent = await mary.send("/flags/ai", {"csrf": token, "on": "false", "reason": "because"})

    assert refused.status == 422
    assert "The reason: say in a few words why" in refused.text
    assert sent.status == 403
    assert await overrides(app) == {}
