"""Tell other systems of what happened: at least once, under an id that stays the same.

A delivery is taken for a while, the endpoint is called, and what came of it is written down; no
connection is held during the call. If this process dies in between, the delivery is due again when
that while is over, and the endpoint hears of the event again under the same id.
"""

import asyncio
import json
from datetime import datetime, timedelta
from uuid import UUID

from vaultcrm.db.queries import audit, events
from vaultcrm.db.queries.events import TakenDelivery
from vaultcrm.domain.audit import AuditAction, AuditEntry
from vaultcrm.domain.events import EventAnswer, EventCall, EventDeliveryStatus
from vaultcrm.pipeline.delivery.events import EventClosing, event_closing_of
from vaultcrm.workflows.parts import Parts

HELD = timedelta(seconds=60)
"""How long a delivery is its taker's: several times as long as a call may take."""

OVERDUE = timedelta(seconds=60)
"""What is late by more than this has lost its job, or its job waits behind many others."""

OVERDUE_AT_ONCE = 100
CALLS_AT_ONCE = 4


async def deliver_events(parts: Parts, creator_id: UUID, event_id: UUID) -> datetime | None:
    """Make one attempt at each delivery of an event that is due.

    Answers when the event must be looked at again, or None when all its deliveries are over.
    """
    now = parts.now()
    async with parts.pool.connection() as connection:
        taken = await events.take(connection, creator_id, event_id, now=now, held_until=now + HELD)
    await asyncio.gather(*(_deliver(parts, delivery) for delivery in taken))
    async with parts.pool.connection() as connection:
        return await events.next_attempt(connection, creator_id, event_id)


async def deliver_overdue(parts: Parts) -> int:
    """Make an attempt at what is long due, whatever has become of its job; how many events."""
    async with parts.pool.connection() as connection:
        late = await events.due(connection, parts.now() - OVERDUE, OVERDUE_AT_ONCE)
    turns = asyncio.Semaphore(CALLS_AT_ONCE)

    async def in_turn(creator_id: UUID, event_id: UUID) -> None:
        async with turns:
            await deliver_events(parts, creator_id, event_id)

    await asyncio.gather(*(in_turn(creator_id, event_id) for creator_id, event_id in late))
    return len(late)


async def _deliver(parts: Parts, delivery: TakenDelivery) -> None:
    if delivery.disabled_reason is not None:
        closing = EventClosing(
            EventDeliveryStatus.DEAD, f"The endpoint is disabled: {delivery.disabled_reason}"
        )
    else:
        closing = event_closing_of(await _call(parts, delivery), delivery.attempt, parts.now())
    now = parts.now()
    async with parts.transaction() as connection:
        closed = await events.close(
            connection,
            delivery,
            closing.status,
            now=now,
            error=closing.error,
            next_attempt_at=closing.retry_at,
        )
        if closed and closing.disables is not None:
            disabled = await events.disable_endpoint(
                connection,
                delivery.endpoint_creator_id,
                delivery.endpoint_id,
                closing.disables,
                now,
            )
            if await disabled.answer():
                await audit.record(connection, _disabled(delivery, closing.disables, now))


async def _call(parts: Parts, delivery: TakenDelivery) -> EventAnswer:
    return await parts.event_sender.post(
        EventCall(
            id=delivery.id,
            url=delivery.url,
            secret=delivery.secret,
            body=json.dumps(delivery.payload, ensure_ascii=False, separators=(",", ":")),
        )
    )


def _disabled(delivery: TakenDelivery, reason: str, now: datetime) -> AuditEntry:
    return AuditEntry(
        creator_id=delivery.endpoint_creator_id,
        actor_id=None,
        action=AuditAction.EVENT_ENDPOINT_DISABLED,
        subject_type="event_endpoint",
        subject_id=str(delivery.endpoint_id),
        at=now,
        details={"reason": reason, "delivery": str(delivery.id)},
    )
