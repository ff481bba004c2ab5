"""What a period's drafts came to. Rates lie between 0 and 1; they are null where nothing counts."""

from datetime import datetime
from uuid import UUID

from pydantic import Field

from vaultcrm.domain.generation import (
    DeliveryStatus,
    FeedbackType,
    GenerationStatus,
    GenerationType,
)
from vaultcrm.domain.metrics import Metrics, ModelUsage
from vaultcrm.entrypoints.api.fields import Schema

MICRO_USD = 1_000_000


class GenerationCountsOut(Schema):
    """Drafts that were made in the period. `meanConfidence` (0-100) is over those with a text."""

    total: int
    by_status: dict[GenerationStatus, int]
    by_type: dict[GenerationType, int]
    mean_confidence: float | None
    findings_rate: float | None


class DecisionsOut(Schema):
    """Decisions of the period. What the content filter stopped is not among them.

    The rates of approval, modification and rejection are shares of what people decided;
    `autoSendRate` is the share of what was sent automatically among all decisions.
    """

    decided: int
    by_type: dict[FeedbackType, int]
    approval_rate: float | None
    modification_rate: float | None
    rejection_rate: float | None
    auto_send_rate: float | None


class TokensOut(Schema):
    input: int
    output: int
    cached: int


class ModelCostOut(Schema):
    model: str
    purpose: str
    calls: int
    tokens: TokensOut
    cost_usd: float


class CostOut(Schema):
    """Calls to models in the period."""

    calls: int
    tokens: TokensOut
    cost_usd: float
    by_model: list[ModelCostOut]


class RevenueOut(Schema):
    currency: str
    minor: int


class OutcomesOut(Schema):
    """What the messages that were decided on in the period have done up to now.

    `…Known` counts those of which it has been told at all.
    """

    reply_known: int
    replied: int
    purchase_known: int
    purchased: int
    revenue_known: int
    revenue: list[RevenueOut]


class MetricsOut(Schema):
    """`messages` counts what was to leave in the period, by what has become of it."""

    creator_id: UUID | None
    start: datetime = Field(alias="from")
    end: datetime = Field(alias="to")
    generations: GenerationCountsOut
    decisions: DecisionsOut
    outcomes: OutcomesOut
    messages: dict[DeliveryStatus, int]
    cost: CostOut

    @classmethod
    def of(cls, creator_id: UUID | None, metrics: Metrics) -> "MetricsOut":
        """The public form of counts over one creator, or with None over all that may be seen."""
        generations, outcomes = metrics.generations, metrics.outcomes
        return cls(
            creator_id=creator_id,
            start=metrics.period.start,
            end=metrics.period.end,
            generations=GenerationCountsOut(
                total=generations.total,
                by_status={one: generations.by_status.get(one, 0) for one in GenerationStatus},
                by_type={one: generations.by_type.get(one, 0) for one in GenerationType},
                mean_confidence=generations.mean_confidence,
                findings_rate=generations.findings_rate,
            ),
            decisions=DecisionsOut(
                decided=outcomes.decided,
                by_type={one: outcomes.decisions.get(one, 0) for one in FeedbackType},
                approval_rate=outcomes.rate(FeedbackType.APPROVED),
                modification_rate=outcomes.rate(FeedbackType.MODIFIED),
                rejection_rate=outcomes.rate(FeedbackType.REJECTED),
                auto_send_rate=outcomes.rate(FeedbackType.AUTO_SENT),
            ),
            outcomes=OutcomesOut(
                reply_known=outcomes.reply_known,
                replied=outcomes.replied,
                purchase_known=outcomes.purchase_known,
                purchased=outcomes.purchased,
                revenue_known=outcomes.revenue_known,
                revenue=[
                    RevenueOut(currency=currency, minor=minor)
                    for currency, minor in sorted(outcomes.revenue_minor.items())
                ],
            ),
            messages={one: metrics.deliveries.get(one, 0) for one in DeliveryStatus},
            cost=_cost(metrics.usage),
        )


def _cost(usage: tuple[ModelUsage, ...]) -> CostOut:
    return CostOut(
        calls=sum(one.calls for one in usage),
        tokens=TokensOut(
            input=sum(one.input_tokens for one in usage),
            output=sum(one.output_tokens for one in usage),
            cached=sum(one.cached_tokens for one in usage),
        ),
        cost_usd=sum(one.cost_micro_usd for one in usage) / MICRO_USD,
        by_model=[
            ModelCostOut(
                model=one.model,
                purpose=one.purpose,
                calls=one.calls,
                tokens=TokensOut(
                    input=one.input_tokens, output=one.output_tokens, cached=one.cached_tokens
                ),
                cost_usd=one.cost_micro_usd / MICRO_USD,
            )
            for one in usage
        ],
    )
