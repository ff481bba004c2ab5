"""The Chatwoot channel against real signatures and a Chatwoot on loopback."""

import asyncio
import json
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stubs.chatwoot import (
    ACCOUNT_ID,
    AGENT,
    INBOX_ID,
    SECRET,
    TOKEN,
    Accept,
    ChatwootStub,
    Drop,
    FailAfter,
    Hang,
    Page,
    RateLimit,
    Refuse,
    RevokeToken,
    message_created,
    serve_chatwoot_stub,
    signed,
)
from tests.adapters.channels.platform import Platform, Taken, serve_platform
from vaultcrm.adapters.channels.chatwoot import ChatwootChannel
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

NOWHERE = "http://127.0.0.1:9"


def channel(url: str = NOWHERE, **changes: Any) -> ChatwootChannel:
    settings: dict[str, Any] = {
        "base_url": url,
        "account_id": ACCOUNT_ID,
        "inbox_id": INBOX_ID,
        "api_access_token": TOKEN,
        "webhook_secret": SECRET,
    }
    return ChatwootChannel(**(settings | changes))


def parse_all(body: object) -> tuple[InboundEvent, ...]:
    return channel().parse(json.dumps(body).encode())


def parse(body: object) -> InboundEvent:
    (event,) = parse_all(body)
    return event


def problems(body: object) -> dict[str, str]:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    with pytest.raises(InvalidInput) as caught:
        channel().parse(raw)
    return {problem.field: problem.reason for problem in caught.value.problems}


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


def by_agent(text: str = "Hi Tom", **changes: object) -> dict[str, Any]:
    return message_created(text, message_type="outgoing", sender=AGENT) | changes


# --- verify ---------------------------------------------------------------------------------------


BODY = json.dumps(message_created("Héllo")).encode()


def now() -> float:
    return datetime.now(UTC).timestamp()


def test_a_body_that_chatwoot_signed_passes() -> None:
    channel().verify(signed(BODY), BODY)


def test_the_signature_is_the_hmac_of_time_dot_body_as_computed_elsewhere() -> None:
    # printf '1790000000.{"a":1}' | openssl dgst -sha256 -hmac webhook-secret-of-the-stub
    known = "sha256=04743da9b6cf349b53319f3b189878a9d5d862ca34e15dc449f81ccc5fa3c4a5"
    made = signed(b'{"a":1}', at=1_790_000_000)["X-Chatwoot-Signature"]
    assert made == known


def test_header_names_are_compared_without_regard_to_case() -> None:
    channel().verify({name.lower(): value for name, value in signed(BODY).items()}, BODY)
    channel().verify({name.upper(): value for name, value in signed(BODY).items()}, BODY)


def test_a_webhook_without_a_delivery_id_passes() -> None:
    headers = signed(BODY)
    del headers["X-Chatwoot-Delivery"]
    channel().verify(headers, BODY)


def test_a_body_that_was_changed_by_one_byte_is_rejected() -> None:
    with pytest.raises(WebhookRejected, match="signature"):
        channel().verify(signed(BODY), BODY + b" ")


def test_a_signature_made_with_another_secret_is_rejected() -> None:
    with pytest.raises(WebhookRejected, match="signature"):
        channel().verify(signed(BODY, secret="another-secret-of-chatwoot"), BODY)


def test_a_signature_does_not_serve_for_another_time() -> None:
    later = str(int(now()) + 1)
    with pytest.raises(WebhookRejected, match="signature"):
        channel().verify(signed(BODY) | {"X-Chatwoot-Timestamp": later}, BODY)


@pytest.mark.parametrize("name", ["X-Chatwoot-Timestamp", "X-Chatwoot-Signature"])
def test_a_missing_or_empty_header_is_named_with_the_versions_that_send_it(name: str) -> None:
    headers = signed(BODY)
    with pytest.raises(WebhookRejected, match=re.compile(f"{name}.*4.13.0", re.IGNORECASE)):
        channel().verify(headers | {name: ""}, BODY)
    del headers[name]
    with pytest.raises(WebhookRejected, match=re.compile(name, re.IGNORECASE)):
        channel().verify(headers, BODY)


