"""Drafts in the conversation: shown while they are written, and decided on there."""

import asyncio
import re
from typing import Any

import pytest

from stubs.llm import LlmStub, Reply
from tests.entrypoints.web.browser import Page, Person, sign_in
from tests.support.app import RunningApp
from tests.support.gate import Gate
from tests.support.world import Talk, candidate, conversation, rows, set_flag
from vaultcrm.domain.people import Role

pytestmark = pytest.mark.anyio

TEXT = "Hey you, how was your day?"
OTHER = "Hey you, how was your morning?"
HTMX = {"HX-Request": "true", "Origin": "http://vaultcrm.test", "Sec-Fetch-Site": "same-origin"}


async def open_talk(person: Person, talk: Talk) -> Page:
    return await person.open(f"/conversations/{talk.conversation_id}")


async def streamed(person: Person, page: Page) -> list[str]:
    """What htmx is sent, message by message, when it asks for a draft."""
    form, _ = page.form("Draft")
    answer = await person.client.post(form.action, data=form.fields, headers=HTMX)
    assert answer.headers["content-type"].startswith("text/event-stream")
    messages = answer.text.split("\n\n")
    return ["\n".join(re.findall(r"(?m)^data: ?(.*)$", one)) for one in messages if one]


def offers(llm: LlmStub, *texts: str, price_minor: int | None = None) -> None:
    drafts = [
        candidate(text, price_minor=price_minor, rating=90 - 10 * place)
        for place, text in enumerate(texts)
    ]
    llm.script([Reply(candidates=drafts)])


async def drafted(person: Person, llm: LlmStub, talk: Talk, *texts: str, **more: Any) -> Page:
    """The conversation's page with a waiting draft."""
    offers(llm, *(texts or (TEXT, OTHER)), **more)
    kind = "ppv_offer" if more.get("price_minor") else "reply"
    return await person.press(await open_talk(person, talk), "Draft", generation_type=kind)


async def what_leaves(app: RunningApp) -> list[tuple[str, int | None]]:
    found = await rows(app, "SELECT text, price_minor FROM outbox ORDER BY id")
    return [(row["text"], row["price_minor"]) for row in found]


async def test_a_draft_is_shown_while_it_is_written_and_checked_at_the_end(
    claude: RunningApp, llm: LlmStub
) -> None:
    jo = await sign_in(claude, Role.CHATTER, name="Jo")
    talk = await conversation((await sign_in(claude, Role.MANAGER, name="Mary")).api)
    offers(llm, "It is the last chance, <Tom>!", "Last chance, really.")

    *writing, written = await streamed(jo, await open_talk(jo, talk))

    assert "Asking for a draft" in writing[0]
    shown = [read_text(one) for one in writing[1:]]
    assert shown
    assert all("Being written, not checked yet" in one for one in shown)
    assert "mark" not in "".join(writing)
    assert '<div id="writing"></div>' in written
    assert '<mark class="" title="Pressure: Presses with a deadline or scarcity.">' in written
    assert "Send draft" in written
    assert "1 other draft" in written
    [record] = await rows(claude, "SELECT status, chatter_id FROM ai_message_generations")
    assert (record["status"], record["chatter_id"]) == ("queued", jo.api.user_id)


def read_text(fragment: str) -> str:
    return re.sub(r"<[^>]*>", " ", fragment)


async def test_markup_in_a_draft_is_text_from_its_first_letter(
    claude: RunningApp, llm: LlmStub
) -> None:
    jo = await sign_in(claude, Role.MANAGER, name="Jo")
    talk = await conversation(jo.api)
    offers(llm, "<img src=x onerror=alert(1)>\n\nand\r\nmore", OTHER)

    messages = await streamed(jo, await open_talk(jo, talk))

    assert not any("<img" in one for one in messages)
    assert "&lt;img src=x onerror=alert(1)&gt;\n\nand" in messages[-1].replace("\r\n", "\n")


async def test_what_is_asked_for_beside_the_type_reaches_the_model_and_stands_on_the_draft(
    claude: RunningApp, llm: LlmStub
) -> None:
    jo = await sign_in(claude, Role.CHATTER, name="Jo")
    talk = await conversation((await sign_in(claude, Role.MANAGER, name="Mary")).api)
    asked = {"tone": "calmer", "length": "shorter", "hint": "ask how the exam went"}

    page = await jo.press(await open_talk(jo, talk), "Draft", **asked)

    assert "ask how the exam went" in llm.requests[-1].turn
    assert "Asked to be: shorter, calmer, to say: ask how the exam went" in page.text


