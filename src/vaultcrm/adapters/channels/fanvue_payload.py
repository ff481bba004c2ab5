"""The JSON that goes between us and Fanvue.

Two families of events come in, and both are read. The present one is an envelope:

    {"id": "evt_1", "type": "creator.message.received", "timestamp": "2026-11-01T10:00:00Z",
     "data": {"uuid": "<message>", "text": "Hello", "created_at": "…", "is_automated": false,
              "fan": {"uuid": "…", "handle": "tom88", "display_name": "Tom"},
              "creator": {"uuid": "…"}}}

| type                             | becomes                                                       |
|----------------------------------|---------------------------------------------------------------|
| `creator.message.received`       | MESSAGE; automated ones are left out                          |
| `creator.message.sent`           | CREATOR_MESSAGE; automated ones are left out                  |
| `creator.follow.created`         | FOLLOW                                                        |
| `creator.subscription.activated` | SUBSCRIPTION without an amount                                |
| `creator.payment.succeeded`      | by `source`: TIP, SUBSCRIPTION with its amount, else PURCHASE |

The earlier family is flat and names no type, so its form tells: `message`, a tip's `context`, a
purchase's `postUuid` or `routeUuid`, a subscription's `price`, a follower's `sender` alone:

    {"message": {"uuid": "…", "text": "Hello", "createdAt": "…"}, "messageUuid": "…",
     "sender": {"uuid": "…", "handle": "tom88", "displayName": "Tom"},
     "recipientUuid": "<creator>", "timestamp": "2025-11-06T10:32:52.000Z"}

An envelope's `id` stays the same over redeliveries. A flat event has none; its id is made from
what it says: the message's uuid, else a SHA-256 of kind, people, reference, amount and time.

Amounts are integers in minor units. NUL and lone surrogates in what a fan wrote become U+FFFD: a
fan's message is not refused for a character. Fields that are not known here are passed over, since
Fanvue adds some without notice.
"""

import hashlib
import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Annotated, Any, Final, TypeGuard, TypeVar
from uuid import UUID

from pydantic import (
    AfterValidator,
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
)
from pydantic_core import ErrorDetails

from vaultcrm.adapters.channels.webhook_payload import Reference, Time
from vaultcrm.domain.channels import EventKind, InboundEvent, OutboundMessage
from vaultcrm.domain.errors import FieldProblem, InvalidInput
from vaultcrm.domain.money import Money

LONGEST_TEXT: Final = 5_000
"""Fanvue's limit (maxLength of its OpenAPI document), in UTF-16 code units: most emoji are two."""
LONGEST_INBOUND_TEXT: Final = 10_000
LONGEST_NAME: Final = 100
GREATEST_AMOUNT: Final = 100_000_000
LEAST_PRICE: Final = Money(300, "USD")
GREATEST_PRICE: Final = Money(50_000, "USD")
LONGEST_TOKEN: Final = 8_192
LONGEST_REASON: Final = 200
LONGEST_MESSAGE_ID: Final = 200
UNSAID_LIFETIME: Final = timedelta(minutes=5)
"""How long an access token is used whose answer does not say when it expires."""
NO_TEXT: Final = "[A message without text: open the chat on Fanvue to see it.]"
"""Stands for a message of media only, and for an event that leaves the text out."""


@dataclass(frozen=True, slots=True)
class FanvueTokens:
    """One sign-in of a creator: `expires_at` is when `access` stops working (aware).

    `refresh` works once; the answer to it brings the next one.
    """

    access: str = field(repr=False)
    refresh: str = field(repr=False)
    expires_at: datetime


def fan_handle(fan_uuid: str) -> str:
    """Our handle for a fan. Fanvue handles can be changed, so it is the uuid, prefixed."""
    return f"fanvue:{fan_uuid}"


# --- reading events -------------------------------------------------------------------------------


def _uuid(value: str) -> str:
    try:
        return str(UUID(value))
    except ValueError:
        raise ValueError("is not a UUID") from None


def _storable(value: str) -> str:
    return "".join(
        "\ufffd" if character == "\0" or "\ud800" <= character <= "\udfff" else character
        for character in value
    )


def _text(value: str) -> str:
    if len(value) > LONGEST_INBOUND_TEXT:
        raise ValueError(
            f"has {len(value):,} characters; at most {LONGEST_INBOUND_TEXT:,} are taken"
        )
    return _storable(value)


def _name(value: str) -> str:
    kept = (c for c in _storable(value) if not (c < " " or "\x7f" <= c < "\xa0"))
    return "".join(kept).strip()[:LONGEST_NAME]


