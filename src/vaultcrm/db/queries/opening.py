"""The one statement that opens a generation: who asks, which flags apply, and what is reserved."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from vaultcrm.db.pending import Connection, Pending, Rows, send
from vaultcrm.db.queries.access import (
    BY_TOKEN,
    BY_USER,
    CALLER_COLUMNS,
    CALLER_COLUMNS_BY_TOKEN,
    CALLER_WIDTH,
    read_caller_row,
)
from vaultcrm.db.row_scope import EVERYTHING, SETTING
from vaultcrm.domain.ids import NIL
from vaultcrm.domain.limits import EVERYBODY, REQUESTS_PER_HOUR, TOKENS_PER_DAY, Reservation
from vaultcrm.domain.people import SYSTEM_USER_ID, Caller, Credential

# Each counter goes up only if it stays within its ceiling, so the row that comes back is the proof
# of the reservation, however many calls there are at once. The ceilings are the flags in force,
# read in this statement because nothing is known before it. Requests count for the chatter that a
# program acts for, else for the caller; automatic drafts count for the creator. Rows are locked in
# the order of `kind`, the same for everybody, so that no two calls can deadlock. Only reference and
# local tables take part: on a cluster this runs on the coordinator.
#
# The row comes also where there is no caller, for with it the scope of what is sent in the same
# pipeline is set: whose rows the next statement sees (`vaultcrm.db.row_scope`).
#
# The commit does not wait for the disk. If the server's machine dies while the model is being
# called, what that call had reserved may be forgotten; what it used is counted when its draft is
# saved, and that commit waits.
_OPEN = """
    WITH caller AS (
        SELECT {caller_columns} AS creator_ids {found_by}
    ), flags AS (
        SELECT o.name, o.value, o.creator_id = %(nil)s AS general
        FROM flag_overrides o
        WHERE o.creator_id IN (%(nil)s, %(creator_id)s)
    ), ceilings AS (
        SELECT name, LEAST((value #>> '{{}}')::numeric, {no_limit})::bigint AS ceiling, general
        FROM flags WHERE jsonb_typeof(value) = 'number'
    ), wanted (kind, subject, window_start, amount, ceiling) AS (
        SELECT %(per_hour)s,
               CASE WHEN caller.id = %(system)s THEN %(creator_id)s::uuid
                    WHEN caller.role = 'service' THEN COALESCE(%(chatter_id)s::uuid, caller.id)
                    ELSE caller.id END ::text,
               %(hour)s::timestamptz,
               1::bigint,
               COALESCE((SELECT ceiling FROM ceilings WHERE name = 'AI_RATE_LIMIT_PER_HOUR'
                          ORDER BY general LIMIT 1), %(per_hour_ceiling)s::bigint)
        FROM caller
        UNION ALL
        SELECT %(per_day)s,
               %(everybody)s,
               %(day)s::timestamptz,
               %(tokens)s::bigint,
               COALESCE((SELECT ceiling FROM ceilings
                          WHERE name = 'AI_MAX_TOKENS_PER_DAY' AND general),
                        %(per_day_ceiling)s::bigint)
        FROM caller
    ), reserved AS (
        INSERT INTO limit_counters AS c (kind, subject, window_start, used)
        SELECT kind, subject, window_start, amount FROM wanted WHERE amount <= ceiling
        ORDER BY kind
        ON CONFLICT (kind, subject, window_start) DO UPDATE SET used = c.used + EXCLUDED.used
          WHERE c.used + EXCLUDED.used <= (SELECT w.ceiling FROM wanted w WHERE w.kind = c.kind)
        RETURNING kind, used
    )
    SELECT caller.*,
           EXISTS (SELECT 1 FROM users x
                    WHERE x.id = %(chatter_id)s::uuid AND x.disabled_at IS NULL),
           (SELECT jsonb_object_agg(name, value) FROM flags WHERE general),
           (SELECT jsonb_object_agg(name, value) FROM flags WHERE NOT general),
           (SELECT jsonb_object_agg(kind, used) FROM reserved),
           EXISTS (SELECT 1 FROM event_endpoints e
                    WHERE e.creator_id IN (%(nil)s, %(creator_id)s) AND e.disabled_at IS NULL
                      AND 'generation.queued' = ANY(e.kinds)),
           set_config('synchronous_commit', 'off', true),
           set_config('{setting}', CASE WHEN caller.all_creators THEN '{everything}'
                                        WHEN caller.id IS NULL THEN ''
                                        ELSE COALESCE(caller.creator_ids, '{{}}')::text END, true)
    FROM (VALUES (1)) one (row) LEFT JOIN caller ON true
"""
NO_LIMIT = 2**63 - 1
"""The greatest ceiling that the counters can hold; a flag or setting beyond it means the same."""

_CONSTANTS = {"no_limit": NO_LIMIT, "setting": SETTING, "everything": EVERYTHING}
OPEN_BY_TOKEN = _OPEN.format(
    caller_columns=CALLER_COLUMNS_BY_TOKEN, found_by=BY_TOKEN, **_CONSTANTS
)
OPEN_BY_USER = _OPEN.format(caller_columns=CALLER_COLUMNS, found_by=BY_USER, **_CONSTANTS)


@dataclass(frozen=True, slots=True)
class Opening:
    """Who asks, whether the chatter they name exists, the overrides that apply, and, for each
    limit that let the call in, what is used with it; a limit that is missing refused. `heard`:
    somebody wants to be told of drafts that wait.
    """

    caller: Caller
    chatter_exists: bool
    installation_overrides: dict[str, Any]
    creator_overrides: dict[str, Any]
    used: dict[str, int]
    heard: bool


def _read_opening(rows: Rows) -> Opening | None:
    row = rows[0]
    if row[0] is None:
        return None
    exists, installation, creator, used, heard = row[CALLER_WIDTH : CALLER_WIDTH + 5]
    return Opening(
        read_caller_row(row), exists, installation or {}, creator or {}, used or {}, heard
    )


async def open_generation(
    connection: Connection,
    credential: Credential,
    reservation: Reservation,
    *,
    creator_id: UUID,
    chatter_id: UUID | None,
    per_hour_ceiling: int,
    per_day_ceiling: int,
    now: datetime,
) -> Pending[Opening | None]:
    """Find the caller and reserve one request and its tokens; None when there is no such caller."""
    by_token = credential.token_hash is not None
    params = {
        "token_hash" if by_token else "user_id": credential.token_hash or credential.user_id,
        "now": now,
        "nil": NIL,
        "system": SYSTEM_USER_ID,
        "creator_id": creator_id,
        "chatter_id": chatter_id,
        "per_hour": REQUESTS_PER_HOUR,
        "per_day": TOKENS_PER_DAY,
        "everybody": EVERYBODY,
        "hour": reservation.hour,
        "day": reservation.day,
        "tokens": reservation.tokens,
        "per_hour_ceiling": min(per_hour_ceiling, NO_LIMIT),
        "per_day_ceiling": min(per_day_ceiling, NO_LIMIT),
    }
    return await send(
        connection, OPEN_BY_TOKEN if by_token else OPEN_BY_USER, params, _read_opening
    )
