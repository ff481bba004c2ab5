"""Mark a message of AI that a fan has complained about, or take the mark away."""

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from vaultcrm.db.queries import audit, complaints
from vaultcrm.domain.audit import AuditAction, AuditEntry
from vaultcrm.domain.errors import Conflict
from vaultcrm.domain.people import Caller
from vaultcrm.workflows.find_draft import find_generation
from vaultcrm.workflows.parts import Parts, Receipt


@dataclass(frozen=True, slots=True)
class Complained:
    """Whether a draft's message is marked."""

    generation_id: UUID
    complaint: bool


async def mark_complaint(
    parts: Parts,
    caller: Caller,
    generation_id: UUID,
    *,
    complaint: bool,
    receipt: Receipt | None = None,
    encode: Callable[[Complained], str] | None = None,
) -> Complained:
    """Marking what is marked, and the other way round, changes nothing and is not audited.

    Raises NotFound, or Conflict for a draft whose message was not sent.
    """
    now = parts.now()
    done = Complained(generation_id, complaint)
    async with parts.transaction() as connection:
        record = await find_generation(connection, caller, generation_id)
        creator_id = record.creator_id
        if complaint and not await complaints.was_sent(
            connection, creator_id, record.conversation_id, record.id
        ):
            raise Conflict(
                "Nobody can have complained about it: this draft was not sent.",
                status=record.status.value,
            )
        if complaint:
            changed = await complaints.mark(connection, creator_id, record.id, caller.user_id, now)
        else:
            changed = await complaints.unmark(connection, creator_id, record.id)
        if changed:
            await audit.record(
                connection,
                AuditEntry(
                    creator_id=creator_id,
                    actor_id=caller.user_id,
                    action=AuditAction.COMPLAINT_MARKED,
                    subject_type="generation",
                    subject_id=str(record.id),
                    at=now,
                    details={"complaint": complaint},
                ),
            )
        if receipt is not None and encode is not None:
            await receipt.store(connection, encode(done))
    return done
