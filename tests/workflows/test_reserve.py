"""What is reserved is settled, given back or expires: once, whoever dies and whatever races."""

import asyncio
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench.reserving import TOKENS
from stubs.llm import Fail, LlmStub
from tests.support.app import RunningApp
from tests.support.fixtures import settings as settings_of
from tests.support.fixtures import with_claude
from tests.support.gate import Gate
from tests.support.world import conversation, counters, rows, set_flag, sign_in
from vaultcrm.adapters.llm.catalog import find_model, most_micro_usd
from vaultcrm.controls.limits import LONGEST_ANSWER_TOKENS, PROMPT_TOKEN_BUDGET, reservation_of
from vaultcrm.db.pool import open_pool
from vaultcrm.db.queries import budgets, limits
from vaultcrm.domain.budgets import BudgetKey, BudgetPeriod, BudgetScope, BudgetUnit
from vaultcrm.domain.errors import AiDisabled
from vaultcrm.domain.generation import GenerationType
from vaultcrm.domain.ids import new_id
from vaultcrm.domain.limits import Holding
from vaultcrm.domain.people import SYSTEM_USER_ID, Credential, Role
from vaultcrm.settings import Settings
from vaultcrm.workflows.generate_message import GenerateRequest, generate_message
from vaultcrm.workflows.open_call import open_call, spending
from vaultcrm.workflows.reserve import expire_reservations
from vaultcrm.workflows.reserve_more import reserve_dearer

pytestmark = pytest.mark.anyio

HERE = Path(__file__).parents[2]
RESERVED = PROMPT_TOKEN_BUDGET + LONGEST_ANSWER_TOKENS
NOW = datetime(2026, 11, 20, 23, 59, 59, tzinfo=UTC)
CREATOR = new_id()
SETTINGS = Settings()
PLENTY = 10**9


def later(app: RunningApp) -> RunningApp:
    """The application when everything that is held now has expired."""
    now = app.parts.now() + timedelta(seconds=app.parts.settings.ai_reservation_seconds + 1)
    return replace(app, parts=replace(app.parts, now=lambda: now))


def standing_at(moment: datetime) -> Callable[[], datetime]:
    return lambda: moment


async def test_what_a_killed_process_held_is_given_back_and_nobody_elses(
    claude: RunningApp, gate: Gate, llm: LlmStub
) -> None:
    admin = await sign_in(claude, Role.ADMIN)
    talk = await conversation(admin)
    gate.shut()
    given = settings_of(
        str(claude.parts.settings.database_url),
        claude.parts.settings.vaultcrm_home,
        **with_claude(gate.url),
    ).model_dump(mode="json", include={"vaultcrm_home", "database_url", "observe_every_seconds"})
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.entrypoints.api.second_process",
        json.dumps(given | with_claude(gate.url)),
        cwd=HERE, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        assert process.stdin is not None
        assert process.stdout is not None
        assert await process.stdout.readline() == b"ready\n"
        order = {"token": admin.token, "body": talk.asks(), "times": 2}
        process.stdin.write(json.dumps(order).encode() + b"\n")
        await process.stdin.drain()
        await gate.until_waiting(2)
    finally:
        process.kill()
        await process.wait()
    mine = asyncio.create_task(admin.made("/api/ai/generate", talk.asks()))
    # The two whose process died left the gate or not; whoever comes now waits at it.
    while (await counters(claude)).get(("tokens_per_day", "all"), 0) < 3 * RESERVED:
        continue
    await rows(
        claude,
        """UPDATE open_reservations SET expires_at = expires_at + interval '1 day'
           WHERE id = (SELECT id FROM open_reservations ORDER BY id DESC LIMIT 1)""",
    )

    assert await expire_reservations(claude.parts) == 0
    assert await expire_reservations(later(claude).parts) == 2
    assert await expire_reservations(later(claude).parts) == 0

    used = await counters(claude)
    assert used["tokens_per_day", "all"] == RESERVED
    assert used["requests_per_hour", str(admin.user_id)] == 1
    gate.open()
    drafted = await mine
    spent = drafted["usage"]["inputTokens"] + drafted["usage"]["outputTokens"]
    spent += drafted["usage"]["cachedTokens"]
    assert (await counters(claude))["tokens_per_day", "all"] == spent
    assert await rows(claude, "SELECT 1 FROM open_reservations") == []


async def test_a_draft_that_comes_after_its_reservation_has_expired_still_counts_once(
    claude: RunningApp, gate: Gate
) -> None:
    admin = await sign_in(claude, Role.ADMIN)
    talk = await conversation(admin)
    gate.shut()
    drafting = asyncio.create_task(admin.made("/api/ai/generate", talk.asks()))
    await gate.until_waiting(1)
    assert await expire_reservations(later(claude).parts) == 1
    assert await counters(claude) == {}

    gate.open()
    await drafting

    [spent] = await rows(
        claude, "SELECT sum(input_tokens + output_tokens + cached_tokens) AS tokens FROM usage"
    )
    used = await counters(claude)
    assert used["tokens_per_day", "all"] == spent["tokens"]
    assert used["requests_per_hour", str(admin.user_id)] == 1


