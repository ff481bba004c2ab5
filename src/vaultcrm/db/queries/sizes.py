"""How large the database was on each day, told by its midnight in UTC."""

from datetime import datetime

from vaultcrm.db.pending import Connection, Pending, run, send

NOTE = """
    INSERT INTO database_sizes (day, bytes, seen_at)
    VALUES (%(day)s, pg_database_size(current_database()), %(now)s)
    ON CONFLICT (day) DO UPDATE SET bytes = EXCLUDED.bytes, seen_at = EXCLUDED.seen_at
"""
FORGET = "DELETE FROM database_sizes WHERE day < %(before)s"
DAYS = "SELECT day, bytes FROM database_sizes WHERE day < %(today)s ORDER BY day DESC"


async def note(connection: Connection, day: datetime, now: datetime) -> None:
    """The size on a day, as it is now."""
    await run(connection, NOTE, {"day": day, "now": now})


async def forget(connection: Connection, before: datetime) -> None:
    await run(connection, FORGET, {"before": before})


async def days(
    connection: Connection, today: datetime
) -> Pending[tuple[tuple[datetime, int], ...]]:
    """Sizes in bytes of the days before `today`, the newest first."""
    return await send(
        connection, DAYS, {"today": today}, lambda rows: tuple((row[0], row[1]) for row in rows)
    )
