"""The one statement that opens a generation: who asks, which flags apply, and what is reserved."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from vaultcrm.db.pending import Connection, Pending, Rows, compact, send
from vaultcrm.db.queries.access import (
    BY_TOKEN,
    BY_USER,
    CALLER_COLUMNS,
    CALLER_COLUMNS_BY_TOKEN,
    CALLER_WIDTH,
    read_caller_row,
)
from vaultcrm.db.queries.reserving import (
    BUDGETS_WANTED,
    RESERVED,
    STATES,
    params_of,
    read_holding,
    read_states,
)
from vaultcrm.db.row_scope import EVERYTHING, SETTING
from vaultcrm.domain.limits import (
    EVERYBODY,
    REQUESTS_PER_HOUR,
    TOKENS_PER_DAY,
    Holding,
    LimitState,
    Reservation,
)
from vaultcrm.domain.people import SYSTEM_USER_ID, Caller, Credential

# How counters are raised is said in `reserving`. The ceilings are the flags and budgets in force,
# read in this statement because nothing is known before it. Requests count for the chatter that a
# program acts for, else for the caller; automatic drafts count for the creator.
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
    ), asker AS (
        SELECT CASE WHEN caller.id = %(system)s THEN NULL
                    WHEN caller.role = 'service' THEN COALESCE(%(chatter_id)s::uuid, caller.id)
                    ELSE caller.id END AS user_id
        FROM caller
    ), wanted (kind, subject, window_start, amount, ceiling) AS (
        SELECT %(per_hour)s,
               COALESCE(asker.user_id, %(creator_id)s::uuid)::text,
               %(hour)s::timestamptz,
               1::bigint,
               COALESCE((SELECT ceiling FROM ceilings WHERE name = 'AI_RATE_LIMIT_PER_HOUR'
                          ORDER BY general LIMIT 1), %(per_hour_ceiling)s::bigint)
        FROM asker
        UNION ALL
        SELECT %(per_day)s,
               %(everybody)s,
               %(day)s::timestamptz,
               %(tokens)s::bigint,
               COALESCE((SELECT ceiling FROM ceilings
                          WHERE name = 'AI_MAX_TOKENS_PER_DAY' AND general),
                        %(per_day_ceiling)s::bigint)
        FROM asker
        UNION ALL {budgets_wanted}
    ), {reserved}
    SELECT caller.*,
           EXISTS (SELECT 1 FROM users x
                    WHERE x.id = %(chatter_id)s::uuid AND x.disabled_at IS NULL),
           (SELECT jsonb_object_agg(name, value) FROM flags WHERE general),
           (SELECT jsonb_object_agg(name, value) FROM flags WHERE NOT general),
           EXISTS (SELECT 1 FROM event_endpoints e
                    WHERE e.creator_id IN (%(nil)s, %(creator_id)s) AND e.disabled_at IS NULL
                      AND 'generation.queued' = ANY(e.kinds)),
           {states},
           set_config('synchronous_commit', 'off', true),
           set_config('{setting}', CASE WHEN caller.all_creators THEN '{everything}'
                                        WHEN caller.id IS NULL THEN ''
                                        ELSE COALESCE(caller.creator_ids, '{{}}')::text END, true)
    FROM (VALUES (1)) one (row) LEFT JOIN caller ON true
"""
NO_LIMIT = 2**63 - 1
"""The greatest ceiling that the counters can hold; a flag or setting beyond it means the same."""

_RESERVING = {
    "no_limit": NO_LIMIT,
    "budgets_wanted": BUDGETS_WANTED.format(asker="asker", user_id="asker.user_id"),
    "reserved": RESERVED,
    "states": STATES,
    "setting": SETTING,
    "everything": EVERYTHING,
}
OPEN_BY_TOKEN = compact(
    _OPEN.format(caller_columns=CALLER_COLUMNS_BY_TOKEN, found_by=BY_TOKEN, **_RESERVING)
)
OPEN_BY_USER = compact(_OPEN.format(caller_columns=CALLER_COLUMNS, found_by=BY_USER, **_RESERVING))


@dataclass(frozen=True, slots=True)
class Opening:
    """Who asks, whether the chatter they name exists, the overrides that apply, what stands of each
    limit, and what the call holds of them. `heard`: somebody wants to be told of drafts that wait.
    """

    caller: Caller
    chatter_exists: bool
    installation_overrides: dict[str, Any]
    creator_overrides: dict[str, Any]
    heard: bool
    holding: Holding | None
    states: tuple[LimitState, ...]


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
        **params_of(reservation),
        "token_hash" if by_token else "user_id": credential.token_hash or credential.user_id,
        "now": now,
        "system": SYSTEM_USER_ID,
        "creator_id": creator_id,
        "chatter_id": chatter_id,
        "per_hour": REQUESTS_PER_HOUR,
        "per_day": TOKENS_PER_DAY,
        "everybody": EVERYBODY,
        "hour": reservation.windows.hour,
        "per_hour_ceiling": min(per_hour_ceiling, NO_LIMIT),
        "per_day_ceiling": min(per_day_ceiling, NO_LIMIT),
    }

    def read(rows: Rows) -> Opening | None:
        row = rows[0]
        if row[0] is None:
            return None
        exists, installation, creator, heard, held, states = row[CALLER_WIDTH : CALLER_WIDTH + 6]
        return Opening(
            read_caller_row(row),
            exists,
            installation or {},
            creator or {},
            heard,
            read_holding(reservation, held),
            read_states(states),
        )

    return await send(connection, OPEN_BY_TOKEN if by_token else OPEN_BY_USER, params, read)
