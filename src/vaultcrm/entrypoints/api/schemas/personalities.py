"""How a creator sounds."""

from uuid import UUID

from vaultcrm.domain.personality import EmojiStyle, Personality
from vaultcrm.entrypoints.api.fields import FreeText, Line, Schema


class PersonalityIn(Schema):
    """Any fields of the personality; those left out keep their value."""

    creator_id: UUID
    personality_type: Line | None = None
    tone_descriptors: list[FreeText] | None = None
    forbidden_words: list[FreeText] | None = None
    preferred_phrases: list[FreeText] | None = None
    emoji_style: Line | None = None
    system_prompt: FreeText | None = None


class PersonalityOut(Schema):
    """Version 0 is the default that nobody has edited yet."""

    creator_id: UUID
    version: int
    personality_type: str
    tone_descriptors: list[str]
    forbidden_words: list[str]
    preferred_phrases: list[str]
    emoji_style: EmojiStyle
    system_prompt: str

    @classmethod
    def of(cls, personality: Personality) -> "PersonalityOut":
        return cls(
            creator_id=personality.creator_id,
            version=personality.version,
            personality_type=personality.personality_type,
            tone_descriptors=list(personality.tone_descriptors),
            forbidden_words=list(personality.forbidden_words),
            preferred_phrases=list(personality.preferred_phrases),
            emoji_style=personality.emoji_style,
            system_prompt=personality.system_prompt,
        )
