"""Drafts: asked for, decided on, waiting, and what became of them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, ClassVar
from uuid import UUID

from pydantic import ConfigDict, Field, TypeAdapter
from pydantic.alias_generators import to_camel

from vaultcrm.domain.approval import ApprovalReason
from vaultcrm.domain.draft_options import DraftOptions, Length, Tone
from vaultcrm.domain.generation import (
    DeliveryStatus,
    GenerationRecord,
    GenerationStatus,
    GenerationType,
)
from vaultcrm.domain.safety import Category, Finding, FindingTier, SafetyReport, Verdict
from vaultcrm.entrypoints.api.fields import (
    FreeText,
    Minor,
    Schema,
)

ANSWER = ConfigDict(alias_generator=to_camel, populate_by_name=True)
"""What follows is only ever sent: dataclasses, which are made in a tenth of a model's time."""


class OptionsIn(Schema):
    """Wishes for this one draft, each of which may be left out."""

    tone: Tone | None = None
    length: Length | None = None
    hint: FreeText = ""
    begin_from: FreeText = ""

    def value(self) -> DraftOptions:
        return DraftOptions(self.tone, self.length, self.hint.strip(), self.begin_from.strip())


class GenerateIn(Schema):
    conversation_id: UUID
    fan_id: UUID
    creator_id: UUID
    chatter_id: UUID | None = None
    generation_type: GenerationType
    options: OptionsIn | None = None


@dataclass(slots=True)
class FindingOut:
    __pydantic_config__: ClassVar[ConfigDict] = ANSWER

    category: Category
    start: int
    end: int
    rule: str
    tier: FindingTier
    score: float
    matched: str
    reason: str

    @classmethod
    def of(cls, finding: Finding) -> "FindingOut":
        return cls(
            category=finding.category,
            start=finding.start,
            end=finding.end,
            rule=finding.rule,
            tier=finding.tier,
            score=finding.score,
            matched=finding.matched,
            reason=finding.reason,
        )


@dataclass(slots=True)
class SafetyOut:
    __pydantic_config__: ClassVar[ConfigDict] = ANSWER

    verdict: Verdict
    score: float
    findings: list[FindingOut]

    @classmethod
    def of(cls, report: SafetyReport) -> "SafetyOut":
        found = [FindingOut.of(finding) for finding in report.findings]
        return cls(report.verdict, report.score, found)


@dataclass(slots=True)
class UsageOut:
    __pydantic_config__: ClassVar[ConfigDict] = ANSWER

    input_tokens: int
    output_tokens: int
    cached_tokens: int
    cost_usd: float


@dataclass(slots=True)
class GenerationOut:
    """One generation. `message` is null when the filter stopped the draft or there was none.

    `attempts` says why an earlier attempt was stopped. Until `leavesAt` an approval can be undone.

    `suggestedPrice` is in whole units (dollars) as the specification has it.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ANSWER

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
    attempts: list[SafetyOut]
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
    snoozed_until: datetime | None
    leaves_at: datetime | None

    @classmethod
    def of(cls, record: GenerationRecord) -> "GenerationOut":
        """The public form of a record; nothing in it needs checking again."""
        stopped = record.safety.verdict is Verdict.BLOCK
        price = record.suggested_price
        final_price = record.final_price
        return cls(
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
            safety=SafetyOut.of(record.safety),
            attempts=[SafetyOut.of(one.safety) for one in record.attempts],
            priority=record.priority,
            model=record.model,
            prompt_version=record.prompt_version,
            personality_version=record.personality_version,
            usage=UsageOut(
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
            snoozed_until=record.snoozed_until,
            leaves_at=record.leaves_at,
        )


_GENERATION = TypeAdapter(GenerationOut)


def encode_generation(record: GenerationRecord) -> str:
    """A generation as JSON."""
    return _GENERATION.dump_json(GenerationOut.of(record), by_alias=True).decode()


def show_generation(record: GenerationRecord) -> dict[str, Any]:
    """A generation as an item of a list."""
    shown: dict[str, Any] = _GENERATION.dump_python(GenerationOut.of(record), by_alias=True)
    return shown


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
