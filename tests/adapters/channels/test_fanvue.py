"""The Fanvue channel against real signatures and a stand-in for Fanvue on loopback."""

import asyncio
import contextlib
import json
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stubs.fanvue import (
    CLIENT_ID,
    CLIENT_SECRET,
    CREATOR_UUID,
    FAN_UUID,
    FIRST_ACCESS,
    FIRST_REFRESH,
    WEBHOOK_SECRET,
    Delay,
    FanvueStub,
    Refuse,
    TakeAndAnswer,
    TakeAndDrop,
    TakeAndHang,
    message_received,
    payment_succeeded,
    serve_fanvue_stub,
    signature,
)
from vaultcrm.adapters.channels.fanvue import FanvueChannel, FanvueTokens
from vaultcrm.adapters.channels.fanvue_payload import NO_TEXT
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

MEDIA = "3fa85f64-5717-4562-b3fc-2c963f66afa6"
OTHER_CREATOR = "0b9f7c2e-6f0e-4a8e-9a55-7d9f6f1f6f10"
NOWHERE = "http://127.0.0.1:9"


class Store:
    """Where tokens are kept between processes: what the channel saves, in order."""

    def __init__(self, tokens: FanvueTokens) -> None:
        self.tokens = tokens
        self.saved: list[FanvueTokens] = []
        self.failures = 0

    async def save(self, tokens: FanvueTokens) -> None:
        if self.failures:
            self.failures -= 1
            raise OSError("disk full")
        self.saved.append(tokens)
        self.tokens = tokens

    async def load(self) -> FanvueTokens:
        return self.tokens


def tokens(
    access: str = FIRST_ACCESS, refresh: str = FIRST_REFRESH, *, minutes: float = 60
) -> FanvueTokens:
    return FanvueTokens(access, refresh, datetime.now(UTC) + timedelta(minutes=minutes))


def channel(
    stub: FanvueStub | None = None, store: Store | None = None, **changes: Any
) -> FanvueChannel:
    kept = store or Store(tokens())
    fields: dict[str, Any] = {
        "webhook_secret": WEBHOOK_SECRET,
        "creator_uuid": CREATOR_UUID,
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
        "tokens": kept.tokens,
        "save_tokens": kept.save,
        "base_url": stub.base_url if stub else NOWHERE,
        "token_url": stub.token_url if stub else NOWHERE,
    }
    return FanvueChannel(**(fields | changes))


def changed(body: dict[str, Any], path: str, value: object) -> dict[str, Any]:
    """A copy of a body with one field set."""
    copy: dict[str, Any] = json.loads(json.dumps(body))
    at: Any = copy
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


def parse(body: object) -> tuple[InboundEvent, ...]:
    return channel().parse(json.dumps(body).encode())


def event(body: object) -> InboundEvent:
    (found,) = parse(body)
    return found


def problems(body: object) -> dict[str, str]:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    with pytest.raises(InvalidInput) as caught:
        channel().parse(raw)
    return {problem.field: problem.reason for problem in caught.value.problems}


# --- verify ---------------------------------------------------------------------------------------


BODY = json.dumps(message_received()).encode()


def test_a_body_that_fanvue_signed_passes() -> None:
    channel().verify({"x-fanvue-signature": signature(BODY)}, BODY)


def test_the_header_name_is_compared_without_regard_to_case() -> None:
    channel().verify({"X-FANVUE-Signature": signature(BODY)}, BODY)


def test_one_right_signature_among_several_is_enough() -> None:
    time_part, right = signature(BODY).split(",")
    channel().verify({"x-fanvue-signature": f"{time_part},v0=00, {right}"}, BODY)


def test_a_body_that_was_changed_by_one_byte_is_rejected() -> None:
    with pytest.raises(WebhookRejected, match="signature"):
        channel().verify({"x-fanvue-signature": signature(BODY)}, BODY.replace(b"Hello", b"Hellp"))


def test_a_signature_made_with_another_secret_is_rejected() -> None:
    forged = signature(BODY, secret="another secret of the same length")
    with pytest.raises(WebhookRejected, match="signature"):
        channel().verify({"x-fanvue-signature": forged}, BODY)


def test_a_signature_does_not_serve_for_another_time() -> None:
    now = int(time.time())
    _, signed = signature(BODY, at=now - 200).split(",")
    with pytest.raises(WebhookRejected, match="signature"):
        channel().verify({"x-fanvue-signature": f"t={now},{signed}"}, BODY)


@pytest.mark.parametrize("minutes", [-6, 6])
def test_a_webhook_more_than_five_minutes_off_is_rejected(minutes: int) -> None:
    header = signature(BODY, at=int(time.time()) + 60 * minutes)
    with pytest.raises(WebhookRejected, match="5 minutes"):
        channel().verify({"x-fanvue-signature": header}, BODY)


@pytest.mark.parametrize("minutes", [-4, 4])
def test_a_webhook_less_than_five_minutes_off_passes(minutes: int) -> None:
    header = signature(BODY, at=int(time.time()) + 60 * minutes)
    channel().verify({"x-fanvue-signature": header}, BODY)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "t=1",
        "v0=aa",
        "t=,v0=",
        "t=nan,v0=aa",
        "t=-5,v0=aa",
        "t=٣,v0=aa",
        "t=9999999999999,v0=aa",
        "t=1,t=2,v0=aa",
        "sha256=aa",
        "\ud800",
    ],
)
def test_a_malformed_signature_is_rejected(header: str) -> None:
    with pytest.raises(WebhookRejected):
        channel().verify({"x-fanvue-signature": header}, BODY)


