"""The rollout's stages: what each is judged by, and how they are moved."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from stubs.llm import LlmStub, Reply
from tests.support.app import RunningApp
from tests.support.drafts import as_caller, copies, decide, drafted
from tests.support.worker import run_jobs
from tests.support.world import SignedIn, Talk, candidate, conversation, rows, set_flag, sign_in
from vaultcrm.domain.errors import Conflict, Forbidden, InvalidInput
from vaultcrm.domain.flags import RolloutStage
from vaultcrm.domain.people import Role
from vaultcrm.workflows.move_stage import Move, move_stage

pytestmark = pytest.mark.anyio

PATH = "/api/ai/rollout"


@pytest.fixture
async def admin(claude: RunningApp) -> SignedIn:
    ada = await sign_in(claude, Role.ADMIN, name="Ada")
    await set_flag(ada, "AI_RATE_LIMIT_PER_HOUR", 10**6)
    await set_flag(ada, "AI_MAX_TOKENS_PER_DAY", 10**9)
    return ada


def readings(stage: dict[str, Any]) -> dict[str, tuple[int, float | None]]:
    return {one["measure"]: (one["of"], one["value"]) for one in stage["readings"]}


async def stage_of(admin: SignedIn, talk: Talk) -> dict[str, Any]:
    found = await admin.found(PATH, creatorId=talk.creator_id)
    [stage] = found["creators"]
    return dict(stage)


async def sent(app: RunningApp, admin: SignedIn, llm: LlmStub, talk: Talk) -> str:
    """The draft of a message that was approved and has left."""
    generation_id = await drafted(admin, llm, talk)
    assert (await decide(admin, generation_id, "approve")).status_code == 200
    await run_jobs(app)
    return generation_id


async def test_a_stage_shows_what_people_made_of_its_drafts(
    claude: RunningApp, admin: SignedIn, llm: LlmStub
) -> None:
    talk = await conversation(admin)
    for _ in range(2):
        await decide(admin, await drafted(admin, llm, talk), "reject", reason="not_now")
    edited = await drafted(admin, llm, talk)
    await decide(admin, edited, "modify", modifiedMessage="Hey you, how was your morning then?")
    first = await sent(claude, admin, llm, talk)
    llm.script([Reply(candidates=(candidate("Write to me at tom@example.com!"),) * 2)] * 2)
    await admin.made("/api/ai/generate", talk.asks())
    await admin.made(f"/api/ai/generations/{first}/complaint", {"complaint": True})

    found = readings(await stage_of(admin, talk))

    assert found["rejected"] == (4, 0.5)
    assert found["modified"] == (4, 0.25)
    assert found["findings"] == (5, 0.2)
    assert found["complaints"] == (2, 0.5)
    assert found["edit_share"][0] == 1


async def test_what_was_before_the_stage_is_not_held_against_it(
    claude: RunningApp, admin: SignedIn, llm: LlmStub
) -> None:
    talk = await conversation(admin)
    await decide(admin, await drafted(admin, llm, talk), "reject", reason="not_now")
    assert readings(await stage_of(admin, talk))["rejected"] == (1, 1.0)

    await set_flag(admin, "AI_ROLLOUT_STAGE", 3, talk.creator_id)
    assert readings(await stage_of(admin, talk))["rejected"] == (0, None)

    # Setting the same stage again begins nothing anew.
    await decide(admin, await drafted_at(admin, llm, talk), "reject", reason="not_now")
    await set_flag(admin, "AI_ROLLOUT_STAGE", 3, talk.creator_id)
    assert readings(await stage_of(admin, talk))["rejected"] == (1, 1.0)


async def drafted_at(admin: SignedIn, llm: LlmStub, talk: Talk) -> str:
    """A draft that waits at a stage at which others leave by themselves: an offer."""
    return await drafted(admin, llm, talk, price_minor=500)


async def test_a_question_whether_ai_writes_is_a_complaint(
    claude: RunningApp, admin: SignedIn, llm: LlmStub
) -> None:
    talk = await conversation(admin)
    await sent(claude, admin, llm, talk)
    await admin.made(talk.messages, talk.says("Are you a bot? Is this an AI?"))
    await run_jobs(claude)

    assert readings(await stage_of(admin, talk))["complaints"] == (1, 1.0)


async def test_a_mark_is_made_once_is_audited_and_can_be_taken_away(
    claude: RunningApp, admin: SignedIn, llm: LlmStub
) -> None:
    talk = await conversation(admin)
    jo = await sign_in(claude, Role.CHATTER, name="Jo")
    waiting = await drafted(admin, llm, talk)
    unsent = await jo.post(f"/api/ai/generations/{waiting}/complaint", {})
    assert unsent.status_code == 409
    await decide(admin, waiting, "approve")
    await run_jobs(claude)

    for complaint in (True, True, False):
        body = {"complaint": complaint}
        answer = await jo.made(f"/api/ai/generations/{waiting}/complaint", body)
        assert answer == {"generationId": waiting, "complaint": complaint}

    told = await rows(
        claude,
        "SELECT * FROM audit_log WHERE action = 'generation.complaint_marked' ORDER BY id",
    )
    assert [entry["details"]["complaint"] for entry in told] == [True, False]
    assert {entry["actor_id"] for entry in told} == {jo.user_id}
    assert readings(await stage_of(admin, talk))["complaints"] == (1, 0.0)


async def changes(app: RunningApp) -> list[dict[str, Any]]:
    found = await rows(
        app,
        """SELECT details FROM audit_log
           WHERE action = 'flag.changed' AND subject_id = 'AI_ROLLOUT_STAGE' ORDER BY id""",
    )
    return [row["details"] for row in found]


async def move(
    app: RunningApp, person: SignedIn, to: Move, seen: int, talk: Talk | None, reason: str = ""
) -> None:
    await move_stage(
        app.parts,
        await as_caller(person),
        creator_id=None if talk is None else UUID(talk.creator_id),
        move=to,
        seen=RolloutStage(seen),
        reason=reason,
    )


async def test_moving_on_before_a_stage_is_ready_needs_a_reason_and_says_so(
    claude: RunningApp, admin: SignedIn
) -> None:
    talk = await conversation(admin)
    with pytest.raises(InvalidInput, match="before it is ready"):
        await move(claude, admin, Move.ON, 2, talk)
    assert await changes(claude) == []

    await move(claude, admin, Move.ON, 2, talk, "we tried it elsewhere")

    [entry] = await changes(claude)
    assert (entry["from"], entry["to"]) == (None, 3)
    assert entry["reason"] == "we tried it elsewhere"
    assert entry["health"] == "unclear"
    assert "rejected" in entry["because"]


async def test_moving_back_asks_for_nothing_and_following_ends_a_stage_of_ones_own(
    claude: RunningApp, admin: SignedIn
) -> None:
    talk = await conversation(admin)
    other = await conversation(admin, creator="zoe", fan="two")
    await move(claude, admin, Move.ON, 2, talk, "try")
    await move(claude, admin, Move.BACK, 3, talk)
    assert (await changes(claude))[-1]["reason"] == "Moved back."
    assert (await stage_of(admin, talk))["own"]

    await move(claude, admin, Move.FOLLOW, 2, talk)

    assert not (await stage_of(admin, talk))["own"]
    assert (await stage_of(admin, other))["stage"] == 2


async def test_a_stage_that_is_ready_moves_on_without_a_reason(
    claude: RunningApp, admin: SignedIn, llm: LlmStub
) -> None:
    talk = await conversation(admin)
    generation_id = await sent(claude, admin, llm, talk)
    made = await copies(claude, generation_id, 400)
    await rows(
        claude,
        """INSERT INTO ai_message_feedback
           SELECT (jsonb_populate_record(
               f, jsonb_build_object('id', gen_random_uuid(), 'generation_id', one.id))).*
           FROM ai_message_feedback f, unnest(%(ids)s::uuid[]) one(id)""",
        ids=made,
    )
    for table in ("ai_message_generations", "ai_message_feedback"):
        await rows(claude, f"UPDATE {table} SET created_at = created_at - '1 hour'::interval")  # noqa: S608

    assert (await stage_of(admin, talk))["standing"] == "good"
    await move(claude, admin, Move.ON, 2, talk)

    [entry] = await changes(claude)
    assert (entry["health"], entry["reason"]) == ("good", "The stage was ready.")
    assert "because" not in entry


async def test_of_two_who_move_a_stage_at_once_the_second_is_told(
    claude: RunningApp, admin: SignedIn
) -> None:
    talk = await conversation(admin)
    await move(claude, admin, Move.ON, 2, talk, "try")
    with pytest.raises(Conflict, match="at stage 3 by now"):
        await move(claude, admin, Move.ON, 2, talk, "try")


async def test_only_an_admin_for_every_creator_moves_the_installation(
    claude: RunningApp, admin: SignedIn
) -> None:
    talk = await conversation(admin)
    part = await sign_in(claude, Role.ADMIN, name="Pat", creators=["mia"])
    with pytest.raises(Forbidden):
        await move(claude, part, Move.ON, 2, None, "try")
    await move(claude, part, Move.ON, 2, talk, "try")
    await move(claude, admin, Move.ON, 2, None, "try")
    assert (await admin.found(PATH))["installation"]["stage"] == 3


async def test_a_stage_that_has_just_begun_is_told_how_long_it_has_to_hold(
    claude: RunningApp, admin: SignedIn
) -> None:
    talk = await conversation(admin)
    assert (await stage_of(admin, talk))["daysLeft"] == 0
    await set_flag(admin, "AI_ROLLOUT_STAGE", 3)
    assert (await stage_of(admin, talk))["daysLeft"] == 7
    past = claude.parts.now() - timedelta(days=8)
    await rows(claude, "UPDATE rollout_stages SET began_at = %(past)s", past=past)
    assert (await stage_of(admin, talk))["daysLeft"] == 0
