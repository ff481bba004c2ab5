"""What goes in and out of the API about events that other systems are told of."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field, StringConstraints

from vaultcrm.db.pending import Record
from vaultcrm.domain.events import EventDeliveryStatus, OutboundEventKind
from vaultcrm.domain.ids import NIL
from vaultcrm.entrypoints.api.fields import Line, Schema

LONGEST_URL = 2000

Url = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_URL)]


class EventEndpointIn(Schema):
    """`creatorId` null means all creators, and alerts of the installation.

    `includeText` adds what people and models wrote to the events.
    """

    creator_id: UUID | None = None
    url: Url
    kinds: Annotated[list[OutboundEventKind], Field(min_length=1, max_length=20)]
    include_text: bool = False


class EventEndpointOut(Schema):
    """An endpoint. `creatorId` is null for one that hears of all creators."""

    id: UUID
    creator_id: UUID | None
    url: str
    kinds: list[OutboundEventKind]
    include_text: bool
    created_at: datetime
    disabled_at: datetime | None
    disabled_reason: str | None


class NewEventEndpointOut(EventEndpointOut):
    """An endpoint as it is answered to whoever adds it: `secret` is not shown again."""

    secret: str


class DisableIn(Schema):
    reason: Line


class EventDeliveryOut(Schema):
    """One event for one endpoint. `id` is the `webhook-id`; `payload` is the body.

    `nextAttemptAt` says when a pending delivery is tried next.
    """

    id: UUID
    creator_id: UUID | None
    event_id: UUID
    endpoint_id: UUID
    kind: OutboundEventKind
    payload: dict[str, Any]
    status: EventDeliveryStatus
    attempts: int
    next_attempt_at: datetime
    last_error: str | None
    created_at: datetime
    delivered_at: datetime | None


def shown(row: Record) -> Record:
    """A row of ours as callers see it: null where the nil id stands for all creators."""
    return {**row, "creator_id": None if row["creator_id"] == NIL else row["creator_id"]}
