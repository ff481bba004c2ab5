"""The approval queue: one draft to decide on, held while it is looked at, decided once."""

from collections.abc import Sequence
from typing import Any

import pytest

from stubs.llm import LlmStub, Refuse, Reply
from tests.entrypoints.web.browser import Page, Person, sign_in
from tests.support.app import RunningApp
from tests.support.drafts import copies
from tests.support.world import Talk, candidate, conversation, jobs, rows, set_flag
from vaultcrm.domain.people import Role

pytestmark = pytest.mark.anyio

TEXT = "Hey you, how was your day?"
OTHER = "Hey you, how was your morning?"
WHALE = 250_000


async def drafted(
    person: Person,
    llm: LlmStub,
    talk: Talk,
    text: str = TEXT,
    *,
    price_minor: int | None = None,
    alternatives: Sequence[str] = (OTHER,),
) -> str:
    """The id of a draft with that text, of an offer when there is a price."""
    others = [candidate(other, rating=10) for other in alternatives]
    llm.script([Reply(candidates=[candidate(text, price_minor=price_minor), *others])])
    kind = "reply" if price_minor is None else "ppv_offer"
    answer = await person.api.made("/api/ai/generate", talk.asks(kind))
    return str(answer["generationId"])


async def feedback(app: RunningApp) -> list[dict[str, Any]]:
    return await rows(app, "SELECT * FROM ai_message_feedback ORDER BY id")


async def what_leaves(app: RunningApp) -> list[tuple[str, int | None]]:
    found = await rows(app, "SELECT text, price_minor FROM outbox ORDER BY id")
    assert len(found) == len(await jobs(app, "deliver_message"))
    return [(row["text"], row["price_minor"]) for row in found]


def shown_draft(page: Page) -> str:
    """Which draft is open."""
    return page.path.rpartition("draft=")[2].partition("&")[0]


async def test_the_most_urgent_draft_is_opened_with_all_that_a_decision_needs(
    claude: RunningApp, llm: LlmStub
) -> None:
    jo = await sign_in(claude, Role.MANAGER, name="Jo")
    await drafted(jo, llm, await conversation(jo.api, fan="low"), "Another one for later.")
    talk = await conversation(
        jo.api, fan="tom88", said=["Hi!", "What is new?"], value_minor=WHALE, disclosed=False
    )
    await drafted(jo, llm, talk, "The new set is done.", price_minor=7500)

    page = await jo.open("/queue")

    for words in (
        "Paid offer",
        "The new set is done.",
        "Price $75.00",
        "offer of $50 or more, whale, not a simple reply, the fan has not been told about AI",
        "of 100",
        "It fits.",
        "No findings",
        "What is new?",
        "Lifetime value $2,500.00",
        "AI disclosure not shown",
        "held by you",
    ):
        assert words in page.text
    assert {"Approve and next", "Approve my version and next", "Reject and next"} <= set(
        page.labels
    )
    assert "All 2" in page.text
    assert "High value 1" in page.text


async def test_approving_sends_the_draft_as_it_is_and_opens_the_next_one(
    claude: RunningApp, llm: LlmStub
) -> None:
    jo = await sign_in(claude, Role.CHATTER, name="Jo")
    mary = await sign_in(claude, Role.MANAGER, name="Mary")
    first = await drafted(mary, llm, await conversation(mary.api, value_minor=WHALE))
    second = await drafted(mary, llm, await conversation(mary.api, fan="ann"), "And for Ann.")

    page = await jo.open("/queue")
    assert shown_draft(page) == first
    page = await jo.press(page, "Approve and next")

    assert "Approved. The message is on its way." in page.text
    assert shown_draft(page) == second
    assert await what_leaves(claude) == [(TEXT, None)]
    [decided] = await feedback(claude)
    assert (decided["feedback_type"], decided["user_id"]) == ("approved", jo.api.user_id)