async def test_a_call_that_holds_nothing_any_more_gives_nothing_back_when_it_fails(
    claude: RunningApp, gate: Gate, llm: LlmStub
) -> None:
    admin = await sign_in(claude, Role.ADMIN)
    talk = await conversation(admin)
    await admin.made("/api/ai/generate", talk.asks())
    before = await counters(claude)
    llm.script([Fail(500)])
    gate.shut()
    failing = asyncio.create_task(admin.post("/api/ai/generate", talk.asks()))
    await gate.until_waiting(1)
    await expire_reservations(later(claude).parts)

    gate.open()

    assert (await failing).status_code == 502
    assert await counters(claude) == before


async def test_thousands_of_calls_of_four_processes_spend_exactly_the_limit(
    app: RunningApp,
) -> None:
    admin = await sign_in(app, Role.ADMIN)
    talk = await conversation(admin)
    limit = 800 * TOKENS
    order = {
        "database_url": app.parts.settings.database_url,
        "user_id": str(admin.user_id),
        "creator_id": talk.creator_id,
        "limit": limit,
        "times": 400,
        "at_once": 8,
        "now": NOW.isoformat(),
    }
    processes = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bench.reserving", json.dumps(order),
            cwd=HERE, stdout=asyncio.subprocess.PIPE,
        )
        for _ in range(4)
    ]  # fmt: skip
    told = [await process.communicate() for process in processes]

    assert [process.returncode for process in processes] == [0] * 4
    assert sum(int(out) for out, _ in told) == 800
    used = await counters(app)
    assert used["tokens_per_day", "all"] == limit
    assert used["requests_per_hour", str(admin.user_id)] == 800
    assert await rows(app, "SELECT 1 FROM open_reservations") == []


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["reserve", "settle", "give back", "expire"]),
        st.integers(0, 5),
        st.integers(0, 400),
    ),
    max_size=25,
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(STEPS)
def test_counters_are_what_was_used_and_what_is_held_whatever_happens_in_whatever_order(
    database_url: str, steps: Sequence[tuple[str, int, int]]
) -> None:
    """A call that has expired may still be settled, once, or be given back."""
    asyncio.run(_live_through(database_url, steps))


async def _live_through(database_url: str, steps: Sequence[tuple[str, int, int]]) -> None:
    key = BudgetKey(BudgetScope.CREATOR, CREATOR, BudgetPeriod.MONTH, BudgetUnit.USD)
    held: list[tuple[Holding, int]] = []
    expired: list[tuple[Holding, int]] = []
    tokens = dollars = 0
    async with await open_pool(database_url, 2) as pool, pool.connection() as connection:
        for emptying in (
            "DELETE FROM open_reservations",
            "DELETE FROM limit_counters",
            "DELETE FROM budgets",
        ):
            await connection.execute(emptying.encode())
        await budgets.set_budget(
            connection, key, PLENTY, reason="try", user_id=SYSTEM_USER_ID, now=NOW
        )
        for step, which, amount in steps:
            choice = held + expired
            if step == "reserve":
                holding, _ = await limits.reserve(
                    connection,
                    reservation_of(amount, 3 * amount, NOW, SETTINGS),
                    creator_id=CREATOR,
                    user_id=None,
                    ceiling=PLENTY,
                )
                assert holding is not None
                held.append((holding, amount))
            elif step == "expire":
                after = NOW + timedelta(seconds=SETTINGS.ai_reservation_seconds)
                assert await limits.expire(connection, after, most=1_000) == len(held)
                expired, held = expired + held, []
            elif choice:
                one = choice[which % len(choice)]
                (held if one in held else expired).remove(one)
                if step == "settle":
                    await limits.settle(connection, one[0], amount, 2 * amount)
                    # A budget that nothing was reserved of was none of the call's.
                    tokens, dollars = tokens + amount, dollars + (2 * amount if one[1] else 0)
                else:
                    await limits.give_back(connection, one[0])
            cursor = await connection.execute(
                "SELECT kind, used FROM limit_counters WHERE used <> 0"
            )
            expected = {
                "tokens_per_day": tokens + sum(amount for _, amount in held),
                key.kind: dollars + sum(3 * amount for _, amount in held),
            }
            assert dict(await cursor.fetchall()) == {k: v for k, v in expected.items() if v}


