"""Measure how long people are at decisions and at messages of their own.

Nobody presses a clock: what somebody finishes began when they finished what was before. Longer than
`LONGEST_WORK` is a break, and is not counted.
"""

from datetime import datetime, timedelta
from uuid import UUID

from vaultcrm.db.pending import Connection
from vaultcrm.db.queries import access, rollups, work
from vaultcrm.db.queries.work import Action
from vaultcrm.domain.rollups import floor_hour
from vaultcrm.domain.time_saved import LONGEST_WORK
from vaultcrm.workflows.parts import Parts

DAYS_AT_ONCE = 7
OVERLAP = timedelta(minutes=15)
"""What was begun before the last run and has been written since is found by the next one."""


async def measure_work(parts: Parts) -> int:
    """Measure what was done since the last time, some days at a time; how many actions are new."""
    new = 0
    async with parts.pool.connection() as connection:
        creator_ids = await access.all_creator_ids(connection)
        since = await work.oldest(connection, creator_ids)
    if since is None:
        return 0
    more = True
    while more:
        async with parts.transaction() as connection:
            found, more = await _measure(connection, creator_ids, since, parts.now())
        new += found
    return new


async def _measure(
    connection: Connection, creator_ids: list[UUID], since: datetime, now: datetime
) -> tuple[int, bool]:
    await work.begin(connection, since - OVERLAP)
    measured_until = await work.lock(connection)
    if measured_until is None:
        return 0, False
    start = measured_until - OVERLAP
    until = min(now, measured_until + timedelta(days=DAYS_AT_ONCE))
    done = await work.actions(connection, creator_ids, start - LONGEST_WORK, until)
    measured = [(one, took) for one, took in times_taken(done) if one.at > start]
    kept = await work.keep(connection, measured)
    by_creator: dict[UUID, set[datetime]] = {}
    for creator_id, at in kept:
        by_creator.setdefault(creator_id, set()).add(floor_hour(at))
    for creator_id in sorted(by_creator):
        await rollups.mark(connection, creator_id, sorted(by_creator[creator_id]))
    await work.advance(connection, until)
    return len(kept), until < now


def times_taken(done: list[Action]) -> list[tuple[Action, int]]:
    """How many milliseconds each action took: since what the same person did before, where that was
    `LONGEST_WORK` ago at most.
    """
    found = []
    before: dict[UUID, datetime] = {}
    for one in sorted(done, key=lambda each: (each.at, each.id)):
        last = before.get(one.user_id)
        before[one.user_id] = one.at
        if last is not None and one.at - last <= LONGEST_WORK:
            found.append((one, round((one.at - last).total_seconds() * 1000)))
    return found
