"""Money is integer minor units (cents for USD) plus an ISO 4217 currency. Never a float."""

from dataclasses import dataclass

ZERO_DECIMAL_CURRENCIES = frozenset(
    {
        *("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG"),
        *("RWF", "UGX", "VND", "VUV", "XAF", "XOF", "XPF", "XTR"),
    }
)
"""Currencies whose minor unit is the unit itself (ISO 4217). XTR is Telegram Stars."""
THREE_DECIMAL_CURRENCIES = frozenset({"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"})
"""Currencies with a thousand minor units in one whole unit (ISO 4217)."""


@dataclass(frozen=True, slots=True)
class Money:
    """An amount: `minor` units (>= 0) of `currency` (three capital letters)."""

    minor: int
    currency: str = "USD"

    def __post_init__(self) -> None:
        if self.minor < 0:
            raise ValueError("an amount of money is not negative")
        letters = self.currency.isascii() and self.currency.isalpha() and self.currency.isupper()
        if len(self.currency) != 3 or not letters:
            raise ValueError("a currency is three capital letters")

    @property
    def major(self) -> float:
        """The amount in whole units (dollars for USD); for showing, never for sums."""
        return self.minor / minor_per_major(self.currency)

    def __str__(self) -> str:
        amount = f"{self.major:,.{_digits(self.currency)}f}"
        return f"${amount}" if self.currency == "USD" else f"{amount} {self.currency}"


def minor_per_major(currency: str) -> int:
    """Minor units in one whole unit of a currency."""
    return int(10 ** _digits(currency))


def _digits(currency: str) -> int:
    if currency in ZERO_DECIMAL_CURRENCIES:
        return 0
    return 3 if currency in THREE_DECIMAL_CURRENCIES else 2
