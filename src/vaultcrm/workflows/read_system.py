"""How VaultCRM itself does: latency and errors by endpoint, and how the database grows."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from vaultcrm.controls.monitoring.endpoints import endpoints_of
from vaultcrm.db.pending import Connection
from vaultcrm.db.queries import observations, sizes
from vaultcrm.domain.rollups import floor_day
from vaultcrm.domain.system import DatabaseSize, Endpoint
from vaultcrm.workflows.parts import Parts

MOST_ENDPOINTS = 12
KEPT_SIZES = timedelta(days=800)


@dataclass(frozen=True, slots=True)
class SystemState:
    """`today` is the midnight in UTC that the day begins with."""

    today: datetime
    endpoints: tuple[Endpoint, ...]
    database: DatabaseSize


async def read_system(parts: Parts) -> SystemState:
    """What all processes have answered since they began, and the size of the database."""
    today = floor_day(parts.now())
    async with parts.pool.connection() as connection:
        async with connection.pipeline():
            processes_sent = await observations.processes(connection)
            size_sent = await observations.database_bytes(connection)
            days_sent = await sizes.days(connection, today)
        found = [one.counts for one in await processes_sent.answer()]
        database = DatabaseSize(await size_sent.answer(), await days_sent.answer())
    return SystemState(today, endpoints_of(found, most=MOST_ENDPOINTS), database)


async def database_growth(parts: Parts, connection: Connection, size: int, days: int) -> int | None:
    """By how many bytes the database has grown in so many days; None where that is not known."""
    today = floor_day(parts.now())
    known = await (await sizes.days(connection, today)).answer()
    return DatabaseSize(size, known).grown(today, days)


async def note_size(parts: Parts) -> None:
    """Keep how large the database is on this day; the last look of a day is what stays."""
    now = parts.now()
    today = floor_day(now)
    async with parts.transaction() as connection:
        await sizes.note(connection, today, now)
        await sizes.forget(connection, today - KEPT_SIZES)
