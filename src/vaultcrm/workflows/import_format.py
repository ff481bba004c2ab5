"""The form of an import file: JSON Lines in UTF-8, one conversation a line.

    {"creator": {"handle": "mia", "displayName": "Mia"},
     "fan": {"handle": "tom88", "displayName": "Tom", "lifetimeValueMinor": 1200,
             "currency": "USD", "notes": "Likes hiking", "disclosedAt": "2026-10-01T09:00:00Z"},
     "channel": "simulator",
     "conversation": {"mode": "draft_only"},
     "messages": [{"id": "m1", "from": "fan", "text": "Hello", "sentAt": "2026-11-01T10:00:00Z"},
                  {"id": "m2", "from": "creator", "text": "Hi!", "sentAt": "2026-11-01T10:01:00Z",
                   "priceMinor": 2500, "purchasedAt": "2026-11-01T10:02:00Z"}]}

(Broken here for reading; in a file it is one line.) Needed are both handles, `messages`, and of a
message `id`, `from`, `text` and `sentAt`; the rest may be left out.

| field                                | values                                                 |
|--------------------------------------|--------------------------------------------------------|
| `handle`                             | 1-100 characters, none of them a control character     |
| `displayName`                        | up to 100; left out: the handle                        |
| `lifetimeValueMinor`                 | 0-10^12 minor units; left out: not known               |
| `currency`                           | ISO 4217, of the lifetime value and all prices; USD    |
| `notes`                              | up to 5,000 characters                                 |
| `disclosedAt`                        | when the fan was told that AI may write                |
| `channel`                            | 1-50 of a-z, 0-9, _ and -; left out: simulator         |
| `mode`                               | auto, draft_only or off, for a new conversation; auto  |
| `messages`                           | at most 10,000, in any order                           |
| `id`                                 | 1-200 characters, once in the line                     |
| `from`                               | fan or creator                                         |
| `text`                               | 1-10,000 characters, not blank                         |
| `priceMinor`                         | 1-100,000,000 minor units, of the creator only         |
| `purchasedAt`                        | for a message with a price only                        |

Times are RFC 3339 with a zone, from the years 2000 to 2199. A line has at most 20 MB. Unknown
fields are refused, so that a misspelt one is not lost without a word.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Annotated, Any, BinaryIO, Final

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PlainValidator,
    StringConstraints,
    ValidationError,
)
from pydantic.alias_generators import to_camel
from pydantic_core import ErrorDetails

from vaultcrm.domain.conversation import Mode, Sender
from vaultcrm.domain.errors import FieldProblem

LONGEST_LINE: Final = 20_000_000
"""Bytes, without the end of the line."""

MOST_MESSAGES: Final = 10_000
LONGEST_TEXT: Final = 10_000
GREATEST_PRICE: Final = 100_000_000
GREATEST_VALUE: Final = 10**12

_MOST_REASONS: Final = 3
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_CONTROL_CHARACTER: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_CURRENCY: Final = re.compile(r"[A-Z]{3}")
_CHANNEL: Final = re.compile(r"[a-z0-9_-]{1,50}")


def _one_line(value: str) -> str:
    if _CONTROL_CHARACTER.search(value):
        raise ValueError("must not hold control characters")
    return value


def _storable(value: str) -> str:
    if "\0" in value:
        raise ValueError("must not hold a NUL character")
    return value


def _not_blank(value: str) -> str:
    if not value.strip():
        raise ValueError("must not be empty")
    return value


def _currency(value: str) -> str:
    if not _CURRENCY.fullmatch(value):
        raise ValueError("must be three capital letters such as USD")
    return value


def _channel(value: str) -> str:
    if not _CHANNEL.fullmatch(value):
        raise ValueError("must be 1-50 of a-z, 0-9, _ and -")
    return value


def _time(value: object) -> datetime:
    if not isinstance(value, str):
        raise ValueError("must be a time in quotes, such as 2026-11-01T10:00:00Z")
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise ValueError("must be a time such as 2026-11-01T10:00:00Z") from None
    if moment.tzinfo is None:
        raise ValueError("must have a zone, such as the Z in 2026-11-01T10:00:00Z")
    if not 2000 <= moment.year < 2200:
        raise ValueError("must lie between the years 2000 and 2199")
    return moment.astimezone(UTC)


def _characters(least: int, most: int) -> StringConstraints:
    return StringConstraints(min_length=least, max_length=most)


Handle = Annotated[str, _characters(1, 100), AfterValidator(_one_line), AfterValidator(_not_blank)]
Name = Annotated[str, _characters(0, 100), AfterValidator(_one_line)]
Notes = Annotated[str, _characters(0, 5_000), AfterValidator(_storable)]
MessageId = Annotated[
    str, _characters(1, 200), AfterValidator(_one_line), AfterValidator(_not_blank)
]
Text = Annotated[
    str, _characters(1, LONGEST_TEXT), AfterValidator(_storable), AfterValidator(_not_blank)
]
Currency = Annotated[str, AfterValidator(_currency)]
ChannelName = Annotated[str, AfterValidator(_channel)]
Time = Annotated[datetime, PlainValidator(_time)]
Price = Annotated[int, Field(ge=1, le=GREATEST_PRICE)]
Value = Annotated[int, Field(ge=0, le=GREATEST_VALUE)]


class _Part(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, alias_generator=to_camel)


class CreatorPart(_Part):
    handle: Handle
    display_name: Name = ""


class FanPart(_Part):
    """`lifetime_value_minor` is None where the file does not say."""

    handle: Handle
    display_name: Name = ""
    lifetime_value_minor: Value | None = None
    currency: Currency = "USD"
    notes: Notes = ""
    disclosed_at: Time | None = None


class ConversationPart(_Part):
    mode: Mode = Mode.AUTO


class MessagePart(_Part):
    id: MessageId
    sender: Sender = Field(alias="from")
    text: Text
    sent_at: Time
    price_minor: Price | None = None
    purchased_at: Time | None = None


class ImportLine(_Part):
    """One good line: a conversation with its creator, its fan and its messages in file order."""

    creator: CreatorPart
    fan: FanPart
    channel: ChannelName = "simulator"
    conversation: ConversationPart = ConversationPart()
    messages: Annotated[tuple[MessagePart, ...], Field(max_length=MOST_MESSAGES)]


class _Size(BaseModel):
    """Refuses millions of messages before the problems of each are listed, in gigabytes."""

    messages: Annotated[list[Any], Field(max_length=MOST_MESSAGES)] = []


@dataclass(frozen=True, slots=True)
class LineProblem:
    """Why a line was skipped. `line` counts from 1; `more` problems beside `reasons` are not told.

    `str()` gives `line 17: messages.3.text: must not be empty`, without message text.
    """

    line: int
    reasons: tuple[FieldProblem, ...]
    more: int = 0

    def __str__(self) -> str:
        told = [f"{r.field}: {r.reason}" if r.field else r.reason for r in self.reasons]
        if self.more:
            told.append(f"and {self.more:,} more")
        return f"line {self.line}: {'; '.join(told)}"


def read_lines(stream: BinaryIO) -> Iterator[bytes]:
    """The lines of a file, one in memory at a time.

    Of a line that is too long only so much is given as `check_line` needs to see that it is; the
    rest is passed over.
    """
    while raw := stream.readline(len(_BYTE_ORDER_MARK) + LONGEST_LINE + len(b"\r\n")):
        yield raw
        while raw and not raw.endswith(b"\n"):
            raw = stream.readline(1 << 16)


def is_blank(raw: bytes) -> bool:
    """Whether a line holds nothing, and so is neither good nor bad."""
    return not raw.removeprefix(_BYTE_ORDER_MARK).strip()


def check_line(number: int, raw: bytes) -> ImportLine | LineProblem:
    """The conversation in one line, or why it cannot be used. `number` counts from 1.

    A byte order mark and either end of line are tolerated.
    """
    content = raw.removeprefix(_BYTE_ORDER_MARK).rstrip(b"\r\n")
    if len(content) > LONGEST_LINE:
        return _whole_line(number, f"is longer than {LONGEST_LINE // 1_000_000} MB")
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        return _whole_line(number, f"is not UTF-8 text (see byte {error.start + 1:,})")
    try:
        _Size.model_validate_json(text)
        line = ImportLine.model_validate_json(text)
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False)
        reasons = tuple(map(_reason, details[:_MOST_REASONS]))
        return LineProblem(number, reasons, len(details) - len(reasons))
    found = _contradictions(line)
    if reasons := tuple(islice(found, _MOST_REASONS)):
        return LineProblem(number, reasons, sum(1 for _ in found))
    return line


def _whole_line(number: int, reason: str) -> LineProblem:
    return LineProblem(number, (FieldProblem("", reason),))


def _contradictions(line: ImportLine) -> Iterator[FieldProblem]:
    """What each field may be, but not beside the others."""
    places: dict[str, int] = {}
    for index, message in enumerate(line.messages):
        path = f"messages.{index}"
        first = places.setdefault(message.id, index)
        if first != index:
            yield FieldProblem(f"{path}.id", f"is the id of messages.{first} already")
        if message.price_minor is not None and message.sender is not Sender.CREATOR:
            yield FieldProblem(f"{path}.priceMinor", "is for messages from the creator only")
        if message.purchased_at is not None and message.price_minor is None:
            yield FieldProblem(f"{path}.purchasedAt", "needs priceMinor beside it")


_REASONS: Final = {
    "missing": "is missing",
    "extra_forbidden": "is not a field of this format",
    "string_type": "must be text in quotes",
    "string_too_short": "must not be empty",
    "string_too_long": "must have at most {max_length:,} characters",
    "too_long": "must have at most {max_length:,} entries",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "greater_than_equal": "must be at least {ge:,}",
    "less_than_equal": "must be at most {le:,}",
    "enum": "must be {expected}",
    "model_type": "must be an object in braces",
    "list_type": "must be a list in brackets",
    "value_error": "{error}",
}


def _reason(detail: ErrorDetails) -> FieldProblem:
    context: dict[str, Any] = detail.get("ctx", {})
    if detail["type"] == "json_invalid":
        # Its own line count would contradict ours: a line of the file is all that it sees.
        where = str(context["error"]).replace("at line 1 column", "at column")
        return FieldProblem("", f"is not JSON: {where}")
    # A name that is not ours comes from the file: nothing in it may steer a terminal.
    field = ".".join(
        ascii(part)[1:-1][:60] if isinstance(part, str) else str(part) for part in detail["loc"]
    )
    template = _REASONS.get(detail["type"])
    if template is None:
        return FieldProblem(field, detail["msg"][:1].lower() + detail["msg"][1:])
    return FieldProblem(field, template.format_map(context))