async def test_an_edited_draft_leaves_with_the_new_text_and_price(
    claude: RunningApp, llm: LlmStub
) -> None:
    jo = await sign_in(claude, Role.MANAGER, name="Jo")
    await drafted(jo, llm, await conversation(jo.api), "The set is done.", price_minor=2500)

    page = await jo.press(
        await jo.open("/queue"),
        "Approve my version and next",
        message="The set is done,\r\nlook!",
        price="19,50",
        reason="warmer",
    )

    assert "Your version is approved" in page.text
    assert await what_leaves(claude) == [("The set is done,\nlook!", 1950)]
    [decided] = await feedback(claude)
    assert (decided["feedback_type"], decided["modification_notes"]) == ("modified", "warmer")


async def test_an_empty_price_takes_the_price_away(claude: RunningApp, llm: LlmStub) -> None:
    jo = await sign_in(claude, Role.MANAGER, name="Jo")
    await drafted(jo, llm, await conversation(jo.api), "The set is done.", price_minor=2500)

    await jo.press(await jo.open("/queue"), "Approve my version and next", price="")

    assert await what_leaves(claude) == [("The set is done.", None)]


@pytest.mark.parametrize(
    ("label", "typed", "reason", "told"),
    [
        ("Too pushy", {}, "too_pushy", "Too pushy"),
        ("Reject and next", {"reason": "she never says hey"}, "other", "she never says hey"),
    ],
)
async def test_a_rejected_draft_keeps_the_reason_and_nothing_leaves(
    claude: RunningApp, llm: LlmStub, label: str, typed: dict[str, str], reason: str, told: str
) -> None:
    jo = await sign_in(claude, Role.MANAGER, name="Jo")
    talk = await conversation(jo.api)
    await drafted(jo, llm, talk)

    page = await jo.press(await jo.open("/queue"), label, **typed)

    assert "Rejected. Nothing was sent." in page.text
    assert await what_leaves(claude) == []
    assert [row["reason"] for row in await feedback(claude)] == [reason]
    conversation_page = await jo.open(f"/conversations/{talk.conversation_id}")
    assert f"rejected by Jo · {told}" in conversation_page.text


async def test_a_draft_is_not_rejected_without_a_reason(claude: RunningApp, llm: LlmStub) -> None:
    jo = await sign_in(claude, Role.MANAGER, name="Jo")
    await drafted(jo, llm, await conversation(jo.api))

    page = await jo.press(await jo.open("/queue"), "Reject and next", reason="  ")

    assert page.status == 422
    assert "say in a few words why" in page.text
    assert await feedback(claude) == []


async def test_a_finding_is_marked_at_its_place_and_explained(
    claude: RunningApp, llm: LlmStub
) -> None:
    jo = await sign_in(claude, Role.MANAGER, name="Jo")
    await drafted(
        jo,
        llm,
        await conversation(jo.api),
        "It is here & last chance <today>.",
        alternatives=["Last chance, really."],
    )

    page = await jo.open("/queue")

    assert page.marks == [("last chance", "Pressure: Presses with a deadline or scarcity.")]
    assert "It is here & last chance <today>." in page.text
    assert "1 finding" in page.text
    assert "the content filter asks for a look" in page.text


async def test_a_draft_that_somebody_looks_at_is_shown_to_others_as_theirs(
    claude: RunningApp, llm: LlmStub
) -> None:
    jo = await sign_in(claude, Role.MANAGER, name="Jo")
    ann = await sign_in(claude, Role.MANAGER, name="Ann")
    first = await drafted(jo, llm, await conversation(jo.api, value_minor=WHALE))
    second = await drafted(jo, llm, await conversation(jo.api, fan="ann"), "The second.")

    assert shown_draft(await jo.open("/queue")) == first
    theirs = await ann.open("/queue")
    anyway = await ann.open(f"/queue?draft={first}")

    assert shown_draft(theirs) == second
    assert "being reviewed by Jo" in theirs.text
    assert "Being reviewed by Jo until" in anyway.text
    assert "Approve and next" not in anyway.labels
    assert "Mine 1" in theirs.text


