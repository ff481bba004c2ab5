"""Seals of the audit log, and the log as sealing and comparing read it: exactly as it is stored."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from vaultcrm.db.pending import Connection, Pending, Record, records, run, send
from vaultcrm.domain.audit_seals import LoggedRow, Seal, SealHead, Verified
from vaultcrm.domain.ids import NIL, new_id

# ---- the log

_ROW = """
    uuid_send(l.creator_id), uuid_send(l.id), timestamptz_send(l.at), uuid_send(l.actor_id),
    l.action, l.subject_type, l.subject_id, l.details::text
"""
ROWS = f"""
    SELECT {_ROW} FROM audit_log l
    WHERE l.creator_id = %(creator_id)s AND l.id >= %(from_id)s AND l.id < %(below_id)s
    ORDER BY l.id LIMIT %(most)s
"""
ROWS_OF_IDS = f"""
    SELECT {_ROW} FROM audit_log l
    WHERE l.creator_id = %(creator_id)s AND l.id = ANY(%(ids)s)
"""
IDS = """
    SELECT uuid_send(l.id) FROM audit_log l
    WHERE l.creator_id = %(creator_id)s AND l.id >= %(from_id)s AND l.id < %(below_id)s
    ORDER BY l.id
"""
UNSEALED = """
    SELECT count(*), min(l.at) FROM audit_log l
    WHERE l.creator_id = %(creator_id)s AND l.id >= %(from_id)s
"""


async def rows(
    connection: Connection, creator_id: UUID, *, from_id: UUID, below_id: UUID, most: int
) -> list[LoggedRow]:
    """The first `most` rows with ids from `from_id` on and below `below_id`, by id."""
    params = {"creator_id": creator_id, "from_id": from_id, "below_id": below_id, "most": most}
    cursor = await connection.execute(ROWS, params, binary=True)
    return [LoggedRow(*row) for row in await cursor.fetchall()]


async def rows_of_ids(
    connection: Connection, creator_id: UUID, ids: Sequence[bytes]
) -> list[LoggedRow]:
    """Those of some rows that are there, in no order."""
    params = {"creator_id": creator_id, "ids": [UUID(bytes=each) for each in ids]}
    cursor = await connection.execute(ROWS_OF_IDS, params, binary=True)
    return [LoggedRow(*row) for row in await cursor.fetchall()]


async def ids_between(
    connection: Connection, creator_id: UUID, from_id: UUID, below_id: UUID
) -> list[bytes]:
    params = {"creator_id": creator_id, "from_id": from_id, "below_id": below_id}
    cursor = await connection.execute(IDS, params, binary=True)
    return [row[0] for row in await cursor.fetchall()]


async def unsealed(
    connection: Connection, creator_id: UUID, from_id: UUID
) -> tuple[int, datetime | None]:
    """How many rows there are from an id on, and the time of the oldest."""
    cursor = await connection.execute(UNSEALED, {"creator_id": creator_id, "from_id": from_id})
    found = await cursor.fetchone()
    return (0, None) if found is None else (found[0], found[1])


# ---- seals

_HEAD = """
    s.creator_id, s.number, s.sealed_at, s.from_id, s.below_id, s.row_count, s.late, s.root,
    s.ids_hash, s.previous, s.hash
"""
_SEAL = _HEAD + ", s.ids, s.salts, s.leaves"

INSERT = """
    INSERT INTO audit_seals
        (creator_id, id, number, sealed_at, from_id, below_id, row_count, late, root, ids_hash,
         previous, hash, ids, salts, leaves)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
    ON CONFLICT (creator_id, number) DO NOTHING
    RETURNING id
"""
NEWEST = f"""
    SELECT {_HEAD} FROM audit_seals s
    WHERE s.creator_id = %(creator_id)s ORDER BY s.number DESC LIMIT 1
"""
# Bounded in rows and not in seals: those of a quiet creator hold few rows each.
WINDOW = f"""
    SELECT {_SEAL} FROM (
        SELECT s.*, sum(s.row_count) OVER (ORDER BY s.number) - s.row_count AS before
        FROM (SELECT * FROM audit_seals a
              WHERE a.creator_id = %(creator_id)s AND a.number > %(after)s
              ORDER BY a.number LIMIT %(most_seals)s) s
    ) s
    WHERE s.before < %(most_rows)s
      AND s.below_id > %(from_id)s AND s.from_id < %(below_id)s
    ORDER BY s.number
"""
FIRST_NUMBER = """
    SELECT s.number FROM audit_seals s
    WHERE s.creator_id = %(creator_id)s AND s.below_id > %(from_id)s
    ORDER BY s.below_id LIMIT 1
