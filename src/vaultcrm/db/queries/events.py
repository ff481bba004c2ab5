"""What other systems are told: written with what happened, taken for a call, closed after it.

An event is not a row of its own. Its deliveries are, one for each endpoint that wants it, written
by the one statement that finds the endpoints, in the transaction of what happened. Their ids come
from the application all the same: `vaultcrm.domain.events.new_event_id` says how.
"""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from vaultcrm.db.pending import Connection, Pending, Record, Rows, records, run, send
from vaultcrm.domain.events import (
    EventDeliveryStatus,
    OutboundEvent,
    OutboundEventKind,
)
from vaultcrm.domain.ids import NIL

_DELIVERY_ID = """
    overlay(%(event_id)s::uuid::text PLACING lpad(to_hex(e.number), 4, '0') FROM 33)::uuid
"""

_WRITE = f"""
    INSERT INTO event_deliveries
        (creator_id, id, event_id, endpoint_id, kind, payload, status, attempts, next_attempt_at,
         created_at)
    SELECT %(creator_id)s::uuid, {_DELIVERY_ID}, %(event_id)s::uuid, e.id, %(kind)s::text,
           CASE WHEN e.include_text
                THEN jsonb_set(%(payload)s::jsonb, '{{data}}',
                               %(payload)s::jsonb -> 'data' || %(texts)s::jsonb)
                ELSE %(payload)s::jsonb END,
           'pending', 0, %(now)s::timestamptz, %(now)s::timestamptz
    FROM event_endpoints e
    WHERE e.disabled_at IS NULL
"""

EMIT = f"""
    {_WRITE} AND e.creator_id IN (%(creator_id)s::uuid, %(nil)s::uuid)
             AND %(kind)s::text = ANY(e.kinds)
    RETURNING id
"""

EMIT_TO_ONE = f"{_WRITE} AND e.id = %(endpoint_id)s RETURNING id"

# `next_attempt_at` holds the row while the endpoint is called; if nobody comes back to close it,
# it is due again then. Which attempt it is tells a late closer from the one that counts.
TAKE = """
    UPDATE event_deliveries d SET attempts = d.attempts + 1, next_attempt_at = %(held_until)s
    FROM event_endpoints e
    WHERE d.creator_id = %(creator_id)s AND d.event_id = %(event_id)s AND d.status = 'pending'
      AND d.next_attempt_at <= %(now)s AND e.id = d.endpoint_id
    RETURNING d.id, d.endpoint_id, d.payload, d.attempts, e.creator_id, e.url, e.secret,
              e.disabled_reason
"""

CLOSE = """
    UPDATE event_deliveries
    SET status = %(status)s, last_error = %(error)s, delivered_at = %(delivered_at)s,
        next_attempt_at = COALESCE(%(next_attempt_at)s, next_attempt_at)
    WHERE creator_id = %(creator_id)s AND id = %(id)s AND status = 'pending'
      AND attempts = %(attempt)s
    RETURNING id
"""

NEXT_ATTEMPT = """
    SELECT min(next_attempt_at) FROM event_deliveries
    WHERE creator_id = %(creator_id)s AND event_id = %(event_id)s AND status = 'pending'
"""

# Across all creators, and so for the sweep alone.
DUE = """
    SELECT creator_id, event_id FROM event_deliveries
    WHERE status = 'pending' AND next_attempt_at <= %(now)s
    GROUP BY creator_id, event_id
    ORDER BY min(next_attempt_at)
    LIMIT %(limit)s
"""

REVIVE = """
    UPDATE event_deliveries
    SET status = 'pending', attempts = 0, next_attempt_at = %(now)s
    WHERE creator_id = %(creator_id)s AND id = %(id)s AND status = 'dead'
    RETURNING id
"""

_DELIVERY = """
    d.id, d.creator_id, d.event_id, d.endpoint_id, d.kind, d.payload, d.status, d.attempts,
    d.next_attempt_at, d.last_error, d.created_at, d.delivered_at
"""
_DELIVERY_NAMES = (
    "id", "creator_id", "event_id", "endpoint_id", "kind", "payload", "status", "attempts",
    "next_attempt_at", "last_error", "created_at", "delivered_at",
)  # fmt: skip

DELIVERIES = f"""
    SELECT {_DELIVERY} FROM event_deliveries d
    WHERE d.creator_id = ANY(%(creator_ids)s)
      AND (%(status)s::text IS NULL OR d.status = %(status)s)
      AND (%(before)s::uuid IS NULL OR d.id < %(before)s)
    ORDER BY d.id DESC
    LIMIT %(limit)s
"""
DEAD_DELIVERIES = DELIVERIES.replace(
    "(%(status)s::text IS NULL OR d.status = %(status)s)", "d.status = 'dead'"
)

