"""One switch stops all AI: calls that are on their way, and what was to leave by itself."""

import asyncio
import time

import pytest

from stubs.llm import LlmStub, Reply, Slow
from tests.support.app import RunningApp
from tests.support.drafts import as_caller, decide, undelivered
from tests.support.gate import Gate
from tests.support.worker import run_jobs, time_has_come
from tests.support.world import (
    WARM,
    SignedIn,
    Talk,
    conversation,
    counters,
    rows,
    set_flag,
    sign_in,
)
from vaultcrm.domain.errors import DrafterUnavailable
from vaultcrm.domain.ids import new_id
from vaultcrm.domain.people import Creator, Role
from vaultcrm.workflows.observe import WEB, hand_on
from vaultcrm.workflows.running_calls import LOOK_SECONDS, RunningCalls
from vaultcrm.workflows.switch_ai import switch_ai
from vaultcrm.workflows.watch import watch

pytestmark = pytest.mark.anyio


async def off(app: RunningApp, admin: SignedIn) -> None:
    await switch_ai(app.parts, await as_caller(admin), on=False, reason="something is wrong")


async def used(app: RunningApp) -> set[int]:
    """What is held of any limit; a call that did not happen leaves nothing."""
    return set((await counters(app)).values())


async def test_calls_that_are_on_their_way_stop_and_give_back_what_they_held(
    claude: RunningApp, gate: Gate
) -> None:
    admin = await sign_in(claude, Role.ADMIN)
    talk = await conversation(admin)
    gate.shut()
    asked = [asyncio.create_task(admin.post("/api/ai/generate", talk.asks())) for _ in range(3)]
    await gate.until_waiting(3)
    assert any(await used(claude))

    await off(claude, admin)
    answers = await asyncio.gather(*asked)

    assert [answer.status_code for answer in answers] == [503] * 3
    assert {answer.json()["type"].rsplit("/", 1)[1] for answer in answers} == {"ai-disabled"}
    assert "was switched off while" in answers[0].json()["detail"]
    assert not any(await used(claude))
    assert await rows(claude, "SELECT 1 FROM ai_message_generations") == []


async def test_a_creator_whose_ai_is_switched_off_is_stopped_alone(
    claude: RunningApp, gate: Gate
) -> None:
    admin = await sign_in(claude, Role.ADMIN)
    mia = await conversation(admin, creator="mia", fan="one")
    zoe = await conversation(admin, creator="zoe", fan="two")
    gate.shut()
    asked = [
        asyncio.create_task(admin.post("/api/ai/generate", talk.asks())) for talk in (mia, zoe)
    ]
    await gate.until_waiting(2)

    await set_flag(admin, "ENABLE_AI_CHAT", False, mia.creator_id)

    assert (await asked[0]).status_code == 503
    gate.open()
    assert (await asked[1]).status_code == 200


async def test_a_process_that_cannot_ask_whether_ai_is_on_stops_its_calls(
    claude: RunningApp,
) -> None:
    calls = RunningCalls(look_seconds=0.01, blind_seconds=0.2)
    pool, settings = claude.parts.pool, claude.parts.settings
    creator = Creator(new_id(), "mia", "Mia")
    # Every connection of the process is taken, as if the database had none to give.
    held = [await pool.getconn() for _ in range(pool.max_size)]
    try:
        with (
            pytest.raises(DrafterUnavailable, match="whether AI is still switched on"),
            calls.stoppable(creator, pool, settings),
        ):
            await asyncio.Event().wait()
    finally:
        for connection in held:
            await pool.putconn(connection)


async def test_calls_that_were_stopped_are_no_failures_of_the_model(
    claude: RunningApp, gate: Gate
) -> None:
    admin = await sign_in(claude, Role.ADMIN)
    talk = await conversation(admin)
    gate.shut()
    asked = [asyncio.create_task(admin.post("/api/ai/generate", talk.asks())) for _ in range(12)]
    await gate.until_waiting(12)
    await off(claude, admin)
    await asyncio.gather(*asked)
    assert await hand_on(claude.parts, WEB)

    assert "model_errors" not in await watch(claude.parts)
    outcomes = {call[2]: call[3] for call in claude.parts.observed.counts()["calls"]}
    assert outcomes == {"stopped": 12}


@pytest.fixture
async def automatic(claude: RunningApp, llm: LlmStub) -> tuple[SignedIn, Talk, str]:
    """An admin, a conversation, and a draft that is to leave by itself."""
    admin = await sign_in(claude, Role.ADMIN)
    talk = await conversation(admin, said=["How are you?"])
    for name, value in (
        ("AI_ROLLOUT_STAGE", 4),
        ("AI_AUTO_SEND_THRESHOLD", 0),
        ("AI_AUTO_SEND_GUARANTEE", False),
        ("AI_AUTO_SEND_SAMPLE", 0),
    ):
        await set_flag(admin, name, value)
    llm.script([Reply(candidates=WARM)])
    made = await admin.made("/api/ai/generate", talk.asks())
    assert made["status"] == "auto_sent", made
    return admin, talk, str(made["generationId"])


