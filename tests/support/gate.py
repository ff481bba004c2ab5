"""A gate before a server on loopback: what passes through it waits while it is shut.

So a test can do something while a call to a model is under way, without counting on time.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import urlsplit

PATIENCE_SECONDS = 60


@dataclass
class Gate:
    """`url` leads through the gate; `waiting` requests are held back just now."""

    url: str = ""
    waiting: int = 0
    _is_open: asyncio.Event = field(default_factory=asyncio.Event)
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    def open(self) -> None:
        self._is_open.set()

    def shut(self) -> None:
        self._is_open.clear()

    async def until_waiting(self, count: int) -> None:
        """Until exactly so many requests are held back; TimeoutError if that never comes."""
        async with asyncio.timeout(PATIENCE_SECONDS), self._changed:
            await self._changed.wait_for(lambda: self.waiting == count)

    async def pass_through(self) -> None:
        await self._count(1)
        try:
            await self._is_open.wait()
        finally:
            await self._count(-1)

    async def _count(self, difference: int) -> None:
        async with self._changed:
            self.waiting += difference
            self._changed.notify_all()


@asynccontextmanager
async def open_gate(target: str) -> AsyncIterator[Gate]:
    """A gate before the server at `target`, open to begin with."""
    gate = Gate()
    gate.open()
    address = urlsplit(target)
    served: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        back, forth = await asyncio.open_connection(address.hostname, address.port)
        answers = asyncio.create_task(_copy(back, writer, None))
        try:
            await _copy(reader, forth, gate)
        finally:
            answers.cancel()
            forth.close()
            writer.close()

    def begin(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(serve(reader, writer))
        served.add(task)
        task.add_done_callback(served.discard)

    server = await asyncio.start_server(begin, "127.0.0.1", 0)
    gate.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield gate
    finally:
        server.close()
        for task in served:
            task.cancel()
        await asyncio.gather(*served, return_exceptions=True)


async def _copy(
    source: asyncio.StreamReader, sink: asyncio.StreamWriter, gate: Gate | None
) -> None:
    with suppress(ConnectionError):
        while part := await source.read(65_536):
            if gate is not None:
                await gate.pass_through()
            sink.write(part)
            await sink.drain()
