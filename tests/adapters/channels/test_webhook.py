"""The generic webhook channel against real signatures and a platform on loopback."""

import asyncio
import base64
import json
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from tests.adapters.channels.platform import Answer, Platform, serve_platform
from vaultcrm.adapters.channels.webhook import WebhookChannel
from vaultcrm.domain.channels import (
    EventKind,
    InboundEvent,
    OutboundMessage,
    SendErrorKind,
    SendResult,
    SendStatus,
)
from vaultcrm.domain.errors import InvalidInput, WebhookRejected
from vaultcrm.domain.ids import new_id
from vaultcrm.domain.money import Money

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER_SECRET = "whsec_" + base64.b64encode(b"another secret of enough bytes").decode()
NOWHERE = "http://127.0.0.1:9/messages"


def message_body(**changes: object) -> dict[str, Any]:
    return {
        "type": "message.created",
        "id": "evt_1",
        "data": {
            "fan": {"handle": "tom88", "displayName": "Tom"},
            "conversation": "chat-17",
            "message": {"id": "m-1", "text": "Hello", "sentAt": "2026-11-01T10:00:00Z"},
        },
    } | changes


def purchase_body() -> dict[str, Any]:
    return {
        "type": "purchase.created",
        "id": "evt_2",
        "data": {
            "fan": {"handle": "tom88", "displayName": "Tom"},
            "conversation": "chat-17",
            "purchase": {
                "messageId": "m-9",
                "amountMinor": 2500,
                "currency": "USD",
                "purchasedAt": "2026-11-01T12:05:00+02:00",
            },
        },
    }


def changed(body: dict[str, Any], path: str, value: object) -> dict[str, Any]:
    """A copy of a body with one field set."""
    copy: dict[str, Any] = json.loads(json.dumps(body))
    at = copy
    *parents, last = path.split(".")
    for part in parents:
        at = at[part]
    at[last] = value
    return copy


def without(body: dict[str, Any], path: str) -> dict[str, Any]:
    copy = changed(body, path, None)
    at: Any = copy
    *parents, last = path.split(".")
    for part in parents:
        at = at[part]
    del at[last]
    return copy


def signed(
    body: bytes, *, secret: str = SECRET, at: datetime | None = None, event_id: str = "evt_1"
) -> dict[str, str]:
    moment = at or datetime.now(UTC)
    return {
        "webhook-id": event_id,
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": Webhook(secret).sign(event_id, moment, body.decode()),
    }


def channel(url: str = NOWHERE) -> WebhookChannel:
    return WebhookChannel(SECRET, url)


def parse(body: object) -> InboundEvent:
    (event,) = channel().parse(json.dumps(body).encode())
    return event


def problems(body: object) -> dict[str, str]:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    with pytest.raises(InvalidInput) as caught:
        channel().parse(raw)
    return {problem.field: problem.reason for problem in caught.value.problems}


# --- verify ---------------------------------------------------------------------------------------


BODY = json.dumps(message_body()).encode()


def test_a_body_that_was_signed_with_our_secret_passes() -> None:
    channel().verify(signed(BODY), BODY)


def test_header_names_are_compared_without_regard_to_case() -> None:
    channel().verify({name.title(): value for name, value in signed(BODY).items()}, BODY)


def test_one_right_signature_among_several_is_enough() -> None:
    headers = signed(BODY)
    other = signed(BODY, secret=OTHER_SECRET)["webhook-signature"]
    headers["webhook-signature"] = f"{other} v1a,AAAA {headers['webhook-signature']}"
    channel().verify(headers, BODY)


def test_a_body_that_was_changed_by_one_byte_is_rejected() -> None:
    with pytest.raises(WebhookRejected, match="signature"):
        channel().verify(signed(BODY), BODY.replace(b"Hello", b"Hellp"))


def test_a_signature_made_with_another_secret_is_rejected() -> None:
    with pytest.raises(WebhookRejected, match="signature"):
        channel().verify(signed(BODY, secret=OTHER_SECRET), BODY)


def test_a_signature_does_not_serve_for_another_event_id() -> None:
    with pytest.raises(WebhookRejected, match="signature"):
        channel().verify(signed(BODY) | {"webhook-id": "evt_2"}, BODY)


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_a_missing_or_empty_header_is_named(name: str) -> None:
    headers = signed(BODY)
    with pytest.raises(WebhookRejected, match=name):
        channel().verify(headers | {name: ""}, BODY)
    del headers[name]
    with pytest.raises(WebhookRejected, match=name):
        channel().verify(headers, BODY)


