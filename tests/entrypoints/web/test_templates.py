"""The templates' page: found, written, previewed for a real fan, never overwritten unseen."""

import re
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.entrypoints.web.browser import Page, Person, sign_in
from tests.support.app import RunningApp
from tests.support.outcomes import attribute_all
from tests.support.world import Talk, conversation, rows
from vaultcrm.domain.ids import new_id
from vaultcrm.domain.people import Role

pytestmark = pytest.mark.anyio

HTMX = {"HX-Request": "true"}


async def template(
    person: Person, talk: Talk, name: str = "hello", text: str = "Hey {fan_name}!", **more: Any
) -> str:
    """The path of a new template's page."""
    body = {"creatorId": talk.creator_id, "name": name, "category": "welcome", "templateText": text}
    made = await person.api.made("/api/templates", {**body, **more})
    return f"/templates/{made['id']}"


async def stored_message(
    app: RunningApp,
    talk: Talk,
    at: datetime,
    *,
    sender: str = "creator",
    template: str | None = None,
    bought_at: datetime | None = None,
) -> None:
    """A message of some time ago; the creator's asks for $5."""
    price = 500 if sender == "creator" else None
    await rows(
        app,
        """INSERT INTO messages (creator_id, id, conversation_id, sender, author, external_id, text,
                                  template_id, price_minor, currency, purchased_at, sent_at)
           VALUES (%(creator_id)s, %(id)s, %(conversation_id)s, %(sender)s, 'imported', %(ref)s,
                   'Hello', %(template)s, %(price)s, %(currency)s, %(bought_at)s, %(at)s)""",
        creator_id=talk.creator_id,
        id=new_id(),
        conversation_id=talk.conversation_id,
        sender=sender,
        ref=new_id().hex,
        template=template,
        price=price,
        currency=None if price is None else "USD",
        bought_at=bought_at,
        at=at,
    )


async def stored(app: RunningApp) -> list[dict[str, Any]]:
    return await rows(
        app,
        "SELECT name, category, language, template_text, price_minor FROM ai_message_templates "
        "ORDER BY id",
    )


def listed(page: Page) -> list[str]:
    """Where the rows of the list lead."""
    return [given["href"] for tag, given in page.elements if tag == "a" and "data-row" in given]


async def preview(person: Person, talk: Talk, text: str, **more: str) -> Page:
    """What a text would be, asked for as the page does while somebody types."""
    fields = {"csrf": await csrf_of(person), "creator": talk.creator_id, "text": text}
    return await person.send("/templates/preview", fields | more, headers=HTMX)


async def csrf_of(person: Person) -> str:
    page = await person.open("/templates")
    return next(form.fields["csrf"] for form in page.forms if "csrf" in form.fields)


async def test_a_manager_writes_the_first_template_and_finds_it(app: RunningApp) -> None:
    mary = await sign_in(app, Role.MANAGER, name="Mary")
    await conversation(mary.api)
    page = await mary.open("/templates")
    assert "No templates yet" in page.text

    page = await mary.open(page.link("Write the first one"))
    page = await mary.press(
        page,
        "Save",
        name="Warm hello",
        category="ppv_offer",
        language="DE",
        text="Hallo {fan_name|du},\r\nwie geht es?",
        price="12,50",
    )

    assert "The template is there." in page.text
    assert "Hallo Tom88, wie geht es?" in page.text
    assert "$12.50" in page.text
    assert "Not used yet" in page.text
    assert await stored(app) == [
        {
            "name": "Warm hello",
            "category": "ppv_offer",
            "language": "de",
            "template_text": "Hallo {fan_name|du},\nwie geht es?",
            "price_minor": 1250,
        }
    ]
    [entry] = await rows(app, "SELECT actor_id FROM audit_log WHERE action = 'template.added'")
    assert entry["actor_id"] == mary.api.user_id
    assert "added a template" in (await mary.open("/audit")).text


