"""Redaction: what goes to logs and prompts holds no personal data, and all else word for word."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vaultcrm.pipeline.safety.normalise.views import views_of
from vaultcrm.pipeline.safety.personal_data import KINDS, redact, sightings

PLACEHOLDERS = {kind.placeholder for kind in KINDS} | {"[redacted]"}

CHARACTERS = st.characters(exclude_categories=())
PIECES = st.sampled_from(
    [
        *"0123456789@.-+( )/,:;#$\n\t\x00ab",
        *("\u200b", "\ud800", "\udfff", "\uff10", "\u0660", "\U0001f525", "\u0301", "\ufe0f\u20e3"),
        *(
            "415-555-2671",
            "+44 20 7946 0958",
            "four one five ",
            "double ",
            "mia@x.com",
            " at gmail",
        ),
        *(" dot com", "[at]", "my insta is ", "snap: ", "@mia_rose", "https://", ".com", "t.me/"),
        *("4111 1111 1111 1111", "DE89 3704 0044 0532 0130 00", "12 Oak ", "Street", "apt 4b"),
        *("rue de la Paix", "Calle Mayor 5", "Lindenweg 7", "10115 Berlin", "SW1A 1AA"),
        *("1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2", "0x", "call me ", "order ", "[phone]", "[email"),
    ]
)
TEXTS = st.text(CHARACTERS) | st.lists(PIECES | CHARACTERS, max_size=40).map("".join)
REGIONS = st.sampled_from(["US", "GB", "DE", "FR", "ES", "PT", "BR", "ZZ", ""])


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("call 415-555-2671 now", "call [phone] now"),
        ("call four one five five five five two six seven one now", "call [phone] now"),
        ("\U0001f525 mia@example.com \U0001f525", "\U0001f525 [email] \U0001f525"),
        ("mia (at) gmail (dot) com ok", "[email] ok"),
        ("card 4111 1111 1111 1111, iban DE89 3704 0044 0532 0130 00", "card [card], iban [iban]"),
        ("to 1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2", "to [crypto]"),
        ("come to 12 Oak Street, Austin, TX 78701!", "come to [address]!"),
        ("see https://example.com/a, my insta is mia.rose", "see [link], my insta is [handle]"),
        ("look at mysite dot com", "look at [link]"),
        ("my ssn is 123-45-6789", "my ssn is [ssn]"),
        ("\uff14\uff11\uff15-\uff15\uff15\uff15-\uff12\uff16\uff17\uff11!", "[phone]!"),
        ("2\u200b1\u200b2-555-0187", "[phone]"),
        ("3x12 at $25 on 2026-11-01", "3x12 at $25 on 2026-11-01"),
        ("", ""),
    ],
)
def test_personal_data_becomes_a_placeholder_and_the_rest_stays(text: str, redacted: str) -> None:
    assert redact(text) == redacted


def test_national_numbers_are_redacted_by_the_region() -> None:
    assert redact("612 345 678", "ES") == "[phone]"
    assert redact("612 345 678", "US") == "612 345 678"


def test_more_numbers_than_the_filter_tries_are_all_redacted() -> None:
    text = ", ".join(f"+1 415 555 {n:04}" for n in range(200))
    assert redact(text) == ", ".join(["[phone]"] * 200)


@given(TEXTS, REGIONS)
@settings(max_examples=400, deadline=None)
def test_redacting_twice_is_redacting_once(text: str, region: str) -> None:
    once = redact(text, region)
    assert redact(once, region) == once


@given(TEXTS, REGIONS)
@settings(max_examples=400, deadline=None)
def test_nothing_but_placeholders_is_added_and_their_places_only_are_lost(
    text: str, region: str
) -> None:
    redacted = redact(text, region)
    for placeholder in PLACEHOLDERS:
        redacted = redacted.replace(placeholder, "\x01")
    for placeholder in PLACEHOLDERS:
        text = text.replace(placeholder, "\x01")
    at = 0
    for kept in redacted.split("\x01"):
        assert kept in text[at:]
        at += text[at:].index(kept) + len(kept)


@given(TEXTS, REGIONS)
@settings(max_examples=400, deadline=None)
def test_a_sighting_in_any_text_lies_in_it(text: str, region: str) -> None:
    plain = views_of(text)[0]
    for sighting in sightings(plain, region):
        assert 0 <= sighting.start < sighting.end <= len(plain.text)
        start, end = plain.span(sighting.start, sighting.end)
        assert 0 <= start < end <= len(text)


@pytest.mark.parametrize(
    "data", ["415-555-2671", "mia@example.com", "4111 1111 1111 1111", "https://example.com/a"]
)
@given(before=st.text(st.characters(categories=["So", "Lo"]), max_size=20))
@settings(max_examples=60, deadline=None)
def test_what_stands_before_does_not_move_the_span(data: str, before: str) -> None:
    text = f"{before} {data} \U0001f525"
    plain = views_of(text)[0]
    spans = {plain.span(s.start, s.end) for s in sightings(plain, "US")}
    start = len(before) + 1
    assert (start, start + len(data)) in spans
