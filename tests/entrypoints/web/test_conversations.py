"""The inbox and one conversation: who wrote what, who waits, and drafting from there."""

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from stubs.llm import LlmStub, Reply
from tests.entrypoints.web.browser import Page, Person, sign_in
from tests.support.app import RunningApp
from tests.support.guarantee import give_guarantee
from tests.support.world import WARM, Talk, candidate, conversation, own_details, rows, set_flag
from vaultcrm.domain.people import Role
from vaultcrm.workflows.deliver_message import deliver_message
from vaultcrm.workflows.import_conversations import import_conversations

pytestmark = pytest.mark.anyio

BEGIN = datetime(2026, 1, 1, 12, tzinfo=UTC)


def line(fan: str, *messages: dict[str, Any], **more: Any) -> bytes:
    """A line of an import file; messages are a minute apart."""
    sent = [
        {
            "id": f"m{number}",
            "from": "fan",
            "sentAt": (BEGIN + timedelta(minutes=number)).isoformat(),
            **message,
        }
        for number, message in enumerate(messages)
    ]
    known = {"creator": {"handle": "mia"}, "fan": {"handle": fan, **more}, "messages": sent}
    return json.dumps(known).encode()


async def bring_in(app: RunningApp, *lines: bytes) -> None:
    parts = app.parts
    report = await import_conversations(
        parts.pool, lines, content_filter=parts.content_filter, now=parts.now()
    )
    assert report.lines_skipped == 0, report.problems


async def deliver_all(app: RunningApp) -> None:
    waiting = "SELECT creator_id, id FROM outbox WHERE delivery_status = 'pending'"
    for row in await rows(app, waiting):
        await deliver_message(app.parts, row["creator_id"], row["id"])


def order(page: Page, *names: str) -> list[str]:
    """The names in the order in which the page has them."""
    return sorted(names, key=page.text.index)


async def open_talk(person: Person, talk: Talk) -> Page:
    return await person.open(f"/conversations/{talk.conversation_id}")


async def test_the_inbox_shows_the_latest_first_with_who_waits_and_how_long(
    app: RunningApp,
) -> None:
    jo = await sign_in(app, Role.MANAGER, name="Jo")
    await bring_in(
        app,
        line("Older", {"text": "Hi"}, {"text": "Hi!", "from": "creator"}),
        line("Newer", *[{"text": "Hi"}] * 3, lifetimeValueMinor=250_000),
    )

    page = await jo.open("/inbox")

    assert order(page, "Newer", "Older") == ["Newer", "Older"]
    waited = (app.parts.now() - BEGIN).days
    assert f"Newer {waited} d Hi 3 unread Whale" in page.text
    assert "Older 1 Jan You: Hi!" in page.text
    assert "1 fan waits for an answer" in page.text


async def test_the_inbox_goes_on_page_by_page_without_losing_or_repeating_a_conversation(
    app: RunningApp,
) -> None:
    jo = await sign_in(app, Role.MANAGER, name="Jo")
    await bring_in(app, *(line(f"Fan{number:03}", {"text": "Hi"}) for number in range(110)))
    await bring_in(app, *(line(f"Fan{number:03}") for number in range(110, 120)))

    pages, path = [], "/inbox"
    while path:
        pages.append(await jo.open(path))
        path = pages[-1].links.get("Older", "")

    names = [name[:6] for page in pages for name in page.links if name.startswith("Fan")]
    assert [len([n for n in page.links if n.startswith("Fan")]) for page in pages] == [50, 50, 20]
    assert sorted(names) == [f"Fan{number:03}" for number in range(120)]
    assert "99+" in pages[0].text


async def test_an_empty_inbox_says_how_conversations_come_in(app: RunningApp) -> None:
    jo = await sign_in(app, Role.CHATTER, name="Jo", creators=[])

    page = await jo.open("/inbox")

    assert "vaultcrm import FILE.jsonl" in page.text
    assert "vaultcrm user assign EMAIL --creator HANDLE" in page.text


async def test_a_chatter_sees_the_conversations_of_their_creators_alone(app: RunningApp) -> None:
    mary = await sign_in(app, Role.MANAGER, name="Mary")
    foreign = await conversation(mary.api, creator="mia", fan="foreign")
    own = await conversation(mary.api, creator="zoe", fan="own")
    jo = await sign_in(app, Role.CHATTER, name="Jo", creators=["zoe"])

    inbox = await jo.open("/inbox")

    assert "Own" in inbox.text
    assert "Foreign" not in inbox.text
    assert (await open_talk(jo, own)).status == 200
    assert (await open_talk(jo, foreign)).status == 404


