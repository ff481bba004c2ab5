"""A stand-in for Fanvue on loopback: its chat message endpoints and its token endpoint.

    with serve_fanvue_stub() as stub:
        stub.behave(Refuse(429, retry_after=7), TakeAndHang())
        ...                 # the adapter under test, with `stub.base_url` and `stub.token_url`
        stub.accepted       # the messages it took, in order
        stub.deliver(url, message_received(stub.creator_uuid, "Hello"), times=2)

It checks what Fanvue checks: method, path, bearer token, API version, the form of the body; and at
the token endpoint the client's credentials and that a refresh token is used once. Unless told
otherwise it takes what is well formed. Each call of `behave` (or `behave_tokens`) appends steps:
each of the next requests meets one, then answers are good again.

Everything is steered over HTTP (`POST /_stub/behaviour`, `/_stub/expire`, `/_stub/event`,
`/_stub/reset`, `GET /_stub/accepted`), so the server can as well be another process, which outlives
restarts of ours: `python -m stubs.fanvue --port 9000`. Its address is printed first, alone.
"""

import argparse
import base64
import contextlib
import hashlib
import hmac
import http.client
import json
import re
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, quote_plus, urlsplit
from uuid import UUID, uuid4

API_VERSION = "2025-06-26"
WEBHOOK_SECRET = "whsec-of-the-fanvue-stub"
CLIENT_ID = "stub-client"
CLIENT_SECRET = "stub-secret/with+signs"
CREATOR_UUID = "f4b2a184-2b4a-4a04-9b70-3c0e0a1caa12"
FAN_UUID = "5939ae62-3eb5-4433-954f-f78c7b4282f3"
FIRST_ACCESS = "access-0"
FIRST_REFRESH = "refresh-0"
ACCESS_SECONDS = 3600
LONGEST_TEXT = 5_000
LEAST_PRICE = 300
_LONGEST_HANG_SECONDS = 30.0
_SEND = re.compile(
    r"(?P<root>(?:/v1)?)(?:/creators/(?P<creator>[^/]+))?/chats/(?P<fan>[^/]+)/message"
)

# ---------------------------------------------------------------------------- what it does


@dataclass(frozen=True, slots=True)
class Refuse:
    """An answer instead of taking the request."""

    status: int
    body: Any = None
    retry_after: int | None = None
    location: str | None = None


@dataclass(frozen=True, slots=True)
class TakeAndAnswer:
    """The request is taken, and then answered with this (a 5xx, or a 2xx that is no good)."""

    status: int
    body: Any = None


@dataclass(frozen=True, slots=True)
class TakeAndHang:
    """The request is taken, and no answer comes."""


@dataclass(frozen=True, slots=True)
class TakeAndDrop:
    """The request is taken, and the connection closes without an answer."""


@dataclass(frozen=True, slots=True)
class Delay:
    """A good answer after so many seconds."""

    seconds: float


Step = Refuse | TakeAndAnswer | TakeAndHang | TakeAndDrop | Delay
_STEPS: dict[str, type[Step]] = {
    kind.__name__: kind for kind in (Refuse, TakeAndAnswer, TakeAndHang, TakeAndDrop, Delay)
}


@dataclass(frozen=True, slots=True)
class Accepted:
    """One message that was taken. `creator` is "" where the path names none."""

    uuid: str
    creator: str
    fan: str
    access: str
    body: dict[str, Any]


@dataclass
class _State:
    lock: threading.Lock = field(default_factory=threading.Lock)
    released: threading.Event = field(default_factory=threading.Event)
    steps: deque[Step] = field(default_factory=deque)
    token_steps: deque[Step] = field(default_factory=deque)
    accepted: list[Accepted] = field(default_factory=list)
    requests: int = 0
    renewals: int = 0
    access: str = FIRST_ACCESS
    refresh: str = FIRST_REFRESH
    revoked: bool = False

    def renew(self) -> dict[str, Any]:
        """The next pair of tokens; the pair before stops working."""
        self.renewals += 1
        self.access, self.refresh = f"access-{self.renewals}", f"refresh-{self.renewals}"
        return {
            "access_token": self.access,
            "refresh_token": self.refresh,
            "expires_in": ACCESS_SECONDS,
            "token_type": "bearer",
        }


