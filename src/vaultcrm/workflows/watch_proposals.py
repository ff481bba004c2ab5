"""Watch what was proposed and applied: what came after it, against what was before."""

from dataclasses import astuple, replace
from datetime import timedelta
from uuid import UUID

from vaultcrm.db.queries import learning, proposals
from vaultcrm.domain.errors import Conflict, NotFound
from vaultcrm.domain.learning import Proposal, Watch, WatchState
from vaultcrm.pipeline.learning.watching import course, is_worse
from vaultcrm.workflows.decide_proposal import LEARNING, roll_back_proposal, version_in_force
from vaultcrm.workflows.parts import Parts

WATCHED_FOR = timedelta(weeks=8)
COMPARED_WITH = timedelta(weeks=4)
"""The time before a change that the time after it is compared with."""


async def watch_proposals(parts: Parts, creator_id: UUID) -> None:
    """Compare what came after an applied proposal with what was before it; take it back if it does
    worse and was applied by itself, else say so.
    """
    async with parts.pool.connection() as connection:
        watched = await proposals.under_watch(connection, creator_id)
    for proposal in watched:
        seen = await _look(parts, proposal)
        async with parts.transaction() as connection:
            await proposals.note_watch(connection, proposal, seen)
        if seen.state is WatchState.WORSE and proposal.by_itself:
            try:
                await roll_back_proposal(parts, LEARNING, proposal.id, by_itself=True)
            except Conflict:
                continue


async def _look(parts: Parts, proposal: Proposal) -> Watch:
    now, applied_at = parts.now(), proposal.decided_at
    if applied_at is None:
        raise NotFound("time of the application")
    before = applied_at - COMPARED_WITH
    courses = []
    async with parts.pool.connection() as connection:
        current = await version_in_force(connection, proposal.creator_id)
        if current.version != proposal.applied_version:
            known = Watch(WatchState.OVERTAKEN) if proposal.watch is None else proposal.watch
            return replace(known, state=WatchState.OVERTAKEN, looked_at=now)
        _, currency = await learning.week_size(connection, proposal.creator_id, before, now)
        for name in proposals.FIGURES:
            earlier, later = [
                await proposals.moments(
                    connection, proposal.creator_id, name, start, end, currency=currency, now=now
                )
                for start, end in ((before, applied_at), (applied_at, now))
            ]
            compared = course(name, astuple(earlier), astuple(later))
            if compared is not None:
                courses.append(compared)
    if is_worse(courses):
        state = WatchState.WORSE
    else:
        state = WatchState.KEPT if now > applied_at + WATCHED_FOR else WatchState.WATCHING
    return Watch(state, tuple(courses), now)
