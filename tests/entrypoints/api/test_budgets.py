"""Budgets and costs: set by managers, held against every call, told in headers."""

import asyncio
import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from stubs.llm import LlmStub
from tests.support.app import RunningApp
from tests.support.gate import Gate
from tests.support.world import (
    SignedIn,
    Talk,
    conversation,
    counters,
    rows,
    set_flag,
    sign_in,
)
from vaultcrm.domain.errors import LimitExceeded
from vaultcrm.domain.people import Role
from vaultcrm.workflows.answer_fan import answer_fan

pytestmark = pytest.mark.anyio


def budget_of(talk: Talk, amount: float | None = 5, **changes: Any) -> dict[str, Any]:
    body = {
        "scope": "creator",
        "creatorId": talk.creator_id,
        "period": "day",
        "unit": "usd",
        "amount": amount,
        "reason": "as agreed",
    }
    return body | changes


def parsed(header: str) -> Mapping[str, Mapping[str, int]]:
    """A list of strings with integers as parameters (RFC 9651)."""
    found = {}
    for item in header.split(", "):
        name, *parameters = item.split(";")
        assert re.fullmatch(r'"[a-z-]+"', name)
        found[name[1:-1]] = {
            key: int(value) for key, _, value in (p.partition("=") for p in parameters)
        }
    return found


async def asked(caller: SignedIn, talk: Talk) -> int:
    return (await caller.post("/api/ai/generate", talk.asks())).status_code


async def test_a_budget_of_nothing_lets_nothing_be_spent_for_its_creator_alone(
    claude: RunningApp, llm: LlmStub
) -> None:
    admin = await sign_in(claude, Role.ADMIN)
    mia, theo = await conversation(admin), await conversation(admin, creator="theo")
    for unit in ("usd", "tokens"):
        await admin.made("/api/budgets", budget_of(mia, 0, unit=unit))
        assert [await asked(admin, mia), await asked(admin, theo)] == [429, 200]
        await admin.made("/api/budgets", budget_of(mia, None, unit=unit))
        assert await asked(admin, mia) == 200
    assert (await admin.found("/api/budgets"))["items"] == []


async def test_a_persons_budget_holds_for_them_and_for_programs_that_act_for_them(
    claude: RunningApp,
) -> None:
    admin, service = await sign_in(claude, Role.ADMIN), await sign_in(claude, Role.SERVICE)
    one, other = [await sign_in(claude, Role.CHATTER) for _ in range(2)]
    talk = await conversation(admin)
    body = {"scope": "user", "userId": str(one.user_id), "period": "month", "unit": "tokens"}
    await admin.made("/api/budgets", body | {"amount": 100, "reason": "new here"})

    response = await one.post("/api/ai/generate", talk.asks())

    assert response.status_code == 429
    assert response.json()["limit"] == "user_tokens_per_month"
    assert (
        "The budget of 100 tokens a month for whoever asks is used up" in response.json()["detail"]
    )
    assert await asked(other, talk) == 200
    for chatter, status in ((one, 429), (other, 200)):
        asks = talk.asks(chatterId=str(chatter.user_id))
        assert (await service.post("/api/ai/generate", asks)).status_code == status


async def test_a_refused_call_gives_everything_back_that_other_limits_had_let_in(
    claude: RunningApp,
) -> None:
    admin = await sign_in(claude, Role.ADMIN)
    talk = await conversation(admin)
    await admin.made("/api/budgets", budget_of(talk, 0))
    everybody = {"scope": "installation", "creatorId": None, "period": "month", "unit": "tokens"}
    await admin.made("/api/budgets", budget_of(talk, 10**6, **everybody))
    assert await asked(admin, talk) == 429
    assert await counters(claude) == {}
    assert await rows(claude, "SELECT 1 FROM open_reservations") == []


async def test_a_new_budget_begins_with_what_was_used_before_it_and_counts_from_there(
    claude: RunningApp,
) -> None:
    admin = await sign_in(claude, Role.ADMIN)
    talk = await conversation(admin)
    before = await admin.made("/api/ai/generate", talk.asks())
    whole = {"scope": "installation", "creatorId": None}
    person = {"scope": "user", "creatorId": None, "userId": str(admin.user_id)}
    for changes in ({}, whole, person):
        await admin.made("/api/budgets", budget_of(talk, 5, period="month", **changes))
    after = await admin.made("/api/ai/generate", talk.asks())
    cost = before["usage"]["costUsd"] + after["usage"]["costUsd"]
    found = (await admin.found("/api/budgets"))["items"]
    assert [one["scope"] for one in found] == ["installation", "creator", "user"]
    assert [one["used"] for one in found] == pytest.approx([cost] * 3)
    assert found[1]["name"] == "Mia"


