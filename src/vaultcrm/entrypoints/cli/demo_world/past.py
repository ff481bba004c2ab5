"""What the demo's history is made of: drafts, what people made of them, how voices came to be."""

from dataclasses import dataclass
from datetime import datetime

from vaultcrm.domain.approval import ApprovalReason
from vaultcrm.domain.generation import FeedbackType, GenerationStatus, GenerationType, TokenUsage
from vaultcrm.domain.money import Money
from vaultcrm.domain.people import Role
from vaultcrm.domain.personality import EmojiStyle
from vaultcrm.domain.safety import SafetyReport


@dataclass(frozen=True, slots=True)
class DemoPerson:
    """Somebody of the team. No creators stands for all of them."""

    name: str
    email: str
    role: Role
    creators: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PastVoice:
    """One version of a creator's voice, and when it was saved."""

    creator_handle: str
    version: int
    saved_at: datetime
    personality_type: str
    tone_descriptors: tuple[str, ...]
    forbidden_words: tuple[str, ...]
    preferred_phrases: tuple[str, ...]
    emoji_style: EmojiStyle
    system_prompt: str


@dataclass(frozen=True, slots=True)
class PastDecision:
    """What became of a draft. `by` is somebody's e-mail, and None where the policy decided.

    `replied`, `purchased` and `seconds_to_reply` are None where nobody can know yet.
    """

    kind: FeedbackType
    at: datetime
    by: str | None = None
    final_message: str | None = None
    final_price: Money | None = None
    reason: str | None = None
    notes: str | None = None
    replied: bool | None = None
    seconds_to_reply: int | None = None
    purchased: bool | None = None


@dataclass(frozen=True, slots=True)
class PastDraft:
    """One draft. `answers` and `became` are messages of its conversation by the ids of the world:
    the fan's that it answers, and the creator's that it became.

    `decision` is None for what the filter stopped and for what expired.
    """

    creator_handle: str
    fan_handle: str
    at: datetime
    generation_type: GenerationType
    status: GenerationStatus
    message: str
    price: Money | None
    confidence: int
    reasoning: str
    reasons: tuple[ApprovalReason, ...]
    safety: SafetyReport
    priority: int
    model: str
    usage: TokenUsage
    answers: str | None
    stale_at: datetime | None = None
    decision: PastDecision | None = None
    became: str | None = None
    sent_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class PastAnswer:
    """A message that a person wrote without a draft. `message` and `answers` as in `PastDraft`."""

    creator_handle: str
    fan_handle: str
    message: str
    text: str
    price: Money | None
    sent_at: datetime
    by: str
    answers: str | None


@dataclass(frozen=True, slots=True)
class PastReading:
    """The small model has read a message of the fan's."""

    creator_handle: str
    at: datetime
    model: str
    usage: TokenUsage


@dataclass(frozen=True, slots=True)
class DemoHistory:
    """The month before the demo begins, each list in the order of time."""

    voices: tuple[PastVoice, ...]
    drafts: tuple[PastDraft, ...]
    answers: tuple[PastAnswer, ...]
    readings: tuple[PastReading, ...]
