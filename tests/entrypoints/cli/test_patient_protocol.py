"""A client that is slow on purpose loses its connection; one that is only slow is served."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import uvicorn

from vaultcrm.entrypoints.cli.patient_protocol import PATIENCE, PatientProtocol

pytestmark = pytest.mark.anyio

SHORT = 1.0
ANSWER = 20_000_000
HEAD = b"POST / HTTP/1.1\r\nHost: here\r\nContent-Length: 8\r\n\r\n"


class Hasty(PatientProtocol):
    """The same, with less patience."""

    patience = dict.fromkeys(PATIENCE, SHORT)


async def takes_a_body_and_answers_with_much(scope: Any, receive: Any, send: Any) -> None:
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        more = message["more_body"]
    size = ANSWER if scope["path"] == "/much" else 2
    length = [(b"content-length", str(size).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": length})
    for start in range(0, size, 100_000):
        piece = b"x" * min(100_000, size - start)
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


@dataclass
class Served:
    """A server, and whether anybody is connected to it."""

    address: tuple[str, int]
    server: uvicorn.Server

    async def until_alone(self) -> None:
        async with asyncio.timeout(20):
            while self.server.server_state.connections:  # noqa: ASYNC110 -- uvicorn has no event
                await asyncio.sleep(0.02)


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@contextlib.contextmanager
def listening() -> Iterator[socket.socket]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    with listening() as listener:
        config = uvicorn.Config(
            takes_a_body_and_answers_with_much,
            http=Hasty,
            lifespan="off",
            log_level="critical",
            timeout_keep_alive=60,
        )
        server = uvicorn.Server(config)
        running = asyncio.create_task(server._serve([listener]))
        async with asyncio.timeout(20):
            while not server.started:  # noqa: ASYNC110 -- nor for this
                await asyncio.sleep(0.01)
        yield Served(listener.getsockname(), server)
        server.should_exit = True
        await running


@pytest.mark.parametrize(
    "pieces",
    [
        [],
        [b"POST"],
        [b"POST / HTTP/1.1\r\n", b"Host: here\r\n", b"A: b\r\n", b"C: d\r\n", b"E: f\r\n"] * 3,
        [HEAD],
        [HEAD, b"1", b"2", b"3", b"4", b"5", b"6"],
    ],
    ids=["nothing", "half a line", "a header now and then", "no body", "a byte now and then"],
)
async def test_a_connection_that_sends_too_slowly_is_closed(
    served: Served, pieces: list[bytes]
) -> None:
    reader, writer = await asyncio.open_connection(*served.address)
    with contextlib.suppress(ConnectionError):
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(SHORT / 5)
        assert await reader.read() == b""
    await served.until_alone()
    writer.close()


async def test_a_connection_that_does_not_read_its_answer_is_closed(served: Served) -> None:
    _, writer = await asyncio.open_connection(*served.address, limit=1)
    writer.write(b"GET /much HTTP/1.1\r\nHost: here\r\n\r\n")
    await writer.drain()
    await served.until_alone()
    writer.close()


async def test_a_request_that_comes_in_pieces_in_time_is_answered(served: Served) -> None:
    reader, writer = await asyncio.open_connection(*served.address)
    for piece in (HEAD[:20], HEAD[20:], b"1234", b"5678"):
        writer.write(piece)
        await writer.drain()
        await asyncio.sleep(SHORT / 10)
    assert (await reader.readline()) == b"HTTP/1.1 200 OK\r\n"
    writer.close()


async def test_a_kept_connection_may_rest_and_be_used_again(served: Served) -> None:
    reader, writer = await asyncio.open_connection(*served.address)
    for _ in range(2):
        writer.write(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n")
        await writer.drain()
        answered = await reader.readuntil(b"xx")
        assert answered.startswith(b"HTTP/1.1 200 OK\r\n")
        await asyncio.sleep(1.5 * SHORT)
    writer.close()
