"""What a period's drafts came to: counts, and the rates that follow from them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from vaultcrm.domain.generation import (
    DeliveryStatus,
    FeedbackType,
    GenerationStatus,
    GenerationType,
)


@dataclass(frozen=True, slots=True)
class Period:
    """From `start`, and before `end`."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class GenerationCounts:
    """Drafts that were made in a period.

    `drafted` are those with a text, over whose confidence `confidence_sum` (0-100 each) goes;
    `with_findings` are those in which the content filter saw something.
    """

    by_status: Mapping[GenerationStatus, int]
    by_type: Mapping[GenerationType, int]
    drafted: int
    confidence_sum: int
    with_findings: int

    @property
    def total(self) -> int:
        return sum(self.by_status.values())

    @property
    def mean_confidence(self) -> float | None:
        return _share(self.confidence_sum, self.drafted)

    @property
    def findings_rate(self) -> float | None:
        return _share(self.with_findings, self.total)


@dataclass(frozen=True, slots=True)
class OutcomeCounts:
    """Decisions that were made in a period, and what is known of the messages that they let go.

    `decisions` are a person's, or the policy's where a draft was sent automatically; what the
    filter stopped was never decided on. `reply_known`, `purchase_known` and `revenue_known` count
    the messages of which it is known at all; `revenue_minor` is by currency.
    """

    decisions: Mapping[FeedbackType, int]
    reply_known: int
    replied: int
    purchase_known: int
    purchased: int
    revenue_known: int
    revenue_minor: Mapping[str, int]

    @property
    def decided(self) -> int:
        return sum(self.decisions.values())

    def rate(self, decision: FeedbackType) -> float | None:
        """The share of a kind among all decisions; None where nothing was decided."""
        return _share(self.decisions.get(decision, 0), self.decided)


@dataclass(frozen=True, slots=True)
class ModelUsage:
    """Calls to one model for one purpose. Cache writes are among the input tokens."""

    model: str
    purpose: str
    calls: int
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    cost_micro_usd: int


@dataclass(frozen=True, slots=True)
class Metrics:
    """`deliveries` are messages of AI's and of chatters' that were to leave in the period."""

    period: Period
    generations: GenerationCounts
    outcomes: OutcomeCounts
    usage: tuple[ModelUsage, ...]
    deliveries: Mapping[DeliveryStatus, int]


@dataclass(frozen=True, slots=True)
class DraftTally:
    """Drafts that were made in the day or hour that begins `at`, by what has become of them by now.

    `approved` went out as they were, `modified` with another text or price; `blocked` were stopped
    by the content filter. The rest as in `GenerationCounts`.
    """

    at: datetime
    waiting: int
    approved: int
    modified: int
    rejected: int
    automatic: int
    blocked: int
    expired: int
    drafted: int
    confidence_sum: int
    with_findings: int

    @property
    def made(self) -> int:
        return (
            self.waiting
            + self.approved
            + self.modified
            + self.rejected
            + self.automatic
            + self.blocked
            + self.expired
        )


@dataclass(frozen=True, slots=True)
class DecisionTally:
    """Decisions of the day or hour that begins `at` on drafts in one currency, with what their
    messages have done by now: `offers` went out with a price, of which `bought` were. The rest as
    in `OutcomeCounts`.
    """

    at: datetime
    currency: str
    approved: int
    modified: int
    rejected: int
    automatic: int
    reply_known: int
    replied: int
    offers: int
    bought: int
    revenue_known: int
    revenue_minor: int


@dataclass(frozen=True, slots=True)
class UsageTally:
    """Calls to one model for one purpose in the day or hour that begins `at`."""

    at: datetime
    model: str
    purpose: str
    tokens: int
    cost_micro_usd: int


@dataclass(frozen=True, slots=True)
class MessageTally:
    """Messages that were put on their way in the day or hour that begins `at`, and have been sent.

    `median_wait` is how many seconds half of the fans had waited at most, from their newest message
    until they were answered; None where no message answers one.
    """

    at: datetime
    by_hand: bool
    sent: int
    median_wait: float | None


@dataclass(frozen=True, slots=True)
class Course:
    """How a period went: tallies by day, and by hour from `hourly_from` on.

    `decision_seconds` is the median from draft to a person's decision, by day, of drafts that were
    made that day. `waiting` drafts wait now, and the one that has waited longest was made at
    `oldest_waiting`.
    """

    drafts: tuple[DraftTally, ...]
    decisions: tuple[DecisionTally, ...]
    usage: tuple[UsageTally, ...]
    messages: tuple[MessageTally, ...]
    decision_seconds: Mapping[datetime, float]
    waiting: int
    oldest_waiting: datetime | None


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
