"""A chatter's own message: checked like any other, and the end of what waited for approval."""

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from vaultcrm.controls.auth import require_creator
from vaultcrm.db.pending import Connection
from vaultcrm.db.queries import audit, generations, outbox, templates, threads
from vaultcrm.domain.audit import AuditAction, AuditEntry
from vaultcrm.domain.conversation import Author, Sender
from vaultcrm.domain.errors import FieldProblem, InvalidInput, NotFound, ThreadMovedOn
from vaultcrm.domain.money import Money
from vaultcrm.domain.outbox import OutboxItem
from vaultcrm.domain.people import Caller
from vaultcrm.domain.safety import SafetyReport, Scope
from vaultcrm.pipeline.delivery import Recipe, outbox_item
from vaultcrm.workflows.disclose import put_before, telling_before
from vaultcrm.workflows.find_draft import said_since
from vaultcrm.workflows.leaving import Leaving, check_leaving, hand_over, leaves_at
from vaultcrm.workflows.parts import Parts, Receipt
from vaultcrm.workflows.spending_care import begin_offer


@dataclass(frozen=True, slots=True)
class OwnMessage:
    """What a chatter wrote. `seen_message_id` is the last message of the fan that they saw; None
    sends it whatever was said in the meantime. `template_id` is the template that they began with.
    """

    creator_id: UUID
    conversation_id: UUID
    text: str
    price: Money | None = None
    media_ids: tuple[str, ...] = ()
    seen_message_id: UUID | None = None
    template_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Written:
    """The message on its way, and what the filter wants its writer to know."""

    item: OutboxItem
    safety: SafetyReport


async def write_message(
    parts: Parts,
    caller: Caller,
    wanted: OwnMessage,
    *,
    receipt: Receipt | None = None,
    encode: Callable[[Written], str] | None = None,
) -> Written:
    """Send a message of the caller's own; drafts that wait in the conversation expire.

    Raises NotFound, InvalidInput (see `check_leaving`; also for a price over a cap on the fan's
    spending) or ThreadMovedOn with what the fan wrote.
    """
    require_creator(caller, wanted.creator_id)
    now = parts.now()
    async with parts.pool.connection() as connection:
        departing = await outbox.departure(connection, wanted.creator_id, wanted.conversation_id)
        departure = await departing.answer()
        await _check_template(connection, wanted)
        if departure is None:
            raise NotFound("conversation")
        telling = await telling_before(
            parts, connection, departure, wanted.conversation_id, Author.CHATTER, now
        )
    recipient = departure.recipient
    leaving = Leaving(wanted.text, wanted.price, wanted.media_ids, price_field="priceMinor")
    safety = await check_leaving(
        parts, leaving, recipient, departure.creator, departure.forbidden_words
    )
    item = outbox_item(
        Recipe(
            wanted.conversation_id,
            recipient.channel,
            recipient.conversation_ref,
            recipient.fan_handle,
            wanted.text,
            wanted.price,
            wanted.media_ids,
        ),
        creator_id=wanted.creator_id,
        generation_id=None,
        author=Author.CHATTER,
        author_user_id=caller.user_id,
        seen_message_id=recipient.newest_fan_message_id,
        not_before=leaves_at(parts, recipient, wanted.price, now),
        template_id=wanted.template_id,
    )
    written = Written(item, safety)
    async with parts.transaction() as connection:
        if wanted.price is not None:
            offer = await begin_offer(parts, connection, wanted.creator_id, recipient.fan_id, now)
            await offer.require_free("priceMinor")
        await threads.lock_conversation(connection, wanted.creator_id, wanted.conversation_id)
        if wanted.seen_message_id is not None:
            await _check_seen(connection, wanted, wanted.seen_message_id)
        await generations.expire(connection, wanted.creator_id, wanted.conversation_id)
        await hand_over(parts, connection, await put_before(connection, telling, item, now), now)
        await audit.record(
            connection,
            AuditEntry(
                creator_id=wanted.creator_id,
                actor_id=caller.user_id,
                action=AuditAction.WRITTEN,
                subject_type="outbox",
                subject_id=str(item.id),
                at=now,
                details={"findings": [finding.rule for finding in safety.findings]},
            ),
        )
        if receipt is not None and encode is not None:
            await receipt.store(connection, encode(written))
    return written


async def check_own(
    parts: Parts, caller: Caller, creator_id: UUID, conversation_id: UUID, text: str
) -> SafetyReport:
    """What the filter says about a chatter's own text, and where; raises NotFound."""
    require_creator(caller, creator_id)
    async with parts.pool.connection() as connection:
        departing = await outbox.departure(connection, creator_id, conversation_id)
        departure = await departing.answer()
    if departure is None:
        raise NotFound("conversation")
    return parts.content_filter.check(
        text,
        Scope.CHATTER,
        forbidden_words=departure.forbidden_words,
        region=departure.creator.region,
        own_rules=await parts.rule_book.of_creator(departure.creator, parts.pool),
    )


async def _check_template(connection: Connection, wanted: OwnMessage) -> None:
    """Raise InvalidInput for a template that this creator does not have."""
    if wanted.template_id is None:
        return
    found = await templates.get_template(connection, [wanted.creator_id], wanted.template_id)
    if not await found.answer():
        raise InvalidInput(FieldProblem("templateId", "is no template of this creator"))


async def _check_seen(connection: Connection, wanted: OwnMessage, seen: UUID) -> None:
    """Raise ThreadMovedOn when the fan has written since what the chatter saw."""
    newer = await said_since(connection, wanted.creator_id, wanted.conversation_id, seen)
    if any(message.sender is Sender.FAN for message in newer):
        raise ThreadMovedOn(
            "The conversation has gone on since you began to write. Read the new messages, then "
            "send it again.",
            newer,
        )
