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


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
