"""Parts of the statements that reserve: which counters a call raises, and what it holds then.

A statement that is made of them defines `wanted`, the counters with the amount and the ceiling of
each. Each counter goes up only if it stays within its ceiling, so the row that comes back is the
proof of the reservation, however many calls there are at once. What was let in is written into one
row of `open_reservations`, so that it can be given back if the process dies.

Rows of counters are locked in the order of kind, subject and window, everywhere, and after the row
of the reservation: no two calls can deadlock. Only reference and local tables take part: on a
cluster all of it runs on the coordinator.
"""

from collections.abc import Mapping
from typing import Any

from vaultcrm.domain.ids import NIL
from vaultcrm.domain.limits import Holding, LimitState, Reservation

# A budget that a call cannot spend anything of does not concern it.
BUDGETS_WANTED = """
    SELECT b.scope || '_' || b.unit || '_per_' || b.period,
           b.subject::text,
           CASE b.period WHEN 'day' THEN %(day)s ELSE %(month)s END,
           CASE b.unit WHEN 'tokens' THEN %(tokens)s ELSE %(micro_usd)s END,
           b.ceiling
    FROM {asker}
    JOIN budgets b ON (b.scope, b.subject) IN
        (('installation', %(nil)s), ('creator', %(creator_id)s), ('user', {user_id}))
    WHERE CASE b.unit WHEN 'tokens' THEN %(tokens)s ELSE %(micro_usd)s END > 0
"""

RESERVED = """
    reserved AS (
        INSERT INTO limit_counters AS c (kind, subject, window_start, used)
        SELECT kind, subject, window_start, amount FROM wanted WHERE amount <= ceiling
        ORDER BY kind
        ON CONFLICT (kind, subject, window_start) DO UPDATE SET used = c.used + EXCLUDED.used
          WHERE c.used + EXCLUDED.used <= (SELECT w.ceiling FROM wanted w WHERE w.kind = c.kind)
        RETURNING kind, subject, window_start, used
    ), holding AS (
        INSERT INTO open_reservations (id, held, expires_at)
        SELECT %(reservation_id)s,
               jsonb_agg(jsonb_build_array(r.kind, r.subject, r.window_start, w.amount)),
               %(expires_at)s
        FROM reserved r JOIN wanted w ON w.kind = r.kind
        HAVING count(*) > 0
        RETURNING held
    )
"""

STATES = """
    (SELECT held::text FROM holding),
    (SELECT jsonb_agg(jsonb_build_array(w.kind, w.ceiling, w.amount, r.used))
       FROM wanted w LEFT JOIN reserved r ON r.kind = w.kind)
"""
"""Two columns: what is held, and the state of each limit (see `read_states`)."""


def params_of(reservation: Reservation) -> Mapping[str, Any]:
    """What these parts take, beside `creator_id`."""
    windows = reservation.windows
    return {
        "reservation_id": reservation.id,
        "expires_at": reservation.expires_at,
        "day": windows.day,
        "month": windows.month,
        "tokens": reservation.tokens,
        "micro_usd": reservation.micro_usd,
        "nil": NIL,
    }


def read_states(states: list[tuple[str, int, int, int | None]] | None) -> tuple[LimitState, ...]:
    """The limits that apply to a call, those that refused it among them."""
    return tuple([LimitState(*state) for state in states or ()])


def read_holding(reservation: Reservation, held: str | None) -> Holding | None:
    """What a call holds; None where every limit has refused."""
    return None if held is None else Holding(reservation.id, held)
