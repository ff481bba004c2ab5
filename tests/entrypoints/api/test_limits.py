"""Limits hold for all requests together, in however many processes they are answered."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from stubs.llm import LlmStub
from tests.support.app import RunningApp
from tests.support.fixtures import with_claude
from tests.support.gate import PATIENCE_SECONDS, Gate
from tests.support.world import SignedIn, Talk, conversation, counters, rows, set_flag, sign_in
from vaultcrm.adapters.llm.catalog import find_model, most_micro_usd
from vaultcrm.controls.limits import LONGEST_ANSWER_TOKENS, PROMPT_TOKEN_BUDGET
from vaultcrm.domain.people import Role

pytestmark = pytest.mark.anyio

RESERVED = PROMPT_TOKEN_BUDGET + LONGEST_ANSWER_TOKENS
"""Tokens that one call reserves with the default settings."""
HERE = Path(__file__)


@dataclass
class SecondProcess:
    process: asyncio.subprocess.Process

    async def ask(self, caller: SignedIn, body: dict[str, Any], times: int) -> None:
        """Ask so often at once; the answers come later."""
        assert self.process.stdin is not None
        order = {"token": caller.token, "body": body, "times": times}
        self.process.stdin.write(json.dumps(order).encode() + b"\n")
        await self.process.stdin.drain()

    async def statuses(self, tally: "Tally") -> None:
        assert self.process.stdout is not None
        while line := await self.process.stdout.readline():
            await tally.add(int(line))


@asynccontextmanager
async def second_process(app: RunningApp, gate: Gate) -> AsyncIterator[SecondProcess]:
    settings = {
        "vaultcrm_home": str(app.parts.settings.vaultcrm_home),
        "database_url": app.parts.settings.database_url,
        **with_claude(gate.url),
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.entrypoints.api.second_process", json.dumps(settings),
        cwd=HERE.parents[3], stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        assert await process.stdout.readline() == b"ready\n"
        yield SecondProcess(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


class Tally:
    """Statuses as they come in, from this process and the other."""

    def __init__(self) -> None:
        self.statuses: list[int] = []
        self._changed = asyncio.Condition()

    async def add(self, status: int) -> None:
        async with self._changed:
            self.statuses.append(status)
            self._changed.notify_all()

    async def until(self, count: int, status: int) -> None:
        """Until so many answers have a status; TimeoutError if that never comes."""
        async with asyncio.timeout(PATIENCE_SECONDS), self._changed:
            await self._changed.wait_for(lambda: self.statuses.count(status) >= count)


async def ask_here(tally: Tally, caller: SignedIn, talk: Talk) -> None:
    response = await caller.post("/api/ai/generate", talk.asks())
    await tally.add(response.status_code)


async def from_two_processes(
    app: RunningApp, gate: Gate, caller: SignedIn, talk: Talk, *, let_in: int
) -> Tally:
    """64 requests at once, half of them elsewhere, while the model answers none of them.

    When all but `let_in` are refused, the gate opens.
    """
    gate.shut()
    tally = Tally()
    async with second_process(app, gate) as other, asyncio.TaskGroup() as tasks:
        await other.ask(caller, talk.asks(), 32)
        tasks.create_task(other.statuses(tally))
        for _ in range(32):
            tasks.create_task(ask_here(tally, caller, talk))
        await tally.until(64 - let_in, 429)
        await gate.until_waiting(let_in)
        gate.open()
    return tally


async def test_requests_of_two_processes_never_pass_the_daily_tokens_together(
    claude: RunningApp, gate: Gate, llm: LlmStub
) -> None:
    admin = await sign_in(claude, Role.ADMIN)
    talk = await conversation(admin)
    limit = 10 * RESERVED + RESERVED - 1
    await set_flag(admin, "AI_MAX_TOKENS_PER_DAY", limit)

    tally = await from_two_processes(claude, gate, admin, talk, let_in=10)

    assert sorted(tally.statuses) == [200] * 10 + [429] * 54
    assert len(llm.requests) == 10
    [spent] = await rows(
        claude, "SELECT sum(input_tokens + output_tokens + cached_tokens) AS tokens FROM usage"
    )
    used = await counters(claude)
    assert used["tokens_per_day", "all"] == spent["tokens"] <= limit
    assert used["requests_per_hour", str(admin.user_id)] == 10


async def test_requests_of_two_processes_never_pass_a_creators_budget_in_dollars_together(
    claude: RunningApp, gate: Gate, llm: LlmStub
) -> None:
    admin = await sign_in(claude, Role.ADMIN)
    talk = await conversation(admin)
    await set_flag(admin, "AI_MAX_TOKENS_PER_DAY", 10**9)
    most = most_micro_usd(
        find_model("claude-sonnet-5-5"), PROMPT_TOKEN_BUDGET, LONGEST_ANSWER_TOKENS
    )
    budget = {"scope": "creator", "creatorId": talk.creator_id, "period": "month", "unit": "usd"}
    dollars = (10 * most + most - 1) / 1_000_000
    await admin.made("/api/budgets", budget | {"amount": dollars, "reason": "try"})

    tally = await from_two_processes(claude, gate, admin, talk, let_in=10)

    assert sorted(tally.statuses) == [200] * 10 + [429] * 54
    [spent] = await rows(claude, "SELECT sum(cost_micro_usd) AS micro_usd FROM usage")
    used = await counters(claude)
    assert used["creator_usd_per_month", talk.creator_id] == spent["micro_usd"] < 10 * most
    assert used["requests_per_hour", str(admin.user_id)] == 10
    assert await rows(claude, "SELECT 1 FROM open_reservations") == []


async def test_a_user_gets_exactly_so_many_drafts_an_hour_in_all_processes(
    claude: RunningApp, gate: Gate, llm: LlmStub
) -> None:
    admin = await sign_in(claude, Role.ADMIN)
    talk = await conversation(admin)
    await set_flag(admin, "AI_RATE_LIMIT_PER_HOUR", 20)
    await set_flag(admin, "AI_MAX_TOKENS_PER_DAY", 100 * RESERVED)

    tally = await from_two_processes(claude, gate, admin, talk, let_in=20)

    assert sorted(tally.statuses) == [200] * 20 + [429] * 44
    assert len(llm.requests) == 20
    assert (await counters(claude))["requests_per_hour", str(admin.user_id)] == 20


async def test_a_refused_request_is_told_which_limit_and_when_to_come_back(
    claude: RunningApp,
) -> None:
    admin = await sign_in(claude, Role.ADMIN)
    talk = await conversation(admin)
    for name, limit, most_seconds in (
        ("AI_MAX_TOKENS_PER_DAY", "tokens_per_day", 86_400),
        ("AI_RATE_LIMIT_PER_HOUR", "requests_per_hour", 3_600),
    ):
        await set_flag(admin, name, 0)
        response = await admin.post("/api/ai/generate", talk.asks())
        assert response.status_code == 429
        assert response.json()["limit"] == limit
        assert response.json()["type"] == "/problems/limit-exceeded"
        assert 1 <= int(response.headers["Retry-After"]) <= most_seconds
        await set_flag(admin, name, None)
    assert await counters(claude) == {}


async def test_a_program_is_counted_for_the_chatter_that_it_asks_for(claude: RunningApp) -> None:
    service = await sign_in(claude, Role.SERVICE)
    one, other = [await sign_in(claude, Role.CHATTER) for _ in range(2)]
    talk = await conversation(service)
    await set_flag(await sign_in(claude, Role.ADMIN), "AI_RATE_LIMIT_PER_HOUR", 1)

    async def asked_for(chatter: SignedIn) -> int:
        body = talk.asks(chatterId=str(chatter.user_id))
        return (await service.post("/api/ai/generate", body)).status_code

    assert [await asked_for(one), await asked_for(one), await asked_for(other)] == [200, 429, 200]


async def test_a_creators_own_hourly_limit_stands_before_the_installations(
    claude: RunningApp,
) -> None:
    admin = await sign_in(claude, Role.ADMIN)
    mia = await conversation(admin)
    theo = await conversation(admin, creator="theo")
    await set_flag(admin, "AI_RATE_LIMIT_PER_HOUR", 0)
    await set_flag(admin, "AI_RATE_LIMIT_PER_HOUR", 1, mia.creator_id)
    assert (await admin.post("/api/ai/generate", theo.asks())).status_code == 429
    assert (await admin.post("/api/ai/generate", mia.asks())).status_code == 200
    assert (await admin.post("/api/ai/generate", mia.asks())).status_code == 429


@pytest.mark.parametrize("limit", ["AI_RATE_LIMIT_PER_HOUR", "AI_MAX_TOKENS_PER_DAY"])
async def test_a_limit_beyond_all_counting_is_no_limit(claude: RunningApp, limit: str) -> None:
    admin = await sign_in(claude, Role.ADMIN)
    talk = await conversation(admin)
    await set_flag(admin, limit, 10**40)
    assert (await admin.post("/api/ai/generate", talk.asks())).status_code == 200


async def test_near_the_daily_limit_a_call_waits_while_others_pass_it(
    claude: RunningApp, llm: LlmStub
) -> None:
    """The first call is slowed by three seconds; the second comes after the limit was raised."""
    admin = await sign_in(claude, Role.ADMIN)
    talk = await conversation(admin)
    await set_flag(admin, "AI_MAX_TOKENS_PER_DAY", RESERVED)
    slowed = asyncio.create_task(admin.made("/api/ai/generate", talk.asks()))
    while ("tokens_per_day", "all") not in await counters(claude):
        continue
    await set_flag(admin, "AI_MAX_TOKENS_PER_DAY", 1000 * RESERVED)

    passing = await admin.made("/api/ai/generate", talk.asks())

    assert not slowed.done()
    assert len(llm.requests) == 1
    assert passing["createdAt"] < (await slowed)["createdAt"]


async def test_ai_that_is_switched_off_says_so_and_everything_else_goes_on(
    claude: RunningApp, llm: LlmStub
) -> None:
    admin = await sign_in(claude, Role.ADMIN)
    talk = await conversation(admin)
    waiting = await admin.made("/api/ai/generate", talk.asks())
    before = await counters(claude)
    await set_flag(admin, "ENABLE_AI_CHAT", value=False)

    response = await admin.post("/api/ai/generate", talk.asks())

    assert response.status_code == 503
    assert response.json()["type"] == "/problems/ai-disabled"
    assert await counters(claude) == before
    assert len(llm.requests) == 1
    approval = {"generationId": waiting["generationId"], "action": "approve"}
    assert (await admin.post("/api/ai/approve", approval)).status_code == 200
    assert (await admin.post(talk.messages, talk.says("Still there?"))).status_code == 201


async def test_ai_can_be_switched_off_and_on_for_one_creator(claude: RunningApp) -> None:
    admin = await sign_in(claude, Role.ADMIN)
    mia = await conversation(admin)
    theo = await conversation(admin, creator="theo")

    async def statuses() -> list[int]:
        asked = [await admin.post("/api/ai/generate", talk.asks()) for talk in (mia, theo)]
        return [response.status_code for response in asked]

    await set_flag(admin, "ENABLE_AI_CHAT", False, mia.creator_id)
    assert await statuses() == [503, 200]
    await set_flag(admin, "ENABLE_AI_CHAT", value=False)
    await set_flag(admin, "ENABLE_AI_CHAT", True, mia.creator_id)
    assert await statuses() == [200, 503]


async def test_a_conversation_whose_mode_is_off_gets_no_drafts(
    claude: RunningApp, llm: LlmStub
) -> None:
    manager = await sign_in(claude, Role.MANAGER)
    talk = await conversation(manager)
    path = f"/api/conversations/{talk.conversation_id}/mode"
    await manager.made(path, {"creatorId": talk.creator_id, "mode": "off"})
    response = await manager.post("/api/ai/generate", talk.asks())
    assert (response.status_code, response.json()["type"]) == (503, "/problems/ai-disabled")
    assert llm.requests == []


async def test_in_stage_one_ai_is_on_for_the_chosen_creator_alone(claude: RunningApp) -> None:
    admin = await sign_in(claude, Role.ADMIN)
    mia = await conversation(admin)
    theo = await conversation(admin, creator="theo")
    await set_flag(admin, "AI_ROLLOUT_CREATOR", "mia")
    await set_flag(admin, "AI_ROLLOUT_STAGE", 1)
    assert (await admin.post("/api/ai/generate", mia.asks())).status_code == 200
    assert (await admin.post("/api/ai/generate", theo.asks())).status_code == 503