# ---------------------------------------------------------------------------- what it refuses


class _Refused(Exception):
    def __init__(self, status: int, body: Any) -> None:
        self.status = status
        self.body = body
        super().__init__(status)


def _check_uuid(value: str) -> str:
    try:
        return str(UUID(value))
    except (ValueError, AttributeError, TypeError):
        raise _Refused(400, {"message": "Invalid UUID"}) from None


def _check_message(raw: bytes) -> dict[str, Any]:
    try:
        body = json.loads(raw)
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise _Refused(400, {"errors": ["body: expected an object"]})
    text, media, price = body.get("text"), body.get("mediaUuids", []), body.get("price")
    errors = []
    if text is not None:
        length = len(text.encode("utf-16-le", "surrogatepass")) // 2 if isinstance(text, str) else 0
        if not 1 <= length <= LONGEST_TEXT:
            errors.append("text: expected 1 to 5000 characters")
    if not isinstance(media, list):
        errors.append("mediaUuids: expected a list")
    else:
        for media_uuid in media:
            _check_uuid(media_uuid)
    if price is not None and (not isinstance(price, int | float) or price < LEAST_PRICE):
        errors.append("price: expected at least 300")
    if text is None and not media:
        errors.append("text: one of text and mediaUuids is required")
    if errors:
        raise _Refused(400, {"errors": errors})
    return body


def _check_client(authorization: str) -> None:
    pair = f"{quote_plus(CLIENT_ID)}:{quote_plus(CLIENT_SECRET)}".encode()
    if authorization != f"Basic {base64.b64encode(pair).decode()}":
        raise _Refused(401, {"error": "invalid_client"})


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    state: _State

    def do_GET(self) -> None:
        if self.path == "/_stub/accepted":
            with self.state.lock:
                seen = {
                    "messages": [asdict(message) for message in self.state.accepted],
                    "requests": self.state.requests,
                    "renewals": self.state.renewals,
                    "unused": len(self.state.steps) + len(self.state.token_steps),
                }
            self._answer(200, seen)
        else:
            self._answer(404, {"message": "Not Found"})

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers.get("content-length", "0")))
        path = urlsplit(self.path).path
        try:
            if path.startswith("/_stub/"):
                self._steer(path.removeprefix("/_stub/"), raw)
            elif path == "/oauth2/token":
                self._renew(raw)
            elif (found := _SEND.fullmatch(path)) is not None:
                self._send(found, raw)
            else:
                raise _Refused(404, {"message": "Not Found"})
        except _Refused as refused:
            self._answer(refused.status, refused.body)

    def _send(self, found: re.Match[str], raw: bytes) -> None:
        with self.state.lock:
            self.state.requests += 1
            step = self.state.steps.popleft() if self.state.steps else None
        if isinstance(step, Refuse):
            self._refuse(step)
            return
        if self.headers.get("x-fanvue-api-version") != API_VERSION:
            raise _Refused(400, {"error": "Unsupported version", "message": "Use 2025-06-26"})
        scheme, _, access = self.headers.get("authorization", "").partition(" ")
        with self.state.lock:
            known = scheme == "Bearer" and access == self.state.access and not self.state.revoked
        if not known:
            raise _Refused(401, {"error": "Unauthorized"})
        if self.headers.get("content-type") != "application/json":
            raise _Refused(400, {"errors": ["content-type: expected application/json"]})
        creator = _check_uuid(found["creator"]) if found["creator"] else ""
        message = Accepted(
            uuid=str(uuid4()),
            creator=creator,
            fan=_check_uuid(found["fan"]),
            access=access,
            body=_check_message(raw),
        )
        if isinstance(step, Delay):
            self.state.released.wait(step.seconds)
        with self.state.lock:
            self.state.accepted.append(message)
        self._after(step, 201, {"messageUuid": message.uuid})

    def _renew(self, raw: bytes) -> None:
        with self.state.lock:
            step = self.state.token_steps.popleft() if self.state.token_steps else None
        if isinstance(step, Refuse):
            self._refuse(step)
            return
        _check_client(self.headers.get("authorization", ""))
        form = parse_qs(raw.decode())
        if form.get("grant_type") != ["refresh_token"]:
            raise _Refused(400, {"error": "unsupported_grant_type"})
        if isinstance(step, Delay):
            self.state.released.wait(step.seconds)
        with self.state.lock:
            if form.get("refresh_token") != [self.state.refresh] or self.state.revoked:
                self.state.revoked = True
                raise _Refused(400, {"error": "invalid_grant"})
            renewed = self.state.renew()
        self._after(step, 200, renewed)

    def _after(self, step: Step | None, status: int, body: Any) -> None:
        """Answer a request that has been taken."""
        match step:
            case TakeAndAnswer():
                self._answer(step.status, step.body)
            case TakeAndHang():
                self.state.released.wait(_LONGEST_HANG_SECONDS)
                self.close_connection = True
            case TakeAndDrop():
                self.close_connection = True
            case _:
                self._answer(status, body)

    def _steer(self, what: str, raw: bytes) -> None:
        asked = json.loads(raw or b"{}")
        state = self.state
        match what:
            case "behaviour":
                with state.lock:
                    state.steps.extend(_read_steps(asked.get("steps", [])))
                    state.token_steps.extend(_read_steps(asked.get("tokenSteps", [])))
                self._answer(200, {})
            case "expire":
                with state.lock:
                    state.access = f"expired-{uuid4()}"
                self._answer(200, {})
            case "reset":
                with state.lock:
                    state.steps.clear()
                    state.token_steps.clear()
                    state.accepted.clear()
                    state.requests = 0
                self._answer(200, {})
            case "event":
                bodies = [body.encode() for body in asked["bodies"]]
                statuses = post_events(asked["url"], bodies, int(asked.get("times", 1)))
                self._answer(200, {"statuses": statuses})
            case _:
                raise _Refused(404, {"message": "Not Found"})

    def _refuse(self, step: Refuse) -> None:
        headers = {}
        if step.retry_after is not None:
            headers["retry-after"] = str(step.retry_after)
        if step.location is not None:
            headers["location"] = step.location
        self._answer(step.status, step.body, headers)

    def _answer(self, status: int, body: Any, headers: Mapping[str, str] | None = None) -> None:
        """`body` goes out as JSON; a string goes out as it is."""
        written = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(written)))
        self.end_headers()
        self.wfile.write(written)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - theirs
        pass


