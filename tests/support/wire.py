"""The wire between the application and PostgreSQL, with a counter on it.

A round trip is what a client waits for: a Sync of the extended protocol, or a simple query.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import urlencode

from psycopg.conninfo import conninfo_to_dict

_FORTH = b"SQ"
"""Sync and Query: the server answers them, and a client waits for that."""


@dataclass
class Wire:
    """`url` leads to the same database; `messages` counts the client's messages by their type."""

    url: str = ""
    messages: Counter[str] = field(default_factory=Counter)

    @property
    def round_trips(self) -> int:
        return sum(self.messages[chr(kind)] for kind in _FORTH)


@asynccontextmanager
async def tapped(database_url: str) -> AsyncIterator[Wire]:
    """A way to a database on which the client's messages are counted."""
    wire = Wire()
    known = conninfo_to_dict(database_url)
    host, port = str(known.get("host") or "127.0.0.1"), int(known.get("port") or 5432)
    served: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if host.startswith("/"):
            back, forth = await asyncio.open_unix_connection(f"{host}/.s.PGSQL.{port}")
        else:
            back, forth = await asyncio.open_connection(host, port)
        answers = asyncio.create_task(_copy(back, writer))
        try:
            await _count(reader, forth, wire)
        finally:
            answers.cancel()
            forth.close()
            writer.close()

    def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(serve(reader, writer))
        served.add(task)
        task.add_done_callback(served.discard)

    server = await asyncio.start_server(begin, "127.0.0.1", 0)
    # No encryption: what is encrypted cannot be counted.
    plain = {"sslmode": "disable", "gssencmode": "disable"}
    known |= {"host": "127.0.0.1", "port": server.sockets[0].getsockname()[1], **plain}
    wire.url = "postgresql:///?" + urlencode({name: str(value) for name, value in known.items()})
    try:
        yield wire
    finally:
        server.close()
        for task in served:
            task.cancel()
        await asyncio.gather(*served, return_exceptions=True)


async def _copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while part := await source.read(65_536):
            sink.write(part)
            await sink.drain()


async def _count(source: asyncio.StreamReader, sink: asyncio.StreamWriter, wire: Wire) -> None:
    """Hand on message by message. The first has no type, the others a letter; then the length."""
    with suppress(ConnectionError, asyncio.IncompleteReadError):
        length = await source.readexactly(4)
        sink.write(length + await source.readexactly(int.from_bytes(length) - 4))
        while True:
            kind = await source.readexactly(1)
            length = await source.readexactly(4)
            wire.messages[kind.decode()] += 1
            sink.write(kind + length + await source.readexactly(int.from_bytes(length) - 4))
