"""What leaves: one message that was decided on, bound to exactly what was decided."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from vaultcrm.domain.conversation import Author, Care, Mode
from vaultcrm.domain.generation import DeliveryStatus
from vaultcrm.domain.money import Money


@dataclass(frozen=True, slots=True)
class OutboxItem:
    """One row of `outbox`. `id` is the idempotency key that the platform sees.

    `seen_message_id` is the newest message of the fan that the decision was made with; a draft is
    not sent when a newer one has come in.
    """

    id: UUID
    creator_id: UUID
    conversation_id: UUID
    generation_id: UUID | None
    author: Author
    author_user_id: UUID | None
    text: str
    price: Money | None
    media_ids: tuple[str, ...]
    bound_hash: bytes
    seen_message_id: UUID | None
    not_before: datetime
    status: DeliveryStatus = DeliveryStatus.PENDING
    attempts: int = 0
    external_id: str | None = None
    """The platform's own id, once it has taken the message."""
    template_id: UUID | None = None
    """The template that the message was made from, if from any."""
    after_id: UUID | None = None
    """The disclosure in the outbox that the platform must have taken before this may leave."""


@dataclass(frozen=True, slots=True)
class Recipient:
    """Where a message goes, read anew right before sending."""

    channel: str
    conversation_ref: str
    fan_id: UUID
    fan_handle: str
    newest_fan_message_id: UUID | None
    care: Care | None = None
    mode: Mode = Mode.AUTO
    send_delay_seconds: int | None = None
    """What the creator's account on this channel sets; None leaves it to the settings."""
    told_at: datetime | None = None
    """When the fan was last told that AI helps to write."""
    asked_at: datetime | None = None
    """When they asked whether AI writes, until they are told."""
    paused: bool = False
    """Whether sending over this account has stopped until a person says otherwise."""
