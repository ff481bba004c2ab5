"""The page of content rules: what is in force and why, added with plain errors, removed and undone,
and what the filter makes of a text.
"""

import pytest

from tests.entrypoints.web.browser import Page, Person, sign_in
from tests.support.app import RunningApp
from tests.support.world import Talk, conversation, rows
from vaultcrm.domain.people import Role

pytestmark = pytest.mark.anyio

HTMX = {"HX-Request": "true"}
PATH = "/content-rules"


async def manager_of(app: RunningApp) -> tuple[Person, Talk]:
    manager = await sign_in(app, Role.MANAGER, name="Mary")
    return manager, await conversation(manager.api)


async def added(person: Person, kind: str = "phrase", **typed: str) -> Page:
    """The page after the form for one kind of rule was sent."""
    page = await person.open(f"{PATH}?kind={kind}")
    fields = {"text": "otterfans", "category": "spam", "reason": "A rival's name."}
    return await person.press(page, "Add the rule", **(fields | typed))


async def tried(person: Person, text: str, whose: str = "chatter") -> Page:
    page = await person.open(PATH)
    return await person.press(page, "Try it", sample=text, whose=whose)


async def test_an_empty_page_teaches_what_rules_are_for(app: RunningApp) -> None:
    manager, _ = await manager_of(app)
    page = await manager.open(PATH)
    assert "No rules of Mia’s own yet" in page.text
    assert "A rival’s name" in page.text
    assert page.link("Content rules") == PATH


async def test_a_rule_that_was_added_is_listed_with_reason_and_who_added_it(
    app: RunningApp,
) -> None:
    manager, _ = await manager_of(app)
    page = await added(manager, text="<b>Otter Fans</b>", reason="A rival’s name.")
    assert page.status == 200
    assert "The rule is in force." in page.text
    assert "Phrases 1 <b>Otter Fans</b> Stops Spam in your team’s messages" in page.text
    assert "A rival’s name. Mary" in page.text


async def test_a_removed_rule_is_gone_and_one_press_brings_it_back(app: RunningApp) -> None:
    manager, _ = await manager_of(app)
    page = await added(manager)
    gone = await manager.press(page, "Remove")
    assert "No rules of Mia’s own yet" in gone.text
    back = await manager.press(gone, "Undo")
    assert "The rule is in force again." in back.text
    assert "otterfans Stops" in back.text


async def test_what_is_wrong_with_a_rule_stands_beside_its_field_and_nothing_typed_is_lost(
    app: RunningApp,
) -> None:
    manager, _ = await manager_of(app)
    page = await added(manager, "pattern", text="shop(?=ping)", category="", reason="  ")
    assert page.status == 422
    assert "RE2 cannot look ahead or behind" in page.text
    assert "Choose what kind of finding it is." in page.text
    assert "Must not be empty." in page.text
    form, _ = page.form("Add the rule")
    assert (form.fields["text"], form.fields["kind"]) == ("shop(?=ping)", "pattern")
    assert await rows(app, "SELECT 1 FROM content_rules") == []

    first = await added(manager)
    again = await added(manager)
    assert (first.status, again.status) == (200, 409)
    assert "has the same rule already" in again.text


async def test_an_exception_is_only_offered_for_what_may_be_excepted(app: RunningApp) -> None:
    manager, _ = await manager_of(app)

    async def offered(kind: str) -> set[str]:
        page = await manager.open(f"{PATH}?kind={kind}")
        return {given["value"] for tag, given in page.elements if tag == "option"}

    assert {"minors", "distress"} <= await offered("phrase")
    exceptions = await offered("exception")
    assert "meeting" in exceptions
    assert exceptions.isdisjoint({"minors", "distress", "violence", "deception", "filter_error"})
    forged = await added(manager, "exception", category="minors")
    assert (forged.status, "never let through" in forged.text) == (422, True)


