"""What came of the drafts of each fan under a test, and the sums that verdicts are made of."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from uuid import UUID

from vaultcrm.db.pending import Connection, Rows, run, send
from vaultcrm.domain.experiments import Assignment, FanGroup, Guardrail, Metric, VariantKind

OVERLAP = timedelta(minutes=10)
"""So far back everything is looked at again: a transaction may commit after a later one."""
WHOLE = 1_000_000_000
"""Probabilities are kept in parts of it: exact enough, and the same on every machine."""
LATEST_SETTLING = timedelta(days=32)
"""The longest attribution window, and a day: outcomes of older messages settle no more."""

# A row's id is made of what it counts, so that the same fan and variant are one row whoever makes
# it. What was true when the fan got the variant stays.
_ID = "md5(%(test_id)s::uuid::text || x.fan_id::text || x.variant)::uuid"

ASSIGN = """
    INSERT INTO ai_ab_fans
        (creator_id, id, test_id, fan_id, variant, tier, epoch, propensity_ppb, assigned_at)
    VALUES (%(creator_id)s,
            md5(%(test_id)s::uuid::text || %(fan_id)s::uuid::text || %(variant)s)::uuid,
            %(test_id)s, %(fan_id)s, %(variant)s, %(tier)s, %(epoch)s, %(propensity_ppb)s, %(now)s)
    ON CONFLICT DO NOTHING
"""

# Fans of whose drafts something was made, decided, settled or changed. Each branch goes by an index
# over time and looks each draft up by its key; what is not under the test falls away there.
CHANGED = """
    SELECT g.fan_id FROM ai_message_generations g
    WHERE g.creator_id = %(creator_id)s AND g.created_at > %(since)s AND g.created_at <= %(now)s
      AND g.ab_variants ? %(test)s
    UNION
    SELECT g.fan_id FROM ai_message_feedback b
    JOIN ai_message_generations g ON g.creator_id = b.creator_id AND g.id = b.generation_id
    WHERE b.creator_id = %(creator_id)s AND b.created_at > %(since)s AND g.ab_variants ? %(test)s
    UNION
    SELECT g.fan_id FROM message_outcomes o
    JOIN ai_message_generations g ON g.creator_id = o.creator_id AND g.id = o.generation_id
    WHERE o.creator_id = %(creator_id)s AND o.updated_at > %(since)s
      AND o.generation_id IS NOT NULL AND g.ab_variants ? %(test)s
    UNION
    SELECT g.fan_id FROM message_complaints m
    JOIN ai_message_generations g ON g.creator_id = m.creator_id AND g.id = m.generation_id
    WHERE m.creator_id = %(creator_id)s AND m.marked_at > %(since)s AND g.ab_variants ? %(test)s
    UNION
    SELECT g.fan_id FROM message_outcomes o
    JOIN ai_message_generations g ON g.creator_id = o.creator_id AND g.id = o.generation_id
    WHERE o.creator_id = %(creator_id)s AND o.sent_at > %(settling)s AND o.sent_at <= %(now)s
      AND o.settled_at > %(since)s AND o.settled_at <= %(now)s AND g.ab_variants ? %(test)s
