"""What tests have come to: counted once, told plainly, and stopped where that is called for."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from tests.support.app import RunningApp
from tests.support.experiments import PATH, PROMPTS, Played, compared, moved, play, running
from tests.support.world import SignedIn, conversation, rows, sign_in
from vaultcrm.domain.people import Role
from vaultcrm.workflows.evaluate_ab_tests import evaluate_ab_tests

pytestmark = pytest.mark.anyio


@pytest.fixture
async def manager(app: RunningApp) -> SignedIn:
    return await sign_in(app, Role.ADMIN)


@pytest.fixture
async def test(manager: SignedIn) -> dict[str, Any]:
    talk = await conversation(manager, said=())
    return dict(await running(manager, compared(talk.creator_id, "prompt", *PROMPTS)))


async def evaluated(app: RunningApp, manager: SignedIn, test: dict[str, Any]) -> dict[str, Any]:
    await evaluate_ab_tests(app.parts)
    return dict(await manager.found(f"{PATH}/{test['id']}"))


def measure(found: dict[str, Any], name: str, of: str = "reply_rate") -> dict[str, Any]:
    [one] = [one for one in found["results"] if one["variant"] == name]
    return dict(one["measures"][of])


async def alerts(app: RunningApp) -> list[str]:
    open_ones = await rows(
        app, "SELECT message FROM alerts WHERE kind = 'ab_test' AND cleared_at IS NULL ORDER BY id"
    )
    return [row["message"] for row in open_ones]


async def test_a_difference_is_found_and_evaluating_again_changes_nothing(
    app: RunningApp, manager: SignedIn, test: dict[str, Any]
) -> None:
    await play(app, test, Played(fans=300, messages=8, replied={"A": 0.3, "B": 0.5}))
    found = await evaluated(app, manager, test)

    assert measure(found, "A")["value"] == pytest.approx(0.3, abs=0.01)
    assert measure(found, "B")["value"] == pytest.approx(0.5, abs=0.01)
    assert sum(one["generations"] for one in found["results"]) == 2_400
    [difference] = found["differences"]
    assert difference["low"] < 0.2 < difference["high"]
    assert (found["verdict"]["outcome"], found["verdict"]["mayStop"]) == ("better", True)
    assert found["verdict"]["sentence"].startswith("B is better than A by ")
    assert [one["policy"] for one in found["whatIf"]] == ["Every fan gets A", "Every fan gets B"]
    assert found["whatIf"][1]["dr"]["estimate"] == pytest.approx(0.5, abs=0.02)
    assert len(found["series"]) == 1

    again = await evaluated(app, manager, test)
    assert again | {"evaluatedAt": ""} == found | {"evaluatedAt": ""}
    await moved(manager, test, "ended")
    assert (await evaluated(app, manager, test))["verdict"] == found["verdict"], (
        "what settles after the end still counts"
    )


async def test_what_changes_afterwards_is_counted_anew_and_nothing_twice(
    app: RunningApp, manager: SignedIn, test: dict[str, Any]
) -> None:
    await play(app, test, Played(fans=80, messages=4, bought={"A": 0.5, "B": 0.5}))
    before = await evaluated(app, manager, test)
    bought = measure(before, "A", "purchase_rate")["y"]
    [one] = await rows(
        app,
        """SELECT o.id FROM message_outcomes o
           JOIN ai_message_generations g ON g.id = o.generation_id
           WHERE o.purchased AND g.ab_variants -> %(test)s ->> 0 = 'A' LIMIT 1""",
        test=test["id"],
    )
    await rows(
        app,
        """UPDATE message_outcomes SET purchased = false, revenue_minor = 0, refunded_minor = 1000,
           updated_at = %(now)s WHERE id = %(id)s""",
        now=app.parts.now(),
        id=one["id"],
    )
    after = await evaluated(app, manager, test)
    assert measure(after, "A", "purchase_rate")["y"] == bought - 1
    lost = measure(before, "A", "revenue_per_message")["y"] - 1_000
    assert measure(after, "A", "revenue_per_message")["y"] == lost
    assert measure(after, "A")["n"] == measure(before, "A")["n"]


async def test_outcomes_that_have_not_settled_are_not_counted_until_they_have(
    app: RunningApp, manager: SignedIn, test: dict[str, Any]
) -> None:
    await play(app, test, Played(fans=80, messages=4))
    later = app.parts.now() + timedelta(hours=3)
    await rows(app, "UPDATE message_outcomes SET settled_at = %(at)s", at=later)
    found = await evaluated(app, manager, test)
    assert measure(found, "A")["n"] == 0
    assert found["verdict"]["sentence"].startswith("Not enough data yet")
    # The clock goes on: nothing is written but the time that has come.
    await rows(
        app,
        """UPDATE message_outcomes SET settled_at = settled_at - '4 h'::interval,
           updated_at = updated_at - '5 h'::interval""",
    )
    await rows(app, "UPDATE ai_message_feedback SET created_at = created_at - '5 h'::interval")
    await rows(app, "UPDATE ai_ab_tests SET counted_until = counted_until - '4 h'::interval")
    assert measure(await evaluated(app, manager, test), "A")["n"] > 100


async def test_a_variant_that_people_reject_too_often_is_stopped_and_the_test_ends_with_it(
    app: RunningApp, manager: SignedIn, test: dict[str, Any]
) -> None:
    await play(app, test, Played(fans=200, messages=8, rejected={"A": 0.05, "B": 0.4}))
    found = await evaluated(app, manager, test)
    by_name = {one["variant"]: one for one in found["results"]}
    assert "drafts that people rejected" in by_name["B"]["stopped"]
    assert (by_name["A"]["share"], by_name["B"]["share"]) == (1.0, 0.0)
    assert found["status"] == "ended"
    [told] = await alerts(app)
    assert "a variant was stopped: B (" in told
    assert "% drafts that people rejected, against " in told
    actions = await rows(
        app, "SELECT action, actor_id FROM audit_log WHERE subject_id = %(id)s ORDER BY id",
        id=test["id"],
    )  # fmt: skip
    assert [one["action"] for one in actions][-2:] == [
        "ab_test.variant_stopped",
        "ab_test.status_changed",
    ]
    assert actions[-1]["actor_id"] is None


async def test_of_three_variants_the_others_go_on_with_the_fans_of_the_one_that_is_stopped(
    app: RunningApp, manager: SignedIn
) -> None:
    talk = await conversation(manager, said=())
    three = compared(talk.creator_id, "prompt", PROMPTS[0], PROMPTS[1], PROMPTS[0])
    test = await running(manager, three)
    shares = dict.fromkeys("ABC", 1 / 3)
    await play(
        app, test, Played(fans=300, messages=8, shares=shares, rejected={"A": 0.05, "C": 0.5})
    )
    found = await evaluated(app, manager, test)
    assert [round(one["share"], 3) for one in found["results"]] == [0.5, 0.5, 0.0]
    assert found["status"] == "running"
    assert {one["variant"] for one in found["differences"]} == {"B"}
    assert "Fans get A or B from now on." in (await alerts(app))[0]
    [kept] = await rows(app, "SELECT epoch, epochs FROM ai_ab_tests")
    assert (kept["epoch"], len(kept["epochs"])) == (2, 2)
    await moved(manager, test, "ended")
    assert await alerts(app) == []


async def test_fans_that_are_shared_out_wrongly_are_told_instead_of_a_result(
    app: RunningApp, manager: SignedIn, test: dict[str, Any]
) -> None:
    skewed = Played(fans=300, replied={"A": 0.2, "B": 0.6}, shares={"A": 0.7, "B": 0.3})
    await play(app, test, skewed)
    found = await evaluated(app, manager, test)
    assert found["verdict"]["outcome"] == "mistrust"
    assert "do not trust" in found["verdict"]["sentence"].lower()
    assert found["whatIf"] == []
    assert "not shared out as they were meant to be" in (await alerts(app))[0]


async def test_a_variant_whose_template_is_archived_is_taken_out(
    app: RunningApp, manager: SignedIn
) -> None:
    talk = await conversation(manager, said=())
    ids = []
    for name in ("one", "two", "three"):
        body = {"creatorId": talk.creator_id, "name": name, "category": "reply"}
        made = await manager.made("/api/templates", body | {"templateText": f"Hello {name}"})
        ids.append(made["id"])
    test = await running(manager, compared(talk.creator_id, "template", *ids))
    await rows(app, "UPDATE ai_message_templates SET archived_at = now() WHERE name = 'two'")
    found = await evaluated(app, manager, test)
    assert [one["stopped"] for one in found["results"]] == [
        None, "its template was archived", None,
    ]  # fmt: skip
    assert found["status"] == "running"
    await rows(app, "UPDATE ai_message_templates SET archived_at = now()")
    assert (await evaluated(app, manager, test))["status"] == "ended"


async def test_a_creator_with_three_messages_is_told_that_it_is_not_enough(
    app: RunningApp, manager: SignedIn, test: dict[str, Any]
) -> None:
    await play(app, test, Played(fans=3, messages=1, replied={"A": 1.0, "B": 0.0}))
    found = await evaluated(app, manager, test)
    assert (found["verdict"]["outcome"], found["differences"]) == ("too_few", [])
    assert all("reason" in one["ips"] for one in found["whatIf"])


async def test_revenue_in_two_currencies_is_never_added_up(
    app: RunningApp, manager: SignedIn
) -> None:
    talk = await conversation(manager, said=())
    money = compared(talk.creator_id, "prompt", *PROMPTS, metric="revenue_per_message")
    test = await running(manager, money)
    both = Played(fans=200, bought={"A": 0.2, "B": 0.2}, currencies=("USD", "EUR"))
    await play(app, test, both)
    found = await evaluated(app, manager, test)
    assert found["verdict"]["outcome"] == "mistrust"
    assert "The fans of this test pay in EUR and USD" in found["verdict"]["sentence"]
    assert found["differences"] == []


async def test_where_it_is_asked_for_fans_are_shared_out_anew_once_a_day(
    app: RunningApp, manager: SignedIn
) -> None:
    talk = await conversation(manager, said=())
    changing = compared(talk.creator_id, "prompt", *PROMPTS, allocation="thompson")
    test = await running(manager, changing)
    await play(app, test, Played(fans=200, messages=8, replied={"A": 0.3, "B": 0.5}))
    found = await evaluated(app, manager, test)
    shares = {one["variant"]: one["share"] for one in found["results"]}
    assert shares["B"] == pytest.approx(0.9, abs=0.01)
    [first] = await rows(app, "SELECT epoch, counted_until FROM ai_ab_tests")
    assert first["epoch"] == 2
    again = await evaluated(app, manager, test)
    [second] = await rows(app, "SELECT epoch, counted_until FROM ai_ab_tests")
    same_day = first["counted_until"].date() == second["counted_until"].date()
    assert not same_day or {one["variant"]: one["share"] for one in again["results"]} == shares
    audited = await rows(app, "SELECT 1 FROM audit_log WHERE action = 'ab_test.shared_out'")
    assert len(audited) == second["epoch"] - 1


async def test_whales_alone_can_be_asked_about(
    app: RunningApp, manager: SignedIn, test: dict[str, Any]
) -> None:
    fans = await play(
        app, test, Played(fans=300, replied={"A": 0.4, "B": 0.4}, tiers=("low", "whale"))
    )
    found = await evaluated(app, manager, test)
    assert found["whatIf"][-1]["policy"] == "Whales get B, all others A"
    assert found["whatIf"][-1]["ips"]["estimate"] == pytest.approx(0.4, abs=0.05)
    counted = await rows(app, "SELECT DISTINCT fan_id FROM ai_ab_fans")
    assert {row["fan_id"] for row in counted} == set(fans)
    assert all(isinstance(fan, UUID) for fan in fans)
