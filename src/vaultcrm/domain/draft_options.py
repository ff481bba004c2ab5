"""What a person may ask for of a draft, beside its type."""

from dataclasses import dataclass
from enum import StrEnum


class Tone(StrEnum):
    """How this one message should sound, beside what the creator always sounds like."""

    WARMER = "warmer"
    PLAYFUL = "playful"
    CALMER = "calmer"
    DIRECT = "direct"


class Length(StrEnum):
    SHORTER = "shorter"
    LONGER = "longer"


LONGEST_HINT = 300
LONGEST_BEGINNING = 1_000


@dataclass(frozen=True, slots=True)
class DraftOptions:
    """What a person asks for beside the type; all of it may be left open.

    `hint` is what the message should say, in the person's words, of at most 300 characters;
    `begin_from` is a text of theirs that the draft keeps to and betters, of at most 1,000.
    """

    tone: Tone | None = None
    length: Length | None = None
    hint: str = ""
    begin_from: str = ""

    @property
    def own_words(self) -> str:
        """Everything that the person wrote, as it is checked before a model sees it."""
        return "\n".join(text for text in (self.hint, self.begin_from) if text)


NO_OPTIONS = DraftOptions()
