"""The judge: asked where it matters, once for one text, and no draft leaves without its answer."""

from pathlib import Path
from typing import Any

import pytest

from stubs.llm import Drop, Fail, LlmStub, Nonsense, Refuse, Reply, Slow, Step
from tests.support.app import RunningApp, running_app
from tests.support.fixtures import settings, with_claude
from tests.support.world import (
    WARM,
    SignedIn,
    Talk,
    candidate,
    conversation,
    counters,
    rows,
    set_flag,
    sign_in,
)
from vaultcrm.domain.people import Role

pytestmark = pytest.mark.anyio

OFFER = (
    candidate("I painted the harbour last night. Would you like to see it?", price_minor=2500),
    candidate("Would you like to see the harbour that I painted?", price_minor=2500),
)
HURRY = (
    candidate("Hurry up and tell me how your day was, this won't be here tomorrow!"),
    candidate("Hurry up and tell me about your day, this won't be here tomorrow!"),
)
WHALE_MINOR = 500_000


def found(category: str, tier: str, quote: str, **more: Any) -> Reply:
    finding = {"category": category, "tier": tier, "quote": quote, "reason": "It misleads."}
    return Reply(judgement={"findings": [finding], "cleared": [], **more})


def clears(*categories: str) -> Reply:
    return Reply(judgement={"findings": [], "cleared": list(categories)})


async def drafted(
    caller: SignedIn, llm: LlmStub, talk: Talk, candidates: Any = WARM, kind: str = "reply"
) -> dict[str, Any]:
    llm.script([Reply(candidates=candidates)])
    answer: dict[str, Any] = await caller.made("/api/ai/generate", talk.asks(kind))
    return answer


async def used_for(app: RunningApp, purpose: str) -> list[dict[str, Any]]:
    return await rows(
        app,
        "SELECT *, input_tokens + output_tokens + cached_tokens AS tokens FROM usage "
        "WHERE purpose = %(purpose)s",
        purpose=purpose,
    )


async def test_a_plain_reply_to_a_fan_of_low_tier_costs_one_call(
    claude: RunningApp, llm: LlmStub
) -> None:
    manager = await sign_in(claude, Role.MANAGER)
    answer = await drafted(manager, llm, await conversation(manager))
    assert answer["approvalReasons"] == ["rollout_stage"]
    assert len(llm.requests) == 1


@pytest.mark.parametrize(
    ("value_minor", "candidates", "kind", "stage"),
    [
        (1200, OFFER, "ppv_offer", 2),
        (WHALE_MINOR, WARM, "reply", 2),
        (1200, WARM, "reply", 3),
        (1200, HURRY, "reply", 2),
    ],
    ids=["a price", "a whale", "leaves by itself", "doubt"],
)
async def test_a_draft_is_judged_where_there_is_doubt_or_much_at_stake(
    claude: RunningApp, llm: LlmStub, value_minor: int, candidates: Any, kind: str, stage: int
) -> None:
    admin = await sign_in(claude, Role.ADMIN)
    await set_flag(admin, "AI_ROLLOUT_STAGE", stage)
    talk = await conversation(admin, value_minor=value_minor)
    answer = await drafted(admin, llm, talk, candidates, kind)
    [seen] = llm.judged
    assert seen.body["model"] == "claude-haiku-5-5"
    assert answer["message"] in str(seen.body["messages"])
    assert "judge_unavailable" not in answer["approvalReasons"]
    [used] = await used_for(claude, "judge")
    assert str(used["generation_id"]) == answer["generationId"]
    assert used["cost_micro_usd"] > 0


async def test_what_was_used_to_judge_counts_against_the_days_tokens(
    claude: RunningApp, llm: LlmStub
) -> None:
    manager = await sign_in(claude, Role.MANAGER)
    await drafted(manager, llm, await conversation(manager), OFFER, "ppv_offer")
    used = [*await used_for(claude, "judge"), *await used_for(claude, "draft")]
    assert len(used) == 2
    assert (await counters(claude))["tokens_per_day", "all"] == sum(row["tokens"] for row in used)


