"""The queue as time goes by: claims end, what is snoozed returns, what waits long rises."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from stubs.llm import LlmStub
from tests.support.app import RunningApp, running_app
from tests.support.drafts import (
    as_caller,
    copies,
    decide,
    drafted,
    status_of,
    waiting,
)
from tests.support.fixtures import settings, with_claude
from tests.support.gate import Gate
from tests.support.worker import run_jobs, time_has_come
from tests.support.world import SignedIn, conversation, jobs, rows, sign_in
from vaultcrm.domain.errors import Conflict, InvalidInput
from vaultcrm.domain.people import Role
from vaultcrm.workflows.parts import Parts
from vaultcrm.workflows.work_queue import (
    CLAIM_LEASE,
    LONGEST_SNOOZE,
    QueueView,
    claim,
    claim_next,
    escalate,
    release,
    snooze,
)

pytestmark = pytest.mark.anyio

Later = Callable[[timedelta], Parts]


@pytest.fixture
def later(claude: RunningApp) -> Later:
    """The parts with a clock that stands so much later than when the test began."""
    began = datetime.now(UTC)
    return lambda by: replace(claude.parts, now=lambda: began + by)


async def people(app: RunningApp, *names: str) -> list[SignedIn]:
    return [await sign_in(app, Role.CHATTER, name=name) for name in names]


@pytest.fixture
async def manager(claude: RunningApp) -> SignedIn:
    return await sign_in(claude, Role.MANAGER)


# Claims


async def test_a_claim_holds_for_its_lease_and_not_longer(
    claude: RunningApp, manager: SignedIn, llm: LlmStub, later: Later
) -> None:
    draft = UUID(await drafted(manager, llm, await conversation(manager)))
    ann, ben = [await as_caller(person) for person in await people(claude, "Ann", "Ben")]
    start = later(timedelta(minutes=1))
    held = await claim(start, ann, draft)
    assert held.claimed_until == start.now() + CLAIM_LEASE

    with pytest.raises(Conflict) as refused:
        await claim(later(timedelta(minutes=1) + CLAIM_LEASE), ben, draft)
    taken = await claim(later(timedelta(minutes=1, seconds=1) + CLAIM_LEASE), ben, draft)

    assert (refused.value.status, refused.value.decided_by) == ("claimed", "Ann")
    assert taken.claimed_by == ben.user_id
    with pytest.raises(Conflict, match="Ben"):
        await release(later(CLAIM_LEASE), ann, draft)


async def test_heartbeats_hold_a_draft_for_as_long_as_they_come(
    claude: RunningApp, manager: SignedIn, llm: LlmStub, later: Later
) -> None:
    draft = UUID(await drafted(manager, llm, await conversation(manager)))
    ann, ben = [await as_caller(person) for person in await people(claude, "Ann", "Ben")]
    for minutes in range(0, 40, 4):
        await claim(later(timedelta(minutes=minutes)), ann, draft)
        with pytest.raises(Conflict):
            await claim(later(timedelta(minutes=minutes + 4)), ben, draft)


async def test_a_draft_whose_claim_has_run_out_is_the_next_one_for_somebody_else(
    claude: RunningApp, manager: SignedIn, llm: LlmStub, later: Later
) -> None:
    draft = UUID(await drafted(manager, llm, await conversation(manager)))
    ann, ben = [await as_caller(person) for person in await people(claude, "Ann", "Ben")]
    await claim(later(timedelta()), ann, draft)
    assert await claim_next(later(CLAIM_LEASE / 2), ben, QueueView()) is None
    held = await claim_next(later(CLAIM_LEASE + timedelta(minutes=1)), ben, QueueView())
    assert held is not None
    assert (held.id, held.claimed_by) == (draft, ben.user_id)


# Snoozing


async def test_a_snoozed_draft_returns_at_its_time_and_not_before(
    claude: RunningApp, manager: SignedIn, llm: LlmStub, later: Later
) -> None:
    draft = UUID(await drafted(manager, llm, await conversation(manager)))
    [ann] = [await as_caller(person) for person in await people(claude, "Ann")]
    until = later(timedelta(hours=2)).now()
    await snooze(later(timedelta()), ann, draft, until)
    for early in (timedelta(minutes=1), timedelta(minutes=119)):
        assert await claim_next(later(early), ann, QueueView()) is None
    held = await claim_next(later(timedelta(hours=2)), ann, QueueView())
    assert held is not None
    assert held.id == draft


async def test_the_longest_snooze_is_a_week_to_the_second(
    claude: RunningApp, manager: SignedIn, llm: LlmStub, later: Later
) -> None:
    draft = UUID(await drafted(manager, llm, await conversation(manager)))
    [ann] = [await as_caller(person) for person in await people(claude, "Ann")]
    parts = later(timedelta())
    for wrong in (parts.now(), parts.now() + LONGEST_SNOOZE + timedelta(seconds=1)):
        with pytest.raises(InvalidInput, match="until"):
            await snooze(parts, ann, draft, wrong)
    snoozed = await snooze(parts, ann, draft, parts.now() + LONGEST_SNOOZE)
    assert snoozed.snoozed_until == parts.now() + LONGEST_SNOOZE


# Escalation


async def priorities(app: RunningApp) -> dict[str, int]:
    found = await rows(app, "SELECT id::text, priority FROM ai_message_generations")
    return {row["id"]: row["priority"] for row in found}


async def test_a_draft_rises_once_at_each_time_that_the_settings_name(
    claude: RunningApp, manager: SignedIn, llm: LlmStub, later: Later
) -> None:
    """15 minutes, an hour and four hours, unless the settings say otherwise."""
    draft = await drafted(manager, llm, await conversation(manager))
    start = (await priorities(claude))[draft]
    steps = []
    for minutes in (0, 14, 16, 17, 59, 61, 61, 239, 241, 600, 10_000):
        raised = await escalate(later(timedelta(minutes=minutes)))
        steps.append((raised, (await priorities(claude))[draft] - start))
    level = 150
    assert steps == [
        (0, 0), (0, 0), (1, level), (0, level), (0, level), (1, 2 * level), (0, 2 * level),
        (0, 2 * level), (1, 3 * level), (0, 3 * level), (0, 3 * level),
    ]  # fmt: skip


async def test_a_draft_that_nobody_looked_at_for_a_day_has_passed_every_level_at_once(
    claude: RunningApp, manager: SignedIn, llm: LlmStub, later: Later
) -> None:
    draft = await drafted(manager, llm, await conversation(manager))
    before = (await priorities(claude))[draft]
    await escalate(later(timedelta(days=1)))
    await escalate(later(timedelta(days=1)))
    assert (await priorities(claude))[draft] == before + 3 * 150


async def test_workers_that_escalate_at_the_same_moment_raise_a_draft_once(
    claude: RunningApp, manager: SignedIn, llm: LlmStub, later: Later
) -> None:
    draft = await drafted(manager, llm, await conversation(manager))
    await copies(claude, draft, 20)
    before = await priorities(claude)
    await asyncio.gather(*(escalate(later(timedelta(minutes=20))) for _ in range(6)))
    after = await priorities(claude)
    assert {after[one] - before[one] for one in before} == {150}


async def test_what_waits_too_long_overtakes_the_next_tier_but_never_a_fan_who_needs_care(
    claude: RunningApp, manager: SignedIn, llm: LlmStub, later: Later
) -> None:
    old = await drafted(manager, llm, await conversation(manager, fan="old", value_minor=0))
    sad = await conversation(manager, fan="sad", said=["I want to kill myself."], value_minor=0)
    cared = await drafted(manager, llm, sad)
    medium = await conversation(manager, fan="medium", value_minor=20_000)
    newer = await drafted(manager, llm, medium)
    assert await waiting(manager) == [cared, newer, old]
    # Only the old one has waited for the first of the times.
    await rows(
        claude,
        """UPDATE ai_message_generations SET created_at = created_at - interval '20 min'
           WHERE id = %(id)s""",
        id=old,
    )

    await escalate(later(timedelta()))

    assert await waiting(manager) == [cared, old, newer]


async def test_what_is_decided_rises_no_more(
    claude: RunningApp, manager: SignedIn, llm: LlmStub, later: Later
) -> None:
    draft = await drafted(manager, llm, await conversation(manager))
    await decide(manager, draft, "reject")
    before = await priorities(claude)
    assert await escalate(later(timedelta(days=1))) == 0
    assert await priorities(claude) == before


# What the fan writes meanwhile


async def opened(
    database_url: str, home: Path, gate: Gate, **changes: Any
) -> AsyncIterator[RunningApp]:
    own = settings(database_url, home, **with_claude(gate.url), **changes)
    async with running_app(own) as running:
        yield running


@pytest.fixture(params=["mark", "discard", "regenerate"])
async def stale(
    request: pytest.FixtureRequest, database_url: str, home: Path, gate: Gate
) -> AsyncIterator[RunningApp]:
    """The application with each setting of AI_STALE_DRAFTS."""
    async for running in opened(database_url, home, gate, ai_stale_drafts=request.param):
        yield running


async def test_what_becomes_of_an_overtaken_draft_is_as_the_setting_says(
    stale: RunningApp, llm: LlmStub
) -> None:
    what = stale.parts.settings.ai_stale_drafts
    manager = await sign_in(stale, Role.MANAGER)
    talk = await conversation(manager)
    reply = await drafted(manager, llm, talk)
    offer = await drafted(manager, llm, talk, price_minor=900)
    await rows(stale, "DELETE FROM procrastinate_jobs WHERE task_name = 'answer_fan'")

    await manager.made(talk.messages, talk.says("Wait, something else!"))

    asked = [job["args"]["generation_type"] for job in await jobs(stale, "answer_fan")]
    if what == "mark":
        assert set(await waiting(manager)) == {reply, offer}
        assert all(item["stale"] for item in (await manager.found("/api/ai/queue"))["items"])
        assert asked == ["reply"]
        return
    assert await waiting(manager) == []
    assert [await status_of(manager, one) for one in (reply, offer)] == ["expired", "expired"]
    late = await decide(manager, reply, "approve", sendAnyway=True)
    assert (late.status_code, late.json()["currentStatus"]) == (409, "expired")
    assert sorted(asked) == (["reply"] if what == "discard" else ["ppv_offer", "reply"])


async def test_a_burst_of_messages_makes_one_draft_that_has_read_them_all(
    claude: RunningApp, manager: SignedIn, llm: LlmStub
) -> None:
    await conversation(manager, said=["Hey", "are you", "still there?"])
    [asked] = await jobs(claude, "answer_fan")
    assert asked["scheduled_at"] is not None
    await time_has_come(claude)
    await run_jobs(claude)
    assert len(await waiting(manager)) == 1
    [newest] = await rows(claude, "SELECT id FROM messages WHERE text = 'still there?'")
    [draft] = await rows(claude, "SELECT last_message_id FROM ai_message_generations")
    assert draft["last_message_id"] == newest["id"]
    assert await jobs(claude, "answer_fan") == []


async def test_each_message_of_a_burst_puts_the_draft_off(
    claude: RunningApp, manager: SignedIn
) -> None:
    talk = await conversation(manager, said=["Hey"])
    [first] = await jobs(claude, "answer_fan")
    await manager.made(talk.messages, talk.says("are you there?"))
    [second] = await jobs(claude, "answer_fan")
    assert first["id"] == second["id"]
    assert first["scheduled_at"] < second["scheduled_at"]
    quiet = timedelta(seconds=claude.parts.settings.ai_quiet_seconds)
    assert second["scheduled_at"] > datetime.now(UTC) - timedelta(seconds=60) + quiet


async def test_a_message_after_the_draft_asks_for_another_one(
    claude: RunningApp, manager: SignedIn
) -> None:
    talk = await conversation(manager, said=["Hey"])
    await time_has_come(claude)
    await run_jobs(claude)
    [first] = await waiting(manager)
    await manager.made(talk.messages, talk.says("are you there?"))
    await time_has_come(claude)
    await run_jobs(claude)
    [second] = await waiting(manager)
    assert first != second
    assert await status_of(manager, first) == "expired"
