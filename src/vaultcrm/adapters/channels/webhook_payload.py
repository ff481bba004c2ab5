"""The JSON of the generic webhook channel.

What we take, one event a body:

    {"type": "message.created",
     "id": "evt_1",
     "data": {"fan": {"handle": "tom88", "displayName": "Tom"},
              "conversation": "chat-17",
              "message": {"id": "m-1", "text": "Hello", "sentAt": "2026-11-01T10:00:00Z"}}}

    {"type": "purchase.created",
     "id": "evt_2",
     "data": {"fan": {"handle": "tom88", "displayName": "Tom"},
              "conversation": "chat-17",
              "purchase": {"messageId": "m-9", "amountMinor": 2500, "currency": "USD",
                           "purchasedAt": "2026-11-01T10:05:00Z"}}}

    {"type": "refund.created",
     "id": "evt_3",
     "data": {"fan": {"handle": "tom88", "displayName": "Tom"},
              "conversation": "chat-17",
              "refund": {"messageId": "m-9", "amountMinor": 2500, "currency": "USD",
                         "refundedAt": "2026-11-03T09:00:00Z", "kind": "chargeback"}}}

A refund's `kind` is `refund`, which may be left out, or `chargeback`. Several that name one message
are parts of what it cost.

`id` is the same as the `webhook-id` header and makes the event count once. `displayName` may be
left out. References and ids have 1-200 characters, handles and names up to 100, none of them a
control character; a text has 1-10,000 characters and is not blank; an amount is 1-100,000,000
minor units; times are RFC 3339 with an offset. Unknown fields are refused, so that a misspelt one
is not lost without a word.

What we send:

    {"type": "message.send",
     "id": "<message id>",
     "data": {"creatorId": "<uuid>", "conversationId": "<uuid>", "conversation": "chat-17",
              "fan": {"handle": "tom88"},
              "message": {"id": "<message id>", "text": "Hi!", "mediaIds": [],
                          "price": {"amountMinor": 2500, "currency": "USD"}}}}

`price` is null for a message that costs nothing. The bytes of one message never change, and
`webhook-id` is its id: a receiver that has seen the id answers as it did the first time. A 2xx
answer may hold `{"messageId": "<the platform's own id>"}`.
"""

import json
from datetime import UTC, datetime
from typing import Annotated, Final, Literal

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
)
from pydantic.alias_generators import to_camel
from pydantic_core import ErrorDetails

from vaultcrm.domain.channels import EventKind, InboundEvent, OutboundMessage
from vaultcrm.domain.errors import FieldProblem, InvalidInput
from vaultcrm.domain.money import Money

LONGEST_TEXT: Final = 10_000
LONGEST_REFERENCE: Final = 200
LONGEST_NAME: Final = 100
GREATEST_AMOUNT: Final = 100_000_000
LONGEST_ANSWER_ID: Final = 200


def _storable(value: str) -> str:
    """Refuse what PostgreSQL cannot store as text."""
    if "\0" in value:
        raise ValueError("holds a NUL character")
    if any("\ud800" <= character <= "\udfff" for character in value):
        raise ValueError("holds half of a surrogate pair")
    return value


def _one_line(value: str) -> str:
    if any(character < " " or "\x7f" <= character < "\xa0" for character in value):
        raise ValueError("holds a control character")
    return value


def _not_blank(value: str) -> str:
    if not value.strip():
        raise ValueError("is empty")
    return value


def _not_too_long(most: int) -> AfterValidator:
    def check(value: str) -> str:
        if len(value) > most:
            raise ValueError(f"has {len(value):,} characters; at most {most:,} are taken")
        return value

    return AfterValidator(check)


def _read_time(value: object) -> object:
    """Strict validation takes no text for a time, and JSON has nothing else to write one in."""
    if not isinstance(value, str):
        raise ValueError("is not an RFC 3339 time in quotes")
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        raise ValueError("is not an RFC 3339 time such as 2026-11-01T10:00:00Z") from None


def _in_utc(value: datetime) -> datetime:
    if not 2000 <= value.year < 2200:
        raise ValueError("is not between the years 2000 and 2200")
    return value.astimezone(UTC)


Text = Annotated[
    str, AfterValidator(_storable), AfterValidator(_not_blank), _not_too_long(LONGEST_TEXT)
]
Reference = Annotated[
    str,
    AfterValidator(_storable),
    AfterValidator(_one_line),
    AfterValidator(_not_blank),
    _not_too_long(LONGEST_REFERENCE),
]
Name = Annotated[
    str, AfterValidator(_storable), AfterValidator(_one_line), _not_too_long(LONGEST_NAME)
]
Handle = Annotated[Name, AfterValidator(_not_blank)]
Time = Annotated[AwareDatetime, BeforeValidator(_read_time), AfterValidator(_in_utc)]


class _Part(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, alias_generator=to_camel)


class _Fan(_Part):
    handle: Handle
    display_name: Name = ""


class _Message(_Part):
    id: Reference
    text: Text
    sent_at: Time


class _Purchase(_Part):
    message_id: Reference
    amount_minor: Annotated[int, Field(gt=0, le=GREATEST_AMOUNT)]
    currency: Annotated[str, AfterValidator(_storable), Field(pattern=r"^[A-Z]{3}$")]
    purchased_at: Time


