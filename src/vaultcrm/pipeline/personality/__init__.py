"""The personality engine: the voice to use, and changes to it that make sense."""

import unicodedata
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from uuid import UUID

from vaultcrm.domain.errors import FieldProblem, InvalidInput
from vaultcrm.domain.personality import EmojiStyle, Personality

DEFAULT_TYPE = "friendly"
DEFAULT_TONE = ("warm", "attentive", "unhurried")
MOST_ENTRIES = 200
LONGEST_ENTRY = 200
LONGEST_SYSTEM_PROMPT = 4_000
LONGEST_VOICE_BYTES = 6_000
BYTES_AROUND_ENTRY = 3
"""A dash, a space and the end of the line."""
LONGEST_TYPE = 100

_LISTS = {
    "tone_descriptors": "toneDescriptors",
    "forbidden_words": "forbiddenWords",
    "preferred_phrases": "preferredPhrases",
}
_TEXTS = {"personality_type": "personalityType", "system_prompt": "systemPrompt"}


def personality_or_default(stored: Personality | None, creator_id: UUID) -> Personality:
    """The stored voice, or a plain friendly one with version 0 when nobody has made one."""
    if stored is not None:
        return stored
    return Personality(
        creator_id=creator_id,
        version=0,
        personality_type=DEFAULT_TYPE,
        tone_descriptors=DEFAULT_TONE,
        forbidden_words=(),
        preferred_phrases=(),
        emoji_style=EmojiStyle.RARE,
        system_prompt="",
    )


def revise(current: Personality, changes: Mapping[str, Any]) -> Personality:
    """The next version with some fields changed; raises InvalidInput naming each field at fault.

    `changes` goes by the field names of `Personality`; fields that are left out keep their value.
    Whose voice it is and its version are no one's to change.
    """
    values: dict[str, Any] = {}
    problems: list[FieldProblem] = []
    for name, value in changes.items():
        if name in _LISTS:
            values[name], found = _entries(_LISTS[name], value)
        elif name in _TEXTS:
            values[name], found = _text(_TEXTS[name], value)
        elif name == "emoji_style":
            values[name], found = _emoji_style(value)
        else:
            found = [FieldProblem(name, "is no field of a personality that can be changed")]
        problems += found
    if not problems:
        revised = replace(current, **values, version=current.version + 1)
        problems = _contradictions(revised) + _too_long(revised)
        if not problems:
            return revised
    raise InvalidInput(*problems)


def voice_bytes(personality: Personality) -> int:
    """How many bytes of UTF-8 a voice takes in a prompt: its instructions and every entry's line.

    At most `LONGEST_VOICE_BYTES` of them can be saved.
    """
    entries = (
        *personality.tone_descriptors,
        *personality.forbidden_words,
        *personality.preferred_phrases,
    )
    around = sum(len(entry.encode()) + BYTES_AROUND_ENTRY for entry in entries)
    return len(personality.system_prompt.encode()) + around


def _emoji_style(value: Any) -> tuple[EmojiStyle, list[FieldProblem]]:
    try:
        return EmojiStyle(value), []
    except ValueError:
        known = ", ".join(style.value for style in EmojiStyle)
        problem = FieldProblem("emojiStyle", f"unknown emoji style; use one of {known}")
        return EmojiStyle.NONE, [problem]


def _text(label: str, value: Any) -> tuple[str, list[FieldProblem]]:
    """A text as it is, and what is wrong with it."""
    if not isinstance(value, str):
        return "", [FieldProblem(label, "must be a text")]
    if label == "personalityType" and (not value.strip() or len(value) > LONGEST_TYPE):
        return value, [FieldProblem(label, f"must have 1 to {LONGEST_TYPE} characters")]
    if label == "systemPrompt" and len(value) > LONGEST_SYSTEM_PROMPT:
        reason = f"must have at most {LONGEST_SYSTEM_PROMPT:,} characters"
        return value, [FieldProblem(label, reason)]
    return value, []


def _entries(label: str, value: Any) -> tuple[tuple[str, ...], list[FieldProblem]]:
    """Entries without blanks at the ends and without repeats, and what is wrong with them.

    A problem names an entry by its place in what was given.
    """
    if not isinstance(value, list | tuple) or not all(isinstance(entry, str) for entry in value):
        return (), [FieldProblem(label, "must be a list of texts")]
    stripped = [entry.strip() for entry in value]
    cleaned = tuple(dict.fromkeys(stripped))
    problems = []
    if len(cleaned) > MOST_ENTRIES:
        problems.append(FieldProblem(label, f"must have at most {MOST_ENTRIES} entries"))
    for index, entry in enumerate(stripped):
        if not entry:
            problems.append(FieldProblem(f"{label}.{index}", "must not be empty"))
        elif len(entry) > LONGEST_ENTRY:
            problems.append(
                FieldProblem(f"{label}.{index}", f"must have at most {LONGEST_ENTRY} characters")
            )
    return cleaned, problems


def _contradictions(personality: Personality) -> list[FieldProblem]:
    """A preferred phrase that holds a forbidden word would have each of its drafts stopped."""
    return [
        FieldProblem(f"preferredPhrases.{index}", f"“{phrase}” holds the forbidden word “{word}”")
        for index, phrase in enumerate(personality.preferred_phrases)
        for word in personality.forbidden_words
        if _holds(phrase, word)
    ]


def _too_long(personality: Personality) -> list[FieldProblem]:
    """A voice is part of every prompt: it must leave room there for the conversation."""
    size = voice_bytes(personality)
    if size <= LONGEST_VOICE_BYTES:
        return []
    reason = (
        f"with all lists the voice has {size:,} bytes, at most {LONGEST_VOICE_BYTES:,} fit a "
        "prompt beside the conversation: shorten it or take entries out"
    )
    return [FieldProblem("systemPrompt", reason)]


def _holds(phrase: str, word: str) -> bool:
    """Whether a phrase holds a word or phrase whole, whatever its case and punctuation.

    A forbidden entry without a letter or digit, such as an emoji, is looked for as it is.
    """
    words = _words(word)
    return f" {words} " in f" {_words(phrase)} " if words else word in phrase


def _words(text: str) -> str:
    plain = unicodedata.normalize("NFKC", text).casefold()
    return " ".join("".join(letter if letter.isalnum() else " " for letter in plain).split())
