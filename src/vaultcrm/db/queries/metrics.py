"""Counts over a period: one statement a table, each with the creators that are asked for."""

from collections import Counter
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from vaultcrm.db.pending import Connection, Pending, Rows, send
from vaultcrm.domain.generation import (
    DeliveryStatus,
    FeedbackType,
    GenerationStatus,
    GenerationType,
)
from vaultcrm.domain.metrics import GenerationCounts, ModelUsage, OutcomeCounts, Period

GENERATIONS = """
    SELECT status, generation_type, count(*),
           count(*) FILTER (WHERE generated_message IS NOT NULL),
           COALESCE(sum(confidence_score) FILTER (WHERE generated_message IS NOT NULL), 0),
           count(*) FILTER (WHERE safety -> 'findings' <> '[]')
    FROM ai_message_generations
    WHERE creator_id = ANY(%(creator_ids)s)
      AND created_at >= %(start)s AND created_at < %(end)s
    GROUP BY status, generation_type
"""

# A revenue is in the currency of its generation, which is found by its key.
OUTCOMES = """
    SELECT f.feedback_type, g.currency, count(*),
           count(*) FILTER (WHERE f.performance_data ? 'replied'),
           count(*) FILTER (WHERE (f.performance_data ->> 'replied')::boolean),
           count(*) FILTER (WHERE f.performance_data ? 'purchased'),
           count(*) FILTER (WHERE (f.performance_data ->> 'purchased')::boolean),
           count(*) FILTER (WHERE f.performance_data ? 'revenue'),
           COALESCE(sum((f.performance_data ->> 'revenue')::bigint), 0)::bigint
    FROM ai_message_feedback f
    JOIN ai_message_generations g ON g.creator_id = f.creator_id AND g.id = f.generation_id
    WHERE f.creator_id = ANY(%(creator_ids)s)
      AND f.created_at >= %(start)s AND f.created_at < %(end)s
    GROUP BY f.feedback_type, g.currency
"""

USAGE = """
    SELECT model, purpose, count(*), sum(input_tokens), sum(output_tokens), sum(cached_tokens),
           sum(cost_micro_usd)::bigint
    FROM usage
    WHERE creator_id = ANY(%(creator_ids)s)
      AND created_at >= %(start)s AND created_at < %(end)s
    GROUP BY model, purpose
    ORDER BY model, purpose
"""

DELIVERIES = """
    SELECT delivery_status, count(*)
    FROM outbox
    WHERE creator_id = ANY(%(creator_ids)s)
      AND created_at >= %(start)s AND created_at < %(end)s
    GROUP BY delivery_status
"""


def _params(creator_ids: list[UUID], period: Period) -> dict[str, Any]:
    return {"creator_ids": creator_ids, "start": period.start, "end": period.end}


async def generation_counts(
    connection: Connection, creator_ids: list[UUID], period: Period
) -> Pending[GenerationCounts]:
    """Drafts that were made in the period."""
    return await send(connection, GENERATIONS, _params(creator_ids, period), _read_generations)


def _read_generations(rows: Rows) -> GenerationCounts:
    by_status: Counter[GenerationStatus] = Counter()
    by_type: Counter[GenerationType] = Counter()
    for status, generation_type, count, *_ in rows:
        by_status[GenerationStatus(status)] += count
        by_type[GenerationType(generation_type)] += count
    return GenerationCounts(
        by_status=by_status,
        by_type=by_type,
        drafted=sum(row[3] for row in rows),
        confidence_sum=sum(row[4] for row in rows),
        with_findings=sum(row[5] for row in rows),
    )


async def outcome_counts(
    connection: Connection, creator_ids: list[UUID], period: Period
) -> Pending[OutcomeCounts]:
    """Decisions that were made in the period, with what their messages did up to now."""
    return await send(connection, OUTCOMES, _params(creator_ids, period), _read_outcomes)


def _read_outcomes(rows: Rows) -> OutcomeCounts:
    decisions: Counter[FeedbackType] = Counter()
    revenue: Counter[str] = Counter()
    for row in rows:
        decisions[FeedbackType(row[0])] += row[2]
        if row[7]:
            revenue[row[1]] += row[8]
    return OutcomeCounts(
        decisions=decisions,
        reply_known=sum(row[3] for row in rows),
        replied=sum(row[4] for row in rows),
        purchase_known=sum(row[5] for row in rows),
        purchased=sum(row[6] for row in rows),
        revenue_known=sum(row[7] for row in rows),
        revenue_minor=revenue,
    )


async def model_usage(
    connection: Connection, creator_ids: list[UUID], period: Period
) -> Pending[tuple[ModelUsage, ...]]:
    """Calls to models in the period."""
    return await send(
        connection,
        USAGE,
        _params(creator_ids, period),
        lambda rows: tuple(ModelUsage(*row) for row in rows),
    )


async def delivery_counts(
    connection: Connection, creator_ids: list[UUID], period: Period
) -> Pending[Mapping[DeliveryStatus, int]]:
    """Messages that were put into the outbox in the period, by what has become of them."""
    return await send(
        connection,
        DELIVERIES,
        _params(creator_ids, period),
        lambda rows: {DeliveryStatus(status): count for status, count in rows},
    )
