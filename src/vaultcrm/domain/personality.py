"""How a creator sounds: the profile that prompts are built from."""

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID


class EmojiStyle(StrEnum):
    NONE = "none"
    RARE = "rare"
    MODERATE = "moderate"
    FREQUENT = "frequent"


@dataclass(frozen=True, slots=True)
class Personality:
    """One version of a creator's voice. `version` 0 is the default that nobody has edited yet."""

    creator_id: UUID
    version: int
    personality_type: str
    tone_descriptors: tuple[str, ...]
    forbidden_words: tuple[str, ...]
    preferred_phrases: tuple[str, ...]
    emoji_style: EmojiStyle
    system_prompt: str
