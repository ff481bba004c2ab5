"""How far a person's version is from the draft, in words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vaultcrm.pipeline.approval.edits import edit_distance

TEXTS = st.lists(st.sampled_from(["sun", "rain", "snow", "☂"]), max_size=8).map(" ".join)


@pytest.mark.parametrize(
    ("draft", "final", "distance"),
    [
        ("", "", 0),
        ("", "three new words", 3),
        ("three old words", "", 3),
        ("the cat sat on the mat", "the dog sat on a mat", 2),
        ("good morning Tom", "good morning dear Tom", 1),
        ("good morning dear Tom", "good morning Tom", 1),
        ("one two three", "three two one", 2),
        ("a b c d e", "b c d e a", 2),
        ("Hello you", "hello you", 1),
        ("spaces   do\nnot count", "spaces do not count", 0),
    ],
)
def test_words_put_in_taken_out_or_exchanged_count_one_each(
    draft: str, final: str, distance: int
) -> None:
    assert edit_distance(draft, final) == distance


@given(TEXTS, TEXTS)
def test_only_the_same_words_are_no_distance_apart(one: str, other: str) -> None:
    assert (edit_distance(one, other) == 0) == (one.split() == other.split())


@given(TEXTS, TEXTS)
def test_the_way_there_is_as_long_as_the_way_back(one: str, other: str) -> None:
    assert edit_distance(one, other) == edit_distance(other, one)


@given(TEXTS, TEXTS, TEXTS)
def test_no_detour_is_shorter_than_the_straight_way(one: str, other: str, between: str) -> None:
    detour = edit_distance(one, between) + edit_distance(between, other)
    assert edit_distance(one, other) <= detour


@given(TEXTS, TEXTS)
def test_a_distance_is_at_least_the_difference_in_length_and_at_most_the_longer_text(
    one: str, other: str
) -> None:
    lengths = sorted([len(one.split()), len(other.split())])
    assert lengths[1] - lengths[0] <= edit_distance(one, other) <= lengths[1]
