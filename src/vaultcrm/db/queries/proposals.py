"""Proposed personalities: added, decided on, watched, listed."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from vaultcrm.db.pending import Connection, Pending, Rows, run, send
from vaultcrm.db.queries.learning import read_finding, start_of, write_finding
from vaultcrm.domain.ids import new_id
from vaultcrm.domain.learning import (
    Course,
    Finding,
    Proposal,
    ProposalStatus,
    Watch,
    WatchState,
)

_COLUMNS = """
    p.creator_id, p.id, p.week, p.base_version, p.fields, p.evidence, p.status, p.created_at,
    p.decided_at, u.name, p.reason, p.applied_version, p.by_itself, p.watch
    FROM personality_proposals p LEFT JOIN users u ON u.id = p.decided_by
"""
ADD = """
    INSERT INTO personality_proposals
        (creator_id, id, week, base_version, fields, evidence, status, created_at)
    VALUES (%(creator_id)s, %(id)s, %(week)s, %(base_version)s, %(fields)s, %(evidence)s,
            'proposed', %(now)s)
    ON CONFLICT (creator_id, week) DO NOTHING
"""
SUPERSEDE = """
    UPDATE personality_proposals SET status = 'superseded', decided_at = %(now)s
    WHERE creator_id = %(creator_id)s AND status = 'proposed' AND week < %(week)s
"""
DECIDE = """
    UPDATE personality_proposals
    SET status = %(status)s, decided_at = %(now)s, decided_by = %(user_id)s, reason = %(reason)s,
        applied_version = COALESCE(%(version)s::integer, applied_version),
        by_itself = CASE WHEN %(status)s = 'applied' THEN %(by_itself)s ELSE by_itself END,
        watch = COALESCE(%(watch)s::jsonb, watch)
    WHERE creator_id = %(creator_id)s AND id = %(id)s AND status = %(was)s
"""
WATCHED = """
    UPDATE personality_proposals SET watch = %(watch)s
    WHERE creator_id = %(creator_id)s AND id = %(id)s AND status = 'applied'
"""
# A creator has one proposal a week, so the pages of some hundred creators are read as they stand.
LISTED = f"""
    SELECT {_COLUMNS}
    WHERE p.creator_id = ANY(%(creator_ids)s)
      AND (%(before)s::uuid IS NULL OR p.id < %(before)s)
      AND (%(status)s::text IS NULL OR p.status = %(status)s)
    ORDER BY p.id DESC LIMIT %(most)s
"""
ONE = f"SELECT {_COLUMNS} WHERE p.creator_id = ANY(%(creator_ids)s) AND p.id = %(id)s"
UNDER_WATCH = f"""
    SELECT {_COLUMNS}
    WHERE p.creator_id = %(creator_id)s AND p.status = 'applied'
      AND p.watch ->> 'state' IN ('watching', 'worse')
