"""Working the queue side by side: claims with an expiry, snoozing, and what waits too long."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from vaultcrm.controls.auth import require_creator
from vaultcrm.db.pending import Connection
from vaultcrm.db.queries import access, audit, queue
from vaultcrm.db.queries.queue import Selection, Split
from vaultcrm.domain.audit import AuditAction, AuditEntry
from vaultcrm.domain.errors import Conflict, FieldProblem, InvalidInput
from vaultcrm.domain.generation import GenerationRecord
from vaultcrm.domain.people import Caller
from vaultcrm.workflows.find_draft import find_generation, too_late, visible_creators
from vaultcrm.workflows.parts import Parts, Receipt

CLAIM_LEASE = timedelta(minutes=5)
"""How long a claim holds without a heartbeat, which is another claim of the same draft."""
LONGEST_SNOOZE = timedelta(days=7)
ESCALATION_POINTS = 150
"""What each level adds to the priority: more than a price or an hour's wait can, so that a low
tier's draft overtakes the next tier's, and never as much as care for a fan."""

Encode = Callable[[GenerationRecord | None], str]


@dataclass(frozen=True, slots=True)
class QueueView:
    """A part of the queue that somebody asks for; None means all of it."""

    creator_id: UUID | None = None
    split: Split | None = None
    waiting_minutes: int | None = None
    unclaimed: bool = False


async def select(
    connection: Connection, caller: Caller, view: QueueView, now: datetime
) -> Selection:
    """The drafts that a caller means; raises NotFound for a creator that is not theirs."""
    if view.creator_id is None:
        creator_ids = tuple(await visible_creators(connection, caller))
    else:
        require_creator(caller, view.creator_id)
        creator_ids = (view.creator_id,)
    older_than = None
    if view.waiting_minutes is not None:
        older_than = now - timedelta(minutes=view.waiting_minutes)
    return Selection(creator_ids, caller.user_id, view.split, older_than, view.unclaimed)


async def claim_next(
    parts: Parts,
    caller: Caller,
    view: QueueView,
    *,
    receipt: Receipt | None = None,
    encode: Encode | None = None,
) -> GenerationRecord | None:
    """Hold the most urgent draft that nobody holds; None when there is none."""
    now = parts.now()
    async with parts.transaction() as connection:
        selection = await select(connection, caller, view, now)
        held = await queue.claim_next(connection, selection, now=now, until=now + CLAIM_LEASE)
        if receipt is not None and encode is not None:
            await receipt.store(connection, encode(held))
    return held


async def claim(
    parts: Parts,
    caller: Caller,
    generation_id: UUID,
    *,
    receipt: Receipt | None = None,
    encode: Encode | None = None,
) -> GenerationRecord:
    """Hold a draft, or go on holding it; raises NotFound, or Conflict when it is taken."""
    now = parts.now()
    async with parts.transaction() as connection:
        record = await find_generation(connection, caller, generation_id)
        sent = await queue.claim(
            connection,
            record.creator_id,
            record.id,
            caller.user_id,
            now=now,
            until=now + CLAIM_LEASE,
        )
        held = await sent.answer()
        if held is not None and receipt is not None and encode is not None:
            await receipt.store(connection, encode(held))
    if held is None:
        raise await too_late(parts, record)
    return held


async def release(parts: Parts, caller: Caller, generation_id: UUID) -> GenerationRecord:
    """Let a draft go before its claim ends; raises NotFound, or Conflict for somebody else's."""
    async with parts.pool.connection() as connection:
        record = await find_generation(connection, caller, generation_id)
        sent = await queue.release(connection, record.creator_id, record.id, caller.user_id)
        let_go = await sent.answer()
    if let_go is not None:
        return let_go
    if record.claimed_by is None or record.claimed_by == caller.user_id:
        raise Conflict("You do not hold this draft (any more).", status=record.status.value)
    raise await too_late(parts, record)


async def snooze(
    parts: Parts, caller: Caller, generation_id: UUID, until: datetime | None
) -> GenerationRecord:
    """Take a draft out of the queue until a moment, or back with None; it is let go as well.

    Raises NotFound, InvalidInput for a moment that is past or more than a week away, or Conflict.
    """
    now = parts.now()
    if until is not None and not now < until <= now + LONGEST_SNOOZE:
        raise InvalidInput(FieldProblem("until", "must be in the next seven days"))
    async with parts.transaction() as connection:
        record = await find_generation(connection, caller, generation_id)
        sent = await queue.snooze(
            connection, record.creator_id, record.id, caller.user_id, now=now, until=until
        )
        snoozed = await sent.answer()
        if snoozed is not None:
            await audit.record(connection, _snoozed(caller, snoozed, now))
    if snoozed is None:
        raise await too_late(parts, record)
    return snoozed


def _snoozed(caller: Caller, record: GenerationRecord, now: datetime) -> AuditEntry:
    until = record.snoozed_until
    return AuditEntry(
        creator_id=record.creator_id,
        actor_id=caller.user_id,
        action=AuditAction.SNOOZED,
        subject_type="generation",
        subject_id=str(record.id),
        at=now,
        details={"until": None if until is None else until.isoformat()},
    )


async def escalate(parts: Parts) -> int:
    """Raise the priority of drafts that have waited past a set time; how many there were."""
    now = parts.now()
    raised = 0
    async with parts.pool.connection() as connection:
        for creator_id in await access.all_creator_ids(connection):
            for level, minutes in enumerate(parts.settings.queue_sla_minutes, start=1):
                raised += await queue.escalate(
                    connection,
                    creator_id,
                    level,
                    now - timedelta(minutes=minutes),
                    ESCALATION_POINTS,
                )
    return raised