async def test_when_others_hold_all_drafts_nobody_is_pushed_aside(
    claude: RunningApp, llm: LlmStub
) -> None:
    jo = await sign_in(claude, Role.MANAGER, name="Jo")
    ann = await sign_in(claude, Role.MANAGER, name="Ann")
    await drafted(jo, llm, await conversation(jo.api))
    await jo.open("/queue")

    page = await ann.open("/queue")

    assert "Choose a draft" in page.text
    assert "Approve and next" not in page.labels


async def test_of_two_people_who_decide_the_second_is_told_who_was_first_and_keeps_their_text(
    claude: RunningApp, llm: LlmStub
) -> None:
    jo = await sign_in(claude, Role.MANAGER, name="Jo")
    ann = await sign_in(claude, Role.MANAGER, name="Ann")
    draft = await drafted(jo, llm, await conversation(jo.api))
    before = await ann.open(f"/queue?draft={draft}")
    await rows(claude, "UPDATE ai_message_generations SET claimed_until = created_at")
    await jo.press(await jo.open(f"/queue?draft={draft}"), "Approve and next")

    page = await ann.press(before, "Approve my version and next", message="Mine, <b>better</b>.")

    assert page.status == 409
    assert "This draft is approved by Jo, just now. What you sent changed nothing." in page.text
    assert "Mine, <b>better</b>." in page.text
    assert page.link("Go on with the next draft") == "/queue?tab=all"
    assert await what_leaves(claude) == [(TEXT, None)]


async def test_a_draft_that_the_fan_has_overtaken_leaves_only_if_somebody_insists(
    claude: RunningApp, llm: LlmStub
) -> None:
    jo = await sign_in(claude, Role.MANAGER, name="Jo")
    talk = await conversation(jo.api)
    await drafted(jo, llm, talk)
    before = await jo.open("/queue")
    await jo.api.made(talk.messages, talk.says("Wait, forget it."))

    page = await jo.press(before, "Approve and next")

    assert page.status == 409
    assert "Tom88 has written since this was drafted." in page.text
    assert "Wait, forget it." in page.text
    assert await what_leaves(claude) == []
    assert "Fan wrote since" in page.text
    page = await jo.press(page, "Send all the same")
    assert "Approved. The message is on its way." in page.text
    assert await what_leaves(claude) == [(TEXT, None)]


async def test_a_draft_that_the_fan_has_overtaken_can_be_drafted_anew(
    claude: RunningApp, llm: LlmStub
) -> None:
    jo = await sign_in(claude, Role.MANAGER, name="Jo")
    talk = await conversation(jo.api)
    old = await drafted(jo, llm, talk)
    await jo.api.made(talk.messages, talk.says("Wait, forget it."))
    llm.script([Reply(candidates=[candidate("No worries at all!"), candidate(OTHER)])])

    page = await jo.press(await jo.open("/queue"), "Draft anew")

    assert "No worries at all!" in page.text
    assert "Approve and next" in page.labels
    statement = "SELECT status FROM ai_message_generations WHERE id = %(id)s"
    assert await rows(claude, statement, id=old) == [{"status": "expired"}]


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ({"message": "Max out your card for me"}, "“Max out your card”"),
        ({"message": "   "}, "Your text: must not be empty"),
        ({"price": "a lot"}, "The price: write it like 25 or 25.50"),
        ({"price": "1,234"}, "The price: write it like 25 or 25.50"),
        ({"price": "nan"}, "The price: write it like 25 or 25.50"),
        ({"price": "9999"}, "this channel takes at most"),
    ],
)
async def test_an_edit_that_cannot_leave_is_explained_and_nothing_has_to_be_typed_again(
    claude: RunningApp, llm: LlmStub, typed: dict[str, str], told: str
) -> None:
    jo = await sign_in(claude, Role.MANAGER, name="Jo")
    await drafted(jo, llm, await conversation(jo.api), "The set is done.", price_minor=2500)

    page = await jo.press(await jo.open("/queue"), "Approve my version and next", **typed)

    assert page.status == 422
    assert told in page.text
    form, _ = page.form("Approve my version and next")
    assert {name: form.fields[name] for name in typed} == typed
    editors = [given for _, given in page.elements if given.get("id") == "edit"]
    assert "open" in editors[0]
    assert await what_leaves(claude) == []