async def test_headers_tell_what_is_left_of_each_limit_and_when_it_is_whole_again(
    claude: RunningApp,
) -> None:
    admin = await sign_in(claude, Role.ADMIN)
    talk = await conversation(admin)
    await set_flag(admin, "AI_MAX_TOKENS_PER_DAY", 50_000)
    await admin.made("/api/budgets", budget_of(talk, 2.5))

    first = await admin.post("/api/ai/generate", talk.asks())

    policies, left = parsed(first.headers["RateLimit-Policy"]), parsed(first.headers["RateLimit"])
    assert first.status_code == 200
    assert policies["requests-per-hour"] == {"q": 100, "w": 3_600}
    assert policies["tokens-per-day"] == {"q": 50_000, "w": 86_400}
    assert policies["creator-usd-per-day"] == {"q": 2_500_000, "w": 86_400}
    assert left["requests-per-hour"]["r"] == 99
    assert 0 < left["tokens-per-day"]["r"] < 50_000
    assert all(1 <= one["t"] <= policies[name]["w"] for name, one in left.items())
    await set_flag(admin, "AI_RATE_LIMIT_PER_HOUR", 0)
    refused = await admin.post("/api/ai/generate", talk.asks())
    told = parsed(refused.headers["RateLimit"])
    assert refused.status_code == 429
    assert told["requests-per-hour"]["r"] == 0
    assert int(refused.headers["Retry-After"]) == told["requests-per-hour"]["t"]


async def test_near_a_budget_a_call_waits_while_others_pass_it(
    claude: RunningApp, llm: LlmStub
) -> None:
    admin = await sign_in(claude, Role.ADMIN)
    near, far = await conversation(admin), await conversation(admin, creator="theo")
    await admin.made("/api/budgets", budget_of(near, 5_024, unit="tokens"))
    slowed = asyncio.create_task(admin.made("/api/ai/generate", near.asks()))
    while ("creator_tokens_per_day", near.creator_id) not in await counters(claude):
        continue
    passing = await admin.made("/api/ai/generate", far.asks())
    assert not slowed.done()
    assert passing["createdAt"] < (await slowed)["createdAt"]


async def test_what_the_checker_model_uses_counts_for_the_creators_budget_too(
    claude: RunningApp, gate: Gate
) -> None:
    admin = await sign_in(claude, Role.ADMIN)
    talk = await conversation(admin)
    await admin.made("/api/budgets", budget_of(talk, 5))
    ids = (UUID(talk.creator_id), UUID(talk.conversation_id))
    await answer_fan(claude.parts, *ids)
    spent = await rows(claude, "SELECT purpose, cost_micro_usd FROM usage")
    assert {row["purpose"] for row in spent} == {"analysis", "draft"}
    used = (await counters(claude))["creator_usd_per_day", talk.creator_id]
    assert used == sum(row["cost_micro_usd"] for row in spent)
    await admin.made("/api/budgets", budget_of(talk, 0))
    with pytest.raises(LimitExceeded) as refused:
        await answer_fan(claude.parts, *ids)
    assert refused.value.limit == "creator_usd_per_day"


async def test_every_change_of_a_budget_is_audited_with_who_why_and_the_old_value(
    claude: RunningApp,
) -> None:
    manager = await sign_in(claude, Role.MANAGER)
    talk = await conversation(manager)
    for amount in (5, 7.25, None):
        await manager.made("/api/budgets", budget_of(talk, amount))
    found = await rows(
        claude,
        """SELECT actor_id, creator_id, details FROM audit_log
           WHERE action = 'budget.changed' ORDER BY id""",
    )
    assert [(row["details"]["from"], row["details"]["to"]) for row in found] == [
        (None, 5_000_000),
        (5_000_000, 7_250_000),
        (7_250_000, None),
    ]
    assert {row["details"]["reason"] for row in found} == {"as agreed"}
    assert {(row["actor_id"], str(row["creator_id"])) for row in found} == {
        (manager.user_id, talk.creator_id)
    }


