"""Who hears of events: endpoints are added, tried and disabled, and the dead are sent again.

Only admins may. An endpoint of all creators is for an admin who may see all creators. Each function
runs in the caller's transaction and audits what it does there.
"""

import base64
import secrets
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from vaultcrm.controls.auth import require_creator, require_role
from vaultcrm.db.pending import Connection, Record
from vaultcrm.db.queries import audit, creators, events
from vaultcrm.domain.audit import AuditAction, AuditEntry
from vaultcrm.domain.errors import Conflict, FieldProblem, Forbidden, InvalidInput, NotFound
from vaultcrm.domain.events import (
    MOST_ENDPOINTS,
    OutboundEventKind,
    check_url,
    ping,
)
from vaultcrm.domain.ids import NIL, new_id
from vaultcrm.domain.people import Caller, Role
from vaultcrm.workflows.announce import defer_delivery
from vaultcrm.workflows.find_draft import visible_creators
from vaultcrm.workflows.parts import Parts

_SECRET_BYTES = 32


@dataclass(frozen=True, slots=True)
class EndpointRequest:
    """What an endpoint is to hear. `creator_id` None means all creators and the installation."""

    creator_id: UUID | None
    url: str
    kinds: tuple[OutboundEventKind, ...]
    include_text: bool


@dataclass(frozen=True, slots=True)
class Managing:
    """Who manages endpoints, when, with which parts and in which transaction."""

    parts: Parts
    connection: Connection
    caller: Caller
    now: datetime

    async def record(
        self, action: AuditAction, creator_id: UUID, subject: tuple[str, UUID], **details: object
    ) -> None:
        subject_type, subject_id = subject
        await audit.record(
            self.connection,
            AuditEntry(
                creator_id=creator_id,
                actor_id=self.caller.user_id,
                action=action,
                subject_type=subject_type,
                subject_id=str(subject_id),
                at=self.now,
                details=details,
            ),
        )


async def scopes(connection: Connection, caller: Caller) -> list[UUID]:
    """The creators whose endpoints an admin may manage, with the nil id for those of all.

    Raises Forbidden.
    """
    require_role(caller, Role.ADMIN)
    creator_ids = await visible_creators(connection, caller)
    return [*creator_ids, NIL] if caller.all_creators else creator_ids


async def add_endpoint(managing: Managing, request: EndpointRequest) -> tuple[Record, str]:
    """Add an endpoint and return it with its secret, which is not shown again.

    Raises Forbidden, NotFound, InvalidInput for an address or kinds that cannot be used, and
    Conflict when the installation has had all the endpoints that it can have.
    """
    require_role(managing.caller, Role.ADMIN)
    check_url(request.url)
    _check_kinds(request.kinds)
    await _check_scope(managing, request.creator_id)
    number = await events.next_number(managing.connection)
    if number > MOST_ENDPOINTS:
        raise Conflict(f"This installation has had {MOST_ENDPOINTS:,} endpoints, which is all.")
    secret = "whsec_" + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()
    endpoint = await events.add_endpoint(
        managing.connection,
        creator_id=request.creator_id or NIL,
        endpoint_id=new_id(),
        number=number,
        url=request.url,
        secret=secret,
        kinds=request.kinds,
        include_text=request.include_text,
        user_id=managing.caller.user_id,
        now=managing.now,
    )
    await managing.record(
        AuditAction.EVENT_ENDPOINT_ADDED,
        endpoint["creator_id"],
        ("event_endpoint", endpoint["id"]),
        url=request.url,
        kinds=[kind.value for kind in request.kinds],
        include_text=request.include_text,
    )
    return endpoint, secret


async def disable_endpoint(managing: Managing, endpoint_id: UUID, reason: str) -> Record:
    """Let an endpoint hear no more, and return it; one that is disabled already stays as it is.

    What still waits for it becomes dead. Raises Forbidden or NotFound.
    """
    endpoint = await _endpoint(managing, endpoint_id)
    sent = await events.disable_endpoint(
        managing.connection, endpoint["creator_id"], endpoint_id, reason, managing.now
    )
    changed = await sent.answer()
    if not changed:
        return await _endpoint(managing, endpoint_id)
    await managing.record(
        AuditAction.EVENT_ENDPOINT_DISABLED,
        endpoint["creator_id"],
        ("event_endpoint", endpoint_id),
        reason=reason,
    )
    return changed[0]


