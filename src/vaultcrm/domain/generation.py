"""A generation: one AI draft and its whole history."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from vaultcrm.domain.approval import ApprovalReason
from vaultcrm.domain.confidence import Scored
from vaultcrm.domain.draft_options import NO_OPTIONS, DraftOptions
from vaultcrm.domain.experiments import Assignment
from vaultcrm.domain.money import Money
from vaultcrm.domain.safety import SafetyReport


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


@dataclass(frozen=True, slots=True)
class Attempt:
    """An earlier attempt at a draft, which was stopped: its text and what was found in it."""

    message: str
    safety: SafetyReport


@dataclass(frozen=True, slots=True)
class GenerationRecord:
    """One row of `ai_message_generations` with the state of its delivery, as the API shows it.

    `message` is None when the filter rejected the draft or the model gave none. `cost_micro_usd`
    is in millionths of a dollar. `alternatives` are the candidates that were not chosen. `attempts`
    are earlier ones that were stopped; their tokens and cost are counted with the last one's.
    """

    id: UUID
    creator_id: UUID
    conversation_id: UUID
    fan_id: UUID
    chatter_id: UUID | None
    generation_type: GenerationType
    status: GenerationStatus
    message: str | None
    suggested_price: Money | None
    currency: str
    alternatives: tuple[str, ...]
    confidence: int
    reasoning: str
    note: str
    approval_reasons: tuple[ApprovalReason, ...]
    safety: SafetyReport
    priority: int
    model: str
    prompt_version: str
    personality_version: int
    last_message_id: UUID | None
    usage: TokenUsage
    cost_micro_usd: int
    created_at: datetime
    stale_at: datetime | None = None
    claimed_by: UUID | None = None
    claimed_until: datetime | None = None
    approved_at: datetime | None = None
    approved_by: UUID | None = None
    final_message: str | None = None
    final_price: Money | None = None
    snoozed_until: datetime | None = None
    delivery_status: DeliveryStatus | None = None
    delivery_error: str | None = None
    options: DraftOptions = NO_OPTIONS
    template_id: UUID | None = None
    """The template that the draft was made from, if from any."""
    attempts: tuple[Attempt, ...] = ()
    scored: Scored | None = None
    """What its confidence was computed from; known of a draft that is being saved."""
    leaves_at: datetime | None = None
    """Until then an approved message can be taken back; None where nothing is to leave."""
    assignments: tuple[Assignment, ...] = ()
    """The variants of A/B tests that it was made with; written once, and not read back."""

    @property
    def requires_approval(self) -> bool:
        return self.status is GenerationStatus.QUEUED
