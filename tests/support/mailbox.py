"""A mail server on loopback that keeps what it is given, and refuses as a test wants."""

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_string
from email.message import Message


@dataclass
class Mailbox:
    """`refused` are addresses that it takes no mail for; while `is_down` it takes none at all."""

    port: int = 0
    mails: list[Message] = field(default_factory=list)
    refused: set[str] = field(default_factory=set)
    is_down: bool = False

    def to(self, address: str) -> list[Message]:
        return [mail for mail in self.mails if mail["To"] == address]


@contextmanager
def serve_mailbox() -> Iterator[Mailbox]:
    """The least of SMTP that a client needs (RFC 5321, 4.5.1), without encryption."""
    mailbox = Mailbox()

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            if mailbox.is_down:
                self._say("421 not now")
                return
            self._say("220 mailbox")
            while line := self.rfile.readline().decode().strip():
                verb, _, rest = line.partition(" ")
                match verb.upper():
                    case "DATA":
                        self._say("354 go on")
                        mailbox.mails.append(message_from_string(self._data()))
                        self._say("250 kept")
                    case "RCPT" if rest.partition("<")[2].rstrip(">") in mailbox.refused:
                        self._say("550 nobody of that name")
                    case "QUIT":
                        self._say("221 bye")
                        return
                    case _:
                        self._say("250 fine")

        def _data(self) -> str:
            lines = []
            while (line := self.rfile.readline().decode()) not in {".\r\n", ""}:
                lines.append(line)
            return "".join(lines)

        def _say(self, text: str) -> None:
            self.wfile.write(f"{text}\r\n".encode())

    class Server(socketserver.ThreadingTCPServer):
        allow_reuse_address = True
        daemon_threads = True

    with Server(("127.0.0.1", 0), Handler) as server:
        mailbox.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield mailbox
        finally:
            server.shutdown()
            thread.join()