def _whole(value: object) -> object:
    """JSON written by JavaScript may hold 500.0 where an integer is meant."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


Uuid = Annotated[str, AfterValidator(_uuid)]
Text = Annotated[str, AfterValidator(_text)]
Name = Annotated[str, AfterValidator(_name)]
Amount = Annotated[int, BeforeValidator(_whole), Field(ge=0, le=GREATEST_AMOUNT)]
Currency = Annotated[str, AfterValidator(_storable), Field(pattern=r"^[A-Z]{3}$")]


class _Part(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)


class _Person(_Part):
    uuid: Uuid
    handle: Name | None = None
    display_name: Name | None = Field(
        default=None, validation_alias=AliasChoices("display_name", "displayName")
    )

    @property
    def name(self) -> str:
        return self.display_name or self.handle or fan_handle(self.uuid)


class _Creator(_Part):
    uuid: Uuid


class _MessageData(_Part):
    uuid: Reference
    fan: _Person
    creator: _Creator
    text: Text | None = None
    created_at: Time | None = None
    is_automated: bool | None = None


class _FollowData(_Part):
    follower: _Person
    creator: _Creator
    created_at: Time | None = None


class _SubscriptionData(_Part):
    purchaser: _Person = Field(validation_alias=AliasChoices("purchaser", "fan"))
    creator: _Creator
    created_at: Time | None = None


class _PaymentData(_Part):
    creator: _Creator
    gross: Amount
    purchaser: _Person | None = Field(
        default=None, validation_alias=AliasChoices("purchaser", "fan")
    )
    source: str | None = None
    currency: Currency | None = None
    message_uuid: Reference | None = None
    paid_at: Time | None = None
    created_at: Time | None = None


class _Envelope(_Part):
    id: Reference
    timestamp: Time | None = None
    data: dict[str, Any]


class _FlatMessage(_Part):
    uuid: Reference | None = None
    text: Text | None = None
    created_at: Time | None = Field(default=None, validation_alias="createdAt")


class _Flat(_Part):
    sender: _Person = Field(validation_alias=AliasChoices("sender", "follower"))
    recipient: Uuid = Field(validation_alias="recipientUuid")
    timestamp: Time
    price: Amount | None = None
    message: _FlatMessage | None = None
    message_uuid: Reference | None = Field(default=None, validation_alias="messageUuid")
    route_uuid: Reference | None = Field(default=None, validation_alias="routeUuid")
    post_uuid: Reference | None = Field(default=None, validation_alias="postUuid")


_TIPS: Final = frozenset({"tip"})
_SUBSCRIPTIONS: Final = frozenset({"subscription", "renewal"})
_FLAT_FOLLOW: Final = frozenset({"sender", "follower", "senderUuid", "recipientUuid", "timestamp"})
_Model = TypeVar("_Model", bound=_Part)


def read_events(raw_body: bytes, creator_uuid: str) -> tuple[InboundEvent, ...]:
    """The event in one body (UTF-8 JSON) if it is one of this creator's, else nothing.

    An app's webhooks carry the events of every creator who connected it, so those of others are
    left out, as are types that are not in the table above and payments that name no purchaser.
    Raises `InvalidInput` with a path for each bad field of a form that is known.
    """
    try:
        body = json.loads(raw_body.decode("utf-8"))
    except (ValueError, RecursionError):
        raise InvalidInput(FieldProblem("body", "is not JSON in UTF-8")) from None
    if not isinstance(body, dict):
        raise InvalidInput(FieldProblem("body", "is not a JSON object"))
    read = _read_envelope if "type" in body or "data" in body else _read_flat
    event = read(body, creator_uuid)
    return () if event is None else (event,)


def _read_envelope(body: dict[str, Any], creator_uuid: str) -> InboundEvent | None:
    kind = body.get("type")
    if not isinstance(kind, str):
        raise InvalidInput(FieldProblem("type", "is not a string"))
    match kind:
        case "creator.message.received" | "creator.message.sent":
            envelope, message = _open(body, _MessageData)
            if message.creator.uuid != creator_uuid or message.is_automated:
                return None
            received = kind == "creator.message.received"
            return _event(
                message.fan,
                envelope.id,
                EventKind.MESSAGE if received else EventKind.CREATOR_MESSAGE,
                _at(message.created_at, envelope.timestamp),
                message_ref=message.uuid,
                text=_or_no_text(message.text),
            )
        case "creator.follow.created":
            envelope, follow = _open(body, _FollowData)
            if follow.creator.uuid != creator_uuid:
                return None
            return _event(
                follow.follower,
                envelope.id,
                EventKind.FOLLOW,
                _at(follow.created_at, envelope.timestamp),
            )
        case "creator.subscription.activated":
            envelope, subscription = _open(body, _SubscriptionData)
            if subscription.creator.uuid != creator_uuid:
                return None
            return _event(
                subscription.purchaser,
                envelope.id,
                EventKind.SUBSCRIPTION,
                _at(subscription.created_at, envelope.timestamp),
            )
        case "creator.payment.succeeded":
            envelope, payment = _open(body, _PaymentData)
            if payment.creator.uuid != creator_uuid or payment.purchaser is None:
                return None
            return _event(
                payment.purchaser,
                envelope.id,
                _kind_of_payment(payment.source),
                _at(payment.paid_at or payment.created_at, envelope.timestamp),
                message_ref=payment.message_uuid or "",
                amount=Money(payment.gross, payment.currency or "USD"),
            )
    return None


def _kind_of_payment(source: str | None) -> EventKind:
    """`source` is one of the EarningSource values of Fanvue's OpenAPI document."""
    if source in _TIPS:
        return EventKind.TIP
    return EventKind.SUBSCRIPTION if source in _SUBSCRIPTIONS else EventKind.PURCHASE


