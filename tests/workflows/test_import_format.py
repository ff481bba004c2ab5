"""What a line of an import file may hold, and what is said of one that cannot be used."""

import json
from datetime import UTC, datetime
from io import BytesIO
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vaultcrm.domain.conversation import Mode, Sender
from vaultcrm.workflows.import_format import (
    LONGEST_LINE,
    ImportLine,
    LineProblem,
    check_line,
    is_blank,
    read_lines,
)

MOMENT = "2026-11-01T10:00:00Z"


def message(**changes: object) -> dict[str, Any]:
    return {"id": "m1", "from": "fan", "text": "Hello", "sentAt": MOMENT} | changes


def offer(**changes: object) -> dict[str, Any]:
    return (
        message(id="m2", **{"from": "creator", "priceMinor": 2500, "purchasedAt": MOMENT}) | changes
    )


def line(**changes: object) -> dict[str, Any]:
    return {
        "creator": {"handle": "mia", "displayName": "Mia"},
        "fan": {
            "handle": "tom88",
            "displayName": "Tom",
            "lifetimeValueMinor": 1200,
            "currency": "USD",
        },
        "channel": "simulator",
        "messages": [message(), offer()],
    } | changes


def fan(**changes: object) -> dict[str, Any]:
    return line(fan={"handle": "tom88"} | changes)


def encoded(content: object) -> bytes:
    return json.dumps(content).encode()


def good(raw: bytes) -> ImportLine:
    checked = check_line(1, raw)
    assert isinstance(checked, ImportLine), str(checked)
    return checked


def refused(raw: bytes) -> str:
    checked = check_line(17, raw)
    assert isinstance(checked, LineProblem)
    return str(checked)


def test_a_line_is_read_with_its_creator_its_fan_and_its_messages_in_file_order() -> None:
    read = good(encoded(line()))
    assert (read.creator.handle, read.creator.display_name) == ("mia", "Mia")
    assert (read.fan.handle, read.fan.lifetime_value_minor, read.fan.currency) == (
        "tom88",
        1200,
        "USD",
    )
    first, second = read.messages
    assert (first.id, first.sender, first.text) == ("m1", Sender.FAN, "Hello")
    assert (second.id, second.sender, second.price_minor) == ("m2", Sender.CREATOR, 2500)
    assert second.purchased_at == datetime(2026, 11, 1, 10, tzinfo=UTC)


def test_handles_and_messages_are_enough() -> None:
    read = good(
        encoded({"creator": {"handle": "mia"}, "fan": {"handle": "tom88"}, "messages": [message()]})
    )
    assert read.channel == "simulator"
    assert read.conversation.mode is Mode.AUTO
    assert (read.fan.lifetime_value_minor, read.fan.currency) == (None, "USD")
    assert (read.fan.notes, read.fan.disclosed_at) == ("", None)


def test_notes_disclosure_and_mode_may_come_along() -> None:
    told = fan(notes="Likes hiking", disclosedAt=MOMENT) | {"conversation": {"mode": "draft_only"}}
    read = good(encoded(told))
    assert read.fan.notes == "Likes hiking"
    assert read.fan.disclosed_at == datetime(2026, 11, 1, 10, tzinfo=UTC)
    assert read.conversation.mode is Mode.DRAFT_ONLY


def test_times_of_any_zone_are_read_as_utc() -> None:
    read = good(encoded(line(messages=[message(sentAt="2026-11-01T12:30:00.25+02:00")])))
    assert read.messages[0].sent_at == datetime(2026, 11, 1, 10, 30, 0, 250_000, tzinfo=UTC)
    assert read.messages[0].sent_at.tzinfo is UTC


def test_what_is_left_out_may_also_be_null_where_it_means_nothing() -> None:
    read = good(encoded(line(messages=[message(priceMinor=None, purchasedAt=None)])))
    assert (read.messages[0].price_minor, read.messages[0].purchased_at) == (None, None)


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b""])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_byte_order_marks_and_both_ends_of_line_are_tolerated(mark: bytes, end: bytes) -> None:
    assert good(mark + encoded(line()) + end) == good(encoded(line()))


