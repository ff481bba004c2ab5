"""Budgets: set, cleared, and read with what is used of them."""

from datetime import datetime
from uuid import UUID

from vaultcrm.db.pending import Connection, Pending, Rows, run, send
from vaultcrm.domain.budgets import (
    Budget,
    BudgetKey,
    BudgetPeriod,
    BudgetScope,
    BudgetUnit,
)
from vaultcrm.domain.ids import NIL
from vaultcrm.domain.limits import Windows

# By the keys of the counters, as nothing finds those of one window alone.
_LIST = """
    SELECT b.scope, b.subject, b.period, b.unit, b.ceiling, COALESCE(c.used, 0),
           COALESCE(k.display_name, u.name, ''), b.reason, w.name, b.set_at
    FROM budgets b
    LEFT JOIN creators k ON b.scope = 'creator' AND k.id = b.subject
    LEFT JOIN users u ON b.scope = 'user' AND u.id = b.subject
    LEFT JOIN users w ON w.id = b.set_by
    LEFT JOIN limit_counters c
      ON c.kind = b.scope || '_' || b.unit || '_per_' || b.period AND c.subject = b.subject::text
     AND c.window_start = CASE b.period WHEN 'day' THEN %(day)s ELSE %(month)s END
    WHERE b.scope = 'creator' AND b.subject = ANY(%(creator_ids)s)
       OR b.scope <> 'creator' AND %(whole)s
    ORDER BY b.scope = 'user', b.scope = 'creator', 7, b.subject, b.period, b.unit
"""

# Whoever sets a budget sees the one before as it is, and the next one waits.
FIND = """
    SELECT ceiling FROM budgets
    WHERE scope = %(scope)s AND subject = %(subject)s AND period = %(period)s AND unit = %(unit)s
    FOR UPDATE
"""
SET = """
    INSERT INTO budgets (scope, subject, period, unit, ceiling, reason, set_by, set_at)
    VALUES (%(scope)s, %(subject)s, %(period)s, %(unit)s, %(ceiling)s, %(reason)s, %(user_id)s,
            %(now)s)
    ON CONFLICT (scope, subject, period, unit) DO UPDATE
      SET ceiling = EXCLUDED.ceiling, reason = EXCLUDED.reason, set_by = EXCLUDED.set_by,
          set_at = EXCLUDED.set_at
"""
CLEAR = """
    DELETE FROM budgets
    WHERE scope = %(scope)s AND subject = %(subject)s AND period = %(period)s AND unit = %(unit)s
"""

_AMOUNTS = {
    BudgetUnit.TOKENS: "input_tokens + output_tokens + cached_tokens",
    BudgetUnit.USD: "cost_micro_usd",
}
# A user is known of drafts alone.
_USED_BY = {
    BudgetScope.INSTALLATION: "usage WHERE creator_id = ANY(ARRAY(SELECT id FROM creators))",
    BudgetScope.CREATOR: "usage WHERE creator_id = %(subject)s",
    BudgetScope.USER: "ai_message_generations "
    "WHERE creator_id = ANY(ARRAY(SELECT id FROM creators)) AND chatter_id = %(subject)s",
}
USED = """
    SELECT COALESCE(sum({amount}), 0)::bigint FROM {rows}
      AND created_at >= %(since)s
"""
COUNT_AS_USED = """
    INSERT INTO limit_counters AS c (kind, subject, window_start, used)
    VALUES (%(kind)s, %(subject)s, %(window_start)s, %(used)s)
    ON CONFLICT (kind, subject, window_start) DO UPDATE SET used = GREATEST(c.used, EXCLUDED.used)
"""


def _read(rows: Rows) -> tuple[Budget, ...]:
    return tuple(
        Budget(
            BudgetKey(BudgetScope(scope), subject, BudgetPeriod(period), BudgetUnit(unit)), *rest
        )
        for scope, subject, period, unit, *rest in rows
    )


async def list_budgets(
    connection: Connection, windows: Windows, creator_ids: list[UUID], *, whole: bool
) -> Pending[tuple[Budget, ...]]:
    """Budgets of some creators, and with `whole` those of users and of the installation, with what
    is used of each: the installation's first, then by name.
    """
    params = {
        "day": windows.day,
        "month": windows.month,
        "creator_ids": creator_ids,
        "whole": whole,
    }
    return await send(connection, _LIST, params, _read)


def _params(key: BudgetKey) -> dict[str, object]:
    return {
        "scope": key.scope.value,
        "subject": key.subject,
        "period": key.period.value,
        "unit": key.unit.value,
    }


async def lock_ceiling(connection: Connection, key: BudgetKey) -> int | None:
    """The budget in force, held until the transaction ends; None where none is set."""
    sent = await send(connection, FIND, _params(key), lambda rows: rows[0][0] if rows else None)
    return await sent.answer()


async def set_budget(
    connection: Connection,
    key: BudgetKey,
    ceiling: int,
    *,
    reason: str,
    user_id: UUID,
    now: datetime,
) -> None:
    """Set a budget, in the place of the one before."""
    params = {
        **_params(key),
        "ceiling": ceiling,
        "reason": reason,
        "user_id": user_id,
        "now": now,
    }
    await run(connection, SET, params)


async def clear_budget(connection: Connection, key: BudgetKey) -> None:
    """Take a budget away."""
    await run(connection, CLEAR, _params(key))


async def count_from_usage(connection: Connection, key: BudgetKey, since: datetime) -> None:
    """Let a budget that is new begin with what was used since the beginning of its window."""
    statement = USED.format(amount=_AMOUNTS[key.unit], rows=_USED_BY[key.scope])
    params = {"subject": key.subject, "since": since}
    used = await (await send(connection, statement, params, lambda rows: int(rows[0][0]))).answer()
    subject = str(NIL if key.scope is BudgetScope.INSTALLATION else key.subject)
    counter = {"kind": key.kind, "subject": subject, "window_start": since, "used": used}
    await run(connection, COUNT_AS_USED, counter)


SUBJECT_IS_KNOWN = {
    BudgetScope.CREATOR: "SELECT EXISTS (SELECT 1 FROM creators WHERE id = %(id)s)",
    BudgetScope.USER: "SELECT EXISTS (SELECT 1 FROM users WHERE id = %(id)s)",
}


async def subject_is_known(connection: Connection, key: BudgetKey) -> bool:
    """Whether the creator or the user of a budget is there."""
    if key.scope is BudgetScope.INSTALLATION:
        return True
    statement = SUBJECT_IS_KNOWN[key.scope]
    sent = await send(connection, statement, {"id": key.subject}, lambda rows: bool(rows[0][0]))
    return await sent.answer()


PEOPLE = """
    SELECT id, name FROM users WHERE disabled_at IS NULL AND id <> %(system)s ORDER BY name, id
    LIMIT %(most)s
"""


async def people(
    connection: Connection, system: UUID, *, most: int
) -> Pending[tuple[tuple[UUID, str], ...]]:
    """Users and programs who may have a budget, by name."""
    params = {"system": system, "most": most}
    return await send(
        connection, PEOPLE, params, lambda rows: tuple((row[0], row[1]) for row in rows)
    )
