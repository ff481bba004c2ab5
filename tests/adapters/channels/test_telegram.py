"""The Telegram channel against a Bot API on loopback."""

import asyncio
import json
import logging
import socket
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stubs import telegram as stubs
from stubs.telegram import BOT_ID, BOT_TOKEN, TelegramStub, serve_telegram_stub
from tests.adapters.channels.platform import serve_platform
from vaultcrm.adapters.channels.telegram import TelegramChannel
from vaultcrm.domain.channels import (
    Channel,
    EventKind,
    InboundEvent,
    OutboundMessage,
    SendErrorKind,
    SendResult,
    SendStatus,
)
from vaultcrm.domain.errors import InvalidInput, LimitExceeded, VaultError, WebhookRejected
from vaultcrm.domain.ids import new_id
from vaultcrm.domain.money import Money

SECRET = "a_secret-of_enough-characters"
HEADER = "X-Telegram-Bot-Api-Secret-Token"
NOWHERE = "http://127.0.0.1:9"
FAN = 1088
PHOTO = "photo:AgACAgIAAxkBAAIB"
VIDEO = "video:BAACAgIAAxkBAAIC"


def channel(url: str = NOWHERE, timeout: float = 10.0) -> TelegramChannel:
    return TelegramChannel(
        bot_token=BOT_TOKEN, webhook_secret=SECRET, base_url=url, timeout_seconds=timeout
    )


