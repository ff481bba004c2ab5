"""Views: what a disguised text reads as, and where each letter of it was typed."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vaultcrm.pipeline.safety.normalise.folding import fold
from vaultcrm.pipeline.safety.normalise.view import Disguise, View, ViewName
from vaultcrm.pipeline.safety.normalise.views import views_of
from vaultcrm.pipeline.safety.normalise.vocabulary import Vocabulary

ANY_TEXT = st.text(st.characters(exclude_categories=()))
DISGUISED = st.lists(
    st.sampled_from(["v", "e", "3", ".", " ", "-", "\u200b", "\uff56", "\ufb03", "\u0435", "\n"])
).map("".join)


def _view(text: str, name: ViewName) -> View:
    return next(view for view in views_of(text) if view.name is name)


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("VENMO", "venmo"),
        ("\uff36\uff25\uff2e\uff2d\uff2f", "venmo"),
        ("\U0001d42f\U0001d41e\U0001d427\U0001d426\U0001d428", "venmo"),
        ("\U0001d4e5\U0001d4ee\U0001d4f7\U0001d4f6\U0001d4f8", "venmo"),
        ("\u24e5\u24d4\u24dd\u24dc\u24de", "venmo"),
        ("\U0001f165\U0001f154\U0001f15d\U0001f15c\U0001f15e", "venmo"),
        ("ve\u200bn\u200dm\ufeffo\u00ad", "venmo"),
        ("v\u0435nm\u043e", "venmo"),
        ("\u03bd\u0435\u03b7\u043c\u03bf", "venmo"),
        ("v\u00e9nm\u00f6", "venmo"),
        ("v\u0335e\u0336n\u0337m\u0338o\u0301", "venmo"),
        ("\u1d20\u1d07\u0274\u1d0d\u1d0f", "venmo"),
        ("v\u00f8\u0142", "vol"),
        ("\u2019\u2018\u02bc`", "''''"),
        ("\u2014\u2011\u2212", "---"),
        ("\u0665\u0665\u0665 \uff11\U0001d7d0", "555 12"),
        ("a\u00a0b\u3000c", "a b c"),
        ("\U000e0068\U000e0069", "hi"),
        ("\ud800", "\ufffd"),
    ],
)
def test_a_lookalike_reads_as_what_it_looks_like(typed: str, read: str) -> None:
    assert fold(typed) == read


@pytest.mark.parametrize("text", ["\u0915\u093f\u0924\u093e\u092c", "\u304c\u304e", "\ud55c\uae00"])
def test_letters_of_other_scripts_keep_the_marks_that_make_the_word(text: str) -> None:
    assert fold(text) == text


def test_plain_lower_case_text_is_one_view() -> None:
    views = views_of("hey you, how was your day?")
    assert [view.name for view in views] == [ViewName.PLAIN]


@pytest.mark.parametrize(
    ("typed", "name", "read"),
    [
        ("v3nm0 please", ViewName.LEET, "venmo please"),
        ("room 455 has c4ts!", ViewName.LEET, "room 455 has cats!"),
        ("v.e.n.m.o", ViewName.JOINED, "venmo"),
        ("v e n m o now", ViewName.JOINED, "venmo now"),
        ("v \U0001f525 e \U0001f525 n", ViewName.JOINED, "ven"),
        ("ven-mo", ViewName.JOINED, "venmo"),
        ("cash \n app", ViewName.JOINED, "cash app"),
        ("v.3.n.m.0", ViewName.JOINED_LEET, "venmo"),
    ],
)
def test_a_disguise_is_undone_in_its_own_view(typed: str, name: ViewName, read: str) -> None:
    assert _view(typed, name).text == read


@pytest.mark.parametrize(
    ("typed", "disguise"),
    [
        ("venmo", set()),
        ("VENMO", set()),
        ("v3nmo", {Disguise.LEET}),
        ("v.e.n.m.o", {Disguise.SEPARATED}),
        ("ve\u200bnmo", {Disguise.LOOKALIKE}),
        ("v.3.n.m.\u043e", {Disguise.LEET, Disguise.SEPARATED, Disguise.LOOKALIKE}),
    ],
)
def test_a_view_knows_how_a_word_was_disguised(typed: str, disguise: set[Disguise]) -> None:
    last = views_of(typed)[-1]
    assert last.disguises(0, len(last.text)) == disguise


WORDS = Vocabulary(["kik", "irl", "meet", "whore", "in"])


@pytest.mark.parametrize(
    ("typed", "readings"),
    [
        ("k i k", ["kik"]),
        ("k i k u r sweet", ["kikur sweet", "kik u r sweet"]),
        ("u.r.k.i.k", ["urkik", "ur kik"]),
        ("x i.n o x", ["xinox", "x in o x"]),
        ("i.k.i.k c.o", ["ikikco", "i kik co", "ikik co"]),
        ("m e e t i r l", ["meetirl", "meet irl"]),
        ("i r l e t c and k 1 k", ["irletc and k1k", "irl e t c and k1k"]),
        ("o m g 1.7", ["omg17", "o m g 17"]),
        ("x y z", ["xyz"]),
    ],
)
def test_letters_pulled_apart_are_read_at_once_and_in_known_words(
    typed: str, readings: list[str]
) -> None:
    found = [view.text for view in views_of(typed, WORDS) if view.name is ViewName.JOINED]
    assert found == readings


LONGER_WORDS = Vocabulary(
    ["cut", "thin", "thinking", "come", "me", "over", "to", "my", "place", "kik", "im"]
)


@pytest.mark.parametrize(
    ("letters", "words"),
    [
        ("icuthinking", ["thinking"]),
        ("comeovertomyplace", ["come", "over", "to", "my", "place"]),
        ("xkikur", ["kik"]),
        ("im15ok", ["im", "15"]),
        ("xyz", []),
    ],
)
def test_a_run_is_read_in_the_words_that_cover_the_most_of_it(
    letters: str, words: list[str]
) -> None:
    assert [letters[start:end] for start, end in LONGER_WORDS.reading(letters)] == words


@pytest.mark.parametrize(
    "typed", ["v e n m o  m e  n o w", "v.e.n.m.o m.e n.o.w", "v-e-n-m-o - m-e - n-o-w"]
)
def test_a_run_is_also_read_as_its_gaps_set_its_words_apart(typed: str) -> None:
    found = [view.text for view in views_of(typed, WORDS) if view.name is ViewName.JOINED]
    assert "venmo me now" in found


@pytest.mark.parametrize(
    "typed",
    [
        "\u142f\u4e47\u51e0\u722a\u3116",
        "\U0001f1fb\U0001f1ea\U0001f1f3\U0001f1f2\U0001f1f4",
        "\u142f\U0001f1ea\u20a6m\u3116",
    ],
)
def test_signs_that_are_drawn_like_letters_read_as_them(typed: str) -> None:
    view = _view(typed, ViewName.SIGNS)
    assert view.text == "venmo"
    assert view.disguises(0, 5) == {Disguise.LOOKALIKE}


@pytest.mark.parametrize("text", ["\u5c71\u53e3", "\u20ac30", "nice \U0001f1fa\U0001f1f8 flag"])
def test_signs_that_stand_for_themselves_make_no_view(text: str) -> None:
    assert [view.name for view in views_of(text)] == [ViewName.PLAIN]


@given(ANY_TEXT | DISGUISED)
@settings(deadline=None)
def test_every_character_of_every_view_leads_back_into_the_text(text: str) -> None:
    for view in views_of(text, Vocabulary(["ven", "enm", "v3n"])):
        previous = 0
        for index in range(len(view.text)):
            start, end = view.span(index, index + 1)
            assert 0 <= start < end <= len(text)
            assert start >= previous
            previous = start
        if view.text:
            start, end = view.span(0, len(view.text))
            assert 0 <= start < end <= len(text)


@given(ANY_TEXT)
@settings(deadline=None)
def test_the_plain_view_reads_each_character_where_it_was_typed(text: str) -> None:
    plain = views_of(text)[0]
    for index, char in enumerate(plain.text):
        start, end = plain.span(index, index + 1)
        assert char in fold(text[start:end])


@given(ANY_TEXT, ANY_TEXT)
@settings(deadline=None)
def test_folding_two_texts_is_folding_them_together(first: str, second: str) -> None:
    assert fold(first) + fold(second) == fold(first + second)


@given(ANY_TEXT)
@settings(deadline=None)
def test_a_folded_text_can_always_be_written_as_utf_8(text: str) -> None:
    for view in views_of(text):
        assert view.text.encode("utf-8").decode("utf-8") == view.text