def test_a_webhook_without_a_signature_is_rejected() -> None:
    with pytest.raises(WebhookRejected, match="X-Fanvue-Signature"):
        channel().verify({}, BODY)


@given(body=st.binary(max_size=200), given_text=st.text(max_size=80))
def test_whatever_comes_in_unsigned_is_rejected_and_nothing_else_is_raised(
    body: bytes, given_text: str
) -> None:
    now = int(time.time())
    for header in (given_text, f"t={now},v0={given_text}"):
        with pytest.raises(WebhookRejected):
            channel().verify({"x-fanvue-signature": header}, body)


# --- parse: the present events --------------------------------------------------------------------


def test_a_fans_message_is_an_event_in_our_words() -> None:
    body = message_received(text="Hi ¡hola! 🌻")
    assert event(body) == InboundEvent(
        event_id=body["id"],
        kind=EventKind.MESSAGE,
        fan_handle=f"fanvue:{FAN_UUID}",
        fan_display_name="Tom",
        conversation_ref=FAN_UUID,
        occurred_at=datetime(2026, 11, 1, 10, 0, tzinfo=UTC),
        message_ref=body["data"]["uuid"],
        text="Hi ¡hola! 🌻",
    )


def test_a_redelivered_event_keeps_its_id() -> None:
    body = message_received()
    assert event(body) == event(changed(body, "data.unread_messages_count", 3))


def test_a_message_that_the_creator_wrote_on_fanvue_is_told_apart_from_a_fans() -> None:
    found = event(message_received() | {"type": "creator.message.sent"})
    assert (found.kind, found.text) == (EventKind.CREATOR_MESSAGE, "Hello")


@pytest.mark.parametrize("kind", ["creator.message.received", "creator.message.sent"])
def test_an_automated_message_is_left_out(kind: str) -> None:
    body = changed(message_received(), "data.is_automated", True)
    assert parse(body | {"type": kind}) == ()


@pytest.mark.parametrize("text", [None, "", " \n"])
def test_a_message_without_text_says_so_instead_of_being_lost(text: str | None) -> None:
    assert event(message_received(text=text)).text == NO_TEXT
    assert event(without(message_received(), "data.text")).text == NO_TEXT


def test_a_new_follower_is_an_event() -> None:
    found = event(
        {
            "id": "evt-follow",
            "type": "creator.follow.created",
            "timestamp": "2026-11-01T10:00:00Z",
            "data": {"follower": {"uuid": FAN_UUID}, "creator": {"uuid": CREATOR_UUID}},
        }
    )
    assert found == InboundEvent(
        event_id="evt-follow",
        kind=EventKind.FOLLOW,
        fan_handle=f"fanvue:{FAN_UUID}",
        fan_display_name=f"fanvue:{FAN_UUID}",
        conversation_ref=FAN_UUID,
        occurred_at=datetime(2026, 11, 1, 10, 0, tzinfo=UTC),
    )


def test_a_new_subscriber_is_an_event_without_an_amount() -> None:
    body = payment_succeeded() | {"type": "creator.subscription.activated"}
    found = event(body)
    assert (found.kind, found.amount) == (EventKind.SUBSCRIPTION, None)


def test_a_bought_message_carries_its_amount_its_message_and_its_time_in_utc() -> None:
    body = payment_succeeded(gross=1999, message="msg-9", at="2026-11-01T12:05:00+02:00")
    found = event(body)
    assert found.kind is EventKind.PURCHASE
    assert found.amount == Money(1999, "USD")
    assert found.message_ref == "msg-9"
    assert found.occurred_at == datetime(2026, 11, 1, 10, 5, tzinfo=UTC)
    assert found.occurred_at.utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("tip", EventKind.TIP),
        ("subscription", EventKind.SUBSCRIPTION),
        ("renewal", EventKind.SUBSCRIPTION),
        ("message", EventKind.PURCHASE),
        ("post", EventKind.PURCHASE),
        ("mediaLink", EventKind.PURCHASE),
    ],
)
def test_a_payment_is_what_its_source_says(source: str, kind: EventKind) -> None:
    found = event(payment_succeeded(source=source))
    assert (found.kind, found.amount, found.message_ref) == (kind, Money(2500), "")


def test_a_payment_that_names_no_purchaser_concerns_no_fan() -> None:
    assert parse(without(payment_succeeded(source="affiliate"), "data.purchaser")) == ()
    assert parse(changed(payment_succeeded(source="affiliate"), "data.purchaser", None)) == ()


@pytest.mark.parametrize(
    "body",
    [
        message_received(OTHER_CREATOR),
        payment_succeeded(OTHER_CREATOR),
        payment_succeeded(OTHER_CREATOR) | {"type": "creator.subscription.activated"},
        {
            "id": "1",
            "type": "creator.follow.created",
            "timestamp": "2026-11-01T10:00:00Z",
            "data": {"follower": {"uuid": FAN_UUID}, "creator": {"uuid": OTHER_CREATOR}},
        },
    ],
    ids=["message", "payment", "subscription", "follow"],
)
def test_an_event_of_another_creator_of_the_same_app_is_left_out(body: dict[str, Any]) -> None:
    assert parse(body) == ()