# --- setting up -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"bot_token": ""}, "botToken"),
        ({"bot_token": "123456789"}, "botToken"),
        ({"bot_token": f"bot{BOT_TOKEN}"}, "botToken"),
        ({"bot_token": f"{BOT_TOKEN}\n"}, "botToken"),
        ({"bot_token": f"{BOT_TOKEN}/../getMe"}, "botToken"),
        ({"webhook_secret": "short"}, "webhookSecret"),
        ({"webhook_secret": "x" * 257}, "webhookSecret"),
        ({"webhook_secret": "a secret with spaces in it"}, "webhookSecret"),
        ({"webhook_secret": "ein_geheimnis_mit_umlaut_ä"}, "webhookSecret"),
        ({"base_url": "ftp://example.org"}, "baseUrl"),
        ({"base_url": "api.telegram.org"}, "baseUrl"),
        ({"base_url": "https://user:pass@example.org"}, "baseUrl"),
        ({"base_url": "https://example.org/?a=b"}, "baseUrl"),
        ({"base_url": "https://example.org:99999"}, "baseUrl"),
        ({"timeout_seconds": 0}, "timeoutSeconds"),
        ({"timeout_seconds": float("nan")}, "timeoutSeconds"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named_and_not_repeated(
    changes: dict[str, Any], field: str
) -> None:
    settings: dict[str, Any] = {"bot_token": BOT_TOKEN, "webhook_secret": SECRET}
    with pytest.raises(InvalidInput) as caught:
        TelegramChannel(**(settings | changes))
    (problem,) = caught.value.problems
    assert problem.field == field
    assert BOT_TOKEN not in str(caught.value)


def test_it_says_what_telegram_can_do() -> None:
    opened: Channel = channel()
    capabilities = opened.capabilities
    assert opened.name == "telegram"
    assert not capabilities.idempotent_sends
    assert capabilities.price_needs_media
    assert capabilities.longest_text == 4_096
    assert capabilities.least_price == Money(1, "XTR")
    assert capabilities.greatest_price == Money(25_000, "XTR")
    assert capabilities.unsend_seconds == 0


def test_a_channel_may_be_closed_unused_and_twice() -> None:
    async def run() -> None:
        opened = channel()
        await opened.aclose()
        await opened.aclose()

    asyncio.run(run())


# --- verify ---------------------------------------------------------------------------------------


def test_an_update_with_our_secret_passes() -> None:
    channel().verify({HEADER: SECRET}, b"{}")


def test_the_name_of_the_header_is_compared_without_regard_to_case() -> None:
    channel().verify({HEADER.lower(): SECRET}, b"{}")
    channel().verify({HEADER.upper(): SECRET}, b"{}")


@pytest.mark.parametrize("headers", [{}, {HEADER: ""}, {"X-Other": SECRET}])
def test_an_update_without_a_secret_is_rejected_and_the_header_named(
    headers: dict[str, str],
) -> None:
    with pytest.raises(WebhookRejected, match=HEADER):
        channel().verify(headers, b"{}")


@pytest.mark.parametrize(
    "given_secret", [SECRET[:-1], f"{SECRET}x", SECRET.upper(), f" {SECRET}", f"{SECRET},{SECRET}"]
)
def test_an_update_with_another_secret_is_rejected(given_secret: str) -> None:
    with pytest.raises(WebhookRejected):
        channel().verify({HEADER: given_secret}, b"{}")


def test_two_secrets_are_not_one() -> None:
    with pytest.raises(WebhookRejected):
        channel().verify({HEADER: SECRET, HEADER.lower(): "another"}, b"{}")


@given(body=st.binary(max_size=50), secret=st.text(st.characters(exclude_categories=())))
def test_whatever_comes_without_the_secret_is_rejected_and_nothing_else_is_raised(
    body: bytes, secret: str
) -> None:
    with pytest.raises(WebhookRejected):
        channel().verify({HEADER: secret}, body)


def test_a_rejection_does_not_tell_the_secret() -> None:
    with pytest.raises(WebhookRejected) as caught:
        channel().verify({HEADER: "guess"}, b"{}")
    assert SECRET not in str(caught.value)
    assert "guess" not in str(caught.value)


# --- parse ----------------------------------------------------------------------------------------


def update(**fields: object) -> dict[str, Any]:
    """A message update; `fields` of the message are changed, those that are None left out."""
    message: dict[str, Any] = {
        "message_id": 12,
        "date": 1_793_527_200,
        "chat": {"id": FAN, "type": "private", "first_name": "Tom"},
        "from": {"id": FAN, "is_bot": False, "first_name": "Tom", "last_name": "Ford"},
        "text": "Hello",
    }
    merged = {name: value for name, value in (message | fields).items() if value is not None}
    return {"update_id": 7, "message": merged}


def parse(body: object) -> tuple[InboundEvent, ...]:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return channel().parse(raw)


def parse_one(body: object) -> InboundEvent:
    (event,) = parse(body)
    return event


def problems(body: object) -> dict[str, str]:
    with pytest.raises(InvalidInput) as caught:
        parse(body)
    return {problem.field: problem.reason for problem in caught.value.problems}


def test_a_private_message_is_an_event_in_our_words() -> None:
    assert parse_one(update()) == InboundEvent(
        event_id=f"{BOT_ID}:7:12",
        kind=EventKind.MESSAGE,
        fan_handle="tg:1088",
        fan_display_name="Tom Ford",
        conversation_ref="1088",
        occurred_at=datetime(2026, 11, 1, 10, 0, tzinfo=UTC),
        message_ref=f"{BOT_ID}:12",
        text="Hello",
    )


def test_a_redelivered_update_has_the_same_event_id_and_another_update_another() -> None:
    assert parse(update()) == parse(update())
    other = update() | {"update_id": 8}
    assert parse_one(other).event_id != parse_one(update()).event_id


def test_an_update_number_that_telegram_draws_twice_is_not_taken_for_the_same_event() -> None:
    assert parse_one(update(message_id=13)).event_id != parse_one(update()).event_id


def test_messages_of_another_bot_are_not_taken_for_those_of_this_one() -> None:
    other = TelegramChannel(
        bot_token=BOT_TOKEN.replace(str(BOT_ID), "987654321"), webhook_secret=SECRET
    )
    raw = json.dumps(update()).encode()
    (theirs,), (ours,) = other.parse(raw), channel().parse(raw)
    assert theirs.event_id != ours.event_id
    assert theirs.message_ref != ours.message_ref


def test_a_text_in_any_script_is_taken_unchanged() -> None:
    text = "\n🌻 مرحبا \t" + "y" * 4_000
    assert parse_one(update(text=text)).text == text


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"photo": [{"file_id": "AgAC"}], "caption": "me today"}, "[photo] me today"),
        ({"photo": [{"file_id": "AgAC"}]}, "[photo]"),
        ({"voice": {"file_id": "AwAC", "duration": 3}}, "[voice]"),
        ({"sticker": {"file_id": "CAAC", "emoji": "😂"}}, "[sticker] 😂"),
        ({"sticker": {"file_id": "CAAC"}}, "[sticker]"),
        ({"video": {"file_id": "BAAC"}, "caption": "look"}, "[video] look"),
        ({"video_note": {"file_id": "DQAC"}}, "[video note]"),
        ({"animation": {"file_id": "CgAC"}, "document": {"file_id": "CgAC"}}, "[animation]"),
        ({"venue": {"title": "Bar"}, "location": {"latitude": 1.0}}, "[venue]"),
        ({"document": {"file_id": "BQAC", "file_name": "x.pdf"}}, "[document]"),
        ({"contact": {"phone_number": "+15550100", "first_name": "Al"}}, "[contact]"),
    ],
)
def test_what_is_not_text_is_told_in_brackets(fields: dict[str, object], text: str) -> None:
    event = parse_one(update(text=None, **fields))
    assert (event.kind, event.text) == (EventKind.MESSAGE, text)


