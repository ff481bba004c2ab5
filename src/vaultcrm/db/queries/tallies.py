"""What metrics count, each with one definition: roll-ups are made by it, and what is not rolled up
yet is read by it.

A statement here counts over the ranges `r` (creator, span, start, end) whose span is 0.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from vaultcrm.domain.rollups import Piece
from vaultcrm.domain.time_saved import SIZES

RANGES = """
    unnest(%(creators)s::uuid[], %(spans)s::smallint[], %(starts)s::timestamptz[],
           %(ends)s::timestamptz[]) r (creator_id, span, start_at, end_at)
"""


def ranges(pieces: Iterable[Piece]) -> Mapping[str, list[Any]]:
    """Pieces as the parameters of `RANGES`."""
    found = list(pieces)
    return {
        "creators": [piece.creator_id for piece in found],
        "spans": [piece.span.value for piece in found],
        "starts": [piece.start for piece in found],
        "ends": [piece.end for piece in found],
    }


@dataclass(frozen=True, slots=True)
class Tallied:
    """One kind of counts: where its roll-ups are, by what they are told apart, what is counted, and
    the statement that counts it by creator and hour.
    """

    table: str
    keys: tuple[str, ...]
    counts: tuple[str, ...]
    live: str


def _hour(column: str) -> str:
    # Not `date_trunc`, which looks its time zone up for every row.
    return f"date_bin(interval '1 hour', {column}, timestamptz '2000-01-01 00:00:00+00')"


def _within(table: str, alias: str) -> str:
    """The rows of a table in the ranges, found by their creator and time of creation."""
    return f"""{RANGES} JOIN {table} {alias} ON {alias}.creator_id = r.creator_id
      AND {alias}.created_at >= r.start_at AND {alias}.created_at < r.end_at AND r.span = 0"""


_BLOCKED = "'filter_blocked' = ANY(g.approval_reasons) AND g.approved_by IS NULL"
_CHANGED = """(g.final_message IS DISTINCT FROM g.generated_message
                OR g.final_price_minor IS DISTINCT FROM g.suggested_price_minor)"""

DRAFTS = Tallied(
    "rollup_drafts",
    ("generation_type",),
    ("waiting", "approved", "modified", "rejected", "automatic", "blocked", "expired", "drafted",
     "confidence_sum", "with_findings"),
    f"""
    SELECT r.creator_id, {_hour("g.created_at")} AS at, g.generation_type,
           count(*) FILTER (WHERE g.status = 'queued') AS waiting,
           count(*) FILTER (WHERE g.status = 'approved' AND NOT {_CHANGED}) AS approved,
           count(*) FILTER (WHERE g.status = 'approved' AND {_CHANGED}) AS modified,
           count(*) FILTER (WHERE g.status = 'rejected' AND NOT ({_BLOCKED})) AS rejected,
           count(*) FILTER (WHERE g.status = 'auto_sent') AS automatic,
           count(*) FILTER (WHERE g.status = 'rejected' AND {_BLOCKED}) AS blocked,
           count(*) FILTER (WHERE g.status = 'expired') AS expired,
           count(*) FILTER (WHERE g.generated_message IS NOT NULL) AS drafted,
           COALESCE(sum(g.confidence_score) FILTER (WHERE g.generated_message IS NOT NULL), 0)
             AS confidence_sum,
           count(*) FILTER (WHERE g.safety -> 'findings' <> '[]') AS with_findings
    FROM {_within("ai_message_generations", "g")}
    GROUP BY 1, 2, 3
    """,
)  # fmt: skip

# An outcome that says its currency is in that one; others are in that of their draft. A draft that
# was offered at a price and went out is an offer, bought or not.
DECISIONS = Tallied(
    "rollup_decisions",
    ("currency",),
    ("approved", "modified", "rejected", "automatic", "reply_known", "replied", "purchase_known",
     "offers", "bought", "gain_known", "revenue_minor"),
    f"""
    SELECT r.creator_id, {_hour("f.created_at")} AS at,
           COALESCE(f.performance_data ->> 'currency', g.currency) AS currency,
           count(*) FILTER (WHERE f.feedback_type = 'approved') AS approved,
           count(*) FILTER (WHERE f.feedback_type = 'modified') AS modified,
           count(*) FILTER (WHERE f.feedback_type = 'rejected') AS rejected,
           count(*) FILTER (WHERE f.feedback_type = 'auto_sent') AS automatic,
           count(*) FILTER (WHERE f.performance_data ? 'replied') AS reply_known,
           count(*) FILTER (WHERE (f.performance_data ->> 'replied')::boolean) AS replied,
           count(*) FILTER (WHERE f.performance_data ? 'purchased') AS purchase_known,
           count(*) FILTER (WHERE (f.performance_data ->> 'purchased')::boolean
             OR f.feedback_type IN ('approved', 'modified') AND g.final_price_minor IS NOT NULL
             OR f.feedback_type = 'auto_sent' AND g.suggested_price_minor IS NOT NULL) AS offers,
           count(*) FILTER (WHERE (f.performance_data ->> 'purchased')::boolean) AS bought,
           count(*) FILTER (WHERE f.performance_data ? 'revenue') AS gain_known,
           COALESCE(sum((f.performance_data ->> 'revenue')::bigint), 0) AS revenue_minor
    FROM {_within("ai_message_feedback", "f")}
    JOIN ai_message_generations g ON g.creator_id = f.creator_id AND g.id = f.generation_id
    GROUP BY 1, 2, 3
    """,
)  # fmt: skip

USAGE = Tallied(
    "rollup_usage",
    ("model", "purpose"),
    ("calls", "input_tokens", "output_tokens", "cached_tokens", "cost_micro_usd"),
    f"""
    SELECT r.creator_id, {_hour("u.created_at")} AS at, u.model, u.purpose, count(*) AS calls,
           sum(u.input_tokens) AS input_tokens, sum(u.output_tokens) AS output_tokens,
           sum(u.cached_tokens) AS cached_tokens, sum(u.cost_micro_usd) AS cost_micro_usd
    FROM {_within("usage", "u")}
    GROUP BY 1, 2, 3, 4
    """,
)

MESSAGES = Tallied(
    "rollup_messages",
    ("author", "delivery_status"),
    ("messages",),
    f"""
    SELECT r.creator_id, {_hour("o.created_at")} AS at, o.author, o.delivery_status,
           count(*) AS messages
    FROM {_within("outbox", "o")}
    GROUP BY 1, 2, 3, 4
    """,
)

# What was sent has its last change when it was. A message that nothing of the fan's stands before
# begins a conversation, so nobody has waited for it. A draft is counted when it was made, with how
# long it waited for a person.
WAITS = Tallied(
    "rollup_waits",
    ("kind", "bucket"),
    ("waits", "milliseconds"),
    f"""
    SELECT w.creator_id, w.at, w.kind,
           floor(8 * ln(1 + w.ms / 1000.0::float8) / ln(2::float8))::smallint AS bucket,
           count(*) AS waits, sum(w.ms) AS milliseconds
    FROM (
        SELECT r.creator_id, {_hour("g.created_at")} AS at, 'decision' AS kind,
               GREATEST(extract(epoch FROM g.approved_at - g.created_at) * 1000, 0)::bigint AS ms
        FROM {_within("ai_message_generations", "g")}
          AND g.approved_by IS NOT NULL AND g.status IN ('approved', 'rejected')
        UNION ALL
        SELECT r.creator_id, {_hour("o.created_at")},
               CASE o.author WHEN 'chatter' THEN 'by_hand' ELSE 'by_ai' END,
               GREATEST(extract(epoch FROM o.updated_at - m.sent_at) * 1000, 0)::bigint
        FROM {_within("outbox", "o")}
          AND o.delivery_status = 'sent' AND o.author <> 'disclosure'
        JOIN messages m
          ON m.creator_id = o.creator_id AND m.id = o.seen_message_id AND m.sender = 'fan'
    ) w
    GROUP BY 1, 2, 3, 4
    """,
)

# By the hour in which messages were sent, whatever came of them since.
OUTCOMES = Tallied(
    "rollup_outcomes",
    ("author", "currency"),
    ("messages", "replied", "offers", "bought", "revenue_minor", "squares", "refunded_minor"),
    f"""
    SELECT r.creator_id, {_hour("o.sent_at")} AS at, o.author,
           CASE WHEN o.revenue_minor + o.refunded_minor > 0 THEN COALESCE(o.currency, '') ELSE ''
             END AS currency,
           count(*) AS messages,
           count(*) FILTER (WHERE o.replied) AS replied,
           count(*) FILTER (WHERE o.price_minor IS NOT NULL OR o.purchased) AS offers,
           count(*) FILTER (WHERE o.purchased) AS bought,
           sum(o.revenue_minor)::bigint AS revenue_minor,
           sum(round(o.revenue_minor::float8 * o.revenue_minor / 100))::bigint AS squares,
           sum(o.refunded_minor)::bigint AS refunded_minor
    FROM {RANGES} JOIN message_outcomes o ON o.creator_id = r.creator_id
      AND o.sent_at >= r.start_at AND o.sent_at < r.end_at AND r.span = 0
    GROUP BY 1, 2, 3, 4
    """,
)

WORK = Tallied(
    "rollup_work",
    ("user_id", "kind", "size", "bucket"),
    ("actions", "milliseconds"),
    f"""
    SELECT r.creator_id, {_hour("w.at")} AS at, w.user_id, w.kind,
           (CASE WHEN w.length <= {SIZES[0]} THEN 0 WHEN w.length <= {SIZES[1]} THEN 1 ELSE 2
             END)::smallint AS size,
           floor(4 * ln(1 + w.milliseconds / 1000.0::float8) / ln(2::float8))::smallint AS bucket,
           count(*) AS actions, sum(w.milliseconds)::bigint AS milliseconds
    FROM {RANGES} JOIN chatter_work w ON w.creator_id = r.creator_id
      AND w.at >= r.start_at AND w.at < r.end_at AND r.span = 0
    GROUP BY 1, 2, 3, 4, 5, 6
    """,
)

# By the hour in which both periods were over and counted.
ENGAGEMENT = Tallied(
    "rollup_engagement",
    ("kind",),
    ("conversations", "before", "after", "squares"),
    f"""
    SELECT r.creator_id, {_hour("e.known_at")} AS at,
           CASE WHEN e.is_comparable THEN 'compared' ELSE 'new' END AS kind,
           count(*) AS conversations, sum(e.before)::bigint AS before,
           sum(e.after)::bigint AS after,
           sum((e.after - e.before)::bigint * (e.after - e.before))::bigint AS squares
    FROM {RANGES} JOIN conversation_engagement e ON e.creator_id = r.creator_id
      AND e.known_at >= r.start_at AND e.known_at < r.end_at AND r.span = 0
    GROUP BY 1, 2, 3
    """,
)

ALL = (DRAFTS, DECISIONS, USAGE, MESSAGES, WAITS, OUTCOMES, WORK, ENGAGEMENT)
