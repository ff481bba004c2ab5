"""Decide a waiting draft: one person wins; what was decided is bound to its form and handed on."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from vaultcrm.db.pending import Connection
from vaultcrm.db.queries import audit, feedback, generations, outbox
from vaultcrm.db.queries.outbox import Departure
from vaultcrm.db.row_scope import scope_travels
from vaultcrm.domain.approval import DecisionAction, RejectReason
from vaultcrm.domain.audit import AuditAction, AuditEntry
from vaultcrm.domain.conversation import Author
from vaultcrm.domain.errors import FieldProblem, InvalidInput, NotFound
from vaultcrm.domain.events import generation_decided
from vaultcrm.domain.generation import (
    DeliveryStatus,
    FeedbackType,
    GenerationRecord,
    GenerationStatus,
)
from vaultcrm.domain.money import Money, minor_per_major
from vaultcrm.domain.outbox import Recipient
from vaultcrm.domain.people import Caller
from vaultcrm.pipeline.approval.edits import edit_distance
from vaultcrm.pipeline.delivery import Recipe, outbox_item
from vaultcrm.workflows.announce import announce
from vaultcrm.workflows.disclose import Telling, hold_still, put_before, telling_before
from vaultcrm.workflows.find_draft import seen_by, too_late
from vaultcrm.workflows.leaving import Leaving, check_leaving, hand_over, leaves_at
from vaultcrm.workflows.parts import Parts, Receipt
from vaultcrm.workflows.spending_care import begin_offer


@dataclass(frozen=True, slots=True)
class DecisionRequest:
    """What a person decides. `although_stale` sends a draft that the fan has overtaken.

    `modified_price` is in whole units of the conversation's currency; 0 takes the price away.
    """

    generation_id: UUID
    action: DecisionAction
    modified_message: str | None = None
    modified_price: float | None = None
    media_ids: tuple[str, ...] = ()
    reason: str | None = None
    reject_reason: RejectReason | None = None
    although_stale: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a decision comes to: the text and price that leave, and how the feedback is called."""

    status: GenerationStatus
    feedback_type: FeedbackType
    message: str | None
    price: Money | None
    media_ids: tuple[str, ...] = ()


async def decide_approval(
    parts: Parts,
    caller: Caller,
    request: DecisionRequest,
    *,
    receipt: Receipt | None = None,
    encode: Callable[[GenerationRecord], str] | None = None,
) -> GenerationRecord:
    """Approve, modify or reject a waiting draft and return it as it is then.

    Raises NotFound, InvalidInput (nothing to send, a text that the filter blocks, a price that the
    channel does not take, that this fan must not be asked, or that would pass a cap on their
    spending) or Conflict, which says who decided what and when.
    """
    now = parts.now()
    async with parts.pool.unscoped() as connection:
        async with scope_travels(connection):
            found_sent = await generations.find(connection, request.generation_id)
        record = seen_by(caller, await found_sent.answer())
        sent = await outbox.departure(connection, record.creator_id, record.conversation_id)
        departure = await sent.answer()
        if departure is None:
            raise NotFound("conversation")
        telling = await _telling(parts, connection, request, departure, record, now)
    if record.status is not GenerationStatus.QUEUED:
        raise await too_late(parts, record)
    outcome = _outcome(request, record)
    if outcome.message is not None:
        leaving = Leaving(
            outcome.message,
            outcome.price,
            outcome.media_ids,
            text_field="modifiedMessage",
            price_field="modifiedPrice",
            channel_field="action",
        )
        await check_leaving(
            parts,
            leaving,
            departure.recipient,
            departure.creator,
            departure.forbidden_words,
        )
        _check_sells(request, record, departure.recipient)
    async with parts.pipelined_transaction() as connection:
        offer = (
            await begin_offer(parts, connection, record.creator_id, record.fan_id, now)
            if outcome.price is not None
            else None
        )
        await hold_still(connection, telling, record.creator_id, record.conversation_id)
        decided_sent = await generations.decide(
            connection,
            creator_id=record.creator_id,
            generation_id=record.id,
            status=outcome.status,
            user_id=caller.user_id,
            final_message=outcome.message,
            final_price=outcome.price,
            although_stale=request.although_stale,
            now=now,
        )
        decided = await decided_sent.answer()
        if decided is not None:
            if offer is not None:
                await offer.require_free("modifiedPrice")
            decided = await _write_decision(
                parts,
                connection,
                caller,
                request,
                outcome,
                decided,
                departure.recipient,
                now,
                telling,
            )
            if departure.decisions_are_heard:
                event = generation_decided(decided, request.action, caller.user_id, now)
                await announce(parts, connection, event)
            if receipt is not None and encode is not None:
                await receipt.store(connection, encode(decided))
    if decided is None:
        raise await too_late(parts, record)
    return decided


