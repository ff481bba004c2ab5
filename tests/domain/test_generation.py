"""What the types of a generation mean, and how tokens are counted."""

import pytest

from vaultcrm.domain.generation import SIMPLE_TYPES, GenerationType, TokenUsage


@pytest.mark.parametrize("kind", GenerationType)
def test_only_an_offer_sells_and_nothing_that_sells_is_simple(kind: GenerationType) -> None:
    assert kind.sells is (kind is GenerationType.PPV_OFFER)
    assert not (kind.sells and kind in SIMPLE_TYPES)


def test_the_types_are_called_as_the_api_calls_them() -> None:
    names = ["reply", "ppv_offer", "welcome", "re_engagement", "thank_you"]
    assert [kind.value for kind in GenerationType] == names


def test_usage_of_several_calls_adds_up_part_by_part() -> None:
    total = TokenUsage(100, 20, 3, 4) + TokenUsage(1000, 200, 30, 40)
    assert total == TokenUsage(input=1100, output=220, cache_read=33, cache_write=44)


def test_cached_tokens_count_against_the_limits_too() -> None:
    assert TokenUsage(1, 20, 300, 4000).total == 4321
