"""What models can do and what they cost: the dated table `models.toml`, and sums over it."""

import tomllib
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from functools import cache
from importlib import resources
from typing import Any, Literal

from vaultcrm.domain.generation import TokenUsage

_NANO_USD_PER_TOKEN = 1000  # a price of $1 for a million tokens, in billionths of a dollar a token


@dataclass(frozen=True, slots=True)
class Prices:
    """Billionths of a dollar for one token."""

    input: int
    output: int
    cache_read: int
    cache_write: int

    def nano_usd(self, usage: TokenUsage) -> int:
        return (
            usage.input * self.input
            + usage.output * self.output
            + usage.cache_read * self.cache_read
            + usage.cache_write * self.cache_write
        )


@dataclass(frozen=True, slots=True)
class ModelCard:
    """One row of the table; `models.toml` explains the fields.

    `known` is False for a model that is not in the table: it is priced as the dearest one there,
    and nothing is assumed that could make a call fail. `retired` is the day from which calls fail.
    """

    name: str
    known: bool
    prices: Prices
    thinking: Literal["none", "disabled", "between_tools", "always"] = "none"
    takes_temperature: bool = False
    structured_output: bool = True
    least_cached_tokens: int = 1024
    long_prompt_over: int | None = None
    long_prompt_prices: Prices | None = None
    deprecated: date | None = None
    retired: date | None = None


def find_model(name: str) -> ModelCard:
    """The card of a model by its name or one of its other names. Never fails: see `ModelCard`."""
    card = _table().get(name)
    return card if card is not None else replace(_dearest(), name=name)


def cost_micro_usd(card: ModelCard, usage: TokenUsage) -> int:
    """What `usage` costs in millionths of a dollar: exact integers, rounded up once at the end.

    $p for a million tokens is p millionths of a dollar a token. The prices of long prompts apply
    when input, cache reads and cache writes together pass the card's limit.
    """
    prices = card.prices
    if (
        card.long_prompt_prices is not None
        and card.long_prompt_over is not None
        and usage.input + usage.cache_read + usage.cache_write > card.long_prompt_over
    ):
        prices = card.long_prompt_prices
    return -(-prices.nano_usd(usage) // 1000)


def table_date() -> date:
    """The day the table was last checked."""
    return date.fromisoformat(str(_data()["as_of"]))


@cache
def _data() -> dict[str, Any]:
    text = resources.files("vaultcrm.adapters.llm").joinpath("models.toml").read_text("utf-8")
    return tomllib.loads(text, parse_float=Decimal)


@cache
def _table() -> dict[str, ModelCard]:
    cards: dict[str, ModelCard] = {}
    for row in _data()["model"]:
        card = _card(row)
        for name in (card.name, *row.get("also", ())):
            cards[name] = card
    return cards


@cache
def _dearest() -> ModelCard:
    """A card for a model that is not in the table."""
    dearest = max(_table().values(), key=lambda card: (card.prices.output, card.prices.input))
    return ModelCard(name="", known=False, prices=dearest.prices)


def _card(row: dict[str, Any]) -> ModelCard:
    long_prompt = row.get("long_prompt")
    return ModelCard(
        name=row["name"],
        known=True,
        prices=_prices(row),
        thinking=row["thinking"],
        takes_temperature=row["takes_temperature"],
        structured_output=row["structured_output"],
        least_cached_tokens=row["least_cached_tokens"],
        long_prompt_over=long_prompt["over_tokens"] if long_prompt else None,
        long_prompt_prices=_prices(long_prompt) if long_prompt else None,
        deprecated=row.get("deprecated"),
        retired=row.get("retired"),
    )


def _prices(row: dict[str, Any]) -> Prices:
    return Prices(**{name: _nano(row[name]) for name in Prices.__slots__})


def _nano(dollars_per_million: int | Decimal) -> int:
    nano = dollars_per_million * _NANO_USD_PER_TOKEN
    if nano != int(nano):
        raise ValueError(f"a price of {dollars_per_million} is finer than the table can hold")
    return int(nano)