@pytest.mark.parametrize("raw", [b"", b"\n", b"\r\n", b" \t\n", b"\xef\xbb\xbf\r\n"])
def test_lines_that_hold_nothing_are_blank(raw: bytes) -> None:
    assert is_blank(raw)


def test_the_longest_texts_and_handles_and_the_most_messages_are_taken() -> None:
    messages = [message(id=f"m{number}") for number in range(10_000)]
    messages[0]["text"] = "é" * 10_000
    told = line(creator={"handle": "h" * 100}, messages=messages)
    assert len(good(encoded(told)).messages) == 10_000


BAD = [
    (fan(handle=""), "fan.handle: must not be empty"),
    (fan(handle="  "), "fan.handle: must not be empty"),
    (fan(handle="h" * 101), "fan.handle: must have at most 100 characters"),
    (fan(handle="tom\n88"), "fan.handle: must not hold control characters"),
    (fan(handle=88), "fan.handle: must be text in quotes"),
    (line(fan={}), "fan.handle: is missing"),
    (fan(currency="usd"), "fan.currency: must be three capital letters such as USD"),
    (fan(currency="DOLLAR"), "fan.currency: must be three capital letters such as USD"),
    (fan(currency="ÄÖÜ"), "fan.currency: must be three capital letters such as USD"),
    (fan(lifetimeValueMinor=-1), "fan.lifetimeValueMinor: must be at least 0"),
    (fan(lifetimeValueMinor=12.5), "fan.lifetimeValueMinor: must be a whole number"),
    (fan(lifetimeValueMinor="12"), "fan.lifetimeValueMinor: must be a whole number"),
    (fan(lifetimeValueMinor=True), "fan.lifetimeValueMinor: must be a whole number"),
    (fan(lifetimeValueMinor=10**30), "fan.lifetimeValueMinor: must be at most 1,000,000,000,000"),
    (fan(tier="whale"), "fan.tier: is not a field of this format"),
    (fan(display_name="Tom"), "fan.display_name: is not a field of this format"),
    (fan(notes="\0"), "fan.notes: must not hold a NUL character"),
    (line(channel="Fan vue"), "channel: must be 1-50 of a-z, 0-9, _ and -"),
    (line(conversation={"mode": "on"}), "conversation.mode: must be 'auto', 'draft_only' or 'off'"),
    (line(creator="mia"), "creator: must be an object in braces"),
    (line(messages={}), "messages: must be a list in brackets"),
    (line(messages=[message(text="")]), "messages.0.text: must not be empty"),
    (line(messages=[message(text=" \n")]), "messages.0.text: must not be empty"),
    (line(messages=[message(text="a\0b")]), "messages.0.text: must not hold a NUL character"),
    (
        line(messages=[message(text="x" * 10_001)]),
        "messages.0.text: must have at most 10,000 characters",
    ),
    (line(messages=[message(**{"from": "bot"})]), "messages.0.from: must be 'fan' or 'creator'"),
    (
        line(messages=[message(sentAt="2026-11-01T10:00:00")]),
        "messages.0.sentAt: must have a zone, such as the Z in 2026-11-01T10:00:00Z",
    ),
    (
        line(messages=[message(sentAt=1793527200)]),
        "messages.0.sentAt: must be a time in quotes, such as 2026-11-01T10:00:00Z",
    ),
    (
        line(messages=[message(sentAt="yesterday")]),
        "messages.0.sentAt: must be a time such as 2026-11-01T10:00:00Z",
    ),
    (
        line(messages=[message(sentAt="0001-01-01T00:00:00+14:00")]),
        "messages.0.sentAt: must lie between the years 2000 and 2199",
    ),
    (
        line(messages=[message(priceMinor=100)]),
        "messages.0.priceMinor: is for messages from the creator only",
    ),
    (line(messages=[offer(priceMinor=0)]), "messages.0.priceMinor: must be at least 1"),
    (
        line(messages=[offer(priceMinor=None)]),
        "messages.0.purchasedAt: needs priceMinor beside it",
    ),
    (
        line(messages=[message(), offer(), message(text="again")]),
        "messages.2.id: is the id of messages.0 already",
    ),
    (
        line(messages=[message(id=f"m{number}") for number in range(10_001)]),
        "messages: must have at most 10,000 entries",
    ),
    ([1, 2], "must be an object in braces"),
    ({"\x1b[2J": 1} | line(), "\\x1b[2J: is not a field of this format"),
]


