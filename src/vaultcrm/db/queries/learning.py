"""Weekly learning: what a week's messages did, read in a stream, and the sums that are kept of it.

A stream is a server-side cursor inside a transaction: PostgreSQL gives some rows at a time, so that
nothing here grows with how many there are.
"""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any, Final
from uuid import UUID

from vaultcrm.db.pending import Connection, Pending, Rows, run, send
from vaultcrm.domain.ids import NIL, new_id
from vaultcrm.domain.learning import (
    Finding,
    Hypothesis,
    Outcome,
    PooledScore,
    Score,
    Scores,
    WeekReport,
    WeekSums,
)

AT_ONCE: Final = 2_000
"""Rows that are fetched together."""

# `share` of 256 takes a sample that is the same each time: the last byte of an id is random.
_OF_WEEK = """
    FROM message_outcomes o
    JOIN messages m ON m.creator_id = o.creator_id AND m.id = o.id
    JOIN fans f ON f.creator_id = o.creator_id AND f.id = o.fan_id
    LEFT JOIN ai_message_generations g
           ON g.creator_id = o.creator_id AND g.id = o.generation_id
    WHERE o.creator_id = %(creator_id)s AND o.sent_at >= %(start)s AND o.sent_at < %(end)s
      AND o.author IN ('ai_approved', 'ai_automatic') AND m.text <> ''
      AND f.erased_at IS NULL
      AND get_byte(uuid_send(o.id), 15) < %(share)s
"""
SIZE = """
    SELECT count(*),
           mode() WITHIN GROUP (ORDER BY o.currency) FILTER (WHERE o.price_minor > 0)
    FROM message_outcomes o
    WHERE o.creator_id = %(creator_id)s AND o.sent_at >= %(start)s AND o.sent_at < %(end)s
      AND o.author IN ('ai_approved', 'ai_automatic')
"""
TEXTS = f"SELECT m.text, f.id, f.display_name {_OF_WEEK}"
OUTCOMES = f"""
    SELECT m.text, f.display_name, o.tier, o.sent_at, o.price_minor, o.currency, o.replied,
           o.purchased, o.revenue_minor, g.generation_type
    {_OF_WEEK}
"""
# What a person has looked at and let go, as it was drafted and as it went.
DECIDED = """
    SELECT d.original_message, d.final_message, f.id, f.display_name
    FROM ai_message_feedback d
    JOIN ai_message_generations g ON g.creator_id = d.creator_id AND g.id = d.generation_id
    JOIN fans f ON f.creator_id = g.creator_id AND f.id = g.fan_id
    WHERE d.creator_id = %(creator_id)s AND d.created_at >= %(start)s AND d.created_at < %(end)s
      AND d.feedback_type IN ('approved', 'modified')
      AND d.original_message <> '' AND d.final_message <> '' AND f.erased_at IS NULL
"""


def start_of(week: date) -> datetime:
    """When a week that begins on this day begins."""
    return datetime(week.year, week.month, week.day, tzinfo=UTC)


async def week_size(
    connection: Connection, creator_id: UUID, start: datetime, end: datetime
) -> tuple[int, str]:
    """How many messages AI wrote in a stretch of time, and the currency of most offers or ""."""
    params = {"creator_id": creator_id, "start": start, "end": end}
    sent = await send(connection, SIZE, params, lambda rows: (rows[0][0], rows[0][1] or ""))
    return await sent.answer()


async def stream(
    connection: Connection,
    statement: str,
    creator_id: UUID,
    start: datetime,
    end: datetime,
    *,
    share: int = 256,
) -> AsyncIterator[Sequence[tuple[Any, ...]]]:
    """The rows of `TEXTS`, `OUTCOMES` or `DECIDED`, some at a time, in any order; `share` of 256 of
    them. The connection must be in a transaction.
    """
    params = {"creator_id": creator_id, "start": start, "end": end, "share": share}
    async with connection.cursor(f"learning_{new_id().hex}") as cursor:
        await cursor.execute(statement, params)
        while rows := await cursor.fetchmany(AT_ONCE):
            yield rows


# ---- the weeks

KEEP = """
    INSERT INTO learning_weeks (creator_id, id, week, sums, gathered_at)
    VALUES (%(creator_id)s, %(id)s, %(week)s, %(sums)s, %(now)s)
    ON CONFLICT (creator_id, week) DO NOTHING
"""
WEEKS = """
    SELECT week, sums FROM learning_weeks
    WHERE creator_id = %(creator_id)s AND week >= %(since)s AND week <= %(until)s
    ORDER BY week
"""
STATES = """
    SELECT c.id, w.week IS NOT NULL, w.concluded_at IS NOT NULL
    FROM creators c
    LEFT JOIN learning_weeks w ON w.creator_id = c.id AND w.week = %(week)s
    ORDER BY c.id
"""
CONCLUDE = """
    UPDATE learning_weeks SET concluded_at = %(now)s, report = %(report)s
    WHERE creator_id = %(creator_id)s AND week = %(week)s AND concluded_at IS NULL
"""
FIRST_GATHERED = "SELECT min(gathered_at) FROM learning_weeks WHERE week = %(week)s"
IS_LAST = """
    SELECT NOT EXISTS (SELECT 1 FROM learning_weeks
                       WHERE creator_id = %(creator_id)s AND week > %(week)s)
"""
LATEST = """
    SELECT DISTINCT ON (creator_id) creator_id, report FROM learning_weeks
    WHERE creator_id = ANY(%(creator_ids)s) AND concluded_at IS NOT NULL
    ORDER BY creator_id, week DESC
"""