async def test_what_is_wrong_is_told_beside_its_field_and_nothing_typed_is_lost(
    app: RunningApp,
) -> None:
    mary = await sign_in(app, Role.MANAGER, name="Mary")
    talk = await conversation(mary.api)
    await template(mary, talk, "taken")
    typed = {"name": " ", "language": "english", "price": "a lot", "text": "Hi {fan_nme}, {"}
    new = await mary.open("/templates/new")

    page = await mary.press(new, "Save", **typed)

    assert page.status == 422
    assert "write it like 25 or 25.50" in page.text
    page = await mary.press(page, "Save", price="25")
    for told in (
        "give it a name, so that it can be found",
        "two small letters, such as en or de",
        "character 4: there is no variable {fan_nme}: did you mean {fan_name}?",
        "character 15: “{” is not closed",
    ):
        assert told in page.text
    form, _ = page.form("Save")
    assert {name: form.fields[name] for name in typed} == {**typed, "price": "25"}
    page = await mary.press(page, "Save", name="taken", language="en", text="Hi")
    assert page.status == 409
    assert "This creator has a template named taken already." in page.text
    assert len(await stored(app)) == 1


async def test_another_persons_change_in_between_is_shown_beside_what_was_typed(
    app: RunningApp,
) -> None:
    mary = await sign_in(app, Role.MANAGER, name="Mary")
    jo = await sign_in(app, Role.MANAGER, name="Jo")
    path = await template(mary, await conversation(mary.api))
    marys, jos = await mary.open(path), await jo.open(path)
    await jo.press(jos, "Save", text="Jo's text", price="9")

    page = await mary.press(marys, "Save", text="Mary's text")

    assert page.status == 409
    for told in ("Somebody else saved this template", "Jo's text", "Price 9.00 instead of your"):
        assert told in page.text
    form, _ = page.form("Save mine over theirs")
    assert form.fields["text"] == "Mary's text"
    assert (await stored(app))[0]["template_text"] == "Jo's text"

    page = await mary.press(page, "Save mine over theirs")

    assert "Saved." in page.text
    assert (await stored(app))[0]["template_text"] == "Mary's text"


async def test_a_refused_form_still_knows_which_version_it_was_opened_with(
    app: RunningApp,
) -> None:
    mary = await sign_in(app, Role.MANAGER, name="Mary")
    jo = await sign_in(app, Role.MANAGER, name="Jo")
    path = await template(mary, await conversation(mary.api))
    marys, jos = await mary.open(path), await jo.open(path)
    await jo.press(jos, "Save", text="Jo's text")

    page = await mary.press(marys, "Save", text="Mary's {text}")
    assert page.status == 422
    page = await mary.press(page, "Save", text="Mary's text")

    assert (page.status, "Jo's text" in page.text) == (409, True)
    form, _ = page.form("Save mine over theirs")
    for seen in ("", "yesterday", "0001-01-01"):
        assert (await mary.send(form.action, {**form.fields, "seen": seen})).status in {409, 422}
    assert (await stored(app))[0]["template_text"] == "Jo's text"


async def test_an_archived_template_is_gone_from_the_list_until_that_is_undone(
    app: RunningApp,
) -> None:
    mary = await sign_in(app, Role.MANAGER, name="Mary")
    path = await template(mary, await conversation(mary.api))

    page = await mary.send(f"{path}/archive", {"csrf": await csrf_of(mary)})

    assert "Archived. It is not found or suggested any more." in page.text
    assert listed(page) == []
    assert len(listed(await mary.open("/templates?archived=true"))) == 1
    page = await mary.press(page, "Undo")
    assert "The template is back." in page.text
    assert listed(page) == [path]


async def test_a_copy_is_saved_by_nobody_until_it_is(app: RunningApp) -> None:
    mary = await sign_in(app, Role.MANAGER, name="Mary")
    path = await template(mary, await conversation(mary.api), "hello", "Hey!", priceMinor=500)

    page = await mary.open((await mary.open(path)).link("Copy"))

    assert len(await stored(app)) == 1
    await mary.press(page, "Save")
    [one, copy] = await stored(app)
    assert copy == {**one, "name": "hello (copy)"}


