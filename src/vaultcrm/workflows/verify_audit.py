"""Compare the audit log with its seals, and name each row that was changed, is missing or inserted.

The log is read by stretches, so that memory stays the same for a log of any length. What this
cannot see by itself is that somebody has taken the newest seals away, or has made all of them anew:
for that the heads of seals are kept elsewhere, and compared by `compare_heads`.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from uuid import UUID

from vaultcrm.controls.audit.comparing import LATE, Comparing
from vaultcrm.db.pending import Connection, run
from vaultcrm.db.queries import audit_seals
from vaultcrm.domain.alerts import INSTALLATION, AlertKind, Severity, creator_subject
from vaultcrm.domain.audit_seals import (
    ID_BYTES,
    Fault,
    FaultKind,
    KnownHead,
    LoggedRow,
    Seal,
    Verified,
)
from vaultcrm.domain.ids import NIL, least_id_at
from vaultcrm.workflows.alerting import clear_alert, raise_alert
from vaultcrm.workflows.parts import Parts, Pool

ROWS_AT_ONCE = 8_192
_LAST_ID = UUID(int=2**128 - 1)

Watch = Callable[[int, Sequence[Fault]], None]
"""Is told after each stretch how many rows were compared, and all faults kept so far."""


def _ignore(rows: int, faults: Sequence[Fault]) -> None:
    pass


async def verify_creator(
    pool: Pool,
    creator_id: UUID,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    watch: Watch = _ignore,
) -> Verified:
    """Look through one creator's log, or the seals of a period of it."""
    from_id = NIL if since is None else least_id_at(since)
    # Late rows of the period are in seals of after it.
    below_id = _LAST_ID if until is None else least_id_at(until + LATE)
    comparing = Comparing(creator_id, whole=since is None)
    async with pool.connection() as connection:
        after = await audit_seals.number_before(connection, creator_id, from_id)
        start: UUID | None = NIL if since is None else None
        while True:
            # What is erased between two reads would seem changed.
            async with connection.transaction():
                await run(connection, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ", ())
                seals = await audit_seals.window(
                    connection,
                    creator_id,
                    after=after,
                    from_id=from_id,
                    below_id=below_id,
                    most_rows=ROWS_AT_ONCE,
                )
                if not seals:
                    break
                start = seals[0].head.from_id if start is None else start
                end = seals[-1].head.below_id
                comparing.begin(seals, await _late_rows(connection, creator_id, seals))
                await _feed(connection, comparing, creator_id, start, end)
                comparing.end()
            after, start = seals[-1].head.number, max(start, end)
            watch(comparing.rows, comparing.faults)
        counted: tuple[int, datetime | None] = (0, None)
        if until is None:
            counted = await audit_seals.unsealed(connection, creator_id, start or from_id)
    return comparing.result(unsealed=counted[0], unsealed_since=counted[1])


async def _late_rows(
    connection: Connection, creator_id: UUID, seals: Sequence[Seal]
) -> dict[bytes, LoggedRow]:
    ids = [
        seal.id_at(place)
        for seal in seals
        for place in range(max(seal.head.row_count - seal.head.late, 0), len(seal.ids) // ID_BYTES)
    ]
    if not ids:
        return {}
    found = await audit_seals.rows_of_ids(connection, creator_id, ids)
    return {row.id: row for row in found}


async def _feed(
    connection: Connection, comparing: Comparing, creator_id: UUID, start: UUID, end: UUID
) -> None:
    """Show all rows of a stretch of ids, however many somebody has put there."""
    while start < end:
        rows = await audit_seals.rows(
            connection, creator_id, from_id=start, below_id=end, most=ROWS_AT_ONCE
        )
        for row in rows:
            comparing.see(row)
        if len(rows) < ROWS_AT_ONCE:
            return
        start = UUID(int=UUID(bytes=rows[-1].id).int + 1)


async def compare_heads(pool: Pool, heads: Sequence[KnownHead]) -> list[Fault]:
    """Where the seals are not those whose heads were kept elsewhere."""
    faults = []
    async with pool.connection() as connection:
        for known in heads:
            found = await audit_seals.hash_of(connection, known.creator_id, known.number)
            if found == known.hash:
                continue
            how = "is gone" if found is None else "is another one now"
            said = f"Seal {known.number}, whose head was kept, {how}."
            faults.append(Fault(FaultKind.HEAD_DIFFERS, known.creator_id, said, seal=known.number))
    return faults


async def verify_and_tell(parts: Parts, creator_id: UUID, *, watch: Watch = _ignore) -> Verified:
    """Look through all of one creator's log, keep what came of it, and raise or clear the alert."""
    found = await verify_creator(parts.pool, creator_id, watch=watch)
    now = parts.now()
    subject = INSTALLATION if creator_id == NIL else creator_subject(creator_id)
    async with parts.transaction() as connection:
        await audit_seals.record_check(connection, found, now)
        if found.fault_count:
            await raise_alert(
                parts,
                connection,
                AlertKind.AUDIT_LOG_DIFFERS,
                Severity.CRITICAL,
                f"The audit log differs from its seals in {found.fault_count:,} places. The first: "
                f"{found.faults[0].said} Run vaultcrm audit verify for all of them, keep a copy of "
                "the database, and find out who could write to it.",
                {"faults": found.fault_count},
                now,
                subject=subject,
            )
        else:
            await clear_alert(parts, connection, AlertKind.AUDIT_LOG_DIFFERS, now, subject=subject)
    return found