@pytest.mark.parametrize(
    ("sender", "name"),
    [
        ({"first_name": "Tom"}, "Tom"),
        ({"first_name": " Tom \n\0\x7f Ford "}, "Tom Ford"),
        ({"first_name": "T\ud800om"}, "T om"),
        ({"first_name": "", "username": "tom88"}, "tom88"),
        ({"first_name": "\n"}, "tg:1088"),
        ({"first_name": "👩‍🚀 Ada"}, "👩‍🚀 Ada"),
        ({"first_name": "x" * 300}, "x" * 100),
    ],
)
def test_a_name_of_any_kind_is_made_one_storable_line(sender: dict[str, object], name: str) -> None:
    body = update(**{"from": {"id": FAN, "is_bot": False} | sender})
    assert parse_one(body).fan_display_name == name


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(
            update(chat={"id": -100, "type": "group", "title": "Friends"}), id="of a group"
        ),
        pytest.param(
            update(chat={"id": -100, "type": "supergroup"}, **{"from": None}, text="\0"),
            id="of a supergroup, whatever it holds",
        ),
        pytest.param(update(**{"from": {"id": 5, "is_bot": True, "first_name": "B"}}), id="a bot"),
        pytest.param(update(text=None, pinned_message={"message_id": 3}), id="service message"),
        pytest.param(update(text=" \n "), id="blank text"),
        pytest.param({"update_id": 7, "edited_message": update()["message"]}, id="an edit"),
        pytest.param({"update_id": 7, "business_message": update()["message"]}, id="business"),
        pytest.param({"update_id": 7, "business_connection": {"id": "x"}}, id="connection"),
        pytest.param({"update_id": 7, "my_chat_member": {"chat": {}}}, id="blocked or unblocked"),
        pytest.param({"update_id": 7, "something_new": [1]}, id="an update we do not know"),
        pytest.param({"update_id": 7}, id="nothing"),
    ],
)
def test_what_does_not_concern_us_gives_no_event(body: dict[str, Any]) -> None:
    assert parse(body) == ()


@pytest.mark.parametrize(
    ("fields", "field", "said"),
    [
        ({"message_id": None}, "message.message_id", "is missing"),
        ({"message_id": "12"}, "message.message_id", "integer"),
        ({"message_id": True}, "message.message_id", "integer"),
        ({"message_id": 2**53}, "message.message_id", "less than"),
        ({"date": None}, "message.date", "is missing"),
        ({"date": 10**30}, "message.date", "less than"),
        ({"date": -1}, "message.date", "greater than"),
        ({"date": 1.5}, "message.date", "integer"),
        ({"chat": None}, "message.chat", "is missing"),
        ({"chat": {"type": "private"}}, "message.chat.id", "is missing"),
        ({"chat": {"id": -5, "type": "private"}}, "message.chat.id", "greater than"),
        ({"chat": "private"}, "message.chat", "is not an object"),
        ({"from": None}, "message.from", "is missing"),
        ({"from": {"id": FAN}}, "message.from.is_bot", "is missing"),
        ({"text": "a\0b"}, "message.text", "NUL"),
        ({"text": "a\ud800b"}, "message.text", "surrogate"),
        ({"text": "x" * 10_001}, "message.text", "10,001 characters"),
        ({"text": 7}, "message.text", "string"),
        ({"text": None, "photo": [{}], "caption": "\0"}, "message.caption", "NUL"),
        ({"text": None, "sticker": {"emoji": "\udfff"}}, "message.sticker.emoji", "surrogate"),
    ],
)
def test_a_bad_field_of_a_private_message_is_named_by_its_path(
    fields: dict[str, object], field: str, said: str
) -> None:
    found = problems(update(**fields))
    assert list(found) == [field]
    assert said in found[field]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"", "body"),
        (b"{", "body"),
        (b"\xff\xfe", "body"),
        (b"[" * 100_000, "body"),
        (b"1" * 9_999, "body"),
        (b"null", "body"),
        (b"[]", "body"),
        (b'{"hello": "world"}', "update_id"),
        (b'{"update_id": -1}', "update_id"),
        (b'{"update_id": 7, "message": 5}', "message"),
        (b'{"update_id": 7, "purchased_paid_media": []}', "purchased_paid_media"),
    ],
)
def test_a_body_that_is_no_update_is_refused(body: bytes, field: str) -> None:
    assert list(problems(body)) == [field]