async def test_an_alternative_can_be_taken_into_the_form(claude: RunningApp, llm: LlmStub) -> None:
    jo = await sign_in(claude, Role.MANAGER, name="Jo")
    await drafted(jo, llm, await conversation(jo.api))

    page = await jo.open((await jo.open("/queue")).link("Edit this one"))

    form, _ = page.form("Approve my version and next")
    assert form.fields["message"] == OTHER
    await jo.press(page, "Approve my version and next")
    assert await what_leaves(claude) == [(OTHER, None)]


async def test_a_draft_without_text_can_only_be_written_or_rejected(
    claude: RunningApp, llm: LlmStub
) -> None:
    jo = await sign_in(claude, Role.MANAGER, name="Jo")
    talk = await conversation(jo.api)
    llm.script([Refuse()])
    await jo.api.made("/api/ai/generate", talk.asks())

    page = await jo.open("/queue")

    assert "the model declined" in page.text
    assert "Approve and next" not in page.labels
    await jo.press(page, "Approve my version and next", message="I write it myself.")
    assert await what_leaves(claude) == [("I write it myself.", None)]


async def test_where_selling_is_stopped_no_price_can_be_approved_or_typed(
    claude: RunningApp, llm: LlmStub
) -> None:
    jo = await sign_in(claude, Role.MANAGER, name="Jo")
    talk = await conversation(jo.api)
    await drafted(jo, llm, talk, "The set is done.", price_minor=2500)
    await jo.api.made(talk.messages, talk.says("I want to kill myself"))

    page = await jo.open("/queue")

    assert "Selling is stopped in this conversation" in page.text
    assert "The fan may be in distress" in page.text
    assert "Send all the same" not in page.labels
    form, _ = page.form("Send my version all the same")
    assert "price" not in form.fields
    await jo.press(page, "Send my version all the same", message="I am here. Are you safe?")
    assert await what_leaves(claude) == [("I am here. Are you safe?", None)]


async def test_tabs_part_the_queue_by_value_care_and_owner(
    claude: RunningApp, llm: LlmStub
) -> None:
    jo = await sign_in(claude, Role.MANAGER, name="Jo")
    ann = await sign_in(claude, Role.MANAGER, name="Ann")
    await drafted(jo, llm, await conversation(jo.api, fan="plain"), "For plain.")
    await drafted(jo, llm, await conversation(jo.api, fan="whale", value_minor=WHALE), "For whale.")
    sad = await conversation(jo.api, fan="sad", said=["I want to kill myself"])
    await drafted(jo, llm, sad, "For sad.")
    await ann.open("/queue?tab=care")

    pages = {tab: await jo.open(f"/queue?tab={tab}") for tab in ("high-value", "care", "mine")}
    mine = await jo.open("/queue?tab=mine")

    assert "All 3 High value 1 Care 1 Mine 1" in pages["high-value"].text
    assert "For whale." in pages["high-value"].text
    assert "For plain." not in pages["high-value"].text
    assert "For sad." in pages["care"].text
    assert "being reviewed by Ann" in pages["care"].text
    assert "For whale." in mine.text
    assert "For sad." not in mine.text
    assert "being reviewed by Ann" not in mine.text


async def test_a_long_queue_has_a_next_page(claude: RunningApp, llm: LlmStub) -> None:
    jo = await sign_in(claude, Role.MANAGER, name="Jo")
    for number in range(52):
        talk = await conversation(jo.api, fan=f"fan{number}", said=())
        await jo.api.made("/api/ai/generate", talk.asks("welcome"))

    first = await jo.open("/queue")
    second = await jo.open(first.link("The next ones"))

    def drafts(page: Page) -> set[str]:
        return {link for link in page.links.values() if "draft=" in link and "use=" not in link}

    assert (len(drafts(first)), len(drafts(second))) == (50, 2)
    assert not drafts(first) & drafts(second)


async def test_an_empty_queue_says_what_lands_in_it_and_how(app: RunningApp) -> None:
    jo = await sign_in(app, Role.CHATTER, name="Jo")

    page = await jo.open("/queue")

    assert "Nothing waits for you" in page.text
    assert "At stage 2, that is every draft." in page.text
    assert page.links["inbox"] == "/inbox"