"""
SEALED_IDS = """
    SELECT s.ids FROM audit_seals s
    WHERE s.creator_id = %(creator_id)s AND s.below_id > %(from_id)s
"""
HASH_OF = """
    SELECT s.hash FROM audit_seals s WHERE s.creator_id = %(creator_id)s AND s.number = %(number)s
"""
LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('audit:' || %(creator_id)s::text, 0))"


async def lock(connection: Connection, creator_id: UUID) -> None:
    """Let nobody else seal or erase rows of this creator until the transaction ends."""
    await run(connection, LOCK, {"creator_id": creator_id})


async def insert(connection: Connection, seal: Seal) -> bool:
    """Add a seal; False when there is one of its number already."""
    head = seal.head
    params = (
        head.creator_id,
        new_id(),
        head.number,
        head.sealed_at,
        head.from_id,
        head.below_id,
        head.row_count,
        head.late,
        head.root,
        head.ids_hash,
        head.previous,
        head.hash,
        seal.ids,
        seal.salts,
        seal.leaves,
    )
    return await (await send(connection, INSERT, params, bool)).answer()


async def newest(connection: Connection, creator_id: UUID) -> SealHead | None:
    cursor = await connection.execute(NEWEST, {"creator_id": creator_id})
    row = await cursor.fetchone()
    return None if row is None else SealHead(*row)


async def window(
    connection: Connection,
    creator_id: UUID,
    *,
    after: int,
    from_id: UUID,
    below_id: UUID,
    most_rows: int,
) -> list[Seal]:
    """The next seals behind number `after`, by number, that hold about `most_rows` rows together.

    Only those that reach into the stretch of ids. Empty when there is none.
    """
    params = {
        "creator_id": creator_id,
        "after": after,
        "from_id": from_id,
        "below_id": below_id,
        "most_rows": most_rows,
        "most_seals": 500,
    }
    cursor = await connection.execute(WINDOW, params, binary=True)
    return [Seal(SealHead(*row[:11]), *row[11:]) for row in await cursor.fetchall()]


async def number_before(connection: Connection, creator_id: UUID, from_id: UUID) -> int:
    """The number before that of the first seal that reaches beyond an id; 0 when there is none."""
    cursor = await connection.execute(FIRST_NUMBER, {"creator_id": creator_id, "from_id": from_id})
    row = await cursor.fetchone()
    return 0 if row is None else int(row[0]) - 1


async def sealed_ids(connection: Connection, creator_id: UUID, from_id: UUID) -> set[bytes]:
    """The ids in all seals that reach beyond an id."""
    cursor = await connection.execute(
        SEALED_IDS, {"creator_id": creator_id, "from_id": from_id}, binary=True
    )
    return {
        ids[start : start + 16]
        for (ids,) in await cursor.fetchall()
        for start in range(0, len(ids), 16)
    }


async def hash_of(connection: Connection, creator_id: UUID, number: int) -> bytes | None:
    cursor = await connection.execute(HASH_OF, {"creator_id": creator_id, "number": number})
    row = await cursor.fetchone()
    return None if row is None else bytes(row[0])


# ---- who and when

# A creator's newest seal, whether rows wait behind it, and whether late ones may still come.
DUE = """
    SELECT c.id FROM unnest(%(creator_ids)s::uuid[]) c (id)
    LEFT JOIN LATERAL (
        SELECT s.below_id FROM audit_seals s
        WHERE s.creator_id = c.id ORDER BY s.number DESC LIMIT 1
    ) s ON true
    WHERE s.below_id > %(recent)s
       OR EXISTS (SELECT 1 FROM audit_log l
                  WHERE l.creator_id = c.id AND l.id >= COALESCE(s.below_id, %(nil)s)
                    AND l.id < %(below)s)
"""


async def due(
    connection: Connection, creator_ids: Sequence[UUID], *, below: UUID, recent: UUID
) -> list[UUID]:
    """Those with rows behind their newest seal and below an id, or with a seal beyond `recent`."""
    params = {"creator_ids": list(creator_ids), "below": below, "recent": recent, "nil": NIL}
    return await (
        await send(connection, DUE, params, lambda found: [row[0] for row in found])
    ).answer()


async def owners(connection: Connection) -> list[UUID]:
    """Whoever has rows in the log or seals, whether or not there is such a creator."""
    cursor = await connection.execute(
        "SELECT DISTINCT creator_id FROM audit_log "
        "UNION SELECT DISTINCT creator_id FROM audit_seals ORDER BY 1"
    )
    return [row[0] for row in await cursor.fetchall()]


async def begin_mark(connection: Connection) -> int:
    """A number above that of every transaction that has written until now."""
    cursor = await connection.execute("SELECT pg_current_xact_id()::text::numeric")
    row = await cursor.fetchone()
    assert row is not None  # noqa: S101 -- a SELECT without FROM answers one row
    return int(row[0])


async def has_passed(connection: Connection, mark: int) -> bool:
    """Whether every transaction below a mark has ended."""
    cursor = await connection.execute(
        "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::numeric > %s", (mark,)
    )
    return await cursor.fetchone() == (True,)


# ---- checks

INSERT_CHECK = """
    INSERT INTO audit_checks
        (creator_id, id, checked_at, last_seal, row_count, unsealed, fault_count, faults)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s::jsonb)