async def _telling(
    parts: Parts,
    connection: Connection,
    request: DecisionRequest,
    departure: Departure,
    record: GenerationRecord,
    now: datetime,
) -> Telling | None:
    """What the fan must be told before the draft, if it leaves."""
    if request.action is DecisionAction.REJECT:
        return None
    return await telling_before(
        parts, connection, departure, record.conversation_id, Author.AI_APPROVED, now
    )


def _outcome(request: DecisionRequest, record: GenerationRecord) -> Outcome:
    """What the decision means for this draft; raises InvalidInput when it makes no sense."""
    if request.action is DecisionAction.REJECT:
        return Outcome(GenerationStatus.REJECTED, FeedbackType.REJECTED, None, None)
    price = record.suggested_price
    if request.action is DecisionAction.APPROVE:
        if record.message is None:
            raise InvalidInput(
                FieldProblem("action", "there is no text to approve: modify it or reject it")
            )
        _check_unchanged(request, record)
        return Outcome(
            GenerationStatus.APPROVED,
            FeedbackType.APPROVED,
            record.message,
            price,
            request.media_ids,
        )
    if request.modified_message is None and request.modified_price is None:
        raise InvalidInput(FieldProblem("modifiedMessage", "modify needs a new text or price"))
    if request.modified_price is not None:
        minor = round(request.modified_price * minor_per_major(record.currency))
        price = Money(minor, record.currency) if minor else None
    message = request.modified_message if request.modified_message is not None else record.message
    if not message or not message.strip():
        raise InvalidInput(FieldProblem("modifiedMessage", "must not be empty"))
    if message == record.message and price == record.suggested_price:
        raise InvalidInput(FieldProblem("modifiedMessage", "is the same as the draft: approve it"))
    return Outcome(
        GenerationStatus.APPROVED, FeedbackType.MODIFIED, message, price, request.media_ids
    )


def _check_sells(request: DecisionRequest, record: GenerationRecord, recipient: Recipient) -> None:
    """An offer sells by its words too: as drafted it does not go where selling is stopped."""
    if recipient.care is None or not record.generation_type.sells:
        return
    if request.modified_message in {None, record.message}:
        raise InvalidInput(
            FieldProblem(
                "modifiedMessage",
                "selling is stopped in this conversation: write another message or reject it",
            )
        )


def _check_unchanged(request: DecisionRequest, record: GenerationRecord) -> None:
    """A change that comes with `approve` would be lost without a word, so it is refused."""
    if request.modified_message not in {None, record.message}:
        raise InvalidInput(
            FieldProblem("modifiedMessage", "approve sends the draft as it is: use action modify")
        )
    price = 0 if record.suggested_price is None else record.suggested_price.major
    if request.modified_price is not None and request.modified_price != price:
        raise InvalidInput(
            FieldProblem("modifiedPrice", "approve keeps the draft's price: use action modify")
        )


async def _write_decision(
    parts: Parts,
    connection: Connection,
    caller: Caller,
    request: DecisionRequest,
    outcome: Outcome,
    decided: GenerationRecord,
    recipient: Recipient,
    now: datetime,
    telling: Telling | None,
) -> GenerationRecord:
    """Feedback, audit and, for what leaves, the outbox row with its job."""
    rejected = outcome.feedback_type is FeedbackType.REJECTED
    code = request.reject_reason.value if request.reject_reason is not None else None
    await feedback.insert(
        connection,
        creator_id=decided.creator_id,
        generation_id=decided.id,
        feedback_type=outcome.feedback_type,
        original=decided.message,
        final=outcome.message,
        reason=(code or request.reason) if rejected else None,
        notes=None if rejected and code is None else request.reason,
        edit_distance=edit_distance(decided.message or "", outcome.message)
        if outcome.message is not None
        else None,
        user_id=caller.user_id,
        now=now,
    )
    await audit.record(
        connection,
        AuditEntry(
            creator_id=decided.creator_id,
            actor_id=caller.user_id,
            action=AuditAction.DECIDED,
            subject_type="generation",
            subject_id=str(decided.id),
            at=now,
            details={"action": request.action.value, "although_stale": request.although_stale},
        ),
    )
    if outcome.message is None:
        return decided
    item = outbox_item(
        Recipe(
            decided.conversation_id,
            recipient.channel,
            recipient.conversation_ref,
            recipient.fan_handle,
            outcome.message,
            outcome.price,
            outcome.media_ids,
        ),
        creator_id=decided.creator_id,
        generation_id=decided.id,
        author=Author.AI_APPROVED,
        author_user_id=caller.user_id,
        seen_message_id=recipient.newest_fan_message_id,
        not_before=leaves_at(parts, recipient, outcome.price, now),
        template_id=decided.template_id,
    )
    await hand_over(parts, connection, await put_before(connection, telling, item, now), now)
    return replace(decided, delivery_status=DeliveryStatus.PENDING, leaves_at=item.not_before)