async def test_a_draft_that_the_judge_finds_deceptive_is_stopped(
    claude: RunningApp, llm: LlmStub
) -> None:
    manager = await sign_in(claude, Role.MANAGER)
    talk = await conversation(manager)
    llm.script([Reply(candidates=OFFER), Fail(500)])
    llm.script_judge([found("deception", "block", "last night")])
    answer = await manager.made("/api/ai/generate", talk.asks("ppv_offer"))
    assert (answer["status"], answer["message"]) == ("rejected", None)
    assert answer["approvalReasons"][0] == "filter_blocked"
    [finding] = answer["safety"]["findings"]
    assert (finding["rule"], finding["matched"]) == ("judge.deception", "last night")
    assert finding["reason"] == "It misleads."


async def test_what_the_judge_wants_looked_at_keeps_a_draft_from_leaving_by_itself(
    claude: RunningApp, llm: LlmStub
) -> None:
    admin = await sign_in(claude, Role.ADMIN)
    await set_flag(admin, "AI_ROLLOUT_STAGE", 3)
    talk = await conversation(admin)
    assert (await drafted(admin, llm, talk))["status"] == "auto_sent"
    llm.script_judge([found("pressure", "review", "thinking about you")])
    warmer = [one | {"message": f"{one['message']} Tell me!"} for one in WARM]
    answer = await drafted(admin, llm, talk, warmer)
    assert answer["status"] == "queued"
    assert "filter_review" in answer["approvalReasons"]


async def test_a_doubt_that_the_judge_clears_no_longer_counts(
    claude: RunningApp, llm: LlmStub
) -> None:
    admin = await sign_in(claude, Role.ADMIN)
    talk = await conversation(admin)
    sure = tuple(one | {"self_rating": 100} for one in HURRY)
    doubted = await drafted(admin, llm, talk, sure)
    assert "filter_review" in doubted["approvalReasons"]
    await rows(claude, "DELETE FROM judgements")
    llm.script_judge([clears("pressure")])
    cleared = await drafted(admin, llm, talk, sure)
    assert cleared["approvalReasons"] == ["rollout_stage"]
    assert cleared["safety"] == {"verdict": "allow", "score": 1.0, "findings": []}
    assert cleared["confidence"] > doubted["confidence"]


UNAVAILABLE: dict[str, list[Step]] = {
    "down": [Fail(529)],
    "refuses": [Refuse()],
    "talks nonsense": [Nonsense("All good!"), Nonsense("Really.")],
    "breaks off": [Drop()],
    "is too slow": [Slow(30)],
}


@pytest.mark.parametrize("what", UNAVAILABLE)
async def test_without_a_judgement_a_person_decides(
    database_url: str, home: Path, llm: LlmStub, what: str
) -> None:
    own = settings(database_url, home, **with_claude(llm.url), ai_judge_timeout_seconds=2.0)
    async with running_app(own) as app:
        admin = await sign_in(app, Role.ADMIN)
        await set_flag(admin, "AI_ROLLOUT_STAGE", 3)
        talk = await conversation(admin)
        llm.script_judge(UNAVAILABLE[what])
        answer = await drafted(admin, llm, talk)
        assert answer["status"] == "queued"
        assert answer["approvalReasons"] == ["judge_unavailable"]
        assert await rows(app, "SELECT 1 FROM judgements") == []
        total = await rows(
            app, "SELECT sum(input_tokens + output_tokens + cached_tokens) AS n FROM usage"
        )
        assert (await counters(app))["tokens_per_day", "all"] == total[0]["n"]
        # It is asked again for the next draft, and the same text may leave then.
        assert (await drafted(admin, llm, talk))["status"] == "auto_sent"


async def test_a_judgement_that_cannot_be_reserved_is_missing_and_nothing_leaves(
    claude: RunningApp, llm: LlmStub
) -> None:
    admin = await sign_in(claude, Role.ADMIN)
    await set_flag(admin, "AI_ROLLOUT_STAGE", 3)
    await set_flag(admin, "AI_MAX_TOKENS_PER_DAY", 5_100)
    answer = await drafted(admin, llm, await conversation(admin))
    assert (answer["status"], answer["approvalReasons"]) == ("queued", ["judge_unavailable"])
    assert llm.judged == []


