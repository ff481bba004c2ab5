"""The simulator as a channel: it takes every well-formed message, once."""

from collections.abc import Mapping

from vaultcrm.domain.channels import (
    Capabilities,
    InboundEvent,
    OutboundMessage,
    SendErrorKind,
    SendResult,
    SendStatus,
)
from vaultcrm.domain.errors import FieldProblem, InvalidInput, WebhookRejected
from vaultcrm.domain.money import Money

LEAST_PRICE = Money(300, "USD")
GREATEST_PRICE = Money(20_000, "USD")
LONGEST_TEXT = 2_000


class SimulatorChannel:
    """A platform that always answers. Its fans act in-process, so nothing comes in by HTTP."""

    name = "simulator"

    def __init__(self) -> None:
        self.capabilities = Capabilities(
            automated_sending=True,
            idempotent_sends=True,
            longest_text=LONGEST_TEXT,
            least_price=LEAST_PRICE,
            greatest_price=GREATEST_PRICE,
        )

    def verify(self, headers: Mapping[str, str], raw_body: bytes) -> None:
        """Raise `WebhookRejected`, always."""
        raise WebhookRejected("The simulator takes no webhooks: its fans act inside VaultCRM.")

    def parse(self, raw_body: bytes) -> tuple[InboundEvent, ...]:
        """Raise `InvalidInput`, always."""
        raise InvalidInput(FieldProblem("body", "is not read: the simulator takes no webhooks"))

    async def send(self, message: OutboundMessage) -> SendResult:
        """`SENT` under an id that follows from the message's own, or `INVALID` with the reason."""
        if (reason := _unsendable(message)) is not None:
            return SendResult(SendStatus.FAILED, error_kind=SendErrorKind.INVALID, error=reason)
        return SendResult(SendStatus.SENT, message_id=f"sim-{message.id}")

    async def aclose(self) -> None:
        """Nothing is held."""


def _unsendable(message: OutboundMessage) -> str | None:
    if not message.text.strip():
        return "The text is empty."
    if len(message.text) > LONGEST_TEXT:
        return f"The text has {len(message.text):,} characters; at most {LONGEST_TEXT:,} are taken."
    if message.price is None:
        return None
    if message.price.currency != LEAST_PRICE.currency:
        return f"Prices are in {LEAST_PRICE.currency} here, not in {message.price.currency}."
    if not LEAST_PRICE.minor <= message.price.minor <= GREATEST_PRICE.minor:
        return f"A price is {LEAST_PRICE} to {GREATEST_PRICE}, not {message.price}."
    return None