@pytest.mark.parametrize(
    "kind",
    [
        "creator.message.read",
        "creator.message.deleted",
        "creator.refund.created",
        "checkout_link.payment.succeeded",
        "something.new",
        "",
    ],
)
def test_a_type_that_does_not_concern_us_gives_nothing(kind: str) -> None:
    assert parse({"id": "evt", "type": kind, "data": {"anything": [1]}}) == ()


def test_what_cannot_be_stored_is_replaced_and_a_name_is_one_line_of_at_most_100_characters() -> (
    None
):
    body = changed(message_received(), "data.text", "a\0b\ud800c")
    found = event(changed(body, "data.fan.display_name", " T\no\0m " + "x" * 200))
    assert found.text == "a\ufffdb\ufffdc"
    assert found.fan_display_name == "To\ufffdm " + "x" * 95


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("id", "", "is empty"),
        ("id", 7, "string"),
        ("timestamp", "yesterday", "RFC 3339"),
        ("data", [], "dictionary"),
        ("data.uuid", "a\0b", "NUL"),
        ("data.fan", "tom", "dictionary"),
        ("data.fan.uuid", "../../users/me", "is not a UUID"),
        ("data.creator.uuid", None, "string"),
        ("data.text", 7, "string"),
        ("data.text", "x" * 10_001, "10,001 characters"),
        ("data.created_at", "2026-11-01T10:00:00", "timezone"),
        ("data.created_at", "0001-01-01T00:00:00+14:00", "years"),
    ],
)
def test_a_bad_field_of_a_message_is_named_by_its_path(path: str, value: object, said: str) -> None:
    found = problems(changed(message_received(), path, value))
    assert list(found) == [path]
    assert said in found[path]


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("data.gross", -5, "greater than or equal"),
        ("data.gross", 10**30, "less than or equal"),
        ("data.gross", 25.5, "integer"),
        ("data.gross", "2500", "integer"),
        ("data.gross", True, "integer"),
        ("data.gross", float("inf"), "integer"),
        ("data.currency", "usd", "three capital letters"),
        ("data.currency", "US\ud800", "three capital letters"),
        ("data.paid_at", 1_790_000_000, "RFC 3339"),
    ],
)
def test_a_bad_field_of_a_payment_is_named_by_its_path(path: str, value: object, said: str) -> None:
    found = problems(changed(payment_succeeded(), path, value))
    assert list(found) == [path]
    assert said in found[path]


@pytest.mark.parametrize("path", ["id", "data", "data.uuid", "data.fan", "data.creator"])
def test_a_missing_field_is_named_by_its_path(path: str) -> None:
    assert problems(without(message_received(), path)) == {path: "is missing"}


def test_an_event_without_any_time_is_refused() -> None:
    body = without(without(message_received(), "data.created_at"), "timestamp")
    assert problems(body) == {"timestamp": "is missing"}


def test_an_amount_that_javascript_wrote_with_a_point_is_an_integer_of_cents() -> None:
    assert event(changed(payment_succeeded(), "data.gross", 2500.0)).amount == Money(2500)


# --- parse: the earlier events --------------------------------------------------------------------


SENDER = {"uuid": FAN_UUID, "handle": "tom88", "displayName": "Tom", "avatarUrl": None}
FLAT: dict[str, Any] = {
    "recipientUuid": CREATOR_UUID,
    "sender": SENDER,
    "timestamp": "2025-11-06T10:32:52.000Z",
}
FLAT_MESSAGE: dict[str, Any] = FLAT | {
    "message": {"uuid": "m-1", "text": "Hello", "createdAt": "2025-11-06T10:32:51.000Z"},
    "messageUuid": "m-1",
    "isMuted": False,
}


def test_an_earlier_message_is_an_event_whose_id_is_made_from_the_message() -> None:
    assert event(FLAT_MESSAGE) == InboundEvent(
        event_id="message:m-1",
        kind=EventKind.MESSAGE,
        fan_handle=f"fanvue:{FAN_UUID}",
        fan_display_name="Tom",
        conversation_ref=FAN_UUID,
        occurred_at=datetime(2025, 11, 6, 10, 32, 51, tzinfo=UTC),
        message_ref="m-1",
        text="Hello",
    )


@pytest.mark.parametrize(
    ("more", "kind", "amount", "reference"),
    [
        ({}, EventKind.FOLLOW, None, ""),
        ({"price": 1299}, EventKind.SUBSCRIPTION, Money(1299), ""),
        ({"price": 2499, "postUuid": "p-1"}, EventKind.PURCHASE, Money(2499), ""),
        ({"price": 1999, "routeUuid": "m-9"}, EventKind.PURCHASE, Money(1999), "m-9"),
        (
            {"price": 500, "context": "post", "postUuid": "p-1", "senderUuid": FAN_UUID},
            EventKind.TIP,
            Money(500),
            "",
        ),
        (
            {"price": 1000, "context": "message", "messageUuid": "m-2", "senderUuid": FAN_UUID},
            EventKind.TIP,
            Money(1000),
            "m-2",
        ),
    ],
    ids=["follower", "subscriber", "post", "message", "tip on a post", "tip on a message"],
)
def test_an_earlier_event_is_told_by_its_form(
    more: dict[str, Any], kind: EventKind, amount: Money | None, reference: str
) -> None:
    found = event(FLAT | more)
    assert (found.kind, found.amount, found.message_ref) == (kind, amount, reference)
    assert found.conversation_ref == FAN_UUID


