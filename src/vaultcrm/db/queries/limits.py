"""Counters of limits: settle after a call, give back when it failed.

The reservation itself is part of the one statement of `vaultcrm.db.queries.opening`.
"""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from vaultcrm.db.pending import Connection, Pending, Record, records, run, send
from vaultcrm.domain.limits import EVERYBODY, REQUESTS_PER_HOUR, TOKENS_PER_DAY, Reservation

# The day's counter alone, for calls that are nobody's request: see `opening` for how it works.
RESERVE_TOKENS = """
    INSERT INTO limit_counters AS c (kind, subject, window_start, used)
    SELECT %(per_day)s, %(everybody)s, %(day)s, %(tokens)s::bigint
    WHERE %(tokens)s <= %(ceiling)s
    ON CONFLICT (kind, subject, window_start) DO UPDATE SET used = c.used + EXCLUDED.used
      WHERE c.used + EXCLUDED.used <= %(ceiling)s
    RETURNING used
"""

SETTLE = """
    UPDATE limit_counters SET used = GREATEST(used + %(difference)s, 0)
    WHERE kind = %(per_day)s AND subject = %(everybody)s AND window_start = %(day)s
"""

GIVE_BACK = """
    UPDATE limit_counters
    SET used = GREATEST(used - CASE kind WHEN %(per_hour)s THEN 1 ELSE %(tokens)s END, 0)
    WHERE kind = ANY(%(kinds)s)
      AND (kind, subject, window_start) IN
          ((%(per_hour)s, %(subject)s, %(hour)s::timestamptz),
           (%(per_day)s, %(everybody)s, %(day)s::timestamptz))
"""


async def reserve_tokens(connection: Connection, reservation: Reservation, ceiling: int) -> bool:
    """Reserve tokens of the day; False when they would pass the ceiling."""
    params = {
        "per_day": TOKENS_PER_DAY,
        "everybody": EVERYBODY,
        "day": reservation.day,
        "tokens": reservation.tokens,
        "ceiling": ceiling,
    }
    return await (await send(connection, RESERVE_TOKENS, params, bool)).answer()


async def settle(connection: Connection, reservation: Reservation, tokens_used: int) -> None:
    """Replace the tokens reserved by those that were really used."""
    params = {
        "difference": tokens_used - reservation.tokens,
        "per_day": TOKENS_PER_DAY,
        "everybody": EVERYBODY,
        "day": reservation.day,
    }
    await run(connection, SETTLE, params)


async def give_back(
    connection: Connection, reservation: Reservation, subject: UUID, kinds: Iterable[str]
) -> None:
    """Undo what a call reserved of the given limits for `subject`, because it did not happen."""
    params = {
        "kinds": list(kinds),
        "per_hour": REQUESTS_PER_HOUR,
        "per_day": TOKENS_PER_DAY,
        "everybody": EVERYBODY,
        "subject": str(subject),
        "hour": reservation.hour,
        "day": reservation.day,
        "tokens": reservation.tokens,
    }
    await run(connection, GIVE_BACK, params)


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
