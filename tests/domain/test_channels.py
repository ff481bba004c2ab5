"""How long a text is, as a platform counts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vaultcrm.domain.channels import Capabilities

CHARACTERS = Capabilities(automated_sending=True, idempotent_sends=True, longest_text=100)
UNITS = Capabilities(
    automated_sending=True,
    idempotent_sends=True,
    longest_text=100,
    longest_caption=10,
    counts_utf16=True,
)


@pytest.mark.parametrize(
    ("text", "characters", "units"),
    [("", 0, 0), ("hello", 5, 5), ("é", 1, 1), ("🌻", 1, 2), ("👩‍👧", 3, 5), ("\ud83c", 1, 1)],
)
def test_a_text_is_as_long_as_the_platform_counts_it(
    text: str, characters: int, units: int
) -> None:
    assert (CHARACTERS.length_of(text), UNITS.length_of(text)) == (characters, units)


@given(st.text())
def test_a_text_has_never_fewer_units_than_characters(text: str) -> None:
    assert CHARACTERS.length_of(text) <= UNITS.length_of(text) <= 2 * CHARACTERS.length_of(text)


def test_media_shorten_a_text_only_where_the_platform_says_so() -> None:
    assert (UNITS.longest(with_media=False), UNITS.longest(with_media=True)) == (100, 10)
    assert CHARACTERS.longest(with_media=False) == CHARACTERS.longest(with_media=True) == 100
