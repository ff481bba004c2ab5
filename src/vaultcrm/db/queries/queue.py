"""Drafts that wait for a person: pages in the order of urgency, claims, snoozing, escalation.

A page of several creators is one branch a creator, each read from the index in order and cut to
the page's length, because no index is in the order of urgency over several creators: sorting all
that waits would grow with the queue.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any
from uuid import UUID

from vaultcrm.db.pending import Connection, Pending, Rows, send
from vaultcrm.db.queries.generations import COLUMNS, read_all, read_one
from vaultcrm.domain.approval import ApprovalReason
from vaultcrm.domain.generation import GenerationRecord

HIGH_VALUE_REASONS = (ApprovalReason.HIGH_VALUE_OFFER, ApprovalReason.HIGH_TIER)
CARE_REASONS = (ApprovalReason.FAN_DISTRESS, ApprovalReason.POSSIBLE_MINOR)


class Split(StrEnum):
    """A part of the queue that somebody works on by itself."""

    HIGH_VALUE = "high_value"
    CARE = "care"
    OTHER = "other"
    MINE = "mine"
    SNOOZED = "snoozed"


SNOOZED = "g.snoozed_until > %(now)s"
AWAKE = "(g.snoozed_until IS NULL OR g.snoozed_until <= %(now)s)"
_FREE = "(g.claimed_by IS NULL OR g.claimed_by = %(user_id)s OR g.claimed_until < %(now)s)"
HIGH_VALUE = f"g.approval_reasons && '{{{','.join(HIGH_VALUE_REASONS)}}}'::text[]"
CARE = f"g.approval_reasons && '{{{','.join(CARE_REASONS)}}}'::text[]"
"""Written out, and in this order, as the partial indexes have them that serve these parts."""
MINE = "g.claimed_by = %(user_id)s AND g.claimed_until > %(now)s"
_SPLITS = {
    Split.HIGH_VALUE: f"{AWAKE} AND {HIGH_VALUE}",
    Split.CARE: f"{AWAKE} AND {CARE}",
    Split.OTHER: f"{AWAKE} AND NOT {HIGH_VALUE} AND NOT {CARE}",
    Split.MINE: MINE,
    Split.SNOOZED: SNOOZED,
}
_BEHIND = """(g.priority <= %(priority)s
    AND (g.priority < %(priority)s
         OR (g.created_at, g.id) > (%(created_at)s::timestamptz, %(id)s::uuid)))"""
_ORDER = "priority DESC, created_at, id"


@dataclass(frozen=True, slots=True)
class Selection:
    """Which waiting drafts are meant. `older_than` is a moment before which they were made."""

    creator_ids: tuple[UUID, ...]
    user_id: UUID
    split: Split | None = None
    older_than: datetime | None = None
    unclaimed: bool = False


@lru_cache(maxsize=256)
def _page(
    creators: int, split: Split | None, aged: bool, unclaimed: bool, behind: bool, columns: str
) -> str:
    """The statement for so many creators, with only the conditions that are asked for."""
    conditions = [_SPLITS[split] if split is not None else AWAKE]
    if aged:
        conditions.append("g.created_at < %(older_than)s")
    if unclaimed:
        conditions.append(_FREE)
    if behind:
        conditions.append(_BEHIND)
    wanted = "".join(f" AND {condition}" for condition in conditions)
    return branches(creators, columns, wanted, "%(limit)s")


def branches(creators: int, columns: str, wanted: str, limit: str) -> str:
    """The most urgent waiting drafts of `%(creator_0)s` and so on: one branch each, then the best.

    `columns` hold priority, created_at and id; `wanted` begins with AND, or is empty.
    """
    each = [
        f"""(SELECT {columns} FROM ai_message_generations g
             WHERE g.creator_id = %(creator_{number})s AND g.status = 'queued'{wanted}
             ORDER BY g.priority DESC, g.created_at, g.id LIMIT {limit})"""
        for number in range(creators)
    ]
    if creators == 1:
        return each[0]
    return f"{' UNION ALL '.join(each)} ORDER BY {_ORDER} LIMIT {limit}"


def creator_params(creator_ids: Sequence[UUID]) -> dict[str, Any]:
    """What `branches` asks for."""
    return {f"creator_{number}": one for number, one in enumerate(creator_ids)}


def _params(
    selection: Selection, now: datetime, limit: int, after: tuple[int, datetime, UUID] | None
) -> dict[str, Any]:
    priority, created_at, generation_id = after or (None, None, None)
    return {
        **creator_params(selection.creator_ids),
        "user_id": selection.user_id,
        "older_than": selection.older_than,
        "now": now,
        "limit": limit,
        "priority": priority,
        "created_at": created_at,
        "id": generation_id,
    }


async def page(
    connection: Connection,
    selection: Selection,
    *,
    now: datetime,
    limit: int,
    after: tuple[int, datetime, UUID] | None = None,
) -> tuple[GenerationRecord, ...]:
    """Waiting drafts, the most urgent first.

    `after` is priority, creation and id of the last draft of the page before this one: the page
    begins behind that place, wherever the draft has gone since.
    """
    if not selection.creator_ids:
        return ()
    statement, params = page_statement(selection, now, limit, after)
    return await (await send(connection, statement, params, read_all)).answer()


def page_statement(
    selection: Selection,
    now: datetime,
    limit: int,
    after: tuple[int, datetime, UUID] | None = None,
) -> tuple[str, dict[str, Any]]:
    """The statement of a page, and its parameters."""
    statement = _page(
        len(selection.creator_ids),
        selection.split,
        selection.older_than is not None,
        selection.unclaimed,
        after is not None,
        f"{COLUMNS}, NULL::text, NULL::text, NULL::timestamptz",
    )
    return statement, _params(selection, now, limit, after)


CLAIM = f"""
    UPDATE ai_message_generations g
    SET claimed_by = %(user_id)s, claimed_until = %(until)s
    WHERE g.creator_id = %(creator_id)s AND g.id = %(id)s AND g.status = 'queued' AND {_FREE}
    RETURNING {COLUMNS}, NULL::text, NULL::text, NULL::timestamptz