async def test_a_chatter_sees_and_decides_the_drafts_of_their_creators_alone(
    claude: RunningApp, llm: LlmStub
) -> None:
    mary = await sign_in(claude, Role.MANAGER, name="Mary")
    foreign = await drafted(mary, llm, await conversation(mary.api, creator="mia"), "By Mia.")
    await drafted(mary, llm, await conversation(mary.api, creator="zoe"), "By Zoe.")
    jo = await sign_in(claude, Role.CHATTER, name="Jo", creators=["zoe"])

    page = await jo.open("/queue")
    form, _ = page.form("Approve and next")

    assert "By Zoe." in page.text
    assert "By Mia." not in page.text
    assert (await jo.open(f"/queue?draft={foreign}")).status == 404
    stolen = await jo.send(f"/queue/{foreign}", {**form.fields, "action": "approve"})
    assert stolen.status == 404
    assert await what_leaves(claude) == []


async def test_when_ai_is_switched_off_the_console_hides_drafts_and_lets_none_out(
    claude: RunningApp, llm: LlmStub
) -> None:
    ada = await sign_in(claude, Role.ADMIN, name="Ada")
    draft = await drafted(ada, llm, await conversation(ada.api))
    before = await ada.open("/queue")
    await set_flag(ada.api, "ENABLE_AI_CHAT", False)

    start, queue = await ada.open("/"), await ada.open("/queue")
    late = await ada.press(before, "Approve and next")

    assert start.path == "/inbox"
    assert "AI off" in start.text
    assert "/queue" not in start.links.values()
    assert "AI is switched off" in queue.text
    assert TEXT not in queue.text
    assert (await ada.open(f"/queue?draft={draft}")).text == queue.text
    assert late.status == 404
    assert await what_leaves(claude) == []


async def test_where_ai_is_off_for_one_creator_only_their_drafts_are_hidden(
    claude: RunningApp, llm: LlmStub
) -> None:
    ada = await sign_in(claude, Role.ADMIN, name="Ada")
    talk = await conversation(ada.api, creator="mia")
    hidden = await drafted(ada, llm, talk, "By Mia.")
    await drafted(ada, llm, await conversation(ada.api, creator="zoe"), "By Zoe.")
    await set_flag(ada.api, "ENABLE_AI_CHAT", False, talk.creator_id)

    page = await ada.open("/queue")

    assert "By Zoe." in page.text
    assert "By Mia." not in page.text
    assert "All 1" in page.text
    assert (await ada.open(f"/queue?draft={hidden}")).status == 404


async def test_the_retrieval_drafter_needs_no_key(app: RunningApp) -> None:
    jo = await sign_in(app, Role.MANAGER, name="Jo")
    talk = await conversation(jo.api)
    template = {"creatorId": talk.creator_id, "category": "welcome", "name": "hello"}
    await jo.api.made("/api/templates", {**template, "templateText": "Welcome, {fan_name}!"})
    await jo.api.made("/api/ai/generate", talk.asks("welcome"))

    page = await jo.press(await jo.open("/queue"), "Approve and next")

    assert "Nothing waits for you" in page.text
    assert await what_leaves(app) == [("Welcome, Tom88!", None)]


HOSTILE = [
    "<img src=x onerror=alert(1)>",
    "</textarea></title><script>alert(1)</script>",
    "{{ 7 * 7 }} {% raw %} &amp; &lt;",
    "عبد الرحمن \u202egnol\u202c بن محمد",
    "🦄👩\u200d👩\u200d👧\u200d👦",
    "W" * 190,
    "'\" ` \\ \u2028 \u202e",
]