@pytest.mark.parametrize("minutes", [-6, 6])
def test_a_webhook_more_than_five_minutes_off_is_rejected(minutes: int) -> None:
    at = datetime.now(UTC) + timedelta(minutes=minutes)
    with pytest.raises(WebhookRejected, match="5 minutes"):
        channel().verify(signed(BODY, at=at), BODY)


@pytest.mark.parametrize("minutes", [-4, 4])
def test_a_webhook_less_than_five_minutes_off_passes(minutes: int) -> None:
    channel().verify(signed(BODY, at=datetime.now(UTC) + timedelta(minutes=minutes)), BODY)


@pytest.mark.parametrize("time", ["yesterday", "nan", "inf", "1e400", "0x10"])
def test_a_timestamp_that_is_no_time_is_rejected(time: str) -> None:
    with pytest.raises(WebhookRejected):
        channel().verify(signed(BODY) | {"webhook-timestamp": time}, BODY)


@pytest.mark.parametrize("signature", ["v1", "v1,", "v1,%%%", "v2,AAAA", "v1,é", "v1,a,b", " "])
def test_a_malformed_signature_is_rejected(signature: str) -> None:
    with pytest.raises(WebhookRejected):
        channel().verify(signed(BODY) | {"webhook-signature": signature}, BODY)


@given(
    body=st.binary(max_size=200),
    values=st.tuples(st.text(max_size=40), st.text(max_size=40), st.text(max_size=40)),
)
def test_whatever_comes_in_unsigned_is_rejected_and_nothing_else_is_raised(
    body: bytes, values: tuple[str, str, str]
) -> None:
    names = ("webhook-id", "webhook-timestamp", "webhook-signature")
    with pytest.raises(WebhookRejected):
        channel().verify(dict(zip(names, values, strict=True)), body)
    now = str(int(datetime.now(UTC).timestamp()))
    with pytest.raises(WebhookRejected):
        channel().verify(dict(zip(names, (values[0] or "x", now, values[2]), strict=True)), body)


# --- parse ----------------------------------------------------------------------------------------


def test_a_new_message_is_an_event_in_our_words() -> None:
    assert parse(message_body()) == InboundEvent(
        event_id="evt_1",
        kind=EventKind.MESSAGE,
        fan_handle="tom88",
        fan_display_name="Tom",
        conversation_ref="chat-17",
        occurred_at=datetime(2026, 11, 1, 10, 0, tzinfo=UTC),
        message_ref="m-1",
        text="Hello",
    )


@pytest.mark.parametrize(
    ("kind", "read"),
    [
        ({}, EventKind.REFUND),
        ({"kind": "refund"}, EventKind.REFUND),
        ({"kind": "chargeback"}, EventKind.CHARGEBACK),
    ],
)
def test_a_refund_names_its_message_and_what_was_taken_back(
    kind: dict[str, str], read: EventKind
) -> None:
    body = purchase_body()
    bought = body["data"].pop("purchase")
    bought["refundedAt"] = bought.pop("purchasedAt")
    found = parse(
        {**body, "type": "refund.created", "data": {**body["data"], "refund": bought | kind}}
    )
    assert (found.kind, found.message_ref) == (read, bought["messageId"])
    assert found.amount == Money(bought["amountMinor"], bought["currency"])


def test_a_purchase_carries_its_amount_and_its_time_in_utc() -> None:
    assert parse(purchase_body()) == InboundEvent(
        event_id="evt_2",
        kind=EventKind.PURCHASE,
        fan_handle="tom88",
        fan_display_name="Tom",
        conversation_ref="chat-17",
        occurred_at=datetime(2026, 11, 1, 10, 5, tzinfo=UTC),
        message_ref="m-9",
        amount=Money(2500, "USD"),
    )


def test_a_fan_without_a_name_goes_by_the_handle() -> None:
    assert parse(without(message_body(), "data.fan.displayName")).fan_display_name == "tom88"


