"""A generation: one AI draft and its whole history."""

from dataclasses import dataclass
from enum import StrEnum


class GenerationType(StrEnum):
    REPLY = "reply"
    PPV_OFFER = "ppv_offer"
    WELCOME = "welcome"
    RE_ENGAGEMENT = "re_engagement"
    THANK_YOU = "thank_you"

    @property
    def sells(self) -> bool:
        return self is GenerationType.PPV_OFFER


SIMPLE_TYPES = frozenset({GenerationType.REPLY, GenerationType.WELCOME, GenerationType.THANK_YOU})
SIMPLE_REPLY_MAX_CHARACTERS = 400


class GenerationStatus(StrEnum):
    QUEUED = "queued"
    APPROVED = "approved"
    AUTO_SENT = "auto_sent"
    REJECTED = "rejected"
    EXPIRED = "expired"


class DeliveryStatus(StrEnum):
    PENDING = "pending"
    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"
    UNCERTAIN = "uncertain"


class FeedbackType(StrEnum):
    APPROVED = "approved"
    MODIFIED = "modified"
    REJECTED = "rejected"
    AUTO_SENT = "auto_sent"


@dataclass(frozen=True, slots=True)
class TokenUsage:
    """Tokens of one model call. `input` leaves cached tokens out, as the Anthropic API does."""

    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0

    def __add__(self, other: "TokenUsage") -> "TokenUsage":
        return TokenUsage(
            self.input + other.input,
            self.output + other.output,
            self.cache_read + other.cache_read,
            self.cache_write + other.cache_write,
        )

    @property
    def total(self) -> int:
        """What counts against token limits: everything that was read or written."""
        return self.input + self.output + self.cache_read + self.cache_write
