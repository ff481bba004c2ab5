"""Metrics through the API: counts over what really happened in a period."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from stubs.llm import LlmStub, Reply
from tests.support.app import RunningApp
from tests.support.worker import run_jobs
from tests.support.world import (
    WARM,
    SignedIn,
    Talk,
    candidate,
    conversation,
    rows,
    set_flag,
    sign_in,
)
from vaultcrm.domain.people import Role

pytestmark = pytest.mark.anyio

PATH = "/api/ai/metrics"
Json = Any
NOTHING = {
    "decided": 0, "approvalRate": None, "modificationRate": None, "rejectionRate": None,
    "autoSendRate": None,
    "byType": {"approved": 0, "modified": 0, "rejected": 0, "auto_sent": 0},
}  # fmt: skip


async def draft(caller: SignedIn, talk: Talk, kind: str = "reply") -> str:
    return str((await caller.made("/api/ai/generate", talk.asks(kind)))["generationId"])


async def decide(caller: SignedIn, generation_id: str, action: str, **more: Any) -> None:
    await caller.made("/api/ai/approve", {"generationId": generation_id, "action": action, **more})


async def test_where_nothing_happened_counts_are_zero_and_rates_are_null(app: RunningApp) -> None:
    manager = await sign_in(app, Role.MANAGER)
    talk = await conversation(manager)
    found = await manager.found(PATH, creatorId=talk.creator_id)
    assert found["generations"]["total"] == 0
    assert set(found["generations"]["byStatus"].values()) == {0}
    assert found["generations"]["meanConfidence"] is None
    assert found["generations"]["findingsRate"] is None
    assert found["decisions"] == NOTHING
    assert found["outcomes"]["revenue"] == []
    assert (found["cost"]["calls"], found["cost"]["costUsd"], found["cost"]["byModel"]) == (
        0,
        0,
        [],
    )
    assert set(found["messages"].values()) == {0}


async def test_what_happened_is_counted_by_what_became_of_it(
    claude: RunningApp, llm: LlmStub
) -> None:
    """What the filter stops is a rejected draft, and nobody's decision. People's decisions are told
    as shares of what people decided, and automatic sending as a share of all.
    """
    admin = await sign_in(claude, Role.ADMIN)
    talk = await conversation(admin)
    await set_flag(admin, "AI_MAX_TOKENS_PER_DAY", 10**9)
    first, second, third, fourth = [await draft(admin, talk) for _ in range(4)]
    await decide(admin, first, "approve")
    await decide(admin, second, "modify", modifiedMessage="Hey Tom, tell me about your day!")
    await decide(admin, third, "reject", reason="too cold")
    await decide(admin, fourth, "approve")
    outcome = {"replied": True, "purchased": True, "revenue": 2500, "timeToReply": 60}
    await admin.made("/api/ai/feedback", {"generationId": first, **outcome})
    await admin.made("/api/ai/feedback", {"generationId": second, "replied": False})
    llm.script([Reply(candidates=(candidate("Write to me at tom@example.com!"),) * 2)] * 2)
    blocked = await admin.made("/api/ai/generate", talk.asks("welcome"))
    assert blocked["status"] == "rejected"
    await set_flag(admin, "AI_ROLLOUT_STAGE", 3)
    llm.script([Reply(candidates=WARM)])
    sent = await admin.made("/api/ai/generate", talk.asks("thank_you"))
    assert sent["status"] == "auto_sent"
    await run_jobs(claude)

    found = await admin.found(PATH, creatorId=talk.creator_id)

    generations = found["generations"]
    assert generations["total"] == 6
    assert generations["byStatus"] == {
        "queued": 0, "approved": 3, "auto_sent": 1, "rejected": 2, "expired": 0,
    }  # fmt: skip
    assert generations["byType"] == {
        "reply": 4, "ppv_offer": 0, "welcome": 1, "re_engagement": 0, "thank_you": 1,
    }  # fmt: skip
    assert generations["findingsRate"] == pytest.approx(1 / 6)
    [known] = await rows(
        claude,
        """SELECT avg(confidence_score)::float AS mean FROM ai_message_generations
           WHERE generated_message IS NOT NULL""",
    )
    assert generations["meanConfidence"] == pytest.approx(known["mean"])
    assert found["decisions"] == {
        "decided": 5, "approvalRate": 0.5, "modificationRate": 0.25, "rejectionRate": 0.25,
        "autoSendRate": 0.2,
        "byType": {"approved": 2, "modified": 1, "rejected": 1, "auto_sent": 1},
    }  # fmt: skip
    assert found["outcomes"] == {
        "replyKnown": 2, "replied": 1, "purchaseKnown": 1, "purchased": 1, "revenueKnown": 1,
        "revenue": [{"currency": "USD", "minor": 2500}],
    }  # fmt: skip
    [outbox] = await rows(
        claude,
        """SELECT count(*) FILTER (WHERE delivery_status = 'sent') AS sent, count(*) AS n
           FROM outbox""",
    )
    assert found["messages"]["sent"] == outbox["sent"] > 0
    assert sum(found["messages"].values()) == outbox["n"] == 4


async def test_tokens_and_dollars_are_those_of_the_calls_by_model_and_purpose(
    claude: RunningApp,
) -> None:
    admin = await sign_in(claude, Role.ADMIN)
    await set_flag(admin, "AI_MAX_TOKENS_PER_DAY", 10**9)
    talk = await conversation(admin)
    drafts = [await admin.made("/api/ai/generate", talk.asks()) for _ in range(3)]
    await rows(
        claude,
        """UPDATE usage SET model = 'claude-haiku-5-5', purpose = 'analysis'
           WHERE id = (SELECT max(id::text)::uuid FROM usage)""",
    )

    cost = (await admin.found(PATH, creatorId=talk.creator_id))["cost"]

    assert cost["costUsd"] == pytest.approx(sum(one["usage"]["costUsd"] for one in drafts))
    assert cost["tokens"] == {
        kind: sum(one["usage"][f"{kind}Tokens"] for one in drafts)
        for kind in ("input", "output", "cached")
    }
    named = [(one["model"], one["purpose"], one["calls"]) for one in cost["byModel"]]
    assert named == [("claude-haiku-5-5", "analysis", 1), ("claude-sonnet-5-5", "draft", 2)]
    assert cost["calls"] == 3
    parts = sum(one["costUsd"] for one in cost["byModel"])
    assert parts == pytest.approx(cost["costUsd"])


async def test_revenue_is_told_by_currency(app: RunningApp) -> None:
    manager = await sign_in(app, Role.MANAGER)
    for fan, currency in (("tom", "USD"), ("kei", "JPY"), ("ann", "USD")):
        talk = await conversation(manager, fan=fan)
        await rows(app, "UPDATE fans SET currency = %(c)s WHERE handle = %(f)s", c=currency, f=fan)
        generation_id = await draft(manager, talk)
        await decide(manager, generation_id, "reject")
        told = {"generationId": generation_id, "revenue": 500}
        await manager.made("/api/ai/feedback", told)
    found = (await manager.found(PATH))["outcomes"]
    assert found["revenueKnown"] == 3
    assert found["revenue"] == [
        {"currency": "JPY", "minor": 500},
        {"currency": "USD", "minor": 1000},
    ]


async def test_a_period_holds_what_happened_from_its_start_and_before_its_end(
    app: RunningApp,
) -> None:
    manager = await sign_in(app, Role.MANAGER)
    talk = await conversation(manager)
    for day in (1, 2, 3):
        await draft(manager, talk)
        for table in ("ai_message_generations", "usage"):
            await rows(
                app,
                f"""UPDATE {table} SET created_at = %(at)s
                    WHERE created_at > '2026-10-31' AND id = (SELECT max(id::text)::uuid FROM {table})""",  # noqa: E501, S608 -- names of the test's own
                at=datetime(2026, 10, day, tzinfo=UTC),
            )

    async def total(start: str, end: str) -> tuple[int, int]:
        found = await manager.found(PATH, **{"from": start, "to": end})
        return found["generations"]["total"], found["cost"]["calls"]

    assert await total("2026-10-01T00:00:00Z", "2026-10-03T00:00:00Z") == (2, 2)
    assert await total("2026-10-01T00:00:01Z", "2026-10-03T00:00:01Z") == (2, 2)
    assert await total("2026-09-01T00:00:00Z", "2026-10-01T00:00:00Z") == (0, 0)
    assert await total("2026-10-03T02:00:00+02:00", "2026-10-03T03:00:00+02:00") == (1, 1)


async def test_the_usual_period_is_the_last_day(app: RunningApp) -> None:
    manager = await sign_in(app, Role.MANAGER)
    talk = await conversation(manager)
    ids = [await draft(manager, talk) for _ in range(2)]
    await rows(
        app,
        """UPDATE ai_message_generations SET created_at = created_at - interval '25 hours'
           WHERE id = %(id)s""",
        id=ids[0],
    )
    found = await manager.found(PATH)
    start, end = (datetime.fromisoformat(found[name]) for name in ("from", "to"))
    assert end - start == timedelta(hours=24)
    assert found["generations"]["total"] == 1
    earlier = await manager.found(PATH, to=found["from"])
    assert (earlier["to"], earlier["generations"]["total"]) == (found["from"], 1)


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        ({"from": "2026-10-02T00:00:00Z", "to": "2026-10-01T00:00:00Z"}, ["from"]),
        ({"from": "2026-10-01T00:00:00Z", "to": "2026-10-01T00:00:00Z"}, ["from"]),
        ({"from": "2026-01-01T00:00:00Z", "to": "2026-04-03T00:00:01Z"}, ["from"]),
        ({"from": "2026-01-01T00:00:00Z"}, ["from"]),
        ({"from": "2199-01-01T00:00:00Z"}, ["from"]),
        ({"from": "yesterday"}, ["from"]),
        ({"to": "2026-10-01T00:00:00"}, ["to"]),
        ({"to": "9999-12-31T23:59:59-14:00"}, ["to"]),
        ({"to": "0001-01-01T00:00:00Z"}, ["to"]),
        ({"creatorId": "mia"}, ["creatorId"]),
    ],
)
async def test_a_period_that_is_none_or_too_long_is_refused_with_its_field(
    app: RunningApp, query: dict[str, str], fields: list[str]
) -> None:
    manager = await sign_in(app, Role.MANAGER)
    response = await manager.get(PATH, **query)
    assert response.status_code == 422
    assert [error["field"] for error in response.json()["errors"]] == fields


async def test_a_period_of_92_days_is_answered(app: RunningApp) -> None:
    manager = await sign_in(app, Role.MANAGER)
    longest = {"from": "2026-01-01T00:00:00Z", "to": "2026-04-03T00:00:00Z"}
    assert (await manager.get(PATH, **longest)).status_code == 200


async def test_metrics_are_for_managers_and_of_their_creators(app: RunningApp) -> None:
    manager = await sign_in(app, Role.MANAGER)
    mia = await conversation(manager, creator="mia")
    theo = await conversation(manager, creator="theo")
    for talk in (mia, theo, theo):
        await draft(manager, talk)
    assert (await (await sign_in(app, Role.CHATTER)).get(PATH)).status_code == 403
    own = await sign_in(app, Role.MANAGER, creators=["mia"])
    assert (await own.get(PATH, creatorId=theo.creator_id)).status_code == 404
    assert (await own.found(PATH))["generations"]["total"] == 1
    everything = await manager.found(PATH)
    assert (everything["creatorId"], everything["generations"]["total"]) == (None, 3)
    one = await manager.found(PATH, creatorId=theo.creator_id)
    assert (one["creatorId"], one["generations"]["total"]) == (theo.creator_id, 2)