def test_an_earlier_event_has_the_same_id_each_time_and_another_than_its_neighbours() -> None:
    bodies = [
        FLAT,
        FLAT | {"price": 1299},
        FLAT | {"price": 1299, "postUuid": "p-1"},
        FLAT | {"price": 1299, "postUuid": "p-2"},
        FLAT | {"price": 1299, "context": "post", "postUuid": "p-1"},
        FLAT | {"price": 1299, "timestamp": "2025-11-06T10:32:53.000Z"},
        FLAT | {"price": 1299, "sender": SENDER | {"uuid": OTHER_CREATOR}},
    ]
    first = [event(body).event_id for body in bodies]
    again = [event(dict(reversed(body.items()))).event_id for body in bodies]
    assert first == again
    assert len(set(first)) == len(bodies)


@pytest.mark.parametrize(
    "body",
    [
        FLAT_MESSAGE | {"recipientUuid": OTHER_CREATOR},
        FLAT | {"recipientUuid": OTHER_CREATOR},
        {"recipientUuid": CREATOR_UUID, "messageUuid": "m-1", "timestamp": FLAT["timestamp"]},
        FLAT | {"messageUuid": "m-1", "readAt": FLAT["timestamp"]},
    ],
    ids=["another creator's message", "another creator's follower", "read", "read by a sender"],
)
def test_an_earlier_event_that_does_not_concern_us_gives_nothing(body: dict[str, Any]) -> None:
    assert parse(body) == ()


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (without(FLAT | {"price": 5}, "timestamp"), "timestamp"),
        (without(FLAT_MESSAGE, "recipientUuid"), "recipientUuid"),
        (FLAT | {"message": {"text": "Hello"}}, "messageUuid"),
        (FLAT | {"context": "post"}, "price"),
        (FLAT | {"price": -1}, "price"),
        (FLAT | {"sender": {"uuid": "tom"}}, "sender.uuid"),
    ],
)
def test_a_bad_field_of_an_earlier_event_is_named(body: dict[str, Any], field: str) -> None:
    assert list(problems(body)) == [field]


# --- parse: hostile bodies ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"{", id="half"),
        pytest.param(b"\xff\xfe", id="not utf-8"),
        pytest.param(b"[" * 100_000, id="deep"),
        pytest.param(b"1" * 9_999, id="huge number"),
        pytest.param(b"null", id="null"),
        pytest.param(b"[]", id="list"),
        pytest.param(b"{}", id="nothing"),
        pytest.param(b'{"hello": "world"}', id="foreign"),
    ],
)
def test_a_body_that_is_no_event_of_fanvue_is_refused(raw: bytes) -> None:
    assert list(problems(raw)) == ["body"]


def test_a_refusal_does_not_repeat_what_the_fan_wrote() -> None:
    body = changed(message_received(text="zebra " * 3_000), "id", "")
    with pytest.raises(InvalidInput) as caught:
        channel().parse(json.dumps(body).encode())
    assert "zebra" not in str(caught.value)


ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=20)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ANY_TEXT, inner, max_size=4),
    max_leaves=8,
)
PATHS = [
    *("id", "type", "timestamp", "data", "data.uuid", "data.text", "data.fan", "data.fan.uuid"),
    *("data.fan.display_name", "data.purchaser", "data.gross", "data.currency", "data.source"),
    *("data.message_uuid", "data.created_at", "data.paid_at", "data.creator"),
]
FLAT_PATHS = ["sender", "recipientUuid", "timestamp", "price", "message", "message.text", "context"]


@given(
    body=st.sampled_from([message_received(), payment_succeeded(), FLAT_MESSAGE, FLAT]),
    path=st.sampled_from(PATHS + FLAT_PATHS),
    value=JSON,
    key=ANY_TEXT,
)
def test_any_json_gives_events_that_can_be_stored_or_is_refused_and_nothing_else_is_raised(
    body: dict[str, Any], path: str, value: object, key: str
) -> None:
    parent = path.rpartition(".")[0]
    holder: Any = body
    for part in filter(None, parent.split(".")):
        holder = holder.get(part, {}) if isinstance(holder, dict) else {}
    hostile = changed(body, path, value) if isinstance(holder, dict) and holder else body
    for raw in (hostile | {key or "id": value}, value):
        try:
            found = channel().parse(json.dumps(raw).encode())
        except InvalidInput as refused:
            str(refused).encode("ascii")
        else:
            for one in found:
                said = one.text + one.fan_display_name + one.message_ref + one.event_id
                assert "\0" not in said.encode().decode()
                assert one.occurred_at.utcoffset() == timedelta(0)


@given(st.binary(max_size=300))
def test_any_bytes_are_parsed_or_refused_and_nothing_else_is_raised(raw: bytes) -> None:
    with contextlib.suppress(InvalidInput):
        channel().parse(raw)


# --- send -----------------------------------------------------------------------------------------


@pytest.fixture
def stub() -> Iterator[FanvueStub]:
    with serve_fanvue_stub() as served:
        yield served


