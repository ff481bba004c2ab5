"""What every judge promises, and what both that ask a model promise."""

import json
from dataclasses import replace
from typing import Any

import pytest

from stubs.llm import Drop, Fail, LlmStub, Nonsense, Refuse, Reply, Slow, Truncate
from tests.adapters.llm.drafters import (
    REPERTOIRE,
    Build,
    Way,
    anthropic,
    openai_compatible,
    retrieval,
    using,
)
from vaultcrm.adapters.llm.anthropic import AnthropicDrafter
from vaultcrm.adapters.llm.openai_compatible import OpenAiCompatibleDrafter
from vaultcrm.adapters.llm.retrieval import RetrievalDrafter
from vaultcrm.domain.drafting import DraftOutcome, Prompt
from vaultcrm.domain.errors import DrafterMisconfigured, DrafterTimeout, DrafterUnavailable
from vaultcrm.domain.generation import TokenUsage
from vaultcrm.domain.judging import Judgement, JudgeRequest
from vaultcrm.domain.safety import Category, FindingTier

every_judge = pytest.mark.parametrize("build", [anthropic, openai_compatible, retrieval])
model_judge = pytest.mark.parametrize("build", [anthropic, openai_compatible])

REQUEST = JudgeRequest(
    prompt=Prompt("You check messages.", "<message>Just back from the gym, and you Tom?</message>"),
    text="Just back from the gym, and you Tom?",
    user_hash="9f2c41",
    fan_name="Tom",
    repertoire=REPERTOIRE,
)
PRESSING = {
    "findings": [
        {
            "category": "pressure",
            "tier": "block",
            "quote": "back from the gym",
            "reason": "Presses  the\nfan.",
        }
    ],
    "cleared": ["meeting"],
}
EMPTY: dict[str, list[Any]] = {"findings": [], "cleared": []}


def judged(stub: LlmStub, build: Build, request: JudgeRequest = REQUEST, **way: Any) -> Judgement:
    judge = build(stub, Way(**way))
    assert isinstance(judge, AnthropicDrafter | OpenAiCompatibleDrafter | RetrievalDrafter)
    return using(judge, lambda _: judge.judge(request))


@every_judge
def test_a_text_that_people_approved_is_judged_to_be_fine(stub: LlmStub, build: Build) -> None:
    judgement = judged(stub, build)
    assert judgement.outcome is DraftOutcome.COMPLETE
    assert (judgement.findings, judgement.cleared) == ((), frozenset())


@every_judge
def test_a_judgement_names_the_model_that_it_is_priced_by(stub: LlmStub, build: Build) -> None:
    judge = build(stub, Way())
    assert isinstance(judge, AnthropicDrafter | OpenAiCompatibleDrafter | RetrievalDrafter)
    assert using(judge, lambda _: judge.judge(REQUEST)).model == judge.checker


def test_what_nobody_has_approved_cannot_be_judged_without_a_model(stub: LlmStub) -> None:
    judgement = judged(stub, retrieval, replace(REQUEST, text="Just back from the gym, and you?"))
    assert judgement.outcome is DraftOutcome.UNUSABLE
    assert stub.requests == []


@model_judge
def test_the_checker_model_is_asked_and_held_to_a_schema(stub: LlmStub, build: Build) -> None:
    judged(stub, build)
    [seen] = stub.judged
    assert seen.body["model"] == "claude-haiku-5-5"
    assert "temperature" not in seen.body
    form = seen.body.get("response_format", {}).get("json_schema") or seen.body["output_config"]
    schema = form.get("schema") or form["format"]["schema"]
    assert schema["required"] == ["findings", "cleared"]
    assert REQUEST.prompt.turn in str(seen.body["messages"])
    assert REQUEST.user_hash in json.dumps(seen.body)


def test_the_rules_of_the_judge_are_a_prefix_that_is_marked_for_caching(stub: LlmStub) -> None:
    judged(stub, anthropic)
    [block] = stub.judged[0].body["system"]
    assert block == {
        "type": "text",
        "text": REQUEST.prompt.system,
        "cache_control": {"type": "ephemeral"},
    }


@model_judge
def test_findings_and_cleared_doubts_are_read(stub: LlmStub, build: Build) -> None:
    stub.script_judge([Reply(judgement=PRESSING)])
    judgement = judged(stub, build)
    [finding] = judgement.findings
    assert (finding.category, finding.tier) == (Category.PRESSURE, FindingTier.BLOCK)
    assert (finding.quote, finding.reason) == ("back from the gym", "Presses the fan.")
    assert judgement.cleared == {Category.MEETING}
    assert judgement.usage.total > 0


NOT_OF_THE_FORM = [
    "All fine!",
    "{}",
    json.dumps({"findings": []}),
    json.dumps({"findings": "none", "cleared": []}),
    json.dumps(EMPTY | {"cleared": ["personal_data"]}),
    json.dumps(EMPTY | {"cleared": ["everything"]}),
    json.dumps(
        EMPTY
        | {"findings": [{"category": "filter_error", "tier": "review", "quote": "", "reason": "x"}]}
    ),
    json.dumps(
        EMPTY
        | {"findings": [{"category": "pressure", "tier": "allow", "quote": "", "reason": "x"}]}
    ),
    json.dumps(EMPTY | {"findings": PRESSING["findings"] * 13}),  # type: ignore[operator]
]


@model_judge
@pytest.mark.parametrize("text", NOT_OF_THE_FORM)
def test_nonsense_twice_is_no_judgement_and_is_paid_for_twice(
    stub: LlmStub, build: Build, text: str
) -> None:
    stub.script_judge([Nonsense(text), Nonsense(text)])
    judgement = judged(stub, build)
    assert judgement.outcome is DraftOutcome.UNUSABLE
    assert (judgement.findings, judgement.cleared) == ((), frozenset())
    once = judged(stub, build)
    assert judgement.usage.output > 0
    assert judgement.usage.input > once.usage.input
    assert len(stub.judged) == 3


@model_judge
def test_nonsense_once_is_asked_about_once_more(stub: LlmStub, build: Build) -> None:
    stub.script_judge([Nonsense("Looks good to me."), Reply(judgement=PRESSING)])
    assert len(judged(stub, build).findings) == 1


@model_judge
def test_a_refusal_is_no_judgement_and_its_tokens_count(stub: LlmStub, build: Build) -> None:
    stub.script_judge([Refuse()])
    judgement = judged(stub, build)
    assert judgement.outcome is DraftOutcome.REFUSED
    assert judgement.usage != TokenUsage()


@model_judge
def test_an_answer_that_is_cut_off_twice_is_no_judgement(stub: LlmStub, build: Build) -> None:
    stub.script_judge([Truncate(), Truncate()])
    assert judged(stub, build).outcome is DraftOutcome.UNUSABLE


@model_judge
def test_a_judge_that_is_down_is_an_error_and_never_a_clean_bill(
    stub: LlmStub, build: Build
) -> None:
    stub.script_judge([Fail(500), Drop(), Fail(503)])
    with pytest.raises(DrafterUnavailable):
        judged(stub, build, max_retries=2)


@model_judge
def test_a_judge_that_takes_too_long_is_a_timeout(stub: LlmStub, build: Build) -> None:
    stub.script_judge([Slow(5)])
    with pytest.raises(DrafterTimeout):
        judged(stub, build, max_retries=0, timeout_seconds=0.2)


@model_judge
def test_an_unknown_judge_is_named_with_its_setting(stub: LlmStub, build: Build) -> None:
    with pytest.raises(DrafterMisconfigured, match="AI_MODEL_CHECKER"):
        judged(stub, build, checker="claude-next")