async def test_the_list_is_narrowed_by_words_kind_language_and_creator(app: RunningApp) -> None:
    mary = await sign_in(app, Role.MANAGER, name="Mary")
    mia = await conversation(mary.api)
    theo = await conversation(mary.api, creator="theo")
    one = await template(mary, mia, "Guten Tag", "Hallo", language="de")
    two = await template(mary, mia, "Hello", category="reply")
    three = await template(mary, theo, "Hello", "Welcome, 100% you")

    async def rows_of(query: str) -> set[str]:
        return {href.partition("?")[0] for href in listed(await mary.open(f"/templates?{query}"))}

    assert await rows_of("") == {one, two, three}
    assert await rows_of("search=hallo") == {one}
    assert await rows_of("search=0%25+y") == {three}
    assert await rows_of("category=reply&language=&creator=") == {two}
    assert await rows_of("language=de") == {one}
    assert await rows_of(f"creator={theo.creator_id}&search=hello") == {three}
    assert "No template fits." in (await mary.open("/templates?search=nothing")).text
    for wrong in ("category=x", "creator=x", "cursor=x", "language=xyz"):
        assert (await mary.open(f"/templates?{wrong}")).status in {404, 422}, wrong


async def test_a_thousand_templates_are_read_page_by_page_each_once(app: RunningApp) -> None:
    mary = await sign_in(app, Role.MANAGER, name="Mary")
    talk = await conversation(mary.api)
    await rows(
        app,
        """INSERT INTO ai_message_templates
               (creator_id, id, name, category, language, template_text, performance_stats,
                usage_count, created_at, updated_at)
           SELECT %(creator)s, gen_random_uuid(), 'name ' || n,
                  (ARRAY['reply', 'welcome', 'ppv_offer'])[1 + n %% 3], 'en', 'Hi', '{}', 0, now(),
                  now()
           FROM generate_series(1, 1000) n""",
        creator=talk.creator_id,
    )
    seen: list[str] = []
    page = await mary.open("/templates")
    while True:
        assert len(listed(page)) <= 50
        seen += [href.partition("?")[0] for href in listed(page)]
        if "The next ones" not in page.links:
            break
        page = await mary.open(page.link("The next ones"))
    assert (len(seen), len(set(seen))) == (1000, 1000)


async def test_the_preview_is_what_the_chosen_fan_would_read_with_findings_at_their_place(
    app: RunningApp,
) -> None:
    mary = await sign_in(app, Role.MANAGER, name="Mary")
    talk = await conversation(mary.api, fan="tom88")
    other = await conversation(mary.api, fan="ann")
    text = "Hey {fan_name}, thanks for {last_purchase}. Write me on telegram, {fan_nme}!"

    page = await preview(mary, talk, text, price="25", conversation=talk.conversation_id)

    assert "Hey Tom88, thanks for {last_purchase}. Write me on telegram" in page.text
    assert "$25.00" in page.text
    assert "The content filter stops this message" in page.text
    assert "telegram" in [said for said, _ in page.marks]
    assert "Nothing is known of Tom88 for {last_purchase}" in page.text
    assert "character 67: there is no variable {fan_nme}" in page.text
    page = await preview(mary, talk, "Hey {fan_name}", conversation=other.conversation_id)
    assert "Hey Ann" in page.text
    assert "8 of at most" in page.text or "7 of at most" in page.text
    assert "nothing against it" in page.text
    assert await stored(app) == []


async def test_a_fan_is_found_by_name_to_preview_for(app: RunningApp) -> None:
    mary = await sign_in(app, Role.MANAGER, name="Mary")
    talk = await conversation(mary.api, fan="tom88")
    await conversation(mary.api, fan="ann")

    async def names(search: str) -> list[str]:
        asked = {"creator": talk.creator_id, "fan_search": search}
        answer = await mary.client.get("/templates/fans", params=asked)
        return re.findall("<option[^>]*>([^<]+)</option>", answer.text)

    assert await names("") == ["Ann", "Tom88"]
    assert await names("TOM") == ["Tom88"]
    assert await names("88") == ["No fan is called so"]
    assert await names("' & :* \\") == ["Ann", "Tom88"]