def outbound(**changes: object) -> OutboundMessage:
    fields: dict[str, Any] = {
        "id": new_id(),
        "creator_id": new_id(),
        "conversation_id": new_id(),
        "conversation_ref": FAN_UUID,
        "fan_handle": f"fanvue:{FAN_UUID}",
        "text": "Hi Tom 🌻",
    }
    return OutboundMessage(**(fields | changes))


def using(
    opened: Callable[[], FanvueChannel], use: Callable[[FanvueChannel], Awaitable[list[SendResult]]]
) -> list[SendResult]:
    async def run() -> list[SendResult]:
        one = opened()
        try:
            return await use(one)
        finally:
            await one.aclose()

    return asyncio.run(run())


def send(
    stub: FanvueStub | None, *messages: OutboundMessage, store: Store | None = None, **changes: Any
) -> list[SendResult]:
    async def one_by_one(opened: FanvueChannel) -> list[SendResult]:
        return [await opened.send(message) for message in messages]

    return using(lambda: channel(stub, store, **changes), one_by_one)


def failed(result: SendResult, kind: SendErrorKind) -> bool:
    return (result.status, result.error_kind) == (SendStatus.FAILED, kind) and bool(result.error)


def uncertain(result: SendResult) -> bool:
    return (result.status, result.error_kind) == (SendStatus.UNCERTAIN, None) and bool(result.error)


def test_a_text_goes_to_the_fans_chat_and_comes_back_with_fanvues_id(stub: FanvueStub) -> None:
    (result,) = send(stub, outbound())
    (taken,) = stub.accepted
    assert (taken.creator, taken.fan, taken.body) == ("", FAN_UUID, {"text": "Hi Tom 🌻"})
    assert result == SendResult(SendStatus.SENT, message_id=taken.uuid)


def test_paid_media_goes_with_its_price_in_cents(stub: FanvueStub) -> None:
    send(stub, outbound(price=Money(2500), media_ids=(MEDIA.upper(),)))
    assert stub.accepted[0].body == {"text": "Hi Tom 🌻", "mediaUuids": [MEDIA], "price": 2500}


def test_media_may_go_without_text(stub: FanvueStub) -> None:
    (result,) = send(stub, outbound(text="", media_ids=(MEDIA,)))
    assert result.status is SendStatus.SENT
    assert stub.accepted[0].body == {"mediaUuids": [MEDIA]}


def test_an_agency_sends_in_the_creators_name(stub: FanvueStub) -> None:
    send(stub, outbound(), for_agency=True)
    assert stub.accepted[0].creator == CREATOR_UUID


def test_the_address_may_have_a_path_of_its_own(stub: FanvueStub) -> None:
    (result,) = send(stub, outbound(), base_url=f"{stub.base_url}/v1/")
    assert result.status is SendStatus.SENT


def test_a_text_is_as_long_as_fanvue_counts_it(stub: FanvueStub) -> None:
    fits, too_long, plain = send(
        stub, outbound(text="🌻" * 2_500), outbound(text="🌻" * 2_501), outbound(text="x" * 5_000)
    )
    assert (fits.status, plain.status) == (SendStatus.SENT, SendStatus.SENT)
    assert failed(too_long, SendErrorKind.INVALID)
    assert "5,002" in too_long.error


@pytest.mark.parametrize(
    "changes",
    [
        {"text": ""},
        {"text": " \n"},
        {"text": "a\0b"},
        {"text": "a\ud800b"},
        {"conversation_ref": "chat-17"},
        {"conversation_ref": "../../creators"},
        {"media_ids": ("media-1",)},
        {"price": Money(299), "media_ids": (MEDIA,)},
        {"price": Money(50_001), "media_ids": (MEDIA,)},
        {"price": Money(2_500, "EUR"), "media_ids": (MEDIA,)},
        {"price": Money(2_500)},
    ],
)
def test_what_fanvue_would_not_take_is_not_sent(stub: FanvueStub, changes: dict[str, Any]) -> None:
    (result,) = send(stub, outbound(**changes))
    assert failed(result, SendErrorKind.INVALID)
    assert stub.requests == 0


def test_the_stated_prices_are_those_that_are_taken(stub: FanvueStub) -> None:
    able = channel().capabilities
    bounds = [
        outbound(price=price, media_ids=(MEDIA,))
        for price in (able.least_price, able.greatest_price)
    ]
    assert [result.status for result in send(stub, *bounds)] == [SendStatus.SENT, SendStatus.SENT]
    assert able.price_needs_media


def test_nothing_is_sent_by_itself_unless_the_operator_says_so() -> None:
    assert not channel().capabilities.automated_sending
    assert channel(automated_sending=True).capabilities.automated_sending
    assert not channel().capabilities.idempotent_sends


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (302, None, SendErrorKind.INVALID),
        (400, {"errors": ["text: too long"]}, SendErrorKind.INVALID),
        (400, {"error": "Unsupported", "message": "Use 2027-01-01"}, SendErrorKind.INVALID),
        (400, {"message": "User is not contactable"}, SendErrorKind.POLICY),
        (400, "<html>", SendErrorKind.INVALID),
        (403, {"error": "Insufficient scopes"}, SendErrorKind.AUTH),
        (404, {"message": "Not Found"}, SendErrorKind.INVALID),
        (408, None, SendErrorKind.RETRYABLE),
        (410, {"error": "Gone", "message": "sunset"}, SendErrorKind.INVALID),
        (422, None, SendErrorKind.INVALID),
        (425, None, SendErrorKind.RETRYABLE),
        (429, {"error": "Too many requests"}, SendErrorKind.RATE_LIMITED),
        (451, None, SendErrorKind.POLICY),
    ],
)
def test_every_refusal_has_a_kind_says_its_status_and_is_asked_for_once(
    stub: FanvueStub, status: int, body: object, kind: SendErrorKind
) -> None:
    stub.behave(Refuse(status, body, location="/elsewhere"))
    (result,) = send(stub, outbound())
    assert failed(result, kind)
    assert str(status) in result.error
    assert (stub.requests, stub.accepted) == (1, [])


