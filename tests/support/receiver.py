"""A system on loopback that is told of events, checks who tells, and fails as a test wants."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks import Webhook, WebhookVerificationError

DROP = 0
"""Among the answers: close the connection without one."""


@dataclass(frozen=True)
class Heard:
    """One call. `verified` says whether it was signed with the receiver's secret just now."""

    id: str
    verified: bool
    headers: dict[str, str]
    body: bytes

    @property
    def event(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found


@dataclass
class Receiver:
    """`answers` are given in their order, the last one again and again; 204 when there is none.

    A call that is not signed with `secret` gets 401, whatever the answers say. While `open` is not
    set, calls are heard and not answered.
    """

    url: str
    secret: str = ""
    answers: list[int] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    heard: list[Heard] = field(default_factory=list)
    open: threading.Event = field(default_factory=threading.Event)

    @property
    def events(self) -> list[dict[str, Any]]:
        """Bodies of the calls whose signature was right."""
        return [call.event for call in self.heard if call.verified]

    @property
    def kinds(self) -> list[str]:
        return [event["type"] for event in self.events]

    def answer_to(self, call: Heard) -> int:
        if not call.verified:
            return 401
        if len(self.answers) > 1:
            return self.answers.pop(0)
        return self.answers[0] if self.answers else 204


@contextmanager
def serve_receiver() -> Iterator[Receiver]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            call = Heard(headers["webhook-id"], _verified(receiver, body, headers), headers, body)
            receiver.heard.append(call)
            receiver.open.wait()
            status = receiver.answer_to(call)
            if status == DROP:
                self.close_connection = True
                return
            self.send_response(status)
            for name, value in receiver.headers.items():
                self.send_header(name, value)
            if status != 204:
                self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - theirs
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, request: object, client_address: object) -> None:
            """A client that gave up is what some tests are about."""

    server = Server(("127.0.0.1", 0), Handler)
    receiver = Receiver(f"http://127.0.0.1:{server.server_port}/events")
    receiver.open.set()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield receiver
    finally:
        receiver.open.set()
        server.shutdown()
        thread.join()
        server.server_close()


def _verified(receiver: Receiver, body: bytes, headers: dict[str, str]) -> bool:
    try:
        Webhook(receiver.secret).verify(body, headers)
    except (WebhookVerificationError, ValueError, RuntimeError):
        return False
    return True
