"""The JSON of the Telegram Bot API, as far as this channel speaks it.

What we take, one update a body: a fan's `message` in a private chat, and `purchased_paid_media`.
Every other update, and a message of a group, of a bot or of the platform itself, gives no event.

    {"update_id": 7, "message": {"message_id": 12, "date": 1793527200,
                                 "chat": {"id": 1088, "type": "private"},
                                 "from": {"id": 1088, "is_bot": false, "first_name": "Tom"},
                                 "text": "Hello"}}
    {"update_id": 8, "purchased_paid_media": {"from": {…}, "paid_media_payload": "…"}}

A purchase names neither message, price nor time. The payload that we send along with paid media
carries the first two (`vaultcrm:<our message id>:<Stars>`); the time is when it was read.

Telegram numbers messages and updates per bot, so the ids of a bot are kept apart by its number:
`<bot>:<message>` for a message, `<bot>:<update>:<message>` for an event. The message is part of it
because Telegram draws the next update number at random after a week without updates.
"""

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Final, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from vaultcrm.domain.channels import EventKind, InboundEvent, OutboundMessage
from vaultcrm.domain.errors import FieldProblem, InvalidInput
from vaultcrm.domain.money import Money

STARS: Final = "XTR"
LEAST_STARS: Final = 1
GREATEST_STARS: Final = 25_000
LONGEST_TEXT: Final = 4_096
"""UTF-16 code units of a message without media."""
LONGEST_CAPTION: Final = 1_024
"""UTF-16 code units of a text that goes with media."""
MOST_MEDIA: Final = 10
LONGEST_INBOUND_TEXT: Final = 10_000
LONGEST_NAME: Final = 100
_LONGEST_DESCRIPTION: Final = 200
_MOST_SECONDS: Final = 10**9

_KINDS: Final = (
    # An animation comes with a document beside it, and a venue with a location: the first counts.
    *("animation", "venue", "live_photo", "photo", "video", "video_note", "voice", "audio"),
    *("sticker", "document", "paid_media", "story", "contact", "location", "poll", "checklist"),
    *("dice", "game"),
)
_CHAT_ID: Final = re.compile(r"[1-9][0-9]{0,15}", re.ASCII)
_MEDIA_ID: Final = re.compile(r"(photo|video):([A-Za-z0-9_-]{8,200})", re.ASCII)
_PAYLOAD: Final = re.compile(
    r"vaultcrm:([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}):([1-9][0-9]{0,4})", re.ASCII
)

# --- what comes in --------------------------------------------------------------------------------


def _is_surrogate(character: str) -> bool:
    return "\ud800" <= character <= "\udfff"


def _unstorable(text: str) -> str | None:
    """Why PostgreSQL cannot store a text, or None."""
    if "\0" in text:
        return "holds a NUL character"
    if any(map(_is_surrogate, text)):
        return "holds half of a surrogate pair"
    return None


def _storable_text(value: str) -> str:
    if (reason := _unstorable(value)) is not None:
        raise ValueError(reason)
    if len(value) > LONGEST_INBOUND_TEXT:
        raise ValueError(
            f"has {len(value):,} characters; at most {LONGEST_INBOUND_TEXT:,} are taken"
        )
    return value


_Text = Annotated[str, AfterValidator(_storable_text)]
_Id = Annotated[int, Field(gt=0, lt=2**53)]
_Seconds = Annotated[int, Field(ge=946_684_800, lt=7_258_118_400)]
"""Seconds since 1970, within the years 2000 to 2199."""


class _Part(BaseModel):
    """Telegram adds fields at any time, so unknown ones are no error."""

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)


class _Chat(_Part):
    type: str


class _Addressed(_Part):
    chat: _Chat


class _User(_Part):
    id: _Id
    is_bot: bool
    first_name: str = ""
    last_name: str = ""
    username: str = ""

    @property
    def handle(self) -> str:
        return f"tg:{self.id}"

    @property
    def display_name(self) -> str:
        for name in (f"{self.first_name} {self.last_name}", self.username):
            if cleaned := _one_line(name)[:LONGEST_NAME].strip():
                return cleaned
        return self.handle


class _PrivateChat(_Part):
    id: _Id


class _Sticker(_Part):
    emoji: _Text = ""


class _Message(_Part):
    message_id: _Id
    date: _Seconds
    chat: _PrivateChat
    sender: _User = Field(alias="from")
    text: _Text | None = None
    caption: _Text = ""
    sticker: _Sticker | None = None


class _Purchase(_Part):
    sender: _User = Field(alias="from")
    paid_media_payload: str


_Form = TypeVar("_Form", bound=_Part)


