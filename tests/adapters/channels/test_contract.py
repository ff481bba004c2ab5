"""What every channel promises, whatever the platform behind it."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from stubs import chatwoot, fanvue, telegram
from tests.adapters.channels.platform import serve_platform
from vaultcrm.adapters.channels.chatwoot import ChatwootChannel
from vaultcrm.adapters.channels.fanvue import FanvueChannel, FanvueTokens
from vaultcrm.adapters.channels.simulator.channel import SimulatorChannel
from vaultcrm.adapters.channels.telegram import TelegramChannel
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
NAMES = ("webhook", "simulator", "telegram", "fanvue", "chatwoot")


@dataclass(frozen=True)
class Subject:
    """One channel with its platform: what it calls a conversation, and media that it knows."""

    build: Callable[[], Channel]
    conversation_ref: str = "chat-17"
    media_id: str = "media-1"

    def message(
        self, text: str = "Hello!", price: Money | None = None, *, media: bool = False
    ) -> OutboundMessage:
        media_ids = (self.media_id,) if media else ()
        return OutboundMessage(
            new_id(), new_id(), new_id(), self.conversation_ref, "tom88", text, price, media_ids
        )

    def send(self, *messages: OutboundMessage) -> list[SendResult]:
        async def run() -> list[SendResult]:
            channel = self.build()
            try:
                return [await channel.send(message) for message in messages]
            finally:
                await channel.aclose()

        return asyncio.run(run())


@pytest.fixture(params=NAMES)
def subject(request: pytest.FixtureRequest) -> Iterator[Subject]:
    match request.param:
        case "simulator":
            yield Subject(SimulatorChannel)
        case "webhook":
            with serve_platform() as platform:
                yield Subject(lambda: WebhookChannel(SECRET, platform.url))
        case "telegram":
            with telegram.serve_telegram_stub() as stub:
                yield Subject(lambda: _telegram(stub), "1088", "photo:AgACAgIAAx")
        case "fanvue":
            with fanvue.serve_fanvue_stub() as fanvues:
                yield Subject(lambda: _fanvue(fanvues), fanvue.FAN_UUID, fanvue.CREATOR_UUID)
        case _:
            with chatwoot.serve_chatwoot_stub() as chatwoots:
                yield Subject(lambda: _chatwoot(chatwoots), "17")


def _telegram(stub: telegram.TelegramStub) -> Channel:
    return TelegramChannel(bot_token=telegram.BOT_TOKEN, webhook_secret=SECRET, base_url=stub.url)


def _fanvue(stub: fanvue.FanvueStub) -> Channel:
    async def keep(tokens: FanvueTokens) -> None:
        raise AssertionError("nothing is renewed here")

    return FanvueChannel(
        webhook_secret=fanvue.WEBHOOK_SECRET,
        creator_uuid=fanvue.CREATOR_UUID,
        client_id=fanvue.CLIENT_ID,
        client_secret=fanvue.CLIENT_SECRET,
        tokens=FanvueTokens(
            fanvue.FIRST_ACCESS, fanvue.FIRST_REFRESH, datetime.now(UTC) + timedelta(hours=1)
        ),
        save_tokens=keep,
        base_url=stub.base_url,
        token_url=stub.token_url,
    )


def _chatwoot(stub: chatwoot.ChatwootStub) -> Channel:
    return ChatwootChannel(
        account_id=chatwoot.ACCOUNT_ID,
        inbox_id=chatwoot.INBOX_ID,
        api_access_token=chatwoot.TOKEN,
        webhook_secret=chatwoot.SECRET,
        base_url=stub.url,
    )


def assert_invalid(result: SendResult) -> None:
    assert (result.status, result.error_kind) == (SendStatus.FAILED, SendErrorKind.INVALID)


def test_a_well_formed_message_is_sent(subject: Subject) -> None:
    for result in subject.send(subject.message(), subject.message("¡Hola! 🌻")):
        assert result.status is SendStatus.SENT
        assert (result.error_kind, result.error) == (None, "")


def test_a_price_is_taken_exactly_where_the_capabilities_say_so(subject: Subject) -> None:
    can = subject.build().capabilities
    least = can.least_price or Money(2_500)
    media = can.price_needs_media
    (result,) = subject.send(subject.message(price=least, media=media))
    if can.takes_prices:
        assert result.status is SendStatus.SENT
    else:
        assert_invalid(result)


def test_the_stated_range_of_prices_is_the_platforms(subject: Subject) -> None:
    can = subject.build().capabilities
    for bound, beyond in ((can.least_price, -1), (can.greatest_price, 1)):
        if bound is None:
            continue
        outside = Money(bound.minor + beyond, bound.currency)
        at, past = subject.send(
            subject.message(price=bound, media=True), subject.message(price=outside, media=True)
        )
        assert at.status is SendStatus.SENT
        assert_invalid(past)


def test_a_price_without_media_is_refused_where_the_capabilities_say_so(subject: Subject) -> None:
    can = subject.build().capabilities
    (result,) = subject.send(subject.message(price=can.least_price or Money(2_500)))
    assert (result.status is SendStatus.SENT) is (can.takes_prices and not can.price_needs_media)


def test_media_are_taken_exactly_where_the_capabilities_say_so(subject: Subject) -> None:
    can = subject.build().capabilities
    (result,) = subject.send(subject.message(media=True))
    assert (result.status is SendStatus.SENT) is can.takes_media


def test_the_same_message_sent_twice_has_the_same_result_where_that_is_promised(
    subject: Subject,
) -> None:
    one = subject.message()
    first, second = subject.send(one, one)
    assert first.status is second.status is SendStatus.SENT
    assert (first.message_id == second.message_id) is (
        subject.build().capabilities.idempotent_sends
    )


@pytest.mark.parametrize("sign", ["x", "🌻"])
@pytest.mark.parametrize("media", [False, True])
def test_a_text_at_the_stated_limit_is_sent_and_one_beyond_it_is_invalid(
    subject: Subject, sign: str, media: bool
) -> None:
    can = subject.build().capabilities
    media = media and can.takes_media
    count = can.longest(with_media=media) // can.length_of(sign)
    fits, too_long = subject.send(
        subject.message(sign * count, media=media),
        subject.message(sign * (count + 1), media=media),
    )
    assert fits.status is SendStatus.SENT
    assert_invalid(too_long)


def test_an_empty_text_is_invalid(subject: Subject) -> None:
    (result,) = subject.send(subject.message("  \n "))
    assert_invalid(result)


def test_an_error_does_not_repeat_the_text(subject: Subject) -> None:
    longest = subject.build().capabilities.longest_text
    (result,) = subject.send(subject.message("zebra " * longest))
    assert result.error
    assert "zebra" not in result.error


def test_an_unsigned_webhook_is_rejected(subject: Subject) -> None:
    with pytest.raises(WebhookRejected):
        subject.build().verify({}, b"{}")


@pytest.mark.parametrize("body", [b'{"event": 7, "type": 7}', b"[]", b"no JSON", b"\xff"])
def test_a_body_of_another_form_is_invalid_input(subject: Subject, body: bytes) -> None:
    with pytest.raises(InvalidInput):
        subject.build().parse(body)


def test_a_channel_may_be_closed_unused_and_twice(subject: Subject) -> None:
    async def run() -> None:
        channel = subject.build()
        await channel.aclose()
        await channel.aclose()

    asyncio.run(run())


def test_ids_of_different_messages_are_not_mixed_up(subject: Subject) -> None:
    first, second = subject.send(subject.message(), subject.message())
    assert first.status is second.status is SendStatus.SENT
    assert first.message_id != second.message_id or first.message_id == ""


def test_the_simulators_ids_are_ours() -> None:
    subject = Subject(SimulatorChannel)
    message = subject.message()
    (result,) = subject.send(message)
    assert UUID(result.message_id.removeprefix("sim-")) == message.id
