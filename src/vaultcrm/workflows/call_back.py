"""Automatic messages that must not leave by themselves any more wait for a person instead.

Nobody has approved them, so that switching AI off, or taking the rollout back to where people
approve everything, holds for what has not left too. Whatever is about to leave while that happens
is looked at right before the platform is called (`deliver_message`).
"""

from datetime import datetime
from uuid import UUID

from vaultcrm.controls.flags import Overrides, effective_flags
from vaultcrm.db.pending import Connection
from vaultcrm.db.queries import audit, calling_back, feedback, flags, outbox, rollups, threads
from vaultcrm.domain.approval import ApprovalReason
from vaultcrm.domain.audit import AuditAction, AuditEntry
from vaultcrm.domain.conversation import Author
from vaultcrm.domain.flags import Flags, RolloutStage
from vaultcrm.domain.outbox import OutboxItem
from vaultcrm.workflows.disclose import take_back_before
from vaultcrm.workflows.parts import Parts

HOLDING_FLAGS = frozenset({"ENABLE_AI_CHAT", "AI_ROLLOUT_STAGE"})
"""Flags whose change may mean that nothing leaves by itself any more."""


def sends_by_itself(in_force: Flags) -> bool:
    """Whether anything may leave without a person under these flags."""
    return in_force.enabled and in_force.rollout_stage >= RolloutStage.AUTO_SEND_LOW_VALUE


async def call_back_what_must_wait(parts: Parts, creator_id: UUID | None) -> int:
    """Call back what may not leave by itself under the flags in force, of one creator or of all;
    how many messages those were. To be called after a change of `HOLDING_FLAGS` is committed.
    """
    called_back = 0
    async with parts.pool.connection() as connection:
        found = await calling_back.creators_with_waiting(connection, creator_id)
    for each in found:
        async with parts.pool.connection() as connection:
            if await _may_leave(parts, connection, each):
                continue
            waiting = await calling_back.waiting(connection, each)
        for item_id in waiting:
            async with parts.transaction() as connection:
                item = await (await outbox.get(connection, each, item_id)).answer()
                if item is not None:
                    called_back += await call_back(parts, connection, item)
    return called_back


async def held_before_leaving(parts: Parts, item: OutboxItem) -> bool:
    """Whether a message that was just marked as being sent may not leave by itself any more; then
    it waits for a person, and its platform must not be called.
    """
    if item.author is not Author.AI_AUTOMATIC:
        return False
    async with parts.pool.connection() as connection:
        if await _may_leave(parts, connection, item.creator_id):
            return False
    async with parts.transaction() as connection:
        return await call_back(parts, connection, item, marked=True)


async def _may_leave(parts: Parts, connection: Connection, creator_id: UUID) -> bool:
    found = await flags.overrides(connection, creator_id)
    return sends_by_itself(effective_flags(parts.settings, Overrides(*found)))


async def call_back(
    parts: Parts,
    connection: Connection,
    item: OutboxItem,
    *,
    marked: bool = False,
    user_id: UUID | None = None,
) -> bool:
    """Let an automatic message wait for a person, in the given transaction; False when it is too
    late. `marked`: it is being sent by whoever calls this, and the platform was not called. With
    `user_id` somebody has taken it back; else AI must not send it any more.
    """
    now = parts.now()
    if item.generation_id is None or not await calling_back.call_back(
        connection,
        item.creator_id,
        item.id,
        marked_as_attempt=item.attempts if marked else None,
    ):
        return False
    made_at = await calling_back.wait_again(
        connection,
        item.creator_id,
        item.generation_id,
        reason=(ApprovalReason.AI_STOPPED if user_id is None else ApprovalReason.TAKEN_BACK).value,
        stale_at=now if await _overtaken(connection, item) else None,
    )
    await take_back_before(connection, item)
    await feedback.take_back(connection, item.creator_id, item.generation_id)
    await rollups.mark(connection, item.creator_id, (made_at or now,))
    await audit.record(connection, _audit_entry(item, user_id, now))
    return True


async def _overtaken(connection: Connection, item: OutboxItem) -> bool:
    """Whether the fan has written since; the conversation stays locked, as for `undo_decision`."""
    await threads.lock_conversation(connection, item.creator_id, item.conversation_id)
    sent = await outbox.recipient_of(connection, item.creator_id, item.conversation_id)
    recipient = await sent.answer()
    return recipient is not None and recipient.newest_fan_message_id != item.seen_message_id


def _audit_entry(item: OutboxItem, user_id: UUID | None, now: datetime) -> AuditEntry:
    return AuditEntry(
        creator_id=item.creator_id,
        actor_id=user_id,
        action=AuditAction.CALLED_BACK,
        subject_type="generation",
        subject_id=str(item.generation_id),
        at=now,
        details={"outbox": str(item.id)},
    )
