"""What models can do and what they cost: the dated table `models.toml`, and sums over it."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
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


def find_model(name: str, at: datetime | None = None) -> ModelCard:
    """The card of a model by its name or one of its other names, with the prices of a moment, which
    is now if it is left out. Never fails: see `ModelCard`.
    """
    return _table().find(name, at or datetime.now(UTC))


@dataclass(frozen=True, slots=True)
class PriceTable:
    """Cards by name, each with the days (UTC) from which they hold, the latest first."""

    cards: Mapping[str, tuple[tuple[date, ModelCard], ...]]

    def find(self, name: str, at: datetime) -> ModelCard:
        """See `find_model`. Before its first price a model costs as much as by its first."""
        day = at.astimezone(UTC).date()
        dated = self.cards.get(name)
        if dated is not None:
            return _in_force(dated, day)
        in_force = [_in_force(one, day) for one in self.cards.values()]
        dearest = max(in_force, key=lambda card: (card.prices.output, card.prices.input))
        return ModelCard(name=name, known=False, prices=dearest.prices)


def _in_force(dated: tuple[tuple[date, ModelCard], ...], day: date) -> ModelCard:
    for since, card in dated:
        if since <= day:
            return card
    return dated[-1][1]


def read_table(text: str) -> PriceTable:
    """The table of a text like that of `models.toml`.

    Raises tomllib.TOMLDecodeError, KeyError or ValueError for what is no such table.
    """
    cards: dict[str, tuple[tuple[date, ModelCard], ...]] = {}
    for row in tomllib.loads(text, parse_float=Decimal)["model"]:
        prices = sorted(row["price"], key=lambda price: price["from"], reverse=True)
        if len({price["from"] for price in prices}) < len(prices):
            raise ValueError(f"{row['name']} has two prices from the same day")
        dated = tuple((price["from"], _card(row, price)) for price in prices)
        for name in (row["name"], *row.get("also", ())):
            cards[name] = dated
    return PriceTable(cards)


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


def most_micro_usd(card: ModelCard, prompt_tokens: int, answer_tokens: int) -> int:
    """The most that a call can cost: a prompt of which each token is read, written to the cache or
    taken from it, whichever is dearest, and an answer, both as long as they may be.
    """
    usages = (
        TokenUsage(input=prompt_tokens, output=answer_tokens),
        TokenUsage(cache_write=prompt_tokens, output=answer_tokens),
        TokenUsage(cache_read=prompt_tokens, output=answer_tokens),
    )
    return max(cost_micro_usd(card, usage) for usage in usages)


def usable_models(today: date) -> list[str]:
    """The models of the table that can be called on a day, by their first names."""
    cards = {dated[0][1].name: dated[0][1] for dated in _table().cards.values()}
    return [name for name, card in cards.items() if card.retired is None or card.retired > today]


def table_date() -> date:
    """The day the table was last checked."""
    return date.fromisoformat(str(tomllib.loads(_text())["as_of"]))


@cache
def _text() -> str:
    return resources.files("vaultcrm.adapters.llm").joinpath("models.toml").read_text("utf-8")


@cache
def _table() -> PriceTable:
    return read_table(_text())


def _card(row: dict[str, Any], price: dict[str, Any]) -> ModelCard:
    long_prompt = price.get("long_prompt")
    return ModelCard(
        name=row["name"],
        known=True,
        prices=_prices(price),
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