@pytest.mark.parametrize(("content", "reason"), BAD, ids=[reason for _, reason in BAD])
def test_a_bad_line_is_reported_with_its_number_the_field_and_the_reason(
    content: object, reason: str
) -> None:
    assert refused(encoded(content)) == f"line 17: {reason}"


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b'{"creator": ', "is not JSON: EOF while parsing a value at column 12"),
        (encoded(line()).replace(b"Hello", b"\xff"), "is not UTF-8 text (see byte 225)"),
        (encoded(line()).replace(b"Hello", b"\\ud83d"), "is not JSON: "),
        (encoded(line()).replace(b"Hello", b"\xed\xa0\xbd"), "is not UTF-8 text (see byte 225)"),
        (encoded(line()).replace(b"1200", b"NaN"), "fan.lifetimeValueMinor: must be "),
        (b"[" * 100_000, "is not JSON: recursion limit exceeded at column "),
        (b"null", "must be an object in braces"),
    ],
)
def test_what_is_no_json_text_is_reported_as_such(raw: bytes, reason: str) -> None:
    assert refused(raw).startswith(f"line 17: {reason}")


def test_a_line_with_many_problems_tells_the_first_and_counts_the_rest() -> None:
    told = line(messages=[message(text="", id=f"m{number}") for number in range(12)])
    assert refused(encoded(told)) == (
        "line 17: messages.0.text: must not be empty; messages.1.text: must not be empty; "
        "messages.2.text: must not be empty; and 9 more"
    )


def test_problems_between_fields_are_counted_too() -> None:
    told = line(messages=[message(priceMinor=5, id=f"m{number}") for number in range(5)])
    assert refused(encoded(told)).endswith("; and 2 more")


def test_a_reason_never_repeats_the_text_of_a_message() -> None:
    told = line(messages=[message(text="my secret" + "x" * 10_000), message(id=["my secret"])])
    assert "my secret" not in refused(encoded(told))


def test_a_line_that_is_too_long_is_reported_and_the_next_one_read() -> None:
    longest = encoded(line()).ljust(LONGEST_LINE)
    file = BytesIO(longest + b"x\r\n" + longest + b"\r\n" + encoded(line()))
    first, second, third = (check_line(number, raw) for number, raw in enumerate(read_lines(file)))
    assert str(first) == "line 0: is longer than 20 MB"
    assert isinstance(second, ImportLine)
    assert isinstance(third, ImportLine)


def test_of_a_line_that_is_too_long_only_a_part_is_held() -> None:
    file = BytesIO(b"x" * (3 * LONGEST_LINE) + b"\nnext\n")
    first, second = read_lines(file)
    assert LONGEST_LINE < len(first) < LONGEST_LINE + 10
    assert second == b"next\n"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=12,
)


@given(raw=st.binary(max_size=200) | json_values.map(encoded))
def test_no_line_raises_an_error(raw: bytes) -> None:
    assert isinstance(check_line(3, raw), LineProblem)


@given(path=st.sampled_from(["creator", "fan", "channel", "messages"]), value=json_values)
def test_no_value_in_the_place_of_another_raises_an_error(path: str, value: object) -> None:
    assert isinstance(check_line(3, encoded(line(**{path: value}))), ImportLine | LineProblem)
