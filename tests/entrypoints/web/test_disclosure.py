"""What fans are told about AI, on its page and beside each fan."""

import pytest

from stubs.llm import LlmStub, Reply
from tests.entrypoints.web.browser import Person, sign_in
from tests.support.app import RunningApp
from tests.support.worker import run_jobs, time_has_come
from tests.support.world import WARM, Talk, conversation, rows
from vaultcrm.domain.people import Role
from vaultcrm.pipeline.disclosure import languages

pytestmark = pytest.mark.anyio

ENGLISH = languages()["en"].shipped.text
OWN = "Heads-up: AI helps my team to write here."


async def manager(app: RunningApp) -> Person:
    return await sign_in(app, Role.MANAGER, name="Mary")


async def mia(mary: Person) -> str:
    made = await mary.api.made("/api/creators", {"handle": "mia", "displayName": "Mia"})
    return str(made["id"])


async def test_the_page_shows_the_shipped_wording_of_each_language_as_a_fan_sees_it(
    app: RunningApp,
) -> None:
    mary = await manager(app)
    await mia(mary)

    page = await mary.open("/disclosure")

    assert f"As a fan sees it Mia {ENGLISH}" in page.text
    assert "again after 90 days" in page.text
    for language in languages().values():
        other = await mary.open(page.link(language.name))
        assert language.shipped.text in other.text


async def test_a_manager_sets_a_wording_which_is_kept_as_a_version_with_who_set_it(
    app: RunningApp,
) -> None:
    mary = await manager(app)
    creator_id = await mia(mary)

    page = await mary.press(await mary.open("/disclosure"), "Save", text=f"  {OWN} ")

    assert "Saved. Fans read it from the next disclosure on." in page.text
    assert "Version 1, set by Mary" in page.text
    [kept] = await rows(app, "SELECT * FROM disclosure_wordings")
    assert (str(kept["creator_id"]), kept["version"], kept["text"]) == (creator_id, 1, OWN)
    back = await mary.press(page, "Use this one")
    assert ENGLISH in back.text
    assert "Version 2, set by Mary" in back.text
    entries = await rows(
        app, "SELECT details FROM audit_log WHERE action = 'disclosure.wording_changed' ORDER BY id"
    )
    assert [entry["details"]["version"] for entry in entries] == [1, 2]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (" ", "Must not be empty"),
        ("AI " * 201, "at most 600 characters"),
        ("My team helps me to write", "must say in English that it is AI"),
        ("I said AIDA, not the other thing", "must say in English that it is AI"),
        ("AI? I'm not a bot", "Denies that AI helps to write"),
        ("AI helps me. Write to me on t.me/mia", "t.me/mia"),
    ],
)
async def test_a_wording_that_tells_the_fan_nothing_is_refused_with_what_is_wrong_and_kept_in_form(
    app: RunningApp, text: str, told: str
) -> None:
    mary = await manager(app)
    await mia(mary)

    page = await mary.press(await mary.open("/disclosure"), "Save", text=text)

    assert page.status == 422
    assert told.lower() in page.text.lower()
    form, _ = page.form("Save")
    assert form.fields["text"].strip() == text.strip()
    assert await rows(app, "SELECT 1 FROM disclosure_wordings") == []


async def test_of_two_who_change_a_wording_at_once_the_second_is_told_and_loses_no_word(
    app: RunningApp,
) -> None:
    mary = await manager(app)
    await mia(mary)
    before = await mary.open("/disclosure")
    await mary.press(before, "Save", text=OWN)

    late = await mary.press(before, "Save", text="My team works with AI.")

    assert (late.status, "Somebody else has changed this wording" in late.text) == (409, True)
    again = await mary.press(late, "Save", text=late.form("Save")[0].fields["text"])
    assert "Version 2, set by Mary" in again.text
    assert "My team works with AI." in again.text


async def test_a_chatter_reads_the_wordings_of_their_creators_and_changes_none(
    app: RunningApp,
) -> None:
    mary = await manager(app)
    page = await mary.open(f"/disclosure?creator={await mia(mary)}")
    await mary.api.made("/api/creators", {"handle": "zoe", "displayName": "Zoe"})
    jo = await sign_in(app, Role.CHATTER, name="Jo", creators=["zoe"])

    own = await jo.open("/disclosure")
    form, _ = page.form("Save")

    assert (ENGLISH in own.text, "Save" in own.labels) == (True, False)
    assert (await jo.open(page.path)).status == 404
    assert (await jo.send(form.action, form.fields)).status == 403
    assert await rows(app, "SELECT 1 FROM disclosure_wordings") == []


async def test_without_a_creator_the_page_says_where_to_begin(app: RunningApp) -> None:
    mary = await manager(app)
    assert "There is no creator yet" in (await mary.open("/disclosure")).text


async def asked(mary: Person) -> Talk:
    return await conversation(mary.api, said=["hey", "are you a bot?"])


async def test_a_fan_who_asked_is_seen_beside_the_conversation_and_told_with_one_press(
    app: RunningApp,
) -> None:
    mary = await manager(app)
    talk = await asked(mary)
    before = await mary.open(f"/conversations/{talk.conversation_id}")

    sent = await mary.press(before, "Tell them now")
    await time_has_come(app)
    await run_jobs(app)
    after = await mary.open(f"/conversations/{talk.conversation_id}")

    assert "Tom88 asked whether this is AI. The next message carries the disclosure." in before.text
    assert "The disclosure is on its way." in sent.text
    assert "Tell them now" not in sent.labels
    assert "Mia · AI disclosure" in after.text
    assert ENGLISH in after.text
    assert "the fan asked, in English, Mary" in after.text
    assert "asked whether this is AI" not in after.text


async def test_it_is_seen_in_the_queue_too(claude: RunningApp, llm: LlmStub) -> None:
    mary = await manager(claude)
    talk = await asked(mary)
    llm.script([Reply(candidates=WARM)])
    await mary.api.made("/api/ai/generate", talk.asks())

    page = await mary.press(await mary.open("/queue"), "Tell them now")

    assert page.path.startswith("/queue")
    assert "The disclosure is on its way." in page.text
    [item] = await rows(claude, "SELECT author, text FROM outbox")
    assert (item["author"], item["text"]) == ("disclosure", ENGLISH)


async def test_the_disclosure_that_goes_before_a_draft_has_no_undo_of_its_own(
    claude: RunningApp, llm: LlmStub
) -> None:
    mary = await manager(claude)
    talk = await conversation(mary.api, disclosed=False)
    llm.script([Reply(candidates=WARM)])
    draft = await mary.api.made("/api/ai/generate", talk.asks())
    body = {"generationId": draft["generationId"], "action": "approve"}
    await mary.api.made("/api/ai/approve", body)

    page = await mary.open(f"/conversations/{talk.conversation_id}")

    assert page.labels.count("Undo") == 1
    undone = await mary.press(page, "Undo")
    assert "Taken back." in undone.text
    assert await rows(claude, "SELECT 1 FROM outbox") == []
