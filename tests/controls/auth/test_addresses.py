"""What tries from an address are counted under, and how long they must wait."""

from datetime import timedelta

import pytest

from vaultcrm.controls.auth.addresses import FREE_TRIES, subject_of_address, wait_after

KEY = b"a key of thirty-two bytes or more"


def test_an_office_has_thirty_wrong_tries_before_it_waits_and_then_longer_each_time() -> None:
    assert [wait_after(number) for number in (1, FREE_TRIES - 1)] == [None, None]
    waits = [wait_after(FREE_TRIES + number) for number in range(3)]
    assert waits == [timedelta(seconds=30 * 2**number) for number in range(3)]
    assert wait_after(10_000) == timedelta(minutes=15)


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("203.0.113.7", "203.0.113.7", True),
        ("203.0.113.7", "203.0.113.8", False),
        ("::ffff:203.0.113.7", "203.0.113.7", True),
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("fe80::1%eth0", "fe80::1%eth1", True),
        ("nonsense", "other nonsense", False),
    ],
)
def test_one_site_is_one_address(one: str, other: str, is_same: bool) -> None:
    assert (subject_of_address(one, KEY) == subject_of_address(other, KEY)) is is_same


def test_what_is_kept_tells_the_address_to_nobody_without_the_key() -> None:
    kept = subject_of_address("203.0.113.7", KEY)
    assert subject_of_address("203.0.113.7", KEY[::-1]) != kept
    assert b"203" not in kept