"""
KEPT_FAULTS = 20


async def record_check(connection: Connection, found: Verified, now: datetime) -> None:
    """Keep what looking through a creator's log has come to."""
    faults = [
        {
            "kind": fault.kind.value,
            "said": fault.said,
            "rowId": None if fault.row_id is None else str(fault.row_id),
            "seal": fault.seal,
        }
        for fault in found.faults[:KEPT_FAULTS]
    ]
    params = (
        found.creator_id,
        new_id(),
        now,
        0 if found.newest is None else found.newest.number,
        found.rows,
        found.unsealed,
        found.fault_count,
        json.dumps(faults),
    )
    await run(connection, INSERT_CHECK, params)


STATES = """
    SELECT c.id, s.number, s.sealed_at, s.hash, k.checked_at, k.fault_count, k.row_count, u.since
    FROM unnest(%(creator_ids)s::uuid[]) c (id)
    LEFT JOIN LATERAL (
        SELECT a.number, a.sealed_at, a.hash, a.below_id FROM audit_seals a
        WHERE a.creator_id = c.id ORDER BY a.number DESC LIMIT 1
    ) s ON true
    LEFT JOIN LATERAL (
        SELECT a.checked_at, a.fault_count, a.row_count FROM audit_checks a
        WHERE a.creator_id = c.id ORDER BY a.id DESC LIMIT 1
    ) k ON true
    LEFT JOIN LATERAL (
        SELECT l.at AS since FROM audit_log l
        WHERE l.creator_id = c.id AND l.id >= COALESCE(s.below_id, %(nil)s)
        ORDER BY l.id LIMIT 1
    ) u ON true
"""


@dataclass(frozen=True, slots=True)
class State:
    """A creator's newest seal, what the last look through the log came to, and the time of the
    oldest row that is not sealed yet.
    """

    creator_id: UUID
    number: int | None
    sealed_at: datetime | None
    hash: bytes | None
    checked_at: datetime | None
    fault_count: int | None
    rows_checked: int | None
    unsealed_since: datetime | None


async def states(connection: Connection, creator_ids: Sequence[UUID]) -> Pending[list[State]]:
    """How it stands with each of these logs."""
    return await send(
        connection,
        STATES,
        {"creator_ids": list(creator_ids), "nil": NIL},
        lambda found: [State(*row) for row in found],
    )


PAGE = """
    SELECT page.* FROM unnest(%(creator_ids)s::uuid[]) c (id),
    LATERAL (
        SELECT s.id, s.creator_id, s.number, s.sealed_at, s.row_count, s.late, s.root, s.previous,
               s.hash
        FROM audit_seals s
        WHERE s.creator_id = c.id AND s.id < %(before)s
        ORDER BY s.id DESC LIMIT %(most)s
    ) page
    ORDER BY page.id DESC LIMIT %(most)s
"""
_LAST_ID = UUID(int=2**128 - 1)
_read_page = records(
    "id", "creator_id", "number", "sealed_at", "row_count", "late", "root", "previous", "hash"
)


async def page(
    connection: Connection, creator_ids: Sequence[UUID], *, before: UUID | None, most: int
) -> Pending[list[Record]]:
    """Heads of seals of some creators, the newest first."""
    params: dict[str, Any] = {
        "creator_ids": list(creator_ids),
        "before": before or _LAST_ID,
        "most": most,
    }
    return await send(connection, PAGE, params, _read_page)


async def erase_details(connection: Connection, creator_id: UUID, row_id: UUID) -> bool:
    """Put the details of a row out of reach for ever; its leaf goes on to hold.

    They are replaced by what stands for them in the leaf, and the salt that would let somebody try
    what they were is thrown away. Once more does nothing more. False, with nothing done, while the
    row is not sealed yet, which takes a minute or two: ask again.
    """
    statement = "SELECT audit_erase_details(%(creator_id)s, %(row_id)s)"
    params = {"creator_id": creator_id, "row_id": row_id}
    return await (
        await send(connection, statement, params, lambda found: bool(found[0][0]))
    ).answer()