def test_a_text_of_ten_thousand_characters_in_any_script_is_taken_unchanged() -> None:
    text = "\n🌻 مرحبا \t" + "y" * 9_990
    assert parse(changed(message_body(), "data.message.text", text[:10_000])).text == text[:10_000]


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("data.message.text", "", "is empty"),
        ("data.message.text", " \n\t", "is empty"),
        ("data.message.text", "x" * 10_001, "10,001 characters"),
        ("data.message.text", "a\0b", "NUL"),
        ("data.message.text", "a\ud800b", "surrogate"),
        ("data.message.text", 7, "string"),
        ("data.message.text", None, "string"),
        ("data.message.sentAt", "2026-11-01T10:00:00", "timezone"),
        ("data.message.sentAt", "yesterday", "RFC 3339"),
        ("data.message.sentAt", 1_790_000_000, "RFC 3339"),
        ("data.message.sentAt", "0001-01-01T00:00:00+14:00", "years"),
        ("data.message.sentAt", "9999-12-31T23:59:59-14:00", "years"),
        ("data.message.id", "x" * 201, "201 characters"),
        ("data.message.colour", "red", "not a field"),
        ("data.fan.handle", "", "is empty"),
        ("data.fan.handle", "tom\n88", "control character"),
        ("data.fan.handle", "x" * 101, "101 characters"),
        ("data.fan.displayName", "To\0m", "NUL"),
        ("data.fan", ["tom88"], "dictionary"),
        ("data.conversation", {"id": "chat-17"}, "string"),
        ("id", "", "is empty"),
        ("id", 1, "string"),
        ("unknown", True, "not a field"),
    ],
)
def test_a_bad_field_of_a_message_is_named_by_its_path(path: str, value: object, said: str) -> None:
    found = problems(changed(message_body(), path, value))
    assert list(found) == [path]
    assert said in found[path]


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("data.purchase.amountMinor", 0, "greater than 0"),
        ("data.purchase.amountMinor", -5, "greater than 0"),
        ("data.purchase.amountMinor", 10**30, "less than or equal"),
        ("data.purchase.amountMinor", 25.5, "integer"),
        ("data.purchase.amountMinor", "2500", "integer"),
        ("data.purchase.amountMinor", True, "integer"),
        ("data.purchase.currency", "usd", "three capital letters"),
        ("data.purchase.currency", "US\ud800", "surrogate"),
        ("data.purchase.purchasedAt", "2026-13-01T10:00:00Z", "RFC 3339"),
        ("data.purchase.messageId", "", "is empty"),
    ],
)
def test_a_bad_field_of_a_purchase_is_named_by_its_path(
    path: str, value: object, said: str
) -> None:
    found = problems(changed(purchase_body(), path, value))
    assert list(found) == [path]
    assert said in found[path]


@pytest.mark.parametrize(
    "path", ["id", "data", "data.fan", "data.fan.handle", "data.message.sentAt", "data.message.id"]
)
def test_a_missing_field_is_named_by_its_path(path: str) -> None:
    assert problems(without(message_body(), path)) == {path: "is missing"}


def test_all_bad_fields_are_named_at_once() -> None:
    body = changed(changed(message_body(), "data.message.text", ""), "id", "")
    assert set(problems(body)) == {"id", "data.message.text"}


@pytest.mark.parametrize("kind", ["message.deleted", "", None, 3, "\ud800", ["message.created"]])
def test_an_unknown_type_is_refused_with_the_types_there_are(kind: object) -> None:
    found = problems(message_body(type=kind))
    assert list(found) == ["type"]
    assert "message.created, purchase.created" in found["type"]


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"{", id="half"),
        pytest.param(b"\xff\xfe", id="not utf-8"),
        pytest.param(json.dumps(message_body()).encode("utf-16"), id="utf-16"),
        pytest.param(b"[" * 100_000, id="deep"),
        pytest.param(b"1" * 9_999, id="huge number"),
    ],
)
def test_a_body_that_is_not_json_in_utf_8_is_refused(raw: bytes) -> None:
    assert list(problems(raw)) == ["body"]


@pytest.mark.parametrize("raw", [b"null", b"[]", b'"text"', b"7", b"{}"])
def test_json_that_is_no_event_is_refused(raw: bytes) -> None:
    assert problems(raw)


def test_a_refusal_does_not_repeat_what_the_fan_wrote() -> None:
    body = changed(message_body(), "data.message.text", "zebra\0" * 3)
    with pytest.raises(InvalidInput) as caught:
        channel().parse(json.dumps(body).encode())
    assert "zebra" not in str(caught.value)


ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=20)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ANY_TEXT, inner, max_size=4),
    max_leaves=8,
)