@pytest.mark.parametrize("seconds", [-310, 310])
def test_a_webhook_more_than_five_minutes_off_is_rejected(seconds: int) -> None:
    with pytest.raises(WebhookRejected, match="5 minutes"):
        channel().verify(signed(BODY, at=now() + seconds), BODY)


@pytest.mark.parametrize("seconds", [-290, 290])
def test_a_webhook_less_than_five_minutes_off_passes(seconds: int) -> None:
    channel().verify(signed(BODY, at=now() + seconds), BODY)


@pytest.mark.parametrize(
    "time", ["yesterday", "nan", "1e9", "-5", "0x10", "١٢٣", "1.5", " 1", "9" * 400]
)
def test_a_timestamp_that_is_no_time_is_rejected(time: str) -> None:
    with pytest.raises(WebhookRejected):
        channel().verify(signed(BODY) | {"X-Chatwoot-Timestamp": time}, BODY)


@pytest.mark.parametrize(
    "change", [str.upper, lambda s: s[7:], lambda s: s[:-1], lambda s: s + " "]
)
def test_a_malformed_signature_is_rejected(change: Any) -> None:
    headers = signed(BODY)
    wrong = change(headers["X-Chatwoot-Signature"])
    with pytest.raises(WebhookRejected, match="signature"):
        channel().verify(headers | {"X-Chatwoot-Signature": wrong}, BODY)


@given(body=st.binary(max_size=200), time=st.text(max_size=20), signature=st.text(max_size=80))
def test_whatever_comes_in_unsigned_is_rejected_and_nothing_else_is_raised(
    body: bytes, time: str, signature: str
) -> None:
    for stamp in (time, str(int(now()))):
        with pytest.raises(WebhookRejected):
            channel().verify(
                {"X-Chatwoot-Timestamp": stamp, "X-Chatwoot-Signature": signature}, body
            )


# --- parse ----------------------------------------------------------------------------------------


def test_what_a_fan_wrote_is_a_message_in_our_words() -> None:
    body = message_created("Hello", created_at="2026-11-01T10:00:00.250Z")
    assert parse(changed(body, "sender.name", "Tom")) == InboundEvent(
        event_id="message_created:91",
        kind=EventKind.MESSAGE,
        fan_handle="chatwoot:1017",
        fan_display_name="Tom",
        conversation_ref="17",
        occurred_at=datetime(2026, 11, 1, 10, 0, 0, 250_000, tzinfo=UTC),
        message_ref="91",
        text="Hello",
    )


def test_what_a_person_of_the_team_wrote_in_chatwoot_is_a_message_of_the_creator() -> None:
    event = parse(changed(by_agent("Hi!"), "conversation.meta.sender.name", "Tom"))
    assert event.kind is EventKind.CREATOR_MESSAGE
    assert (event.fan_handle, event.fan_display_name) == ("chatwoot:1017", "Tom")
    assert (event.conversation_ref, event.message_ref, event.text) == ("17", "91", "Hi!")


def test_a_message_has_the_same_event_id_in_every_delivery_of_it() -> None:
    again = changed(message_created(), "conversation.unread_count", 7)
    assert parse(again).event_id == parse(message_created()).event_id
    assert parse(message_created(message_id=92)).event_id != parse(message_created()).event_id


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(message_created(private=True), id="private note"),
        pytest.param(by_agent(private=True), id="private note of an agent"),
        pytest.param(message_created(message_type="activity"), id="activity"),
        pytest.param(message_created(message_type="template"), id="template"),
        pytest.param(message_created(message_type="hologram"), id="unknown type of message"),
        pytest.param(by_agent(sender={"id": 3, "type": "agent_bot"}), id="bot"),
        pytest.param(by_agent(sender=None), id="nobody"),
        pytest.param(by_agent(content_attributes={"automation_rule_id": 4}), id="automation"),
        pytest.param(by_agent(content_attributes={"vaultcrm_message_id": "x"}), id="our own"),
        pytest.param(message_created(event="message_updated"), id="edit"),
        pytest.param({"event": "conversation_created", "id": 17}, id="another event"),
        pytest.param({"event": "a_thing_of_the_future"}, id="unknown event"),
        pytest.param(message_created(inbox={"id": 3}), id="another inbox"),
        pytest.param(message_created(None), id="neither text nor attachment"),
        pytest.param(message_created(" \n"), id="blank"),
    ],
)
def test_what_does_not_concern_us_gives_no_event(body: dict[str, Any]) -> None:
    assert parse_all(body) == ()


