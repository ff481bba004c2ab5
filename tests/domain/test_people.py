"""Fans' tiers, and what callers may see."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vaultcrm.domain.money import Money
from vaultcrm.domain.people import Caller, Role, Tier, tier_of

RISING = [Tier.LOW, Tier.MEDIUM, Tier.HIGH, Tier.WHALE]


@pytest.mark.parametrize(
    ("value", "tier"),
    [
        (Money(0), Tier.LOW),
        (Money(49_99), Tier.LOW),
        (Money(50_00), Tier.MEDIUM),
        (Money(299_99), Tier.MEDIUM),
        (Money(300_00), Tier.HIGH),
        (Money(999_99), Tier.HIGH),
        (Money(1000_00), Tier.WHALE),
        (Money(50, "JPY"), Tier.MEDIUM),
        (Money(49, "JPY"), Tier.LOW),
    ],
)
def test_a_tier_begins_at_exactly_its_lifetime_value(value: Money, tier: Tier) -> None:
    assert tier_of(value) is tier


@given(st.integers(0, 10**7), st.integers(0, 10**7))
def test_spending_more_never_lowers_a_tier(minor: int, more: int) -> None:
    before, after = tier_of(Money(minor)), tier_of(Money(minor + more))
    assert RISING.index(after) >= RISING.index(before)


def test_a_caller_sees_their_own_creators_only_unless_they_see_all() -> None:
    mine, foreign = UUID(int=1), UUID(int=2)
    chatter = Caller(UUID(int=3), Role.CHATTER, "Ann", False, frozenset({mine}))
    admin = Caller(UUID(int=4), Role.ADMIN, "Bo", True)
    assert [chatter.may_see(mine), chatter.may_see(foreign)] == [True, False]
    assert admin.may_see(foreign)