class _Update(_Part):
    update_id: Annotated[int, Field(ge=0, lt=2**53)]
    message: dict[str, Any] | None = None
    purchased_paid_media: dict[str, Any] | None = None


def read_update(raw_body: bytes, *, bot_id: str, now: datetime) -> tuple[InboundEvent, ...]:
    """The events in one update (UTF-8 JSON): one, or none where it does not concern us.

    `now` dates a purchase, which Telegram does not do. Raises `InvalidInput` with a path for each
    bad field of an update that does concern us.
    """
    try:
        body = json.loads(raw_body.decode("utf-8"))
    except (ValueError, RecursionError):
        raise InvalidInput(FieldProblem("body", "is not JSON in UTF-8")) from None
    update = _validated(_Update, body, "")
    prefix = f"{bot_id}:{update.update_id}"
    if update.message is not None:
        return _read_message(update.message, bot_id, prefix)
    if update.purchased_paid_media is not None:
        return _read_purchase(update.purchased_paid_media, prefix, now)
    return ()


def _read_message(found: dict[str, Any], bot_id: str, prefix: str) -> tuple[InboundEvent, ...]:
    if _validated(_Addressed, found, "message").chat.type != "private":
        return ()
    message = _validated(_Message, found, "message")
    text = _words(message, found)
    if message.sender.is_bot or not text.strip():
        return ()
    return (
        InboundEvent(
            event_id=f"{prefix}:{message.message_id}",
            kind=EventKind.MESSAGE,
            fan_handle=message.sender.handle,
            fan_display_name=message.sender.display_name,
            conversation_ref=str(message.chat.id),
            occurred_at=datetime.fromtimestamp(message.date, UTC),
            message_ref=message_ref(bot_id, message.message_id),
            text=text,
        ),
    )


def _words(message: _Message, found: dict[str, Any]) -> str:
    """The text, or what came in brackets with what was written to it; "" for what says nothing."""
    if message.text is not None:
        return message.text
    kind = next((kind for kind in _KINDS if found.get(kind) is not None), None)
    if kind is None:
        return ""
    beside = message.caption or (message.sticker.emoji if message.sticker else "")
    return f"[{kind.replace('_', ' ')}] {beside}".rstrip()


def _read_purchase(found: dict[str, Any], prefix: str, now: datetime) -> tuple[InboundEvent, ...]:
    purchase = _validated(_Purchase, found, "purchased_paid_media")
    ours = _PAYLOAD.fullmatch(purchase.paid_media_payload)
    if ours is None or purchase.sender.is_bot or int(ours[2]) > GREATEST_STARS:
        return ()
    return (
        InboundEvent(
            event_id=f"{prefix}:{ours[1]}",
            kind=EventKind.PURCHASE,
            fan_handle=purchase.sender.handle,
            fan_display_name=purchase.sender.display_name,
            # In a private chat with a bot the chat has the number of the user.
            conversation_ref=str(purchase.sender.id),
            occurred_at=now,
            message_ref=ours[1],
            amount=Money(int(ours[2]), STARS),
        ),
    )


def message_ref(bot_id: str, message_id: int) -> str:
    """Our reference to a message that Telegram has numbered."""
    return f"{bot_id}:{message_id}"


def _one_line(text: str) -> str:
    """Without control characters and halves of surrogate pairs, and with single spaces."""
    return " ".join(
        "".join(
            " " if c < " " or "\x7f" <= c < "\xa0" or _is_surrogate(c) else c for c in text
        ).split()
    )


def _validated(form: type[_Form], found: object, under: str) -> _Form:
    try:
        return form.model_validate(found)
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False)
        raise InvalidInput(*(_problem(detail, under) for detail in details)) from None


def _problem(detail: ErrorDetails, under: str) -> FieldProblem:
    field = ".".join(str(part) for part in (under, *detail["loc"]) if part != "") or "body"
    match detail["type"]:
        case "missing":
            return FieldProblem(field, "is missing")
        case "value_error":
            return FieldProblem(field, str(detail["ctx"]["error"]))
        case "model_type":
            return FieldProblem(field, "is not an object")
        case _:
            return FieldProblem(field, detail["msg"][:1].lower() + detail["msg"][1:])


# --- what goes out --------------------------------------------------------------------------------