async def test_a_text_that_is_tried_shows_what_is_found_let_through_and_whose_rule_it_was(
    app: RunningApp,
) -> None:
    manager, _ = await manager_of(app)
    await added(manager)
    await added(manager, "exception", text="Cash App Blues", category="off_platform_payment")

    page = await tried(manager, "Cash App Blues is out! See 0tterfans, or venmo me")

    assert "This message cannot be sent." in page.text
    marked = [text for text, _ in page.marks]
    assert "0tterfans" in marked
    assert "Cash App Blues" not in " ".join(marked)
    assert "“0tterfans” Spam: A rival's name. Your rule" in page.text
    assert "“Cash App” Payment elsewhere Let through" in page.text
    clean = await tried(manager, "Good morning!", "draft")
    assert "The filter has nothing against this draft." in clean.text


async def test_a_finding_leads_to_the_form_that_excepts_it(app: RunningApp) -> None:
    manager, _ = await manager_of(app)
    page = await tried(manager, "pay by venmo & more")
    form, _ = (await manager.open(page.link("Except this"))).form("Add the rule")
    assert form.fields["kind"] == "exception"
    assert form.fields["category"] == "off_platform_payment"
    assert form.fields["text"] in "pay by venmo & more"


async def test_another_kind_takes_over_what_was_typed(app: RunningApp) -> None:
    manager, talk = await manager_of(app)
    path = f"{PATH}/form?creator={talk.creator_id}&kind=exception&text=a%26b&category=minors"
    page = await manager.open(path)
    form, _ = page.form("Add the rule")
    assert (form.fields["text"], form.fields["category"]) == ("a&b", "")
    assert "<main" not in page.html


async def test_over_htmx_the_working_area_alone_comes_back_with_the_text_tried_anew(
    app: RunningApp,
) -> None:
    manager, talk = await manager_of(app)
    form, _ = (await manager.open(PATH)).form("Add the rule")
    fields = form.fields | {
        "text": "otterfans",
        "category": "spam",
        "reason": "A rival.",
        "sample": "see otterfans",
        "whose": "chatter",
    }
    page = await manager.send(PATH, fields, headers=HTMX)
    assert (page.status, "<html" in page.html) == (200, False)
    assert "“otterfans” Spam: A rival. Your rule" in page.text
    assert page.form("Add the rule")[0].fields["key"] != form.fields["key"]
    part = await manager.send(
        f"{PATH}/try",
        {"csrf": fields["csrf"], "creator": talk.creator_id, "sample": "hi", "whose": "fan"},
        headers=HTMX,
    )
    assert "Nothing is noticed in what this fan wrote." in part.text
    assert part.forms == []


async def test_the_page_is_for_managers_of_the_creator(app: RunningApp) -> None:
    manager, talk = await manager_of(app)
    await conversation(manager.api, creator="theo")
    await added(manager)
    chatter = await sign_in(app, Role.CHATTER, name="Cho")
    stranger = await sign_in(app, Role.MANAGER, name="Max", creators=["theo"])

    assert (await chatter.open(PATH)).status == 403
    assert "Content rules" not in (await chatter.open("/inbox")).links
    assert (await stranger.open(f"{PATH}?creator={talk.creator_id}")).status == 404
    page = await stranger.open(PATH)
    assert "otterfans" not in page.text
    form, _ = page.form("Add the rule")
    forged = form.fields | {
        "creator": talk.creator_id,
        "text": "mine",
        "category": "spam",
        "reason": "x",
    }
    assert (await stranger.send(PATH, forged)).status == 404
    assert (await stranger.send(f"{PATH}/try", forged | {"sample": "hi"})).status == 404
    (rule,) = await rows(app, "SELECT id FROM content_rules")
    assert (await stranger.send(f"{PATH}/{rule['id']}/remove", form.fields)).status == 404


async def test_changes_of_rules_are_told_in_words_in_the_audit_log(app: RunningApp) -> None:
    manager, _ = await manager_of(app)
    await manager.press(await added(manager), "Remove")
    log = (await manager.open("/audit")).text
    assert "removed a content rule" in log
    assert "added a content rule" in log
    assert "otterfans" not in log
