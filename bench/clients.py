"""Many HTTP clients in one thread, that cost next to nothing: they share the cores with the server.

Each has a connection of its own and sends its next request when the last one is answered.
"""

import selectors
import socket
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from bench.servers import Server


@dataclass(slots=True)
class _Client:
    connection: socket.socket
    sent_at: float = 0.0
    received: bytearray = field(default_factory=bytearray)

    def send(self, request: bytes) -> None:
        self.sent_at = time.perf_counter()
        self.received.clear()
        self.connection.sendall(request)

    def is_answered(self) -> bool:
        """Read what is there; raises RuntimeError for an answer other than 200."""
        part = self.connection.recv(65_536)
        if not part:
            raise RuntimeError("the server hung up")
        self.received += part
        head, _, body = self.received.partition(b"\r\n\r\n")
        length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
        if not length or len(body) < int(length):
            return False
        if not head.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(bytes(self.received[:500]).decode("utf-8", "replace"))
        return True


@dataclass(frozen=True)
class Run:
    """How long all requests took together, and each of them, in seconds."""

    seconds: float
    each: Sequence[float]


def encode(server: Server, method: str, path: str, body: bytes = b"", token: str = "") -> bytes:
    """A request as it goes over the wire, with the server's token unless another is given."""
    head = (
        f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n"
        f"Authorization: Bearer {token or server.token}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def send_all(server: Server, requests: Sequence[bytes], clients: int) -> Run:
    """Send every request once, by so many clients side by side."""
    selector = selectors.DefaultSelector()
    waiting = iter(requests)
    each: list[float] = []
    for _ in range(clients):
        connection = socket.create_connection(("127.0.0.1", server.port), timeout=60)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        selector.register(connection, selectors.EVENT_READ, _Client(connection))
    began = time.perf_counter()
    for key in list(selector.get_map().values()):
        _send_next(selector, key.data, waiting)
    while selector.get_map():
        ready = selector.select(timeout=60)
        if not ready:
            raise RuntimeError("no answer in a minute")
        for key, _ in ready:
            client: _Client = key.data
            if client.is_answered():
                each.append(time.perf_counter() - client.sent_at)
                _send_next(selector, client, waiting)
    return Run(time.perf_counter() - began, each)


def _send_next(selector: selectors.BaseSelector, client: _Client, waiting: Iterator[bytes]) -> None:
    request = next(waiting, None)
    if request is None:
        selector.unregister(client.connection)
        client.connection.close()
    else:
        client.send(request)
