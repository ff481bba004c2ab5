"""Roll-ups: the same numbers as counting everything, for a fixed number of rows."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from tests.support.app import RunningApp
from tests.support.drafts import copies
from tests.support.world import SignedIn, Talk, conversation, rows, set_flag, sign_in
from vaultcrm.db.queries import metrics, rollups
from vaultcrm.domain.metrics import Course, Metrics, Period
from vaultcrm.domain.people import Role
from vaultcrm.domain.rollups import Piece, Span, floor_day, floor_hour, pieces_of
from vaultcrm.workflows.read_metrics import read_course, read_metrics
from vaultcrm.workflows.roll_up import DAYS_AT_ONCE, GRACE, roll_up

pytestmark = pytest.mark.anyio

TABLES = {
    "ai_message_generations": "id",
    "ai_message_feedback": "generation_id",
    "usage": "generation_id",
    "outbox": "generation_id",
}
ROLLUPS = (
    "rollup_drafts",
    "rollup_decisions",
    "rollup_usage",
    "rollup_messages",
    "rollup_waits",
)


async def draft(caller: SignedIn, talk: Talk, kind: str = "reply") -> str:
    return str((await caller.made("/api/ai/generate", talk.asks(kind)))["generationId"])


async def decide(caller: SignedIn, generation_id: str, action: str, **more: Any) -> None:
    await caller.made("/api/ai/approve", {"generationId": generation_id, "action": action, **more})


async def hours_ago(app: RunningApp, generation_id: str, hours: float) -> None:
    """Let a draft, and all that came of it, have been made so many hours earlier."""
    for table, column in TABLES.items():
        moved = "created_at = created_at - %(by)s"
        if table == "ai_message_generations":
            moved += ", approved_at = approved_at - %(by)s"
        if table == "outbox":
            moved += ", updated_at = updated_at - %(by)s"
        await rows(
            app,
            f"UPDATE {table} SET {moved} WHERE {column} = %(id)s",  # noqa: S608 -- names of ours
            by=timedelta(hours=hours),
            id=generation_id,
        )


@pytest.fixture
async def app(claude: RunningApp) -> RunningApp:
    """Claude writes, so that drafts have texts and calls have a cost."""
    return claude


@pytest.fixture
async def manager(app: RunningApp) -> SignedIn:
    admin = await sign_in(app, Role.ADMIN)
    await set_flag(admin, "AI_MAX_TOKENS_PER_DAY", 10**9)
    return admin


@pytest.fixture
async def talk(manager: SignedIn) -> Talk:
    return await conversation(manager)


async def a_past(manager: SignedIn, talk: Talk, hours: list[float]) -> list[str]:
    """A draft so many hours ago each, with every kind of end in turn."""
    made = []
    for place, ago in enumerate(hours):
        generation_id = await draft(manager, talk, ("reply", "thank_you")[place % 2])
        if place % 4 == 0:
            await decide(manager, generation_id, "approve")
            told = {"generationId": generation_id, "replied": True, "revenue": 100 * place}
            await manager.made("/api/ai/feedback", told)
        elif place % 4 == 1:
            await decide(manager, generation_id, "modify", modifiedMessage=f"Hello number {place}")
        elif place % 4 == 2:
            await decide(manager, generation_id, "reject", reason="cold")
        await hours_ago(manager.app, generation_id, ago)
        made.append(generation_id)
    await rows(manager.app, "UPDATE outbox SET delivery_status = 'sent' WHERE author <> 'chatter'")
    return made


async def everything(app: RunningApp, creator_ids: list[UUID]) -> tuple[Metrics, Course]:
    """What the API and the dashboard say of the last 90 days, and of an odd period within them."""
    now = floor_day(app.parts.now()) + timedelta(days=1)
    period = Period(now - timedelta(days=90), now)
    odd = Period(now - timedelta(days=40, minutes=17), now - timedelta(hours=30, minutes=41))
    async with app.parts.pool.connection() as connection:
        course = await read_course(
            connection,
            creator_ids,
            period,
            hourly_from=now - timedelta(days=1),
            escalation_steps=3,
        )
        return replace(await read_metrics(connection, creator_ids, odd), period=odd), course


async def roll_all_up(app: RunningApp) -> None:
    while await roll_up(app.parts):
        pass


async def test_numbers_are_the_same_whether_they_were_rolled_up_or_not(
    app: RunningApp, manager: SignedIn, talk: Talk
) -> None:
    other = await conversation(manager, creator="zoe", fan="ben")
    creator_ids = [UUID(talk.creator_id), UUID(other.creator_id)]
    ago = [0, 1.2, 2.5, 5, 26, 30.4, 31, 60, 100, 200, 320, 400, 641.3, 900, 1400, 2100]
    await a_past(manager, talk, ago)
    await a_past(manager, other, ago[2:9])
    live = await everything(app, creator_ids)

    await roll_all_up(app)

    assert await everything(app, creator_ids) == live
    assert live[1].drafts
    assert live[1].decision_seconds
    assert live[0].generations.total > 4
    for table in ROLLUPS:
        found = await rows(app, f"SELECT DISTINCT span FROM {table}")  # noqa: S608 -- names of ours
        assert {row["span"] for row in found} == {1, 24}


async def test_the_past_is_rolled_up_some_days_at_a_time_and_read_rightly_meanwhile(
    app: RunningApp, manager: SignedIn, talk: Talk
) -> None:
    creator_ids = [UUID(talk.creator_id)]
    days = 3 * DAYS_AT_ONCE
    await a_past(manager, talk, [24 * day for day in range(0, days, 7)])
    live = await everything(app, creator_ids)
    runs = 0
    more = True
    while more:
        more = await roll_up(app.parts)
        runs += 1
        assert await everything(app, creator_ids) == live
    assert runs > 2
    [state] = await rows(app, "SELECT * FROM rollup_states")
    assert state["complete"]


async def test_the_hour_that_is_not_over_and_one_that_has_just_ended_are_counted_live(
    app: RunningApp, manager: SignedIn, talk: Talk
) -> None:
    await draft(manager, talk)
    await roll_all_up(app)
    [state] = await rows(app, "SELECT rolled_until FROM rollup_states")
    assert state["rolled_until"] == floor_hour(app.parts.now() - GRACE)
    [found] = await rows(app, "SELECT count(*) AS n FROM rollup_drafts")
    assert found["n"] == 0
    assert (await manager.found("/api/ai/metrics"))["generations"]["total"] == 1


async def test_rolling_up_twice_changes_nothing(
    app: RunningApp, manager: SignedIn, talk: Talk
) -> None:
    await a_past(manager, talk, [3, 4, 30, 31])
    await roll_all_up(app)
    before = await rows(app, "SELECT id, approved, waiting FROM rollup_drafts ORDER BY id")
    await roll_all_up(app)
    assert await rows(app, "SELECT id, approved, waiting FROM rollup_drafts ORDER BY id") == before
    assert before


async def test_a_decision_on_a_draft_of_a_past_hour_shows_after_the_next_run(
    app: RunningApp, manager: SignedIn, talk: Talk
) -> None:
    generation_id = await draft(manager, talk)
    await hours_ago(app, generation_id, 50)
    await roll_all_up(app)
    await decide(manager, generation_id, "approve")

    await roll_up(app.parts)

    found = await rows(app, "SELECT span, waiting, approved FROM rollup_drafts ORDER BY span")
    assert found == [
        {"span": 1, "waiting": 0, "approved": 1},
        {"span": 24, "waiting": 0, "approved": 1},
    ]


async def test_an_outcome_that_comes_late_is_counted_in_the_hour_of_its_decision(
    app: RunningApp, manager: SignedIn, talk: Talk
) -> None:
    [generation_id] = await a_past(manager, talk, [77])
    await roll_all_up(app)
    told = {"generationId": generation_id, "purchased": True, "revenue": 4200}
    await manager.made("/api/ai/feedback", told)

    await roll_up(app.parts)

    found = await rows(app, "SELECT bought, revenue_minor FROM rollup_decisions ORDER BY span")
    assert found == [{"bought": 1, "revenue_minor": 4200}] * 2
    assert await rows(app, "SELECT * FROM rollup_marks") == []


async def test_a_decision_that_is_taken_back_is_no_longer_counted(
    app: RunningApp, manager: SignedIn, talk: Talk
) -> None:
    generation_id = await draft(manager, talk)
    await decide(manager, generation_id, "approve")
    await hours_ago(app, generation_id, 3)
    await roll_all_up(app)
    await manager.made("/api/ai/undo", {"generationId": generation_id})

    await roll_up(app.parts)

    assert await rows(app, "SELECT * FROM rollup_decisions") == []
    [found] = await rows(app, "SELECT waiting, approved FROM rollup_drafts WHERE span = 1")
    assert found == {"waiting": 1, "approved": 0}


async def test_a_person_who_settles_a_failed_message_changes_the_hour_in_which_it_was_to_leave(
    app: RunningApp, manager: SignedIn, talk: Talk
) -> None:
    await a_past(manager, talk, [9])
    await rows(app, "UPDATE outbox SET delivery_status = 'failed'")
    await roll_all_up(app)
    [item] = await rows(app, "SELECT id FROM outbox")
    body = {"creatorId": talk.creator_id, "resolution": "send_again"}
    await manager.made(f"/api/deliveries/{item['id']}", body)

    await roll_up(app.parts)

    [now] = await rows(app, "SELECT delivery_status FROM outbox")
    found = await rows(app, "SELECT delivery_status FROM rollup_messages WHERE span = 1")
    assert found == [now]


async def rows_read(app: RunningApp, pieces: tuple[Piece, ...], start: datetime) -> int:
    """How many rows PostgreSQL takes from tables and indexes for all that the dashboard shows."""
    total = 0
    async with app.parts.pool.connection() as connection:
        for statement in metrics.STATEMENTS.values():
            cursor = await connection.execute(
                f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}",
                metrics.params_of(pieces, start, start),
            )
            [(plan,)] = await cursor.fetchall()
            found = json.loads(plan) if isinstance(plan, str) else plan
            total += _scanned(found[0]["Plan"])
    return total


def _scanned(node: dict[str, Any]) -> int:
    below: int = sum(_scanned(child) for child in node.get("Plans", ()))
    if node["Node Type"] == "Function Scan" or "Relation Name" not in node:
        return below
    given = float(node["Actual Rows"] + node.get("Rows Removed by Filter", 0))
    return below + round(given * float(node["Actual Loops"]))


async def test_a_hundred_times_as_many_drafts_are_as_few_rows_to_read(
    app: RunningApp, manager: SignedIn, talk: Talk
) -> None:
    """Everything is between two days and thirty days old, so that nothing is read live."""
    creator_id = UUID(talk.creator_id)
    original = await draft(manager, talk)
    await decide(manager, original, "approve")
    await hours_ago(app, original, 48)
    end = floor_day(app.parts.now())
    start = end - timedelta(days=31)

    async def spread(count: int) -> int:
        made = await copies(app, original, count)
        await rows(
            app,
            """UPDATE ai_message_generations g
               SET created_at = %(start)s + one.place * %(step)s, approved_at = NULL,
                   approved_by = NULL, status = 'expired'
               FROM unnest(%(ids)s::uuid[]) WITH ORDINALITY one (id, place) WHERE g.id = one.id""",
            ids=made,
            start=start,
            step=timedelta(days=28) / count,
        )
        await rows(app, "DELETE FROM rollup_states")
        for table in ROLLUPS:
            await rows(app, f"DELETE FROM {table}")  # noqa: S608 -- names of ours
        await roll_all_up(app)
        await rows(app, "ANALYZE")
        async with app.parts.pool.connection() as connection:
            rolled = (await rollups.states(connection, [creator_id]))[creator_id]
        return await rows_read(app, pieces_of(creator_id, start, end, rolled), start)

    few, many = await spread(100), await spread(9_900)

    assert 0 < many <= few + 10
    async with app.parts.pool.connection() as connection:
        found = await read_metrics(connection, [creator_id], Period(start, end))
    assert found.generations.total == 10_001
    live = (Piece(creator_id, Span.LIVE, start, end),)
    assert await rows_read(app, live, start) >= 10_000


async def test_a_creator_who_is_being_rolled_up_elsewhere_is_left_alone(
    app: RunningApp, manager: SignedIn, talk: Talk
) -> None:
    await a_past(manager, talk, [30])
    creator_id = UUID(talk.creator_id)
    async with app.parts.transaction() as connection:
        await rollups.begin_state(connection, creator_id, datetime(2026, 1, 1, tzinfo=UTC))
    async with app.parts.transaction() as connection:
        assert await rollups.lock_state(connection, creator_id) is not None
        assert await roll_up(app.parts) is False
    assert await rows(app, "SELECT * FROM rollup_drafts") == []
