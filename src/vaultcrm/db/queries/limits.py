"""Counters of limits and budgets: reserve for a call, settle after it, give back, take from the
dead.

The reservation of a generation is part of the one statement of `vaultcrm.db.queries.opening`; how
counters are raised is said in `reserving`.
"""

from datetime import datetime
from uuid import UUID

from vaultcrm.db.pending import Connection, Pending, Record, Rows, records, run, send
from vaultcrm.db.queries.reserving import (
    BUDGETS_WANTED,
    RESERVED,
    STATES,
    params_of,
    read_holding,
    read_states,
)
from vaultcrm.domain.limits import (
    EVERYBODY,
    REQUESTS_PER_HOUR,
    TOKENS_PER_DAY,
    Holding,
    LimitState,
    Reservation,
)

# The day's counter and the budgets alone, for calls that are nobody's request.
RESERVE = """
    WITH asker AS (SELECT %(user_id)s::uuid AS user_id),
    wanted (kind, subject, window_start, amount, ceiling) AS (
        SELECT %(per_day)s, %(everybody)s, %(day)s::timestamptz, %(tokens)s::bigint,
               %(ceiling)s::bigint
        UNION ALL {budgets_wanted}
    ), {reserved}
    SELECT {states}
""".format(
    budgets_wanted=BUDGETS_WANTED.format(asker="asker", user_id="asker.user_id"),
    reserved=RESERVED,
    states=STATES,
)

_HELD = """
    SELECT x ->> 0 AS kind, x ->> 1 AS subject, (x ->> 2)::timestamptz AS window_start,
           (x ->> 3)::bigint AS amount
    FROM {source} x
"""

# Whoever takes the reservation's row takes its amounts off the counters: this, or the job that
# looks for the dead. If that was faster, what was really used is added all the same. Counters that
# do not change are not touched. A row is proposed with 0 at least, as none may be negative.
SETTLE = """
    WITH mine AS (
        DELETE FROM open_reservations WHERE id = %(id)s RETURNING id
    ), changes AS (
        SELECT h.kind, h.subject, h.window_start,
               CASE WHEN h.kind = %(per_hour)s THEN %(requests)s
                    WHEN strpos(h.kind, '_usd_') > 0 THEN %(micro_usd)s
                    ELSE %(tokens)s END::bigint
               - h.amount * (SELECT count(*) FROM mine) AS change
        FROM ({held}) h
    )
    INSERT INTO limit_counters AS c (kind, subject, window_start, used)
    SELECT kind, subject, window_start, GREATEST(change, 0) FROM changes WHERE change <> 0
    ORDER BY kind, subject, window_start
    ON CONFLICT (kind, subject, window_start) DO UPDATE
      SET used = GREATEST(c.used + (SELECT x.change FROM changes x WHERE x.kind = c.kind), 0)
""".format(held=_HELD.format(source="jsonb_array_elements(%(held)s::jsonb)"))

EXPIRE = """
    WITH expired AS (
        DELETE FROM open_reservations o
        USING (SELECT id FROM open_reservations WHERE expires_at <= %(now)s
               ORDER BY id LIMIT %(most)s FOR UPDATE SKIP LOCKED) old
        WHERE o.id = old.id
        RETURNING o.held
    ), changes AS (
        SELECT h.kind, h.subject, h.window_start, sum(h.amount)::bigint AS amount
        FROM ({held}) h GROUP BY 1, 2, 3
    ), given_back AS (
        INSERT INTO limit_counters AS c (kind, subject, window_start, used)
        SELECT kind, subject, window_start, 0 FROM changes WHERE amount > 0
        ORDER BY kind, subject, window_start
        ON CONFLICT (kind, subject, window_start) DO UPDATE
          SET used = GREATEST(c.used - (
              SELECT x.amount FROM changes x
              WHERE x.kind = c.kind AND x.subject = c.subject AND x.window_start = c.window_start
          ), 0)
    )
    SELECT count(*) FROM expired
""".format(held=_HELD.format(source="expired, jsonb_array_elements(expired.held)"))


async def reserve(
    connection: Connection,
    reservation: Reservation,
    *,
    creator_id: UUID,
    user_id: UUID | None,
    ceiling: int,
) -> tuple[Holding | None, tuple[LimitState, ...]]:
    """Reserve tokens of the day, up to `ceiling`, and of the budgets of a creator and a user.

    A limit that refuses does not keep the others from being reserved: give back what is held then.
    """
    params = {
        **params_of(reservation),
        "creator_id": creator_id,
        "user_id": user_id,
        "per_day": TOKENS_PER_DAY,
        "everybody": EVERYBODY,
        "ceiling": ceiling,
    }

    def read(rows: Rows) -> tuple[Holding | None, tuple[LimitState, ...]]:
        held, states = rows[0]
        return read_holding(reservation, held), read_states(states)

    return await (await send(connection, RESERVE, params, read)).answer()


async def settle(
    connection: Connection, holding: Holding, tokens: int, micro_usd: int, *, requests: int = 1
) -> None:
    """Replace what a call holds by what it really used. Counted once, whether or not the holding
    has expired meanwhile.
    """
    params = {
        "id": holding.id,
        "held": holding.held,
        "per_hour": REQUESTS_PER_HOUR,
        "requests": requests,
        "tokens": tokens,
        "micro_usd": micro_usd,
    }
    await run(connection, SETTLE, params)


async def give_back(connection: Connection, holding: Holding) -> None:
    """Undo what a call holds, because it did not happen."""
    await settle(connection, holding, 0, 0, requests=0)


async def expire(connection: Connection, now: datetime, *, most: int) -> int:
    """Give back what calls hold that should have ended by now; how many calls, at most `most`."""
    params = {"now": now, "most": most}
    return await (await send(connection, EXPIRE, params, lambda rows: int(rows[0][0]))).answer()


USED_TODAY = """
    SELECT used FROM limit_counters
    WHERE kind = %(per_day)s AND subject = %(everybody)s AND window_start = %(day)s
"""


async def used_today(connection: Connection, day: datetime) -> Pending[int]:
    """Tokens that everybody together has used or reserved in the day that begins at `day`."""
    params = {"per_day": TOKENS_PER_DAY, "everybody": EVERYBODY, "day": day}
    return await send(connection, USED_TODAY, params, lambda rows: int(rows[0][0]) if rows else 0)


# By the keys of those who may have asked, as nothing finds the counters of one hour alone.
THIS_HOUR = """
    SELECT asked.name, asked.automatic, c.used
    FROM (
        SELECT u.id, u.name, false AS automatic FROM users u
        UNION ALL
        SELECT k.id, k.display_name, true FROM creators k WHERE k.id = ANY(%(creator_ids)s)
    ) asked
    JOIN limit_counters c ON c.kind = %(per_hour)s AND c.subject = asked.id::text
                         AND c.window_start = %(hour)s
    WHERE c.used > 0
    ORDER BY c.used DESC, asked.name
    LIMIT %(most)s
"""


async def used_this_hour(
    connection: Connection, hour: datetime, creator_ids: list[UUID], *, most: int
) -> Pending[list[Record]]:
    """Drafts asked for in the hour that begins at `hour`, by user (`name`), and by creator where
    they were asked for automatically; those who asked most first.
    """
    params = {
        "per_hour": REQUESTS_PER_HOUR,
        "hour": hour,
        "creator_ids": creator_ids,
        "most": most,
    }
    return await send(connection, THIS_HOUR, params, records("name", "automatic", "used"))