@pytest.mark.parametrize("name", HOSTILE)
async def test_whatever_a_fan_calls_themselves_or_writes_is_shown_as_it_is(
    claude: RunningApp, llm: LlmStub, name: str
) -> None:
    jo = await sign_in(claude, Role.ADMIN, name="Jo")
    talk = await conversation(jo.api, said=[f"I am {name}"])
    await rows(claude, "UPDATE fans SET display_name = %(name)s, notes = %(name)s", name=name)
    await rows(claude, "UPDATE creators SET display_name = %(name)s", name=name)
    await rows(claude, "UPDATE users SET name = %(name)s WHERE role = 'admin'", name=name)
    await drafted(jo, llm, talk, f"Hi {name}, last chance", alternatives=[f"Last chance {name}"])
    shown = " ".join(name.split())

    queue = await jo.open("/queue")
    pages = [
        queue,
        await jo.open("/inbox"),
        await jo.open(f"/conversations/{talk.conversation_id}"),
        await jo.press(queue, "Approve my version and next", price="x", message=name),
        await jo.open("/flags"),
        await jo.open("/audit"),
    ]

    for page in pages:
        assert shown in page.text, page.path
        assert not {tag for tag, _ in page.elements} & {"img", "b0"}, page.path
        assert all("src" in given for tag, given in page.elements if tag == "script"), page.path
    assert f"I am {shown}" in queue.text
    assert f"Hi {shown}, last chance" in queue.text
    assert "last chance" in "".join(text for text, _ in queue.marks)
    assert pages[3].form("Approve my version and next")[0].fields["message"] == name


async def test_a_long_queue_is_counted_up_to_a_hundred_and_listed_to_its_end(
    claude: RunningApp, llm: LlmStub
) -> None:
    jo = await sign_in(claude, Role.MANAGER, name="Jo")
    mias = await drafted(jo, llm, await conversation(jo.api))
    zoes = await drafted(jo, llm, await conversation(jo.api, creator="zoe"))
    await copies(claude, mias, 59, priority=7)
    await copies(claude, zoes, 59, priority=7)
    [most_urgent] = await copies(claude, zoes, 1, priority=999)

    pages, path = [], "/queue"
    while path:
        pages.append(await jo.open(path))
        path = pages[-1].links.get("The next ones", "")

    assert shown_draft(pages[0]) == most_urgent
    assert "All 99+" in pages[0].text
    assert "Mine 1" in pages[0].text
    listed = [
        attributes["href"]
        for page in pages
        for tag, attributes in page.elements
        if tag == "a" and attributes.get("class") == "item"
    ]
    assert (len(listed), len(set(listed))) == (121, 121)


HTMX = {"HX-Request": "true"}


def csrf(page: Page) -> str:
    """What every form of the page carries."""
    return page.form("Sign out")[0].fields["csrf"]


async def test_over_htmx_one_request_decides_and_brings_the_next_draft(
    claude: RunningApp, llm: LlmStub
) -> None:
    jo = await sign_in(claude, Role.MANAGER, name="Jo")
    later = await drafted(jo, llm, await conversation(jo.api, fan="low"), "Another one for later.")
    talk = await conversation(jo.api, fan="tom88", value_minor=WHALE)
    first = await drafted(jo, llm, talk, "The first one.")
    page = await jo.open("/queue")
    assert shown_draft(page) == first

    part = await jo.send(
        f"/queue/{first}", {"csrf": csrf(page), "action": "approve"}, headers=HTMX, follow=False
    )

    assert part.status == 200
    assert "<html" not in part.html
    assert "Another one for later." in part.text
    assert "Approved. The message is on its way." in part.text
    assert part.headers["hx-push-url"] == f"/queue?tab=all&draft={later}"
    assert await what_leaves(claude) == [("The first one.", None)]


async def test_an_approved_offer_can_be_taken_back_while_it_waits_to_leave(
    claude: RunningApp, llm: LlmStub
) -> None:
    jo = await sign_in(claude, Role.MANAGER, name="Jo")
    draft = await drafted(
        jo, llm, await conversation(jo.api, fan="tom88"), "The set.", price_minor=2500
    )

    approved = await jo.press(await jo.open("/queue"), "Approve and next")
    assert "To Tom88 in 0:" in approved.text
    page = await jo.press(approved, "Undo")

    assert shown_draft(page) == draft
    assert "Taken back. Nothing was sent." in page.text
    assert "Approve and next" in page.labels
    assert await rows(claude, "SELECT text FROM outbox") == []


