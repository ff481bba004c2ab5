"""The voice in force, and changes to it that make sense."""

from dataclasses import asdict, replace
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.pipeline.situations import CREATOR, VOICE
from vaultcrm.controls.limits import PROMPT_TOKEN_BUDGET
from vaultcrm.domain.errors import InvalidInput
from vaultcrm.domain.personality import EmojiStyle
from vaultcrm.pipeline.personality import personality_or_default, revise
from vaultcrm.pipeline.prompting import estimated_tokens, render_system


def faults(**changes: Any) -> dict[str, str]:
    """The fields at fault, with the reasons, when a voice cannot be changed so."""
    with pytest.raises(InvalidInput) as refused:
        revise(VOICE, changes)
    return {problem.field: problem.reason for problem in refused.value.problems}


def contradicts(phrase: str, word: str) -> bool:
    try:
        revise(VOICE, {"preferred_phrases": [phrase], "forbidden_words": [word]})
    except InvalidInput:
        return True
    return False


def test_a_stored_voice_is_the_voice_in_force() -> None:
    assert personality_or_default(VOICE, VOICE.creator_id) == VOICE


def test_a_creator_without_a_voice_gets_a_plain_friendly_one_of_version_0() -> None:
    default = personality_or_default(None, UUID(int=7))
    assert (default.creator_id, default.version) == (UUID(int=7), 0)
    assert default.personality_type == "friendly"
    assert default.tone_descriptors
    assert (default.forbidden_words, default.preferred_phrases) == ((), ())
    assert default.system_prompt == ""


def test_the_default_voice_can_be_saved_as_it_is() -> None:
    default = personality_or_default(None, UUID(int=7))
    assert revise(default, {}) == replace(default, version=1)


def test_a_revision_is_the_next_version_and_keeps_what_is_not_changed() -> None:
    revised = revise(VOICE, {"emoji_style": "none", "tone_descriptors": ["dry"]})
    assert revised == replace(
        VOICE, version=4, emoji_style=EmojiStyle.NONE, tone_descriptors=("dry",)
    )


def test_every_field_of_a_voice_can_be_changed_at_once() -> None:
    changes = {
        "personality_type": "calm",
        "tone_descriptors": ("slow",),
        "forbidden_words": ("hurry",),
        "preferred_phrases": ("take your time",),
        "emoji_style": EmojiStyle.NONE,
        "system_prompt": "Short sentences.",
    }
    revised = asdict(revise(VOICE, changes))
    assert revised == changes | {"creator_id": VOICE.creator_id, "version": 4}


def test_entries_lose_blanks_at_their_ends_and_repeats() -> None:
    revised = revise(VOICE, {"preferred_phrases": ["  sweet dreams ", "hey", "sweet dreams"]})
    assert revised.preferred_phrases == ("sweet dreams", "hey")


@pytest.mark.parametrize("field", ["creator_id", "version", "mood"])
def test_what_is_no_changeable_field_is_named_and_refused(field: str) -> None:
    assert list(faults(**{field: 1})) == [field]


def test_an_unknown_emoji_style_is_refused_with_the_known_ones() -> None:
    reason = faults(emoji_style="heaps")["emojiStyle"]
    assert all(style.value in reason for style in EmojiStyle)


@pytest.mark.parametrize(
    ("field", "label"),
    [
        ("tone_descriptors", "toneDescriptors"),
        ("forbidden_words", "forbiddenWords"),
        ("preferred_phrases", "preferredPhrases"),
    ],
)
def test_a_list_at_fault_is_named_with_the_place_of_the_entry(field: str, label: str) -> None:
    assert list(faults(**{field: ["fine", "fine", "  "]})) == [f"{label}.2"]
    assert list(faults(**{field: ["fine", "x" * 201]})) == [f"{label}.1"]
    assert list(faults(**{field: [f"word{n}" for n in range(201)]})) == [label]
    assert list(faults(**{field: "one text"})) == [label]
    assert list(faults(**{field: None})) == [label]
    assert list(faults(**{field: ["fine", 7]})) == [label]