def test_a_refusal_does_not_repeat_what_the_fan_wrote() -> None:
    with pytest.raises(InvalidInput) as caught:
        parse(update(text="zebra\0" * 3))
    assert "zebra" not in str(caught.value)


def purchase(payload: object, **sender: object) -> dict[str, Any]:
    buyer = {"id": FAN, "is_bot": False, "first_name": "Tom"} | sender
    return {
        "update_id": 8,
        "purchased_paid_media": {"from": buyer, "paid_media_payload": payload},
    }


def test_a_purchase_of_what_we_offered_tells_message_price_and_fan() -> None:
    message_id = new_id()
    before = datetime.now(UTC)
    event = parse_one(purchase(f"vaultcrm:{message_id}:250"))
    assert before <= event.occurred_at <= datetime.now(UTC)
    assert (event.kind, event.amount) == (EventKind.PURCHASE, Money(250, "XTR"))
    assert event.message_ref == str(message_id)
    assert (event.fan_handle, event.conversation_ref) == ("tg:1088", "1088")
    assert event.event_id == f"{BOT_ID}:8:{message_id}"


@pytest.mark.parametrize(
    "payload",
    [
        "",
        "somebody else's",
        "vaultcrm:not-a-uuid:250",
        f"vaultcrm:{UUID(int=1)}:0",
        f"vaultcrm:{UUID(int=1)}:25001",
        f"vaultcrm:{UUID(int=1)}:99999999999",
        f"vaultcrm:{UUID(int=1)}:٣",
        f"vaultcrm:{UUID(int=1)}:250\n",
        f"VAULTCRM:{UUID(int=1)}:250",
    ],
)
def test_a_purchase_of_what_another_program_sold_gives_no_event(payload: str) -> None:
    assert parse(purchase(payload)) == ()


def test_a_purchase_without_its_payload_or_buyer_is_refused() -> None:
    assert list(problems(purchase(None))) == ["purchased_paid_media.paid_media_payload"]
    assert list(problems(purchase("x", id="1088"))) == ["purchased_paid_media.from.id"]


ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=20)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ANY_TEXT, inner, max_size=4),
    max_leaves=8,
)
PLACES = st.sampled_from(
    [
        *("message_id", "date", "chat", "from", "text", "caption", "photo", "sticker", "voice"),
        *("animation", "unknown"),
    ]
)


@given(fields=st.dictionaries(PLACES, JSON, max_size=4), payload=JSON, key=ANY_TEXT, value=JSON)
def test_any_json_gives_storable_events_or_is_refused_and_nothing_else_is_raised(
    fields: dict[str, object], payload: object, key: str, value: object
) -> None:
    for body in (
        update(**fields),
        update(**fields) | {key: value},
        purchase(payload) | {key: value},
        update(text=None, sticker=value),
        purchase("x") | {"purchased_paid_media": value},
        value,
    ):
        try:
            events = parse(body)
        except InvalidInput as refused:
            str(refused).encode("ascii")
            continue
        for event in events:
            for text in (event.text, event.fan_display_name, event.fan_handle, event.event_id):
                assert text.strip()
                assert "\0" not in text
                text.encode()


@given(raw=st.binary(max_size=300))
def test_any_bytes_are_parsed_or_refused_and_nothing_else_is_raised(raw: bytes) -> None:
    try:
        assert isinstance(parse(raw), tuple)
    except InvalidInput as refused:
        str(refused).encode("ascii")


# --- send -----------------------------------------------------------------------------------------


@pytest.fixture
def stub() -> Iterator[TelegramStub]:
    with serve_telegram_stub() as served:
        yield served


def outbound(**changes: object) -> OutboundMessage:
    fields: dict[str, Any] = {
        "id": new_id(),
        "creator_id": new_id(),
        "conversation_id": new_id(),
        "conversation_ref": str(FAN),
        "fan_handle": f"tg:{FAN}",
        "text": "Hi Tom 🌻",
    }
    return OutboundMessage(**(fields | changes))


