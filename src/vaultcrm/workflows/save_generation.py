"""Save a generation with everything that it changes: usage, audit, limits, and what leaves."""

from collections.abc import Callable
from dataclasses import replace

from vaultcrm.db.pending import Connection
from vaultcrm.db.queries import audit, feedback, generations, usage
from vaultcrm.domain.audit import AuditAction, AuditEntry
from vaultcrm.domain.conversation import Author, Sender
from vaultcrm.domain.events import generation_queued
from vaultcrm.domain.generation import (
    DeliveryStatus,
    FeedbackType,
    GenerationRecord,
    GenerationStatus,
)
from vaultcrm.domain.situation import Situation
from vaultcrm.pipeline.delivery import Recipe, outbox_item
from vaultcrm.workflows.alerting import alert_to_unknown_model
from vaultcrm.workflows.announce import announce
from vaultcrm.workflows.leaving import hand_over
from vaultcrm.workflows.open_call import OpenCall, settle_call
from vaultcrm.workflows.parts import Parts, Receipt
from vaultcrm.workflows.under_test import keep_new_assignments


async def save_generation(
    parts: Parts,
    call: OpenCall,
    record: GenerationRecord,
    receipt: Receipt | None,
    encode: Callable[[GenerationRecord], str] | None,
) -> GenerationRecord:
    """Everything that this generation changes, in one transaction.

    What a batch has sent is committed whatever happens here, so a receipt, which may be refused,
    needs a transaction of the other kind.
    """
    leaves = record.status is GenerationStatus.AUTO_SENT
    announced = call.heard and record.status is GenerationStatus.QUEUED
    read_inside = leaves or announced or receipt is not None
    async with parts.transaction() if read_inside else parts.batch() as connection:
        if call.situation.stale_drafts:
            await generations.expire_stale(connection, record.creator_id, record.conversation_id)
        inserted = await generations.insert(connection, record, call.situation.revision)
        await keep_new_assignments(connection, record, call.situation.fan.tier)
        await usage.insert(
            connection,
            creator_id=record.creator_id,
            generation_id=record.id,
            purpose="draft",
            model=record.model,
            used=record.usage,
            cost_micro_usd=record.cost_micro_usd,
            now=record.created_at,
        )
        await audit.record(connection, _audit_entry(record))
        await settle_call(connection, call, record.usage.total, record.cost_micro_usd)
        await alert_to_unknown_model(parts, connection, record.model, record.created_at)
        if leaves:
            record = replace(record, delivery_status=DeliveryStatus.PENDING)
            await _hand_to_delivery(parts, connection, call.situation, record)
        if announced:
            await announce(parts, connection, generation_queued(record))
        if receipt is not None and encode is not None:
            record = replace(record, stale_at=await inserted.answer())
            await receipt.store(connection, encode(record))
    stale_at = await inserted.answer()
    return record if stale_at is None else replace(record, stale_at=stale_at)


def _audit_entry(record: GenerationRecord) -> AuditEntry:
    return AuditEntry(
        creator_id=record.creator_id,
        actor_id=record.chatter_id,
        action=AuditAction.GENERATED,
        subject_type="generation",
        subject_id=str(record.id),
        at=record.created_at,
        details={
            "status": record.status.value,
            "reasons": [reason.value for reason in record.approval_reasons],
            "findings": [finding.rule for finding in record.safety.findings],
        }
        | _attempts(record),
    )


def _attempts(record: GenerationRecord) -> dict[str, list[list[str]]]:
    """What was found in each earlier attempt, for a draft that had one."""
    if not record.attempts:
        return {}
    found = [[finding.rule for finding in one.safety.findings] for one in record.attempts]
    return {"stopped_attempts": found}


async def _hand_to_delivery(
    parts: Parts, connection: Connection, situation: Situation, record: GenerationRecord
) -> None:
    """Feedback, outbox row and delivery job of a draft that leaves by itself."""
    assert record.message is not None  # noqa: S101 -- the policy queues a draft without text
    fan_messages = [m.id for m in situation.messages if m.sender is Sender.FAN]
    item = outbox_item(
        Recipe(
            record.conversation_id,
            situation.conversation.channel,
            situation.conversation.external_ref,
            situation.fan.handle,
            record.message,
            None,
        ),
        creator_id=record.creator_id,
        generation_id=record.id,
        author=Author.AI_AUTOMATIC,
        author_user_id=None,
        seen_message_id=fan_messages[-1] if fan_messages else None,
        not_before=record.created_at,
        template_id=record.template_id,
    )
    await hand_over(parts, connection, item, record.created_at)
    await feedback.insert(
        connection,
        creator_id=record.creator_id,
        generation_id=record.id,
        feedback_type=FeedbackType.AUTO_SENT,
        original=record.message,
        final=record.message,
        reason=None,
        notes=None,
        edit_distance=0,
        user_id=None,
        now=record.created_at,
    )
