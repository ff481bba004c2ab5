"""What every channel promises, whatever the platform behind it."""

import asyncio
from collections.abc import Callable, Iterator
from uuid import UUID

import pytest

from tests.adapters.channels.platform import serve_platform
from vaultcrm.adapters.channels.simulator.channel import SimulatorChannel
from vaultcrm.adapters.channels.webhook import WebhookChannel
from vaultcrm.domain.channels import (
    Channel,
    OutboundMessage,
    SendErrorKind,
    SendResult,
    SendStatus,
)
from vaultcrm.domain.errors import InvalidInput, WebhookRejected
from vaultcrm.domain.ids import new_id
from vaultcrm.domain.money import Money

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

Build = Callable[[], Channel]


@pytest.fixture(params=["webhook", "simulator"])
def build(request: pytest.FixtureRequest) -> Iterator[Build]:
    if request.param == "simulator":
        yield SimulatorChannel
        return
    with serve_platform() as platform:
        yield lambda: WebhookChannel(SECRET, platform.url)


def send(build: Build, *messages: OutboundMessage) -> list[SendResult]:
    async def run() -> list[SendResult]:
        channel = build()
        try:
            return [await channel.send(message) for message in messages]
        finally:
            await channel.aclose()

    return asyncio.run(run())


def message(text: str = "Hello!", price: Money | None = None) -> OutboundMessage:
    return OutboundMessage(new_id(), new_id(), new_id(), "chat-17", "tom88", text, price)


def test_a_well_formed_message_is_sent(build: Build) -> None:
    for result in send(build, message(), message("¡Hola! 🌻", Money(2_500))):
        assert result.status is SendStatus.SENT
        assert (result.error_kind, result.error) == (None, "")


def test_the_same_message_sent_twice_has_the_same_result(build: Build) -> None:
    one = message()
    first, second = send(build, one, one)
    assert first == second


def test_a_text_at_the_stated_limit_is_sent_and_one_beyond_it_is_invalid(build: Build) -> None:
    longest = build().capabilities.longest_text
    fits, too_long = send(build, message("x" * longest), message("x" * (longest + 1)))
    assert fits.status is SendStatus.SENT
    assert (too_long.status, too_long.error_kind) == (SendStatus.FAILED, SendErrorKind.INVALID)


def test_an_empty_text_is_invalid(build: Build) -> None:
    (result,) = send(build, message("  \n "))
    assert (result.status, result.error_kind) == (SendStatus.FAILED, SendErrorKind.INVALID)


def test_an_error_does_not_repeat_the_text(build: Build) -> None:
    (result,) = send(build, message("zebra " * 5_000))
    assert result.error
    assert "zebra" not in result.error


def test_an_unsigned_webhook_is_rejected(build: Build) -> None:
    with pytest.raises(WebhookRejected):
        build().verify({}, b"{}")


def test_a_body_of_another_form_is_invalid_input(build: Build) -> None:
    with pytest.raises(InvalidInput):
        build().parse(b'{"hello": "world"}')


def test_a_channel_may_be_closed_unused_and_twice(build: Build) -> None:
    async def run() -> None:
        channel = build()
        await channel.aclose()
        await channel.aclose()

    asyncio.run(run())


def test_ids_of_different_messages_are_not_mixed_up() -> None:
    first, second = send(SimulatorChannel, message(), message())
    assert first.message_id != second.message_id
    assert all(UUID(result.message_id.removeprefix("sim-")) for result in (first, second))
