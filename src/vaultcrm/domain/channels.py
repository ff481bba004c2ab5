"""Where messages come from and go to: the port `Channel`."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol
from uuid import UUID

from vaultcrm.domain.money import Money


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a platform can do and what its terms allow.

    `idempotent_sends`: the platform takes the same id twice for one message. `takes_prices` and
    `takes_media` say whether a message may carry them; `price_needs_media` that a price is for
    media and never for text alone. `longest_caption` is the longest text that goes along with
    media, where that is another length. Lengths are in characters; where `counts_utf16`, in UTF-16
    units, of which most emoji are two or more.
    """

    automated_sending: bool
    idempotent_sends: bool
    longest_text: int
    takes_prices: bool = True
    takes_media: bool = True
    price_needs_media: bool = False
    least_price: Money | None = None
    greatest_price: Money | None = None
    unsend_seconds: int = 0
    longest_caption: int | None = None
    counts_utf16: bool = False

    def length_of(self, text: str) -> int:
        """How long the platform finds a text."""
        return (
            len(text.encode("utf-16-le", "surrogatepass")) // 2 if self.counts_utf16 else len(text)
        )

    def longest(self, *, with_media: bool) -> int:
        """The longest text of a message, as `length_of` counts it."""
        if with_media and self.longest_caption is not None:
            return self.longest_caption
        return self.longest_text


class EventKind(StrEnum):
    """What a platform can tell. `CREATOR_MESSAGE` was written on the platform itself, past us."""

    MESSAGE = "message"
    CREATOR_MESSAGE = "creator_message"
    PURCHASE = "purchase"
    REFUND = "refund"
    CHARGEBACK = "chargeback"
    TIP = "tip"
    FOLLOW = "follow"
    SUBSCRIPTION = "subscription"


@dataclass(frozen=True, slots=True)
class InboundEvent:
    """One thing that happened on a platform, in our words. `event_id` makes it count once.

    `message_ref` is the platform's id of the message that came, was bought or was refunded;
    `amount` is what a purchase, tip or subscription cost, or what a refund or chargeback took back.
    """

    event_id: str
    kind: EventKind
    fan_handle: str
    fan_display_name: str
    conversation_ref: str
    occurred_at: datetime
    message_ref: str = ""
    text: str = ""
    amount: Money | None = None


@dataclass(frozen=True, slots=True)
class OutboundMessage:
    """One message to send. `id` is the idempotency key: the same id is the same message."""

    id: UUID
    creator_id: UUID
    conversation_id: UUID
    conversation_ref: str
    fan_handle: str
    text: str
    price: Money | None = None
    media_ids: tuple[str, ...] = ()


class SendStatus(StrEnum):
    """`UNCERTAIN`: the platform may or may not have taken it, so a person is asked."""

    SENT = "sent"
    FAILED = "failed"
    UNCERTAIN = "uncertain"


class SendErrorKind(StrEnum):
    RETRYABLE = "retryable"
    RATE_LIMITED = "rate_limited"
    POLICY = "policy"
    AUTH = "auth"
    INVALID = "invalid"


@dataclass(frozen=True, slots=True)
class SendResult:
    status: SendStatus
    message_id: str = ""
    cancel_until: datetime | None = None
    error_kind: SendErrorKind | None = None
    error: str = ""
    retry_after: float | None = None
    """Seconds."""
    may_have_arrived: bool = False
    """Of a failure on a platform with idempotency: it may have been taken, and asking again under
    the same id finds out."""


class Channel(Protocol):
    """One platform. `verify` and `parse` see the raw bytes; `send` never raises for a refusal."""

    name: str
    capabilities: Capabilities

    def verify(self, headers: Mapping[str, str], raw_body: bytes) -> None:
        """Raise `WebhookRejected` unless the signature is right and the time is recent."""

    def parse(self, raw_body: bytes) -> tuple[InboundEvent, ...]:
        """The events in a verified body; raise `InvalidInput` if its form is not the platform's."""

    async def send(self, message: OutboundMessage) -> SendResult:
        """Hand one message to the platform."""

    async def aclose(self) -> None:
        """Give connections back."""


@dataclass(frozen=True, slots=True)
class ChannelAccount:
    """One creator's account on one platform.

    `config` holds what is not secret; `secret` the credentials, encrypted, or None where the
    environment has them. `automatedSending` of the config says what the platform's terms allow.
    """

    creator_id: UUID
    id: UUID
    channel: str
    config: Mapping[str, Any]
    secret: bytes | None
    updated_at: datetime
    send_delay_seconds: int | None = None
    paused_at: datetime | None = None
    paused_reason: str | None = None
