"""The JSON of the Chatwoot channel: what Chatwoot posts to us, and the message that we post to it.

Of a `message_created` webhook these fields are read, the rest is left alone, since every release
of Chatwoot adds some:

    {"event": "message_created", "id": 91, "content": "Hello", "message_type": "incoming",
     "private": false, "created_at": "2026-11-01T10:00:00.000Z", "content_attributes": {},
     "account": {"id": 1}, "inbox": {"id": 2},
     "sender": {"id": 1017, "name": "Tom", "type": "user" for an agent of Chatwoot},
     "conversation": {"id": 17, "meta": {"sender": {"id": 1017, "name": "Tom"}}},
     "attachments": [{"file_type": "image"}]}

`conversation.id` is the number that Chatwoot shows and its API takes. The event's id is made of
the message's: it is the same when Chatwoot delivers again, and when a webhook of the account and
one of the inbox both tell of the same message; `X-Chatwoot-Delivery` differs between those two.

Ids are whole numbers from 1 on, plain or in quotes. Times are ISO 8601 with an offset, or end in
" UTC" as in Chatwoot's manual.
"""

import json
import re
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
)
from pydantic_core import ErrorDetails

from vaultcrm.domain.channels import EventKind, InboundEvent, OutboundMessage
from vaultcrm.domain.errors import FieldProblem, InvalidInput

GREATEST_TEXT: Final = 150_000
"""Characters that Chatwoot itself takes in one message (`Message` validates it)."""
GREATEST_ID: Final = 2**63 - 1
LONGEST_NAME: Final = 100
MARK: Final = "vaultcrm_message_id"
"""Key in `content_attributes`, kept and given back by Chatwoot, that our own messages carry."""
_MOST_ATTACHMENTS: Final = 15
_FILE_TYPE: Final = re.compile(r"[a-z_]{1,30}")
_TEMPLATE_SIGNS: Final = ("{{", "{%")


def _read_id(value: object) -> object:
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20:
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError("is not a whole number")
    return value


def _read_time(value: object) -> object:
    if not isinstance(value, str):
        raise ValueError("is not an ISO 8601 time in quotes")
    try:
        return datetime.fromisoformat(value.replace(" UTC", "+00:00"))
    except ValueError:
        raise ValueError("is not an ISO 8601 time such as 2026-11-01T10:00:00.000Z") from None


def _in_utc(value: datetime) -> datetime:
    if not 2000 <= value.year < 2200:
        raise ValueError("is not between the years 2000 and 2200")
    return value.astimezone(UTC)


def _storable(value: str) -> str:
    """Refuse what PostgreSQL cannot store as text."""
    if "\0" in value:
        raise ValueError("holds a NUL character")
    if any("\ud800" <= character <= "\udfff" for character in value):
        raise ValueError("holds half of a surrogate pair")
    return value


def _not_too_long(value: str) -> str:
    if len(value) > GREATEST_TEXT:
        raise ValueError(f"has {len(value):,} characters; at most {GREATEST_TEXT:,} are taken")
    return value


def _any_dict(value: object) -> object:
    return value if isinstance(value, dict) else {}


def _any_list(value: object) -> object:
    return value if isinstance(value, list) else []


Id = Annotated[int, BeforeValidator(_read_id), Field(ge=1, le=GREATEST_ID)]
Time = Annotated[AwareDatetime, BeforeValidator(_read_time), AfterValidator(_in_utc)]
Text = Annotated[str, AfterValidator(_storable), AfterValidator(_not_too_long)]
# What only decorates an event must not keep the message from coming in.
Loose = Annotated[dict[str, Any], BeforeValidator(_any_dict)]
LooseList = Annotated[list[Any], BeforeValidator(_any_list)]


class _Part(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)


class _Numbered(_Part):
    id: Id


class _Kind(_Part):
    event: str


class _Envelope(_Part):
    message_type: str
    private: bool | None = None
    account: _Numbered
    inbox: _Numbered
    sender: Loose = Field(default_factory=dict)
    content_attributes: Loose = Field(default_factory=dict)

    def kind(self) -> EventKind | None:
        """Whose message it is; None for what neither the fan nor a person of the team wrote."""
        if self.private:
            return None
        if self.message_type == "incoming":
            return EventKind.MESSAGE
        if self.message_type != "outgoing" or self.content_attributes.get(MARK) is not None:
            return None
        by_rule = self.content_attributes.get("automation_rule_id") is not None
        by_person = self.sender.get("type") == "user" and not by_rule
        return EventKind.CREATOR_MESSAGE if by_person else None


class _Person(_Part):
    id: Id
    name: Any = None


class _Meta(_Part):
    sender: _Person


class _Conversation(_Part):
    id: Id


class _ConversationWithFan(_Conversation):
    meta: _Meta