"""


async def claim(
    connection: Connection,
    creator_id: UUID,
    generation_id: UUID,
    user_id: UUID,
    *,
    now: datetime,
    until: datetime,
) -> Pending[GenerationRecord | None]:
    """Hold one waiting draft until `until`, or go on holding it; None when it is decided or
    somebody else holds it.
    """
    params = {
        "creator_id": creator_id,
        "id": generation_id,
        "user_id": user_id,
        "now": now,
        "until": until,
    }
    return await send(connection, CLAIM, params, read_one)


_CANDIDATES = 20


async def claim_next(
    connection: Connection, selection: Selection, *, now: datetime, until: datetime
) -> GenerationRecord | None:
    """Hold the most urgent waiting draft that nobody holds; None when there is none.

    No row is locked before the claim: a lock over the drafts of several creators is one that a
    cluster does not have. Of people who ask at once each gets another one: whoever loses a draft
    goes on to the next.
    """
    if not selection.creator_ids:
        return None
    statement, params = candidates_statement(selection, now)
    while True:
        found = await (await send(connection, statement, params, list)).answer()
        for creator_id, generation_id, *_ in found:
            claimed = await claim(
                connection, creator_id, generation_id, selection.user_id, now=now, until=until
            )
            record = await claimed.answer()
            if record is not None:
                return record
        if not found:
            return None


def candidates_statement(selection: Selection, now: datetime) -> tuple[str, dict[str, Any]]:
    """The statement that finds drafts to claim, and its parameters."""
    statement = _page(
        len(selection.creator_ids),
        selection.split,
        selection.older_than is not None,
        True,
        False,
        "g.creator_id, g.id, g.priority, g.created_at",
    )
    return statement, _params(selection, now, _CANDIDATES, None)


RELEASE = f"""
    UPDATE ai_message_generations g
    SET claimed_by = NULL, claimed_until = NULL
    WHERE g.creator_id = %(creator_id)s AND g.id = %(id)s AND g.status = 'queued'
      AND g.claimed_by = %(user_id)s
    RETURNING {COLUMNS}, NULL::text, NULL::text, NULL::timestamptz
"""


async def release(
    connection: Connection, creator_id: UUID, generation_id: UUID, user_id: UUID
) -> Pending[GenerationRecord | None]:
    """Let a draft go; None when `user_id` does not hold it (any more)."""
    params = {"creator_id": creator_id, "id": generation_id, "user_id": user_id}
    return await send(connection, RELEASE, params, read_one)


SNOOZE = f"""
    UPDATE ai_message_generations g
    SET snoozed_until = %(until)s, claimed_by = NULL, claimed_until = NULL
    WHERE g.creator_id = %(creator_id)s AND g.id = %(id)s AND g.status = 'queued' AND {_FREE}
    RETURNING {COLUMNS}, NULL::text, NULL::text, NULL::timestamptz
"""


async def snooze(
    connection: Connection,
    creator_id: UUID,
    generation_id: UUID,
    user_id: UUID,
    *,
    now: datetime,
    until: datetime | None,
) -> Pending[GenerationRecord | None]:
    """Take a draft out of the queue until `until`, or back into it with None.

    None when it is decided or somebody else holds it.
    """
    params = {
        "creator_id": creator_id,
        "id": generation_id,
        "user_id": user_id,
        "now": now,
        "until": until,
    }
    return await send(connection, SNOOZE, params, read_one)


HELD = """
    SELECT g.creator_id, g.id, g.conversation_id, u.id, u.name, g.claimed_until
    FROM ai_message_generations g
    JOIN users u ON u.id = g.claimed_by
    WHERE g.creator_id = ANY(%(creator_ids)s) AND g.status = 'queued'
      AND g.claimed_by IS NOT NULL AND g.claimed_until > %(now)s
    ORDER BY u.name, g.claimed_until
    LIMIT 500
"""


@dataclass(frozen=True, slots=True)
class Held:
    """A draft that somebody is looking at."""

    creator_id: UUID
    generation_id: UUID
    conversation_id: UUID
    user_id: UUID
    user_name: str
    until: datetime


async def held(
    connection: Connection, creator_ids: Sequence[UUID], now: datetime
) -> tuple[Held, ...]:
    """Who holds what, by name; at most 500."""
    params = {"creator_ids": list(creator_ids), "now": now}
    return await (await send(connection, HELD, params, _read_held)).answer()


def _read_held(rows: Rows) -> tuple[Held, ...]:
    return tuple(Held(*row) for row in rows)


# Each level is reached once: `escalated` counts them, so a draft that nobody touches for a day is
# raised as many times as there are levels, and no more.
ESCALATE = """
    UPDATE ai_message_generations
    SET priority = priority + %(points)s, escalated = %(level)s
    WHERE creator_id = %(creator_id)s AND status = 'queued' AND escalated = %(level)s - 1
      AND created_at <= %(made_before)s
    RETURNING id
"""


async def escalate(
    connection: Connection, creator_id: UUID, level: int, made_before: datetime, points: int
) -> int:
    """Raise the priority of drafts that have waited for this level's time; how many there were."""
    params = {
        "creator_id": creator_id,
        "level": level,
        "made_before": made_before,
        "points": points,
    }
    return await (await send(connection, ESCALATE, params, len)).answer()
