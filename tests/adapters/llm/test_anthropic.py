"""What is particular to Claude: caching, thinking, and models of different ages."""

from dataclasses import replace

import pytest

from stubs.llm import LlmStub
from tests.adapters.llm.drafters import LONG_PREFIX, REQUEST, Way, anthropic, draft_with, using
from vaultcrm.domain.drafting import DraftRequest, Prompt
from vaultcrm.domain.errors import DrafterMisconfigured
from vaultcrm.domain.situation import MOST_SHOWN


def test_the_system_prompt_is_one_block_that_is_marked_for_caching(stub: LlmStub) -> None:
    draft_with(anthropic(stub, Way()), LONG_PREFIX)

    (block,) = stub.requests[0].body["system"]
    assert block["cache_control"] == {"type": "ephemeral"}
    assert block["text"] == LONG_PREFIX.prompt.system


def test_what_changes_from_call_to_call_is_outside_the_cached_prefix(stub: LlmStub) -> None:
    draft_with(anthropic(stub, Way()))

    [request] = stub.requests
    assert REQUEST.prompt.turn not in request.body["system"][0]["text"]
    assert request.turn.startswith(REQUEST.prompt.turn)


SAID = tuple(f"<fan>message number {number}</fan>\n" for number in range(40))


def asked_with(history: tuple[str, ...], turn: str = "Answer the fan.") -> DraftRequest:
    return replace(
        LONG_PREFIX, prompt=Prompt(LONG_PREFIX.prompt.system, turn=turn, history=history)
    )


def test_a_conversation_is_a_block_a_message_of_one_turn_and_marked_where_it_ends(
    stub: LlmStub,
) -> None:
    draft_with(anthropic(stub, Way()), asked_with(SAID[:3]))

    [request] = stub.requests
    [turn] = request.body["messages"]
    assert turn["role"] == "user"
    *said, last = turn["content"]
    assert [block["text"] for block in said] == list(SAID[:3])
    assert last["text"].startswith("Answer the fan.")
    marks = ["cache_control" in block for block in turn["content"]]
    assert marks == [False, False, True, False]
    assert said[-1]["cache_control"] == {"type": "ephemeral"}


def test_a_draft_after_more_messages_reads_all_that_the_one_before_has_read_of_them(
    stub: LlmStub,
) -> None:
    first = draft_with(anthropic(stub, Way()), asked_with(SAID[:12], "It is noon.")).usage
    second = draft_with(anthropic(stub, Way()), asked_with(SAID[:14], "It is one.")).usage

    assert first.cache_read == 0
    assert second.cache_read == first.cache_write
    assert 0 < second.cache_write < second.cache_read / 10


def test_a_conversation_that_begins_elsewhere_is_read_anew_below_the_rules(stub: LlmStub) -> None:
    first = draft_with(anthropic(stub, Way()), asked_with(SAID[:12])).usage
    moved = draft_with(anthropic(stub, Way()), asked_with(SAID[1:14])).usage
    rules = draft_with(anthropic(stub, Way()), LONG_PREFIX).usage

    assert moved.cache_read == rules.cache_read < first.cache_write


@pytest.mark.parametrize(("added", "found"), [(19, True), (20, False)])
def test_what_was_read_is_found_over_twenty_blocks_which_is_more_than_are_ever_shown(
    stub: LlmStub, added: int, found: bool
) -> None:
    first = draft_with(anthropic(stub, Way()), asked_with(SAID[:12])).usage
    second = draft_with(anthropic(stub, Way()), asked_with(SAID[: 12 + added])).usage

    assert (second.cache_read == first.cache_write) is found
    assert MOST_SHOWN <= 20


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
