"""The page of weekly learning: it teaches while it is empty, shows why, and lets people decide."""

import pytest

from tests.entrypoints.web.browser import Person, sign_in
from tests.support.app import RunningApp
from tests.support.learning import weeks_of_messages
from tests.support.world import Talk, conversation, rows
from tests.workflows.test_learn_weekly import asks_or_tells, week_end
from vaultcrm.domain.people import Role
from vaultcrm.workflows.learn_weekly import learn_now

pytestmark = pytest.mark.anyio

PATH = "/learning"


async def manager_of(app: RunningApp) -> tuple[Person, Talk]:
    manager = await sign_in(app, Role.MANAGER, name="Mary")
    return manager, await conversation(manager.api)


async def proposed(app: RunningApp, talk: Talk) -> None:
    await weeks_of_messages(app, talk.creator_id, week_end(app.parts), 350, asks_or_tells)
    await learn_now(app.parts, "mia")


async def test_an_empty_page_teaches_what_will_stand_there_and_how_to_get_it(
    app: RunningApp,
) -> None:
    manager, talk = await manager_of(app)
    page = await manager.open(PATH)
    assert "Nothing has been learned yet" in page.text
    assert "vaultcrm learn" in page.text
    assert page.link("Learning") == PATH
    await weeks_of_messages(app, talk.creator_id, week_end(app.parts), 3, asks_or_tells)
    await learn_now(app.parts, "mia")
    page = await manager.open(PATH)
    assert "Not enough data yet" in page.text
    assert "3 messages by AI with an outcome" in page.text


async def test_a_proposal_shows_its_evidence_and_difference_is_applied_and_taken_back(
    app: RunningApp,
) -> None:
    manager, talk = await manager_of(app)
    await proposed(app, talk)
    page = await manager.open(PATH)
    assert "Messages that ask a question were answered" in page.text
    assert "350 messages" in page.text
    assert "Ask the fan one short question." in page.text
    applied = await manager.press(page, "Apply")
    assert "It is watched from now." in applied.text
    assert "Version 1, by Mary." in applied.text
    [version] = await rows(app, "SELECT system_prompt FROM ai_creator_personalities")
    assert "Ask the fan one short question." in version["system_prompt"]
    late = await manager.press(page, "Apply")
    assert late.status == 409
    assert "This proposal has been applied." in late.text
    back = await manager.press(applied, "Take it back")
    assert "The change is taken back." in back.text
    saved = await rows(app, "SELECT system_prompt FROM ai_creator_personalities ORDER BY version")
    assert [one["system_prompt"] for one in saved][-1] == ""


async def test_dismissing_needs_a_reason_which_the_page_then_shows(app: RunningApp) -> None:
    manager, talk = await manager_of(app)
    await proposed(app, talk)
    page = await manager.open(PATH)
    without = await manager.press(page, "Dismiss", reason=" ")
    assert without.status == 422
    assert "Say why" in without.text
    gone = await manager.press(page, "Dismiss", reason="She never asks <b>twice</b>.")
    assert "The proposal is dismissed." in gone.text
    assert "She never asks <b>twice</b>." in gone.text
