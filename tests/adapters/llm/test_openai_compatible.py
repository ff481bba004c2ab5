"""What is particular to OpenAI-compatible servers: they differ in what they take and report."""

from dataclasses import replace

import pytest

from stubs.llm import Fail, LlmStub, Refuse, Reply
from tests.adapters.llm.drafters import (
    REQUEST,
    Way,
    draft_with,
    openai_compatible,
    stream_with,
    using,
)
from vaultcrm.domain.drafting import Draft, Drafter, DraftOutcome, Prompt
from vaultcrm.domain.errors import DrafterMisconfigured

LOCAL = Way(model="local-llama", checker="local-llama")


def test_a_server_that_refuses_schemas_is_asked_in_words_from_then_on(stub: LlmStub) -> None:
    stub.script([Fail(400)])

    async def twice(drafter: Drafter) -> list[Draft]:
        return [await drafter.draft(REQUEST), await drafter.draft(REQUEST)]

    drafts = using(openai_compatible(stub, LOCAL), twice)

    assert [draft.outcome for draft in drafts] == [DraftOutcome.COMPLETE] * 2
    bodies = [request.body for request in stub.requests]
    assert ["response_format" in body for body in bodies] == [True, False, False]
    assert all('"self_rating"' in body["messages"][0]["content"] for body in bodies)


def test_a_refused_request_does_not_make_it_forget_schemas_when_they_are_not_the_cause(
    stub: LlmStub,
) -> None:
    stub.script([Fail(400), Fail(400)])

    async def fail_then_succeed(drafter: Drafter) -> Draft:
        with pytest.raises(DrafterMisconfigured):
            await drafter.draft(REQUEST)
        return await drafter.draft(REQUEST)

    using(openai_compatible(stub, LOCAL), fail_then_succeed)

    assert "response_format" in stub.requests[-1].body


def test_a_server_without_a_key_is_sent_none(stub: LlmStub) -> None:
    draft_with(openai_compatible(stub, Way(model="local-llama", api_key="")))
    draft_with(openai_compatible(stub, Way(model="local-llama", api_key="secret-1")))

    without, with_key = (request.headers for request in stub.requests)
    assert "authorization" not in without
    assert with_key["authorization"] == "Bearer secret-1"


def test_a_server_that_reports_no_usage_is_counted_by_an_estimate(stub: LlmStub) -> None:
    stub.script([Reply(without_usage=True), Reply(without_usage=True)])
    whole = draft_with(openai_compatible(stub, LOCAL)).usage
    _, streamed = stream_with(openai_compatible(stub, LOCAL))

    sent = sum(len(turn["content"]) for turn in stub.requests[0].body["messages"])
    assert whole.input == -(-sent // 4)
    assert whole.output > 0
    assert streamed.usage == whole


def test_a_conversation_is_read_below_the_rules_and_above_what_holds_now(stub: LlmStub) -> None:
    """In the order in which prompts change: such servers cache what two have in common."""
    history = tuple(f"<fan>message number {number}</fan>\n" for number in range(3))
    prompt = Prompt("The rules.", turn="It is noon.", history=history)
    draft_with(openai_compatible(stub, LOCAL), replace(REQUEST, prompt=prompt))

    system, user = stub.requests[0].body["messages"]
    assert system["content"].startswith("The rules.")
    assert user["content"].startswith(f"{''.join(history)}It is noon.")


@pytest.mark.parametrize("stream", [False, True])
def test_a_draft_that_the_servers_own_filter_stops_is_a_refusal(
    stub: LlmStub, stream: bool
) -> None:
    stub.script([Refuse(by_filter=True)])
    drafter = openai_compatible(stub, LOCAL)
    draft = stream_with(drafter)[1] if stream else draft_with(drafter)

    assert draft.outcome is DraftOutcome.REFUSED
