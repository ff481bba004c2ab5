"""What differs between two versions of a voice, and what was typed over one that was replaced."""

from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.pipeline.situations import VOICE
from vaultcrm.domain.personality import EmojiStyle
from vaultcrm.pipeline.personality.differences import (
    CONTEXT,
    Kind,
    Piece,
    differences,
    in_context,
    rebase,
)

TEXT = st.text(alphabet=" \n.abc", max_size=60)
ENTRIES = st.lists(st.sampled_from(["a", "b", "c", "d"]), unique=True).map(tuple)


def told(**changes: Any) -> dict[str, list[tuple[str, str]]]:
    """The pieces of each field that differs once VOICE is changed so."""
    return {
        one.field: [(piece.kind.value, piece.text) for piece in one.pieces]
        for one in differences(VOICE, replace(VOICE, **changes))
    }


def whole(pieces: tuple[Piece, ...], left_out: Kind) -> str:
    return "".join(piece.text for piece in pieces if piece.kind is not left_out)


def test_a_voice_does_not_differ_from_itself_or_from_a_version_that_says_the_same() -> None:
    assert differences(VOICE, VOICE) == ()
    assert told(version=VOICE.version + 1) == {}


def test_fields_that_are_the_same_are_not_told_of() -> None:
    changed = told(emoji_style=EmojiStyle.NONE, personality_type="dry")
    assert list(changed) == ["personality_type", "emoji_style"]
    assert changed["emoji_style"] == [("taken", VOICE.emoji_style.value), ("added", "none")]


def test_a_text_is_compared_word_by_word() -> None:
    before = replace(VOICE, system_prompt="She films the sea.\nShe is calm.")
    after = replace(VOICE, system_prompt="She films the sea at dawn.\nShe is calm.")
    [found] = differences(before, after)
    assert [(piece.kind.value, piece.text) for piece in found.pieces] == [
        ("same", "She films the "),
        ("taken", "sea."),
        ("added", "sea at dawn."),
        ("same", "\nShe is calm."),
    ]


def test_a_phrase_for_a_phrase_is_one_change_and_not_one_for_each_word() -> None:
    before = replace(VOICE, system_prompt="Say good morning to you, always.")
    after = replace(VOICE, system_prompt="Say hello dear friend, always.")
    [found] = differences(before, after)
    assert [(piece.kind.value, piece.text) for piece in found.pieces] == [
        ("same", "Say "),
        ("taken", "good morning to you,"),
        ("added", "hello dear friend,"),
        ("same", " always."),
    ]


def test_a_list_is_compared_entry_by_entry() -> None:
    before = replace(VOICE, tone_descriptors=("warm", "dry", "calm"))
    after = replace(VOICE, tone_descriptors=("warm", "calm", "a little cheeky"))
    [found] = differences(before, after)
    assert found.is_list
    assert [(piece.kind.value, piece.text) for piece in found.pieces] == [
        ("same", "warm"),
        ("taken", "dry"),
        ("same", "calm"),
        ("added", "a little cheeky"),
    ]


@given(TEXT, TEXT)
def test_both_texts_can_be_read_from_their_difference(old: str, new: str) -> None:
    found = differences(replace(VOICE, system_prompt=old), replace(VOICE, system_prompt=new))
    assert bool(found) == (old != new)
    for one in found:
        assert whole(one.pieces, Kind.ADDED) == old
        assert whole(one.pieces, Kind.TAKEN) == new


@given(ENTRIES, ENTRIES)
def test_both_lists_can_be_read_from_their_difference(
    old: tuple[str, ...], new: tuple[str, ...]
) -> None:
    found = differences(replace(VOICE, forbidden_words=old), replace(VOICE, forbidden_words=new))
    assert bool(found) == (old != new)
    for one in found:
        assert tuple(p.text for p in one.pieces if p.kind is not Kind.ADDED) == old
        assert tuple(p.text for p in one.pieces if p.kind is not Kind.TAKEN) == new


def test_long_unchanged_text_is_cut_to_what_is_beside_a_change() -> None:
    long = "".join(f"word{number} " for number in range(60))
    before = replace(VOICE, system_prompt=f"{long}sea {long}")
    after = replace(VOICE, system_prompt=f"{long}lake {long}")
    [found] = differences(before, after)
    first, taken, added, last = in_context(found.pieces)
    assert (taken, added) == (Piece("sea", Kind.TAKEN), Piece("lake", Kind.ADDED))
    assert first.text.startswith("…word")
    assert long.endswith(first.text.removeprefix("…"))
    assert len(first.text) <= CONTEXT + 1
    assert f" {long}".startswith(last.text.removesuffix("…") + " ")
    assert len(last.text) <= CONTEXT + 1
    short = (Piece("as it is ", Kind.SAME), Piece("now", Kind.ADDED))
    assert in_context(short) == short


def test_what_was_typed_is_carried_over_and_what_was_not_touched_is_theirs() -> None:
    base = {"tone": "warm", "prompt": "She films the sea."}
    newest = {"tone": "warm\ndry", "prompt": "She films."}
    typed = {"tone": "warm", "prompt": "She films the lake."}
    assert rebase(typed, base, newest) == {"tone": "warm\ndry", "prompt": "She films the lake."}
