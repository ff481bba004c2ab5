"""Counts over a period: one statement a table, each with the creators that are asked for."""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from vaultcrm.db.pending import Connection, Pending, Rows, send
from vaultcrm.db.queries.cards import MOST_COUNTED
from vaultcrm.domain.generation import (
    DeliveryStatus,
    FeedbackType,
    GenerationStatus,
    GenerationType,
)
from vaultcrm.domain.metrics import (
    DecisionTally,
    DraftTally,
    GenerationCounts,
    MessageTally,
    ModelUsage,
    OutcomeCounts,
    Period,
    UsageTally,
)

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


# ---- the course of a period: by day, and from some moment on by hour


# Not `date_trunc`, which looks its time zone up for every row: `start` is a midnight in UTC, and so
# is every whole number of days from it.
def _bucket(column: str) -> str:
    return (
        f"date_bin(CASE WHEN {column} >= %(hourly_from)s THEN interval '1 hour' "
        f"ELSE interval '1 day' END, {column}, %(start)s::timestamptz)"
    )


DRAFT_TALLIES = f"""
    SELECT {_bucket("created_at")} AS at,
           count(*) FILTER (WHERE status = 'queued'),
           count(*) FILTER (WHERE status = 'approved'
             AND final_message IS NOT DISTINCT FROM generated_message
             AND final_price_minor IS NOT DISTINCT FROM suggested_price_minor),
           count(*) FILTER (WHERE status = 'approved'
             AND (final_message IS DISTINCT FROM generated_message
                  OR final_price_minor IS DISTINCT FROM suggested_price_minor)),
           count(*) FILTER (WHERE status = 'rejected'
             AND NOT ('filter_blocked' = ANY(approval_reasons) AND approved_by IS NULL)),
           count(*) FILTER (WHERE status = 'auto_sent'),
           count(*) FILTER (WHERE status = 'rejected'
             AND 'filter_blocked' = ANY(approval_reasons) AND approved_by IS NULL),
           count(*) FILTER (WHERE status = 'expired'),
           count(*) FILTER (WHERE generated_message IS NOT NULL),
           COALESCE(sum(confidence_score) FILTER (WHERE generated_message IS NOT NULL), 0),
           count(*) FILTER (WHERE safety -> 'findings' <> '[]')
    FROM ai_message_generations
    WHERE creator_id = ANY(%(creator_ids)s)
      AND created_at >= %(start)s AND created_at < %(end)s
    GROUP BY at
    ORDER BY at
"""

# An outcome that says its currency is in that one; others are in that of their draft.
DECISION_TALLIES = f"""
    SELECT {_bucket("f.created_at")} AS at,
           COALESCE(f.performance_data ->> 'currency', g.currency) AS currency,
           count(*) FILTER (WHERE f.feedback_type = 'approved'),
           count(*) FILTER (WHERE f.feedback_type = 'modified'),
           count(*) FILTER (WHERE f.feedback_type = 'rejected'),
           count(*) FILTER (WHERE f.feedback_type = 'auto_sent'),
           count(*) FILTER (WHERE f.performance_data ? 'replied'),
           count(*) FILTER (WHERE (f.performance_data ->> 'replied')::boolean),
           count(*) FILTER (WHERE (f.performance_data ->> 'purchased')::boolean
             OR f.feedback_type IN ('approved', 'modified') AND g.final_price_minor IS NOT NULL
             OR f.feedback_type = 'auto_sent' AND g.suggested_price_minor IS NOT NULL),
           count(*) FILTER (WHERE (f.performance_data ->> 'purchased')::boolean),
           count(*) FILTER (WHERE f.performance_data ? 'revenue'),
           COALESCE(sum((f.performance_data ->> 'revenue')::bigint), 0)::bigint
    FROM ai_message_feedback f
    JOIN ai_message_generations g ON g.creator_id = f.creator_id AND g.id = f.generation_id
    WHERE f.creator_id = ANY(%(creator_ids)s)
      AND f.created_at >= %(start)s AND f.created_at < %(end)s
    GROUP BY 1, 2
    ORDER BY 1, 2
"""

USAGE_TALLIES = f"""
    SELECT {_bucket("created_at")} AS at, model, purpose,
           sum(input_tokens + output_tokens + cached_tokens)::bigint, sum(cost_micro_usd)::bigint
    FROM usage
    WHERE creator_id = ANY(%(creator_ids)s)
      AND created_at >= %(start)s AND created_at < %(end)s
    GROUP BY at, model, purpose
    ORDER BY at, model, purpose
"""