async def test_settling_and_expiring_at_once_count_what_was_used_exactly_once(
    app: RunningApp,
) -> None:
    now = app.parts.now()
    reservation = [reservation_of(50, 0, now, app.parts.settings) for _ in range(120)]

    async def reserve(one: int) -> Holding:
        async with app.parts.pool.connection() as connection:
            holding, _ = await limits.reserve(
                connection, reservation[one], creator_id=CREATOR, user_id=None, ceiling=PLENTY
            )
        assert holding is not None
        return holding

    async def settle(holding: Holding, tokens: int) -> None:
        async with app.parts.pool.connection() as connection:
            await limits.settle(connection, holding, tokens, 0)

    held = await asyncio.gather(*map(reserve, range(len(reservation))))
    late = later(app).parts

    settling = [settle(holding, number) for number, holding in enumerate(held)]
    given_back = await asyncio.gather(
        *settling[:60], *(expire_reservations(late) for _ in range(3)), *settling[60:]
    )

    assert (await counters(app))["tokens_per_day", "all"] == sum(range(len(held)))
    assert await rows(app, "SELECT 1 FROM open_reservations") == []
    assert sum(count or 0 for count in given_back) <= len(held)


async def test_automatic_work_counts_for_its_creators_budget_and_nobodys(
    claude: RunningApp,
) -> None:
    admin = await sign_in(claude, Role.ADMIN)
    talk = await conversation(admin)
    await set_flag(admin, "AI_MAX_TOKENS_PER_DAY", PLENTY)
    for scope, subject in (("creator", "creatorId"), ("user", "userId")):
        body = {
            "scope": scope,
            subject: talk.creator_id if scope == "creator" else str(admin.user_id),
            "period": "day",
            "unit": "usd",
            "amount": 5,
            "reason": "try",
        }
        await admin.made("/api/budgets", body)
    wanted = GenerateRequest(
        UUID(talk.creator_id), UUID(talk.conversation_id), GenerationType.REPLY
    )

    record = await generate_message(claude.parts, Credential(user_id=SYSTEM_USER_ID), wanted)

    used = await counters(claude)
    assert used["creator_usd_per_day", talk.creator_id] == record.cost_micro_usd > 0
    assert ("user_usd_per_day", str(admin.user_id)) not in used


async def test_over_midnight_and_a_months_end_where_the_agency_is_budgets_begin_anew(
    claude: RunningApp,
) -> None:
    """A draft that is asked for before midnight is counted in the day before, whenever it ends."""
    admin = await sign_in(claude, Role.ADMIN)
    talk = await conversation(admin)
    body = {"scope": "creator", "creatorId": talk.creator_id, "unit": "tokens", "reason": "try"}
    for period in ("day", "month"):
        await admin.made("/api/budgets", body | {"period": period, "amount": PLENTY})
    wanted = GenerateRequest(
        UUID(talk.creator_id), UUID(talk.conversation_id), GenerationType.REPLY
    )
    there = claude.parts.settings.model_copy(update={"agency_time_zone": "America/New_York"})
    used = []
    for moment in ("2027-01-31T23:59:59-05:00", "2027-02-01T00:00:00-05:00"):
        now = datetime.fromisoformat(moment).astimezone(UTC)
        parts = replace(claude.parts, settings=there, now=standing_at(now))
        record = await generate_message(parts, Credential(user_id=SYSTEM_USER_ID), wanted)
        used.append(record.usage.total)

    found = await rows(
        claude,
        """SELECT kind, window_start, used FROM limit_counters
           WHERE kind LIKE 'creator_tokens%%' AND used > 0 ORDER BY kind, window_start""",
    )
    assert [(row["window_start"], row["used"]) for row in found] == [
        (datetime(2027, 1, 31, 5, tzinfo=UTC), used[0]),
        (datetime(2027, 2, 1, 5, tzinfo=UTC), used[1]),
        (datetime(2027, 1, 1, 5, tzinfo=UTC), used[0]),
        (datetime(2027, 2, 1, 5, tzinfo=UTC), used[1]),
    ]


async def test_a_tests_dearer_model_reserves_what_it_may_cost_beyond_the_drafters_own(
    claude: RunningApp,
) -> None:
    admin = await sign_in(claude, Role.ADMIN)
    talk = await conversation(admin)
    body = {"scope": "creator", "creatorId": talk.creator_id, "period": "day", "unit": "usd"}
    await admin.made("/api/budgets", body | {"amount": 5, "reason": "try"})
    counter = ("creator_usd_per_day", talk.creator_id)
    parts, dear = claude.parts, "claude-opus-5-5"
    most = most_micro_usd(find_model(dear), PROMPT_TOKEN_BUDGET, LONGEST_ANSWER_TOKENS)
    call = await open_call(
        parts,
        Credential(user_id=admin.user_id),
        creator_id=UUID(talk.creator_id),
        conversation_id=UUID(talk.conversation_id),
        fan_id=None,
        chatter_id=None,
    )
    own = (await counters(claude))[counter]

    async def fails_in_the_end() -> None:
        async with spending(parts, call) as spent:
            await reserve_dearer(parts, call, spent, "")
            assert (await counters(claude))[counter] == own
            await reserve_dearer(parts, call, spent, dear)
            assert (await counters(claude))[counter] == most > own
            raise AiDisabled("switched off meanwhile")

    with pytest.raises(AiDisabled):
        await fails_in_the_end()
    assert await counters(claude) == {}
