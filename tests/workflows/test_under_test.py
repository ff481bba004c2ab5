"""Drafts while A/B tests run: each fan keeps their variant, and the variant is really used."""

from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from stubs.llm import Fail, LlmStub
from tests.support.app import RunningApp, running_app
from tests.support.experiments import PROMPTS, compared, moved, running
from tests.support.fixtures import settings, with_claude
from tests.support.gate import Gate
from tests.support.wire import tapped
from tests.support.world import SignedIn, Talk, conversation, rows, set_flag, sign_in
from vaultcrm.adapters.llm.catalog import cost_micro_usd, find_model
from vaultcrm.domain.generation import TokenUsage
from vaultcrm.domain.people import Role
from vaultcrm.workflows.evaluate_ab_tests import evaluate_ab_tests

pytestmark = pytest.mark.anyio

LISTENING = "It begins with what the fan said last"
HAIKU = "claude-haiku-5-5"


@pytest.fixture
async def manager(claude: RunningApp) -> SignedIn:
    admin = await sign_in(claude, Role.ADMIN)
    await set_flag(admin, "AI_MAX_TOKENS_PER_DAY", 10**9)
    return admin


async def talks(manager: SignedIn, count: int) -> list[Talk]:
    return [await conversation(manager, fan=f"fan{number}") for number in range(count)]


async def drafts(app: RunningApp) -> list[dict[str, Any]]:
    return await rows(app, "SELECT * FROM ai_message_generations ORDER BY created_at")


def variant(draft: dict[str, Any], test: dict[str, Any]) -> tuple[str, float, int]:
    name, propensity, epoch = draft["ab_variants"][test["id"]]
    return name, propensity, epoch


async def until_both(app: RunningApp, manager: SignedIn, test: dict[str, Any]) -> list[Talk]:
    """Conversations with one draft each, so many that both variants are among them."""
    found: list[Talk] = []
    for number in range(60):
        talk = await conversation(manager, fan=f"other{number}")
        await manager.made("/api/ai/generate", talk.asks())
        found.append(talk)
        if {variant(one, test)[0] for one in await drafts(app)} == {"A", "B"}:
            return found
    raise AssertionError("sixty fans in a row got one of two variants")


async def test_a_fan_gets_the_same_variant_each_time_and_the_draft_says_how_probable_it_was(
    claude: RunningApp, manager: SignedIn, llm: LlmStub
) -> None:
    [first] = await talks(manager, 1)
    test = await running(manager, compared(first.creator_id, "prompt", *PROMPTS))
    many = await until_both(claude, manager, test)
    for talk in many:
        await manager.made("/api/ai/generate", talk.asks())

    made = await drafts(claude)
    by_fan: dict[UUID, set[tuple[str, float, int]]] = {}
    for one in made:
        by_fan.setdefault(one["fan_id"], set()).add(variant(one, test))
    assert {len(found) for found in by_fan.values()} == {1}
    assert {name for found in by_fan.values() for name, _, _ in found} == {"A", "B"}
    assert {(p, epoch) for found in by_fan.values() for _, p, epoch in found} == {(0.5, 1)}
    asked = [request.body["system"][0]["text"] for request in llm.drafted]
    for one, system in zip(made, asked, strict=True):
        listens = variant(one, test)[0] == "B"
        assert (LISTENING in system) is listens
        assert one["prompt_version"] == PROMPTS[listens]

    await moved(manager, test, "ended")
    await manager.made("/api/ai/generate", many[0].asks())
    assert (await drafts(claude))[-1]["ab_variants"] is None


async def test_tests_of_several_kinds_run_at_once_and_each_is_written_down(
    claude: RunningApp, manager: SignedIn, llm: LlmStub
) -> None:
    """Model and voice: asked for, priced and told as what they are."""
    [talk] = await talks(manager, 1)
    for phrases in (["oh sunshine"], []):
        voice_now = {"creatorId": talk.creator_id, "preferredPhrases": phrases}
        await manager.made("/api/ai/personality", voice_now)
    later = {"creatorId": talk.creator_id, "forbiddenWords": ["darling"]}
    await manager.made("/api/ai/personality", later)
    model = await running(manager, compared(talk.creator_id, "model", HAIKU, HAIKU))
    voice = await running(manager, compared(talk.creator_id, "personality", "1", "1"))

    answer = await manager.made("/api/ai/generate", talk.asks())

    [request], [one] = llm.drafted, await drafts(claude)
    assert request.body["model"] == answer["model"] == one["model"] == HAIKU
    used = TokenUsage(one["input_tokens"], one["output_tokens"], one["cached_tokens"])
    own = find_model(claude.parts.drafter.model)
    assert 0 < one["cost_micro_usd"] < cost_micro_usd(own, used) / 5, "Haiku costs a twentieth"
    system = request.body["system"][0]["text"]
    assert "oh sunshine" in system, "the voice of version 1"
    assert "darling" in system, "what is forbidden now is forbidden in every version"
    assert one["personality_version"] == 1
    assert set(one["ab_variants"]) == {model["id"], voice["id"]}


