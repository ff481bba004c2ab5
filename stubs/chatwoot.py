"""A stand-in for Chatwoot on loopback: one account, one API inbox, conversations 1 to 999.

It takes `POST /api/v1/accounts/{account}/conversations/{id}/messages`, refuses what Chatwoot
refuses (another method or path, a wrong token, an unknown account or conversation, a body that is
not of its form) and keeps what it took, in order. Conversation N is with contact 1000 + N.

    with serve_chatwoot_stub() as stub:
        stub.behave(RateLimit(retry_after=7), Hang())
        ...                     # the adapter under test, with base address `stub.url`
        stub.accepted           # what it took
        stub.deliver(url, [message_created("Hello")])       # signed, as Chatwoot posts it

Each of the next messages meets one step of the behaviour, then all is good again. Everything is
steered over HTTP (`POST /_stub/behaviour`, `GET /_stub/accepted`, `GET /_stub/requests`,
`POST /_stub/deliver`, `POST /_stub/reset`), so the server can as well be another process, which
outlives a restart of ours: `python -m stubs.chatwoot --port 0`. With `--webhook-url`, or after
`POST /_stub/webhook {"url": "…"}`, it also posts each message that it took, as Chatwoot does to an
API inbox: the echo of what we send.
"""

import argparse
import contextlib
import hashlib
import hmac
import http.client
import itertools
import json
import re
import sys
import threading
import uuid
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

ACCOUNT_ID = 1
INBOX_ID = 2
TOKEN = "agent-token-of-the-stub"
SECRET = "webhook-secret-of-the-stub"
AGENT = {"id": 5, "name": "VaultCRM", "email": "vaultcrm@agency.example", "type": "user"}
_CONVERSATIONS = range(1, 1000)
_GREATEST_TEXT = 150_000
_MESSAGES = re.compile(r"/api/v1/accounts/([^/]+)/conversations/([^/]+)/messages")
_WEBHOOK_SECONDS = 5
"""How long Chatwoot waits for the answer to a webhook, unless its operator sets another time."""

# ---------------------------------------------------------------------------- the behaviour


@dataclass(frozen=True, slots=True)
class Accept:
    """A good answer."""


@dataclass(frozen=True, slots=True)
class RateLimit:
    """429 before anything is taken. Chatwoot sends no `Retry-After`; a proxy before it may."""

    retry_after: str | int | None = None


@dataclass(frozen=True, slots=True)
class Refuse:
    """An error before anything is taken."""

    status: int
    error: str = "refused"


@dataclass(frozen=True, slots=True)
class FailAfter:
    """An error although the message was taken."""

    status: int = 500
    error: str = "refused"


@dataclass(frozen=True, slots=True)
class Hang:
    """The message is taken and no answer comes for so long."""

    seconds: float = 30.0


@dataclass(frozen=True, slots=True)
class Drop:
    """The message is taken and the connection closed, before the answer or within it."""

    within_answer: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """200 with a web page and nothing taken, as a proxy or a wrong address gives it."""

    characters: int = 60


@dataclass(frozen=True, slots=True)
class RevokeToken:
    """From now on the token is refused, until a reset."""


Step = Accept | RateLimit | Refuse | FailAfter | Hang | Drop | Page | RevokeToken
_STEPS: dict[str, type[Step]] = {
    kind.__name__: kind
    for kind in (Accept, RateLimit, Refuse, FailAfter, Hang, Drop, Page, RevokeToken)
}

# ---------------------------------------------------------------------------- its webhooks


