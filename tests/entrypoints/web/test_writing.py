"""Answering a fan by hand, and what is settled about them beside the conversation."""

from typing import Any

import httpx2
import pytest

from tests.entrypoints.web.browser import Page, Person, read, sign_in
from tests.support.app import RunningApp
from tests.support.worker import run_jobs
from tests.support.world import Talk, conversation, own_details, rows
from vaultcrm.domain.people import Role
from vaultcrm.workflows.deliver_message import deliver_message

pytestmark = pytest.mark.anyio

HTMX = {"HX-Request": "true"}


async def open_talk(person: Person, talk: Talk) -> Page:
    return await person.open(f"/conversations/{talk.conversation_id}")


async def part(person: Person, path: str) -> httpx2.Response:
    """What htmx gets for an address."""
    return await person.client.get(path, headers=HTMX)


async def what_leaves(app: RunningApp) -> list[dict[str, Any]]:
    return await rows(
        app, "SELECT text, price_minor, media_ids, delivery_status FROM outbox ORDER BY id"
    )


def address(page: Page, element_id: str) -> str:
    """Where an element asks for itself again."""
    [found] = [given["hx-get"] for _, given in page.elements if given.get("id") == element_id]
    return found


async def test_a_written_message_leaves_under_its_writers_name(app: RunningApp) -> None:
    jo = await sign_in(app, Role.CHATTER, name="Jo")
    talk = await conversation((await sign_in(app, Role.MANAGER, name="Mary")).api)

    page = await jo.press(await open_talk(jo, talk), "Send", message="Hi Tom,\r\nhow are you?")

    assert page.path.startswith(f"/conversations/{talk.conversation_id}")
    assert "On its way." in page.text
    assert "Mia · written by Jo" in page.text
    assert [(row["text"], row["price_minor"]) for row in await what_leaves(app)] == [
        ("Hi Tom,\nhow are you?", None)
    ]


async def test_an_offer_carries_its_price_and_media(app: RunningApp) -> None:
    jo = await sign_in(app, Role.MANAGER, name="Jo")
    talk = await conversation(jo.api)

    page = await jo.press(
        await open_talk(jo, talk), "Send", message="The new set.", price="12,50", media="a1, b2"
    )

    assert "The new set. $12.50 with 2 media leaves in 0:" in page.text
    [row] = await what_leaves(app)
    assert (row["price_minor"], row["media_ids"]) == (1250, ["a1", "b2"])


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ({"message": "  "}, "Write the message first."),
        ({"message": "Hi", "price": "free"}, "Write it like 25 or 25.50."),
        ({"message": "Hi", "media": "<x>"}, "is not an id of the platform’s."),
    ],
)
async def test_what_cannot_be_sent_is_refused_in_words_and_stays_typed(
    app: RunningApp, typed: dict[str, str], told: str
) -> None:
    jo = await sign_in(app, Role.MANAGER, name="Jo")
    talk = await conversation(jo.api)

    page = await jo.press(await open_talk(jo, talk), "Send", **typed)

    assert page.status == 422
    assert told in page.text
    form, _ = page.form("Send")
    assert {name: form.fields[name] for name in typed} == typed
    assert await what_leaves(app) == []


async def test_what_the_filter_stops_is_marked_at_its_place_and_the_text_kept(
    app: RunningApp,
) -> None:
    jo = await sign_in(app, Role.MANAGER, name="Jo")
    talk = await conversation(jo.api)
    text = "Dear <Tom>, max out your card for me, please"

    page = await jo.press(await open_talk(jo, talk), "Send", message=text)

    assert page.status == 422
    assert "The content filter stops this message." in page.text
    [(marked, why)] = page.marks
    assert marked == "max out your card"
    assert "Pushes somebody to spend money" in why
    assert page.form("Send")[0].fields["message"] == text
    assert await what_leaves(app) == []


async def test_whoever_writes_is_stopped_when_the_fan_has_said_more_and_may_send_all_the_same(
    app: RunningApp,
) -> None:
    jo = await sign_in(app, Role.MANAGER, name="Jo")
    talk = await conversation(jo.api)
    begun = await open_talk(jo, talk)
    await jo.api.made(talk.messages, talk.says("Wait, I have <b>news</b>!"))

    stopped = await jo.press(begun, "Send", message="As I said")
    assert stopped.status == 409
    assert "has written since you began." in stopped.text
    assert "Wait, I have <b>news</b>!" in stopped.text
    assert await what_leaves(app) == []
    sent = await jo.press(stopped, "Send all the same")

    assert "On its way." in sent.text
    assert [row["text"] for row in await what_leaves(app)] == ["As I said"]