def send_all(url: str, *messages: OutboundMessage, timeout: float = 10.0) -> list[SendResult]:
    async def run() -> list[SendResult]:
        opened = channel(url, timeout)
        try:
            return [await opened.send(message) for message in messages]
        finally:
            await opened.aclose()

    return asyncio.run(run())


def send(url: str, message: OutboundMessage | None = None, timeout: float = 10.0) -> SendResult:
    (result,) = send_all(url, message or outbound(), timeout=timeout)
    return result


def test_a_text_goes_out_plain_and_without_a_preview_of_links(stub: TelegramStub) -> None:
    result = send(stub.url, outbound(text="*Hi* <b>Tom</b> https://example.org"))
    (taken,) = stub.accepted
    assert (taken.method, taken.parameters) == (
        "sendMessage",
        {
            "chat_id": FAN,
            "text": "*Hi* <b>Tom</b> https://example.org",
            "link_preview_options": {"is_disabled": True},
        },
    )
    assert result == SendResult(SendStatus.SENT, message_id=f"{BOT_ID}:{taken.ids[0]}")


def test_media_with_a_price_go_out_as_paid_media_that_name_our_message(
    stub: TelegramStub,
) -> None:
    message = outbound(price=Money(250, "XTR"), media_ids=(PHOTO, VIDEO))
    result = send(stub.url, message)
    (taken,) = stub.accepted
    assert (taken.method, taken.parameters) == (
        "sendPaidMedia",
        {
            "chat_id": FAN,
            "star_count": 250,
            "media": [
                {"type": "photo", "media": PHOTO.removeprefix("photo:")},
                {"type": "video", "media": VIDEO.removeprefix("video:")},
            ],
            "payload": f"vaultcrm:{message.id}:250",
            "protect_content": True,
            "caption": "Hi Tom 🌻",
        },
    )
    assert result == SendResult(SendStatus.SENT, message_id=str(message.id))


def test_the_purchase_of_a_sent_message_is_told_under_the_id_that_sending_gave(
    stub: TelegramStub,
) -> None:
    result = send(stub.url, outbound(price=Money(250, "XTR"), media_ids=(PHOTO,)))
    event = parse_one(stub.purchase(stub.accepted[0]))
    assert event.message_ref == result.message_id
    assert event.amount == Money(250, "XTR")


@pytest.mark.parametrize(
    ("media_id", "method", "name"), [(PHOTO, "sendPhoto", "photo"), (VIDEO, "sendVideo", "video")]
)
def test_one_free_medium_goes_out_with_its_text(
    stub: TelegramStub, media_id: str, method: str, name: str
) -> None:
    send(stub.url, outbound(media_ids=(media_id,)))
    (taken,) = stub.accepted
    file_id = media_id.partition(":")[2]
    assert (taken.method, taken.parameters) == (
        method,
        {"chat_id": FAN, name: file_id, "caption": "Hi Tom 🌻"},
    )


def test_several_free_media_go_out_as_one_group_under_the_id_of_the_first(
    stub: TelegramStub,
) -> None:
    result = send(stub.url, outbound(media_ids=(PHOTO, VIDEO), text="two"))
    (taken,) = stub.accepted
    assert taken.method == "sendMediaGroup"
    assert [item.get("caption") for item in taken.parameters["media"]] == ["two", None]
    assert result.message_id == f"{BOT_ID}:{taken.ids[0]}"


def test_media_may_go_without_text(stub: TelegramStub) -> None:
    assert send(stub.url, outbound(media_ids=(PHOTO,), text="")).status is SendStatus.SENT
    assert "caption" not in stub.accepted[0].parameters


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"text": ""}, "empty"),
        ({"text": " \n "}, "empty"),
        ({"text": "a\0b"}, "NUL"),
        ({"text": "a\ud800b"}, "surrogate"),
        ({"text": "x" * 4_097}, "4,097"),
        ({"text": "🌻" * 2_049}, "4,098"),
        ({"text": "x" * 1_025, "media_ids": (PHOTO,)}, "1,024 beside media"),
        ({"conversation_ref": "-100123"}, "private"),
        ({"conversation_ref": "@channel"}, "private"),
        ({"conversation_ref": "1088\n"}, "private"),
        ({"conversation_ref": "١"}, "private"),
        ({"price": Money(250, "XTR")}, "photos and videos only"),
        ({"price": Money(250, "USD"), "media_ids": (PHOTO,)}, "Stars"),
        ({"price": Money(0, "XTR"), "media_ids": (PHOTO,)}, "Stars"),
        ({"price": Money(25_001, "XTR"), "media_ids": (PHOTO,)}, "25,000"),
        ({"media_ids": (PHOTO,) * 11}, "at most 10"),
        ({"media_ids": ("AgACAgIAAxkBAAIB",)}, "photo:<file_id>"),
        ({"media_ids": ("audio:AgACAgIAAxkBAAIB",)}, "photo:<file_id>"),
        ({"media_ids": ("photo:https://example.org/x",)}, "photo:<file_id>"),
        ({"media_ids": (PHOTO, "video:")}, "photo:<file_id>"),
    ],
)
def test_what_telegram_cannot_take_is_invalid_and_is_not_sent(
    stub: TelegramStub, changes: dict[str, object], said: str
) -> None:
    result = send(stub.url, outbound(**changes))
    assert (result.status, result.error_kind) == (SendStatus.FAILED, SendErrorKind.INVALID)
    assert said in result.error
    assert stub.calls == []


