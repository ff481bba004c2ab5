"""Which drafter an installation runs with."""

import pytest

from stubs.llm import LlmStub
from tests.adapters.llm.drafters import REQUEST, draft_with
from vaultcrm.adapters.llm.factory import build_drafter
from vaultcrm.domain.drafting import DraftOutcome
from vaultcrm.settings import Settings


def settings(**values: str | int) -> Settings:
    return Settings.model_validate({"anthropic_api_key": None, "openai_base_url": None, **values})


def test_without_any_key_drafts_come_from_approved_replies() -> None:
    drafter = build_drafter(settings())

    assert (drafter.name, drafter.model, drafter.reads_repertoire) == (
        "retrieval",
        "retrieval",
        True,
    )


def test_a_claude_key_wins_over_an_openai_compatible_server(stub: LlmStub) -> None:
    drafter = build_drafter(
        settings(
            anthropic_api_key="k1",
            anthropic_base_url=stub.url,
            openai_base_url=stub.openai_url,
            ai_model="claude-opus-5-5",
        )
    )
    draft = draft_with(drafter, REQUEST)

    assert (drafter.name, drafter.reads_repertoire) == ("anthropic", False)
    assert draft.outcome is DraftOutcome.COMPLETE
    assert stub.requests[0].path == "/v1/messages"
    assert stub.requests[0].body["model"] == draft.model == "claude-opus-5-5"


@pytest.mark.parametrize("slash", ["", "/"])
def test_an_openai_compatible_server_is_used_when_it_is_all_there_is(
    stub: LlmStub, slash: str
) -> None:
    drafter = build_drafter(
        settings(openai_base_url=stub.openai_url + slash, ai_model="local-llama")
    )
    draft = draft_with(drafter, REQUEST)

    assert drafter.name == "openai_compatible"
    assert draft.outcome is DraftOutcome.COMPLETE
    assert stub.requests[0].path == "/v1/chat/completions"
    assert "authorization" not in stub.requests[0].headers