async def test_a_message_that_was_begun_is_what_the_draft_begins_from_where_that_is_ticked(
    claude: RunningApp, llm: LlmStub
) -> None:
    jo = await sign_in(claude, Role.CHATTER, name="Jo")
    talk = await conversation((await sign_in(claude, Role.MANAGER, name="Mary")).api)
    form, _ = (await open_talk(jo, talk)).form("Draft")

    for ticked in ({}, {"begin": "true"}):
        await jo.send(form.action, {**form.fields, "message": "So I said to the cat", **ticked})

    turns = [str(request.body["messages"]) for request in llm.requests]
    assert ["So I said to the cat" in turn for turn in turns] == [False, True]


async def test_a_wish_that_the_filter_stops_is_told_and_asks_no_model(
    claude: RunningApp, llm: LlmStub
) -> None:
    jo = await sign_in(claude, Role.CHATTER, name="Jo")
    talk = await conversation((await sign_in(claude, Role.MANAGER, name="Mary")).api)

    page = await jo.press(await open_talk(jo, talk), "Draft", hint="add me on snapchat")

    assert page.status == 422
    assert "No draft was made: what you ask for is not allowed." in page.text
    assert llm.requests == []


async def test_a_draft_that_nobody_watches_any_more_is_made_and_kept(
    claude: RunningApp, llm: LlmStub, gate: Gate
) -> None:
    jo = await sign_in(claude, Role.MANAGER, name="Jo")
    talk = await conversation(jo.api)
    offers(llm, TEXT, OTHER)
    page = await open_talk(jo, talk)
    gate.shut()
    watching = asyncio.create_task(streamed(jo, page))
    await gate.until_waiting(1)

    watching.cancel()
    with pytest.raises(asyncio.CancelledError):
        await watching
    gate.open()

    for _ in range(500):
        if await rows(claude, "SELECT 1 FROM ai_message_generations"):
            break
        await asyncio.sleep(0.02)
    assert TEXT in (await open_talk(jo, talk)).text


async def test_a_limit_that_is_reached_is_told_where_the_draft_would_stand(
    claude: RunningApp,
) -> None:
    ada = await sign_in(claude, Role.ADMIN, name="Ada")
    talk = await conversation(ada.api)
    page = await open_talk(ada, talk)
    await set_flag(ada.api, "AI_RATE_LIMIT_PER_HOUR", 0)

    messages = await streamed(ada, page)

    assert "No draft was made. The limit of 0 drafts an hour is reached." in messages[-1]
    assert '<div id="writing"></div>' in messages[-1]


async def test_a_draft_is_sent_from_the_conversation_as_it_is(
    claude: RunningApp, llm: LlmStub
) -> None:
    jo = await sign_in(claude, Role.MANAGER, name="Jo")
    page = await drafted(jo, llm, await conversation(jo.api))

    after = await jo.press(page, "Send draft")

    assert "Approved. The message is on its way." in after.text
    assert "Send draft" not in after.labels
    assert "Mia · AI, approved by Jo" in after.text
    assert await what_leaves(claude) == [(TEXT, None)]
    assert await rows(claude, "SELECT feedback_type FROM ai_message_feedback") == [
        {"feedback_type": "approved"}
    ]


@pytest.mark.parametrize(
    ("typed", "left", "feedback"),
    [
        ({"message": "My words.", "price": "20"}, ("My words.", 2000), "modified"),
        ({"message": "The set.", "price": "25.00"}, ("The set.", 2500), "approved"),
        ({"message": "The set.", "price": ""}, ("The set.", None), "modified"),
    ],
)
async def test_only_what_was_changed_counts_as_modified(
    claude: RunningApp,
    llm: LlmStub,
    typed: dict[str, str],
    left: tuple[str, int | None],
    feedback: str,
) -> None:
    jo = await sign_in(claude, Role.MANAGER, name="Jo")
    page = await drafted(
        jo, llm, await conversation(jo.api), "The set.", "A set.", price_minor=2500
    )

    await jo.press(page, "Send my version", **typed)

    assert await what_leaves(claude) == [left]
    assert await rows(claude, "SELECT feedback_type FROM ai_message_feedback") == [
        {"feedback_type": feedback}
    ]


async def test_an_edit_that_is_refused_stays_typed(claude: RunningApp, llm: LlmStub) -> None:
    jo = await sign_in(claude, Role.MANAGER, name="Jo")
    page = await drafted(jo, llm, await conversation(jo.api))
    text = "Max out your card for me"

    refused = await jo.press(page, "Send my version", message=text, price="lots")
    blocked = await jo.press(refused, "Send my version", message=text, price="")

    assert (refused.status, "Write it like 25 or 25.50." in refused.text) == (422, True)
    assert refused.form("Send my version")[0].fields["price"] == "lots"
    assert (blocked.status, "to spend money that they do not have" in blocked.text) == (422, True)
    assert blocked.form("Send my version")[0].fields["message"] == text
    assert await what_leaves(claude) == []


