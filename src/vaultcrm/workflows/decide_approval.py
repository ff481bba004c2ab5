"""Decide a waiting draft: one person wins; what was decided is bound to its form and handed on."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from vaultcrm.db.jobs import DELIVER_MESSAGE
from vaultcrm.db.pending import Connection
from vaultcrm.db.queries import (
    access,
    audit,
    directory,
    feedback,
    generations,
    outbox,
    personalities,
)
from vaultcrm.domain.approval import DecisionAction
from vaultcrm.domain.audit import AuditAction, AuditEntry
from vaultcrm.domain.conversation import Author
from vaultcrm.domain.errors import Conflict, FieldProblem, InvalidInput, NotFound
from vaultcrm.domain.generation import (
    DeliveryStatus,
    FeedbackType,
    GenerationRecord,
    GenerationStatus,
)
from vaultcrm.domain.money import Money, minor_per_major
from vaultcrm.domain.outbox import Recipient
from vaultcrm.domain.people import Caller, Creator
from vaultcrm.domain.safety import Scope, Verdict
from vaultcrm.pipeline.approval.edits import edit_distance
from vaultcrm.pipeline.delivery import Recipe, check_price, outbox_item
from vaultcrm.workflows.parts import Parts, Receipt


@dataclass(frozen=True, slots=True)
class DecisionRequest:
    """What a person decides. `although_stale` sends a draft that the fan has overtaken.

    `modified_price` is in whole units of the conversation's currency; 0 takes the price away.
    """

    generation_id: UUID
    action: DecisionAction
    modified_message: str | None = None
    modified_price: float | None = None
    reason: str | None = None
    although_stale: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a decision comes to: the text and price that leave, and how the feedback is called."""

    status: GenerationStatus
    feedback_type: FeedbackType
    message: str | None
    price: Money | None


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
    channel does not take or that this fan must not be asked) or Conflict, which says who decided
    what and when.
    """
    now = parts.now()
    async with parts.pool.connection() as connection:
        record = await find_generation(connection, caller, request.generation_id)
        async with connection.pipeline():
            voice_sent = await personalities.current(connection, record.creator_id)
            recipient_sent = await outbox.recipient_of(
                connection, record.creator_id, record.conversation_id
            )
            creator_sent = await directory.get_creator(connection, record.creator_id)
        voice = await voice_sent.answer()
        recipient = await recipient_sent.answer()
        creator = await creator_sent.answer()
    if recipient is None or creator is None:
        raise NotFound("conversation")
    if record.status is not GenerationStatus.QUEUED:
        raise await _too_late(parts, record)
    outcome = _outcome(request, record)
    if outcome.status is GenerationStatus.APPROVED:
        _check_leaving(parts, outcome, recipient, creator, voice.forbidden_words if voice else ())
    async with parts.transaction() as connection:
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
            decided = await _write_decision(
                parts, connection, caller, request, outcome, decided, recipient, now
            )
            if receipt is not None and encode is not None:
                await receipt.store(connection, encode(decided))
    if decided is None:
        raise await _too_late(parts, record)
    return decided


async def claim(
    parts: Parts,
    caller: Caller,
    generation_id: UUID | None,
    lease: timedelta,
    *,
    receipt: Receipt | None = None,
    encode: Callable[[GenerationRecord | None], str] | None = None,
) -> GenerationRecord | None:
    """Hold a waiting draft for a while, so that others leave it alone: a given one or the next.

    None when there is no next one. Raises NotFound, or Conflict when the given one is taken.
    """
    now = parts.now()
    until = now + lease
    record = None
    async with parts.transaction() as connection:
        if generation_id is None:
            creator_ids = await visible_creators(connection, caller)
            held = await generations.claim_next(
                connection, creator_ids, caller.user_id, now=now, until=until
            )
        else:
            record = await find_generation(connection, caller, generation_id)
            sent = await generations.claim(
                connection, record.creator_id, record.id, caller.user_id, now=now, until=until
            )
            held = await sent.answer()
        won = held is not None or record is None
        if won and receipt is not None and encode is not None:
            await receipt.store(connection, encode(held))
    if held is None and record is not None:
        raise await _too_late(parts, record)
    return held


async def find_generation(
    connection: Connection, caller: Caller, generation_id: UUID
) -> GenerationRecord:
    """One generation with the state of its delivery; raises NotFound."""
    creator_id = await generations.find_creator(connection, generation_id)
    if creator_id is None or not caller.may_see(creator_id):
        raise NotFound("generation")
    record = await (await generations.get(connection, creator_id, generation_id)).answer()
    if record is None:
        raise NotFound("generation")
    return record


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
        return Outcome(GenerationStatus.APPROVED, FeedbackType.APPROVED, record.message, price)
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
    return Outcome(GenerationStatus.APPROVED, FeedbackType.MODIFIED, message, price)


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


def _check_leaving(
    parts: Parts,
    outcome: Outcome,
    recipient: Recipient,
    creator: Creator,
    forbidden_words: tuple[str, ...],
) -> None:
    """Nothing leaves that the filter blocks, this fan must not be asked, or the channel cannot
    carry, whoever wrote it.
    """
    assert outcome.message is not None  # noqa: S101 -- an approved outcome always has a text
    if outcome.price is not None and recipient.care is not None:
        raise InvalidInput(
            FieldProblem(
                "modifiedPrice",
                "selling is stopped in this conversation: set it to 0, or reject the draft",
            )
        )
    channel = parts.channels.get(recipient.channel)
    if channel is None:
        raise InvalidInput(
            FieldProblem(
                "action",
                f"the channel {recipient.channel} is not set up here, so nothing can be sent: "
                "set it up, or reject the draft",
            )
        )
    capabilities = channel.capabilities
    if len(outcome.message) > capabilities.longest_text:
        raise InvalidInput(
            FieldProblem(
                "modifiedMessage",
                f"this channel takes at most {capabilities.longest_text:,} characters",
            )
        )
    check_price(outcome.price, capabilities.least_price, capabilities.greatest_price)
    report = parts.content_filter.check(
        outcome.message, Scope.CHATTER, forbidden_words=forbidden_words, region=creator.region
    )
    if report.verdict is Verdict.BLOCK:
        raise InvalidInput(
            *(
                FieldProblem("modifiedMessage", f"“{finding.matched}”: {finding.reason}")
                for finding in report.findings
            )
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
) -> GenerationRecord:
    """Feedback, audit and, for what leaves, the outbox row with its job."""
    await feedback.insert(
        connection,
        creator_id=decided.creator_id,
        generation_id=decided.id,
        feedback_type=outcome.feedback_type,
        original=decided.message,
        final=outcome.message,
        reason=request.reason if outcome.feedback_type is FeedbackType.REJECTED else None,
        notes=request.reason if outcome.feedback_type is not FeedbackType.REJECTED else None,
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
        Recipe(decided.conversation_id, recipient.channel, outcome.message, outcome.price),
        creator_id=decided.creator_id,
        generation_id=decided.id,
        author=Author.AI_APPROVED,
        author_user_id=caller.user_id,
        seen_message_id=recipient.newest_fan_message_id,
        now=now,
    )
    await outbox.insert(connection, item, now)
    await parts.jobs.defer(
        connection,
        DELIVER_MESSAGE,
        lock=str(decided.conversation_id),
        creator_id=str(decided.creator_id),
        item_id=str(item.id),
    )
    return replace(decided, delivery_status=DeliveryStatus.PENDING)


async def _too_late(parts: Parts, seen: GenerationRecord) -> Conflict:
    """Why a decision did not go through, with the state as it is now."""
    async with parts.pool.connection() as connection:
        record = await (await generations.get(connection, seen.creator_id, seen.id)).answer()
        record = record or seen
        someone = await access.name_of(connection, record.approved_by or record.claimed_by)
    if record.status is not GenerationStatus.QUEUED:
        return Conflict(
            f"This draft is {record.status.value} already"
            + (f": {someone} decided it." if record.approved_by else "."),
            status=record.status.value,
            decided_by=someone if record.approved_by else None,
            decided_at=record.approved_at,
        )
    if record.stale_at is not None:
        return Conflict(
            "The conversation has gone on since this was drafted. Read the new messages, then "
            "draft anew or send it all the same with sendAnyway.",
            status="stale",
        )
    return Conflict(
        f"This draft is being reviewed by {someone or 'somebody else'}.",
        status="claimed",
        decided_by=someone,
        decided_at=record.claimed_until,
    )


async def visible_creators(connection: Connection, caller: Caller) -> list[UUID]:
    """The creators that a caller may act for."""
    if caller.all_creators:
        return await access.all_creator_ids(connection)
    return list(caller.creator_ids)