async def test_who_acts_for_some_creators_sets_and_sees_their_budgets_alone(
    claude: RunningApp,
) -> None:
    admin = await sign_in(claude, Role.ADMIN)
    mia, theo = await conversation(admin), await conversation(admin, creator="theo")
    mary = await sign_in(claude, Role.MANAGER, creators=["mia"])
    whole = budget_of(theo, 9, scope="installation", creatorId=None)
    for body in (budget_of(theo), whole):
        await admin.made("/api/budgets", body)
    await mary.made("/api/budgets", budget_of(mia))
    assert [one["creatorId"] for one in (await mary.found("/api/budgets"))["items"]] == [
        mia.creator_id
    ]
    assert (await mary.post("/api/budgets", budget_of(theo))).status_code == 404
    assert (await mary.post("/api/budgets", whole)).status_code == 403
    chatter = await sign_in(claude, Role.CHATTER)
    assert (await chatter.get("/api/budgets")).status_code == 403


MEANINGLESS: tuple[dict[str, Any], ...] = (
    {"amount": -1},
    {"amount": 1.5, "unit": "tokens"},
    {"amount": 0.0000001},
    {"amount": 1e12},
    {"amount": "much"},
    {"scope": "user"},
    {"scope": "installation"},
    {"creatorId": None},
    {"creatorId": "00000000-0000-0000-0000-000000000000"},
    {"userId": "00000000-0000-7000-8000-000000000001"},
    {"period": "year"},
    {"unit": "eur"},
    {"reason": " "},
)


async def test_a_budget_that_means_nothing_is_refused_and_changes_nothing(app: RunningApp) -> None:
    admin = await sign_in(app, Role.ADMIN)
    talk = await conversation(admin)
    for changes in MEANINGLESS:
        response = await admin.post("/api/budgets", budget_of(talk) | changes)
        assert response.status_code == 422, changes
    assert await rows(app, "SELECT 1 FROM budgets") == []


async def test_costs_are_told_by_creator_model_and_purpose_with_cached_tokens(
    claude: RunningApp,
) -> None:
    admin = await sign_in(claude, Role.ADMIN)
    mia, theo = await conversation(admin), await conversation(admin, creator="theo")
    for talk in (mia, mia, theo):
        await admin.made("/api/ai/generate", talk.asks())
    [spent] = await rows(
        claude,
        """SELECT sum(cost_micro_usd) AS cost, sum(cached_tokens) AS cached,
                  count(*) AS calls FROM usage""",
    )
    for group, keys in (
        ("creator", {mia.creator_id, theo.creator_id}),
        ("model", {"claude-sonnet-5-5"}),
        ("purpose", {"draft"}),
    ):
        found = await admin.found("/api/ai/costs", groupBy=group)
        assert {one["key"] for one in found["items"]} == keys
        assert found["total"]["costUsd"] == pytest.approx(float(spent["cost"]) / 1e6)
        assert found["total"]["tokens"]["cached"] == spent["cached"] > 0
        assert sum(one["calls"] for one in found["items"]) == spent["calls"]
    named = (await admin.found("/api/ai/costs"))["items"]
    assert [one["name"] for one in named] == ["Mia", "Theo"]
    assert named[0]["costUsd"] > named[1]["costUsd"]
    assert (await admin.found("/api/ai/costs"))["forecast"] is None
    alone = await admin.found("/api/ai/costs", creatorId=theo.creator_id)
    assert [one["name"] for one in alone["items"]] == ["Theo"]


async def test_a_forecast_comes_from_the_days_before(claude: RunningApp) -> None:
    admin = await sign_in(claude, Role.ADMIN)
    talk = await conversation(admin)
    await admin.made("/api/ai/generate", talk.asks())
    for back in range(1, 8):
        await rows(
            claude,
            """INSERT INTO usage (creator_id, id, purpose, model, input_tokens, output_tokens,
                                  cached_tokens, cost_micro_usd, created_at)
               SELECT creator_id, gen_random_uuid(), purpose, model, 1, 1, 0, 1000000, %(at)s
               FROM usage WHERE cost_micro_usd < 1000000 LIMIT 1""",
            at=claude.parts.now() - timedelta(days=back, hours=1),
        )
    found = await admin.found("/api/ai/costs")
    assert found["forecast"]["days"] >= 6
    assert found["forecast"]["dayUsd"] >= found["todayUsd"]
    assert found["forecast"]["monthUsd"] >= found["monthUsd"]