def _read_steps(wire: Sequence[dict[str, Any]]) -> list[Step]:
    return [
        _STEPS[step["kind"]](**{name: value for name, value in step.items() if name != "kind"})
        for step in wire
    ]


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that gave up is what some tests are about."""


# ---------------------------------------------------------------------------- events


def signature(raw_body: bytes, *, secret: str = WEBHOOK_SECRET, at: int | None = None) -> str:
    """The value of X-Fanvue-Signature for a body; `at` is in seconds, now unless given."""
    moment = str(int(time.time()) if at is None else at)
    signed = hmac.new(secret.encode(), f"{moment}.".encode() + raw_body, hashlib.sha256)
    return f"t={moment},v0={signed.hexdigest()}"


def _envelope(kind: str, data: dict[str, Any], at: str) -> dict[str, Any]:
    return {"id": str(uuid4()), "type": kind, "timestamp": at, "data": data}


def _person(uuid: str) -> dict[str, Any]:
    return {"uuid": uuid, "handle": "tom88", "display_name": "Tom", "avatar_url": None}


def message_received(
    creator: str = CREATOR_UUID,
    text: str | None = "Hello",
    *,
    fan: str = FAN_UUID,
    at: str = "2026-11-01T10:00:00.000Z",
) -> dict[str, Any]:
    """A new `creator.message.received`, with ids of its own."""
    data = {
        "object": "message",
        "uuid": str(uuid4()),
        "sender": "fan",
        "text": text,
        "created_at": at,
        "deleted_at": None,
        "is_automated": False,
        "fan": _person(fan),
        "creator": {"uuid": creator},
    }
    return _envelope("creator.message.received", data, at)


def payment_succeeded(
    creator: str = CREATOR_UUID,
    gross: int = 2500,
    *,
    source: str = "message",
    message: str | None = None,
    fan: str = FAN_UUID,
    at: str = "2026-11-01T10:05:00.000Z",
) -> dict[str, Any]:
    """A new `creator.payment.succeeded` of `gross` cents."""
    data = {
        "object": "payment",
        "id": f"FV-{uuid4()}",
        "source": source,
        "gross": gross,
        "currency": "USD",
        "message_uuid": message,
        "post_uuid": None,
        "paid_at": at,
        "created_at": at,
        "purchaser": _person(fan),
        "creator": {"uuid": creator},
    }
    return _envelope("creator.payment.succeeded", data, at)


def post_events(url: str, bodies: Sequence[bytes], times: int = 1) -> list[int]:
    """Sign and POST bodies in this order, each round anew; the statuses of the answers."""
    address = urlsplit(url)
    statuses = []
    for raw in [body for _ in range(times) for body in bodies]:
        connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=10)
        with contextlib.closing(connection):
            headers = {"content-type": "application/json", "x-fanvue-signature": signature(raw)}
            connection.request("POST", address.path, raw, headers)
            statuses.append(connection.getresponse().status)
    return statuses


# ---------------------------------------------------------------------------- for tests


@dataclass(frozen=True, slots=True)
class FanvueStub:
    """A running stub, in this process or another. `base_url` has no path."""

    base_url: str
    creator_uuid: str = CREATOR_UUID

    @property
    def token_url(self) -> str:
        return f"{self.base_url}/oauth2/token"

    @property
    def accepted(self) -> list[Accepted]:
        """The messages that were taken, oldest first."""
        return [Accepted(**message) for message in self._seen()["messages"]]

    @property
    def requests(self) -> int:
        """How often a message endpoint was called, whatever came of it."""
        return int(self._seen()["requests"])

    @property
    def renewals(self) -> int:
        """How often a refresh token was taken."""
        return int(self._seen()["renewals"])

    @property
    def unused_steps(self) -> int:
        return int(self._seen()["unused"])

    def behave(self, *steps: Step) -> None:
        """Append steps: each of the next sends meets one."""
        self._call("POST", "/_stub/behaviour", {"steps": _wire(steps)})

    def behave_tokens(self, *steps: Step) -> None:
        """Append steps: each of the next renewals meets one."""
        self._call("POST", "/_stub/behaviour", {"tokenSteps": _wire(steps)})

    def expire(self) -> None:
        """Refuse every access token given out so far."""
        self._call("POST", "/_stub/expire", {})

    def reset(self) -> None:
        """Forget steps and messages; tokens stay as they are."""
        self._call("POST", "/_stub/reset", {})

    def deliver(self, url: str, *events: Mapping[str, Any], times: int = 1) -> list[int]:
        """Sign and post events to a URL, in the order given, the whole row `times` times."""
        asked = {"url": url, "bodies": [json.dumps(event) for event in events], "times": times}
        statuses: list[int] = self._call("POST", "/_stub/event", asked)["statuses"]
        return statuses

    def _seen(self) -> dict[str, Any]:
        return self._call("GET", "/_stub/accepted")

    def _call(
        self, method: str, path: str, body: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        address = urlsplit(self.base_url)
        connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=30)
        with contextlib.closing(connection):
            connection.request(method, path, None if body is None else json.dumps(body))
            answer: dict[str, Any] = json.load(connection.getresponse())
            return answer


def _wire(steps: Sequence[Step]) -> list[dict[str, Any]]:
    return [{"kind": type(step).__name__, **asdict(step)} for step in steps]


def _server(port: int) -> tuple[_Server, _State]:
    state = _State()
    handler = type("Handler", (_Handler,), {"state": state})
    return _Server(("127.0.0.1", port), handler), state


@contextlib.contextmanager
def serve_fanvue_stub() -> Iterator[FanvueStub]:
    """A stub in threads of this process: for tests."""
    server, state = _server(0)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield FanvueStub(f"http://127.0.0.1:{server.server_port}")
    finally:
        state.released.set()
        server.shutdown()
        thread.join()
        server.server_close()


def main() -> None:
    """Run until stopped; the address is printed first."""
    parser = argparse.ArgumentParser(prog="python -m stubs.fanvue", description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    server, _ = _server(parser.parse_args().port)
    sys.stdout.write(f"http://127.0.0.1:{server.server_port}\n")
    sys.stdout.flush()
    with contextlib.suppress(KeyboardInterrupt):
        server.serve_forever()


if __name__ == "__main__":
    main()
