"""What goes in and out of the JSON API."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field, FiniteFloat, StringConstraints

from vaultcrm.domain.approval import ApprovalReason, DecisionAction
from vaultcrm.domain.conversation import Author, Care, Mode, Sender
from vaultcrm.domain.generation import (
    DeliveryStatus,
    GenerationRecord,
    GenerationStatus,
    GenerationType,
)
from vaultcrm.domain.people import Tier
from vaultcrm.domain.personality import EmojiStyle, Personality
from vaultcrm.domain.safety import Category, FindingTier, Verdict
from vaultcrm.entrypoints.api.fields import FreeText, Line, Schema, Text, Time

Minor = Annotated[int, Field(ge=0, le=10**12)]
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]


class GenerateIn(Schema):
    conversation_id: UUID
    fan_id: UUID
    creator_id: UUID
    chatter_id: UUID | None = None
    generation_type: GenerationType


class FindingOut(Schema):
    category: Category
    start: int
    end: int
    rule: str
    tier: FindingTier
    score: float
    matched: str
    reason: str


class SafetyOut(Schema):
    verdict: Verdict
    score: float
    findings: list[FindingOut]


class UsageOut(Schema):
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    cost_usd: float


class GenerationOut(Schema):
    """One generation. `message` is null when the filter stopped the draft or there was none.

    `suggestedPrice` is in whole units (dollars) as the specification has it.
    """

    generation_id: UUID
    conversation_id: UUID
    fan_id: UUID
    creator_id: UUID
    chatter_id: UUID | None
    generation_type: GenerationType
    message: str | None
    alternatives: list[str]
    confidence: int
    requires_approval: bool
    suggested_price: float | None
    currency: str
    status: GenerationStatus
    delivery_status: DeliveryStatus | None
    delivery_error: str | None
    reasoning: str
    note: str
    approval_reasons: list[ApprovalReason]
    safety: SafetyOut
    priority: int
    model: str
    prompt_version: str
    personality_version: int
    usage: UsageOut
    stale: bool
    claimed_by: UUID | None
    claimed_until: datetime | None
    created_at: datetime
    approved_at: datetime | None
    approved_by: UUID | None
    final_message: str | None
    final_price: float | None

    @classmethod
    def of(cls, record: GenerationRecord) -> "GenerationOut":
        """The public form of a record; nothing in it needs checking again."""
        stopped = record.safety.verdict is Verdict.BLOCK
        price = record.suggested_price
        final_price = record.final_price
        return cls.model_construct(
            generation_id=record.id,
            conversation_id=record.conversation_id,
            fan_id=record.fan_id,
            creator_id=record.creator_id,
            chatter_id=record.chatter_id,
            generation_type=record.generation_type,
            message=None if stopped else record.message,
            alternatives=[] if stopped else list(record.alternatives),
            confidence=record.confidence,
            requires_approval=record.requires_approval,
            suggested_price=None if price is None else price.major,
            currency=record.currency,
            status=record.status,
            delivery_status=record.delivery_status,
            delivery_error=record.delivery_error,
            reasoning=record.reasoning,
            note=record.note,
            approval_reasons=list(record.approval_reasons),
            safety=SafetyOut.model_construct(
                verdict=record.safety.verdict,
                score=record.safety.score,
                findings=[
                    FindingOut.model_construct(
                        category=finding.category,
                        start=finding.start,
                        end=finding.end,
                        rule=finding.rule,
                        tier=finding.tier,
                        score=finding.score,
                        matched=finding.matched,
                        reason=finding.reason,
                    )
                    for finding in record.safety.findings
                ],
            ),
            priority=record.priority,
            model=record.model,
            prompt_version=record.prompt_version,
            personality_version=record.personality_version,
            usage=UsageOut.model_construct(
                input_tokens=record.usage.input + record.usage.cache_write,
                output_tokens=record.usage.output,
                cached_tokens=record.usage.cache_read,
                cost_usd=record.cost_micro_usd / 1_000_000,
            ),
            stale=record.stale_at is not None,
            claimed_by=record.claimed_by,
            claimed_until=record.claimed_until,
            created_at=record.created_at,
            approved_at=record.approved_at,
            approved_by=record.approved_by,
            final_message=record.final_message,
            final_price=None if final_price is None else final_price.major,
        )


class ApproveIn(Schema):
    """`sendAnyway` lets a draft go although the fan has written since it was made."""

    generation_id: UUID
    action: DecisionAction
    modified_message: Text | None = None
    modified_price: Annotated[float, Field(ge=0, le=1_000_000, allow_inf_nan=False)] | None = None
    reason: FreeText | None = None
    send_anyway: bool = False


class ApproveOut(Schema):
    success: bool
    generation: GenerationOut


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


class QueueOut(Schema):
    items: list[GenerationOut]
    next_cursor: str | None


class ClaimIn(Schema):
    """A given draft, or the next one that nobody holds."""

    generation_id: UUID | None = None


class ClaimOut(Schema):
    generation: GenerationOut | None


class FeedbackIn(Schema):
    """What a message did. `revenue` is in minor units, `timeToReply` in seconds."""

    generation_id: UUID
    replied: bool | None = None
    purchased: bool | None = None
    revenue: Minor | None = None
    time_to_reply: Annotated[int, Field(ge=0, le=10**9)] | None = None


class FeedbackOut(Schema):
    generation_id: UUID
    performance_data: dict[str, Any]


class CreatorIn(Schema):
    handle: Line
    display_name: Line
    language: Annotated[str, StringConstraints(pattern=r"^[a-z]{2}$")] = "en"
    region: Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")] = "US"


class CreatorOut(Schema):
    id: UUID
    handle: str
    display_name: str
    language: str
    region: str


class CreatorPage(Schema):
    items: list[CreatorOut]
    next_cursor: str | None


class FanIn(Schema):
    creator_id: UUID
    handle: Line
    display_name: Line
    lifetime_value_minor: Minor = 0
    currency: Currency = "USD"
    notes: FreeText = ""


class FanOut(Schema):
    id: UUID
    creator_id: UUID
    handle: str
    display_name: str
    tier: Tier
    lifetime_value_minor: int
    currency: str
    notes: str
    disclosed_at: datetime | None
    last_seen_at: datetime | None
    created_at: datetime


class FanPage(Schema):
    items: list[FanOut]
    next_cursor: str | None


class DisclosureIn(Schema):
    """When the fan was told that AI may write; now if it is left out."""

    creator_id: UUID
    shown_at: Time | None = None


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


class ConversationPage(Schema):
    items: list[ConversationOut]
    next_cursor: str | None


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


class MessagePage(Schema):
    items: list[MessageOut]
    next_cursor: str | None


class TemplateIn(Schema):
    """`{fan_name}` in the text stands for the fan's name."""

    creator_id: UUID
    name: Line
    category: GenerationType
    language: Annotated[str, StringConstraints(pattern=r"^[a-z]{2}$")] = "en"
    template_text: Text
    price_minor: Minor | None = None