async def test_having_read_what_is_new_is_enough_to_send(app: RunningApp) -> None:
    jo = await sign_in(app, Role.MANAGER, name="Jo")
    talk = await conversation(jo.api)
    begun = await open_talk(jo, talk)
    await jo.api.made(talk.messages, talk.says("Wait!"))

    stopped = await jo.press(begun, "Send", message="As I said")
    await jo.press(stopped, "Send", message="I am waiting")

    assert [row["text"] for row in await what_leaves(app)] == ["I am waiting"]


async def test_a_message_is_taken_back_into_the_composer_while_it_waits(app: RunningApp) -> None:
    jo = await sign_in(app, Role.MANAGER, name="Jo")
    talk = await conversation(jo.api)
    sent = await jo.press(
        await open_talk(jo, talk), "Send", message="The new set.", price="25", media="a1"
    )

    page = await jo.press(sent, "Undo")

    assert "Taken back. Nothing was sent" in page.text
    fields = page.form("Send")[0].fields
    taken = {name: fields[name] for name in ("message", "price", "media")}
    assert taken == {"message": "The new set.", "price": "25.00", "media": "a1"}
    assert await what_leaves(app) == []
    [entry] = await rows(app, "SELECT * FROM audit_log WHERE action = 'message.taken_back'")
    assert entry["actor_id"] == jo.api.user_id


async def test_what_stands_in_the_composer_is_not_lost_to_what_comes_back(app: RunningApp) -> None:
    jo = await sign_in(app, Role.MANAGER, name="Jo")
    talk = await conversation(jo.api)
    sent = await jo.press(await open_talk(jo, talk), "Send", message="The set.", price="25")
    form, _ = sent.form("Undo")

    page = await jo.send(form.action, {**form.fields, "message": "And more"})

    assert page.form("Send")[0].fields["message"] == "The set.\n\nAnd more"


async def test_it_is_too_late_to_take_back_what_has_left(app: RunningApp) -> None:
    jo = await sign_in(app, Role.MANAGER, name="Jo")
    talk = await conversation(jo.api)
    sent = await jo.press(await open_talk(jo, talk), "Send", message="The set.", price="25")
    await rows(app, "UPDATE outbox SET not_before = created_at")
    [item] = await rows(app, "SELECT creator_id, id FROM outbox")
    await deliver_message(app.parts, item["creator_id"], item["id"])

    page = await jo.press(sent, "Undo")

    assert page.status == 409
    assert "It is too late" in page.text


async def test_a_chatter_takes_back_their_own_messages_alone(app: RunningApp) -> None:
    mary = await sign_in(app, Role.MANAGER, name="Mary")
    jo = await sign_in(app, Role.CHATTER, name="Jo")
    talk = await conversation(mary.api)
    hers = await mary.press(await open_talk(mary, talk), "Send", message="Set!", price="25")
    form, _ = hers.form("Undo")
    his = await open_talk(jo, talk)

    refused = await jo.send(form.action, {**form.fields, "csrf": his.forms[0].fields["csrf"]})

    assert "Undo" not in his.labels
    assert "Another chatter wrote this." in refused.text
    assert len(await what_leaves(app)) == 1


async def test_a_message_whose_fate_is_not_known_is_settled_by_a_person(app: RunningApp) -> None:
    jo = await sign_in(app, Role.MANAGER, name="Jo")
    talk = await conversation(jo.api)
    await jo.press(await open_talk(jo, talk), "Send", message="Perhaps")
    await rows(
        app, "UPDATE outbox SET delivery_status = 'uncertain', error = 'no answer <in> time'"
    )

    page = await open_talk(jo, talk)
    assert "perhaps sent: check on the platform: no answer <in> time" in page.text
    settled = await jo.press(page, "It was not sent")
    assert "not sent: a person says that it was not sent" in settled.text
    again = await jo.press(settled, "Send again")

    assert "It is sent again." in again.text
    assert [row["delivery_status"] for row in await what_leaves(app)] == ["pending"]
    late = await jo.press(page, "It was sent")
    assert (late.status, "there is nothing to settle" in late.text) == (409, True)


