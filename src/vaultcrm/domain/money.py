"""Money is integer minor units (cents for USD) plus an ISO 4217 currency. Never a float."""

from dataclasses import dataclass

ZERO_DECIMAL_CURRENCIES = frozenset({"JPY", "KRW", "VND", "CLP", "ISK", "XTR"})
"""Currencies whose minor unit is the unit itself. XTR is Telegram Stars."""


@dataclass(frozen=True, slots=True)
class Money:
    """An amount: `minor` units (>= 0) of `currency` (three capital letters)."""

    minor: int
    currency: str = "USD"

    def __post_init__(self) -> None:
        if self.minor < 0:
            raise ValueError("an amount of money is not negative")
        if len(self.currency) != 3 or not self.currency.isascii() or not self.currency.isupper():
            raise ValueError("a currency is three capital letters")

    @property
    def major(self) -> float:
        """The amount in whole units (dollars for USD); for showing, never for sums."""
        return self.minor / minor_per_major(self.currency)

    def __str__(self) -> str:
        digits = 0 if self.currency in ZERO_DECIMAL_CURRENCIES else 2
        amount = f"{self.major:,.{digits}f}"
        return f"${amount}" if self.currency == "USD" else f"{amount} {self.currency}"


def minor_per_major(currency: str) -> int:
    """Minor units in one whole unit of a currency."""
    return 1 if currency in ZERO_DECIMAL_CURRENCIES else 100