async def test_what_has_left_cannot_be_taken_back_and_the_next_draft_is_shown(
    claude: RunningApp, llm: LlmStub
) -> None:
    jo = await sign_in(claude, Role.MANAGER, name="Jo")
    draft = await drafted(jo, llm, await conversation(jo.api), "The set.", price_minor=2500)
    approved = await jo.press(await jo.open("/queue"), "Approve and next")
    await rows(claude, "UPDATE outbox SET delivery_status = 'sent'")

    page = await jo.send(f"/queue/{draft}/undo", {"csrf": csrf(approved)})

    assert page.status == 409
    assert "too late" in page.text


async def test_a_snoozed_draft_leaves_the_queue_and_can_be_brought_back(
    claude: RunningApp, llm: LlmStub
) -> None:
    jo = await sign_in(claude, Role.MANAGER, name="Jo")
    draft = await drafted(jo, llm, await conversation(jo.api))

    page = await jo.press(await jo.open("/queue"), "1 hour")
    assert "Snoozed. It comes back by itself." in page.text
    assert TEXT not in page.text
    snoozed = await jo.open("/queue?tab=snoozed")
    assert "Snoozed 1" in snoozed.text
    back = await jo.press(await jo.open(snoozed.link("Tom88")), "Bring back")

    assert shown_draft(back) == draft
    assert "All 1" in back.text


async def test_several_drafts_are_decided_at_once_and_one_that_fails_stops_no_other(
    claude: RunningApp, llm: LlmStub
) -> None:
    jo = await sign_in(claude, Role.MANAGER, name="Jo")
    ann = await sign_in(claude, Role.MANAGER, name="Ann")
    drafts = [
        await drafted(jo, llm, await conversation(jo.api, fan=f"fan{number}"), f"Text {number}.")
        for number in range(3)
    ]
    page = await jo.open("/queue")
    await ann.press(await ann.open(f"/queue?draft={drafts[1]}"), "Approve and next")

    done = await jo.send("/queue/many", {"csrf": csrf(page), "action": "approve", "chosen": drafts})

    # Having approved one, Ann was brought the next, which she holds.
    assert "1 draft approved. 2 drafts not: This draft is approved by Ann" in done.text
    assert "Being reviewed by Ann" in done.text
    assert sorted(await what_leaves(claude)) == [("Text 0.", None), ("Text 1.", None)]


async def test_whoever_goes_on_to_another_draft_lets_the_first_one_go(
    claude: RunningApp, llm: LlmStub
) -> None:
    jo = await sign_in(claude, Role.MANAGER, name="Jo")
    ann = await sign_in(claude, Role.MANAGER, name="Ann")
    first = await drafted(jo, llm, await conversation(jo.api, fan="tom"), "The first one.")
    second = await drafted(jo, llm, await conversation(jo.api, fan="eve"), "The second one.")
    await jo.open(f"/queue?draft={first}")

    await jo.open(f"/queue?draft={second}&leaves={first}")

    assert "Approve and next" in (await ann.open(f"/queue?draft={first}")).labels
    assert "Being reviewed by Jo" in (await ann.open(f"/queue?draft={second}")).text


async def test_an_open_draft_learns_that_the_fan_or_somebody_else_came_between(
    claude: RunningApp, llm: LlmStub
) -> None:
    jo = await sign_in(claude, Role.MANAGER, name="Jo")
    talk = await conversation(jo.api)
    draft = await drafted(jo, llm, talk)
    await jo.open(f"/queue?draft={draft}")
    assert "has written since" not in (await jo.open(f"/queue/{draft}/state")).text

    await jo.api.made(talk.messages, talk.says("Wait, forget it."))
    state = await jo.open(f"/queue/{draft}/state")
    assert "has written since" in state.text
    assert "Wait, forget it." in state.text
    rejects = {
        "csrf": csrf(await jo.open("/inbox")),
        "action": "reject",
        "reject_reason": "not_now",
        "although_stale": "true",
    }
    await jo.send(f"/queue/{draft}", rejects)

    assert "rejected by Jo" in (await jo.open(f"/queue/{draft}/state")).text