async def test_opening_reads_nothing_and_seeing_the_end_marks_as_read(app: RunningApp) -> None:
    jo = await sign_in(app, Role.MANAGER, name="Jo")
    talk = await conversation(jo.api, said=["one", "two"])
    unread = "SELECT unread_count FROM conversations"

    page = await open_talk(jo, talk)
    assert await rows(app, unread) == [{"unread_count": 2}]
    [mark] = [
        given for _, given in page.elements if "hx-post" in given and "/read" in given["hx-post"]
    ]
    await jo.api.made(talk.messages, talk.says("three"))
    csrf = page.forms[0].fields["csrf"]
    late = await jo.send(mark["hx-post"], {"csrf": csrf, "revision": "2"})
    assert (late.status, await rows(app, unread)) == (204, [{"unread_count": 3}])
    await jo.send(mark["hx-post"], {"csrf": csrf, "revision": "3"})

    assert await rows(app, unread) == [{"unread_count": 0}]


async def test_an_open_conversation_catches_up_only_where_something_has_changed(
    app: RunningApp,
) -> None:
    jo = await sign_in(app, Role.MANAGER, name="Jo")
    talk = await conversation(jo.api)
    again = address(await open_talk(jo, talk), "refresh")

    same = await part(jo, again)
    await jo.api.made(talk.messages, talk.says("And another thing"))
    other = await part(jo, again)
    after = await part(jo, address(read(other), "refresh"))

    assert (same.status_code, same.text) == (204, "")
    assert "And another thing" in other.text
    assert 'id="composer"' not in other.text
    assert after.status_code == 204


async def test_notes_are_saved_and_two_who_write_them_do_not_undo_each_other(
    app: RunningApp,
) -> None:
    jo = await sign_in(app, Role.MANAGER, name="Jo")
    ann = await sign_in(app, Role.CHATTER, name="Ann")
    talk = await conversation(jo.api)
    hers, his = await open_talk(ann, talk), await open_talk(jo, talk)

    await ann.press(hers, "Save notes", notes="Likes\r\nfilm.")
    stopped = await jo.press(his, "Save notes", notes="Prefers mornings.")
    assert stopped.status == 409
    assert "Somebody else has changed these notes" in stopped.text
    assert "Likes film." in stopped.text
    assert stopped.form("Save notes")[0].fields["notes"] == "Prefers mornings."
    assert await rows(app, "SELECT notes FROM fans") == [{"notes": "Likes\nfilm."}]
    await jo.press(stopped, "Save notes", notes="Likes film. Prefers mornings.")

    assert await rows(app, "SELECT notes FROM fans") == [{"notes": "Likes film. Prefers mornings."}]
    entries = await rows(app, "SELECT details FROM audit_log WHERE action = 'fan.notes_changed'")
    assert [own_details(entry) for entry in entries] == [{}, {}]


async def test_anybody_may_call_for_care_and_a_manager_lets_selling_go_on(app: RunningApp) -> None:
    mary = await sign_in(app, Role.MANAGER, name="Mary")
    jo = await sign_in(app, Role.CHATTER, name="Jo")
    talk = await conversation(mary.api)
    sure = "The fan may be in distress"

    without = await jo.press(await open_talk(jo, talk), sure, reason=" ")
    assert (without.status, "Say in a few words why" in without.text) == (422, True)
    page = await jo.press(await open_talk(jo, talk), sure, reason="sounds lonely")
    assert "Selling and automatic sending are stopped here." in page.text
    assert "price" not in page.form("Send")[0].fields
    assert "Let selling go on" not in page.labels
    assert "A manager can let selling go on here" in page.text
    form, button = (await open_talk(mary, talk)).form("Let selling go on")
    his = {**form.fields, "csrf": page.forms[0].fields["csrf"], button.name: button.value}
    assert (await jo.send(form.action, {**his, "reason": "fine"})).status == 403
    after = await mary.press(await open_talk(mary, talk), "Let selling go on", reason="spoke")

    assert "stopped here" not in after.text
    entries = await rows(
        app, "SELECT details FROM audit_log WHERE action = 'conversation.care_changed' ORDER BY id"
    )
    assert [entry["details"]["reason"] for entry in entries] == ["sounds lonely", "spoke"]