@pytest.mark.parametrize(
    "changes",
    [
        {"text": "x" * 4_096},
        {"text": "🌻" * 2_048},
        {"text": "x" * 1_024, "media_ids": (PHOTO,)},
        {"price": Money(1, "XTR"), "media_ids": (PHOTO,)},
        {"price": Money(25_000, "XTR"), "media_ids": (VIDEO,) * 10},
        {"media_ids": (PHOTO,) * 10},
    ],
)
def test_what_is_just_within_the_limits_is_taken(
    stub: TelegramStub, changes: dict[str, object]
) -> None:
    assert send(stub.url, outbound(**changes)).status is SendStatus.SENT


def test_an_error_does_not_repeat_the_text() -> None:
    assert "zebra" not in send(NOWHERE, outbound(text="zebra " * 5_000)).error


# --- what is refused is not sent, and says why ----------------------------------------------------


def test_too_many_messages_wait_as_long_as_telegram_says(stub: TelegramStub) -> None:
    stub.behave(stubs.RateLimited(37))
    result = send(stub.url)
    assert (result.status, result.error_kind) == (SendStatus.FAILED, SendErrorKind.RATE_LIMITED)
    assert result.retry_after == 37
    assert stub.accepted == []


@pytest.mark.parametrize(
    ("step", "kind"),
    [
        (stubs.REFUSED_CREDENTIALS, SendErrorKind.AUTH),
        (stubs.Refuse(404, "Not Found"), SendErrorKind.AUTH),
        (stubs.BLOCKED, SendErrorKind.POLICY),
        (stubs.Refuse(403, "Forbidden: user is deactivated"), SendErrorKind.POLICY),
        (stubs.Refuse(400, "Bad Request: chat not found"), SendErrorKind.INVALID),
        (stubs.Refuse(413, "Request Entity Too Large"), SendErrorKind.INVALID),
        (stubs.Answer(200, '{"ok": false, "error_code": 403}'), SendErrorKind.POLICY),
        (stubs.Answer(200, '{"ok": false}'), SendErrorKind.INVALID),
        (stubs.Answer(403, "<html>"), SendErrorKind.POLICY),
    ],
)
def test_a_refusal_is_final_and_of_its_kind(
    stub: TelegramStub, step: stubs.Step, kind: SendErrorKind
) -> None:
    stub.behave(step)
    result = send(stub.url)
    assert (result.status, result.error_kind) == (SendStatus.FAILED, kind)
    assert result.retry_after is None
    assert stub.accepted == []


def test_telegrams_own_words_are_shown_short_and_on_one_line(stub: TelegramStub) -> None:
    stub.behave(stubs.Refuse(400, "Bad Request:\n chat\0 not found. " + "x" * 9_000))
    error = send(stub.url).error
    assert "(400: Bad Request: chat not found. x" in error
    assert "\0" not in error
    assert "\n" not in error
    assert len(error) < 300


def test_a_token_that_telegram_does_not_know_is_an_error_of_credentials() -> None:
    with serve_telegram_stub(token=f"{BOT_ID}:another_token_of_thirty_five_charac") as stub:
        result = send(stub.url)
    assert result.error_kind is SendErrorKind.AUTH


