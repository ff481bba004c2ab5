"""Send one decided message, once.

`sending` is written down before the platform is called. If this process dies in the call, the next
attempt finds `sending`: a platform that knows our idempotency key is asked again with the same key,
for any other the message becomes `uncertain` and a person is asked. It is never sent twice. What
such a platform may have taken without an answer stays `sending` too, until it is asked again.

A message with a disclosure before it (`after_id`) leaves only when the platform has taken that one;
what has to be held back is held back before the fan is told anything. What was to leave by itself
when that was stopped waits for a person (`call_back`).

A message that must wait keeps its job, which keeps the lock of the conversation: what was decided
later leaves later.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from vaultcrm.db.queries import audit, channel_accounts, outbox, spending
from vaultcrm.domain.alerts import AlertKind, Severity, channel_subject, creator_subject
from vaultcrm.domain.audit import AuditAction, AuditEntry
from vaultcrm.domain.channels import OutboundMessage, SendErrorKind, SendResult, SendStatus
from vaultcrm.domain.errors import InvalidInput, NotFound, SecretUnreadable
from vaultcrm.domain.events import message_failed, message_sent
from vaultcrm.domain.generation import DeliveryStatus
from vaultcrm.domain.outbox import OutboxItem, Recipient
from vaultcrm.pipeline.delivery import Closing, Hold, closing_of, reason_not_to_send
from vaultcrm.workflows.alerting import raise_alert
from vaultcrm.workflows.announce import announce
from vaultcrm.workflows.call_back import held_before_leaving
from vaultcrm.workflows.disclose import take_back_before
from vaultcrm.workflows.find_channel import find_channel
from vaultcrm.workflows.join_conversation import join_conversation
from vaultcrm.workflows.parts import Parts

SOONEST_RETRY = timedelta(seconds=1)
"""So that a clock that is behind the database's does not make a job run in circles."""
PAUSED_RETRY = timedelta(seconds=60)
"""How often a message looks whether its paused channel goes on."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """How an attempt ended, for the job that asked for it.

    `retry_at` means that it is not over: the job must run again then, and no later message of the
    conversation before it.
    """

    item: OutboxItem
    channel: str
    status: DeliveryStatus
    retry_at: datetime | None = None


_OPEN = frozenset({DeliveryStatus.PENDING, DeliveryStatus.SENDING})


async def deliver_message(parts: Parts, creator_id: UUID, item_id: UUID) -> Delivery | None:
    """Make one attempt to send a message; None when there is nothing (more) to do."""
    taken = await _take(parts, creator_id, item_id)
    if taken is None:
        return None
    item, recipient, interrupted, first, is_told = taken
    if first is not None:
        return await _deliver_after(parts, item, first)
    if item.status is DeliveryStatus.PENDING or item.not_before > parts.now():
        return _waits(parts, item, recipient)
    hold = reason_not_to_send(item, recipient) or (None if is_told else Hold.DISCLOSURE_NOT_SENT)
    if hold is None and recipient is not None and await _cools_off(parts, item, recipient.fan_id):
        hold = Hold.COOLING_OFF
    if recipient is None or hold in _NEVER or (hold is not None and not interrupted):
        closing = Closing(DeliveryStatus.FAILED, hold.value if hold else None)
        return await _close(parts, item, recipient, closing, _NOT_SENT, alert=hold is Hold.DIFFERS)
    try:
        channel = await find_channel(parts, creator_id, recipient.channel)
    except (NotFound, InvalidInput, SecretUnreadable) as error:
        return await _pause(parts, item, recipient, str(error), interrupted=interrupted)
    if interrupted and (hold in _CARE or not channel.capabilities.idempotent_sends):
        closing = Closing(DeliveryStatus.UNCERTAIN, "we stopped while it was being sent")
        return await _close(parts, item, recipient, closing, SendResult(SendStatus.UNCERTAIN))
    if recipient.paused:
        return _waits(parts, item, recipient)
    if not interrupted and await held_before_leaving(parts, item):
        return None
    began = parts.now()
    result = await channel.send(_outbound(item, recipient))
    if result.error_kind is SendErrorKind.AUTH:
        return await _pause(parts, item, recipient, result.error, interrupted=interrupted)
    closing = closing_of(result, item.attempts, parts.now())
    if interrupted and closing.status is DeliveryStatus.PENDING:
        # This attempt did not arrive, but the one before may have.
        closing = replace(closing, status=DeliveryStatus.SENDING)
    return await _close(parts, item, recipient, closing, result, began=began)


async def _cools_off(parts: Parts, item: OutboxItem, fan_id: UUID) -> bool:
    """Whether it is an offer to a fan who has begun to cool off since it was decided."""
    if item.price is None:
        return False
    now = parts.now()
    async with parts.pool.connection() as connection:
        found = await (await spending.of_fan(connection, item.creator_id, fan_id, now)).answer()
    return found is not None and found.cools_off(now)


async def _deliver_after(parts: Parts, item: OutboxItem, first: UUID) -> Delivery | None:
    """The disclosure that goes before a message, then the message itself.

    Both leave in one job, so that nothing comes between them and neither waits for the other.
    """
    told = await deliver_message(parts, item.creator_id, first)
    if told is not None and told.retry_at is not None:
        return Delivery(item, told.channel, item.status, told.retry_at)
    return await deliver_message(parts, item.creator_id, item.id)


_NOT_SENT = SendResult(SendStatus.FAILED)
_NEVER = frozenset({Hold.GONE, Hold.DIFFERS})
_CARE = frozenset({Hold.SELLING_STOPPED, Hold.AUTOMATION_STOPPED})
"""What keeps a send that broke off from being asked for again. Other holds came too late for it:
nothing held it back when it began, and it may have arrived.
"""


def _waits(parts: Parts, item: OutboxItem, recipient: Recipient | None) -> Delivery:
    """Its time has not come, or its channel is paused."""
    paused = recipient is not None and recipient.paused
    soonest = parts.now() + (PAUSED_RETRY if paused else SOONEST_RETRY)
    return Delivery(
        item,
        recipient.channel if recipient else "",
        item.status,
        retry_at=max(item.not_before, soonest),
    )


class _Taken(NamedTuple):
    """A message whose turn it is. `interrupted` says whether an earlier attempt broke off, `first`
    names the disclosure that has to leave before it, `is_told` is False where that one failed.
    """

    item: OutboxItem
    recipient: Recipient | None
    interrupted: bool = False
    first: UUID | None = None
    is_told: bool = True


async def _take(parts: Parts, creator_id: UUID, item_id: UUID) -> _Taken | None:
    """Mark the message as being sent; one whose time has not come, whose channel is paused or
    before which a disclosure leaves stays pending. None when the message has left or failed.
    """
    async with parts.pool.connection() as connection:
        item = await (await outbox.get(connection, creator_id, item_id)).answer()
        if item is None or item.status not in _OPEN:
            return None
        recipient = await (
            await outbox.recipient_of(connection, creator_id, item.conversation_id)
        ).answer()
        if item.status is DeliveryStatus.SENDING:
            return _Taken(item, recipient, interrupted=True)
        if recipient is not None and recipient.paused:
            return _Taken(item, recipient)
        is_told = True
        if item.after_id is not None and item.not_before <= parts.now():
            first = await (await outbox.get(connection, creator_id, item.after_id)).answer()
            is_open = first is not None and first.status in _OPEN
            if is_open and reason_not_to_send(item, recipient) is None:
                return _Taken(item, recipient, first=item.after_id)
            is_told = is_open or (first is not None and first.status is DeliveryStatus.SENT)
        marked = await (
            await outbox.mark_sending(connection, creator_id, item_id, parts.now())
        ).answer()
    return _Taken(marked or item, recipient, is_told=is_told)


async def _pause(
    parts: Parts, item: OutboxItem, recipient: Recipient, reason: str, *, interrupted: bool
) -> Delivery:
    """The platform refuses us: its messages wait until a person has mended the credentials.

    One whose sending broke off stays `sending`, as only the channel can say what that means.
    """
    now = parts.now()
    retry_at = now + PAUSED_RETRY
    async with parts.transaction() as connection:
        paused = await channel_accounts.pause(
            connection, item.creator_id, recipient.channel, reason, now
        )
        if paused:
            await audit.record(
                connection,
                AuditEntry(
                    creator_id=item.creator_id,
                    actor_id=None,
                    action=AuditAction.CHANNEL_PAUSED,
                    subject_type="channel",
                    subject_id=recipient.channel,
                    at=now,
                    details={"reason": reason},
                ),
            )
            await raise_alert(
                parts,
                connection,
                AlertKind.CHANNEL_PAUSED,
                Severity.CRITICAL,
                f"Sending over {recipient.channel} is paused, and its messages wait: {reason}",
                {"channel": recipient.channel},
                now,
                subject=channel_subject(item.creator_id, recipient.channel),
            )
        if not interrupted:
            closed = await outbox.close(
                connection, item, DeliveryStatus.PENDING, now=now, error=reason, not_before=retry_at
            )
            await closed.answer()
    waiting = item if interrupted else replace(item, status=DeliveryStatus.PENDING)
    return Delivery(waiting, recipient.channel, waiting.status, retry_at)


def _outbound(item: OutboxItem, recipient: Recipient) -> OutboundMessage:
    return OutboundMessage(
        id=item.id,
        creator_id=item.creator_id,
        conversation_id=item.conversation_id,
        conversation_ref=recipient.conversation_ref,
        fan_handle=recipient.fan_handle,
        text=item.text,
        price=item.price,
        media_ids=item.media_ids,
    )


async def _close(
    parts: Parts,
    item: OutboxItem,
    recipient: Recipient | None,
    closing: Closing,
    result: SendResult,
    *,
    alert: bool = False,
    began: datetime | None = None,
) -> Delivery:
    """The receipt: state, message in the conversation and audit, together.

    The message stands at the time when sending began: what the fan wrote while the platform was
    called comes after it, and still waits.
    """
    now = parts.now()
    sent_at = began or now
    async with parts.transaction() as connection:
        closed = await outbox.close(
            connection,
            item,
            closing.status,
            now=now,
            external_id=result.message_id or None,
            error=closing.error,
            not_before=closing.retry_at,
        )
        if await closed.answer():
            if closing.status is DeliveryStatus.SENT:
                external_id = result.message_id or str(item.id)
                await join_conversation(connection, item, external_id, sent_at, now)
            if closing.status is DeliveryStatus.FAILED:
                await take_back_before(connection, item)
            if closing.retry_at is None:
                await audit.record(connection, _audit_entry(item, closing, now))
                name = recipient.channel if recipient else ""
                await announce(
                    parts,
                    connection,
                    message_sent(item, name, result.message_id or None, now)
                    if closing.status is DeliveryStatus.SENT
                    else message_failed(item, name, closing.status, closing.error, now),
                )
            if closing.status is DeliveryStatus.UNCERTAIN:
                await raise_alert(
                    parts,
                    connection,
                    AlertKind.MESSAGE_UNCERTAIN,
                    Severity.WARNING,
                    "It is not known whether a message reached the fan, so it is not sent again. "
                    "Look on the platform, then say what happened.",
                    {"outbox": str(item.id)},
                    now,
                    subject=creator_subject(item.creator_id),
                )
            if alert:
                await raise_alert(
                    parts,
                    connection,
                    AlertKind.MESSAGE_DIFFERS,
                    Severity.CRITICAL,
                    "A message differed from what was decided and was not sent. Somebody or "
                    "something changes the outbox: look at the audit log.",
                    {"outbox": str(item.id)},
                    now,
                    subject=creator_subject(item.creator_id),
                )
    return Delivery(
        item=replace(item, status=closing.status),
        channel=recipient.channel if recipient else "",
        status=closing.status,
        retry_at=closing.retry_at,
    )


def _audit_entry(item: OutboxItem, closing: Closing, now: datetime) -> AuditEntry:
    sent = closing.status is DeliveryStatus.SENT
    return AuditEntry(
        creator_id=item.creator_id,
        actor_id=item.author_user_id,
        action=AuditAction.SENT if sent else AuditAction.NOT_SENT,
        subject_type="outbox",
        subject_id=str(item.id),
        at=now,
        details={
            "generation": None if item.generation_id is None else str(item.generation_id),
            "status": closing.status.value,
            "attempts": item.attempts,
            "error": closing.error,
        },
    )
