"""An audit log to tamper with: rows of some time ago, and the doors of those who own the tables."""

import asyncio
import random
from datetime import UTC, datetime, timedelta
from uuid import UUID

from tests.support.app import RunningApp
from vaultcrm.bootstrap import open_parts
from vaultcrm.db.queries import audit
from vaultcrm.domain.audit import AuditAction, AuditEntry
from vaultcrm.domain.ids import least_id_at, new_id
from vaultcrm.settings import Settings
from vaultcrm.workflows.parts import Pool
from vaultcrm.workflows.seal_audit import seal_audit

BEGAN = datetime(2026, 11, 1, 8, tzinfo=UTC)


def id_at(moment: datetime, chance: random.Random) -> UUID:
    """A UUIDv7 of that moment."""
    version_and_variant = (7 << 76) | (2 << 62)
    noise = chance.getrandbits(12) << 64 | chance.getrandbits(62)
    return UUID(int=least_id_at(moment).int | version_and_variant | noise)


def entries_of(
    creator_id: UUID, count: int, *, began: datetime = BEGAN, seed: int = 0
) -> list[AuditEntry]:
    """So many entries of one creator, a second apart."""
    chance = random.Random(seed)  # noqa: S311 -- rows, no secrets
    entries = []
    for number in range(count):
        at = began + timedelta(seconds=number)
        entries.append(
            AuditEntry(
                creator_id=creator_id,
                actor_id=None if number % 7 == 0 else new_id(),
                action=chance.choice(list(AuditAction)),
                subject_type="generation",
                subject_id=str(new_id()),
                at=at,
                details={"status": "queued", "share": number / 7, "reasons": ["é", number]},
                id=id_at(at, chance),
            )
        )
    return entries


async def write(pool: Pool, entries: list[AuditEntry]) -> None:
    """Log entries as workflows do."""
    async with pool.connection() as connection, connection.pipeline():
        for entry in entries:
            await audit.record(connection, entry)


async def log_rows(
    app: RunningApp, creator_id: UUID, count: int, *, began: datetime = BEGAN, seed: int = 0
) -> list[UUID]:
    """Log so many entries of one creator; their ids."""
    entries = entries_of(creator_id, count, began=began, seed=seed)
    await write(app.parts.pool, entries)
    return [entry.id for entry in entries]


def sealed_log(settings: Settings, entries: list[AuditEntry]) -> None:
    """Log and seal entries in the database of these settings, from outside of any loop."""

    async def work() -> None:
        async with open_parts(settings) as parts:
            await write(parts.pool, entries)
            for creator_id in {entry.creator_id for entry in entries}:
                await seal_audit(parts, creator_id)

    asyncio.run(work())