async def generation(admin: SignedIn, generation_id: str) -> dict[str, object]:
    found: dict[str, object] = await admin.found(f"/api/ai/generations/{generation_id}")
    return found


async def test_an_automatic_message_that_has_not_left_waits_for_a_person(
    claude: RunningApp, automatic: tuple[SignedIn, Talk, str]
) -> None:
    admin, talk, generation_id = automatic

    await off(claude, admin)
    await run_jobs(claude)

    assert await undelivered(claude, talk) == []
    assert await rows(claude, "SELECT 1 FROM messages WHERE generation_id IS NOT NULL") == []
    found = await generation(admin, generation_id)
    assert found["status"] == "queued"
    assert found["approvalReasons"] == ["ai_stopped"]
    [entry] = await rows(claude, "SELECT * FROM audit_log WHERE action = 'generation.called_back'")
    assert (entry["subject_id"], entry["actor_id"]) == (generation_id, None)
    assert await rows(claude, "SELECT 1 FROM ai_message_feedback") == []

    await switch_ai(claude.parts, await as_caller(admin), on=True, reason="it was nothing")
    assert (await decide(admin, generation_id, "approve")).status_code == 200
    await run_jobs(claude)
    assert len(await rows(claude, "SELECT 1 FROM messages WHERE generation_id IS NOT NULL")) == 1


async def test_what_is_about_to_leave_when_the_switch_is_thrown_is_held(
    claude: RunningApp, automatic: tuple[SignedIn, Talk, str]
) -> None:
    admin, _, generation_id = automatic
    # The switch alone, as another process has thrown it a moment ago: nothing is called back yet.
    await rows(
        claude,
        """INSERT INTO flag_overrides (creator_id, name, value, reason, set_at)
           VALUES ('00000000-0000-0000-0000-000000000000', 'ENABLE_AI_CHAT', 'false', 'x', now())
           ON CONFLICT (creator_id, name) DO UPDATE SET value = EXCLUDED.value""",
    )

    await run_jobs(claude)

    assert (await generation(admin, generation_id))["status"] == "queued"
    assert await rows(claude, "SELECT 1 FROM outbox") == []


async def test_going_back_to_manual_approval_holds_what_was_to_leave_by_itself(
    claude: RunningApp, automatic: tuple[SignedIn, Talk, str]
) -> None:
    admin, _, generation_id = automatic
    await set_flag(admin, "AI_ROLLOUT_STAGE", 3)
    assert (await generation(admin, generation_id))["status"] == "auto_sent"

    await set_flag(admin, "AI_ROLLOUT_STAGE", 2)

    assert (await generation(admin, generation_id))["status"] == "queued"


async def test_a_message_that_a_person_approved_still_leaves(
    claude: RunningApp, llm: LlmStub
) -> None:
    admin = await sign_in(claude, Role.ADMIN)
    talk = await conversation(admin, said=["How are you?"])
    llm.script([Reply(candidates=WARM)])
    made = await admin.made("/api/ai/generate", talk.asks())
    assert (await decide(admin, made["generationId"], "approve")).status_code == 200

    await off(claude, admin)
    await time_has_come(claude)
    await run_jobs(claude)

    assert len(await rows(claude, "SELECT 1 FROM messages WHERE generation_id IS NOT NULL")) == 1


async def test_anybody_on_the_team_can_hold_an_automatic_message_before_it_leaves(
    claude: RunningApp, automatic: tuple[SignedIn, Talk, str]
) -> None:
    admin, _, generation_id = automatic
    jo = await sign_in(claude, Role.CHATTER, name="Jo")

    answer = await jo.post("/api/ai/undo", {"generationId": generation_id})

    assert answer.status_code == 200, answer.text
    found = await generation(admin, generation_id)
    assert (found["status"], found["approvalReasons"]) == ("queued", ["taken_back"])
    again = await jo.post("/api/ai/undo", {"generationId": generation_id})
    assert again.status_code == 409


async def test_an_admin_for_some_creators_changes_nothing_that_holds_for_all(
    claude: RunningApp,
) -> None:
    whole = await sign_in(claude, Role.ADMIN)
    talk = await conversation(whole, creator="mia")
    part = await sign_in(claude, Role.ADMIN, name="Pat", creators=["mia"])
    flag = {"name": "AI_ROLLOUT_STAGE", "value": 3, "reason": "why not"}

    assert (await part.post("/api/flags", flag)).status_code == 403
    own = await part.post("/api/flags", {**flag, "creatorId": talk.creator_id})
    assert own.status_code == 200
    kept = await rows(claude, "SELECT creator_id FROM flag_overrides")
    assert [str(row["creator_id"]) for row in kept] == [talk.creator_id]


async def test_the_switch_costs_a_process_nothing_while_no_model_is_asked(
    claude: RunningApp, llm: LlmStub
) -> None:
    admin = await sign_in(claude, Role.ADMIN)
    talk = await conversation(admin)
    before = time.monotonic()
    llm.script([Slow(0.6)])
    assert (await admin.post("/api/ai/generate", talk.asks())).status_code == 200
    assert time.monotonic() - before >= 0.6
    await asyncio.sleep(2 * LOOK_SECONDS)
    assert claude.parts.running_calls.is_idle