GET_DELIVERY = f"""
    SELECT {_DELIVERY} FROM event_deliveries d
    WHERE d.creator_id = ANY(%(creator_ids)s) AND d.id = %(id)s
"""

_ENDPOINT = """
    e.id, e.creator_id, e.url, e.kinds, e.include_text, e.created_at, e.disabled_at,
    e.disabled_reason
"""
_ENDPOINT_NAMES = (
    "id", "creator_id", "url", "kinds", "include_text", "created_at", "disabled_at",
    "disabled_reason",
)  # fmt: skip

ENDPOINTS = f"""
    SELECT {_ENDPOINT} FROM event_endpoints e
    WHERE e.creator_id = ANY(%(creator_ids)s) AND (%(after)s::uuid IS NULL OR e.id > %(after)s)
    ORDER BY e.id
    LIMIT %(limit)s
"""

GET_ENDPOINT = f"""
    SELECT {_ENDPOINT} FROM event_endpoints e
    WHERE e.creator_id = ANY(%(creator_ids)s) AND e.id = %(id)s
"""

# One after the other, so that of two endpoints that are added at once each gets its own number.
ONE_AT_A_TIME = "SELECT pg_advisory_xact_lock(hashtextextended('event_endpoints', 0))"

ADD_ENDPOINT = f"""
    INSERT INTO event_endpoints AS e
        (creator_id, id, number, url, secret, kinds, include_text, created_at, created_by)
    VALUES (%(creator_id)s, %(id)s, %(number)s, %(url)s, %(secret)s, %(kinds)s, %(include_text)s,
            %(now)s, %(user_id)s)
    RETURNING {_ENDPOINT}
"""

DISABLE_ENDPOINT = f"""
    UPDATE event_endpoints e SET disabled_at = %(now)s, disabled_reason = %(reason)s
    WHERE e.creator_id = %(creator_id)s AND e.id = %(id)s AND e.disabled_at IS NULL
    RETURNING {_ENDPOINT}
"""


@dataclass(frozen=True, slots=True)
class TakenDelivery:
    """A delivery that is this caller's to make. `attempt` counts from 1.

    `endpoint_creator_id` is the nil id for an endpoint of all creators; `disabled_reason` is set
    when the endpoint must not be called any more.
    """

    creator_id: UUID
    id: UUID
    endpoint_id: UUID
    endpoint_creator_id: UUID
    url: str
    secret: str
    payload: dict[str, Any]
    attempt: int
    disabled_reason: str | None


def _params(event: OutboundEvent) -> dict[str, Any]:
    return {
        "creator_id": event.creator_id,
        "nil": NIL,
        "event_id": event.id,
        "kind": event.kind.value,
        "payload": json.dumps(event.body()),
        "texts": json.dumps(event.texts),
        "now": event.at,
    }


async def emit(connection: Connection, event: OutboundEvent) -> Pending[bool]:
    """Write an event's deliveries, in the transaction of what happened: one statement.

    The answer is True when anybody is to be told. Once per event: its id is theirs.
    """
    return await send(connection, EMIT, _params(event), bool)


async def emit_to(
    connection: Connection, event: OutboundEvent, endpoint_id: UUID
) -> Pending[UUID | None]:
    """Write the delivery of an event to one endpoint, whatever it wants to hear of.

    The answer is the delivery's id, or None when the endpoint is disabled.
    """

    def read(rows: Rows) -> UUID | None:
        return rows[0][0] if rows else None

    params = {**_params(event), "endpoint_id": endpoint_id}
    return await send(connection, EMIT_TO_ONE, params, read)


async def take(
    connection: Connection, creator_id: UUID, event_id: UUID, *, now: datetime, held_until: datetime
) -> list[TakenDelivery]:
    """Take an event's deliveries that are due; each is its taker's until `held_until`."""

    def read(rows: Rows) -> list[TakenDelivery]:
        return [
            TakenDelivery(
                creator_id=creator_id,
                id=row[0],
                endpoint_id=row[1],
                payload=row[2],
                attempt=row[3],
                endpoint_creator_id=row[4],
                url=row[5],
                secret=row[6],
                disabled_reason=row[7],
            )
            for row in rows
        ]

    params = {
        "creator_id": creator_id, "event_id": event_id, "now": now, "held_until": held_until,
    }  # fmt: skip
    return await (await send(connection, TAKE, params, read)).answer()