def test_an_entry_and_a_list_of_just_the_longest_kind_are_taken() -> None:
    for entries in (["x" * 200], [f"{n:03}" for n in range(200)]):
        assert revise(VOICE, {"tone_descriptors": entries}).tone_descriptors == tuple(entries)


def test_a_voice_that_leaves_the_conversation_no_room_in_the_prompt_is_refused() -> None:
    entries = [f"{n:0197}" for n in range(20)]
    fitting = revise(VOICE, {"forbidden_words": entries, "system_prompt": "x" * 1_900})
    assert estimated_tokens(render_system(CREATOR, fitting)) < PROMPT_TOKEN_BUDGET - 900
    assert list(faults(forbidden_words=entries, system_prompt="x" * 2_100)) == ["systemPrompt"]


@pytest.mark.parametrize("value", ["", "   ", "x" * 101, None, 7])
def test_a_kind_of_voice_of_no_or_too_many_characters_is_named(value: Any) -> None:
    assert list(faults(personality_type=value)) == ["personalityType"]


@pytest.mark.parametrize("value", ["x" * 4001, None])
def test_a_system_prompt_that_is_too_long_is_named(value: Any) -> None:
    assert list(faults(system_prompt=value)) == ["systemPrompt"]


@pytest.mark.parametrize(("kind", "prompt"), [("x" * 100, "x" * 4000), ("x", "")])
def test_texts_of_just_the_longest_and_shortest_kind_are_taken(kind: str, prompt: str) -> None:
    revised = revise(VOICE, {"personality_type": kind, "system_prompt": prompt})
    assert (revised.personality_type, revised.system_prompt) == (kind, prompt)


def test_all_fields_at_fault_are_named_at_once() -> None:
    found = faults(
        emoji_style="heaps",
        tone_descriptors=[""],
        personality_type="",
        system_prompt="x" * 5000,
        version=9,
    )
    assert set(found) == {
        "emojiStyle",
        "toneDescriptors.0",
        "personalityType",
        "systemPrompt",
        "version",
    }


@pytest.mark.parametrize(
    ("phrase", "word"),
    [
        ("send me cash", "cash"),
        ("Send me CASH!", "cash"),
        ("send me cash", "Cash."),
        ("cash, now", "cash"),
        ("it is your last-chance", "last chance"),
        ("STRASSE und Haus", "straße"),
        ("ｃａｓｈ please", "cash"),
        ("cafe\u0301 time", "caf\u00e9"),
        ("good night 💋 you", "💋"),
        ("only $$$ today", "$$$"),
    ],
)
def test_a_preferred_phrase_that_holds_a_forbidden_word_is_a_contradiction(
    phrase: str, word: str
) -> None:
    assert contradicts(phrase, word)


@pytest.mark.parametrize(
    ("phrase", "word"),
    [
        ("my cashmere sweater", "cash"),
        ("encash it", "cash"),
        ("a chance at last", "last chance"),
        ("good night 🎉", "💋"),
        ("💋", "🎉"),
        ("see you", "you see"),
    ],
)
def test_a_phrase_that_only_looks_like_a_forbidden_word_is_none(phrase: str, word: str) -> None:
    assert not contradicts(phrase, word)


def test_a_contradiction_names_the_phrase_and_tells_phrase_and_word() -> None:
    found = faults(preferred_phrases=["hey you", "pay in cash"], forbidden_words=["gold", "cash"])
    assert list(found) == ["preferredPhrases.1"]
    assert "pay in cash" in found["preferredPhrases.1"]
    assert "cash" in found["preferredPhrases.1"]


def test_a_new_forbidden_word_is_held_against_the_phrases_that_stay() -> None:
    assert list(faults(forbidden_words=["day"])) == ["preferredPhrases.0"]


WORDS = st.text("abcdefghij", min_size=1, max_size=6)


@given(st.lists(WORDS, min_size=1, max_size=6), st.data())
def test_each_word_of_a_phrase_forbids_it_and_no_other_word_does(
    words: list[str], data: st.DataObject
) -> None:
    phrase = data.draw(st.sampled_from([" ", ", ", "... ", "-"])).join(words)
    assert contradicts(phrase, data.draw(st.sampled_from(words)).upper())
    assert not contradicts(phrase, data.draw(WORDS.filter(lambda word: word not in words)))