def _open(body: dict[str, Any], model: type[_Model]) -> tuple[_Envelope, _Model]:
    envelope = _validated(_Envelope, body)
    return envelope, _validated(model, envelope.data, "data.")


def _read_flat(body: dict[str, Any], creator_uuid: str) -> InboundEvent | None:
    kind = _flat_kind(body)
    if kind is None:
        if "recipientUuid" in body:
            return None
        raise InvalidInput(FieldProblem("body", "is not an event of Fanvue"))
    flat = _validated(_Flat, body)
    if flat.recipient != creator_uuid:
        return None
    message = flat.message or _FlatMessage()
    reference = flat.message_uuid or message.uuid or flat.route_uuid or ""
    if kind is EventKind.MESSAGE and not reference:
        raise InvalidInput(FieldProblem("messageUuid", "is missing"))
    if kind in {EventKind.TIP, EventKind.PURCHASE} and flat.price is None:
        raise InvalidInput(FieldProblem("price", "is missing"))
    written = kind is EventKind.MESSAGE
    return _event(
        flat.sender,
        _flat_id(kind, flat, reference),
        kind,
        message.created_at or flat.timestamp,
        message_ref=reference,
        text=_or_no_text(message.text) if written else "",
        amount=None if written or flat.price is None else Money(flat.price, "USD"),
    )


def _flat_kind(body: dict[str, Any]) -> EventKind | None:
    if "message" in body:
        return EventKind.MESSAGE
    if "context" in body:
        return EventKind.TIP
    if "price" in body:
        bought = "postUuid" in body or "routeUuid" in body
        return EventKind.PURCHASE if bought else EventKind.SUBSCRIPTION
    if ("sender" in body or "follower" in body) and body.keys() <= _FLAT_FOLLOW:
        return EventKind.FOLLOW
    return None


def _flat_id(kind: EventKind, flat: _Flat, reference: str) -> str:
    if kind is EventKind.MESSAGE:
        return f"message:{reference}"
    said = [
        kind.value,
        flat.sender.uuid,
        flat.recipient,
        reference,
        flat.post_uuid or "",
        flat.price,
        flat.timestamp.isoformat(),
    ]
    return f"{kind.value}:{hashlib.sha256(json.dumps(said).encode()).hexdigest()}"


def _event(
    person: _Person,
    event_id: str,
    kind: EventKind,
    occurred_at: datetime,
    *,
    message_ref: str = "",
    text: str = "",
    amount: Money | None = None,
) -> InboundEvent:
    return InboundEvent(
        event_id=event_id,
        kind=kind,
        fan_handle=fan_handle(person.uuid),
        fan_display_name=person.name,
        conversation_ref=person.uuid,
        occurred_at=occurred_at,
        message_ref=message_ref,
        text=text,
        amount=amount,
    )


def _or_no_text(text: str | None) -> str:
    return text if text is not None and text.strip() else NO_TEXT


def _at(happened: datetime | None, told: datetime | None) -> datetime:
    at = happened or told
    if at is None:
        raise InvalidInput(FieldProblem("timestamp", "is missing"))
    return at


def _validated(model: type[_Model], value: object, prefix: str = "") -> _Model:
    try:
        return model.model_validate(value)
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False)
        raise InvalidInput(*(_problem(detail, prefix) for detail in details)) from None