@given(
    path=st.sampled_from(["id", "type", "data", "data.fan", "data.message", "data.message.text"]),
    value=JSON,
    key=ANY_TEXT,
)
def test_any_json_is_parsed_or_refused_and_nothing_else_is_raised(
    path: str, value: object, key: str
) -> None:
    body = changed(message_body(), path, value) | {key or "id": value}
    for raw in (body, value):
        try:
            channel().parse(json.dumps(raw).encode())
        except InvalidInput as refused:
            str(refused).encode("ascii")


# --- send -----------------------------------------------------------------------------------------


@pytest.fixture
def platform() -> Iterator[Platform]:
    with serve_platform() as served:
        yield served


def outbound(**changes: object) -> OutboundMessage:
    fields: dict[str, Any] = {
        "id": new_id(),
        "creator_id": new_id(),
        "conversation_id": new_id(),
        "conversation_ref": "chat-17",
        "fan_handle": "tom88",
        "text": "Hi Tom 🌻",
    }
    return OutboundMessage(**(fields | changes))


def send(url: str, *messages: OutboundMessage, timeout: float = 10.0) -> list[SendResult]:
    async def run() -> list[SendResult]:
        opened = WebhookChannel(SECRET, url, timeout_seconds=timeout)
        try:
            return [await opened.send(message) for message in messages]
        finally:
            await opened.aclose()

    return asyncio.run(run())


def test_a_message_goes_out_signed_with_everything_that_was_asked_for(platform: Platform) -> None:
    message = outbound(price=Money(2500), media_ids=("media-1",))
    send(platform.url, message)
    (taken,) = platform.taken
    Webhook(SECRET).verify(taken.body, taken.headers)
    assert taken.headers["webhook-id"] == str(message.id)
    assert taken.headers["content-type"] == "application/json"
    assert taken.json == {
        "type": "message.send",
        "id": str(message.id),
        "data": {
            "creatorId": str(message.creator_id),
            "conversationId": str(message.conversation_id),
            "conversation": "chat-17",
            "fan": {"handle": "tom88"},
            "message": {
                "id": str(message.id),
                "text": "Hi Tom 🌻",
                "mediaIds": ["media-1"],
                "price": {"amountMinor": 2500, "currency": "USD"},
            },
        },
    }


def test_what_we_send_passes_our_own_verification(platform: Platform) -> None:
    send(platform.url, outbound())
    (taken,) = platform.taken
    channel().verify(taken.headers, taken.body)


def test_a_message_without_a_price_says_so(platform: Platform) -> None:
    send(platform.url, outbound())
    assert platform.taken[0].json["data"]["message"]["price"] is None


def test_a_message_that_is_sent_again_is_the_same_bytes_under_the_same_id(
    platform: Platform,
) -> None:
    platform.answers = [Answer(500), Answer(200)]
    message = outbound()
    send(platform.url, message, message)
    first, second = platform.taken
    assert first.body == second.body
    assert first.headers["webhook-id"] == second.headers["webhook-id"]


@pytest.mark.parametrize(
    ("body", "message_id"),
    [
        (b'{"messageId": "their-1"}', "their-1"),
        (b'{"messageId": 7}', ""),
        (b'{"messageId": "a\\u0000b"}', ""),
        (b'{"messageId": "' + b"x" * 201 + b'"}', ""),
        (b"[]", ""),
        (b"thank you", ""),
        (b"", ""),
        (b"x" * 200_000, ""),
    ],
)
def test_a_2xx_answer_means_sent_with_the_platforms_id_where_it_gives_one(
    platform: Platform, body: bytes, message_id: str
) -> None:
    platform.answers = [Answer(201, body)]
    assert send(platform.url, outbound()) == [SendResult(SendStatus.SENT, message_id=message_id)]


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, SendErrorKind.INVALID),
        (404, SendErrorKind.INVALID),
        (410, SendErrorKind.INVALID),
        (422, SendErrorKind.INVALID),
        (302, SendErrorKind.INVALID),
        (401, SendErrorKind.AUTH),
        (403, SendErrorKind.AUTH),
        (408, SendErrorKind.RETRYABLE),
        (429, SendErrorKind.RATE_LIMITED),
        (451, SendErrorKind.POLICY),
        (500, SendErrorKind.RETRYABLE),
        (503, SendErrorKind.RETRYABLE),
    ],
)
def test_every_refusal_has_a_kind_and_says_its_status(
    platform: Platform, status: int, kind: SendErrorKind
) -> None:
    platform.answers = [Answer(status, headers=(("location", "/elsewhere"),))]
    (result,) = send(platform.url, outbound())
    assert (result.status, result.error_kind) == (SendStatus.FAILED, kind)
    assert str(status) in result.error
    assert len(platform.taken) == 1


