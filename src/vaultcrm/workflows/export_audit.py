"""The audit log as lines with proofs, which are checked without this database.

A period is widened to whole seals, so that a row which was left out is noticed.
"""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from uuid import UUID

from vaultcrm.controls.audit.comparing import LATE
from vaultcrm.controls.audit.exporting import head_line, opening_line, row_lines, unsealed_line
from vaultcrm.db.pending import Connection, run
from vaultcrm.db.queries import audit, audit_seals
from vaultcrm.domain.audit import AuditAction, AuditEntry
from vaultcrm.domain.audit_seals import LoggedRow, Seal
from vaultcrm.domain.ids import NIL, least_id_at
from vaultcrm.workflows.parts import Pool

ROWS_AT_ONCE = 2_048
_LAST_ID = UUID(int=2**128 - 1)


async def note_export(
    pool: Pool,
    actor_id: UUID | None,
    creator_ids: Sequence[UUID],
    *,
    since: datetime | None,
    until: datetime | None,
    now: datetime,
) -> None:
    """Write into each log that it was exported, by whom, and which period was asked for."""
    async with pool.connection() as connection, connection.transaction():
        for creator_id in creator_ids:
            entry = AuditEntry(
                creator_id=creator_id,
                actor_id=actor_id,
                action=AuditAction.AUDIT_EXPORTED,
                subject_type="audit_log",
                subject_id=str(creator_id),
                at=now,
                details={
                    "from": None if since is None else since.isoformat(),
                    "to": None if until is None else until.isoformat(),
                },
            )
            await audit.record(connection, entry)


async def export_audit(
    pool: Pool,
    creator_ids: Sequence[UUID],
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    now: datetime,
) -> AsyncIterator[str]:
    """The lines of an export, by creator. Holds a connection only while it reads a stretch."""
    yield opening_line(now)
    for creator_id in creator_ids:
        async for line in _of_creator(pool, creator_id, since, until):
            yield line


async def _of_creator(
    pool: Pool, creator_id: UUID, since: datetime | None, until: datetime | None
) -> AsyncIterator[str]:
    from_id = NIL if since is None else least_id_at(since)
    below_id = _LAST_ID if until is None else least_id_at(until + LATE)
    async with pool.connection() as connection:
        after = await audit_seals.number_before(connection, creator_id, from_id)
    behind = from_id
    while True:
        lines: list[str] = []
        async with pool.connection() as connection, connection.transaction():
            # What is erased between two reads would not fit its seal.
            await run(connection, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ", ())
            seals = await audit_seals.window(
                connection,
                creator_id,
                after=after,
                from_id=NIL,
                below_id=_LAST_ID,
                most_rows=ROWS_AT_ONCE,
            )
            for seal in seals:
                with_rows = seal.head.from_id < below_id
                lines.append(head_line(seal.head, with_rows=with_rows))
                if with_rows:
                    lines += row_lines(seal, await _rows_of(connection, creator_id, seal))
        for line in lines:
            yield line
        if not seals:
            break
        after, behind = seals[-1].head.number, seals[-1].head.below_id
    while behind < below_id:
        async with pool.connection() as connection:
            rows = await audit_seals.rows(
                connection, creator_id, from_id=behind, below_id=below_id, most=ROWS_AT_ONCE
            )
        for row in rows:
            yield unsealed_line(row)
        if len(rows) < ROWS_AT_ONCE:
            return
        behind = UUID(int=UUID(bytes=rows[-1].id).int + 1)


async def _rows_of(connection: Connection, creator_id: UUID, seal: Seal) -> list[LoggedRow]:
    """The rows of a seal that are there, in their places."""
    ids = [seal.id_at(place) for place in range(seal.head.row_count)]
    found = {row.id: row for row in await audit_seals.rows_of_ids(connection, creator_id, ids)}
    return [found[each] for each in ids if each in found]
