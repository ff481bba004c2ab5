"""Personalities: their fields, and how they use emoji."""

from collections.abc import Mapping

from vaultcrm.domain.personality import EmojiStyle

EMOJI_STYLES: Mapping[EmojiStyle, str] = {
    EmojiStyle.NONE: "None at all",
    EmojiStyle.RARE: "Rarely, at most one",
    EmojiStyle.MODERATE: "Now and then, one or two",
    EmojiStyle.FREQUENT: "Often, up to three",
}

VOICE_FIELDS: Mapping[str, str] = {
    "personality_type": "Type",
    "tone_descriptors": "Tone",
    "preferred_phrases": "Preferred phrases",
    "forbidden_words": "Forbidden words",
    "emoji_style": "Emoji",
    "system_prompt": "Instructions",
}
"""The fields of a personality by their names in the domain."""
