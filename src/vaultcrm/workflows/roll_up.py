"""Roll up what metrics count, so that a year of it costs as much to read as a day.

A job asks for it every minute: hours that are over are rolled up, hours that have changed since are
rolled up anew, and what is older than the first roll-up is gone back through, some days at a time.
Each creator's is one transaction of its own: whatever ends it, the next run goes on from there.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from uuid import UUID

from vaultcrm.db.pending import Connection
from vaultcrm.db.queries import access, rollups
from vaultcrm.domain.rollups import DAY, HOUR, Piece, Rolled, Span, floor_day, floor_hour
from vaultcrm.workflows.parts import Parts

GRACE = timedelta(minutes=2)
"""How long after its end an hour is closed: what was begun in it has been written by then, also by
a machine whose clock is not quite right."""
DAYS_AT_ONCE = 14
"""How many days of the past one run goes back through, for each creator."""
HOURS_AT_ONCE = 200
MARKS_AT_ONCE = 5_000


async def roll_up(parts: Parts) -> bool:
    """Bring the roll-ups of every creator up to date; whether something of the past is left.

    Any number of processes may do it at once: a creator that another one is at is left to it.
    """
    async with parts.pool.connection() as connection:
        creator_ids = await access.all_creator_ids(connection)
    more = False
    for creator_id in creator_ids:
        async with parts.transaction() as connection:
            rolled = await _bring_up(connection, creator_id, parts.now())
        more = more or (rolled is not None and not rolled.complete)
    return more


async def _bring_up(connection: Connection, creator_id: UUID, now: datetime) -> Rolled | None:
    closed = floor_hour(now - GRACE)
    await rollups.begin_state(connection, creator_id, floor_day(closed))
    rolled = await rollups.lock_state(connection, creator_id)
    if rolled is None:
        return None
    hours = await _changed(connection, creator_id, rolled)
    extended, added = await _extended(connection, creator_id, rolled, closed)
    pieces = [Piece(creator_id, Span.LIVE, start, end) for start, end in added]
    pieces += [Piece(creator_id, Span.LIVE, hour, hour + HOUR) for hour in sorted(hours)]
    if pieces:
        await rollups.make_hours(connection, pieces, now)
        await rollups.make_days(connection, _days(extended, pieces), now)
    if extended != rolled:
        await rollups.advance_state(connection, creator_id, extended)
    return extended


async def _changed(connection: Connection, creator_id: UUID, rolled: Rolled) -> set[datetime]:
    """Hours that are rolled up and have changed, or in which something is under way."""
    moments = await rollups.take_marks(connection, creator_id, MARKS_AT_ONCE)
    moments += await rollups.open_hours(connection, creator_id, HOURS_AT_ONCE)
    hours = {floor_hour(moment) for moment in moments}
    return {
        hour for hour in hours if hour < rolled.until and (rolled.complete or hour >= rolled.since)
    }


async def _extended(
    connection: Connection, creator_id: UUID, rolled: Rolled, closed: datetime
) -> tuple[Rolled, list[tuple[datetime, datetime]]]:
    """How far roll-ups go after this run, and the stretches of hours that this adds."""
    added = []
    until = min(closed, rolled.until + DAYS_AT_ONCE * DAY)
    if until > rolled.until:
        added.append((rolled.until, until))
    else:
        until = rolled.until
    if rolled.complete:
        return Rolled(rolled.since, until, complete=True), added
    oldest = await rollups.oldest(connection, creator_id)
    first = rolled.since if oldest is None else min(floor_day(oldest), rolled.since)
    since = max(first, rolled.since - DAYS_AT_ONCE * DAY)
    if since < rolled.since:
        added.append((since, rolled.since))
    return Rolled(since, until, complete=since <= first), added


def _days(rolled: Rolled, pieces: Iterable[Piece]) -> list[Piece]:
    """The whole days that these hours belong to, as far as all of their hours are rolled up."""
    days = set()
    for piece in pieces:
        day = floor_day(piece.start)
        while day < piece.end:
            days.add((piece.creator_id, day))
            day += DAY
    return [
        Piece(creator_id, Span.DAY, day, day + DAY)
        for creator_id, day in sorted(days)
        if day + DAY <= rolled.until
    ]
