"""What chatters are told where a fan needs care, and the helplines beside it."""

import re

import pytest

from vaultcrm.domain.conversation import Care
from vaultcrm.pipeline.guidance import (
    DEFAULT_GUIDANCE,
    Country,
    guide_for,
    helplines,
    lines_as_of,
)


def test_a_guide_begins_with_the_lines_of_the_creators_country_and_has_all_others_too() -> None:
    guide = guide_for(Care.DISTRESS, None, "gb")
    assert guide.own is not None
    assert (guide.own.code, guide.own.adults[0].number) == ("GB", "116 123")
    assert len(guide.others) == len(helplines()) - 1
    assert "GB" not in {country.code for country in guide.others}
    assert [c.name for c in guide.others] == sorted(c.name for c in guide.others)


def test_a_creator_of_a_country_without_lines_gets_all_that_there_are() -> None:
    guide = guide_for(Care.DISTRESS, None, "AQ")
    assert guide.own is None
    assert len(guide.others) == len(helplines())


def test_the_managers_text_stands_in_place_of_the_products_own() -> None:
    for care in Care:
        assert guide_for(care, None, "US").text == DEFAULT_GUIDANCE[care]
        assert guide_for(care, "Call Ada.", "US").text == "Call Ada."


@pytest.mark.parametrize("country", helplines().values(), ids=lambda country: country.code)
def test_every_country_has_an_emergency_number_and_a_line_that_can_be_dialled(
    country: Country,
) -> None:
    assert re.fullmatch(r"[A-Z]{2}", country.code)
    assert country.name
    assert re.fullmatch(r"\d{3}", country.emergency)
    assert country.adults
    for line in (*country.adults, *country.children):
        assert line.name
        assert re.fullmatch(r"\*?\d[\d -]{1,16}", line.number), line


def test_the_lines_say_of_when_they_are() -> None:
    assert lines_as_of().year >= 2026
