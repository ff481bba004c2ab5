"""The console's page of A/B tests: added with a form, started, read and ended."""

from typing import Any

import pytest

from tests.entrypoints.web.browser import Page, Person, sign_in
from tests.support.app import RunningApp
from tests.support.experiments import PATH as API
from tests.support.experiments import PROMPTS, Played, compared, play, running
from tests.support.world import Talk, conversation
from vaultcrm.domain.people import Role
from vaultcrm.workflows.evaluate_ab_tests import evaluate_ab_tests

pytestmark = pytest.mark.anyio

PATH = "/experiments"


async def manager_of(app: RunningApp) -> tuple[Person, Talk]:
    manager = await sign_in(app, Role.MANAGER, name="Mary")
    return manager, await conversation(manager.api, said=())


async def added(person: Person, talk: Talk, **typed: Any) -> Page:
    """The answer to the form with two prompts and what else was typed."""
    page = await person.open(f"{PATH}/new")
    form, _ = page.form("Add the test")
    fields = {
        **form.fields,
        "name": "Which prompt?",
        "variant": ["A", "B", "C", "D"],
        "reference": [*PROMPTS[:2], "", ""],
        "weight": ["1", "1", "1", "1"],
    }
    return await person.send(PATH, fields | typed)


async def test_an_empty_page_says_what_a_test_is_for_and_leads_to_the_form(
    app: RunningApp,
) -> None:
    manager, _ = await manager_of(app)
    page = await manager.open(PATH)
    assert "No test yet" in page.text
    assert page.link("Experiments") == PATH
    form = await manager.open(page.link("Add the first test"))
    assert "Smallest difference that matters in points" in form.text
    assert form.form("Add the test")[0].fields["effect"] == "3"
    money = await manager.open(f"{PATH}/new?metric=revenue_per_message")
    assert "in money a message" in money.text
    assert money.form("Add the test")[0].fields["effect"] == "0.5"


async def test_a_test_is_added_started_and_ended(app: RunningApp) -> None:
    manager, talk = await manager_of(app)
    page = await added(manager, talk, effect="2,5")
    assert page.status == 200, page.text
    assert "Not started. Nobody gets a variant of it yet." in page.text
    assert "Answered messages, from 2.5 points on" in page.text
    page = await manager.press(page, "Start the test")
    assert "It has just begun" in page.text
    assert "50%" in page.text
    page = await manager.press(page, "End the test")
    assert "Ended" in page.text
    assert page.labels.count("End the test") == 0
    [test] = (await manager.api.found(API))["items"]
    assert (test["smallestEffect"], test["status"]) == (0.025, "ended")


async def test_what_is_wrong_stands_beside_its_field_and_what_was_typed_stays(
    app: RunningApp,
) -> None:
    manager, talk = await manager_of(app)
    one = await added(manager, talk, reference=[PROMPTS[0], "", "", ""])
    assert one.status == 422
    assert "with one variant there is nothing to compare" in one.text
    assert one.form("Add the test")[0].fields["name"] == "Which prompt?"
    wrong = await added(manager, talk, weight=["1", "none", "1", "1"])
    assert "Must be a number such as 3 or 0.5." in wrong.text
    assert (await added(manager, talk, effect="-1")).status == 422
    assert (await added(manager, talk, name=" ")).status == 422
    assert (await added(manager, talk)).status == 200
    assert (await added(manager, talk)).status == 409


async def test_a_result_is_told_in_words_with_its_days_as_a_table(app: RunningApp) -> None:
    manager, talk = await manager_of(app)
    test = await running(manager.api, compared(talk.creator_id, "prompt", *PROMPTS))
    await play(app, test, Played(fans=300, messages=8, replied={"A": 0.3, "B": 0.5}))
    await evaluate_ab_tests(app.parts)
    page = await manager.open(f"{PATH}/{test['id']}")
    assert "B is better than A by " in page.text
    assert "of answered messages; you may stop." in page.text
    assert "Every fan gets B " in page.text
    assert "No model is connected" in page.text, "this application picks from the past"
    listed = await manager.open(PATH)
    assert "Decided" in listed.text
    assert "B is better than A by " in listed.text


async def test_another_test_of_the_kind_is_refused_with_the_reason(app: RunningApp) -> None:
    manager, talk = await manager_of(app)
    await running(manager.api, compared(talk.creator_id, "prompt", *PROMPTS))
    page = await manager.press(await added(manager, talk), "Start the test")
    assert page.status == 409
    assert "is running for this creator. End it first." in page.text