"""


async def add(
    connection: Connection,
    *,
    creator_id: UUID,
    week: date,
    base_version: int,
    fields: Mapping[str, Any],
    findings: Sequence[Finding],
    messages: int,
    tested: int,
    now: datetime,
) -> UUID | None:
    """Propose; earlier proposals that nobody decided on are superseded. None where the week has a
    proposal already.
    """
    proposal_id = new_id()
    evidence = {
        "messages": messages,
        "tested": tested,
        "findings": [write_finding(one) for one in findings],
    }
    params = {
        "creator_id": creator_id,
        "id": proposal_id,
        "week": start_of(week),
        "base_version": base_version,
        "fields": json.dumps(fields),
        "evidence": json.dumps(evidence),
        "now": now,
    }
    cursor = connection.cursor()
    await cursor.execute(ADD, params)
    if cursor.rowcount != 1:
        return None
    await run(connection, SUPERSEDE, {"creator_id": creator_id, "week": start_of(week), "now": now})
    return proposal_id


async def decide(
    connection: Connection,
    proposal: Proposal,
    status: ProposalStatus,
    *,
    user_id: UUID,
    now: datetime,
    reason: str = "",
    version: int | None = None,
    by_itself: bool = False,
    watch: Watch | None = None,
) -> bool:
    """Move a proposal on from the status that it had; False when somebody was first."""
    params = {
        "creator_id": proposal.creator_id,
        "id": proposal.id,
        "was": proposal.status.value,
        "status": status.value,
        "user_id": user_id,
        "now": now,
        "reason": reason,
        "version": version,
        "by_itself": by_itself,
        "watch": None if watch is None else json.dumps(_write_watch(watch)),
    }
    cursor = connection.cursor()
    await cursor.execute(DECIDE, params)
    return cursor.rowcount == 1


async def note_watch(connection: Connection, proposal: Proposal, watch: Watch) -> None:
    params = {
        "creator_id": proposal.creator_id,
        "id": proposal.id,
        "watch": json.dumps(_write_watch(watch)),
    }
    await run(connection, WATCHED, params)


async def listed(
    connection: Connection,
    creator_ids: Sequence[UUID],
    *,
    most: int,
    before: UUID | None = None,
    status: ProposalStatus | None = None,
) -> Pending[list[Proposal]]:
    """Proposals of some creators, the newest first."""
    params = {
        "creator_ids": list(creator_ids),
        "before": before,
        "status": None if status is None else status.value,
        "most": most,
    }
    return await send(connection, LISTED, params, _read)


async def one(
    connection: Connection, creator_ids: Sequence[UUID], proposal_id: UUID
) -> Proposal | None:
    params = {"creator_ids": list(creator_ids), "id": proposal_id}
    found = await (await send(connection, ONE, params, _read)).answer()
    return found[0] if found else None


async def under_watch(connection: Connection, creator_id: UUID) -> list[Proposal]:
    """Applied proposals of a creator that are still watched."""
    return await (await send(connection, UNDER_WATCH, {"creator_id": creator_id}, _read)).answer()


def _read(rows: Rows) -> list[Proposal]:
    return [
        Proposal(
            creator_id=row[0],
            id=row[1],
            week=row[2].date(),
            base_version=row[3],
            fields=row[4],
            findings=tuple(read_finding(each) for each in row[5]["findings"]),
            messages=row[5]["messages"],
            tested=row[5]["tested"],
            status=ProposalStatus(row[6]),
            created_at=row[7],
            decided_at=row[8],
            decided_by=row[9],
            reason=row[10],
            applied_version=row[11],
            by_itself=row[12],
            watch=None if row[13] is None else _read_watch(row[13]),
        )
        for row in rows
    ]


def _write_watch(watch: Watch) -> dict[str, Any]:
    return {
        "state": watch.state.value,
        "lookedAt": None if watch.looked_at is None else watch.looked_at.isoformat(),
        "courses": [
            [c.name, c.before, c.after, c.count_before, c.count_after, c.low, c.high]
            for c in watch.courses
        ],
    }


def _read_watch(written: Mapping[str, Any]) -> Watch:
    looked_at = written["lookedAt"]
    return Watch(
        WatchState(written["state"]),
        tuple(Course(*each) for each in written["courses"]),
        None if looked_at is None else datetime.fromisoformat(looked_at),
    )


# ---- the watch


@dataclass(frozen=True, slots=True)
class Moments:
    """Count, sum and sum of squares of one figure."""

    count: int
    total: float
    squares: float


# Of drafts that a person decided on, the share that went as it was; of messages that are settled,
# the share that was answered, and what they brought in one currency.
_FIGURES = """
    SELECT count(*), COALESCE(sum(x), 0)::float8, COALESCE(sum(x * x), 0)::float8
    FROM ({values}) t
"""
UNCHANGED = _FIGURES.format(
    values="""
    SELECT (d.feedback_type = 'approved')::int AS x FROM ai_message_feedback d
    JOIN ai_message_generations g ON g.creator_id = d.creator_id AND g.id = d.generation_id
    WHERE d.creator_id = %(creator_id)s AND d.created_at >= %(start)s AND d.created_at < %(end)s
      AND g.created_at >= %(start)s AND d.feedback_type IN ('approved', 'modified', 'rejected')
"""
)
ANSWERED = _FIGURES.format(
    values="""
    SELECT o.replied::int AS x FROM message_outcomes o
    WHERE o.creator_id = %(creator_id)s AND o.sent_at >= %(start)s AND o.sent_at < %(end)s
      AND o.settled_at <= %(now)s AND o.author IN ('ai_approved', 'ai_automatic')
"""
)
BROUGHT = _FIGURES.format(
    values="""
    SELECT o.revenue_minor::float8 AS x FROM message_outcomes o
    WHERE o.creator_id = %(creator_id)s AND o.sent_at >= %(start)s AND o.sent_at < %(end)s
      AND o.settled_at <= %(now)s AND o.author IN ('ai_approved', 'ai_automatic')
      AND (o.currency = %(currency)s OR o.price_minor IS NULL)
"""
)
FIGURES: Mapping[str, str] = {"unchanged": UNCHANGED, "replied": ANSWERED, "revenue": BROUGHT}


async def moments(
    connection: Connection,
    creator_id: UUID,
    name: str,
    start: datetime,
    end: datetime,
    *,
    currency: str,
    now: datetime,
) -> Moments:
    """One of `FIGURES` over a stretch of time."""
    params = {
        "creator_id": creator_id,
        "start": start,
        "end": end,
        "currency": currency,
        "now": now,
    }
    sent = await send(connection, FIGURES[name], params, lambda rows: Moments(*rows[0]))
    return await sent.answer()