# What was sent has its last change when it was. A message that nothing of the fan's stands before
# begins a conversation, so nobody has waited for it.
MESSAGE_TALLIES = f"""
    SELECT {_bucket("o.created_at")} AS at, o.author = 'chatter' AS by_hand, count(*),
           percentile_cont(0.5) WITHIN GROUP (
             ORDER BY GREATEST(extract(epoch FROM o.updated_at - m.sent_at), 0)::float8)
           FILTER (WHERE m.id IS NOT NULL)
    FROM outbox o
    LEFT JOIN messages m
      ON m.creator_id = o.creator_id AND m.id = o.seen_message_id AND m.sender = 'fan'
    WHERE o.creator_id = ANY(%(creator_ids)s) AND o.delivery_status = 'sent'
      AND o.created_at >= %(start)s AND o.created_at < %(end)s
    GROUP BY 1, 2
    ORDER BY 1, 2
"""

DECISION_SECONDS = """
    SELECT date_bin(interval '1 day', created_at, %(start)s::timestamptz) AS day,
           percentile_cont(0.5) WITHIN GROUP (
             ORDER BY extract(epoch FROM approved_at - created_at)::float8)
    FROM ai_message_generations
    WHERE creator_id = ANY(%(creator_ids)s)
      AND created_at >= %(start)s AND created_at < %(end)s
      AND approved_by IS NOT NULL AND status IN ('approved', 'rejected')
    GROUP BY day
"""

# One look into the index of waiting drafts for each creator and step of urgency.
OLDEST_WAITING = """
    SELECT min(oldest.created_at),
           (SELECT count(*) FROM (
              SELECT 1 FROM ai_message_generations
              WHERE creator_id = ANY(%(creator_ids)s) AND status = 'queued'
              LIMIT %(most)s) waiting)
    FROM unnest(%(creator_ids)s::uuid[]) c (id), generate_series(0, %(steps)s) s (escalated),
    LATERAL (
        SELECT g.created_at FROM ai_message_generations g
        WHERE g.creator_id = c.id AND g.status = 'queued' AND g.escalated = s.escalated
        ORDER BY g.created_at LIMIT 1
    ) oldest
"""


def _course_params(
    creator_ids: list[UUID], period: Period, hourly_from: datetime
) -> dict[str, Any]:
    return {**_params(creator_ids, period), "hourly_from": hourly_from}


async def draft_tallies(
    connection: Connection, creator_ids: list[UUID], period: Period, hourly_from: datetime
) -> Pending[tuple[DraftTally, ...]]:
    """Drafts that were made, by day, and by hour from `hourly_from` on; oldest first.

    Here and below the period begins at midnight UTC.
    """
    return await send(
        connection,
        DRAFT_TALLIES,
        _course_params(creator_ids, period, hourly_from),
        lambda rows: tuple(DraftTally(*row) for row in rows),
    )


async def decision_tallies(
    connection: Connection, creator_ids: list[UUID], period: Period, hourly_from: datetime
) -> Pending[tuple[DecisionTally, ...]]:
    """Decisions and what came of them, by day or hour and currency."""
    return await send(
        connection,
        DECISION_TALLIES,
        _course_params(creator_ids, period, hourly_from),
        lambda rows: tuple(DecisionTally(*row) for row in rows),
    )


async def usage_tallies(
    connection: Connection, creator_ids: list[UUID], period: Period, hourly_from: datetime
) -> Pending[tuple[UsageTally, ...]]:
    """Tokens and cost, by day or hour, model and purpose."""
    return await send(
        connection,
        USAGE_TALLIES,
        _course_params(creator_ids, period, hourly_from),
        lambda rows: tuple(UsageTally(*row) for row in rows),
    )


async def message_tallies(
    connection: Connection, creator_ids: list[UUID], period: Period, hourly_from: datetime
) -> Pending[tuple[MessageTally, ...]]:
    """Messages that were sent and how long fans had waited, by day or hour and by whom."""
    return await send(
        connection,
        MESSAGE_TALLIES,
        _course_params(creator_ids, period, hourly_from),
        lambda rows: tuple(MessageTally(*row) for row in rows),
    )


async def decision_seconds(
    connection: Connection, creator_ids: list[UUID], period: Period
) -> Pending[Mapping[datetime, float]]:
    """The median from draft to a person's decision, by the day on which the draft was made."""
    return await send(connection, DECISION_SECONDS, _params(creator_ids, period), dict)


async def oldest_waiting(
    connection: Connection, creator_ids: list[UUID], *, steps: int
) -> Pending[tuple[datetime | None, int]]:
    """When the draft was made that has waited longest, and how many wait, counted up to
    `MOST_COUNTED`. `steps` is how often one may have become more urgent.
    """
    params = {"creator_ids": creator_ids, "steps": steps, "most": MOST_COUNTED}
    return await send(connection, OLDEST_WAITING, params, lambda rows: (rows[0][0], rows[0][1]))
