"""A stand-in for a platform that speaks Standard Webhooks and keeps to the idempotency key.

It takes signed `message.send` at `POST /messages`. A `webhook-id` that it has seen is answered as
the first time and counted as no new message; another body under a known id is refused with 409.

    with serve_webhook_stub() as stub:
        stub.behave(Drop(), Refuse(503))
        ...                     # the adapter under test, with target `stub.target`
        stub.accepted           # what it took, each message once, in order

Each of the next calls meets one step of the behaviour, then all is good again. Everything is
steered over HTTP (`POST /_stub/behaviour`, `GET /_stub/accepted`, `POST /_stub/reset`), so the
server can as well be another process: `python -m stubs.webhook --port 0`.
"""

import argparse
import contextlib
import http.client
import json
import sys
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from standardwebhooks import Webhook, WebhookVerificationError

SECRET = "whsec_c3R1Yi1wbGF0Zm9ybS1zZWNyZXQtb2YtMzItYnl0ZXMh"
_TARGET = "/messages"


@dataclass(frozen=True, slots=True)
class Accept:
    """A good answer."""


@dataclass(frozen=True, slots=True)
class Refuse:
    """An error before anything is taken."""

    status: int
    retry_after: int | None = None


@dataclass(frozen=True, slots=True)
class FailAfter:
    """An error although the message was taken."""

    status: int = 500


@dataclass(frozen=True, slots=True)
class Drop:
    """The message is taken and the connection closed without an answer, after so long."""

    seconds: float = 0.0


Step = Accept | Refuse | FailAfter | Drop
_STEPS: dict[str, type[Step]] = {kind.__name__: kind for kind in (Accept, Refuse, FailAfter, Drop)}


@dataclass(slots=True)
class _State:
    """What one server remembers. `accepted` holds each message once, by its id, in order."""

    steps: deque[Step] = field(default_factory=deque)
    accepted: dict[str, dict[str, Any]] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)
    stopping: threading.Event = field(default_factory=threading.Event)

    def next_step(self) -> Step:
        with self.lock:
            return self.steps.popleft() if self.steps else Accept()

    def take(self, message_id: str, event: Mapping[str, Any], body: bytes) -> bool:
        """Take a message, or know it again; False when the id stands for another one."""
        with self.lock:
            known = self.accepted.get(message_id)
            if known is not None:
                known["times"] += 1
                return bool(known["body"] == body.decode())
            self.accepted[message_id] = {
                "id": message_id,
                "conversation": event["data"]["conversation"],
                "text": event["data"]["message"]["text"],
                "body": body.decode(),
                "times": 1,
            }
            return True


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    state: _State

    def do_GET(self) -> None:
        if self.path != "/_stub/accepted":
            self._answer(404, {})
            return
        with self.state.lock:
            self._answer(200, {"accepted": list(self.state.accepted.values())})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        match self.path:
            case "/_stub/behaviour":
                steps = [_STEPS[step.pop("kind")](**step) for step in json.loads(body)["steps"]]
                with self.state.lock:
                    self.state.steps.extend(steps)
                self._answer(200, {})
            case "/_stub/reset":
                with self.state.lock:
                    self.state.steps.clear()
                    self.state.accepted.clear()
                self._answer(200, {})
            case path if path == _TARGET:
                self._receive(body)
            case _:
                self._answer(404, {})

    def _receive(self, body: bytes) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        try:
            event: dict[str, Any] = Webhook(SECRET).verify(body, headers)
        except (WebhookVerificationError, ValueError):
            self._answer(401, {})
            return
        message_id = headers["webhook-id"]
        if event.get("type") != "message.send" or event.get("id") != message_id:
            self._answer(400, {})
            return
        step = self.state.next_step()
        if isinstance(step, Refuse):
            wait = {} if step.retry_after is None else {"retry-after": str(step.retry_after)}
            self._answer(step.status, {}, wait)
            return
        if not self.state.take(message_id, event, body):
            self._answer(409, {})
            return
        match step:
            case FailAfter(status):
                self._answer(status, {})
            case Drop(seconds):
                self.state.stopping.wait(seconds)
                self.close_connection = True
            case _:
                self._answer(200, {"messageId": f"p-{message_id}"})

    def _answer(
        self, status: int, body: Mapping[str, Any], headers: Mapping[str, str] | None = None
    ) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # theirs
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, port: int) -> None:
        self.state = _State()
        super().__init__(("127.0.0.1", port), type("Handler", (_Handler,), {"state": self.state}))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that was killed is what some tests are about."""


@dataclass(frozen=True, slots=True)
class WebhookStub:
    """A running stub, in this process or another. `url` has no path."""

    url: str

    @property
    def target(self) -> str:
        """Where messages are sent to."""
        return self.url + _TARGET

    @property
    def accepted(self) -> list[dict[str, Any]]:
        """Each message once, in the order of its first coming; `times` counts how often it came."""
        return list(self._call("GET", "/_stub/accepted")["accepted"])

    def behave(self, *steps: Step) -> None:
        """Append steps: each of the next messages meets one."""
        wire = [{"kind": type(step).__name__, **asdict(step)} for step in steps]
        self._call("POST", "/_stub/behaviour", {"steps": wire})

    def reset(self) -> None:
        """Forget behaviour and messages."""
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
def serve_webhook_stub() -> Iterator[WebhookStub]:
    """A stub in a thread of this process."""
    server = _Server(0)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield WebhookStub(server.url)
    finally:
        server.state.stopping.set()
        server.shutdown()
        thread.join()
        server.server_close()


def main() -> None:
    """Run until stopped; the address is printed first."""
    parser = argparse.ArgumentParser(prog="python -m stubs.webhook", description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    arguments = parser.parse_args()
    server = _Server(arguments.port)
    sys.stdout.write(server.url + "\n")
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    main()
