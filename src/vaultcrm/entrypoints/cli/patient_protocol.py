"""HTTP that does not wait for ever on whoever sends slowly, or does not read what they get.

uvicorn itself waits as long as a client likes: for the first byte, for the rest of the headers, for
the body, and for an answer to be taken. Each of these holds a connection, so that a few thousand
clients who send a byte a minute would keep everybody else out.
"""

from asyncio import TimerHandle, Transport
from collections.abc import Mapping
from typing import Any, ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEADERS_SECONDS = 15.0
"""Until the headers of a request have come, from its first byte or the connection's beginning."""
SILENCE_SECONDS = 20.0
"""Without a byte of the body."""
BODY_SECONDS = 120.0
"""For the whole body."""
UNREAD_SECONDS = 60.0
"""In which a client takes nothing of an answer that waits to be sent."""

_HEADERS, _SILENCE, _BODY, _UNREAD = "headers", "silence", "body", "unread"
PATIENCE: Mapping[str, float] = {
    _HEADERS: HEADERS_SECONDS,
    _SILENCE: SILENCE_SECONDS,
    _BODY: BODY_SECONDS,
    _UNREAD: UNREAD_SECONDS,
}


class PatientProtocol(HttpToolsProtocol):
    """Closes a connection whose client is too slow.

    A request that comes in one piece, as nearly all do, sets no timer but a connection's first.
    """

    patience: ClassVar[Mapping[str, float]] = PATIENCE

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._waits: dict[str, TimerHandle] = {}
        self._in_headers = self._in_body = False

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait(_HEADERS)

    def connection_lost(self, exc: Exception | None) -> None:
        for what in list(self._waits):
            self._enough(what)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._in_headers and _HEADERS not in self._waits:
            self._wait(_HEADERS)
        if self._in_body:
            self._wait(_SILENCE)
            if _BODY not in self._waits:
                self._wait(_BODY)

    def on_message_begin(self) -> None:
        self._in_headers = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._in_headers, self._in_body = False, True
        self._enough(_HEADERS)
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._in_body = False
        self._enough(_SILENCE)
        self._enough(_BODY)
        super().on_message_complete()

    def pause_writing(self) -> None:
        self._wait(_UNREAD)
        super().pause_writing()

    def resume_writing(self) -> None:
        self._enough(_UNREAD)
        super().resume_writing()

    def _wait(self, what: str) -> None:
        self._enough(what)
        self._waits[what] = self.loop.call_later(self.patience[what], self._give_up, what)

    def _enough(self, what: str) -> None:
        if self._waits and (timer := self._waits.pop(what, None)) is not None:
            timer.cancel()

    def _give_up(self, what: str) -> None:
        if what in {_SILENCE, _BODY} and self.flow.read_paused:
            # It is we who do not read.
            self._wait(what)
        elif not self.transport.is_closing():
            # Not `close`, which would wait until what is written has been taken.
            self.transport.abort()