async def test_a_conversation_tells_who_wrote_each_message_and_what_was_bought(
    claude: RunningApp, llm: LlmStub
) -> None:
    jo = await sign_in(claude, Role.ADMIN, name="Jo")
    await bring_in(
        claude,
        line(
            "tom",
            {"text": "What is new?"},
            {"text": "This set.", "from": "creator", "priceMinor": 2500},
            {
                "text": "And this.",
                "from": "creator",
                "priceMinor": 900,
                "purchasedAt": "2026-01-01T12:30:00Z",
            },
            {"text": "Lovely."},
            disclosedAt=claude.parts.now().isoformat(),
        ),
    )
    [row] = await rows(claude, "SELECT creator_id, fan_id, id FROM conversations")
    talk = Talk(str(row["creator_id"]), "mia", str(row["fan_id"]), str(row["id"]))
    await give_guarantee(claude, talk.creator_id)
    llm.script([Reply(candidates=WARM)])
    await jo.api.made("/api/ai/generate", talk.asks())
    await jo.press(await jo.open("/queue"), "Approve and next")
    await set_flag(jo.api, "AI_ROLLOUT_STAGE", 4)
    llm.script([Reply(candidates=[dict(one, self_rating=100) for one in WARM[::-1]])])
    automatic = await jo.api.made("/api/ai/generate", talk.asks())
    assert automatic["status"] == "auto_sent"
    await deliver_all(claude)

    page = await open_talk(jo, talk)

    thread = page.text
    assert "What is new?" in thread
    assert "This set. $25.00 · not bought" in thread
    assert "And this. $9.00 · bought 1 Jan 12:30" in thread
    assert "mia · imported · 12:01" in thread
    assert "mia · AI, approved by Jo ·" in thread
    assert "mia · AI, sent automatically ·" in thread
    assert order(page, "What is new?", "This set.", "Lovely.") == [
        "What is new?",
        "This set.",
        "Lovely.",
    ]


async def test_older_messages_are_one_page_back_and_none_is_lost(app: RunningApp) -> None:
    jo = await sign_in(app, Role.MANAGER, name="Jo")
    await bring_in(app, line("tom", *({"text": f"number {n:02}."} for n in range(60))))
    [row] = await rows(app, "SELECT id FROM conversations")

    newest = await jo.open(f"/conversations/{row['id']}")
    older = await jo.open(newest.link("Earlier messages"))

    said = re.compile(r'<p dir="auto">number (\d\d)\.</p>')
    assert [int(n) for n in said.findall(newest.html)] == list(range(10, 60))
    assert [int(n) for n in said.findall(older.html)] == list(range(10))
    assert "Earlier messages" not in older.links
    assert older.link("To the latest").startswith(f"/conversations/{row['id']}")


async def test_a_draft_asked_for_is_shown_where_it_was_asked_for(
    claude: RunningApp, llm: LlmStub
) -> None:
    jo = await sign_in(claude, Role.CHATTER, name="Jo")
    talk = await conversation((await sign_in(claude, Role.MANAGER, name="Mary")).api)
    offer = [candidate("The set is done.", price_minor=2500), candidate("A set, done.")]
    llm.script([Reply(candidates=offer)])

    page = await jo.press(await open_talk(jo, talk), "Draft", generation_type="ppv_offer")

    assert "The set is done." in page.text
    assert "Price $25.00" in page.text
    assert "Paid offer waits for approval: people approve everything at this stage" in page.text
    assert {"Send draft", "Send my version", "Reject draft"} <= set(page.labels)
    [row] = await rows(claude, "SELECT chatter_id FROM ai_message_generations")
    assert row["chatter_id"] == jo.api.user_id


async def test_a_draft_that_the_filter_stopped_is_explained_and_not_shown(
    claude: RunningApp, llm: LlmStub
) -> None:
    jo = await sign_in(claude, Role.MANAGER, name="Jo")
    talk = await conversation(jo.api)
    push = [candidate(f"Max out your card for me, {word}") for word in ("please", "now")]
    llm.script([Reply(candidates=push)] * 2)

    page = await jo.press(await open_talk(jo, talk), "Draft")

    assert "rejected by the content filter" in page.text
    assert "so its text is not shown" in page.text
    assert "for me, please" not in page.text
    assert "Pushes somebody to spend money that they do not have." in page.text