async def test_the_same_text_in_the_same_situation_is_judged_once(
    claude: RunningApp, llm: LlmStub
) -> None:
    manager = await sign_in(claude, Role.MANAGER)
    talk = await conversation(manager)
    quote = "I painted the harbour"
    llm.script_judge([found("deception", "review", quote)])
    first = await drafted(manager, llm, talk, OFFER, "ppv_offer")
    second = await drafted(manager, llm, talk, OFFER, "ppv_offer")
    assert len(llm.judged) == 1
    [before], [after] = first["safety"]["findings"], second["safety"]["findings"]
    assert {**after, "reason": before["reason"]} == before
    assert after["matched"] == quote
    assert len(await used_for(claude, "judge")) == 1
    await manager.made(talk.messages, talk.says("Are you real?"))
    await drafted(manager, llm, talk, OFFER, "ppv_offer")
    assert len(llm.judged) == 2


async def test_what_is_kept_of_a_judgement_holds_no_words(claude: RunningApp, llm: LlmStub) -> None:
    manager = await sign_in(claude, Role.MANAGER)
    llm.script_judge([found("deception", "review", "I painted the harbour")])
    await drafted(manager, llm, await conversation(manager), OFFER, "ppv_offer")
    [kept] = await rows(claude, "SELECT * FROM judgements")
    assert kept["findings"] == [["deception", "review", 0, 21]]
    assert kept["verdict"] == "review"
    for word in ("harbour", "misleads", "Tom"):
        assert word not in str(kept)


async def test_the_judge_is_shown_no_personal_data_of_the_fan(
    claude: RunningApp, llm: LlmStub
) -> None:
    manager = await sign_in(claude, Role.MANAGER)
    talk = await conversation(manager, said=["Call me at +1 212 555 0172, yes?"])
    await drafted(manager, llm, talk, OFFER, "ppv_offer")
    asked = str(llm.judged[0].body["messages"])
    assert "555" not in asked
    assert "Call me at" in asked


async def test_a_draft_too_long_to_be_judged_whole_goes_to_a_person(
    claude: RunningApp, llm: LlmStub
) -> None:
    manager = await sign_in(claude, Role.MANAGER)
    long = " ".join(f"The harbour had {n} boats in it." for n in range(250))
    answer = await drafted(
        manager,
        llm,
        await conversation(manager),
        (candidate(long, price_minor=2500), candidate(long + " Look!", price_minor=2500)),
        "ppv_offer",
    )
    assert "judge_unavailable" in answer["approvalReasons"]
    assert llm.judged == []


async def test_switched_off_the_judge_is_never_asked(
    database_url: str, home: Path, llm: LlmStub
) -> None:
    own = settings(database_url, home, **with_claude(llm.url), ai_judge=False)
    async with running_app(own) as app:
        manager = await sign_in(app, Role.MANAGER)
        talk = await conversation(manager, value_minor=WHALE_MINOR)
        answer = await drafted(manager, llm, talk, OFFER, "ppv_offer")
        assert "judge_unavailable" not in answer["approvalReasons"]
        assert llm.judged == []


async def test_the_judge_is_switched_off_for_one_creator_at_run_time(
    claude: RunningApp, llm: LlmStub
) -> None:
    admin = await sign_in(claude, Role.ADMIN)
    mia = await conversation(admin, creator="mia", value_minor=WHALE_MINOR)
    zoe = await conversation(admin, creator="zoe", fan="two", value_minor=WHALE_MINOR)
    await set_flag(admin, "AI_JUDGE", False, mia.creator_id)

    await drafted(admin, llm, mia, OFFER, "ppv_offer")
    assert llm.judged == []
    await drafted(admin, llm, zoe, OFFER, "ppv_offer")
    assert len(llm.judged) == 1


async def test_what_people_have_approved_leaves_without_a_model_to_judge_it(
    app: RunningApp,
) -> None:
    admin = await sign_in(app, Role.ADMIN)
    await set_flag(admin, "AI_ROLLOUT_STAGE", 3)
    await set_flag(admin, "AI_AUTO_SEND_THRESHOLD", 0)
    talk = await conversation(admin, said=())
    await admin.made(talk.messages, talk.says("How are you?"))
    await admin.made(talk.messages, talk.says("Fine, and you?", **{"from": "creator"}))
    await admin.made(talk.messages, talk.says("How are you?"))
    answer = await admin.made("/api/ai/generate", talk.asks())
    assert (answer["message"], answer["status"]) == ("Fine, and you?", "auto_sent")
    assert await rows(app, "SELECT 1 FROM judgements") == []