class TemplateOut(Schema):
    id: UUID
    creator_id: UUID
    name: str
    category: GenerationType
    language: str
    template_text: str
    price_minor: int | None
    performance_stats: dict[str, Any]
    usage_count: int
    created_at: datetime
    updated_at: datetime


class TemplatePage(Schema):
    items: list[TemplateOut]
    next_cursor: str | None


class FlagOut(Schema):
    """A flag's value in force for one creator, and where it comes from."""

    name: str
    value: Any
    source: Literal["creator", "installation", "environment"]


class FlagPage(Schema):
    items: list[FlagOut]
    next_cursor: None = None


class FlagIn(Schema):
    """`creatorId` null means the whole installation; `value` null takes the override away."""

    creator_id: UUID | None = None
    name: Line
    value: bool | int | FiniteFloat | FreeText | None
    reason: Line


class AuditOut(Schema):
    id: UUID
    creator_id: UUID
    at: datetime
    actor_id: UUID | None
    actor_name: str | None
    action: str
    subject_type: str
    subject_id: str
    details: dict[str, Any]


class AuditPage(Schema):
    items: list[AuditOut]
    next_cursor: str | None


class WebhookOut(Schema):
    accepted: bool
    duplicate: bool


class HealthOut(Schema):
    status: Literal["ok", "unavailable"]
    detail: str = ""


class FieldProblemOut(Schema):
    field: str
    reason: str


class Problem(Schema):
    """RFC 9457. Members that do not apply are left out.

    `errors` names each field at fault, `limit` the limit that is reached; the last three say who
    was first and when.
    """

    type: str
    title: str
    status: int
    detail: str
    errors: list[FieldProblemOut] | None = None
    limit: str | None = None
    current_status: str | None = None
    decided_by: str | None = None
    decided_at: datetime | None = None