def message_created(
    content: str | None = "Hello",
    *,
    message_id: int = 91,
    conversation: int = 17,
    message_type: str = "incoming",
    sender: Mapping[str, Any] | None = None,
    **changes: object,
) -> dict[str, Any]:
    """The body of one `message_created`, as Chatwoot 4.13 makes it.

    `sender` is None for the contact; `changes` replace whole fields.
    """
    contact = _contact(conversation)
    at = datetime.now(UTC)
    written = at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {
        "account": {"id": ACCOUNT_ID, "name": "Agency"},
        "additional_attributes": {},
        "content_attributes": {},
        "content_type": "text",
        "content": content,
        "conversation": {
            "additional_attributes": {},
            "can_reply": True,
            "channel": "Channel::Api",
            "contact_inbox": {"id": 3, "contact_id": contact["id"], "inbox_id": INBOX_ID},
            "id": conversation,
            "inbox_id": INBOX_ID,
            "messages": [{"id": message_id, "content": content, "created_at": int(at.timestamp())}],
            "labels": [],
            "meta": {"sender": contact | {"type": "contact"}, "assignee": None, "team": None},
            "status": "open",
            "custom_attributes": {},
            "unread_count": 1,
            "created_at": int(at.timestamp()),
        },
        "created_at": written,
        "id": message_id,
        "inbox": {"id": INBOX_ID, "name": "Fans"},
        "message_type": message_type,
        "private": False,
        "sender": contact if sender is None else dict(sender),
        "source_id": None,
        "event": "message_created",
    } | changes