@pytest.mark.parametrize(
    ("flag", "status", "told"),
    [
        ("AI_RATE_LIMIT_PER_HOUR", 429, "The limit of 0 drafts an hour is reached."),
        ("AI_MAX_TOKENS_PER_DAY", 429, "The limit of 0 tokens a day is reached"),
    ],
)
async def test_a_limit_that_is_reached_is_explained_in_the_conversation(
    claude: RunningApp, flag: str, status: int, told: str
) -> None:
    ada = await sign_in(claude, Role.ADMIN, name="Ada")
    talk = await conversation(ada.api, said=["Still there?"])
    await set_flag(ada.api, flag, 0)

    page = await ada.press(await open_talk(ada, talk), "Draft")

    assert page.status == status
    assert int(page.headers["retry-after"]) > 0
    assert f"No draft was made. {told}" in page.text
    assert "Still there?" in page.text


async def test_where_ai_is_off_for_a_creator_nothing_of_it_is_left_in_the_conversation(
    claude: RunningApp,
) -> None:
    ada = await sign_in(claude, Role.ADMIN, name="Ada")
    talk = await conversation(ada.api, said=["Still there?"], disclosed=False)
    before = await open_talk(ada, talk)
    await set_flag(ada.api, "ENABLE_AI_CHAT", False, talk.creator_id)

    page = await open_talk(ada, talk)
    late = await ada.press(before, "Draft")

    assert "Still there?" in page.text
    assert {"Send", "Save notes"} <= set(page.labels)
    assert not {"Draft", "Off", "Note that it was shown"} & set(page.labels)
    assert "disclosure" not in page.text
    assert (late.status, "AI is switched off" in late.text) == (503, True)


async def test_ai_can_be_switched_off_and_on_in_one_conversation(claude: RunningApp) -> None:
    jo = await sign_in(claude, Role.CHATTER, name="Jo")
    talk = await conversation((await sign_in(claude, Role.MANAGER, name="Mary")).api)

    off = await jo.press(await open_talk(jo, talk), "Off")
    assert "Changed what AI does in this conversation." in off.text
    assert "Draft" not in off.labels
    on = await jo.press(off, "Drafts only")

    assert "Draft" in on.labels
    modes = [given for _, given in on.elements if given.get("name") == "mode"]
    pressed = [given["value"] for given in modes if given["aria-pressed"] == "true"]
    assert pressed == ["draft_only"]
    entries = await rows(
        claude,
        "SELECT actor_id, details FROM audit_log WHERE action = 'conversation.mode_changed'"
        " ORDER BY id",
    )
    assert [own_details(entry) for entry in entries] == [{"mode": "off"}, {"mode": "draft_only"}]
    assert {entry["actor_id"] for entry in entries} == {jo.api.user_id}


async def test_it_can_be_noted_that_a_fan_was_told_about_ai(app: RunningApp) -> None:
    jo = await sign_in(app, Role.CHATTER, name="Jo")
    mary = await sign_in(app, Role.MANAGER, name="Mary")
    talk = await conversation(mary.api, disclosed=False)
    before = await open_talk(jo, talk)

    page = await jo.press(before, "Note that it was shown")

    assert "AI disclosure not shown" in before.text
    assert "AI disclosure shown" in page.text
    assert "Note that it was shown" not in page.labels
    [entry] = await rows(app, "SELECT * FROM audit_log WHERE action = 'fan.disclosed'")
    assert (entry["actor_id"], entry["subject_id"]) == (jo.api.user_id, talk.fan_id)


async def test_foreign_conversations_can_be_changed_by_no_form(app: RunningApp) -> None:
    mary = await sign_in(app, Role.MANAGER, name="Mary")
    foreign = await conversation(mary.api, creator="mia", disclosed=False)
    own = await conversation(mary.api, creator="zoe", disclosed=False)
    jo = await sign_in(app, Role.CHATTER, name="Jo", creators=["zoe"])
    page = await open_talk(jo, own)

    for label in ("Off", "Note that it was shown", "Draft"):
        form, button = page.form(label)
        path = form.action.replace(own.conversation_id, foreign.conversation_id)
        sent = {**form.fields, **({button.name: button.value} if button.name else {})}
        assert (await jo.send(path, sent)).status == 404

    fans = await rows(app, "SELECT 1 FROM fans WHERE disclosed_at IS NOT NULL")
    modes = {row["mode"] for row in await rows(app, "SELECT mode FROM conversations")}
    assert (fans, modes) == ([], {"auto"})
    assert await rows(app, "SELECT 1 FROM ai_message_generations") == []


@pytest.mark.parametrize(
    "path", ["/inbox?older=nonsense", "/conversations/{id}?before=%00", "/queue?draft=1"]
)
async def test_an_address_that_no_page_gave_out_is_an_error_page(
    app: RunningApp, path: str
) -> None:
    jo = await sign_in(app, Role.MANAGER, name="Jo")
    talk = await conversation(jo.api)

    page = await jo.open(path.replace("{id}", talk.conversation_id))

    assert page.status in {404, 422}
    assert page.link("Back to the console") == "/"
