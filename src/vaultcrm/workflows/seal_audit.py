"""Seal the audit log in the background, so that what writes to it takes no lock.

Rows are found by their ids, which are made by the application and follow its clock. A row may be
committed after one with a later id, so what is sealed ends at a horizon that no transaction can
write under any more: everything older than `MARGIN`, once all transactions that were writing when
the horizon was chosen have ended. An id is made right before its row is written, so a row comes too
late only from a machine whose clock is behind by more than that, or that stood still in between.
Such a row joins a later seal as a late one, for up to `LATE`; older ones are never sealed.
"""

import asyncio
import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from vaultcrm.controls.audit.comparing import LATE
from vaultcrm.controls.audit.sealing import make_seal
from vaultcrm.db.jobs import SEAL_AUDIT, VERIFY_AUDIT
from vaultcrm.db.pending import Connection
from vaultcrm.db.queries import access, audit_seals
from vaultcrm.domain.audit_seals import LoggedRow, SealHead
from vaultcrm.domain.events import audit_sealed
from vaultcrm.domain.ids import NIL, least_id_at
from vaultcrm.workflows.announce import announce
from vaultcrm.workflows.parts import Parts

log = logging.getLogger(__name__)

MARGIN = timedelta(seconds=30)
ROWS_A_SEAL = 1_024
PATIENCE_SECONDS = 20.0
"""How long a job waits for transactions to end. After that the next one tries again."""
_FIRST_PAUSE_SECONDS = 0.02
_LONGEST_PAUSE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Sealed:
    """What a run has sealed; `newest` is None when there was nothing."""

    rows: int = 0
    seals: int = 0
    late: int = 0
    newest: SealHead | None = None


async def ask_for_seals(parts: Parts) -> int:
    """Defer a job for each creator, and the installation, with rows to seal; how many."""
    now = parts.now()
    deferred = 0
    async with parts.pool.connection() as connection:
        owners = [*await access.all_creator_ids(connection), NIL]
        due = await audit_seals.due(
            connection, owners, below=least_id_at(now - MARGIN), recent=least_id_at(now - LATE)
        )
        for creator_id in due:
            deferred += await _defer(parts, connection, SEAL_AUDIT, creator_id)
    return deferred


async def ask_for_checks(parts: Parts) -> int:
    """Defer a job for everybody who has rows in the audit log or seals; how many."""
    deferred = 0
    async with parts.pool.connection() as connection:
        for creator_id in await audit_seals.owners(connection):
            deferred += await _defer(parts, connection, VERIFY_AUDIT, creator_id)
    return deferred


async def _defer(parts: Parts, connection: Connection, name: str, creator_id: UUID) -> bool:
    return await parts.jobs.defer(
        connection,
        name,
        lock=f"{name}:{creator_id}",
        queueing_lock=f"{name}:{creator_id}",
        creator_id=str(creator_id),
    )


async def seal_audit(
    parts: Parts,
    creator_id: UUID,
    *,
    margin: timedelta = MARGIN,
    patience: float = PATIENCE_SECONDS,
) -> Sealed:
    """Seal what can be sealed of one creator's rows (the nil id for the installation's).

    A batch is one transaction, which is there as a whole or not at all; whoever comes second to a
    batch finds it sealed. Any number of processes may call this at once.
    """
    horizon = await _horizon(parts, margin, patience)
    done = Sealed()
    while horizon is not None:
        batch = await _seal_batch(parts, creator_id, horizon)
        done = Sealed(
            done.rows + batch.rows,
            done.seals + batch.seals,
            done.late + batch.late,
            batch.newest or done.newest,
        )
        if batch.rows - batch.late < ROWS_A_SEAL:
            break
    return done


async def _horizon(parts: Parts, margin: timedelta, patience: float) -> UUID | None:
    """Below every id that is still to come; None when some transaction does not end."""
    horizon = least_id_at(parts.now() - margin)
    async with parts.pool.connection() as connection:
        mark = await audit_seals.begin_mark(connection)
        pause, waited = _FIRST_PAUSE_SECONDS, 0.0
        while not await audit_seals.has_passed(connection, mark):
            if waited >= patience:
                log.warning(
                    "The audit log was not sealed: a transaction has been writing for more than "
                    "%d seconds. It is tried again in a minute.",
                    patience,
                )
                return None
            await asyncio.sleep(pause)
            waited += pause
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
    return horizon


async def _seal_batch(parts: Parts, creator_id: UUID, horizon: UUID) -> Sealed:
    now = parts.now()
    async with parts.transaction() as connection:
        await audit_seals.lock(connection, creator_id)
        before = await audit_seals.newest(connection, creator_id)
        from_id = NIL if before is None else before.below_id
        rows = await audit_seals.rows(
            connection, creator_id, from_id=from_id, below_id=horizon, most=ROWS_A_SEAL
        )
        late = [] if before is None else await _late_rows(connection, before, now)
        if not rows and not late:
            return Sealed()
        below_id = max(horizon, from_id)
        if len(rows) == ROWS_A_SEAL:
            below_id = UUID(int=UUID(bytes=rows[-1].id).int + 1)
        seal = make_seal(
            [*rows, *late],
            late=len(late),
            below_id=below_id,
            before=before,
            creator_id=creator_id,
            sealed_at=now,
        )
        if not await audit_seals.insert(connection, seal):
            return Sealed()
        await announce(parts, connection, audit_sealed(seal.head))
    if late:
        log.warning(
            "Audit rows of %s were written after their time was sealed, and joined seal %d: %s",
            creator_id,
            seal.head.number,
            ", ".join(str(UUID(bytes=row.id)) for row in late),
        )
    # An attacker who could write here too would have to reach wherever logs and events are kept.
    log.info(
        "Sealed %d rows of %s: seal %d",
        len(rows) + len(late),
        creator_id,
        seal.head.number,
        extra={
            "creator_id": str(creator_id),
            "seal": seal.head.number,
            "hash": seal.head.hash.hex(),
        },
    )
    return Sealed(len(rows) + len(late), 1, len(late), seal.head)


async def _late_rows(connection: Connection, before: SealHead, now: datetime) -> list[LoggedRow]:
    """Rows of sealed time that are in no seal, and not too old to be one transaction's fault."""
    oldest = least_id_at(now - LATE)
    if before.below_id <= oldest:
        return []
    creator_id = before.creator_id
    there = await audit_seals.ids_between(connection, creator_id, oldest, before.below_id)
    known = await audit_seals.sealed_ids(connection, creator_id, oldest)
    missed = [each for each in there if each not in known][:ROWS_A_SEAL]
    if not missed:
        return []
    found = await audit_seals.rows_of_ids(connection, creator_id, missed)
    return sorted(found, key=lambda row: row.id)
