"""A second attempt says that it is one, with what stopped the first, and shows nothing of that."""

import pytest

from stubs.llm import Fail, LlmStub, Reply
from tests.entrypoints.web.browser import Page, Person, sign_in
from tests.support.app import RunningApp
from tests.support.world import WARM, Talk, candidate, conversation
from vaultcrm.domain.people import Role

pytestmark = pytest.mark.anyio

BAD = [
    candidate("Send it to my paypal, mia@example.com!"),
    candidate("Send it to my paypal, mia@example.com, please!"),
]
TOLD = "Second attempt: the first was stopped (Payment elsewhere"


async def drafted(jo: Person, talk: Talk) -> Page:
    return await jo.press(await jo.open(f"/conversations/{talk.conversation_id}"), "Draft")


async def test_queue_and_conversation_say_why_there_was_a_second_attempt(
    claude: RunningApp, llm: LlmStub
) -> None:
    jo = await sign_in(claude, Role.MANAGER, name="Jo")
    talk = await conversation(jo.api)
    llm.script([Reply(candidates=BAD), Reply(candidates=WARM)])
    for page in (await drafted(jo, talk), await jo.open("/queue")):
        assert WARM[0]["message"] in page.text
        assert TOLD in page.text
        assert "paypal" not in page.text


async def test_a_first_attempt_says_nothing_of_attempts(claude: RunningApp, llm: LlmStub) -> None:
    jo = await sign_in(claude, Role.MANAGER, name="Jo")
    llm.script([Reply(candidates=WARM)])
    page = await drafted(jo, await conversation(jo.api))
    assert WARM[0]["message"] in page.text
    assert "attempt" not in page.text


async def test_a_second_attempt_that_could_not_be_made_is_told(
    claude: RunningApp, llm: LlmStub
) -> None:
    jo = await sign_in(claude, Role.MANAGER, name="Jo")
    llm.script([Reply(candidates=BAD), Fail(500)])
    page = await drafted(jo, await conversation(jo.api))
    assert "rejected by the content filter" in page.text
    assert "a second attempt could not be made" in page.text


async def test_a_draft_without_a_judgement_says_in_words_why_it_waits(
    claude: RunningApp, llm: LlmStub
) -> None:
    jo = await sign_in(claude, Role.MANAGER, name="Jo")
    talk = await conversation(jo.api, value_minor=500_000)
    llm.script([Reply(candidates=WARM)])
    llm.script_judge([Fail(500)])
    page = await drafted(jo, talk)
    assert "the checker could not judge what the draft means" in page.text
