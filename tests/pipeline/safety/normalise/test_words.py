"""Disguised words: what each is read as, and what is left as it is."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vaultcrm.pipeline.safety.normalise.view import Disguise, View
from vaultcrm.pipeline.safety.normalise.views import views_of
from vaultcrm.pipeline.safety.normalise.words import WAYS, WordReader, innocent_words

WORDS = ["telegram", "cash", "meet", "person", "come", "place", "venmo", "whore", "number", "can"]
PHRASES = ["telegram", "venmo", "whore", "kik", "cash app", "meet in person"]
READER = WordReader(WORDS, PHRASES)


def _reread(text: str) -> list[View]:
    return list(READER.reread(views_of(text)[0]))


@pytest.mark.parametrize(
    ("typed", "read", "disguise"),
    [
        ("c4sh", "cash", Disguise.LEET),
        ("t3l3gr@m", "telegram", Disguise.LEET),
        ("(ash", "cash", Disguise.LEET),
        ("p1ace", "place", Disguise.LEET),
        ("te|egram", "telegram", Disguise.LEET),
        ("teIegram", "telegram", Disguise.LOOKALIKE),
        ("vvhore", "whore", Disguise.LOOKALIKE),
        ("nurnber", "number", Disguise.LOOKALIKE),
        ("venmooo", "venmo", Disguise.STRETCHED),
        ("vennmo", "venmo", Disguise.STRETCHED),
        ("kikkk", "kik", Disguise.STRETCHED),
        ("c*sh", "cash", Disguise.MASKED),
        ("v\U0001f525nmo", "venmo", Disguise.MASKED),
        ("k*k", "kik", Disguise.MASKED),
        ("venm*", "venmo", Disguise.MASKED),
        ("te*eg*am", "telegram", Disguise.MASKED),
        ("ve\u2665\u2665nmo", "venmo", Disguise.SEPARATED),
        ("tele gram", "telegram", Disguise.SEPARATED),
        ("te leg ram", "telegram", Disguise.SEPARATED),
        ("vemno", "venmo", Disguise.MISSPELLED),
        ("telegrm", "telegram", Disguise.MISSPELLED),
        ("peeple, i c4n't", "peeple, i can't", Disguise.LEET),
    ],
)
def test_a_disguised_word_is_read_as_the_word(typed: str, read: str, disguise: Disguise) -> None:
    views = _reread(typed)
    assert read in [view.text for view in views]
    view = next(view for view in views if view.text == read)
    assert [mark for _, _, mark in view.rewritten] == [disguise]


@pytest.mark.parametrize(
    "text",
    [
        "telegram",
        "come to my place",
        "venom",
        "palace",
        "*cash*",
        "#telegram!",
        "24/7",
        "1 000 000",
        "me et",
        "can't",
        "k.k",
        "cas",
        "!!! ??? ...",
        "",
    ],
)
def test_a_word_that_stands_for_itself_or_for_nothing_is_left_alone(text: str) -> None:
    assert _reread(text) == []


def test_a_word_that_may_be_several_is_read_as_each() -> None:
    reader = WordReader(["dock", "duck", "deck"], [])
    read = [view.text for view in reader.reread(views_of("the d*ck")[0])]
    assert sorted(read) == ["the deck", "the dock", "the duck"]
    many = WordReader([f"{letter}ock" for letter in "bcdhjlmnrst"], [])
    assert len(list(many.reread(views_of("the *ock")[0]))) == WAYS


def test_a_reread_word_points_at_all_that_was_typed_for_it() -> None:
    text = "so V3NM\u200bOOO now"
    view = next(view for view in _reread(text) if view.text == "so venmo now")
    assert view.span(3, 8) == (3, 11)
    assert text[slice(*view.span(9, 12))] == "now"


def test_no_innocent_word_is_read_as_another() -> None:
    assert len(innocent_words()) > 1000
    alone = [word for word in innocent_words() if "+" not in word]
    assert _reread(" ".join(alone)) == []


def test_what_a_reader_remembers_has_an_end() -> None:
    reader = WordReader(WORDS, PHRASES)
    for start in range(0, 120_000, 2_000):
        text = " ".join(f"w{number}x" for number in range(start, start + 2_000))
        assert list(reader.reread(views_of(text)[0])) == []
    again = [view.text for view in reader.reread(views_of("c4sh")[0])]
    assert again == ["cash"]


@given(st.lists(st.sampled_from([*"cashvenmo4@$*. -_'\u2665\u200b\u0435!|", " "]), max_size=40))
@settings(deadline=None)
def test_whatever_is_typed_every_reading_leads_back_into_it(pieces: list[str]) -> None:
    text = "".join(pieces)
    for view in _reread(text):
        previous = 0
        for index in range(len(view.text)):
            start, end = view.span(index, index + 1)
            assert previous <= start < end <= len(text)
            previous = start
