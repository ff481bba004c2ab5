"""Trying a voice: two drafts side by side, counted like any other, and nothing of it kept."""

from typing import Any
from uuid import UUID

import pytest

from stubs.llm import Fail, LlmStub, Refuse, Reply
from tests.support.app import RunningApp
from tests.support.world import (
    SignedIn,
    Talk,
    candidate,
    conversation,
    counters,
    rows,
    set_flag,
    sign_in,
)
from vaultcrm.db.queries import access
from vaultcrm.domain.errors import (
    AiDisabled,
    DrafterError,
    Forbidden,
    InvalidInput,
    LimitExceeded,
    NotFound,
)
from vaultcrm.domain.generation import GenerationType
from vaultcrm.domain.people import Caller, Credential, Role
from vaultcrm.workflows.try_personality import Sample, Trial, TrialRequest, try_personality

pytestmark = pytest.mark.anyio


async def caller_of(person: SignedIn) -> Caller:
    """Who the product takes this person for."""
    parts = person.app.parts
    async with parts.pool.connection() as connection:
        credential = Credential(user_id=person.user_id)
        found = await (await access.find_caller(connection, credential, parts.now())).answer()
    assert found is not None
    return found


async def tried(
    person: SignedIn, talk: Talk, kind: GenerationType = GenerationType.REPLY, **changes: Any
) -> Trial:
    wanted = TrialRequest(UUID(talk.creator_id), UUID(talk.conversation_id), kind, changes)
    return await try_personality(person.app.parts, await caller_of(person), wanted)


def sample(one: object) -> Sample:
    assert isinstance(one, Sample), one
    return one


def asked_with(llm: LlmStub, text: str) -> int:
    """How many of the model's calls were told this."""
    return sum(text in str(request.body["system"]) for request in llm.requests)


async def test_both_voices_draft_for_the_same_conversation_and_only_one_with_the_changes(
    claude: RunningApp, llm: LlmStub
) -> None:
    mary = await sign_in(claude, Role.MANAGER)
    talk = await conversation(mary, said=["What is new at the harbour?"])

    trial = await tried(mary, talk, tone_descriptors=["salty"], system_prompt="She loves the sea.")

    assert len(llm.requests) == 2
    assert (asked_with(llm, "She loves the sea."), asked_with(llm, "salty")) == (1, 1)
    assert all("at the harbour" in str(request.body["messages"]) for request in llm.requests)
    for one in (sample(trial.current), sample(trial.edited)):
        assert one.message
        assert 0 < one.confidence <= 100
        assert one.reasoning
        assert one.usage.total > 0
        assert one.cost_micro_usd > 0
    assert trial.version == 0
    assert not trial.picks_from_the_past


async def test_nothing_of_a_trial_is_kept_but_what_it_used(
    claude: RunningApp, llm: LlmStub
) -> None:
    mary = await sign_in(claude, Role.MANAGER)
    talk = await conversation(mary)
    before = await rows(claude, "SELECT count(*) AS n FROM audit_log")

    trial = await tried(mary, talk, tone_descriptors=["salty"])

    for table in (
        "ai_message_generations",
        "ai_creator_personalities",
        "ai_message_feedback",
        "outbox",
    ):
        assert await rows(claude, f"SELECT 1 FROM {table}") == []  # noqa: S608 -- named above
    assert await rows(claude, "SELECT count(*) AS n FROM audit_log") == before
    used = [sample(trial.current).usage.total, sample(trial.edited).usage.total]
    assert (await counters(claude))["tokens_per_day", "all"] == sum(used)
    assert (await counters(claude))["requests_per_hour", str(mary.user_id)] == 2
    kept = await rows(
        claude,
        "SELECT purpose, generation_id, input_tokens + output_tokens + cached_tokens AS tokens,"
        "       cost_micro_usd FROM usage",
    )
    assert [(row["purpose"], row["generation_id"]) for row in kept] == [("trial", None)] * 2
    assert sorted(row["tokens"] for row in kept) == sorted(used)
    costs = [sample(trial.current).cost_micro_usd, sample(trial.edited).cost_micro_usd]
    assert sorted(row["cost_micro_usd"] for row in kept) == sorted(costs)


async def test_a_voice_with_no_changes_is_drafted_with_once(
    claude: RunningApp, llm: LlmStub
) -> None:
    mary = await sign_in(claude, Role.MANAGER)

    trial = await tried(mary, await conversation(mary))

    assert sample(trial.current).message
    assert trial.edited is None
    assert len(llm.requests) == 1


