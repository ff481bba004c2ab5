"""A person settles a message whose fate is not known, or that could not be sent."""

from collections.abc import Callable
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from vaultcrm.controls.auth import require_creator
from vaultcrm.db.pending import Connection
from vaultcrm.db.queries import audit, outbox, threads
from vaultcrm.domain.alerts import AlertKind, creator_subject
from vaultcrm.domain.audit import AuditAction, AuditEntry
from vaultcrm.domain.errors import Conflict, InvalidInput, NotFound
from vaultcrm.domain.generation import DeliveryStatus
from vaultcrm.domain.outbox import OutboxItem
from vaultcrm.domain.people import Caller
from vaultcrm.workflows.alerting import clear_alert
from vaultcrm.workflows.join_conversation import join_conversation
from vaultcrm.workflows.leaving import defer_delivery
from vaultcrm.workflows.parts import Parts, Receipt
from vaultcrm.workflows.spending_care import begin_offer

CLOCKS_APART = timedelta(minutes=5)
"""How much a platform's clock may be behind ours."""


class Resolution(StrEnum):
    """`SENT` and `NOT_SENT` say what happened to an uncertain message; `SEND_AGAIN` sends it,
    whatever the fan has written since.
    """

    SENT = "sent"
    NOT_SENT = "not_sent"
    SEND_AGAIN = "send_again"


_TO = {
    Resolution.SENT: DeliveryStatus.SENT,
    Resolution.NOT_SENT: DeliveryStatus.FAILED,
    Resolution.SEND_AGAIN: DeliveryStatus.PENDING,
}
_FROM = {
    Resolution.SENT: (DeliveryStatus.UNCERTAIN,),
    Resolution.NOT_SENT: (DeliveryStatus.UNCERTAIN,),
    Resolution.SEND_AGAIN: (DeliveryStatus.UNCERTAIN, DeliveryStatus.FAILED),
}


async def resolve_delivery(
    parts: Parts,
    caller: Caller,
    creator_id: UUID,
    item_id: UUID,
    resolution: Resolution,
    *,
    receipt: Receipt | None = None,
    encode: Callable[[OutboxItem], str] | None = None,
) -> OutboxItem:
    """Settle it once: raises NotFound, or Conflict when it is in no state for that (any more)."""
    require_creator(caller, creator_id)
    now = parts.now()
    async with parts.transaction() as connection:
        item = await (await outbox.get(connection, creator_id, item_id)).answer()
        if item is None:
            raise NotFound("message")
        recipient = await (
            await outbox.recipient_of(connection, creator_id, item.conversation_id)
        ).answer()
        if resolution is Resolution.SEND_AGAIN and item.price is not None and recipient:
            await _require_free(parts, connection, item, recipient.fan_id, now)
        settled = await outbox.resolve(
            connection,
            creator_id,
            item_id,
            from_statuses=_FROM[resolution],
            status=_TO[resolution],
            seen_message_id=recipient.newest_fan_message_id if recipient else None,
            error="a person says that it was not sent"
            if resolution is Resolution.NOT_SENT
            else None,
            now=now,
        )
        if settled is None:
            raise Conflict(
                f"This message is {item.status.value}; there is nothing to settle.",
                status=item.status.value,
            )
        if resolution is Resolution.SENT:
            await _keep_as_sent(parts, connection, settled, item.not_before - CLOCKS_APART)
        if resolution is Resolution.SEND_AGAIN:
            await _send_disclosure_again(connection, settled, now)
            await defer_delivery(parts, connection, settled)
        await audit.record(
            connection,
            AuditEntry(
                creator_id=creator_id,
                actor_id=caller.user_id,
                action=AuditAction.RESOLVED,
                subject_type="outbox",
                subject_id=str(item_id),
                at=now,
                details={"resolution": resolution.value, "was": item.status.value},
            ),
        )
        if not await outbox.any_uncertain(connection, creator_id):
            await clear_alert(
                parts,
                connection,
                AlertKind.MESSAGE_UNCERTAIN,
                now,
                subject=creator_subject(creator_id),
            )
        if receipt is not None and encode is not None:
            await receipt.store(connection, encode(settled))
    return settled


async def _require_free(
    parts: Parts, connection: Connection, item: OutboxItem, fan_id: UUID, now: datetime
) -> None:
    """Raise Conflict where the caps of a fan let no offer go out. One that may have arrived counts
    already, so it takes nobody's place.
    """
    if item.status is DeliveryStatus.UNCERTAIN:
        return
    offer = await begin_offer(parts, connection, item.creator_id, fan_id, now)
    try:
        await offer.require_free("resolution")
    except InvalidInput as held:
        raise Conflict(f"It cannot be sent again now: {held.problems[0].reason}.") from None


async def _send_disclosure_again(connection: Connection, item: OutboxItem, now: datetime) -> None:
    """What could not be sent before a message is tried again with it. What is uncertain stays so:
    somebody has to look first.
    """
    if item.after_id is not None:
        await outbox.resolve(
            connection,
            item.creator_id,
            item.after_id,
            from_statuses=(DeliveryStatus.FAILED,),
            status=DeliveryStatus.PENDING,
            seen_message_id=item.seen_message_id,
            error=None,
            now=now,
        )


async def _keep_as_sent(
    parts: Parts, connection: Connection, item: OutboxItem, since: datetime
) -> None:
    """The message belongs to the conversation, as if its receipt had come.

    Where the platform has told of it since it may have left, it is there already and becomes ours.
    """
    now = parts.now()
    told = await threads.find_told(
        connection, item.creator_id, item.conversation_id, item.text, since
    )
    external_id = item.external_id or told or str(item.id)
    await join_conversation(connection, item, external_id, now, now)