@pytest.mark.parametrize(
    ("header", "seconds"), [("120", 120.0), ("0", 0.0), ("soon", None), ("-3", None), ("nan", None)]
)
def test_the_platforms_wish_to_wait_is_passed_on(
    platform: Platform, header: str, seconds: float | None
) -> None:
    platform.answers = [Answer(429, headers=(("retry-after", header),))]
    (result,) = send(platform.url, outbound())
    assert (result.error_kind, result.retry_after) == (SendErrorKind.RATE_LIMITED, seconds)


def test_a_wish_to_wait_may_be_a_date(platform: Platform) -> None:
    until = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    platform.answers = [Answer(503, headers=(("retry-after", until),))]
    (result,) = send(platform.url, outbound())
    assert result.retry_after is not None
    assert 3_000 < result.retry_after <= 3_600


def test_a_platform_that_is_not_there_may_be_tried_again() -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{reserved.getsockname()[1]}/messages"
        (result,) = send(url, outbound())
    assert (result.status, result.error_kind) == (SendStatus.FAILED, SendErrorKind.RETRYABLE)
    assert not result.may_have_arrived
    assert "reached" in result.error


def test_a_lost_connection_may_be_tried_again_since_the_id_makes_it_safe(
    platform: Platform,
) -> None:
    platform.answers = [Answer(drops=True), Answer(200, b'{"messageId": "their-1"}')]
    message = outbound()
    lost, sent = send(platform.url, message, message)
    assert (lost.status, lost.error_kind) == (SendStatus.FAILED, SendErrorKind.RETRYABLE)
    assert lost.may_have_arrived
    assert sent == SendResult(SendStatus.SENT, message_id="their-1")


def test_a_platform_that_does_not_answer_in_time_may_be_tried_again(platform: Platform) -> None:
    platform.answers = [Answer(seconds=1.0)]
    (result,) = send(platform.url, outbound(), timeout=0.2)
    assert (result.status, result.error_kind) == (SendStatus.FAILED, SendErrorKind.RETRYABLE)
    assert result.may_have_arrived
    assert "0.2 seconds" in result.error


@pytest.mark.parametrize("text", ["a\0b", "a\ud800b"])
def test_a_text_that_the_platform_could_not_read_is_not_sent(platform: Platform, text: str) -> None:
    (result,) = send(platform.url, outbound(text=text))
    assert (result.status, result.error_kind) == (SendStatus.FAILED, SendErrorKind.INVALID)
    assert platform.taken == []


# --- setting up -----------------------------------------------------------------------------------


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_!!!", "whsec_c2hvcnQ=", "é"])
def test_a_secret_that_would_not_protect_is_refused(secret: str) -> None:
    with pytest.raises(InvalidInput, match="secret"):
        WebhookChannel(secret, NOWHERE)


@pytest.mark.parametrize("url", [" ", "messages", "ftp://127.0.0.1/", "http://", "http://[::1"])
def test_an_address_that_cannot_be_posted_to_is_refused(url: str) -> None:
    with pytest.raises(InvalidInput, match="targetUrl"):
        WebhookChannel(SECRET, url)


def test_a_channel_without_an_address_takes_messages_and_says_why_it_sends_none() -> None:
    inbound_only = WebhookChannel(SECRET, "")
    inbound_only.verify(signed(BODY), BODY)
    (result,) = send("", outbound())
    assert (result.status, result.error_kind) == (SendStatus.FAILED, SendErrorKind.INVALID)
    assert "WEBHOOK_TARGET_URL" in result.error


def test_automated_sending_is_what_the_constructor_says() -> None:
    assert WebhookChannel(SECRET, NOWHERE).capabilities.automated_sending
    assert not WebhookChannel(SECRET, NOWHERE, False).capabilities.automated_sending
