"""Models and what they cost."""

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vaultcrm.adapters.llm.catalog import (
    cost_micro_usd,
    find_model,
    most_micro_usd,
    read_table,
    table_date,
)
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


DATED = """
[[model]]
name = "one"
also = ["first"]
thinking = "none"
takes_temperature = false
structured_output = true
least_cached_tokens = 0
[[model.price]]
from = 2026-03-01
input = 2
output = 4
cache_read = 1
cache_write = 3
[[model.price]]
from = 2026-06-01
input = 1
output = 2
cache_read = 1
cache_write = 1
[[model]]
name = "two"
thinking = "none"
takes_temperature = false
structured_output = true
least_cached_tokens = 0
[[model.price]]
from = 2026-01-01
input = 3
output = 3
cache_read = 3
cache_write = 3
"""


@pytest.mark.parametrize(
    ("moment", "micro_usd"),
    [
        ("2025-12-31T00:00:00+00:00", 6),
        ("2026-05-31T23:59:59+00:00", 6),
        ("2026-06-01T01:00:00+02:00", 6),
        ("2026-06-01T00:00:00+00:00", 3),
        ("2030-01-01T00:00:00+00:00", 3),
    ],
)
def test_a_call_is_priced_by_the_price_of_its_time(moment: str, micro_usd: int) -> None:
    at = datetime.fromisoformat(moment)
    for name in ("one", "first"):
        card = read_table(DATED).find(name, at)
        assert cost_micro_usd(card, TokenUsage(input=1, output=1)) == micro_usd


def test_an_unknown_model_costs_as_much_as_the_dearest_of_that_time() -> None:
    table = read_table(DATED)
    prices = [
        table.find("what", datetime(2026, month, 1, tzinfo=UTC)).prices.output for month in (4, 7)
    ]
    assert prices == [4_000, 3_000]
    assert not table.find("what", datetime(2026, 4, 1, tzinfo=UTC)).known


def test_a_model_with_two_prices_from_one_day_is_refused() -> None:
    with pytest.raises(ValueError, match="two prices from the same day"):
        read_table(DATED.replace("2026-06-01", "2026-03-01"))


@given(usages, st.sampled_from(["claude-sonnet-5-5", "claude-haiku-5-5", "somebody-elses-model"]))
def test_what_is_reserved_is_never_less_than_what_a_call_within_its_bounds_costs(
    usage: TokenUsage, model: str
) -> None:
    card = find_model(model)
    prompt = usage.input + usage.cache_read + usage.cache_write
    assert most_micro_usd(card, prompt, usage.output) >= cost_micro_usd(card, usage)
