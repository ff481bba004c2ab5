"""A call of an endpoint ends in a status or in words, whatever is behind the address."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator

import pytest

from tests.support.receiver import DROP, Receiver, serve_receiver
from vaultcrm.adapters.events import WebhookEvents
from vaultcrm.domain.events import EventAnswer, EventCall
from vaultcrm.domain.ids import new_id

pytestmark = pytest.mark.anyio

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with serve_receiver() as served:
        served.secret = SECRET
        yield served


@pytest.fixture
async def sender() -> AsyncIterator[WebhookEvents]:
    opened = WebhookEvents(timeout_seconds=2.0)
    yield opened
    await opened.aclose()


def call(url: str, text: str = "“Hi” 🦄 \x00") -> EventCall:
    body = json.dumps({"type": "ping", "data": {"text": text}}, ensure_ascii=False)
    return EventCall(new_id(), url, SECRET, body)


async def test_what_is_posted_is_signed_byte_for_byte(
    receiver: Receiver, sender: WebhookEvents
) -> None:
    made = call(receiver.url)
    assert await sender.post(made) == EventAnswer(204)
    [heard] = receiver.heard
    assert (heard.verified, heard.id, heard.body) == (True, str(made.id), made.body.encode())
    assert heard.headers["content-type"] == "application/json"


@pytest.mark.parametrize("status", [200, 204, 301, 400, 401, 404, 410, 429, 500, 503])
async def test_a_status_is_handed_on_as_it_is(
    receiver: Receiver, sender: WebhookEvents, status: int
) -> None:
    receiver.answers, receiver.headers = [status], {"location": receiver.url}
    assert await sender.post(call(receiver.url)) == EventAnswer(status)
    assert len(receiver.heard) == 1


async def test_a_connection_that_breaks_and_one_that_is_refused_are_told_apart(
    receiver: Receiver, sender: WebhookEvents
) -> None:
    receiver.answers = [DROP]
    broken = await sender.post(call(receiver.url))
    with serve_receiver() as gone:
        pass
    refused = await sender.post(call(gone.url))
    assert broken == EventAnswer(None, "The connection was lost before it had answered.")
    assert refused == EventAnswer(None, "It could not be reached.")


async def test_an_endpoint_that_never_answers_is_given_up(
    receiver: Receiver, sender: WebhookEvents
) -> None:
    receiver.open.clear()
    answer = await sender.post(call(receiver.url))
    assert answer == EventAnswer(None, "It did not answer within 2 seconds.")


async def test_an_endpoint_that_has_taken_an_event_is_not_failed_for_a_slow_or_endless_body(
    sender: WebhookEvents,
) -> None:
    endless = False

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n")
        try:
            while endless:
                writer.write(b"x" * 4096)
                await writer.drain()
            await reader.read()
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    async with server:
        slow = await sender.post(call(url))
        endless = True
        long = await sender.post(call(url))
    assert slow == long == EventAnswer(200)


async def test_an_answer_that_is_no_http_is_a_failure(sender: WebhookEvents) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-OpenSSH_9.9\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        answer = await sender.post(call(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"))
    assert answer == EventAnswer(None, "The connection was lost before it had answered.")