def test_a_fan_cannot_pass_a_message_off_as_ours() -> None:
    forged = message_created(content_attributes={"vaultcrm_message_id": "x"})
    assert parse(forged).kind is EventKind.MESSAGE


def test_a_webhook_of_another_account_is_a_wrong_setting_and_says_so() -> None:
    found = problems(message_created(account={"id": 8}))
    assert found == {"account.id": "is 8, but account 1 is set up"}


def test_attachments_are_named_beside_the_text_since_they_stay_in_chatwoot() -> None:
    files = [{"id": 1, "file_type": "image"}, {"id": 2, "file_type": "audio"}, {"file_type": "<b>"}]
    assert parse(message_created("Look", attachments=files)).text == "Look\n[image] [audio] [file]"
    assert parse(message_created(None, attachments=files[:1])).text == "[image]"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (None, "chatwoot:1017"),
        ("", "chatwoot:1017"),
        (7, "chatwoot:1017"),
        ("To\0m\n\ud800 88", "To m 88"),
        ("x" * 300, "x" * 100),
        ("Тимур 🌻", "Тимур 🌻"),
    ],
)
def test_no_name_of_a_fan_keeps_a_message_from_coming_in(name: object, shown: str) -> None:
    assert parse(changed(message_created(), "sender.name", name)).fan_display_name == shown


def test_ids_may_be_in_quotes_and_times_as_in_the_manual() -> None:
    body = message_created(id="91", created_at="2020-03-03 13:05:57 UTC")
    event = parse(changed(body, "conversation.id", "17"))
    assert (event.message_ref, event.conversation_ref) == ("91", "17")
    assert event.occurred_at == datetime(2020, 3, 3, 13, 5, 57, tzinfo=UTC)


def test_a_time_with_another_offset_is_turned_to_utc() -> None:
    event = parse(message_created(created_at="2026-11-01T12:00:00+02:00"))
    assert event.occurred_at.isoformat() == "2026-11-01T10:00:00+00:00"


def test_a_text_of_the_length_that_chatwoot_takes_comes_in_unchanged() -> None:
    text = ("\n🌻 مرحبا \t" + "y" * 150_000)[:150_000]
    assert parse(message_created(text)).text == text


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("content", "a\0b", "NUL"),
        ("content", "a\ud800b", "surrogate"),
        ("content", "x" * 150_001, "150,001 characters"),
        ("content", 7, "string"),
        ("id", 0, "greater than or equal"),
        ("id", True, "whole number"),
        ("id", 10**30, "less than or equal"),
        ("id", "9a", "whole number"),
        ("created_at", "yesterday", "ISO 8601"),
        ("created_at", 1_790_000_000, "ISO 8601"),
        ("created_at", "2026-11-01T10:00:00", "timezone"),
        ("created_at", "0001-01-01T00:00:00+14:00", "years"),
        ("message_type", 0, "string"),
        ("private", "yes", "boolean"),
        ("account", [1], "JSON object"),
        ("inbox.id", None, "whole number"),
        ("conversation.id", "../1", "whole number"),
        ("sender.id", -4, "greater than or equal"),
        ("event", 5, "string"),
    ],
)
def test_a_bad_field_is_named_by_its_path(path: str, value: object, said: str) -> None:
    found = problems(changed(message_created(), path, value))
    assert list(found) == [path]
    assert said in found[path]