"""

_APPLIED: Mapping[VariantKind, str] = {
    VariantKind.TEMPLATE: "g.template_id::text",
    VariantKind.PERSONALITY: "g.personality_version::text",
    VariantKind.PROMPT: "g.prompt_version",
    VariantKind.MODEL: "g.model",
}

# A complaint is one that the team has marked, or that stands in what the fan wrote after our
# message, up to what counts as the reply to it.
COUNT = f"""
    INSERT INTO ai_ab_fans
        (creator_id, id, test_id, fan_id, variant, tier, epoch, propensity_ppb, assigned_at, drafts,
         filter_hits, decided, unchanged, rejected, settled, replied, purchased, complaints,
         revenue_minor, squares, currency, other_currency, not_applied)
    SELECT %(creator_id)s, {_ID}, %(test_id)s, x.*
    FROM (
        SELECT g.fan_id, g.ab_variants -> %(test)s ->> 0 AS variant,
               (array_agg(COALESCE(o.tier, f.tier) ORDER BY g.created_at))[1],
               (array_agg((g.ab_variants -> %(test)s ->> 2)::int ORDER BY g.created_at))[1],
               (array_agg(GREATEST(1, round((g.ab_variants -> %(test)s ->> 1)::numeric * {WHOLE}))
                              ::int ORDER BY g.created_at))[1],
               min(g.created_at),
               count(*),
               count(*) FILTER (WHERE g.safety ->> 'verdict' <> 'allow'
                                   OR g.attempts IS NOT NULL),
               count(*) FILTER (WHERE b.feedback_type IN ('approved', 'modified', 'rejected')),
               count(*) FILTER (WHERE b.feedback_type = 'approved'),
               count(*) FILTER (WHERE b.feedback_type = 'rejected'),
               count(o.id),
               count(*) FILTER (WHERE o.replied),
               count(*) FILTER (WHERE o.purchased),
               count(o.id) FILTER (WHERE EXISTS (
                   SELECT 1 FROM message_complaints m
                   WHERE m.creator_id = g.creator_id AND m.generation_id = g.id)
                 OR o.replied AND EXISTS (
                   SELECT 1 FROM messages r
                   WHERE r.creator_id = o.creator_id AND r.conversation_id = o.conversation_id
                     AND r.sender = 'fan' AND r.intent = 'complaint' AND r.sent_at > o.sent_at
                     AND r.sent_at <= o.sent_at + (o.time_to_reply + 1) * interval '1 second')),
               COALESCE(sum(o.revenue_minor), 0)::bigint,
               COALESCE(sum(o.revenue_minor::numeric ^ 2), 0)::bigint,
               min(o.currency) FILTER (WHERE o.revenue_minor > 0),
               NULLIF(max(o.currency) FILTER (WHERE o.revenue_minor > 0),
                      min(o.currency) FILTER (WHERE o.revenue_minor > 0)),
               count(*) FILTER (WHERE g.generated_message IS NOT NULL
                   AND {{applied}} IS DISTINCT FROM %(references)s::jsonb ->>
                       (g.ab_variants -> %(test)s ->> 0))
        FROM ai_message_generations g
        JOIN fans f ON f.creator_id = g.creator_id AND f.id = g.fan_id
        LEFT JOIN ai_message_feedback b ON b.creator_id = g.creator_id AND b.generation_id = g.id
        LEFT JOIN message_outcomes o ON o.creator_id = g.creator_id AND o.generation_id = g.id
                                    AND o.settled_at <= %(now)s
        WHERE g.creator_id = %(creator_id)s AND g.fan_id = ANY(%(fans)s)
          AND g.ab_variants ? %(test)s AND g.created_at <= %(now)s
        GROUP BY 1, 2
    ) x (fan_id, variant)
    ON CONFLICT (creator_id, test_id, fan_id, variant) DO UPDATE SET
        drafts = EXCLUDED.drafts, filter_hits = EXCLUDED.filter_hits, decided = EXCLUDED.decided,
        unchanged = EXCLUDED.unchanged, rejected = EXCLUDED.rejected, settled = EXCLUDED.settled,
        replied = EXCLUDED.replied, purchased = EXCLUDED.purchased,
        complaints = EXCLUDED.complaints, revenue_minor = EXCLUDED.revenue_minor,
        squares = EXCLUDED.squares, currency = EXCLUDED.currency,
        other_currency = EXCLUDED.other_currency,
        not_applied = EXCLUDED.not_applied
