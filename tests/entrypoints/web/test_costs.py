"""The page of costs and budgets: what was spent and will be, budgets set and taken away."""

import pytest

from tests.entrypoints.web.browser import Person, sign_in
from tests.support.app import RunningApp
from tests.support.world import Talk, conversation, rows
from vaultcrm.domain.people import Role

pytestmark = pytest.mark.anyio


async def manager_of(app: RunningApp) -> tuple[Person, Talk]:
    manager = await sign_in(app, Role.MANAGER, name="Mary")
    return manager, await conversation(manager.api)


async def test_an_empty_page_teaches_what_budgets_are_for(app: RunningApp) -> None:
    manager, _ = await manager_of(app)
    page = await manager.open("/costs")
    assert "No model was asked today" in page.text
    assert "No budget is set. Until there is one, only the flags hold" in page.text
    assert "Today will come to not enough data yet" in page.text
    assert page.link("Costs & budgets") == "/costs"


async def test_costs_stand_by_model_and_purpose_with_cached_tokens(claude: RunningApp) -> None:
    manager, talk = await manager_of(claude)
    await conversation(manager.api, creator="theo")
    await manager.api.made("/api/ai/generate", talk.asks())
    [spent] = await rows(claude, "SELECT cost_micro_usd FROM usage")
    cost = f"${spent['cost_micro_usd'] / 1_000_000:.3f}"
    for path in ("/costs", "/costs?period=month"):
        page = await manager.open(path)
        assert f"Today so far {cost}" in page.text
        for name in ("Mia", "claude-sonnet-5-5", "Drafts"):
            assert f"{name} {cost}" in page.text
        assert "1 call" in page.text
        assert "of the prompts from cache" in page.text


async def test_a_budget_is_set_shown_with_how_full_it_is_changed_and_taken_away(
    claude: RunningApp,
) -> None:
    manager, talk = await manager_of(claude)
    typed = {"subject": talk.creator_id, "amount": "$1,200.50", "reason": "<b>as agreed</b>"}
    page = await manager.press(await manager.open("/costs"), "Set the budget", **typed)
    assert "The budget is set" in page.text
    assert "Mia $0.00 of $1,200.50 a day" in page.text
    assert "“<b>as agreed</b>”, Mary" in page.text

    typed |= {"amount": "0", "unit": "usd"}
    page = await manager.press(page, "Set the budget", **typed)
    assert "used up $0.00 of $0.00 a day" in page.text
    assert (await manager.api.post("/api/ai/generate", talk.asks())).status_code == 429

    page = await manager.press(page, "Take it away", reason="too strict")
    assert "The budget is taken away." in page.text
    assert "No budget is set." in page.text
    assert (await manager.api.post("/api/ai/generate", talk.asks())).status_code == 200


async def test_what_is_wrong_with_a_budget_is_said_and_what_was_typed_stays(
    app: RunningApp,
) -> None:
    manager, _ = await manager_of(app)
    page = await manager.open("/costs")
    refused = await manager.press(page, "Set the budget", amount="a lot", reason="why not")
    assert refused.status == 422
    assert "The amount: must be an amount in dollars, as 12.50" in refused.text
    form, _ = refused.form("Set the budget")
    assert (form.fields["amount"], form.fields["reason"]) == ("a lot", "why not")
    assert await rows(app, "SELECT 1 FROM budgets") == []


async def test_a_manager_of_some_creators_sets_budgets_of_these_alone(app: RunningApp) -> None:
    manager, talk = await manager_of(app)
    mark = await sign_in(app, Role.MANAGER, name="Mark", creators=["mia"])
    page = await mark.open("/costs")
    assert "everybody together" not in page.text
    whole = await mark.press(page, "Set the budget", subject="", amount="5", reason="try")
    assert whole.status == 403
    own = {"subject": talk.creator_id, "amount": "5", "reason": "try"}
    assert "The budget is set" in (await mark.press(page, "Set the budget", **own)).text
    assert (await manager.api.found("/api/budgets"))["items"][0]["setBy"] == "Mark"