@pytest.mark.parametrize(
    "path", ["event", "id", "created_at", "account", "inbox.id", "conversation", "sender.id"]
)
def test_a_missing_field_is_named_by_its_path(path: str) -> None:
    assert problems(without(message_created(), path)) == {path: "is missing"}


def test_an_answer_of_the_team_needs_the_fan_that_it_went_to() -> None:
    assert problems(without(by_agent(), "conversation.meta")) == {"conversation.meta": "is missing"}


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"\xff\xfe", id="not utf-8"),
        pytest.param(BODY.decode().encode("utf-16"), id="utf-16"),
        pytest.param(b"[" * 100_000, id="deep"),
        pytest.param(b"1" * 9_999, id="huge number"),
        pytest.param(b"null", id="null"),
        pytest.param(b"[]", id="list"),
    ],
)
def test_a_body_that_is_no_json_object_in_utf_8_is_refused(raw: bytes) -> None:
    assert list(problems(raw)) == ["body"]


def test_a_refusal_does_not_repeat_what_the_fan_wrote() -> None:
    with pytest.raises(InvalidInput) as caught:
        parse(message_created("zebra\0" * 3))
    assert "zebra" not in str(caught.value)


ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=20)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ANY_TEXT, inner, max_size=4),
    max_leaves=8,
)
PATHS = st.sampled_from(
    [
        *("id", "event", "content", "created_at", "message_type", "private", "sender"),
        *("sender.name", "sender.type", "account", "inbox", "conversation", "conversation.id"),
        *("conversation.meta", "conversation.meta.sender", "content_attributes", "attachments"),
    ]
)


@given(path=PATHS, value=JSON, key=ANY_TEXT, answered=st.booleans())
def test_any_json_is_parsed_or_refused_and_nothing_else_is_raised(
    path: str, value: object, key: str, answered: bool
) -> None:
    body = by_agent() if answered else message_created()
    body.setdefault("attachments", [])
    for raw in (changed(body, path, value) | {key or "id": value}, value):
        try:
            events = channel().parse(json.dumps(raw).encode())
        except InvalidInput as refused:
            str(refused).encode("ascii")
            continue
        for event in events:
            event.text.encode()
            event.fan_display_name.encode()
            assert "\0" not in event.text + event.fan_display_name
            assert event.text.strip()


@given(st.binary(max_size=300))
def test_any_bytes_are_refused_and_nothing_else_is_raised(raw: bytes) -> None:
    with pytest.raises(InvalidInput):
        channel().parse(raw)


# --- send -----------------------------------------------------------------------------------------


@pytest.fixture
def chatwoot() -> Iterator[ChatwootStub]:
    with serve_chatwoot_stub() as stub:
        yield stub


def outbound(**changes: object) -> OutboundMessage:
    fields: dict[str, Any] = {
        "id": new_id(),
        "creator_id": new_id(),
        "conversation_id": new_id(),
        "conversation_ref": "17",
        "fan_handle": "chatwoot:1017",
        "text": "Hi Tom 🌻",
    }
    return OutboundMessage(**(fields | changes))


def send(url: str, *messages: OutboundMessage, **settings: Any) -> list[SendResult]:
    async def run() -> list[SendResult]:
        opened = channel(url, **settings)
        try:
            return [await opened.send(message) for message in messages]
        finally:
            await opened.aclose()

    return asyncio.run(run())


def kind_of(result: SendResult) -> tuple[SendStatus, SendErrorKind | None]:
    return result.status, result.error_kind


def test_a_message_goes_out_public_and_marked_as_ours(chatwoot: ChatwootStub) -> None:
    message = outbound()
    (result,) = send(chatwoot.url, message)
    (taken,) = chatwoot.accepted
    assert result == SendResult(SendStatus.SENT, message_id=str(taken["id"]))
    assert (taken["content"], taken["conversation_id"]) == ("Hi Tom 🌻", 17)
    assert (taken["message_type"], taken["private"]) == (1, False)
    assert taken["content_attributes"] == {"vaultcrm_message_id": str(message.id)}