async def close(
    connection: Connection,
    delivery: TakenDelivery,
    status: EventDeliveryStatus,
    *,
    now: datetime,
    error: str | None = None,
    next_attempt_at: datetime | None = None,
) -> bool:
    """Write down how an attempt ended; False when a later attempt has the delivery by now."""
    params = {
        "creator_id": delivery.creator_id,
        "id": delivery.id,
        "attempt": delivery.attempt,
        "status": status.value,
        "error": error,
        "delivered_at": now if status is EventDeliveryStatus.DELIVERED else None,
        "next_attempt_at": next_attempt_at,
    }
    return await (await send(connection, CLOSE, params, bool)).answer()


async def next_attempt(connection: Connection, creator_id: UUID, event_id: UUID) -> datetime | None:
    """When an event must be looked at again; None when all its deliveries are over."""

    def read(rows: Rows) -> datetime | None:
        return rows[0][0] if rows else None

    params = {"creator_id": creator_id, "event_id": event_id}
    return await (await send(connection, NEXT_ATTEMPT, params, read)).answer()


async def due(connection: Connection, now: datetime, limit: int) -> list[tuple[UUID, UUID]]:
    """Events with a delivery whose time came at `now` or before, the longest overdue first.

    Pairs of creator and event.
    """

    def read(rows: Rows) -> list[tuple[UUID, UUID]]:
        return [(row[0], row[1]) for row in rows]

    return await (await send(connection, DUE, {"now": now, "limit": limit}, read)).answer()


async def revive(
    connection: Connection, creator_id: UUID, delivery_id: UUID, now: datetime
) -> bool:
    """Let a dead delivery begin anew; False when it is not dead."""
    params = {"creator_id": creator_id, "id": delivery_id, "now": now}
    return await (await send(connection, REVIVE, params, bool)).answer()


async def list_deliveries(
    connection: Connection,
    creator_ids: list[UUID],
    *,
    status: EventDeliveryStatus | None,
    before: UUID | None,
    limit: int,
) -> Pending[list[Record]]:
    """Deliveries of some creators (the nil id for the installation), the newest first."""
    # The index of dead deliveries serves only a statement that says so itself.
    statement = DEAD_DELIVERIES if status is EventDeliveryStatus.DEAD else DELIVERIES
    params = {
        "creator_ids": creator_ids,
        "status": None if status is None else status.value,
        "before": before,
        "limit": limit,
    }
    return await send(connection, statement, params, records(*_DELIVERY_NAMES))


async def get_delivery(
    connection: Connection, creator_ids: list[UUID], delivery_id: UUID
) -> Pending[list[Record]]:
    params = {"creator_ids": creator_ids, "id": delivery_id}
    return await send(connection, GET_DELIVERY, params, records(*_DELIVERY_NAMES))


async def list_endpoints(
    connection: Connection, creator_ids: list[UUID], *, after: UUID | None, limit: int
) -> Pending[list[Record]]:
    """Endpoints of some creators (the nil id for those of all creators), without secrets."""
    params = {"creator_ids": creator_ids, "after": after, "limit": limit}
    return await send(connection, ENDPOINTS, params, records(*_ENDPOINT_NAMES))


async def get_endpoint(
    connection: Connection, creator_ids: list[UUID], endpoint_id: UUID
) -> Pending[list[Record]]:
    params = {"creator_ids": creator_ids, "id": endpoint_id}
    return await send(connection, GET_ENDPOINT, params, records(*_ENDPOINT_NAMES))


async def next_number(connection: Connection) -> int:
    """The number of the next endpoint, this transaction's alone until it ends."""

    def read(rows: Rows) -> int:
        return int(rows[0][0])

    await run(connection, ONE_AT_A_TIME, {})
    statement = "SELECT COALESCE(max(number), 0) + 1 FROM event_endpoints"
    return await (await send(connection, statement, {}, read)).answer()


async def add_endpoint(
    connection: Connection,
    *,
    creator_id: UUID,
    endpoint_id: UUID,
    number: int,
    url: str,
    secret: str,
    kinds: tuple[OutboundEventKind, ...],
    include_text: bool,
    user_id: UUID,
    now: datetime,
) -> Record:
    params = {
        "creator_id": creator_id,
        "id": endpoint_id,
        "number": number,
        "url": url,
        "secret": secret,
        "kinds": [kind.value for kind in kinds],
        "include_text": include_text,
        "user_id": user_id,
        "now": now,
    }
    sent = await send(connection, ADD_ENDPOINT, params, records(*_ENDPOINT_NAMES))
    return (await sent.answer())[0]


async def disable_endpoint(
    connection: Connection, creator_id: UUID, endpoint_id: UUID, reason: str, now: datetime
) -> Pending[list[Record]]:
    """Disable an endpoint; no record comes back when it is disabled already."""
    params = {"creator_id": creator_id, "id": endpoint_id, "reason": reason, "now": now}
    return await send(connection, DISABLE_ENDPOINT, params, records(*_ENDPOINT_NAMES))
