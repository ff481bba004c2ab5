"""Conversations and their messages."""

from datetime import datetime
from uuid import UUID

from pydantic import Field

from vaultcrm.domain.conversation import Author, Care, Mode, Sender
from vaultcrm.domain.people import Tier
from vaultcrm.entrypoints.api.fields import (
    Line,
    Schema,
    Text,
    Time,
)


class ConversationIn(Schema):
    creator_id: UUID
    fan_id: UUID
    channel: Line = "simulator"
    external_ref: Line | None = None
    mode: Mode = Mode.AUTO


class ModeIn(Schema):
    creator_id: UUID
    mode: Mode


class CareIn(Schema):
    """`care` null lets selling and automation go on; `reason` is kept in the audit log."""

    creator_id: UUID
    care: Care | None
    reason: Line


class ConversationOut(Schema):
    id: UUID
    creator_id: UUID
    fan_id: UUID
    channel: str
    external_ref: str
    mode: Mode
    care: Care | None
    last_message_at: datetime | None
    waiting_since: datetime | None
    unread_count: int
    created_at: datetime
    fan_handle: str
    fan_display_name: str
    fan_tier: Tier
    fan_lifetime_value_minor: int
    currency: str
    fan_last_seen_at: datetime | None


class MessageIn(Schema):
    """A message to store in a conversation, as if it had come over its channel.

    `id` is the sender's own; the same id twice is one message.
    """

    creator_id: UUID
    id: Line
    sender: Sender = Field(alias="from")
    text: Text
    sent_at: Time | None = None


class MessageOut(Schema):
    id: UUID
    conversation_id: UUID
    sender: Sender
    author: Author
    text: str
    price_minor: int | None
    currency: str | None
    purchased_at: datetime | None
    sent_at: datetime
    generation_id: UUID | None