def test_chatwoot_may_lie_below_a_path(chatwoot: ChatwootStub) -> None:
    send(f"{chatwoot.url}/support/", outbound())
    (request,) = chatwoot.requests
    assert request["path"] == "/support/api/v1/accounts/1/conversations/17/messages"


def test_messages_keep_their_order_and_each_has_its_own_id(chatwoot: ChatwootStub) -> None:
    results = send(chatwoot.url, outbound(text="one"), outbound(text="two"))
    assert [taken["content"] for taken in chatwoot.accepted] == ["one", "two"]
    assert [result.message_id for result in results] == [str(t["id"]) for t in chatwoot.accepted]


@pytest.mark.parametrize(
    ("header", "seconds"), [(None, None), ("120", 120.0), ("soon", None), ("-3", None)]
)
def test_a_rate_limit_is_passed_on_with_the_wait_where_one_is_given(
    chatwoot: ChatwootStub, header: str | None, seconds: float | None
) -> None:
    chatwoot.behave(RateLimit(header))
    (result,) = send(chatwoot.url, outbound())
    assert kind_of(result) == (SendStatus.FAILED, SendErrorKind.RATE_LIMITED)
    assert result.retry_after == seconds
    assert chatwoot.accepted == []


def test_a_wish_to_wait_may_be_a_date(chatwoot: ChatwootStub) -> None:
    chatwoot.behave(RateLimit(format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)))
    (result,) = send(chatwoot.url, outbound())
    assert result.retry_after is not None
    assert 3_000 < result.retry_after <= 3_600


def test_a_conversation_with_too_many_messages_is_a_rate_limit_too(chatwoot: ChatwootStub) -> None:
    chatwoot.behave(Refuse(422, "Validation failed: Too many messages"))
    (result,) = send(chatwoot.url, outbound())
    assert kind_of(result) == (SendStatus.FAILED, SendErrorKind.RATE_LIMITED)


def test_a_wrong_token_is_a_matter_of_credentials(chatwoot: ChatwootStub) -> None:
    (result,) = send(chatwoot.url, outbound(), api_access_token="somebody-elses-token")
    assert kind_of(result) == (SendStatus.FAILED, SendErrorKind.AUTH)
    assert "token" in result.error
    assert chatwoot.accepted == []


def test_a_token_that_is_taken_back_stops_sending_until_it_is_known_again(
    chatwoot: ChatwootStub,
) -> None:
    chatwoot.behave(RevokeToken())
    results = send(chatwoot.url, outbound(), outbound())
    assert [result.error_kind for result in results] == [SendErrorKind.AUTH] * 2
    chatwoot.reset()
    (result,) = send(chatwoot.url, outbound())
    assert result.status is SendStatus.SENT


@pytest.mark.parametrize(
    ("status", "error", "kind"),
    [
        (400, "bad", SendErrorKind.INVALID),
        (402, "bad", SendErrorKind.INVALID),
        (403, "bad", SendErrorKind.AUTH),
        (404, "bad", SendErrorKind.INVALID),
        (413, "bad", SendErrorKind.INVALID),
        (422, "Validation failed: Content is too long", SendErrorKind.INVALID),
        (301, "bad", SendErrorKind.INVALID),
    ],
)
def test_every_refusal_has_a_kind_and_says_its_status(
    chatwoot: ChatwootStub, status: int, error: str, kind: SendErrorKind
) -> None:
    chatwoot.behave(Refuse(status, error))
    (result,) = send(chatwoot.url, outbound())
    assert kind_of(result) == (SendStatus.FAILED, kind)
    assert str(status) in result.error
    assert len(chatwoot.requests) == 1


