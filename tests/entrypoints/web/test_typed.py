"""What people type into forms."""

import pytest

from vaultcrm.domain.errors import InvalidInput
from vaultcrm.domain.money import Money
from vaultcrm.entrypoints.web.text.typed import lines, media_ids, price_of


@pytest.mark.parametrize(
    ("typed", "currency", "minor"),
    [("25", "USD", 2500), (" 25.50 ", "USD", 2550), ("9,99", "EUR", 999), ("1500", "JPY", 1500)],
)
def test_a_price_is_read_as_people_write_it(typed: str, currency: str, minor: int) -> None:
    assert price_of(typed, currency, "price") == Money(minor, currency)


@pytest.mark.parametrize("typed", ["", "  ", "0", "0.00"])
def test_an_empty_price_and_nought_are_no_price(typed: str) -> None:
    assert price_of(typed, "USD", "price") is None


@pytest.mark.parametrize("typed", ["free", "-5", "1.2.3", "$5", "12345678", "١٢", "1e3"])
def test_what_is_no_price_is_refused_with_how_to_write_one(typed: str) -> None:
    with pytest.raises(InvalidInput, match=r"Write it like 25 or 25\.50"):
        price_of(typed, "USD", "price")


def test_media_ids_are_parted_by_spaces_or_commas() -> None:
    assert media_ids(" a1, b-2\nc/3.jpg ", "media") == ("a1", "b-2", "c/3.jpg")
    assert media_ids("", "media") == ()


@pytest.mark.parametrize("typed", ["<b>", "x" * 201, "a " * 21])
def test_what_can_be_no_media_id_is_refused(typed: str) -> None:
    with pytest.raises(InvalidInput):
        media_ids(typed, "media")


def test_line_ends_of_forms_become_ours() -> None:
    assert lines("one\r\ntwo\nthree") == "one\ntwo\nthree"