def signed(
    body: bytes, *, secret: str = SECRET, at: float | None = None, delivery: str | None = None
) -> dict[str, str]:
    """The headers that Chatwoot gives a webhook. `at` is in seconds since 1970."""
    timestamp = str(int(datetime.now(UTC).timestamp() if at is None else at))
    key = secret.encode()
    signature = hmac.new(key, timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    return {
        "Content-Type": "application/json",
        "Accept": "application/json",
        "X-Chatwoot-Delivery": delivery or str(uuid.uuid4()),
        "X-Chatwoot-Timestamp": timestamp,
        "X-Chatwoot-Signature": f"sha256={signature}",
    }


def _contact(conversation: int) -> dict[str, Any]:
    return {
        "id": 1000 + conversation,
        "name": f"Fan {conversation}",
        "email": None,
        "identifier": None,
        "phone_number": None,
        "custom_attributes": {},
        "blocked": False,
    }


def _post(url: str, body: bytes, headers: Mapping[str, str]) -> int:
    address = urlsplit(url)
    connection = http.client.HTTPConnection(
        address.hostname or "", address.port, timeout=_WEBHOOK_SECONDS
    )
    path = address.path + (f"?{address.query}" if address.query else "")
    with contextlib.closing(connection):
        connection.request("POST", path or "/", body, dict(headers))
        return connection.getresponse().status


# ---------------------------------------------------------------------------- the server


class _Refused(Exception):
    def __init__(self, status: int, error: str) -> None:
        super().__init__(error)
        self.status = status
        self.error = error


@dataclass(slots=True)
class _State:
    """What one server remembers."""

    webhook_url: str = ""
    revoked: bool = False
    steps: deque[Step] = field(default_factory=deque)
    accepted: list[dict[str, Any]] = field(default_factory=list)
    requests: list[dict[str, Any]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    stopping: threading.Event = field(default_factory=threading.Event)
    ids: Iterator[int] = field(default_factory=lambda: itertools.count(5001))

    def next_step(self) -> Step:
        with self.lock:
            return self.steps.popleft() if self.steps else Accept()

    def take(self, conversation: int, body: Mapping[str, Any]) -> dict[str, Any]:
        with self.lock:
            taken = {
                "id": next(self.ids),
                "content": body["content"],
                "inbox_id": INBOX_ID,
                "conversation_id": conversation,
                "message_type": 1,
                "content_type": body.get("content_type") or "text",
                "status": "sent",
                "content_attributes": body.get("content_attributes") or {},
                "created_at": int(datetime.now(UTC).timestamp()),
                "private": body.get("private", False),
                "source_id": None,
                "sender": AGENT,
            }
            self.accepted.append(taken)
        if self.webhook_url:
            threading.Thread(target=self._echo, args=(taken, self.webhook_url), daemon=True).start()
        return taken

    @staticmethod
    def _echo(taken: Mapping[str, Any], url: str) -> None:
        payload = message_created(
            taken["content"],
            message_id=taken["id"],
            conversation=taken["conversation_id"],
            message_type="outgoing",
            sender=AGENT,
            content_attributes=taken["content_attributes"],
        )
        body = json.dumps(payload).encode()
        # Chatwoot does not send a webhook of an inbox again when it could not be delivered.
        with contextlib.suppress(OSError, http.client.HTTPException):
            _post(url, body, signed(body))


def _check_body(raw: bytes, content_type: str) -> dict[str, Any]:
    """The body as Chatwoot's builder and validations would take it.

    Stricter than Chatwoot in what nobody sends on purpose: another type of body, a blank text, a
    template that Chatwoot would fill in. A stub that took them would hide a fault of ours.
    """
    if content_type.partition(";")[0].strip() != "application/json":
        raise _Refused(422, "the body is not JSON")
    try:
        body = json.loads(raw)
    except ValueError:
        raise _Refused(400, "Error occurred while parsing request parameters") from None
    if not isinstance(body, dict):
        raise _Refused(400, "Error occurred while parsing request parameters")
    if body.get("message_type", "outgoing") != "outgoing":
        raise _Refused(422, f"'{body['message_type']}' is not a valid message_type")
    content = body.get("content")
    if not isinstance(content, str) or not content.strip():
        raise _Refused(422, "the text is blank")
    if len(content) > _GREATEST_TEXT:
        raise _Refused(422, "Validation failed: Content is too long (maximum is 150000 characters)")
    if "{{" in content or "{%" in content:
        raise _Refused(422, "the text is a Liquid template")
    return body


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    state: _State

    def do_GET(self) -> None:
        kept: dict[str, list[Any]] = {
            "/_stub/accepted": self.state.accepted,
            "/_stub/requests": self.state.requests,
        }
        if self.path in kept:
            with self.state.lock:
                self._answer(200, {self.path.rpartition("/")[2]: kept[self.path]})
        else:
            self._answer(404, {"error": "Resource could not be found"})

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers.get("content-length") or 0))
        if self.path.startswith("/_stub/"):
            self._control(self.path.removeprefix("/_stub/"), json.loads(raw or b"{}"))
            return
        headers = {name.lower(): value for name, value in self.headers.items()}
        with self.state.lock:
            self.state.requests.append({"path": self.path, "headers": headers})
        try:
            conversation, body = self._check(raw)
            self._behave(self.state.next_step(), conversation, body)
        except _Refused as refused:
            self._answer(refused.status, {"error": refused.error})

    def _check(self, raw: bytes) -> tuple[int, dict[str, Any]]:
        found = _MESSAGES.fullmatch(self.path)
        if found is None:
            raise _Refused(404, "Resource could not be found")
        if self.state.revoked or self.headers.get("api_access_token") != TOKEN:
            raise _Refused(401, "Invalid Access Token")
        account, conversation = found.groups()
        known = conversation.isdigit() and int(conversation) in _CONVERSATIONS
        if account != str(ACCOUNT_ID) or not known:
            raise _Refused(404, "Resource could not be found")
        return int(conversation), _check_body(raw, self.headers.get("content-type") or "")

    def _behave(self, step: Step, conversation: int, body: Mapping[str, Any]) -> None:
        match step:
            case Accept():
                self._answer(200, self.state.take(conversation, body))
            case RateLimit(retry_after):
                wait = {} if retry_after is None else {"Retry-After": str(retry_after)}
                self._send(429, b"Retry later\n", "text/plain", wait)
            case Refuse(status, error):
                raise _Refused(status, error)
            case FailAfter(status, error):
                self.state.take(conversation, body)
                raise _Refused(status, error)
            case Hang(seconds):
                self.state.take(conversation, body)
                self.state.stopping.wait(seconds)
                self.close_connection = True
            case Drop(within_answer):
                taken = self.state.take(conversation, body)
                if within_answer:
                    self._send(200, json.dumps(taken).encode(), "application/json", cut=True)
                self.close_connection = True
            case Page(characters):
                self._send(200, b"<html>".ljust(characters, b"."), "text/html")
            case RevokeToken():
                self.state.revoked = True
                raise _Refused(401, "Invalid Access Token")

    def _control(self, name: str, asked: dict[str, Any]) -> None:
        match name:
            case "behaviour":
                steps = [_STEPS[step.pop("kind")](**step) for step in asked["steps"]]
                with self.state.lock:
                    self.state.steps.extend(steps)
                self._answer(200, {"steps": len(self.state.steps)})
            case "webhook":
                self.state.webhook_url = asked["url"]
                self._answer(200, {})
            case "deliver":
                self._answer(200, {"statuses": self._deliver(**asked)})
            case "reset":
                with self.state.lock:
                    self.state.steps.clear()
                    self.state.accepted.clear()
                    self.state.requests.clear()
                    self.state.revoked = False
                self._answer(200, {})
            case _:
                self._answer(404, {"error": "unknown control"})

    @staticmethod
    def _deliver(
        url: str, payloads: list[dict[str, Any]], times: int = 1, reverse: bool = False
    ) -> list[int]:
        """A repeated delivery has the same body and delivery id, and is signed anew."""
        bodies = [(json.dumps(payload).encode(), str(uuid.uuid4())) for payload in payloads]
        ordered = bodies[::-1] if reverse else bodies
        return [
            _post(url, body, signed(body, delivery=delivery))
            for _ in range(times)
            for body, delivery in ordered
        ]

    def _answer(self, status: int, body: Mapping[str, Any]) -> None:
        self._send(status, json.dumps(body).encode(), "application/json; charset=utf-8")

    def _send(
        self,
        status: int,
        body: bytes,
        content_type: str,
        headers: Mapping[str, str] | None = None,
        *,
        cut: bool = False,
    ) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("content-type", content_type)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if cut else body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # theirs
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, port: int, webhook_url: str = "") -> None:
        self.state = _State(webhook_url=webhook_url)
        handler = type("Handler", (_Handler,), {"state": self.state})
        super().__init__(("127.0.0.1", port), handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that gave up is what some tests are about."""


# ---------------------------------------------------------------------------- for tests


@dataclass(frozen=True, slots=True)
class ChatwootStub:
    """A running stub, in this process or another. `url` has no path."""

    url: str

    @property
    def accepted(self) -> list[dict[str, Any]]:
        """The messages that it took, oldest first, as its API shows them."""
        return list(self._call("GET", "/_stub/accepted")["accepted"])

    @property
    def requests(self) -> list[dict[str, Any]]:
        """Path and headers (names in lower case) of every request to its API, refused or not."""
        return list(self._call("GET", "/_stub/requests")["requests"])

    def behave(self, *steps: Step) -> None:
        """Append steps: each of the next messages that it would take meets one."""
        wire = [{"kind": type(step).__name__, **asdict(step)} for step in steps]
        self._call("POST", "/_stub/behaviour", {"steps": wire})

    def echo_to(self, url: str) -> None:
        """Post each message that it takes from now on to an address, as an inbox's webhook."""
        self._call("POST", "/_stub/webhook", {"url": url})

    def deliver(
        self,
        url: str,
        payloads: Sequence[Mapping[str, Any]],
        *,
        times: int = 1,
        reverse: bool = False,
    ) -> list[int]:
        """Post webhooks, signed: all of them, so many times, in this order or the reverse one.

        The answer is the status of each post.
        """
        asked = {"url": url, "payloads": list(payloads), "times": times, "reverse": reverse}
        return list(self._call("POST", "/_stub/deliver", asked)["statuses"])

    def reset(self) -> None:
        """Forget behaviour, messages and requests, and know the token again."""
        self._call("POST", "/_stub/reset", {})

    def _call(
        self, method: str, path: str, body: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        address = urlsplit(self.url)
        connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=30)
        with contextlib.closing(connection):
            connection.request(method, path, None if body is None else json.dumps(body))
            answer: dict[str, Any] = json.load(connection.getresponse())
            return answer


@contextlib.contextmanager
def serve_chatwoot_stub() -> Iterator[ChatwootStub]:
    """A stub in a thread of this process."""
    server = _Server(0)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield ChatwootStub(server.url)
    finally:
        server.state.stopping.set()
        server.shutdown()
        thread.join()
        server.server_close()


def main() -> None:
    """Run until stopped; the address is printed first."""
    parser = argparse.ArgumentParser(prog="python -m stubs.chatwoot", description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--webhook-url", default="", help="where messages that were taken are told")
    arguments = parser.parse_args()
    server = _Server(arguments.port, arguments.webhook_url)
    sys.stdout.write(server.url + "\n")
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    main()