async def keep_week(
    connection: Connection, creator_id: UUID, week: date, sums: WeekSums, now: datetime
) -> None:
    """Keep the sums of a week; the first to come stay."""
    written = {
        "messages": sums.messages,
        "offers": sums.offers,
        "decided": sums.decided,
        "modified": sums.modified,
        "scores": _write_scores(sums.scores),
    }
    await _keep(connection, creator_id, week, written, now)


async def keep_pool(
    connection: Connection, week: date, pool: Mapping[Hypothesis, PooledScore], now: datetime
) -> None:
    """The same for all creators together, up to a week."""
    written = {
        _name(one): [*_numbers(score.total), score.typical, score.spread]
        for one, score in pool.items()
    }
    await _keep(connection, NIL, week, written, now)


async def _keep(
    connection: Connection, creator_id: UUID, week: date, sums: Mapping[str, Any], now: datetime
) -> None:
    params = {
        "creator_id": creator_id,
        "id": new_id(),
        "week": start_of(week),
        "sums": json.dumps(sums),
        "now": now,
    }
    await run(connection, KEEP, params)


async def weeks(
    connection: Connection, creator_id: UUID, since: date, until: date
) -> list[tuple[date, WeekSums]]:
    """The kept weeks of a creator, the oldest first."""
    params = {"creator_id": creator_id, "since": start_of(since), "until": start_of(until)}
    sent = await send(
        connection, WEEKS, params, lambda rows: [(week.date(), _sums(sums)) for week, sums in rows]
    )
    return await sent.answer()


async def pool_of(connection: Connection, week: date) -> dict[Hypothesis, PooledScore] | None:
    """All creators together up to a week; None if nobody has put them together yet."""
    params = {"creator_id": NIL, "since": start_of(week), "until": start_of(week)}
    sent = await send(connection, WEEKS, params, lambda rows: rows[0][1] if rows else None)
    found = await sent.answer()
    if found is None:
        return None
    return {
        _hypothesis(name): PooledScore(Score(*values[:8]), *values[8:])
        for name, values in found.items()
    }


async def states(connection: Connection, week: date) -> list[tuple[UUID, bool, bool]]:
    """Every creator, whether the week's sums are kept, and whether it is concluded."""
    sent = await send(
        connection, STATES, {"week": start_of(week)}, lambda rows: [tuple(r) for r in rows]
    )
    return await sent.answer()


async def conclude(
    connection: Connection, creator_id: UUID, report: WeekReport, now: datetime
) -> bool:
    """Write down what came of a week; False when somebody else has."""
    written = {
        "week": report.week.isoformat(),
        "messages": report.messages,
        "tested": report.tested,
        "enough": report.enough,
        "findings": [write_finding(one) for one in report.findings],
    }
    params = {
        "creator_id": creator_id,
        "week": start_of(report.week),
        "report": json.dumps(written),
        "now": now,
    }
    cursor = connection.cursor()
    await cursor.execute(CONCLUDE, params)
    return cursor.rowcount == 1


async def first_gathered(connection: Connection, week: date) -> datetime | None:
    """When the first sums of a week were kept, of whomever."""
    sent = await send(connection, FIRST_GATHERED, {"week": start_of(week)}, lambda rows: rows[0][0])
    first: datetime | None = await sent.answer()
    return first


async def is_last(connection: Connection, creator_id: UUID, week: date) -> bool:
    """Whether no later week of a creator is kept."""
    params = {"creator_id": creator_id, "week": start_of(week)}
    return await (await send(connection, IS_LAST, params, lambda rows: bool(rows[0][0]))).answer()


async def latest_reports(
    connection: Connection, creator_ids: Sequence[UUID]
) -> Pending[dict[UUID, WeekReport]]:
    """What came of the last concluded week of each creator."""
    return await send(connection, LATEST, {"creator_ids": list(creator_ids)}, _read_reports)


def _read_reports(rows: Rows) -> dict[UUID, WeekReport]:
    return {
        creator_id: WeekReport(
            date.fromisoformat(report["week"]),
            report["messages"],
            report["tested"],
            report["enough"],
            tuple(read_finding(one) for one in report["findings"]),
        )
        for creator_id, report in rows
    }


# ---- as JSON


def write_finding(one: Finding) -> dict[str, Any]:
    return {
        "arm": one.arm,
        "outcome": one.outcome.value,
        "currency": one.currency,
        "rate": round(one.rate, 6),
        "otherwise": round(one.otherwise, 6),
        "low": round(one.low, 6),
        "high": round(one.high, 6),
        "messages": one.messages,
        "expected": round(one.expected, 6),
        "everywhere": one.everywhere,
    }


def read_finding(written: Mapping[str, Any]) -> Finding:
    return Finding(**{**written, "outcome": Outcome(written["outcome"])})


def _write_scores(scores: Scores) -> dict[str, list[float]]:
    return {_name(one): _numbers(score) for one, score in scores.items()}


def _numbers(score: Score) -> list[float]:
    return [
        score.score,
        score.variance,
        score.weight,
        score.level,
        score.first,
        score.of_arm,
        score.others,
        score.events,
    ]


def _sums(written: Mapping[str, Any]) -> WeekSums:
    return WeekSums(
        written["messages"],
        written["offers"],
        written["decided"],
        written["modified"],
        {_hypothesis(name): Score(*values) for name, values in written["scores"].items()},
    )


def _name(one: Hypothesis) -> str:
    return f"{one.outcome.value}|{one.currency}|{one.arm}"


def _hypothesis(name: str) -> Hypothesis:
    outcome, currency, arm = name.split("|", 2)
    return Hypothesis(arm, Outcome(outcome), currency)