async def test_another_of_the_drafts_is_taken_into_the_form(
    claude: RunningApp, llm: LlmStub
) -> None:
    jo = await sign_in(claude, Role.MANAGER, name="Jo")
    page = await drafted(jo, llm, await conversation(jo.api))

    page = await jo.open(page.link("Use this one"))
    assert page.form("Send my version")[0].fields["message"] == OTHER
    await jo.press(page, "Send my version")

    assert await what_leaves(claude) == [(OTHER, None)]


@pytest.mark.parametrize(
    ("label", "typed", "told"),
    [("Too pushy", {}, "Too pushy"), ("Reject draft", {"reason": "she says hi"}, "she says hi")],
)
async def test_a_draft_is_rejected_with_a_reason_and_nothing_leaves(
    claude: RunningApp, llm: LlmStub, label: str, typed: dict[str, str], told: str
) -> None:
    jo = await sign_in(claude, Role.MANAGER, name="Jo")
    page = await drafted(jo, llm, await conversation(jo.api))

    after = await jo.press(page, label, **typed)

    assert "Rejected. Nothing was sent." in after.text
    assert f"rejected by Jo · {told}".casefold() in after.text.casefold()
    assert await what_leaves(claude) == []


async def test_a_draft_that_the_fan_has_overtaken_says_so_and_goes_out_only_all_the_same(
    claude: RunningApp, llm: LlmStub
) -> None:
    jo = await sign_in(claude, Role.MANAGER, name="Jo")
    talk = await conversation(jo.api)
    page = await drafted(jo, llm, talk)
    await jo.api.made(talk.messages, talk.says("Wait, one more thing"))

    stopped = await jo.press(page, "Send draft")
    assert (stopped.status, await what_leaves(claude)) == (409, [])
    assert "Wait, one more thing" in stopped.text
    await jo.press(stopped, "Send all the same")

    assert await what_leaves(claude) == [(TEXT, None)]


async def test_a_draft_that_somebody_else_has_decided_on_is_not_sent_twice(
    claude: RunningApp, llm: LlmStub
) -> None:
    jo = await sign_in(claude, Role.MANAGER, name="Jo")
    ann = await sign_in(claude, Role.MANAGER, name="Ann")
    talk = await conversation(jo.api)
    page = await drafted(jo, llm, talk)
    hers = await open_talk(ann, talk)
    await jo.press(page, "Send draft")

    late = await ann.press(hers, "Send draft")

    assert late.status == 409
    assert "This draft is approved by Jo, just now. What you sent changed nothing." in late.text
    assert await what_leaves(claude) == [(TEXT, None)]


async def test_a_draft_left_to_the_queue_waits_there_and_can_be_shown_again(
    claude: RunningApp, llm: LlmStub
) -> None:
    jo = await sign_in(claude, Role.MANAGER, name="Jo")
    page = await drafted(jo, llm, await conversation(jo.api))

    left = await jo.open(page.link("To the queue"))
    assert "Send draft" not in left.labels
    assert "1 earlier draft, 1 in the queue" in left.text
    again = await jo.open(left.link("Show"))

    assert "Send draft" in again.labels
    assert await rows(claude, "SELECT status FROM ai_message_generations") == [{"status": "queued"}]


async def test_a_sent_draft_can_be_taken_back_and_waits_again(
    claude: RunningApp, llm: LlmStub
) -> None:
    jo = await sign_in(claude, Role.MANAGER, name="Jo")
    page = await drafted(
        jo, llm, await conversation(jo.api), "The set.", "A set.", price_minor=2500
    )
    sent = await jo.press(page, "Send draft")

    after = await jo.press(sent, "Undo")

    assert "Taken back. The draft waits again." in after.text
    assert "Send draft" in after.labels
    assert await what_leaves(claude) == []


async def test_a_draft_of_another_conversation_cannot_be_decided_on_here(
    claude: RunningApp, llm: LlmStub
) -> None:
    jo = await sign_in(claude, Role.MANAGER, name="Jo")
    talk, other = await conversation(jo.api), await conversation(jo.api, fan="ann")
    form, button = (await drafted(jo, llm, talk)).form("Send draft")
    path = form.action.replace(talk.conversation_id, other.conversation_id)

    page = await jo.send(path, {**form.fields, button.name: button.value})

    assert (page.status, await what_leaves(claude)) == (404, [])


async def test_with_ai_off_in_the_conversation_writing_goes_on_without_it(
    claude: RunningApp,
) -> None:
    jo = await sign_in(claude, Role.MANAGER, name="Jo")
    talk = await conversation(jo.api, mode="off")

    page = await open_talk(jo, talk)
    sent = await jo.press(page, "Send", message="By hand")

    assert "AI is off in this conversation." in page.text
    assert "Draft" not in page.labels
    assert "By hand" in sent.text
