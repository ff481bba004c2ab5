"""Conversations between one fan and one creator, and their messages."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from vaultcrm.domain.money import Money


class Mode(StrEnum):
    """What AI does in a conversation by itself."""

    AUTO = "auto"
    DRAFT_ONLY = "draft_only"
    OFF = "off"


class Sender(StrEnum):
    FAN = "fan"
    CREATOR = "creator"


class Author(StrEnum):
    """Who really wrote a message that carries the creator's name, or the fan. `DISCLOSURE` is the
    manager's fixed text that tells a fan about AI.
    """

    FAN = "fan"
    CHATTER = "chatter"
    AI_APPROVED = "ai_approved"
    AI_AUTOMATIC = "ai_automatic"
    DISCLOSURE = "disclosure"
    IMPORTED = "imported"


class Care(StrEnum):
    """Why selling and automation are stopped in a conversation until a person says otherwise."""

    DISTRESS = "distress"
    POSSIBLE_MINOR = "possible_minor"


@dataclass(frozen=True, slots=True)
class Conversation:
    """`external_ref` is the platform's own name for it."""

    id: UUID
    creator_id: UUID
    fan_id: UUID
    channel: str
    external_ref: str
    mode: Mode = Mode.AUTO
    care: Care | None = None
    disclosure_asked_at: datetime | None = None
    """When the fan asked whether AI writes, until they are told."""


@dataclass(frozen=True, slots=True)
class Message:
    id: UUID
    sender: Sender
    text: str
    sent_at: datetime
    author: Author = Author.IMPORTED
    price: Money | None = None
    purchased_at: datetime | None = None