@pytest.mark.parametrize(
    "changes",
    [{"account_id": 2}, {"message": outbound(conversation_ref="4000")}],
    ids=["account", "conversation"],
)
def test_an_unknown_account_or_conversation_is_invalid(
    chatwoot: ChatwootStub, changes: dict[str, Any]
) -> None:
    settings = dict(changes)
    (result,) = send(chatwoot.url, settings.pop("message", outbound()), **settings)
    assert kind_of(result) == (SendStatus.FAILED, SendErrorKind.INVALID)
    assert "404" in result.error


@pytest.mark.parametrize("status", [500, 502, 503, 504])
@pytest.mark.parametrize("step", [Refuse, FailAfter])
def test_a_fault_of_chatwoot_leaves_it_open_whether_the_message_was_taken(
    chatwoot: ChatwootStub, step: type[Refuse | FailAfter], status: int
) -> None:
    chatwoot.behave(step(status))
    (result,) = send(chatwoot.url, outbound())
    assert kind_of(result) == (SendStatus.UNCERTAIN, None)
    assert str(status) in result.error
    assert "Look in Chatwoot" in result.error


def test_a_422_after_the_message_was_stored_leaves_it_open_too(chatwoot: ChatwootStub) -> None:
    chatwoot.behave(FailAfter(422, "Error connecting to Redis"))
    (result,) = send(chatwoot.url, outbound())
    assert kind_of(result) == (SendStatus.UNCERTAIN, None)
    assert len(chatwoot.accepted) == 1


@pytest.mark.parametrize(
    "step", [Hang(), Drop(), Drop(within_answer=True)], ids=["no answer", "dropped", "cut"]
)
def test_a_message_that_was_handed_over_and_not_answered_is_uncertain_and_never_sent_again(
    chatwoot: ChatwootStub, step: Hang | Drop
) -> None:
    chatwoot.behave(step)
    (result,) = send(chatwoot.url, outbound(), timeout_seconds=0.5)
    assert kind_of(result) == (SendStatus.UNCERTAIN, None)
    assert len(chatwoot.accepted) == 1
    assert len(chatwoot.requests) == 1


@pytest.mark.parametrize("characters", [60, 3_000_000], ids=["short", "endless"])
def test_a_web_page_in_place_of_an_answer_is_no_proof_that_a_message_was_taken(
    chatwoot: ChatwootStub, characters: int
) -> None:
    chatwoot.behave(Page(characters))
    (result,) = send(chatwoot.url, outbound())
    assert kind_of(result) == (SendStatus.UNCERTAIN, None)


def test_a_chatwoot_that_is_not_there_may_be_tried_again() -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        (result,) = send(f"http://127.0.0.1:{reserved.getsockname()[1]}", outbound())
    assert kind_of(result) == (SendStatus.FAILED, SendErrorKind.RETRYABLE)
    assert "reached" in result.error


