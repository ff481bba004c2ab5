"""What is particular to Claude: caching, thinking, and models of different ages."""

import pytest

from stubs.llm import LlmStub
from tests.adapters.llm.drafters import LONG_PREFIX, REQUEST, Way, anthropic, draft_with, using
from vaultcrm.domain.errors import DrafterMisconfigured


def test_the_system_prompt_is_one_block_that_is_marked_for_caching(stub: LlmStub) -> None:
    draft_with(anthropic(stub, Way()), LONG_PREFIX)

    (block,) = stub.requests[0].body["system"]
    assert block["cache_control"] == {"type": "ephemeral"}
    assert block["text"] == LONG_PREFIX.prompt.system


def test_what_changes_from_call_to_call_is_outside_the_cached_prefix(stub: LlmStub) -> None:
    draft_with(anthropic(stub, Way()))

    body = stub.requests[0].body
    assert REQUEST.prompt.turn not in body["system"][0]["text"]
    assert body["messages"][0]["content"].startswith(REQUEST.prompt.turn)


@pytest.mark.parametrize(
    ("model", "thinking"),
    [
        ("claude-sonnet-5-5", {"type": "between_tools"}),
        ("claude-haiku-5-5", {"type": "disabled"}),
        ("claude-haiku-4-5", None),
        ("claude-opus-5-5", None),
    ],
)
def test_a_model_that_would_think_away_the_token_limit_is_told_not_to(
    stub: LlmStub, model: str, thinking: dict[str, str] | None
) -> None:
    draft_with(anthropic(stub, Way(model=model)))

    assert stub.requests[0].body.get("thinking") == thinking


def test_a_model_that_cannot_stop_thinking_is_asked_for_little_effort(stub: LlmStub) -> None:
    draft_with(anthropic(stub, Way(model="claude-opus-5-5")))

    output = stub.requests[0].body["output_config"]
    assert output["effort"] == "low"
    assert output["format"]["type"] == "json_schema"


def test_the_checker_is_not_asked_for_variety(stub: LlmStub) -> None:
    drafter = anthropic(stub, Way(checker="claude-haiku-4-5"))
    using(drafter, lambda d: d.analyze_message("hi"))

    assert "temperature" not in stub.requests[0].body


def test_a_retired_model_is_reported_with_the_day_it_went(stub: LlmStub) -> None:
    drafter = anthropic(stub, Way(model="claude-3-5-sonnet-20241022"))

    with pytest.raises(DrafterMisconfigured, match="retired on 2025-10-28"):
        draft_with(drafter)


def test_a_model_without_structured_output_is_told_the_form_in_words(stub: LlmStub) -> None:
    drafter = anthropic(stub, Way(model="claude-3-5-sonnet-20241022"))
    with pytest.raises(DrafterMisconfigured):
        draft_with(drafter)

    body = stub.requests[0].body
    assert "output_config" not in body
    assert '"self_rating"' in body["system"][0]["text"]