async def test_a_model_that_does_not_work_keeps_nobody_from_being_answered(
    claude: RunningApp, manager: SignedIn, llm: LlmStub
) -> None:
    [talk] = await talks(manager, 1)
    test = await running(manager, compared(talk.creator_id, "model", "no-such", "no-such"))
    llm.script([Fail(404)])
    answer = await manager.made("/api/ai/generate", talk.asks())
    assert answer["model"] == claude.parts.drafter.model
    assert [request.body["model"] for request in llm.drafted] == ["no-such", answer["model"]]
    assert variant((await drafts(claude))[0], test)[0] in {"A", "B"}
    await evaluate_ab_tests(claude.parts)
    found = await manager.found(f"/api/ai/ab-tests/{test['id']}")
    assert sum(one["notApplied"] for one in found["results"]) == 1
    assert "could not be used" in found["notes"][0]


async def template(manager: SignedIn, talk: Talk, name: str, text: str, **more: Any) -> str:
    body = {"creatorId": talk.creator_id, "name": name, "category": "reply", "templateText": text}
    return str((await manager.made("/api/templates", body | more))["id"])


async def test_a_draft_begins_from_the_template_of_its_variant(
    claude: RunningApp, manager: SignedIn, llm: LlmStub
) -> None:
    [talk] = await talks(manager, 1)
    one = await template(manager, talk, "one", "Thanks, {fan_name}! {last_purchase}")
    test = await running(manager, compared(talk.creator_id, "template", one, one))
    await manager.made("/api/ai/generate", talk.asks())
    await manager.made("/api/ai/generate", talk.asks("thank_you"))
    wished = talk.asks() | {"options": {"hint": "say hello"}}
    await manager.made("/api/ai/generate", wished)

    begun, other_type, own_words = (request.turn for request in llm.drafted)
    assert "<team>Thanks, Fan0!</team>" in begun
    assert "<team>" not in other_type
    assert "<team>" not in own_words, "who says what they want is not told otherwise by a test"
    made = await drafts(claude)
    assert [one["ab_variants"] is None for one in made] == [False, True, True]
    assert (str(made[0]["template_id"]), made[0]["options"]) == (one, None)
    assert variant(made[0], test)[1] == 0.5


async def test_without_a_model_the_template_of_the_variant_is_what_is_suggested(
    app: RunningApp,
) -> None:
    manager = await sign_in(app, Role.ADMIN)
    [talk] = await talks(manager, 1)
    one = await template(manager, talk, "one", "Thanks, {fan_name}, that is kind.")
    await template(manager, talk, "two", "Hey you, how are you?")
    test = await running(manager, compared(talk.creator_id, "template", one, one))
    await running(manager, compared(talk.creator_id, "model", HAIKU, HAIKU))
    answer = await manager.made("/api/ai/generate", talk.asks())
    assert answer["message"] == "Thanks, Fan0, that is kind."
    [draft] = await drafts(app)
    assert list(draft["ab_variants"]) == [test["id"]], "no model is there that could be another"


async def test_nobody_gets_a_template_that_was_archived(
    claude: RunningApp, manager: SignedIn
) -> None:
    many = await talks(manager, 6)
    ids = [await template(manager, many[0], name, f"Hello {name}") for name in ("one", "two")]
    test = await running(manager, compared(many[0].creator_id, "template", *ids))
    await manager.made(f"/api/templates/{ids[0]}/archive", {"creatorId": many[0].creator_id})
    for talk in many:
        await manager.made("/api/ai/generate", talk.asks())
    assert {variant(one, test)[:2] for one in await drafts(claude)} == {("B", 1.0)}


async def test_where_shares_change_each_day_a_fan_keeps_what_they_got_first(
    claude: RunningApp, manager: SignedIn
) -> None:
    [first] = await talks(manager, 1)
    body = compared(first.creator_id, "prompt", *PROMPTS, allocation="thompson")
    test = await running(manager, body)
    many = await until_both(claude, manager, test)
    before = {one["fan_id"]: variant(one, test) for one in await drafts(claude)}
    assert {name for name, _, _ in before.values()} == {"A", "B"}

    await rows(
        claude,
        """UPDATE ai_ab_tests SET shares = '{"A": 0.01, "B": 0.99}', epoch = 2,
           epochs = epochs || '[{"A": 0.01, "B": 0.99}]'""",
    )
    await rows(
        claude, "UPDATE ai_message_generations SET created_at = created_at - '1 h'::interval"
    )
    for talk in many:
        await manager.made("/api/ai/generate", talk.asks())
    again = (await drafts(claude))[len(many) :]
    assert {one["fan_id"]: variant(one, test)[:2] for one in again} == {
        fan: found[:2] for fan, found in before.items()
    }
    assert len(await rows(claude, "SELECT 1 FROM ai_ab_fans")) == len(many)


async def test_running_tests_cost_a_draft_no_round_trip(
    database_url: str, home: Path, gate: Gate
) -> None:
    async with (
        tapped(database_url) as wire,
        running_app(settings(wire.url, home, **with_claude(gate.url))) as app,
    ):
        app.leaves_running_calls_unwatched()
        manager = await sign_in(app, Role.ADMIN)
        [talk] = await talks(manager, 1)
        for style in ("none", "rare"):
            voice = {"creatorId": talk.creator_id, "emojiStyle": style}
            await manager.made("/api/ai/personality", voice)
        prompts = compared(talk.creator_id, "prompt", *PROMPTS, allocation="thompson")
        await running(manager, prompts)
        await running(manager, compared(talk.creator_id, "personality", "1", "1"))
        for _ in range(2):
            await manager.made("/api/ai/generate", talk.asks())
        begun = wire.round_trips
        await manager.made("/api/ai/generate", talk.asks())
        assert wire.round_trips - begun == 2
