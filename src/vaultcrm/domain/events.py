"""What other systems of the agency are told about: kinds, bodies, and the port `EventSender`.

A body is `{"id", "type", "timestamp", "data"}`. Its data holds ids, statuses, prices and reasons.
What people or models wrote is kept apart in `texts`, for endpoints that ask for it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from ipaddress import ip_address
from typing import Any, Protocol
from urllib.parse import urlsplit
from uuid import UUID

from vaultcrm.domain.alerts import AlertKind, Severity, creator_of
from vaultcrm.domain.approval import DecisionAction
from vaultcrm.domain.audit_seals import SealHead
from vaultcrm.domain.errors import FieldProblem, InvalidInput
from vaultcrm.domain.generation import DeliveryStatus, GenerationRecord
from vaultcrm.domain.ids import NIL, new_id
from vaultcrm.domain.money import Money
from vaultcrm.domain.outbox import OutboxItem

MOST_ENDPOINTS = 2**16 - 1
"""Endpoints that an installation can have in its lifetime, disabled ones included."""

_ROOM = 2**16


class OutboundEventKind(StrEnum):
    """`ping` is only ever sent when somebody asks for a test; endpoints do not choose it."""

    GENERATION_QUEUED = "generation.queued"
    GENERATION_DECIDED = "generation.decided"
    MESSAGE_SENT = "message.sent"
    MESSAGE_FAILED = "message.failed"
    ALERT_RAISED = "alert.raised"
    AUDIT_SEALED = "audit.sealed"
    PING = "ping"


class EventDeliveryStatus(StrEnum):
    """`DEAD`: given up, until somebody asks for another attempt."""

    PENDING = "pending"
    DELIVERED = "delivered"
    DEAD = "dead"


def new_event_id() -> UUID:
    """A UUIDv7 whose last 16 bits are 0.

    They are room for the number of an endpoint: an event's id with the number of an endpoint in it
    is the id of the delivery to that endpoint. It is still a UUIDv7, as time, version and variant
    stay as they are, and it can be written by the statement that finds the endpoints.
    """
    return UUID(int=new_id().int // _ROOM * _ROOM)


@dataclass(frozen=True, slots=True)
class OutboundEvent:
    """One thing that happened here. The nil creator means the whole installation."""

    kind: OutboundEventKind
    creator_id: UUID
    at: datetime
    data: Mapping[str, Any]
    texts: Mapping[str, Any] = field(default_factory=dict)
    id: UUID = field(default_factory=new_event_id)

    def body(self) -> dict[str, Any]:
        """What an endpoint gets, as JSON values; `texts` join the data where they are asked for."""
        return {
            "id": str(self.id),
            "type": self.kind.value,
            "timestamp": _time(self.at),
            "data": {
                "creatorId": None if self.creator_id == NIL else str(self.creator_id),
                **self.data,
            },
        }


def generation_queued(record: GenerationRecord) -> OutboundEvent:
    """A draft waits for a person. Texts: the draft."""
    return OutboundEvent(
        OutboundEventKind.GENERATION_QUEUED,
        record.creator_id,
        record.created_at,
        {
            **_generation(record),
            "generationType": record.generation_type.value,
            "confidence": record.confidence,
            "suggestedPrice": _price(record.suggested_price),
            "approvalReasons": [reason.value for reason in record.approval_reasons],
            "priority": record.priority,
            "model": record.model,
        },
        {"message": record.message},
    )


def generation_decided(
    record: GenerationRecord, action: DecisionAction, decided_by: UUID, at: datetime
) -> OutboundEvent:
    """A person has decided on a draft. Texts: the draft, and the text that leaves."""
    return OutboundEvent(
        OutboundEventKind.GENERATION_DECIDED,
        record.creator_id,
        at,
        {
            **_generation(record),
            "action": action.value,
            "status": record.status.value,
            "decidedBy": str(decided_by),
            "suggestedPrice": _price(record.suggested_price),
            "finalPrice": _price(record.final_price),
        },
        {"message": record.message, "finalMessage": record.final_message},
    )


def message_sent(
    item: OutboxItem, channel: str, external_id: str | None, at: datetime
) -> OutboundEvent:
    """A platform has taken a message; `external_id` is its own id. Texts: the message."""
    return OutboundEvent(
        OutboundEventKind.MESSAGE_SENT,
        item.creator_id,
        at,
        {**_message(item, channel), "externalId": external_id},
        {"message": item.text},
    )


def message_failed(
    item: OutboxItem, channel: str, status: DeliveryStatus, error: str | None, at: datetime
) -> OutboundEvent:
    """A message will not leave (`failed`), or may have left (`uncertain`). Texts: the message."""
    return OutboundEvent(
        OutboundEventKind.MESSAGE_FAILED,
        item.creator_id,
        at,
        {**_message(item, channel), "status": status.value, "error": error},
        {"message": item.text},
    )


def alert_raised(
    alert_id: UUID, kind: AlertKind, severity: Severity, subject: str, message: str, at: datetime
) -> OutboundEvent:
    """A condition has come up that somebody must know of.

    It goes to the endpoints of the creator whom the subject names, and to those of all creators.
    """
    return OutboundEvent(
        OutboundEventKind.ALERT_RAISED,
        creator_of(subject) or NIL,
        at,
        {
            "alertId": str(alert_id),
            "alert": kind.value,
            "severity": severity.value,
            "subject": subject,
            "message": message,
        },
    )


def audit_sealed(head: SealHead) -> OutboundEvent:
    """Rows of the audit log were sealed. Whoever keeps the hash can prove the log up to here."""
    return OutboundEvent(
        OutboundEventKind.AUDIT_SEALED,
        head.creator_id,
        head.sealed_at,
        {"number": head.number, "rows": head.row_count, "hash": head.hash.hex()},
    )


def ping(creator_id: UUID, at: datetime) -> OutboundEvent:
    """Nothing has happened: somebody tries an endpoint."""
    return OutboundEvent(OutboundEventKind.PING, creator_id, at, {})


def _generation(record: GenerationRecord) -> dict[str, Any]:
    return {
        "generationId": str(record.id),
        "conversationId": str(record.conversation_id),
        "fanId": str(record.fan_id),
    }


def _message(item: OutboxItem, channel: str) -> dict[str, Any]:
    return {
        "messageId": str(item.id),
        "conversationId": str(item.conversation_id),
        "generationId": None if item.generation_id is None else str(item.generation_id),
        "channel": channel,
        "author": item.author.value,
        "price": _price(item.price),
        "attempts": item.attempts,
    }


def _price(price: Money | None) -> dict[str, Any] | None:
    return None if price is None else {"amountMinor": price.minor, "currency": price.currency}


def _time(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def check_url(url: str) -> None:
    """Raise InvalidInput unless events may be posted to an address.

    That is https, or http to this very machine, so that no event crosses a network in the clear.
    User and password have no place in it: addresses are shown, and the signature says who we are.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise InvalidInput(FieldProblem("url", "is not an address")) from None
    if parts.scheme not in {"http", "https"} or not host:
        raise InvalidInput(FieldProblem("url", "must be an address that begins with https://"))
    if not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        raise InvalidInput(FieldProblem("url", "must be written in ASCII, without spaces"))
    if parts.username is not None or parts.password is not None:
        raise InvalidInput(FieldProblem("url", "must not hold a user or a password"))
    if "#" in url:
        raise InvalidInput(FieldProblem("url", "must not have a part after #"))
    if parts.scheme == "http" and not _is_this_machine(host):
        raise InvalidInput(FieldProblem("url", "must begin with https:// unless it is 127.0.0.1"))


def _is_this_machine(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


@dataclass(frozen=True, slots=True)
class EventCall:
    """One call of an endpoint. `id` is the delivery's, the same at every attempt."""

    id: UUID
    url: str
    secret: str
    body: str


@dataclass(frozen=True, slots=True)
class EventAnswer:
    """What came back: an HTTP status, or None and why there is none."""

    status: int | None
    error: str = ""


class EventSender(Protocol):
    """Posts signed events. `post` never raises for what the other side does or does not do."""

    async def post(self, call: EventCall) -> EventAnswer:
        """Call an endpoint once."""

    async def aclose(self) -> None:
        """Give connections back."""
