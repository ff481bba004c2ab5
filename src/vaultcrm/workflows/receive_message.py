"""What a platform tells: kept raw, answered, then worked through exactly once."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from uuid import UUID

from vaultcrm.db.jobs import ANSWER_FAN, PROCESS_INBOUND
from vaultcrm.db.pending import Connection
from vaultcrm.db.queries import audit, creators, generations, inbound, outbox, threads
from vaultcrm.db.queries.threads import Thread
from vaultcrm.db.row_scope import scope_of_creators, seeing
from vaultcrm.domain.audit import AuditAction, AuditEntry
from vaultcrm.domain.channels import EventKind, InboundEvent
from vaultcrm.domain.conversation import Author, Mode, Sender
from vaultcrm.domain.errors import InvalidInput, NotFound
from vaultcrm.domain.generation import GenerationType
from vaultcrm.domain.ids import new_id
from vaultcrm.domain.safety import Scope
from vaultcrm.domain.spending import PaymentKind
from vaultcrm.pipeline.approval.care import care_called_for
from vaultcrm.pipeline.disclosure import asks_if_ai
from vaultcrm.workflows.care_state import begins, care_begins
from vaultcrm.workflows.disclose import fan_asks
from vaultcrm.workflows.find_channel import find_channel
from vaultcrm.workflows.parts import Parts
from vaultcrm.workflows.spending_care import note_payment


async def accept_webhook(
    parts: Parts, channel_name: str, creator_handle: str, headers: Mapping[str, str], body: bytes
) -> bool:
    """Verify a webhook and keep it; the work is a job. False when there was nothing new in it.

    Raises NotFound for an unknown channel or creator, WebhookRejected for a wrong or old signature,
    and InvalidInput for a body that the channel cannot read; in each case nothing is stored.
    """
    async with parts.pool.unscoped() as connection:
        creator = await (await creators.creator_by_handle(connection, creator_handle)).answer()
    if creator is None:
        raise NotFound("creator")
    with seeing(scope_of_creators(frozenset({creator.id}))):
        return await _accept(parts, channel_name, creator.id, headers, body)


async def _accept(
    parts: Parts, channel_name: str, creator_id: UUID, headers: Mapping[str, str], body: bytes
) -> bool:
    channel = await find_channel(parts, creator_id, channel_name)
    channel.verify(headers, body)
    events = channel.parse(body)
    if not events:
        return False
    async with parts.transaction() as connection:
        row_id = await inbound.keep_event(
            connection,
            creator_id=creator_id,
            channel=channel_name,
            event_id=events[0].event_id,
            payload=body,
            now=parts.now(),
        )
        if row_id is not None:
            await parts.jobs.defer(
                connection, PROCESS_INBOUND, creator_id=str(creator_id), row_id=str(row_id)
            )
    return row_id is not None


async def process_webhook(parts: Parts, creator_id: UUID, row_id: UUID) -> None:
    """Work through a kept webhook, in one transaction; a second run finds nothing to do."""
    async with parts.transaction() as connection:
        taken = await inbound.take_event(connection, creator_id, row_id)
        if taken is None:
            return
        channel_name, body = taken
        errors: list[str] = []
        try:
            channel = await find_channel(parts, creator_id, channel_name, connection)
            events = channel.parse(body)
        except (InvalidInput, NotFound) as refused:
            errors.append(str(refused))
        else:
            for event in events:
                left_out = await receive_event(parts, connection, channel_name, creator_id, event)
                if left_out is not None:
                    errors.append(left_out)
        error = "; ".join(errors) or None
        await inbound.finish_event(connection, creator_id, row_id, parts.now(), error)


async def receive_event(
    parts: Parts, connection: Connection, channel: str, creator_id: UUID, event: InboundEvent
) -> str | None:
    """One event of a fan, inside the caller's transaction. The same event twice changes nothing.

    The answer says why an event had no effect, where that is worth knowing.
    """
    thread = await threads.find_or_open_thread(
        connection, creator_id, channel, event, "USD", parts.now()
    )
    match event.kind:
        case EventKind.MESSAGE | EventKind.CREATOR_MESSAGE:
            from_fan = event.kind is EventKind.MESSAGE
            await store_message(
                parts,
                connection,
                thread,
                creator_id=creator_id,
                author=Author.FAN if from_fan else Author.CHATTER,
                reference=event.message_ref or event.event_id,
                text=event.text,
                sent_at=event.occurred_at,
            )
        case EventKind.PURCHASE:
            return await _receive_purchase(parts, connection, creator_id, thread, event)
        case EventKind.REFUND | EventKind.CHARGEBACK:
            if not await threads.keep_payment(connection, creator_id, thread, event, parts.now()):
                return f"the message {event.message_ref} is not known here"
        case EventKind.TIP:
            await _add_value(parts, connection, creator_id, thread, event)
            await ask_for_draft(parts, connection, creator_id, thread, GenerationType.THANK_YOU)
        case EventKind.FOLLOW | EventKind.SUBSCRIPTION:
            await _add_value(parts, connection, creator_id, thread, event)
            if thread.is_new:
                await ask_for_draft(parts, connection, creator_id, thread, GenerationType.WELCOME)
    return None


async def _add_value(
    parts: Parts, connection: Connection, creator_id: UUID, thread: Thread, event: InboundEvent
) -> None:
    """What a fan paid for something that is no message of ours."""
    if event.amount is None:
        return
    await threads.add_value(connection, creator_id, thread.fan_id, event.amount)
    await note_payment(
        parts,
        connection,
        creator_id=creator_id,
        fan_id=thread.fan_id,
        payment_id=new_id(),
        kind=_PAYMENTS.get(event.kind, PaymentKind.SUBSCRIPTION),
        amount=event.amount,
        paid_at=event.occurred_at,
    )


_PAYMENTS = {EventKind.PURCHASE: PaymentKind.PURCHASE, EventKind.TIP: PaymentKind.TIP}


async def store_message(
    parts: Parts,
    connection: Connection,
    thread: Thread,
    *,
    creator_id: UUID,
    author: Author,
    reference: str,
    text: str,
    sent_at: datetime,
) -> None:
    """Store a message that came in, inside the caller's transaction; a known one changes nothing.

    A fan's message overtakes waiting drafts, may call for care, and asks for a new draft. A
    chatter's, written on the platform itself, ends the wait and what waits for approval; an
    imported one only makes it stale.
    """
    sender = Sender.FAN if author is Author.FAN else Sender.CREATOR
    message_id = await threads.add_message(
        connection,
        creator_id=creator_id,
        conversation_id=thread.conversation_id,
        sender=sender,
        author=author,
        external_id=reference,
        text=text,
        sent_at=sent_at,
    )
    if message_id is None:
        return
    now = parts.now()
    # The conversation's row is locked first: see INSERT of vaultcrm.db.queries.generations.
    if sender is Sender.FAN:
        await _note_fan_message(parts, connection, creator_id, thread, text, sent_at)
        await _overtake_drafts(parts, connection, creator_id, thread, now)
        await ask_for_draft(parts, connection, creator_id, thread, GenerationType.REPLY)
        return
    await threads.note_creator_message(connection, creator_id, thread.conversation_id, sent_at)
    if author is Author.CHATTER:
        # A platform may tell of our own message before its receipt is here.
        if not await outbox.is_underway(connection, creator_id, thread.conversation_id, text):
            await generations.expire(connection, creator_id, thread.conversation_id)
    else:
        await generations.mark_stale(connection, creator_id, thread.conversation_id, now)


async def _overtake_drafts(
    parts: Parts, connection: Connection, creator_id: UUID, thread: Thread, now: datetime
) -> None:
    """What becomes of waiting drafts when the fan writes again, as `AI_STALE_DRAFTS` says."""
    what = parts.settings.ai_stale_drafts
    if what == "mark":
        await generations.mark_stale(connection, creator_id, thread.conversation_id, now)
        return
    types = await generations.expire(connection, creator_id, thread.conversation_id)
    if what == "regenerate":
        for generation_type in set(types) - {GenerationType.REPLY}:
            await ask_for_draft(parts, connection, creator_id, thread, generation_type)


async def ask_for_draft(
    parts: Parts,
    connection: Connection,
    creator_id: UUID,
    thread: Thread,
    generation_type: GenerationType,
) -> None:
    """Ask for a draft where AI may write one, once the fan has been quiet for a moment.

    While one is asked for already it is only put off: a burst of messages makes one draft.
    """
    if thread.mode is Mode.OFF:
        return
    once = f"answer:{thread.conversation_id}:{generation_type.value}"
    at = parts.now() + timedelta(seconds=parts.settings.ai_quiet_seconds)
    asked = await parts.jobs.defer(
        connection,
        ANSWER_FAN,
        queueing_lock=once,
        at=at,
        creator_id=str(creator_id),
        conversation_id=str(thread.conversation_id),
        generation_type=generation_type.value,
    )
    if not asked:
        await parts.jobs.postpone(connection, once, at)


async def _note_fan_message(
    parts: Parts,
    connection: Connection,
    creator_id: UUID,
    thread: Thread,
    text: str,
    sent_at: datetime,
) -> None:
    """The fan waits from now on, and what they wrote may call for care."""
    now = parts.now()
    own_rules = await parts.rule_book.newest(creator_id, connection)
    report = parts.content_filter.check(text, Scope.FAN, own_rules=own_rules)
    care = care_called_for(report)
    await threads.note_fan_message(
        connection, creator_id, thread.conversation_id, sent_at=sent_at, care=care, now=now
    )
    if asks_if_ai(report):
        await fan_asks(parts, connection, creator_id, thread.conversation_id)
    if care is None or not begins(thread.care, care):
        return
    await care_begins(parts, connection, creator_id, thread.conversation_id, care, now)
    await audit.record(
        connection,
        AuditEntry(
            creator_id=creator_id,
            actor_id=None,
            action=AuditAction.CARE_CHANGED,
            subject_type="conversation",
            subject_id=str(thread.conversation_id),
            at=now,
            details={"care": care.value},
        ),
    )


async def _receive_purchase(
    parts: Parts, connection: Connection, creator_id: UUID, thread: Thread, event: InboundEvent
) -> str | None:
    if not event.message_ref:
        # Something that is no message, such as a post.
        await threads.keep_payment(connection, creator_id, thread, event, parts.now())
        await _add_value(parts, connection, creator_id, thread, event)
        return None
    bought = await threads.note_purchase(connection, creator_id, thread, event, parts.now())
    if bought is None:
        return f"the message {event.message_ref} is not known here, or was bought before"
    message_id, _, amount = bought
    await note_payment(
        parts,
        connection,
        creator_id=creator_id,
        fan_id=thread.fan_id,
        payment_id=message_id,
        kind=PaymentKind.PURCHASE,
        amount=amount,
        paid_at=event.occurred_at,
    )
    return None
