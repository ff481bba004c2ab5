"""Weekly learning: gather a week's outcomes, conclude what worked, propose, watch.

    gather (one creator, one week) ──> sums ──> all creators together ──> conclude ──> proposal
                                                                             │
                                                        examples, watch <────┘

A week begins on Monday at 00:00 UTC and is gathered once its last message's outcome is settled.
Sums of a week are written once and never changed; a conclusion is written once, with its proposal,
in one transaction. So whatever ends a run, the next one goes on from there and comes to the same.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from uuid import UUID

from vaultcrm.db.jobs import LEARN
from vaultcrm.db.pending import Connection
from vaultcrm.db.queries import access, creators, learning, proposals
from vaultcrm.domain.errors import NotFound
from vaultcrm.domain.learning import Proposal, WeekReport
from vaultcrm.domain.people import Creator
from vaultcrm.pipeline.learning.weeks import WEEK, missing_weeks, monday, oldest_remembered
from vaultcrm.workflows.conclude_week import conclude
from vaultcrm.workflows.gather_week import gather
from vaultcrm.workflows.parts import Parts
from vaultcrm.workflows.watch_proposals import watch_proposals

PATIENCE = timedelta(hours=12)
"""So long a creator's conclusion waits for the sums of the others."""

OnWeek = Callable[[Creator, date, int, int], None]
"""Is told how many messages of how many have been read of a creator's week."""


@dataclass(frozen=True, slots=True)
class Learned:
    """What a run has done for one creator; `proposal` is the proposal of the week, if any."""

    creator: Creator
    report: WeekReport
    proposal: Proposal | None


async def ask_to_learn(parts: Parts) -> int:
    """Ask for a job for each creator, unless one waits already; how many were asked for."""
    asked = 0
    async with parts.pool.connection() as connection:
        creator_ids = await access.all_creator_ids(connection)
    for creator_id in creator_ids:
        async with parts.transaction() as connection:
            asked += await _defer(parts, connection, creator_id)
    return asked


async def learn_one(parts: Parts, creator_id: UUID) -> None:
    """What a job does for a creator: watch, gather what is due, and conclude when all are there."""
    await watch_proposals(parts, creator_id)
    week = last_settled_week(parts)
    for due in await _weeks_due(parts, creator_id, week):
        await gather(parts, creator_id, due)
    async with parts.pool.connection() as connection:
        states = await learning.states(connection, week)
        began = await learning.first_gathered(connection, week)
    waiting = [one for one, gathered, _ in states if not gathered]
    if waiting and began is not None and parts.now() < began + PATIENCE:
        return
    await conclude(parts, creator_id, week)
    for one, gathered, concluded in states:
        if one != creator_id and gathered and not concluded and not waiting:
            async with parts.transaction() as connection:
                await _defer(parts, connection, one)


async def learn_now(
    parts: Parts,
    handle: str | None = None,
    since: date | None = None,
    on_progress: OnWeek | None = None,
) -> list[Learned]:
    """All of it at once, for the command: gather every creator's weeks, then conclude for one or
    for all.

    `since` also gathers weeks from that day's on that were never gathered. Raises NotFound for a
    handle that no creator has.
    """
    week = last_settled_week(parts)
    everyone = await _everyone(parts)
    chosen = [one for one in everyone if handle is None or one.handle == handle]
    if not chosen:
        raise NotFound("creator")
    for one in everyone:
        await _gather_all(parts, one, week, since, on_progress)
    learned = []
    for one in chosen:
        await watch_proposals(parts, one.id)
        await conclude(parts, one.id, week)
        learned.append(await _learned(parts, one, week))
    return learned


def last_settled_week(parts: Parts) -> date:
    """The last week all of whose messages have their outcome."""
    settled = parts.now() - timedelta(hours=parts.settings.attribution_hours)
    return monday(settled) - WEEK


async def _defer(parts: Parts, connection: Connection, creator_id: UUID) -> bool:
    return await parts.jobs.defer(
        connection, LEARN, queueing_lock=f"learn:{creator_id}", creator_id=str(creator_id)
    )


async def _weeks_due(
    parts: Parts, creator_id: UUID, until: date, since: date | None = None
) -> list[date]:
    async with parts.pool.connection() as connection:
        weeks = await learning.weeks(connection, creator_id, oldest_remembered(until), until)
    return missing_weeks([week for week, _ in weeks], until, since)


async def _everyone(parts: Parts) -> list[Creator]:
    async with parts.pool.connection() as connection:
        return [
            found
            for one in await access.all_creator_ids(connection)
            if (found := await (await creators.get_creator(connection, one)).answer()) is not None
        ]


async def _gather_all(
    parts: Parts, creator: Creator, until: date, since: date | None, on_progress: OnWeek | None
) -> None:
    first = None if since is None else since - timedelta(days=since.weekday())
    for due in await _weeks_due(parts, creator.id, until, first):

        def show(read: int, size: int, due: date = due) -> None:
            if on_progress is not None:
                on_progress(creator, due, read, size)

        await gather(parts, creator.id, due, show)


async def _learned(parts: Parts, creator: Creator, week: date) -> Learned:
    async with parts.pool.connection() as connection:
        sent = await learning.latest_reports(connection, [creator.id])
        report = (await sent.answer())[creator.id]
        listed = await (await proposals.listed(connection, [creator.id], most=1)).answer()
    proposal = listed[0] if listed and listed[0].week == week else None
    return Learned(creator, report, proposal)