def test_fanvues_own_reason_is_shown(stub: FanvueStub) -> None:
    stub.behave(Refuse(400, {"message": "User is not contactable"}))
    (result,) = send(stub, outbound())
    assert "User is not contactable" in result.error


@pytest.mark.parametrize("reason", ["not allowed: Hi Tom 🌻", "x" * 500, "a\0b\nc"])
def test_a_reason_that_repeats_the_text_or_cannot_be_shown_is_not(
    stub: FanvueStub, reason: str
) -> None:
    stub.behave(Refuse(400, {"message": reason}))
    (result,) = send(stub, outbound())
    assert failed(result, SendErrorKind.POLICY)
    assert "Fanvue says" not in result.error


@pytest.mark.parametrize("seconds", [0, 7, 3600])
def test_fanvues_wish_to_wait_is_passed_on(stub: FanvueStub, seconds: int) -> None:
    stub.behave(Refuse(429, {"error": "Too many requests"}, retry_after=seconds))
    (result,) = send(stub, outbound())
    assert (result.error_kind, result.retry_after) == (SendErrorKind.RATE_LIMITED, float(seconds))


# --- send: what cannot be known -------------------------------------------------------------------


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_fault_of_fanvues_leaves_it_uncertain_since_the_message_may_have_been_taken(
    stub: FanvueStub, status: int
) -> None:
    stub.behave(TakeAndAnswer(status), Refuse(status))
    taken, not_taken = send(stub, outbound(), outbound())
    assert uncertain(taken)
    assert uncertain(not_taken)
    assert len(stub.accepted) == 1


def test_a_message_that_was_taken_without_an_answer_in_time_is_uncertain(stub: FanvueStub) -> None:
    stub.behave(TakeAndHang())
    (result,) = send(stub, outbound(), timeout_seconds=0.3)
    assert uncertain(result)
    assert "0.3 seconds" in result.error or "in time" in result.error
    assert len(stub.accepted) == 1


def test_a_message_that_was_taken_before_the_connection_was_lost_is_uncertain(
    stub: FanvueStub,
) -> None:
    stub.behave(TakeAndDrop())
    (result,) = send(stub, outbound())
    assert uncertain(result)
    assert len(stub.accepted) == 1


@pytest.mark.parametrize(
    "body", [None, {}, [], "<html>", {"messageUuid": 7}, {"messageUuid": "a\0b"}, "x" * 200_000]
)
def test_a_2xx_without_an_id_is_uncertain(stub: FanvueStub, body: object) -> None:
    stub.behave(TakeAndAnswer(200, body))
    (result,) = send(stub, outbound())
    assert uncertain(result)


def test_an_answer_without_end_is_not_read_to_its_end(stub: FanvueStub) -> None:
    stub.behave(TakeAndAnswer(201, {"messageUuid": "m-1", "more": "x" * 200_000}))
    (result,) = send(stub, outbound())
    assert uncertain(result)


def test_an_uncertain_message_is_not_asked_for_again(stub: FanvueStub) -> None:
    stub.behave(TakeAndDrop())
    send(stub, outbound())
    assert stub.requests == 1


def test_a_fanvue_that_is_not_there_may_be_tried_again() -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        (result,) = send(None, outbound(), base_url=f"http://127.0.0.1:{reserved.getsockname()[1]}")
    assert failed(result, SendErrorKind.RETRYABLE)


def test_a_fanvue_that_takes_no_connection_may_be_tried_again_after_the_time_out() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        port = full.getsockname()[1]
        held = [socket.socket() for _ in range(4)]
        try:
            for one in held:
                one.setblocking(False)
                one.connect_ex(("127.0.0.1", port))
            (result,) = send(
                None, outbound(), base_url=f"http://127.0.0.1:{port}", timeout_seconds=0.3
            )
        finally:
            for one in held:
                one.close()
    assert failed(result, SendErrorKind.RETRYABLE)


def test_each_message_has_a_connection_of_its_own() -> None:
    ports: list[int] = []

    class Kept(BaseHTTPRequestHandler):
        """Keeps connections open, as long as the other side does."""

        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            ports.append(self.client_address[1])
            body = b'{"messageUuid": "m-1"}'
            self.send_response(201)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - theirs
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Kept) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        address = f"http://127.0.0.1:{server.server_port}"
        results = send(None, *[outbound() for _ in range(3)], base_url=address)
        server.shutdown()
        thread.join()
    assert {result.status for result in results} == {SendStatus.SENT}
    assert len(set(ports)) == 3


# --- the sign-in ----------------------------------------------------------------------------------


