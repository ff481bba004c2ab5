"""Reading an answer while it is still being written."""

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from vaultcrm.adapters.llm.answers import message_so_far


def answer_with(message: str, *, ascii_only: bool) -> str:
    candidate = {
        "message": message,
        "suggested_price_minor": None,
        "reasoning": "Because.",
        "self_rating": 80,
    }
    return json.dumps(
        {"candidates": [candidate, {**candidate, "message": "Another"}]}, ensure_ascii=ascii_only
    )


@given(st.text(max_size=40), st.booleans())
@example('She said "hi" \\ {ok} 😊', True)
def test_wherever_an_answer_is_cut_the_message_so_far_is_the_start_of_the_message(
    message: str, ascii_only: bool
) -> None:
    answer = answer_with(message, ascii_only=ascii_only)

    for length in range(len(answer)):
        assert message.startswith(message_so_far(answer[:length]))
    assert message_so_far(answer) == message


@pytest.mark.parametrize(
    "start",
    [
        "",
        "Sure, here",
        "{",
        '{"candidates"',
        '{"candidates": [',
        '{"candidates": {"message": "x"}}',
        '{"candidates": [{"message": 7}]}',
        '{"candidates": ["message"]}',
        "<think>{ maybe",
    ],
)
def test_without_a_message_there_is_nothing_to_show_yet(start: str) -> None:
    assert message_so_far(start) == ""


def test_what_stands_before_the_json_is_skipped() -> None:
    answer = answer_with("Hello you", ascii_only=False)

    assert message_so_far("<think>{hm}</think>```json\n" + answer[:60]) == "Hello you"