async def test_without_a_fan_the_preview_is_for_one_who_is_made_up(app: RunningApp) -> None:
    mary = await sign_in(app, Role.MANAGER, name="Mary")
    await mary.api.made("/api/creators", {"handle": "mia", "displayName": "Mia"})

    page = await mary.open("/templates/new")

    assert "There is no fan yet, so it is shown for one who is made up." in page.text


async def test_names_and_texts_are_shown_as_they_are_written(app: RunningApp) -> None:
    mary = await sign_in(app, Role.MANAGER, name="Mary")
    talk = await conversation(mary.api)
    fan, name, text = (
        "<img src=x onerror=alert(1)>",
        "<b>" + "ن" * 190,
        "<i>{fan_name}</i> \u202eאב",
    )
    await rows(app, "UPDATE fans SET display_name = %(fan)s", fan=fan)
    path = await template(mary, talk, name, text)

    page = await mary.open(path)

    assert f"<i>{fan}</i> \u202eאב" in page.text
    assert name in page.text
    assert not {"img", "i"} & {tag for tag, given in page.elements if not given.get("aria-hidden")}


async def test_how_a_template_does_is_told_in_words_and_figures_only_where_there_are_any(
    app: RunningApp,
) -> None:
    mary = await sign_in(app, Role.MANAGER, name="Mary")
    path = await template(mary, await conversation(mary.api), priceMinor=500)
    today = app.parts.now()

    async def page_with(uses: int, stats: str) -> str:
        await rows(
            app,
            "UPDATE ai_message_templates SET usage_count = %(uses)s, "
            "performance_stats = %(stats)s::jsonb",
            uses=uses,
            stats=stats,
        )
        return (await mary.open(path)).html

    page = await page_with(0, "{}")
    assert "Not used yet" in page
    assert "%" not in page.partition("How it does")[2].partition("</section>")[0]
    used = f'"usesByDay": {{"{today.date().isoformat()}": 7}}'
    page = await page_with(7, f"{{{used}}}")
    assert 'role="img" aria-label="7 uses in 30 days"' in page
    assert "once they have had a day to be answered" in page


async def test_what_a_template_brings_is_counted_from_the_messages_that_were_made_from_it(
    app: RunningApp,
) -> None:
    """Each message: how many hours ago, after how many the fan wrote again, and whether bought."""
    mary = await sign_in(app, Role.MANAGER, name="Mary")
    talk = await conversation(mary.api)
    path = await template(mary, talk, priceMinor=500)
    sent: list[tuple[int, float | None, bool]] = [
        (200, 2, True),  # answered and bought
        (160, 25, False),  # answered too late for an answer
        (90, None, False),
        (10, None, False),  # may still be answered: not counted
        (5, 1, False),  # answered at once, and no more counted than the one before
        (24 * 31, 1, True),  # longer ago than a month
        *[(100 + n, 1 if n % 2 else None, n == 0) for n in range(27)],
    ]
    for number, (ago, after, bought) in enumerate(sent):
        other = await conversation(mary.api, fan=f"fan{number}", said=())
        at = app.parts.now() - timedelta(hours=ago)
        await stored_message(app, other, at, template=path[11:], bought_at=at if bought else None)
        if after is not None:
            await stored_message(app, other, at + timedelta(hours=after), sender="fan")

    await attribute_all(app)

    page = (await mary.open(path)).html
    [told] = (await mary.api.found("/api/templates"))["items"]

    for figure in (
        "14 of 30 (47 %, between 30 and 64 %)",
        "2 of 30 (7 %, between 2 and 21 %)",
        "$0.33 a message, between $0.00 and $0.79",
        "30 sent · 47 % answered",
    ):
        assert figure in page
    stats = told["performanceStats"]
    assert [stats[name] for name in ("sent", "replied", "offers", "bought")] == [30, 14, 30, 2]
    assert stats["revenueMinor"] == {"USD": 1000}
    assert stats["replyRate"] == pytest.approx(
        {"value": 14 / 30, "low": 0.302, "high": 0.6386}, abs=1e-3
    )
    assert stats["byTier"]["low"]["sent"] == 30