def test_tokens_that_expire_are_renewed_and_saved_before_they_are_used(stub: FanvueStub) -> None:
    order: list[str] = []
    store = Store(tokens(minutes=0.5))

    async def save(renewed: FanvueTokens) -> None:
        order.append(f"saved {renewed.access} after {len(stub.accepted)} messages")
        await store.save(renewed)

    (result,) = send(stub, outbound(), store=store, save_tokens=save)
    assert result.status is SendStatus.SENT
    assert order == ["saved access-1 after 0 messages"]
    assert stub.accepted[0].access == "access-1"
    assert store.tokens.refresh == "refresh-1"
    left = store.tokens.expires_at - datetime.now(UTC)
    assert timedelta(minutes=58) < left <= timedelta(hours=1)


def test_a_token_that_is_refused_is_renewed_and_the_message_sent_once_more(
    stub: FanvueStub,
) -> None:
    stub.expire()
    store = Store(tokens())
    (result,) = send(stub, outbound(), store=store)
    assert result.status is SendStatus.SENT
    assert (len(stub.accepted), stub.requests, stub.renewals) == (1, 2, 1)
    assert [saved.access for saved in store.saved] == ["access-1"]


def test_a_second_refusal_is_told_and_not_tried_a_third_time(stub: FanvueStub) -> None:
    stub.behave(Refuse(401, {"error": "Unauthorized"}), Refuse(401, {"error": "Unauthorized"}))
    (result,) = send(stub, outbound())
    assert failed(result, SendErrorKind.AUTH)
    assert (stub.requests, stub.renewals) == (2, 1)


def test_of_many_sends_at_once_only_one_renews(stub: FanvueStub) -> None:
    stub.expire()
    stub.behave_tokens(Delay(0.2))
    store = Store(tokens())

    async def all_at_once(opened: FanvueChannel) -> list[SendResult]:
        return await asyncio.gather(*(opened.send(outbound()) for _ in range(8)))

    results = using(lambda: channel(stub, store), all_at_once)
    assert {result.status for result in results} == {SendStatus.SENT}
    assert (stub.renewals, len(store.saved), len(stub.accepted)) == (1, 1, 8)


def test_a_renewed_sign_in_serves_the_next_message_too(stub: FanvueStub) -> None:
    results = send(stub, outbound(), outbound(), outbound(), store=Store(tokens(minutes=0)))
    assert {result.status for result in results} == {SendStatus.SENT}
    assert stub.renewals == 1


@pytest.mark.parametrize("status", [400, 401, 403])
def test_a_refused_renewal_asks_for_a_new_connection_and_sends_nothing(
    stub: FanvueStub, status: int
) -> None:
    stub.behave_tokens(Refuse(status, {"error": "invalid_grant"}))
    (result,) = send(stub, outbound(), store=Store(tokens(minutes=0)))
    assert failed(result, SendErrorKind.AUTH)
    assert "again" in result.error
    assert stub.requests == 0


def test_wrong_client_credentials_are_refused(stub: FanvueStub) -> None:
    (result,) = send(stub, outbound(), store=Store(tokens(minutes=0)), client_secret="wrong")
    assert failed(result, SendErrorKind.AUTH)


@pytest.mark.parametrize(
    "step",
    [
        Refuse(500),
        Refuse(503),
        TakeAndAnswer(200, "<html>"),
        TakeAndAnswer(200, {"access_token": "a b"}),
        TakeAndDrop(),
    ],
)
def test_a_renewal_that_fails_for_now_may_be_tried_again_since_nothing_was_sent(
    stub: FanvueStub, step: Refuse | TakeAndAnswer | TakeAndDrop
) -> None:
    stub.behave_tokens(step)
    (result,) = send(stub, outbound(), store=Store(tokens(minutes=0)))
    assert failed(result, SendErrorKind.RETRYABLE)
    assert stub.requests == 0


def test_a_renewal_that_is_asked_to_wait_passes_it_on(stub: FanvueStub) -> None:
    stub.behave_tokens(Refuse(429, retry_after=9))
    (result,) = send(stub, outbound(), store=Store(tokens(minutes=0)))
    assert failed(result, SendErrorKind.RATE_LIMITED)
    assert result.retry_after == 9.0


def test_an_unreachable_sign_in_may_be_tried_again(stub: FanvueStub) -> None:
    (result,) = send(stub, outbound(), store=Store(tokens(minutes=0)), token_url=NOWHERE)
    assert failed(result, SendErrorKind.RETRYABLE)


def test_a_renewal_goes_on_and_is_saved_when_the_send_has_run_out_of_time(
    stub: FanvueStub,
) -> None:
    stub.behave_tokens(Delay(0.4))
    store = Store(tokens(minutes=0))

    async def cancelled(opened: FanvueChannel) -> list[SendResult]:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await opened.send(outbound())
        return []

    using(lambda: channel(stub, store), cancelled)
    assert [saved.refresh for saved in store.saved] == ["refresh-1"]


def test_tokens_that_could_not_be_saved_are_saved_before_the_next_message(
    stub: FanvueStub,
) -> None:
    store = Store(tokens(minutes=0))
    store.failures = 1
    waits, sent = send(stub, outbound(), outbound(), store=store)
    assert failed(waits, SendErrorKind.RETRYABLE)
    assert sent.status is SendStatus.SENT
    assert stub.renewals == 1
    assert [saved.access for saved in store.saved] == ["access-1"]
    assert len(stub.accepted) == 1


