"""How the wait grows with wrong tries to sign in."""

from datetime import timedelta

from vaultcrm.controls.auth.tries import subject_of, wait_after


def test_four_wrong_tries_cost_nothing_and_from_the_fifth_on_each_wait_is_twice_as_long() -> None:
    waits = [wait_after(tries) for tries in range(1, 10)]

    assert waits[:4] == [None] * 4
    assert [wait.total_seconds() for wait in waits[4:] if wait] == [30, 60, 120, 240, 480]


def test_no_wait_is_longer_than_a_quarter_of_an_hour() -> None:
    assert {wait_after(tries) for tries in (10, 11, 1000, 10**9)} == {timedelta(minutes=15)}


def test_tries_for_two_addresses_are_counted_apart_whatever_was_typed() -> None:
    typed = ["jo@example.com", "jo@example.co", "", "\ud800", "x" * 10_000]
    assert len({subject_of(email) for email in typed}) == len(typed)