async def test_each_voices_own_forbidden_words_stop_its_draft(
    claude: RunningApp, llm: LlmStub
) -> None:
    mary = await sign_in(claude, Role.MANAGER)
    talk = await conversation(mary)
    llm.script([Reply(candidates=[candidate("Hello sunshine, how was your day?")])] * 2)

    trial = await tried(mary, talk, forbidden_words=["sunshine"])

    assert sample(trial.current).safety.findings == ()
    [found] = sample(trial.edited).safety.findings
    assert (found.category.value, found.matched) == ("forbidden_word", "sunshine")


async def test_a_model_that_fails_for_one_voice_leaves_the_other_ones_draft(
    claude: RunningApp, llm: LlmStub
) -> None:
    mary = await sign_in(claude, Role.MANAGER)
    talk = await conversation(mary)
    llm.script([Fail(500), Reply(candidates=[candidate("Hello you!")])])

    trial = await tried(mary, talk, tone_descriptors=["salty"])

    sides = [trial.current, trial.edited]
    [failed] = [one for one in sides if isinstance(one, DrafterError)]
    [drafted] = [one for one in sides if isinstance(one, Sample)]
    assert str(failed)
    assert drafted.message == "Hello you!"
    assert (await counters(claude))["tokens_per_day", "all"] == drafted.usage.total
    assert (await counters(claude))["requests_per_hour", str(mary.user_id)] == 1


async def test_a_model_that_declines_is_told_and_counted(claude: RunningApp, llm: LlmStub) -> None:
    mary = await sign_in(claude, Role.MANAGER)
    talk = await conversation(mary)
    llm.script([Refuse()])

    declined = sample((await tried(mary, talk)).current)

    assert declined.message is None
    assert declined.note
    assert len(await rows(claude, "SELECT 1 FROM usage WHERE purpose = 'trial'")) == 1


async def test_the_second_draft_of_a_trial_is_refused_at_the_limit_and_the_first_one_shown(
    claude: RunningApp, llm: LlmStub
) -> None:
    admin = await sign_in(claude, Role.ADMIN)
    talk = await conversation(admin)
    await set_flag(admin, "AI_RATE_LIMIT_PER_HOUR", 1)

    trial = await tried(admin, talk, tone_descriptors=["salty"])

    sides = [trial.current, trial.edited]
    assert [type(one) for one in sides].count(Sample) == 1
    [refused] = [one for one in sides if isinstance(one, LimitExceeded)]
    assert "1 drafts an hour" in str(refused)
    assert len(llm.requests) == 1


async def test_an_offer_is_not_even_tried_where_selling_is_stopped(
    claude: RunningApp, llm: LlmStub
) -> None:
    mary = await sign_in(claude, Role.MANAGER)
    talk = await conversation(mary, said=["I want to kill myself tonight."])

    trial = await tried(mary, talk, GenerationType.PPV_OFFER, tone_descriptors=["salty"])

    assert sample(trial.current).message is None
    assert [one.rule for one in sample(trial.current).safety.findings] == ["care.no_selling"]
    assert llm.requests == []


async def test_nothing_is_tried_where_ai_is_off_or_the_voice_could_not_be_saved(
    claude: RunningApp, llm: LlmStub
) -> None:
    admin = await sign_in(claude, Role.ADMIN)
    talk = await conversation(admin)
    with pytest.raises(InvalidInput):
        await tried(admin, talk, emoji_style="many")
    await set_flag(admin, "ENABLE_AI_CHAT", False, talk.creator_id)
    with pytest.raises(AiDisabled):
        await tried(admin, talk, tone_descriptors=["salty"])
    assert llm.requests == []
    assert await counters(claude) == {}


async def test_a_trial_is_for_those_who_may_change_this_creators_voice(
    claude: RunningApp, llm: LlmStub
) -> None:
    admin = await sign_in(claude, Role.ADMIN)
    talk = await conversation(admin)
    await conversation(admin, creator="theo")
    with pytest.raises(Forbidden):
        await tried(await sign_in(claude, Role.CHATTER), talk)
    with pytest.raises(NotFound):
        await tried(await sign_in(claude, Role.MANAGER, creators=["theo"]), talk)
    assert llm.requests == []


async def test_without_a_model_a_trial_says_that_it_picks_from_the_past(app: RunningApp) -> None:
    mary = await sign_in(app, Role.MANAGER)
    trial = await tried(mary, await conversation(mary))
    assert trial.picks_from_the_past
    assert sample(trial.current).cost_micro_usd == 0