async def test_a_fans_panel_tells_what_they_have_bought(app: RunningApp) -> None:
    jo = await sign_in(app, Role.MANAGER, name="Jo")
    talk = await conversation(jo.api)
    await rows(
        app,
        """
        INSERT INTO messages (creator_id, id, conversation_id, sender, author, external_id, text,
                              price_minor, currency, purchased_at, sent_at)
        SELECT creator_id, gen_random_uuid(), id, 'creator', 'imported', n::text, 'Set ' || n,
               1000 * n, 'USD', %(now)s - n * '1 week'::interval, %(now)s - n * '1 week'::interval
        FROM conversations, generate_series(1, 14) n
        """,
        now=app.parts.now(),
    )

    page = await open_talk(jo, talk)

    [chart] = [given["aria-label"] for tag, given in page.elements if tag == "svg"]
    assert chart == "Bought in each of the last 12 weeks: $660.00 in all, $0.00 in the last one"
    assert "Set 1 $10.00" in page.text
    bars = [given for tag, given in page.elements if tag == "rect"]
    assert [int(bar["height"]) for bar in bars][::-1] == [
        1,
        4,
        7,
        11,
        15,
        18,
        22,
        25,
        29,
        33,
        36,
        40,
    ]


async def test_a_template_is_found_filled_and_counted(app: RunningApp) -> None:
    jo = await sign_in(app, Role.MANAGER, name="Jo")
    talk = await conversation(jo.api, fan="tom")
    await jo.api.made(
        "/api/templates",
        {
            "creatorId": talk.creator_id,
            "category": "ppv_offer",
            "name": "New <set>",
            "templateText": "{fan_name}, it is done.",
            "priceMinor": 2500,
        },
    )
    path = f"/conversations/{talk.conversation_id}/templates"

    found = read(await part(jo, f"{path}?search=set"))
    none = read(await part(jo, f"{path}?search=zebra"))
    [fill] = [given["data-fill"] for _, given in found.elements if "data-fill" in given]
    csrf = (await open_talk(jo, talk)).forms[0].fields["csrf"]
    filled = await jo.client.post(fill, data={"csrf": csrf})

    assert "New <set>" in found.text
    assert "No template fits “zebra”." in none.text
    [row] = await rows(app, "SELECT id, usage_count FROM ai_message_templates")
    assert filled.json() == {"text": "Tom, it is done.", "price": "25.00", "id": str(row["id"])}
    assert row["usage_count"] == 1


async def test_a_message_knows_the_template_that_it_was_made_from(app: RunningApp) -> None:
    jo = await sign_in(app, Role.MANAGER, name="Jo")
    talk = await conversation(jo.api)
    template = await jo.api.made(
        "/api/templates",
        {
            "creatorId": talk.creator_id,
            "category": "reply",
            "name": "Hello",
            "templateText": "Hello there.",
        },
    )

    await jo.press(await open_talk(jo, talk), "Send", message="Hello!", template=template["id"])
    await run_jobs(app)

    [sent] = await rows(app, "SELECT template_id FROM messages WHERE sender = 'creator'")
    assert str(sent["template_id"]) == template["id"]


async def test_no_message_is_made_from_another_creators_template(app: RunningApp) -> None:
    jo = await sign_in(app, Role.MANAGER, name="Jo")
    talk = await conversation(jo.api)
    other = await conversation(jo.api, creator="theo", fan="ann")
    template = await jo.api.made(
        "/api/templates",
        {
            "creatorId": other.creator_id,
            "category": "reply",
            "name": "Hello",
            "templateText": "Hello there.",
        },
    )

    answer = await jo.api.post(
        f"/api/conversations/{talk.conversation_id}/send",
        {"creatorId": talk.creator_id, "text": "Hello!", "templateId": template["id"]},
    )

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "templateId"
    assert await what_leaves(app) == []


async def test_markup_right_to_left_emoji_and_ten_thousand_characters_stand_as_they_are(
    app: RunningApp,
) -> None:
    jo = await sign_in(app, Role.MANAGER, name="Jo")
    name = "<img src=x onerror=alert(1)>"
    texts = ["<script>alert(1)</script>", "مرحبا كيف حالك", "👩‍👩‍👧‍👦🏳️‍🌈", "x" * 10_000]
    talk = await conversation(jo.api, said=texts)
    await rows(app, "UPDATE fans SET display_name = %(name)s", name=name)

    page = await open_talk(jo, talk)

    assert all(text in page.text for text in [name, *texts])
    assert "img" not in {tag for tag, _ in page.elements}
    assert [given for tag, given in page.elements if tag == "script" and "src" not in given] == []
