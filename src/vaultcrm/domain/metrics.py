"""What a period's drafts came to: counts, and the rates that follow from them.

The dashboard and the API read the same tallies and know no other definition of a number.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from vaultcrm.domain.conversation import Author
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
        """The share of what people decided so among all that people decided; of what was sent
        automatically among all decisions. None where nothing was decided.
        """
        automatic = self.decisions.get(FeedbackType.AUTO_SENT, 0)
        of_all = decision is FeedbackType.AUTO_SENT
        whole = self.decided if of_all else self.decided - automatic
        return _share(self.decisions.get(decision, 0), whole)


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
    """Drafts of one type that were made in the day or hour that begins `at`, by what has become of
    them by now.

    `approved` went out as they were, `modified` with another text or price; `blocked` were stopped
    by the content filter. The rest as in `GenerationCounts`.
    """

    at: datetime
    generation_type: GenerationType
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
    purchase_known: int
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
    calls: int
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    cost_micro_usd: int

    @property
    def tokens(self) -> int:
        return self.input_tokens + self.output_tokens + self.cached_tokens


@dataclass(frozen=True, slots=True)
class DeliveryTally:
    """Messages of one author that were to leave in the day or hour that begins `at`, by what has
    become of them.
    """

    at: datetime
    author: Author
    status: DeliveryStatus
    messages: int


class WaitKind(StrEnum):
    """`DECISION`: from a draft to what a person made of it, counted when the draft was made.

    `BY_AI`, `BY_HAND`: from a fan's newest message to the answer, counted when that was to leave.
    """

    DECISION = "decision"
    BY_AI = "by_ai"
    BY_HAND = "by_hand"


@dataclass(frozen=True, slots=True)
class WaitTally:
    """How long was waited in the day or hour that begins `at`: so many waits of about a length,
    which is the `bucket`: the whole part of 8 log2(1 + seconds), so a length to within a tenth.
    """

    at: datetime
    kind: WaitKind
    bucket: int
    waits: int
    milliseconds: int


@dataclass(frozen=True, slots=True)
class MessageTally:
    """Messages that were put on their way in the day or hour that begins `at`, and have been sent.

    `median_wait` is how many seconds half of the fans had waited at most, from their newest message
    until they were answered; None where no message answers one. See `median_seconds`.
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


def median_seconds(tallies: Iterable[WaitTally]) -> float | None:
    """The median of waits, None where there are none.

    It is the mean of the bucket in which the median lies: exact where all waits there are the same,
    and never further off than a bucket is wide, a tenth.
    """
    counts: Counter[int] = Counter()
    sums: Counter[int] = Counter()
    for tally in tallies:
        counts[tally.bucket] += tally.waits
        sums[tally.bucket] += tally.milliseconds
    total = counts.total()
    if not total:
        return None
    middle = [_place(counts, (total - 1) // 2), _place(counts, total // 2)]
    return sum(sums[bucket] / counts[bucket] for bucket in middle) / 2 / 1000


def _place(counts: Mapping[int, int], place: int) -> int:
    """The bucket in which the value of this place, from 0 on, lies."""
    passed = 0
    for bucket in sorted(counts):
        passed += counts[bucket]
        if place < passed:
            return bucket
    raise ValueError("there are fewer values")


def generation_counts(tallies: Iterable[DraftTally]) -> GenerationCounts:
    """What tallies of drafts come to."""
    by_status: Counter[GenerationStatus] = Counter()
    by_type: Counter[GenerationType] = Counter()
    drafted = confidence_sum = with_findings = 0
    for tally in tallies:
        by_status[GenerationStatus.QUEUED] += tally.waiting
        by_status[GenerationStatus.APPROVED] += tally.approved + tally.modified
        by_status[GenerationStatus.AUTO_SENT] += tally.automatic
        by_status[GenerationStatus.REJECTED] += tally.rejected + tally.blocked
        by_status[GenerationStatus.EXPIRED] += tally.expired
        by_type[tally.generation_type] += tally.made
        drafted += tally.drafted
        confidence_sum += tally.confidence_sum
        with_findings += tally.with_findings
    return GenerationCounts(by_status, by_type, drafted, confidence_sum, with_findings)


def outcome_counts(tallies: Iterable[DecisionTally]) -> OutcomeCounts:
    """What tallies of decisions come to."""
    found = tuple(tallies)
    revenue: Counter[str] = Counter()
    for tally in found:
        if tally.revenue_known:
            revenue[tally.currency] += tally.revenue_minor
    return OutcomeCounts(
        decisions={
            FeedbackType.APPROVED: sum(tally.approved for tally in found),
            FeedbackType.MODIFIED: sum(tally.modified for tally in found),
            FeedbackType.REJECTED: sum(tally.rejected for tally in found),
            FeedbackType.AUTO_SENT: sum(tally.automatic for tally in found),
        },
        reply_known=sum(tally.reply_known for tally in found),
        replied=sum(tally.replied for tally in found),
        purchase_known=sum(tally.purchase_known for tally in found),
        purchased=sum(tally.bought for tally in found),
        revenue_known=sum(tally.revenue_known for tally in found),
        revenue_minor=revenue,
    )


def model_usage(tallies: Iterable[UsageTally]) -> tuple[ModelUsage, ...]:
    """What tallies of calls come to, by model and purpose."""
    sums: dict[tuple[str, str], list[int]] = {}
    for tally in tallies:
        found = sums.setdefault((tally.model, tally.purpose), [0] * 5)
        for place, count in enumerate(
            (
                tally.calls,
                tally.input_tokens,
                tally.output_tokens,
                tally.cached_tokens,
                tally.cost_micro_usd,
            )
        ):
            found[place] += count
    return tuple(ModelUsage(*key, *sums[key]) for key in sorted(sums))


def delivery_counts(tallies: Iterable[DeliveryTally]) -> Mapping[DeliveryStatus, int]:
    """What tallies of deliveries come to, whoever wrote the messages."""
    counts: Counter[DeliveryStatus] = Counter()
    for tally in tallies:
        counts[tally.status] += tally.messages
    return counts


def message_tallies(
    deliveries: Iterable[DeliveryTally], waits: Iterable[WaitTally]
) -> tuple[MessageTally, ...]:
    """Messages that were sent, by AI and by people, with how long fans had waited for them.

    What tells a fan that AI writes answers nobody and is left out.
    """
    sent: Counter[tuple[datetime, bool]] = Counter()
    waited: dict[tuple[datetime, bool], list[WaitTally]] = {}
    for tally in deliveries:
        if tally.status is DeliveryStatus.SENT and tally.author is not Author.DISCLOSURE:
            sent[tally.at, tally.author is Author.CHATTER] += tally.messages
    for wait in waits:
        if wait.kind is not WaitKind.DECISION:
            waited.setdefault((wait.at, wait.kind is WaitKind.BY_HAND), []).append(wait)
    return tuple(
        MessageTally(at, by_hand, sent[at, by_hand], median_seconds(waited.get((at, by_hand), ())))
        for at, by_hand in sorted(sent)
    )


def decision_seconds(waits: Iterable[WaitTally]) -> Mapping[datetime, float]:
    """The median from draft to decision, by day."""
    by_day: dict[datetime, list[WaitTally]] = {}
    for wait in waits:
        if wait.kind is WaitKind.DECISION:
            by_day.setdefault(wait.at.replace(hour=0), []).append(wait)
    medians = {day: median_seconds(found) for day, found in by_day.items()}
    return {day: median for day, median in medians.items() if median is not None}


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
