"""Let other systems of the agency hear of what happens, in the transaction in which it happens."""

from uuid import UUID

from vaultcrm.db.jobs import DELIVER_EVENTS, EVENTS_QUEUE
from vaultcrm.db.pending import Connection
from vaultcrm.db.queries import events
from vaultcrm.domain.events import OutboundEvent
from vaultcrm.workflows.parts import Parts


async def announce(parts: Parts, connection: Connection, event: OutboundEvent) -> None:
    """Write the event for each endpoint that wants it, with the job that delivers it.

    No commit, no event. Costs one statement where nobody listens. Raises `psycopg.Error`.
    """
    written = await events.emit(connection, event)
    if await written.answer():
        await defer_delivery(parts, connection, event.creator_id, event.id)


async def defer_delivery(
    parts: Parts, connection: Connection, creator_id: UUID, event_id: UUID
) -> None:
    """Defer the job that delivers an event whose deliveries are written."""
    await parts.jobs.defer(
        connection,
        DELIVER_EVENTS,
        queue=EVENTS_QUEUE,
        creator_id=str(creator_id),
        event_id=str(event_id),
    )
