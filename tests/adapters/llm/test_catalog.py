"""Models and what they cost."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vaultcrm.adapters.llm.catalog import cost_micro_usd, find_model, table_date
from vaultcrm.domain.generation import TokenUsage

MILLION = 1_000_000
counts = st.integers(min_value=0, max_value=50_000)
usages = st.builds(TokenUsage, counts, counts, counts, counts)


@pytest.mark.parametrize(
    ("model", "usage", "dollars"),
    [
        ("claude-sonnet-5-5", TokenUsage(input=MILLION), 2),
        ("claude-sonnet-5-5", TokenUsage(output=MILLION), 10),
        ("claude-sonnet-5-5", TokenUsage(cache_read=MILLION), 0.10),
        ("claude-sonnet-5-5", TokenUsage(cache_write=MILLION), 2.50),
        ("claude-haiku-5-5", TokenUsage(output=MILLION), 0.50),
        ("claude-opus-5-5", TokenUsage(input=MILLION, output=MILLION), 24),
        ("claude-haiku-4-5", TokenUsage(input=MILLION, cache_read=MILLION), 1.10),
        ("claude-haiku-4-5-20251001", TokenUsage(output=MILLION), 5),
        ("retrieval", TokenUsage(MILLION, MILLION, MILLION, MILLION), 0),
    ],
)
def test_a_million_tokens_cost_the_listed_price(
    model: str, usage: TokenUsage, dollars: float
) -> None:
    assert cost_micro_usd(find_model(model), usage) == round(dollars * MILLION)


def test_a_part_of_a_millionth_of_a_dollar_is_rounded_up_once() -> None:
    haiku = find_model("claude-haiku-5-5")

    assert cost_micro_usd(haiku, TokenUsage(input=1)) == 1
    assert cost_micro_usd(haiku, TokenUsage(input=10)) == 1
    assert cost_micro_usd(haiku, TokenUsage(input=11)) == 2
    assert cost_micro_usd(haiku, TokenUsage(input=3, output=1)) == 1
    assert cost_micro_usd(haiku, TokenUsage()) == 0


def test_a_prompt_past_the_limit_costs_the_price_of_long_prompts() -> None:
    haiku = find_model("claude-haiku-5-5")

    at_the_limit = TokenUsage(input=60_000, cache_read=40_000)
    past_it = TokenUsage(input=60_000, cache_read=40_001)
    assert cost_micro_usd(haiku, at_the_limit) == 6_400
    assert cost_micro_usd(haiku, past_it) == 32_001


@given(usages)
def test_an_unknown_model_is_never_priced_below_a_known_one(usage: TokenUsage) -> None:
    unknown = find_model("somebody-elses-model")

    assert not unknown.known
    for name in ("claude-sonnet-5-5", "claude-opus-5-5", "claude-fable-5-1", "claude-haiku-4-5"):
        assert cost_micro_usd(unknown, usage) >= cost_micro_usd(find_model(name), usage)


@given(usages, usages)
def test_splitting_a_usage_never_makes_it_cheaper(one: TokenUsage, other: TokenUsage) -> None:
    card = find_model("claude-sonnet-5-5")
    together = cost_micro_usd(card, one + other)

    assert together <= cost_micro_usd(card, one) + cost_micro_usd(card, other) <= together + 1


def test_an_unknown_model_keeps_its_name_and_is_sent_nothing_it_might_refuse() -> None:
    card = find_model("somebody-elses-model")

    assert card.name == "somebody-elses-model"
    assert (card.thinking, card.takes_temperature) == ("none", False)


def test_the_model_of_the_specification_is_known_to_be_retired() -> None:
    assert find_model("claude-3-5-sonnet-20241022").retired == date(2025, 10, 28)


def test_the_default_models_are_not_retired_when_the_table_was_checked() -> None:
    for name in ("claude-sonnet-5-5", "claude-haiku-5-5"):
        card = find_model(name)
        assert card.known
        assert card.retired is None or card.retired > table_date()