@contextmanager
def silent_listener() -> Iterator[int]:
    """Takes connections and never says a word: TLS with it is never made."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


def test_time_that_is_over_before_the_message_was_handed_over_may_be_tried_again() -> None:
    with silent_listener() as port:
        (result,) = send(f"https://127.0.0.1:{port}", outbound(), timeout_seconds=0.3)
    assert kind_of(result) == (SendStatus.FAILED, SendErrorKind.RETRYABLE)
    assert "0.3 seconds" in result.error


def test_time_that_is_over_after_the_message_was_handed_over_is_uncertain() -> None:
    with silent_listener() as port:
        (result,) = send(f"http://127.0.0.1:{port}", outbound(), timeout_seconds=0.3)
    assert kind_of(result) == (SendStatus.UNCERTAIN, None)


@contextmanager
def endless_answer(part: bytes, pause: float) -> Iterator[str]:
    """A server that answers with one part after the other and never ends."""
    stop = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(200)
            self.end_headers()
            while not stop.wait(pause):
                self.wfile.write(part)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - theirs
            pass

    class Server(HTTPServer):
        def handle_error(self, request: object, client_address: object) -> None:
            """The client gives up: that is what the test is about."""

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        stop.set()
        server.shutdown()
        thread.join()
        server.server_close()


def test_an_answer_that_trickles_in_does_not_outlast_the_time_of_one_send() -> None:
    with endless_answer(b" ", pause=0.05) as url:
        (result,) = send(url, outbound(), timeout_seconds=0.4)
    assert kind_of(result) == (SendStatus.UNCERTAIN, None)
    assert "0.4 seconds" in result.error


def test_an_answer_without_end_is_read_no_further_than_it_can_matter() -> None:
    with endless_answer(b" " * 65_536, pause=0) as url:
        (result,) = send(url, outbound())
    assert kind_of(result) == (SendStatus.UNCERTAIN, None)
    assert "names no message" in result.error


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"text": "a\0b"}, "NUL"),
        ({"text": "a\ud800b"}, "surrogate"),
        ({"text": " \n"}, "empty"),
        ({"text": "x" * 10_001}, "10,001 characters"),
        ({"text": "Hi {{contact.name}}"}, "{{"),
        ({"text": "Hi {% if agent %}"}, "{%"),
        ({"price": Money(2500)}, "price"),
        ({"media_ids": ("media-1",)}, "Media"),
        ({"conversation_ref": "17/../18"}, "number"),
        ({"conversation_ref": ""}, "number"),
        ({"conversation_ref": "١٧"}, "number"),
    ],
)
def test_what_chatwoot_cannot_carry_as_it_was_approved_is_not_sent(
    chatwoot: ChatwootStub, changes: dict[str, object], said: str
) -> None:
    (result,) = send(chatwoot.url, outbound(**changes))
    assert kind_of(result) == (SendStatus.FAILED, SendErrorKind.INVALID)
    assert said in result.error
    assert chatwoot.requests == []


def test_an_error_repeats_neither_the_text_nor_what_chatwoot_said_nor_a_secret(
    chatwoot: ChatwootStub,
) -> None:
    chatwoot.behave(Refuse(422, f"Validation failed: zebra {TOKEN}"), FailAfter(500, "zebra"))
    results = send(chatwoot.url, *(outbound(text="zebra " * n) for n in (1, 1, 5_000)))
    for result in results:
        assert result.error
        assert not re.search(f"zebra|{TOKEN}|{SECRET}", result.error)


def test_the_token_goes_nowhere_but_to_chatwoot() -> None:
    with serve_chatwoot_stub() as elsewhere, redirecting_to(elsewhere.url) as url:
        (result,) = send(url, outbound())
        assert kind_of(result) == (SendStatus.FAILED, SendErrorKind.INVALID)
        assert elsewhere.requests == []


@contextmanager
def redirecting_to(url: str) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(307)
            self.send_header("location", url + self.path)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - theirs
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


# --- both ways ------------------------------------------------------------------------------------


@pytest.fixture
def ours() -> Iterator[Platform]:
    """Where Chatwoot posts its webhooks."""
    with serve_platform() as served:
        yield served


def read(taken: Taken) -> tuple[InboundEvent, ...]:
    channel().verify(taken.headers, taken.body)
    return channel().parse(taken.body)


def test_chatwoots_webhooks_are_read_repeated_and_out_of_order(
    chatwoot: ChatwootStub, ours: Platform
) -> None:
    payloads = [message_created("one", message_id=1), message_created("two", message_id=2)]
    assert chatwoot.deliver(ours.url, payloads, times=2, reverse=True) == [200] * 4
    texts = [event.text for taken in ours.taken for event in read(taken)]
    assert texts == ["two", "one", "two", "one"]
    assert len({event.event_id for taken in ours.taken for event in read(taken)}) == 2
    assert len({taken.headers["x-chatwoot-delivery"] for taken in ours.taken}) == 2


def test_the_echo_of_what_we_sent_is_not_taken_for_a_message_of_the_team(
    chatwoot: ChatwootStub, ours: Platform
) -> None:
    arrived = threading.Event()
    ours.taken = Noted(arrived)
    chatwoot.echo_to(ours.url)
    (result,) = send(chatwoot.url, outbound())
    assert arrived.wait(10)
    (taken,) = ours.taken
    assert str(taken.json["id"]) == result.message_id
    assert taken.json["message_type"] == "outgoing"
    assert read(taken) == ()


class Noted(list[Taken]):
    """A list that says when something was added."""

    def __init__(self, added: threading.Event) -> None:
        super().__init__()
        self._added = added

    def append(self, taken: Taken, /) -> None:
        super().append(taken)
        self._added.set()


def test_the_stub_as_its_own_process_keeps_what_it_took_over_a_restart_of_ours() -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "stubs.chatwoot", "--port", "0"],
        cwd=Path(__file__).parents[3],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        stub = ChatwootStub(process.stdout.readline().strip())
        stub.behave(Accept(), Drop())
        first, second = send(stub.url, outbound(text="one"), outbound(text="two"))
        assert (first.status, second.status) == (SendStatus.SENT, SendStatus.UNCERTAIN)
        (third,) = send(stub.url, outbound(text="three"))
        assert third.status is SendStatus.SENT
        assert [taken["content"] for taken in stub.accepted] == ["one", "two", "three"]
    finally:
        process.terminate()
        process.wait(timeout=10)
        if process.stdout is not None:
            process.stdout.close()


# --- setting up -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "value", "named"),
    [
        ("account_id", 0, "accountId"),
        ("account_id", True, "accountId"),
        ("inbox_id", -1, "inboxId"),
        ("inbox_id", 2**63, "inboxId"),
        ("api_access_token", "", "apiAccessToken"),
        ("api_access_token", "two\r\nlines", "apiAccessToken"),
        ("api_access_token", "é", "apiAccessToken"),
        ("webhook_secret", "", "webhookSecret"),
        ("webhook_secret", "short", "webhookSecret"),
        ("webhook_secret", "with spaces in the middle", "webhookSecret"),
        ("base_url", "chatwoot.example", "baseUrl"),
        ("base_url", "ftp://127.0.0.1", "baseUrl"),
        ("base_url", "http://", "baseUrl"),
        ("base_url", "http://[::1", "baseUrl"),
        ("base_url", "https://user:pass@chatwoot.example", "baseUrl"),
        ("base_url", "https://chatwoot.example/?a=1", "baseUrl"),
        ("longest_text", 0, "longestText"),
        ("longest_text", 150_001, "longestText"),
        ("timeout_seconds", 0, "timeoutSeconds"),
        ("timeout_seconds", float("nan"), "timeoutSeconds"),
        ("timeout_seconds", float("inf"), "timeoutSeconds"),
    ],
)
def test_a_setting_that_cannot_work_is_refused_by_name_and_not_repeated(
    field: str, value: Any, named: str
) -> None:
    with pytest.raises(InvalidInput, match=named) as caught:
        channel(**{field: value})
    if isinstance(value, str) and value:
        assert value not in str(caught.value)


def test_capabilities_say_that_only_text_goes_out_and_that_a_message_must_not_be_repeated() -> None:
    capabilities = channel().capabilities
    assert not capabilities.idempotent_sends
    assert not capabilities.takes_prices
    assert not capabilities.takes_media
    assert capabilities.unsend_seconds == 0


def test_the_operator_says_what_may_go_by_itself_and_how_long_a_text_may_be() -> None:
    assert channel().capabilities.automated_sending
    assert not channel(automated_sending=False).capabilities.automated_sending
    assert channel(longest_text=4_096).capabilities.longest_text == 4_096


def test_a_text_at_the_limit_that_was_set_is_sent_and_one_beyond_it_is_not(
    chatwoot: ChatwootStub,
) -> None:
    fits, too_long = send(
        chatwoot.url, outbound(text="x" * 300), outbound(text="x" * 301), longest_text=300
    )
    assert fits.status is SendStatus.SENT
    assert kind_of(too_long) == (SendStatus.FAILED, SendErrorKind.INVALID)


def test_a_channel_may_be_closed_unused_and_twice() -> None:
    async def run() -> None:
        opened = channel()
        await opened.aclose()
        await opened.aclose()

    asyncio.run(run())
