"""Remove what is older than it is kept: often, and each time not for long."""

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta
from uuid import UUID

from vaultcrm.db.queries import retention
from vaultcrm.domain.ids import NIL
from vaultcrm.domain.retention import BY_CREATOR, Kept, Retention
from vaultcrm.settings import Settings, environment_names
from vaultcrm.workflows.parts import Parts, Pool

log = logging.getLogger(__name__)

AT_ONCE = 1_000
"""Rows in one transaction."""
MOST_BATCHES = 200
"""Batches of one kind in one run; the next run goes on."""


def periods(settings: Settings) -> tuple[Retention, ...]:
    """For how long each kind is kept; a setting of 0 days is for ever."""
    found = []
    for kind in Kept:
        name = f"retention_{kind.value}_days"
        days: int = getattr(settings, name)
        period = timedelta(days=days) if days else None
        found.append(Retention(kind, environment_names(name)[0], period))
    return tuple(found)


async def prune(parts: Parts) -> Mapping[Kept, int]:
    """Remove what is too old, of every kind that is not kept for ever; how many rows of each.

    Breaking off loses nothing: each batch is a transaction of its own, and the next run goes on.
    """
    removed = {}
    for kept in periods(parts.settings):
        if kept.period is None:
            continue
        now = parts.now()
        rows = await _prune_kind(parts.pool, kept.kind, now - kept.period)
        async with parts.pool.connection() as connection:
            await retention.note(connection, kept.kind, rows, now)
        if rows:
            log.info("Removed %d old rows: %s", rows, kept.kind.value)
        removed[kept.kind] = rows
    return removed


async def _prune_kind(pool: Pool, kind: Kept, before: datetime) -> int:
    whose: list[UUID] = [NIL]
    if kind in BY_CREATOR:
        async with pool.connection() as connection:
            whose = await retention.owners(connection)
    removed, batches = 0, 0
    for creator_id in whose:
        rows = AT_ONCE
        while rows >= AT_ONCE and batches < MOST_BATCHES:
            async with pool.connection() as connection, connection.transaction():
                rows = await retention.remove(connection, kind, creator_id, before, AT_ONCE)
            removed += rows
            batches += rows > 0
    return removed