def test_the_old_tokens_are_not_tried_while_the_new_ones_wait_to_be_saved(
    stub: FanvueStub,
) -> None:
    stub.expire()
    store = Store(tokens())
    store.failures = 1
    waits, sent = send(stub, outbound(), outbound(), store=store)
    assert failed(waits, SendErrorKind.RETRYABLE)
    assert sent.status is SendStatus.SENT
    assert (stub.requests, stub.renewals) == (2, 1)


def test_a_time_out_while_a_refused_token_is_renewed_leaves_nothing_uncertain(
    stub: FanvueStub,
) -> None:
    stub.expire()
    stub.behave_tokens(TakeAndHang())
    (result,) = send(stub, outbound(), timeout_seconds=0.3)
    assert failed(result, SendErrorKind.RETRYABLE)
    assert stub.accepted == []


def test_what_another_process_has_renewed_is_taken_over_without_renewing_again(
    stub: FanvueStub,
) -> None:
    store = Store(tokens(minutes=0))
    other_process = channel(stub, store, load_tokens=store.load)
    send(stub, outbound(), store=store)

    async def one(opened: FanvueChannel) -> list[SendResult]:
        return [await opened.send(outbound())]

    (result,) = using(lambda: other_process, one)
    assert result.status is SendStatus.SENT
    assert stub.renewals == 1


def test_a_renewal_that_another_process_won_meanwhile_is_taken_over(stub: FanvueStub) -> None:
    stub.expire()
    store = Store(tokens())
    stub.behave_tokens(Refuse(400, {"error": "invalid_grant"}))
    loads: list[FanvueTokens] = []

    async def load() -> FanvueTokens:
        loads.append(store.tokens)
        if len(loads) == 2:
            await asyncio.to_thread(send, stub, outbound(), store=store)
        return store.tokens

    (result,) = send(stub, outbound(), store=store, load_tokens=load)
    assert result.status is SendStatus.SENT
    assert stub.renewals == 1


def test_tokens_do_not_show_in_a_log() -> None:
    assert "access-0" not in repr(tokens())
    assert "refresh-0" not in repr(tokens())


# --- setting up -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("webhookSecret", {"webhook_secret": ""}),
        ("webhookSecret", {"webhook_secret": "short"}),
        ("webhookSecret", {"webhook_secret": WEBHOOK_SECRET + "\n"}),
        ("creatorUuid", {"creator_uuid": "mia"}),
        ("clientId", {"client_id": ""}),
        ("clientSecret", {"client_secret": "two words"}),
        ("accessToken", {"tokens": tokens(access="")}),
        ("accessToken", {"tokens": tokens(access="a\r\nx: y")}),
        ("refreshToken", {"tokens": tokens(refresh="é")}),
        (
            "expiresAt",
            {"tokens": FanvueTokens("a", "b", datetime(2026, 1, 1))},  # noqa: DTZ001 - the point
        ),
        ("baseUrl", {"base_url": "api.fanvue.com"}),
        ("baseUrl", {"base_url": "ftp://api.fanvue.com"}),
        ("baseUrl", {"base_url": "http://api.fanvue.com"}),
        ("baseUrl", {"base_url": "http://[::1"}),
        ("baseUrl", {"base_url": "https://api.fanvue.com?x=1"}),
        ("tokenUrl", {"token_url": "https://"}),
        ("timeoutSeconds", {"timeout_seconds": 0}),
        ("timeoutSeconds", {"timeout_seconds": float("nan")}),
    ],
)
def test_a_value_that_cannot_be_used_is_named(field: str, changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput) as caught:
        channel(**changes)
    assert [problem.field for problem in caught.value.problems] == [field]


def test_a_channel_may_be_closed_unused_and_twice() -> None:
    async def run() -> None:
        one = channel()
        await one.aclose()
        await one.aclose()

    asyncio.run(run())


# --- the stand-in ---------------------------------------------------------------------------------


def test_what_the_stand_in_posts_passes_verification_as_often_and_in_the_order_asked(
    stub: FanvueStub,
) -> None:
    came: list[InboundEvent] = []
    ours = channel()

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers["content-length"]))
            ours.verify(dict(self.headers.items()), raw)
            came.extend(ours.parse(raw))
            self.send_response(202)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - theirs
            pass

    first, second = message_received(text="one"), message_received(text="two")
    with HTTPServer(("127.0.0.1", 0), Receiver) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}/api/webhooks/fanvue/mia"
        statuses = stub.deliver(url, second, first, times=2)
        server.shutdown()
        thread.join()
    assert statuses == [202] * 4
    assert [one.text for one in came] == ["two", "one"] * 2
    assert len({one.event_id for one in came}) == 2


def test_the_stand_in_runs_as_a_process_of_its_own_and_is_steered_over_http() -> None:
    command = [sys.executable, "-m", "stubs.fanvue", "--port", "0"]
    with subprocess.Popen(
        command, cwd=Path(__file__).parents[3], stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            stub = FanvueStub(process.stdout.readline().strip())
            stub.behave(Refuse(429, retry_after=3))
            limited, sent = send(stub, outbound(), outbound(text="second"))
            assert limited.retry_after == 3.0
            assert sent.status is SendStatus.SENT
            assert [message.body for message in stub.accepted] == [{"text": "second"}]
            assert stub.unused_steps == 0
            stub.reset()
            assert (stub.accepted, stub.requests) == ([], 0)
        finally:
            process.terminate()