class _Refund(_Part):
    message_id: Reference
    amount_minor: Annotated[int, Field(gt=0, le=GREATEST_AMOUNT)]
    currency: Annotated[str, AfterValidator(_storable), Field(pattern=r"^[A-Z]{3}$")]
    refunded_at: Time
    kind: Literal["refund", "chargeback"] = "refund"


class _MessageData(_Part):
    fan: _Fan
    conversation: Reference
    message: _Message


class _PurchaseData(_Part):
    fan: _Fan
    conversation: Reference
    purchase: _Purchase


class _RefundData(_Part):
    fan: _Fan
    conversation: Reference
    refund: _Refund


class _MessageCreated(_Part):
    type: Literal["message.created"]
    id: Reference
    data: _MessageData

    def event(self) -> InboundEvent:
        data = self.data
        return InboundEvent(
            event_id=self.id,
            kind=EventKind.MESSAGE,
            fan_handle=data.fan.handle,
            fan_display_name=data.fan.display_name or data.fan.handle,
            conversation_ref=data.conversation,
            occurred_at=data.message.sent_at,
            message_ref=data.message.id,
            text=data.message.text,
        )


class _PurchaseCreated(_Part):
    type: Literal["purchase.created"]
    id: Reference
    data: _PurchaseData

    def event(self) -> InboundEvent:
        data = self.data
        return InboundEvent(
            event_id=self.id,
            kind=EventKind.PURCHASE,
            fan_handle=data.fan.handle,
            fan_display_name=data.fan.display_name or data.fan.handle,
            conversation_ref=data.conversation,
            occurred_at=data.purchase.purchased_at,
            message_ref=data.purchase.message_id,
            amount=Money(data.purchase.amount_minor, data.purchase.currency),
        )


class _RefundCreated(_Part):
    type: Literal["refund.created"]
    id: Reference
    data: _RefundData

    def event(self) -> InboundEvent:
        data = self.data
        return InboundEvent(
            event_id=self.id,
            kind=EventKind(data.refund.kind),
            fan_handle=data.fan.handle,
            fan_display_name=data.fan.display_name or data.fan.handle,
            conversation_ref=data.conversation,
            occurred_at=data.refund.refunded_at,
            message_ref=data.refund.message_id,
            amount=Money(data.refund.amount_minor, data.refund.currency),
        )


_EVENTS: Final = ("message.created", "purchase.created", "refund.created")
_EVENT: Final[TypeAdapter[_MessageCreated | _PurchaseCreated | _RefundCreated]] = TypeAdapter(
    Annotated[_MessageCreated | _PurchaseCreated | _RefundCreated, Field(discriminator="type")]
)


def read_event(raw_body: bytes) -> InboundEvent:
    """The event in one body (UTF-8 JSON). Raises `InvalidInput` with a path for each bad field."""
    try:
        body = json.loads(raw_body.decode("utf-8"))
    except (ValueError, RecursionError):
        raise InvalidInput(FieldProblem("body", "is not JSON in UTF-8")) from None
    try:
        return _EVENT.validate_python(body).event()
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False)
        raise InvalidInput(*map(_problem, details)) from None


def _problem(detail: ErrorDetails) -> FieldProblem:
    path = detail["loc"][1:] if detail["loc"][:1] and detail["loc"][0] in _EVENTS else detail["loc"]
    field = ".".join(str(part)[:60] for part in path) or "body"
    field = field.encode("ascii", "backslashreplace").decode()
    match detail["type"]:
        case "union_tag_not_found" | "union_tag_invalid":
            return FieldProblem("type", f"is none of {', '.join(_EVENTS)}")
        case "missing":
            return FieldProblem(field, "is missing")
        case "extra_forbidden":
            return FieldProblem(field, "is not a field of this event")
        case "value_error":
            return FieldProblem(field, str(detail["ctx"]["error"]))
        case "string_pattern_mismatch":
            return FieldProblem(field, "is not three capital letters such as USD")
        case _:
            return FieldProblem(field, detail["msg"][:1].lower() + detail["msg"][1:])


def write_message(message: OutboundMessage) -> str:
    """The body of one `message.send`: ASCII JSON, the same for the same message every time."""
    price = message.price
    return json.dumps(
        {
            "type": "message.send",
            "id": str(message.id),
            "data": {
                "creatorId": str(message.creator_id),
                "conversationId": str(message.conversation_id),
                "conversation": message.conversation_ref,
                "fan": {"handle": message.fan_handle},
                "message": {
                    "id": str(message.id),
                    "text": message.text,
                    "mediaIds": list(message.media_ids),
                    "price": price and {"amountMinor": price.minor, "currency": price.currency},
                },
            },
        },
        separators=(",", ":"),
    )


def read_answer(raw_body: bytes) -> str:
    """The platform's id for a message that it took; "" where the answer has none to keep."""
    try:
        answer = json.loads(raw_body.decode("utf-8"))
        found = answer.get("messageId") if isinstance(answer, dict) else None
        if not isinstance(found, str) or len(found) > LONGEST_ANSWER_ID:
            return ""
        return _one_line(_storable(found))
    except (ValueError, RecursionError):
        return ""


def unsendable(text: str) -> str | None:
    """Why a text cannot go over this channel, or None."""
    try:
        _not_blank(_storable(text))
    except ValueError as problem:
        return f"The text {problem}."
    if len(text) > LONGEST_TEXT:
        return f"The text has {len(text):,} characters; at most {LONGEST_TEXT:,} are taken."
    return None