@pytest.mark.parametrize(
    "parameters",
    [
        "null",
        "[]",
        "{}",
        '{"retry_after": "soon"}',
        '{"retry_after": -1}',
        '{"retry_after": true}',
        '{"retry_after": 1.5}',
    ],
)
def test_a_wait_that_makes_no_sense_is_left_out(stub: TelegramStub, parameters: str) -> None:
    stub.behave(stubs.Answer(429, f'{{"ok": false, "parameters": {parameters}}}'))
    result = send(stub.url)
    assert (result.error_kind, result.retry_after) == (SendErrorKind.RATE_LIMITED, None)


def test_an_endless_wait_is_a_number_all_the_same(stub: TelegramStub) -> None:
    many = "9" * 400
    stub.behave(stubs.Answer(429, f'{{"ok": false, "parameters": {{"retry_after": {many}}}}}'))
    assert send(stub.url).retry_after == 1e9


def test_a_redirect_is_not_followed(stub: TelegramStub) -> None:
    with serve_platform() as elsewhere:
        stub.behave(stubs.Answer(307, location=elsewhere.url))
        result = send(stub.url)
        assert elsewhere.taken == []
    assert (result.status, result.error_kind) == (SendStatus.FAILED, SendErrorKind.INVALID)


# --- what certainly did not arrive is tried again, what may have arrived is not -------------------


def test_a_connection_that_could_not_be_made_is_tried_again() -> None:
    with closing(socket.socket()) as bound:
        bound.bind(("127.0.0.1", 0))
        result = send(f"http://127.0.0.1:{bound.getsockname()[1]}")
    assert (result.status, result.error_kind) == (SendStatus.FAILED, SendErrorKind.RETRYABLE)


def test_an_unknown_host_is_tried_again() -> None:
    result = send(f"http://{'a' * 64}.invalid")
    assert (result.status, result.error_kind) == (SendStatus.FAILED, SendErrorKind.RETRYABLE)


def test_an_encrypted_connection_that_is_never_answered_is_tried_again() -> None:
    with closing(socket.socket()) as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        result = send(f"https://127.0.0.1:{silent.getsockname()[1]}", timeout=0.6)
    assert (result.status, result.error_kind) == (SendStatus.FAILED, SendErrorKind.RETRYABLE)


def test_an_encrypted_connection_that_cannot_be_agreed_on_is_tried_again(
    stub: TelegramStub,
) -> None:
    result = send(stub.url.replace("http:", "https:"))
    assert (result.status, result.error_kind) == (SendStatus.FAILED, SendErrorKind.RETRYABLE)


@pytest.mark.parametrize(
    ("step", "arrived"),
    [
        (stubs.FailBefore(500), 0),
        (stubs.FailBefore(502), 0),
        (stubs.FailAfter(500), 1),
        (stubs.FailAfter(504), 1),
        (stubs.HangAfter(), 1),
        (stubs.DropAfter(), 1),
        (stubs.DropAfter(reset=True), 1),
        (stubs.CutAfter(), 1),
        (stubs.Answer(200, "<html>Welcome to the proxy</html>"), 0),
        (stubs.Answer(200, '{"ok": "yes"}'), 0),
        (stubs.Answer(200, '{"ok": true}', padding=300_000), 0),
        (stubs.Answer(200, '{"ok": false, "error_code": 500}'), 0),
        (stubs.Answer(502, "<html>Bad Gateway</html>"), 0),
    ],
)
def test_a_message_that_may_have_been_taken_is_uncertain_and_never_tried_again(
    stub: TelegramStub, step: stubs.Step, arrived: int
) -> None:
    stub.behave(step)
    result = send(stub.url, timeout=2.0)
    assert (result.status, result.error_kind) == (SendStatus.UNCERTAIN, None)
    assert result.error
    assert len(stub.accepted) == arrived
    assert len(stub.calls) == 1


@pytest.mark.parametrize("result", ["null", "7", "[]", '{"message_id": "7"}', '{"message_id": -1}'])
def test_a_message_that_was_taken_without_a_usable_number_is_sent(
    stub: TelegramStub, result: str
) -> None:
    stub.behave(stubs.Answer(200, f'{{"ok": true, "result": {result}}}'))
    assert send(stub.url) == SendResult(SendStatus.SENT, message_id="")


def test_what_goes_wrong_once_does_not_spoil_the_next_message(stub: TelegramStub) -> None:
    stub.behave(stubs.HangAfter(), stubs.DropAfter(), stubs.RateLimited(1))
    results = send_all(stub.url, *(outbound() for _ in range(4)), timeout=2.0)
    assert [result.status for result in results] == [
        SendStatus.UNCERTAIN,
        SendStatus.UNCERTAIN,
        SendStatus.FAILED,
        SendStatus.SENT,
    ]


