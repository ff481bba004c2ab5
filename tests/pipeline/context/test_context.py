"""What matters in a situation: how engaged the fan is, and what they said last."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.pipeline.situations import creator_says, fan_says, situation
from vaultcrm.domain.situation import Activity
from vaultcrm.pipeline.context import engagement_score, last_fan_text

NOW = datetime(2026, 11, 20, 18, 30, tzinfo=UTC)


def score(messages: int = 0, purchases: int = 0, days: float | None = None) -> int:
    last = None if days is None else NOW - timedelta(days=days)
    return engagement_score(Activity(messages, purchases, last), NOW)


COUNTS = st.integers(0, 200)
DAYS = st.none() | st.floats(0, 4000)


def test_the_engagement_score_follows_its_formula() -> None:
    # 100 · (0.4 · (1 − 1/e) + 0.3 · 1/e + 0.3 · (1 − 1/e)) = 25.28 + 11.04 + 18.96 = 55.28
    assert score(messages=10, purchases=3, days=14) == 55
    # 100 · (0.4 · (1 − e^−0.5) + 0.3 · e^−0.5 + 0.3 · (1 − e^−1/3)) = 15.74 + 18.20 + 8.50 = 42.44
    assert score(messages=5, purchases=1, days=7) == 42


def test_a_fan_who_has_never_written_nor_bought_scores_nothing() -> None:
    assert score() == 0


def test_no_single_habit_gives_more_than_its_share() -> None:
    assert score(messages=10_000) == 40
    assert score(purchases=10_000) == 30
    assert score(days=0) == 30


def test_a_fan_with_all_habits_reaches_100() -> None:
    assert score(messages=100, purchases=100, days=0) == 100


def test_a_message_dated_ahead_of_our_clock_counts_as_new() -> None:
    assert score(days=-5) == score(days=0)


@given(COUNTS, COUNTS, DAYS)
def test_the_score_is_always_between_0_and_100(
    messages: int, purchases: int, days: float | None
) -> None:
    assert 0 <= score(messages, purchases, days) <= 100


@given(COUNTS, COUNTS, st.floats(0, 4000), COUNTS, COUNTS, st.floats(0, 4000))
def test_writing_more_buying_more_or_writing_later_never_lowers_the_score(
    messages: int, purchases: int, days: float, more: int, bought: int, longer: float
) -> None:
    before = score(messages, purchases, days + longer)
    assert score(messages + more, purchases + bought, days) >= before


def test_the_last_words_of_a_fan_are_all_that_they_wrote_since_the_creator() -> None:
    talk = situation(
        fan_says("hi", 9),
        creator_says("hello Tom", 8),
        fan_says("I had a day", 7),
        fan_says("a long one", 6),
    )
    assert last_fan_text(talk) == "I had a day\na long one"


def test_when_the_creator_spoke_last_the_words_before_that_are_the_fans_last() -> None:
    talk = situation(
        fan_says("hi", 9),
        creator_says("hello", 8),
        fan_says("how are you?", 7),
        creator_says("fine", 6),
        creator_says("and you?", 5),
    )
    assert last_fan_text(talk) == "how are you?"


@pytest.mark.parametrize("messages", [(), (creator_says("hello"),)])
def test_a_fan_who_has_said_nothing_has_no_last_words(messages: tuple[()]) -> None:
    assert last_fan_text(situation(*messages)) == ""
