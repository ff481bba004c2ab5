"""Money: whole minor units of a currency."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vaultcrm.domain.money import Money, minor_per_major


@pytest.mark.parametrize(
    ("money", "shown"),
    [
        (Money(0), "$0.00"),
        (Money(5), "$0.05"),
        (Money(2500), "$25.00"),
        (Money(123_456_789), "$1,234,567.89"),
        (Money(1999, "EUR"), "19.99 EUR"),
        (Money(1500, "JPY"), "1,500 JPY"),
        (Money(50, "XTR"), "50 XTR"),
        (Money(1500, "KWD"), "1.500 KWD"),
    ],
)
def test_an_amount_is_shown_with_the_digits_of_its_currency(money: Money, shown: str) -> None:
    assert str(money) == shown


@pytest.mark.parametrize(
    ("currency", "minor"), [("USD", 100), ("JPY", 1), ("XAF", 1), ("BHD", 1000)]
)
def test_a_whole_unit_has_as_many_minor_units_as_iso_4217_says(currency: str, minor: int) -> None:
    assert minor_per_major(currency) == minor
    assert Money(minor, currency).major == 1


def test_an_amount_is_never_negative() -> None:
    with pytest.raises(ValueError, match="not negative"):
        Money(-1)


@pytest.mark.parametrize("currency", ["", "US", "usd", "Usd", "USDT", "U$D", "US1", "ÄÖÜ", "US "])
def test_a_currency_is_three_capital_letters(currency: str) -> None:
    with pytest.raises(ValueError, match="three capital letters"):
        Money(1, currency)


@given(st.integers(0, 10**12))
def test_no_cent_is_lost_between_minor_and_whole_units(minor: int) -> None:
    assert round(Money(minor).major * 100) == minor


def test_the_same_amount_in_another_currency_is_another_amount() -> None:
    assert Money(100, "USD") != Money(100, "EUR")
    assert Money(100) == Money(100, "USD")