def unsendable(message: OutboundMessage) -> str | None:
    """Why a message cannot go over this channel, or None. Repeats nothing of its text."""
    if _CHAT_ID.fullmatch(message.conversation_ref) is None:
        return "The conversation is not a private Telegram chat."
    if (reason := _unstorable(message.text)) is not None:
        return f"The text {reason}."
    if not message.text.strip() and not message.media_ids:
        return "The text is empty."
    most = LONGEST_CAPTION if message.media_ids else LONGEST_TEXT
    if (length := _utf16_units(message.text)) > most:
        beside = " beside media" if message.media_ids else ""
        return (
            f"The text is {length:,} UTF-16 units long; Telegram takes at most {most:,}{beside}. "
            "An emoji counts as two or more."
        )
    return _unsendable_media(message.media_ids) or _unsendable_price(message)


def _utf16_units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def _unsendable_media(media_ids: tuple[str, ...]) -> str | None:
    if len(media_ids) > MOST_MEDIA:
        return f"There are {len(media_ids)} media; Telegram takes at most {MOST_MEDIA} at once."
    if not all(map(_MEDIA_ID.fullmatch, media_ids)):
        return "A media id is not photo:<file_id> or video:<file_id>."
    return None


def _unsendable_price(message: OutboundMessage) -> str | None:
    price = message.price
    if price is None:
        return None
    if not message.media_ids:
        return "Telegram takes a price for photos and videos only. Add one or take the price away."
    if price.currency != STARS or not LEAST_STARS <= price.minor <= GREATEST_STARS:
        return f"The price is not {LEAST_STARS} to {GREATEST_STARS:,} Telegram Stars ({STARS})."
    return None


def write_request(message: OutboundMessage) -> tuple[str, dict[str, Any]]:
    """Method and parameters for a message of which `unsendable` says nothing.

    Text alone is `sendMessage`, without formatting and link preview. Media with a price are
    `sendPaidMedia`, which the fan can neither forward nor save: a forwarded copy would be bought
    in a conversation that is not the one it was offered in. One medium that is free is `sendPhoto`
    or `sendVideo`, several are `sendMediaGroup`.
    """
    chat: dict[str, Any] = {"chat_id": int(message.conversation_ref)}
    if not message.media_ids:
        preview = {"link_preview_options": {"is_disabled": True}}
        return "sendMessage", chat | {"text": message.text} | preview
    media = [_input_media(media_id) for media_id in message.media_ids]
    caption = {"caption": message.text} if message.text.strip() else {}
    if message.price is not None:
        sale = {
            "star_count": message.price.minor,
            "media": media,
            "payload": f"vaultcrm:{message.id}:{message.price.minor}",
            "protect_content": True,
        }
        return "sendPaidMedia", chat | sale | caption
    if len(media) > 1:
        return "sendMediaGroup", chat | {"media": [media[0] | caption, *media[1:]]}
    kind = media[0]["type"]
    return f"send{kind.capitalize()}", chat | {kind: media[0]["media"]} | caption


def _input_media(media_id: str) -> dict[str, str]:
    kind, _, file_id = media_id.partition(":")
    return {"type": kind, "media": file_id}


def sent_message_id(message: OutboundMessage, result: object, bot_id: str) -> str:
    """The id under which Telegram, and we, speak of a message that was taken; "" if it gave none.

    Of paid media Telegram tells a purchase by our payload only, so those go by our own id.
    """
    if message.price is not None:
        return str(message.id)
    first = result[0] if isinstance(result, list) and result else result
    number = first.get("message_id") if isinstance(first, dict) else None
    if not isinstance(number, int) or isinstance(number, bool) or not 0 < number < 2**53:
        return ""
    return message_ref(bot_id, number)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the Bot API said. `ok` is None where the body was not of its form.

    `status` is the HTTP status, or for a refusal under 2xx the `error_code` of the body;
    `retry_after` is in seconds; `description` is one storable line of at most 200 characters.
    """

    status: int
    ok: bool | None
    result: object = None
    description: str = ""
    retry_after: float | None = None


def read_answer(status: int, raw_body: bytes) -> Answer:
    """The answer in a body; never raises."""
    try:
        body = json.loads(raw_body.decode("utf-8"))
    except (ValueError, RecursionError):
        return Answer(status, None)
    if not isinstance(body, dict) or not isinstance(body.get("ok"), bool):
        return Answer(status, None)
    if body["ok"]:
        return Answer(status, True, body.get("result"))
    code = body.get("error_code")
    if 200 <= status < 300:
        status = code if isinstance(code, int) and 400 <= code < 600 else 400
    description = body.get("description")
    parameters = body.get("parameters")
    return Answer(
        status,
        False,
        description=_one_line(description)[:_LONGEST_DESCRIPTION]
        if isinstance(description, str)
        else "",
        retry_after=_seconds(parameters.get("retry_after"))
        if isinstance(parameters, dict)
        else None,
    )


def _seconds(value: object) -> float | None:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        return None
    return float(min(value, _MOST_SECONDS))