def test_each_message_has_a_connection_of_its_own_that_nobody_can_have_closed(
    stub: TelegramStub,
) -> None:
    send_all(stub.url, outbound(), outbound(), outbound())
    assert len({call["port"] for call in stub.calls}) == 3


def test_the_token_is_in_no_log_and_no_error(
    stub: TelegramStub, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        stub.behave(stubs.REFUSED_CREDENTIALS, stubs.DropAfter())
        results = send_all(stub.url, outbound(), outbound(), outbound())
        results.append(send(NOWHERE))
    assert stub.accepted
    assert "sendMessage" in caplog.text
    secret_part = BOT_TOKEN.partition(":")[2]
    assert secret_part not in caplog.text
    assert not any(secret_part in result.error for result in results)


# --- the webhook ----------------------------------------------------------------------------------


def register(url: str, address: str) -> None:
    async def run() -> None:
        opened = channel(url)
        try:
            await opened.register_webhook(address)
        finally:
            await opened.aclose()

    asyncio.run(run())


def test_a_webhook_is_registered_with_our_secret_for_what_we_take(stub: TelegramStub) -> None:
    address = "https://crm.example.org/api/webhooks/telegram/mia"
    register(stub.url, address)
    assert stub.webhook == {
        "url": address,
        "secret_token": SECRET,
        "allowed_updates": ["message", "purchased_paid_media"],
    }


def test_what_telegram_posts_to_a_registered_webhook_verifies_and_parses(
    stub: TelegramStub,
) -> None:
    events: list[InboundEvent] = []
    first, second = stub.message(FAN, "one"), stub.message(FAN, "two")
    with serve_platform() as ours:
        register(stub.url, ours.url)
        assert stub.post(second, first, first) == [200, 200, 200]
        for taken in ours.taken:
            channel().verify(taken.headers, taken.body)
            events += channel().parse(taken.body)
    assert [event.text for event in events] == ["two", "one", "one"]
    assert len({event.event_id for event in events}) == 2


def test_an_address_that_telegram_refuses_is_named_with_its_reason(stub: TelegramStub) -> None:
    with pytest.raises(InvalidInput, match=r"url: .*HTTPS URL must be provided"):
        register(stub.url, "http://crm.example.org/hook")
    with pytest.raises(InvalidInput, match="url"):
        register(stub.url, "crm.example.org")


@pytest.mark.parametrize("status", [401, 404])
def test_a_refused_token_is_named_when_registering(stub: TelegramStub, status: int) -> None:
    stub.behave(stubs.Refuse(status, "no"))
    with pytest.raises(InvalidInput, match="botToken"):
        register(stub.url, "https://crm.example.org/hook")


def test_registering_says_when_to_try_again(stub: TelegramStub) -> None:
    stub.behave(stubs.RateLimited(9))
    with pytest.raises(LimitExceeded) as caught:
        register(stub.url, "https://crm.example.org/hook")
    assert caught.value.retry_after == 9


@pytest.mark.parametrize("step", [stubs.FailBefore(502), stubs.Answer(200, "<html>")])
def test_registering_with_a_faulty_telegram_is_an_error_that_says_so(
    stub: TelegramStub, step: stubs.Step
) -> None:
    stub.behave(step)
    with pytest.raises(VaultError, match="Telegram"):
        register(stub.url, "https://crm.example.org/hook")
    assert stub.webhook is None


def test_registering_without_a_connection_is_an_error_that_says_so() -> None:
    with pytest.raises(VaultError, match="could not be reached"):
        register(NOWHERE, "https://crm.example.org/hook")


# --- the stub as a process ------------------------------------------------------------------------


def test_a_stub_in_its_own_process_keeps_what_it_took_and_does_as_it_is_told() -> None:
    with stubs.telegram_stub_process() as stub:
        stub.behave(stubs.FailAfter(500))
        statuses = [send(stub.url).status for _ in range(2)]
        assert statuses == [SendStatus.UNCERTAIN, SendStatus.SENT]
        assert len(stub.accepted) == 2
        stub.behave(stubs.REFUSED_CREDENTIALS, forever=True)
        assert [send(stub.url).error_kind for _ in range(2)] == [SendErrorKind.AUTH] * 2
        stub.reset()
        assert send(stub.url).status is SendStatus.SENT
        assert len(stub.accepted) == 1