class _Message(_Part):
    id: Id
    created_at: Time
    content: Text | None = None
    attachments: LooseList = Field(default_factory=list)

    def event(self, kind: EventKind, conversation: int, fan: _Person) -> InboundEvent | None:
        if not (text := self._text()):
            return None
        handle = f"chatwoot:{fan.id}"
        return InboundEvent(
            event_id=f"message_created:{self.id}",
            kind=kind,
            fan_handle=handle,
            fan_display_name=_name(fan.name) or handle,
            conversation_ref=str(conversation),
            occurred_at=self.created_at,
            message_ref=str(self.id),
            text=text,
        )

    def _text(self) -> str:
        """What was written, and a word for each attachment, which stays in Chatwoot."""
        written = self.content or ""
        files = [_label(file) for file in self.attachments[:_MOST_ATTACHMENTS]]
        parts = ([written] if written.strip() else []) + ([" ".join(files)] if files else [])
        return "\n".join(parts)


class _FromFan(_Message):
    sender: _Person
    conversation: _Conversation


class _FromTeam(_Message):
    conversation: _ConversationWithFan


def _name(value: object) -> str:
    """A contact's name as one line that can be stored. Fans choose it, so nothing is refused."""
    if not isinstance(value, str):
        return ""
    kept = "".join(" " if not character.isprintable() else character for character in value)
    return " ".join(kept.split())[:LONGEST_NAME].strip()


def _label(attachment: object) -> str:
    kind = attachment.get("file_type") if isinstance(attachment, dict) else None
    return f"[{kind}]" if isinstance(kind, str) and _FILE_TYPE.fullmatch(kind) else "[file]"


def read_events(raw_body: bytes, *, account_id: int, inbox_id: int) -> tuple[InboundEvent, ...]:
    """The event in one body (UTF-8 JSON), or () when it does not concern this inbox.

    Raises `InvalidInput` with a path for each bad field, and for another account: a webhook of
    Chatwoot belongs to one account, so that is a wrong setting and no message of ours.
    """
    try:
        body = json.loads(raw_body.decode("utf-8"))
    except (ValueError, RecursionError):
        raise InvalidInput(FieldProblem("body", "is not JSON in UTF-8")) from None
    try:
        if _Kind.model_validate(body).event != "message_created":
            return ()
        envelope = _Envelope.model_validate(body)
        if envelope.account.id != account_id:
            raise InvalidInput(
                FieldProblem(
                    "account.id", f"is {envelope.account.id}, but account {account_id} is set up"
                )
            )
        if envelope.inbox.id != inbox_id or (kind := envelope.kind()) is None:
            return ()
        event = _read_message(body, kind)
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False)
        raise InvalidInput(*map(_problem, details)) from None
    return () if event is None else (event,)


def _read_message(body: object, kind: EventKind) -> InboundEvent | None:
    if kind is EventKind.MESSAGE:
        written = _FromFan.model_validate(body)
        return written.event(kind, written.conversation.id, written.sender)
    answered = _FromTeam.model_validate(body)
    return answered.event(kind, answered.conversation.id, answered.conversation.meta.sender)


def _problem(detail: ErrorDetails) -> FieldProblem:
    field = ".".join(str(part)[:60] for part in detail["loc"]) or "body"
    field = field.encode("ascii", "backslashreplace").decode()
    match detail["type"]:
        case "missing":
            return FieldProblem(field, "is missing")
        case "model_type" | "dict_type":
            return FieldProblem(field, "is not a JSON object")
        case "value_error":
            return FieldProblem(field, str(detail["ctx"]["error"]))
        case _:
            return FieldProblem(field, detail["msg"][:1].lower() + detail["msg"][1:])


def write_message(message: OutboundMessage) -> bytes:
    """The body of one public, outgoing message: ASCII JSON, marked with our own id."""
    return json.dumps(
        {
            "content": message.text,
            "message_type": "outgoing",
            "private": False,
            "content_type": "text",
            "content_attributes": {MARK: str(message.id)},
        },
        separators=(",", ":"),
    ).encode()


def read_answer(raw_body: bytes) -> str:
    """Chatwoot's id for a message that it took; "" where the answer holds none."""
    found = _object(raw_body).get("id")
    if isinstance(found, bool) or not isinstance(found, int):
        return ""
    return str(found) if 1 <= found <= GREATEST_ID else ""


def read_error(raw_body: bytes) -> str:
    """What Chatwoot says is wrong, for telling its kind apart; "" where it says nothing."""
    found = _object(raw_body).get("error")
    return found if isinstance(found, str) else ""


def _object(raw_body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(raw_body.decode("utf-8"))
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def unsendable(message: OutboundMessage, longest_text: int) -> str | None:
    """Why a message cannot go over this channel, or None."""
    reference = message.conversation_ref
    if not (reference.isascii() and reference.isdigit() and 0 < len(reference) < 20):
        return "The conversation is not one of Chatwoot's: its reference is not a number."
    if message.price is not None:
        return "Chatwoot takes no prices. Send the message without one."
    if message.media_ids:
        return "Media cannot be sent over this channel. Send the message without them."
    try:
        text = _storable(message.text)
    except ValueError as problem:
        return f"The text {problem}."
    if not text.strip():
        return "The text is empty."
    if len(text) > longest_text:
        return f"The text has {len(text):,} characters; at most {longest_text:,} are taken."
    # Chatwoot fills in outgoing text as a Liquid template: other words than the ones that were
    # approved would reach the fan.
    if any(sign in text for sign in _TEMPLATE_SIGNS):
        return "The text holds {{ or {%, which Chatwoot would replace. Write it without them."
    return None
