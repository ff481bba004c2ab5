"""The rollout page, the switch on every page, and complaints in a conversation."""

import pytest

from stubs.llm import LlmStub
from tests.entrypoints.web.browser import Person, sign_in
from tests.support.app import RunningApp
from tests.support.drafts import decide, drafted
from tests.support.worker import run_jobs
from tests.support.world import Talk, conversation, rows
from vaultcrm.domain.people import Role

pytestmark = pytest.mark.anyio

PATH = "/rollout"
ON = "Yes, move on"


async def test_every_creator_stands_there_with_their_stage_and_why_it_is_not_ready(
    app: RunningApp,
) -> None:
    ada = await sign_in(app, Role.ADMIN, name="Ada")
    assert "No creators yet" in (await ada.open(PATH)).text
    await conversation(ada.api, creator="mia")

    page = await ada.open(PATH)

    assert "Mia 2 Manual approval as the installation" in page.text
    assert "Not enough data yet" in page.text
    assert "Too few, or too close to the limit, to tell: rejected," in page.text
    assert PATH in page.links.values()


async def test_a_creator_is_moved_on_alone_with_a_reason_and_back_with_one_click(
    app: RunningApp,
) -> None:
    ada = await sign_in(app, Role.ADMIN, name="Ada")
    talk = await conversation(ada.api, creator="mia")
    form = {"move": "on", "seen": "2", "csrf": await csrf(ada)}
    path = f"{PATH}/creators/{talk.creator_id}"

    refused = await ada.send(path, {**form, "reason": " "})
    assert refused.status == 422
    assert "say why it moves on before it is ready" in refused.text
    moved = await ada.press(await ada.open(PATH), f"{ON} for Mia alone", reason="we tried it")
    assert "Moved on by one stage" in moved.text
    assert "Mia 3 Automatic, low value their own" in moved.text
    again = await ada.send(path, {**form, "reason": "twice"})
    assert again.status == 409
    assert "It is at stage 3 by now." in again.text

    back = await ada.press(moved, "Back to stage 2")

    assert "Mia 2 Manual approval their own" in back.text
    follows = await ada.press(back, "Follow the installation")
    assert "Mia 2 Manual approval as the installation" in follows.text
    found = await rows(
        app, "SELECT details FROM audit_log WHERE action = 'flag.changed' ORDER BY id"
    )
    reasons = [row["details"]["reason"] for row in found]
    assert reasons == ["we tried it", "Moved back.", "Follows the installation again."]


async def csrf(person: Person) -> str:
    return (await person.open("/inbox")).forms[0].fields["csrf"]


async def test_a_manager_sees_how_stages_do_and_moves_none(app: RunningApp) -> None:
    ada = await sign_in(app, Role.ADMIN, name="Ada")
    await conversation(ada.api, creator="mia")
    mary = await sign_in(app, Role.MANAGER, name="Mary")

    page = await mary.open(PATH)

    assert "Mia 2 Manual approval" in page.text
    assert not [form for form in page.forms if form.action.startswith(PATH)]
    form = {"move": "on", "seen": "2", "reason": "x", "csrf": await csrf(mary)}
    assert (await mary.send(f"{PATH}/all", form)).status == 403


async def test_the_switch_is_on_every_page_of_those_who_may_throw_it(app: RunningApp) -> None:
    ada = await sign_in(app, Role.ADMIN, name="Ada")
    await conversation(ada.api, creator="mia")
    part = await sign_in(app, Role.ADMIN, name="Pat", creators=["mia"])
    jo = await sign_in(app, Role.CHATTER, name="Jo")

    for path in ("/inbox", "/queue", "/audit"):
        page = await ada.open(path)
        assert page.link("AI on") == "/flags?switch=off#all-ai"
        [keyed] = [given for _, given in page.elements if given.get("data-key") == "g x"]
        assert keyed["data-key-says"] == "Switch all AI off"
    for person in (part, jo):
        assert "/flags?switch=off#all-ai" not in (await person.open("/inbox")).links.values()

    asked = await ada.open("/flags?switch=off")
    [switch] = [
        given
        for name, given in asked.elements
        if name == "details" and given.get("name") == "switch"
    ]
    assert "open" in switch
    own = await part.open("/flags")
    assert "Only an admin who acts for every creator switches all AI off" in own.text
    form = {"on": "false", "reason": "because", "csrf": await csrf(part)}
    assert (await part.send("/flags/ai", form)).status == 403


@pytest.fixture
async def sent(claude: RunningApp, llm: LlmStub) -> tuple[Person, Talk, str]:
    """A chatter, a conversation, and the draft of a message that has left."""
    ada = await sign_in(claude, Role.ADMIN, name="Ada")
    talk = await conversation(ada.api)
    generation_id = await drafted(ada.api, llm, talk)
    await decide(ada.api, generation_id, "approve")
    await run_jobs(claude)
    return await sign_in(claude, Role.CHATTER, name="Jo"), talk, generation_id


async def test_a_chatter_marks_a_complaint_beside_the_message_and_takes_the_mark_away(
    claude: RunningApp, sent: tuple[Person, Talk, str]
) -> None:
    jo, talk, _ = sent
    path = f"/conversations/{talk.conversation_id}"

    marked = await jo.press(await jo.open(path), "Mark a complaint")

    assert "Marked as a complaint." in marked.text
    page = await jo.open(path)
    assert "complaint" in page.text
    assert len(await rows(claude, "SELECT 1 FROM message_complaints")) == 1
    await jo.press(page, "Take the mark away")
    assert await rows(claude, "SELECT 1 FROM message_complaints") == []
    entries = await rows(
        claude, "SELECT 1 FROM audit_log WHERE action = 'generation.complaint_marked'"
    )
    assert len(entries) == 2


async def test_a_draft_of_another_conversation_is_not_marked_from_here(
    claude: RunningApp, sent: tuple[Person, Talk, str]
) -> None:
    jo, talk, generation_id = sent
    other = await conversation(jo.api, fan="ben")
    form = {"complaint": "true", "csrf": await csrf(jo)}
    path = f"/conversations/{other.conversation_id}/complaints/{generation_id}"
    assert talk.conversation_id != other.conversation_id
    assert (await jo.send(path, form)).status == 404