def _problem(detail: ErrorDetails, prefix: str) -> FieldProblem:
    path = prefix + ".".join(str(part)[:60] for part in detail["loc"])
    path = path.encode("ascii", "backslashreplace").decode()
    match detail["type"]:
        case "missing":
            return FieldProblem(path, "is missing")
        case "value_error":
            return FieldProblem(path, str(detail["ctx"]["error"]))
        case "string_pattern_mismatch":
            return FieldProblem(path, "is not three capital letters such as USD")
        case _:
            return FieldProblem(path, detail["msg"][:1].lower() + detail["msg"][1:])


# --- sending --------------------------------------------------------------------------------------


def unsendable(message: OutboundMessage) -> str | None:
    """Why a message cannot go over this channel, or None. Never repeats the text."""
    if not _is_uuid(message.conversation_ref):
        return "The conversation has no Fanvue user id. Wait until the fan has written on Fanvue."
    if not all(map(_is_uuid, message.media_ids)):
        return "A media id is not a Fanvue media uuid. Choose media of the creator's vault."
    if message.text != _storable(message.text):
        return "The text holds a NUL character or half of a surrogate pair."
    if not message.text.strip() and not message.media_ids:
        return "The text is empty."
    length = len(message.text.encode("utf-16-le")) // 2
    if length > LONGEST_TEXT:
        return (
            f"The text has {length:,} characters as Fanvue counts them; "
            f"at most {LONGEST_TEXT:,} are taken."
        )
    return _unsendable_price(message)


def _unsendable_price(message: OutboundMessage) -> str | None:
    price = message.price
    if price is None:
        return None
    if price.currency != LEAST_PRICE.currency:
        return "Fanvue takes prices in USD."
    if not LEAST_PRICE.minor <= price.minor <= GREATEST_PRICE.minor:
        return f"Fanvue takes prices from {LEAST_PRICE} to {GREATEST_PRICE}."
    if not message.media_ids:
        return "A price on Fanvue is for media. Add media, or take the price away."
    return None


def _is_uuid(value: str) -> bool:
    try:
        UUID(value)
    except ValueError:
        return False
    return True


def write_message(message: OutboundMessage) -> bytes:
    """The body of one send: ASCII JSON. `price` is in cents; what is empty is left out."""
    body: dict[str, Any] = {}
    if message.text.strip():
        body["text"] = message.text
    if message.media_ids:
        body["mediaUuids"] = [str(UUID(media_id)) for media_id in message.media_ids]
    if message.price is not None:
        body["price"] = message.price.minor
    return json.dumps(body, separators=(",", ":")).encode()


def read_sent(raw_body: bytes) -> str:
    """The `messageUuid` of an answer, or "" where there is none that can be kept."""
    found = _object(raw_body).get("messageUuid")
    if not isinstance(found, str) or len(found) > LONGEST_MESSAGE_ID:
        return ""
    return found.strip() if found.isascii() and found.isprintable() else ""


def read_reason(raw_body: bytes, text: str) -> str | None:
    """What Fanvue says of a message that it does not allow, or None where it says something else.

    A refusal of the message itself (the fan cannot be contacted, media or content not allowed)
    holds `message` and no `error` (OpenAPI: ContactabilityError, MessageValidationError). "" when
    the words cannot be shown: too long, or repeating the message.
    """
    body = _object(raw_body)
    said = body.get("message")
    if not isinstance(said, str) or "error" in body:
        return None
    said = _storable(said).strip()
    repeats = bool(text.strip()) and text.strip() in said
    return "" if repeats or len(said) > LONGEST_REASON or not said.isprintable() else said


def read_tokens(raw_body: bytes, refresh: str, now: datetime) -> FanvueTokens | None:
    """The tokens in an answer of the token endpoint (RFC 6749, 5.1), or None if it holds none.

    An answer without a refresh token means that `refresh` goes on working (RFC 6749, 6).
    """
    body = _object(raw_body)
    access = body.get("access_token")
    renewed = body.get("refresh_token", refresh)
    if not (is_token(access) and is_token(renewed)):
        return None
    seconds = body.get("expires_in")
    if not isinstance(seconds, int | float) or not 0 < seconds < 10**9:
        return FanvueTokens(access, renewed, now + UNSAID_LIFETIME)
    return FanvueTokens(access, renewed, now + timedelta(seconds=seconds))


def is_token(value: object) -> TypeGuard[str]:
    """Whether a value can stand in an Authorization header."""
    return (
        isinstance(value, str)
        and 0 < len(value) <= LONGEST_TOKEN
        and all("!" <= character <= "~" for character in value)
    )


def _object(raw_body: bytes) -> dict[str, Any]:
    try:
        body = json.loads(raw_body.decode("utf-8"))
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}