async def try_endpoint(managing: Managing, endpoint_id: UUID) -> Record:
    """Send a ping to an endpoint, as any event is sent, and return its delivery.

    Raises Forbidden, NotFound, or Conflict when the endpoint is disabled.
    """
    endpoint = await _endpoint(managing, endpoint_id)
    event = ping(endpoint["creator_id"], managing.now)
    delivery_id = await (await events.emit_to(managing.connection, event, endpoint_id)).answer()
    if delivery_id is None:
        raise _is_disabled(endpoint)
    await defer_delivery(managing.parts, managing.connection, event.creator_id, event.id)
    await managing.record(
        AuditAction.EVENT_ENDPOINT_TESTED,
        endpoint["creator_id"],
        ("event_endpoint", endpoint_id),
        delivery=str(delivery_id),
    )
    return await _delivery(managing, delivery_id)


async def retry_delivery(managing: Managing, delivery_id: UUID) -> Record:
    """Let a dead delivery begin anew, at once and with all its attempts, and return it.

    Raises Forbidden, NotFound, or Conflict when it is not dead or its endpoint is disabled.
    """
    delivery = await _delivery(managing, delivery_id)
    endpoint = await _endpoint(managing, delivery["endpoint_id"])
    if endpoint["disabled_at"] is not None:
        raise _is_disabled(endpoint)
    creator_id = delivery["creator_id"]
    if not await events.revive(managing.connection, creator_id, delivery_id, managing.now):
        raise Conflict(
            f"This delivery is {delivery['status']}; only a dead one can be sent again.",
            status=delivery["status"],
        )
    await defer_delivery(managing.parts, managing.connection, creator_id, delivery["event_id"])
    await managing.record(
        AuditAction.EVENT_RETRIED,
        creator_id,
        ("event_delivery", delivery_id),
        endpoint=str(endpoint["id"]),
    )
    return await _delivery(managing, delivery_id)


def _check_kinds(kinds: tuple[OutboundEventKind, ...]) -> None:
    if not kinds:
        raise InvalidInput(FieldProblem("kinds", "must name at least one kind of event"))
    if OutboundEventKind.PING in kinds:
        raise InvalidInput(FieldProblem("kinds", "ping is sent only by a test of the endpoint"))
    if len(set(kinds)) < len(kinds):
        raise InvalidInput(FieldProblem("kinds", "names a kind twice"))


async def _check_scope(managing: Managing, creator_id: UUID | None) -> None:
    if creator_id is None:
        if not managing.caller.all_creators:
            raise Forbidden(
                "An endpoint of all creators needs an admin who may see all creators. "
                "Name one of yours in creatorId."
            )
        return
    require_creator(managing.caller, creator_id)
    if await (await creators.get_creator(managing.connection, creator_id)).answer() is None:
        raise NotFound("creator")


async def _endpoint(managing: Managing, endpoint_id: UUID) -> Record:
    creator_ids = await scopes(managing.connection, managing.caller)
    sent = await events.get_endpoint(managing.connection, creator_ids, endpoint_id)
    found = await sent.answer()
    if not found:
        raise NotFound("endpoint")
    return found[0]


async def _delivery(managing: Managing, delivery_id: UUID) -> Record:
    creator_ids = await scopes(managing.connection, managing.caller)
    sent = await events.get_delivery(managing.connection, creator_ids, delivery_id)
    found = await sent.answer()
    if not found:
        raise NotFound("delivery")
    return found[0]


def _is_disabled(endpoint: Record) -> Conflict:
    return Conflict(
        f"This endpoint is disabled: {endpoint['disabled_reason']} Add a new one.",
        status="disabled",
        decided_at=endpoint["disabled_at"],
    )
