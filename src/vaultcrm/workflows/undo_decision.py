"""Take an approval back while its message still waits to leave."""

from collections.abc import Callable
from uuid import UUID

from vaultcrm.db.pending import Connection
from vaultcrm.db.queries import (
    audit,
    calling_back,
    feedback,
    generations,
    outbox,
    rollups,
    threads,
)
from vaultcrm.domain.audit import AuditAction, AuditEntry
from vaultcrm.domain.errors import Conflict, Forbidden
from vaultcrm.domain.generation import GenerationRecord, GenerationStatus
from vaultcrm.domain.outbox import OutboxItem
from vaultcrm.domain.people import Caller, Role
from vaultcrm.workflows.call_back import call_back
from vaultcrm.workflows.disclose import take_back_before
from vaultcrm.workflows.find_draft import find_generation
from vaultcrm.workflows.parts import Parts, Receipt
from vaultcrm.workflows.work_queue import CLAIM_LEASE


async def undo_decision(
    parts: Parts,
    caller: Caller,
    generation_id: UUID,
    *,
    receipt: Receipt | None = None,
    encode: Callable[[GenerationRecord], str] | None = None,
) -> GenerationRecord:
    """The draft waits again, as it was drafted, held by whoever takes the approval back. It is
    stale when the fan has written since the approval. An automatic message that has not left waits
    for a person then, held by nobody.

    Raises NotFound, Forbidden for a chatter and somebody else's decision, or Conflict when the
    message has left, is leaving, or was never approved.
    """
    now = parts.now()
    async with parts.transaction() as connection:
        record = await find_generation(connection, caller, generation_id)
        if record.status is GenerationStatus.AUTO_SENT:
            return await _held_back(parts, connection, caller, record, receipt, encode)
        if record.status is not GenerationStatus.APPROVED:
            raise Conflict(
                f"Only an approval can be taken back; this draft is {record.status.value}.",
                status=record.status.value,
            )
        if record.approved_by != caller.user_id and caller.role is Role.CHATTER:
            raise Forbidden("Another chatter approved this. A manager can take it back.")
        item = await outbox.take_back(connection, record.creator_id, record.id)
        waiting = None
        if item is not None:
            waiting = await generations.take_back(
                connection,
                record.creator_id,
                record.id,
                user_id=caller.user_id,
                until=now + CLAIM_LEASE,
                stale_at=now if await _overtaken(connection, item) else None,
            )
        if item is not None and waiting is not None:
            await take_back_before(connection, item)
            await feedback.take_back(connection, record.creator_id, record.id)
            counted_in = (record.created_at, record.approved_at or record.created_at)
            await rollups.mark(connection, record.creator_id, counted_in)
            await audit.record(
                connection,
                AuditEntry(
                    creator_id=record.creator_id,
                    actor_id=caller.user_id,
                    action=AuditAction.UNDONE,
                    subject_type="generation",
                    subject_id=str(record.id),
                    at=now,
                ),
            )
            if receipt is not None and encode is not None:
                await receipt.store(connection, encode(waiting))
        if waiting is None:
            raise Conflict(
                "It is too late: the message has left or is leaving.",
                status=record.delivery_status.value if record.delivery_status else None,
            )
    return waiting


async def _held_back(
    parts: Parts,
    connection: Connection,
    caller: Caller,
    record: GenerationRecord,
    receipt: Receipt | None,
    encode: Callable[[GenerationRecord], str] | None,
) -> GenerationRecord:
    """An automatic message that has not left waits for a person."""
    item = await calling_back.item_of(connection, record.creator_id, record.id)
    if item is None or not await call_back(parts, connection, item, user_id=caller.user_id):
        raise Conflict(
            "It is too late: the message has left or is leaving.",
            status=record.delivery_status.value if record.delivery_status else None,
        )
    waiting = await find_generation(connection, caller, record.id)
    if receipt is not None and encode is not None:
        await receipt.store(connection, encode(waiting))
    return waiting


async def _overtaken(connection: Connection, item: OutboxItem) -> bool:
    """Whether the fan has written since the approval.

    New messages mark the drafts that wait, and this one did not. The conversation stays locked, so
    that a message is either seen here or sees the draft waiting.
    """
    await threads.lock_conversation(connection, item.creator_id, item.conversation_id)
    sent = await outbox.recipient_of(connection, item.creator_id, item.conversation_id)
    recipient = await sent.answer()
    return recipient is not None and recipient.newest_fan_message_id != item.seen_message_id