async def test_of_too_few_messages_a_template_tells_counts_and_no_shares(app: RunningApp) -> None:
    mary = await sign_in(app, Role.MANAGER, name="Mary")
    path = await template(mary, await conversation(mary.api), priceMinor=500)
    for number, value in enumerate((0, 0, 60_000)):
        fan = await conversation(mary.api, fan=f"fan{number}", value_minor=value, said=())
        at = app.parts.now() - timedelta(days=3)
        await stored_message(app, fan, at, template=path[11:], bought_at=at)
    await attribute_all(app)

    page = (await mary.open(path)).html
    [told] = (await mary.api.found("/api/templates"))["items"]

    assert "3 of 3" in page
    assert "Not enough data yet for shares" in page
    assert "3 sent · 0 answered · 3 bought" in page
    assert told["performanceStats"]["replyRate"] is None
    assert {tier: one["bought"] for tier, one in told["performanceStats"]["byTier"].items()} == {
        "high": 1,
        "low": 2,
    }


async def test_a_chatter_reads_and_previews_templates_and_changes_none(app: RunningApp) -> None:
    mary = await sign_in(app, Role.MANAGER, name="Mary")
    talk = await conversation(mary.api)
    path = await template(mary, talk)
    jo = await sign_in(app, Role.CHATTER, name="Jo")

    page = await jo.open(path)

    assert "Hey Tom88!" in page.text
    assert not {"Save", "Archive", "New"} & {*page.labels, *page.links}
    assert "Hi Tom88" in (await preview(jo, talk, "Hi {fan_name}")).text
    csrf = {"csrf": await csrf_of(jo)}
    writes = {
        path: {"seen": "2026-11-01T10:00:00+00:00", "text": "x", "name": "x", "language": "en"},
        f"{path}/archive": {},
        "/templates": {"creator": talk.creator_id},
    }
    for at, fields in writes.items():
        assert (await jo.send(at, csrf | fields)).status == 403, at
    assert (await jo.open("/templates/new")).status == 403
    assert (await stored(app))[0]["template_text"] == "Hey {fan_name}!"


async def test_templates_of_a_creator_who_is_not_ones_own_are_not_there(app: RunningApp) -> None:
    mary = await sign_in(app, Role.MANAGER, name="Mary")
    mia = await conversation(mary.api)
    path = await template(mary, mia)
    theo = await conversation(mary.api, creator="theo")
    ann = await sign_in(app, Role.MANAGER, name="Ann", creators=["theo"])
    csrf = {"csrf": await csrf_of(ann)}

    assert listed(await ann.open("/templates")) == []
    for asked in (
        path,
        f"/templates/new?copy={path.rpartition('/')[2]}",
        f"/templates?creator={mia.creator_id}",
        f"/templates/new?creator={mia.creator_id}",
        f"/templates/fans?creator={mia.creator_id}",
    ):
        assert (await ann.open(asked)).status == 404, asked
    mine = {"creator": mia.creator_id, "name": "x", "text": "x", "language": "en"}
    for at, fields in {
        "/templates": mine,
        "/templates/preview": mine,
        f"{path}/archive": {},
    }.items():
        assert (await ann.send(at, csrf | fields)).status == 404, at
    page = await preview(ann, theo, "Hi {fan_name}", conversation=mia.conversation_id)
    assert "Hi Tom88" in page.text  # the fan of theo's: a foreign conversation counts as none
    assert len(await stored(app)) == 1


async def test_over_htmx_a_filter_answers_with_the_list_alone_and_a_row_with_the_workbench(
    app: RunningApp,
) -> None:
    mary = await sign_in(app, Role.MANAGER, name="Mary")
    path = await template(mary, await conversation(mary.api))

    async def asked(target: str) -> str:
        headers = {**HTMX, "HX-Target": target}
        query = {"open": path.rpartition("/")[2]}
        return str((await mary.client.get("/templates", params=query, headers=headers)).text)

    part = (await asked("section#template-list")).lstrip()
    assert part.startswith('<section class="list"')
    assert 'aria-current="true"' in part
    assert (await asked("div#workbench")).lstrip().startswith('<div class="workbench"')