"""

# What is counted for each measure: n, y, and the square of what each message brought.
MEASURES: Mapping[Metric | Guardrail, tuple[str, str, str]] = {
    Metric.REPLY_RATE: ("settled", "replied", "replied"),
    Metric.PURCHASE_RATE: ("settled", "purchased", "purchased"),
    Metric.REVENUE: ("settled", "revenue_minor", "squares"),
    Metric.APPROVED_UNCHANGED: ("decided", "unchanged", "unchanged"),
    Guardrail.FILTER_HITS: ("drafts", "filter_hits", "filter_hits"),
    Guardrail.REJECTIONS: ("decided", "rejected", "rejected"),
    Guardrail.COMPLAINTS: ("settled", "complaints", "complaints"),
}
SUMS_OF_A_MEASURE = 12


def _sums(n: str, y: str, squares: str) -> str:
    # As numbers of floating point: the squares of what many fans paid leave the integers.
    n, y, w = f"{n}::float8", f"{y}::float8", f"({WHOLE}.0 / propensity_ppb)::float8"
    return f"""
        count(*) FILTER (WHERE {n} > 0), sum({n}), sum({y}), sum({squares}::float8), sum({n} * {n}),
        sum({w} * {n}), sum({w} * {y}), sum({w} * {n} * {n}), sum({w} * {n} * {y}),
        sum({w} * {w} * {n} * {n}), sum({w} * {w} * {n} * {y}), sum({w} * {w} * {y} * {y})
    """


SUMS = f"""
    SELECT epoch, tier, variant, count(*), sum(drafts)::bigint, sum(not_applied)::bigint,
           {", ".join(_sums(*columns) for columns in MEASURES.values())}
    FROM ai_ab_fans
    WHERE creator_id = %(creator_id)s AND test_id = %(test_id)s
    GROUP BY 1, 2, 3
    ORDER BY 1, 2, 3
"""
CURRENCIES = """
    SELECT DISTINCT c FROM ai_ab_fans, unnest(ARRAY[currency, other_currency]) c
    WHERE creator_id = %(creator_id)s AND test_id = %(test_id)s AND c IS NOT NULL
    ORDER BY 1
"""


def _read_groups(rows: Rows) -> list[FanGroup]:
    found = []
    for row in rows:
        epoch, tier, variant, fans, drafts, not_applied, *values = row
        sums = {
            measure: tuple(values[at * SUMS_OF_A_MEASURE : (at + 1) * SUMS_OF_A_MEASURE])
            for at, measure in enumerate(MEASURES)
        }
        found.append(FanGroup(epoch, tier, variant, fans, drafts, not_applied, sums))
    return found


async def keep_assignment(
    connection: Connection,
    creator_id: UUID,
    fan_id: UUID,
    tier: str,
    assignment: Assignment,
    now: datetime,
) -> None:
    """Keep which variant a fan got first; one that is kept already stays."""
    params = {
        "creator_id": creator_id,
        "test_id": assignment.test_id,
        "fan_id": fan_id,
        "variant": assignment.variant,
        "tier": tier,
        "epoch": assignment.epoch,
        "propensity_ppb": max(1, round(assignment.propensity * WHOLE)),
        "now": now,
    }
    await run(connection, ASSIGN, params)


async def changed_fans(
    connection: Connection, creator_id: UUID, test_id: UUID, since: datetime, now: datetime
) -> list[UUID]:
    """Fans of whose drafts under a test something has changed since then."""
    params = {
        "creator_id": creator_id,
        "test": str(test_id),
        "since": since - OVERLAP,
        "settling": since - OVERLAP - LATEST_SETTLING,
        "now": now,
    }
    sent = await send(connection, CHANGED, params, lambda rows: [row[0] for row in rows])
    return await sent.answer()


async def count_fans(
    connection: Connection,
    creator_id: UUID,
    test_id: UUID,
    kind: VariantKind,
    references: str,
    fans: list[UUID],
    now: datetime,
) -> None:
    """Make the rows of these fans anew. `references` is JSON: each variant's, by its name."""
    params = {
        "creator_id": creator_id,
        "test_id": test_id,
        "test": str(test_id),
        "references": references,
        "fans": fans,
        "now": now,
    }
    await run(connection, COUNT.format(applied=_APPLIED[kind]), params)


async def groups(connection: Connection, creator_id: UUID, test_id: UUID) -> list[FanGroup]:
    """The sums over the fans of a test, by epoch, tier and variant."""
    params = {"creator_id": creator_id, "test_id": test_id}
    return await (await send(connection, SUMS, params, _read_groups)).answer()


async def currencies(connection: Connection, creator_id: UUID, test_id: UUID) -> list[str]:
    """The currencies in which the fans of a test paid."""
    params = {"creator_id": creator_id, "test_id": test_id}
    sent = await send(connection, CURRENCIES, params, lambda rows: [row[0] for row in rows])
    return await sent.answer()
