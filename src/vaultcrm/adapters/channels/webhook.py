"""The generic webhook channel: Standard Webhooks in both directions.

Inbound bodies are verified over `webhook-id`, `webhook-timestamp` and `webhook-signature`;
outbound messages are signed the same way with the same secret. `webhook_payload` says what the
bodies look like.
"""

import asyncio
import base64
import binascii
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

import httpx2
from standardwebhooks import Webhook, WebhookVerificationError

from vaultcrm.adapters.channels import webhook_payload
from vaultcrm.adapters.channels.answers import read_some, retry_after_seconds
from vaultcrm.domain.channels import (
    Capabilities,
    InboundEvent,
    OutboundMessage,
    SendErrorKind,
    SendResult,
    SendStatus,
)
from vaultcrm.domain.errors import FieldProblem, InvalidInput, WebhookRejected

SEND_TIMEOUT_SECONDS: Final = 10.0
TOLERANCE_SECONDS: Final = 300
LEAST_SECRET_BYTES: Final = 24
"""Standard Webhooks asks for secrets of 24 to 64 bytes."""
_SERIALISED_PREFIX: Final = "whsec_"
_HEADERS: Final = ("webhook-id", "webhook-timestamp", "webhook-signature")
_MOST_ANSWER_BYTES: Final = 64 * 1024


class WebhookChannel:
    """Any system that speaks Standard Webhooks.

    `secret` is base64, with or without `whsec_` before it, of at least 24 bytes. `target_url` is
    an http or https address that takes `message.send`; "" means that messages only come in.
    `timeout_seconds` bounds one send from connecting to the last byte of the answer. Raises
    `InvalidInput` for a secret or an address that cannot be used.
    """

    name = "webhook"

    def __init__(
        self,
        secret: str,
        target_url: str,
        automated_sending: bool = True,
        *,
        timeout_seconds: float = SEND_TIMEOUT_SECONDS,
    ) -> None:
        self.capabilities = Capabilities(
            automated_sending=automated_sending,
            idempotent_sends=True,
            longest_text=webhook_payload.LONGEST_TEXT,
        )
        self._signer = _signer(secret)
        self._target = _target(target_url) if target_url else None
        self._timeout_seconds = timeout_seconds
        self._client: httpx2.AsyncClient | None = None

    def verify(self, headers: Mapping[str, str], raw_body: bytes) -> None:
        """Raise `WebhookRejected` unless our secret signed this body in the last 5 minutes.

        Header names are compared without regard to case.
        """
        given = {name.lower(): value for name, value in headers.items()}
        for name in _HEADERS:
            if not given.get(name):
                raise WebhookRejected(f"The header {name} is missing. Send all of {_listed()}.")
        _check_time(given["webhook-timestamp"])
        try:
            self._signer.verify(raw_body, given, json_parse=False)
        except (WebhookVerificationError, ValueError):
            raise WebhookRejected(
                "The signature does not fit this body. "
                "Sign the bytes as they are sent, with the secret that is set here."
            ) from None

    def parse(self, raw_body: bytes) -> tuple[InboundEvent, ...]:
        """The one event in a verified body. Raises `InvalidInput`, a path for each bad field."""
        return (webhook_payload.read_event(raw_body),)

    async def send(self, message: OutboundMessage) -> SendResult:
        """POST one signed `message.send`.

        The receiver keeps to the idempotency key, so whatever leaves it open whether a message was
        taken is `RETRYABLE`, not `UNCERTAIN`: the same bytes are sent again under the same id. It
        `may_have_arrived` unless no connection was made.
        """
        if (reason := webhook_payload.unsendable(message.text)) is not None:
            return _failed(SendErrorKind.INVALID, reason)
        if self._target is None:
            return _failed(
                SendErrorKind.INVALID,
                "No address is set to send to. Set WEBHOOK_TARGET_URL and start again.",
            )
        body = webhook_payload.write_message(message)
        try:
            async with asyncio.timeout(self._timeout_seconds):
                async with self._open_client().stream(
                    "POST", self._target, content=body.encode(), headers=self._sign(message, body)
                ) as response:
                    answer = await read_some(response.aiter_bytes(), _MOST_ANSWER_BYTES)
                    return _result(response, answer)
        except (TimeoutError, httpx2.TimeoutException):
            return _failed(
                SendErrorKind.RETRYABLE,
                f"The platform did not answer within {self._timeout_seconds:g} seconds.",
                may_have_arrived=True,
            )
        except httpx2.ConnectError:
            return _failed(
                SendErrorKind.RETRYABLE,
                "The platform could not be reached. Check the address and whether it is running.",
            )
        except (httpx2.LocalProtocolError, httpx2.UnsupportedProtocol):
            return _failed(SendErrorKind.INVALID, "The message could not be written as a request.")
        except httpx2.HTTPError:
            return _failed(
                SendErrorKind.RETRYABLE,
                "The connection was lost before the platform had answered.",
                may_have_arrived=True,
            )

    async def aclose(self) -> None:
        """Give connections back."""
        if self._client is not None:
            client, self._client = self._client, None
            await client.aclose()

    def _open_client(self) -> httpx2.AsyncClient:
        if self._client is None:
            self._client = httpx2.AsyncClient(timeout=self._timeout_seconds, follow_redirects=False)
        return self._client

    def _sign(self, message: OutboundMessage, body: str) -> dict[str, str]:
        now = datetime.now(UTC)
        message_id = str(message.id)
        return {
            "content-type": "application/json",
            "user-agent": "vaultcrm",
            "webhook-id": message_id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": self._signer.sign(message_id, now, body),
        }


def _signer(secret: str) -> Webhook:
    try:
        encoded = secret.removeprefix(_SERIALISED_PREFIX)
        key = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise InvalidInput(FieldProblem("secret", "is not base64")) from None
    if len(key) < LEAST_SECRET_BYTES:
        raise InvalidInput(
            FieldProblem("secret", f"holds less than {LEAST_SECRET_BYTES} bytes; make a longer one")
        )
    return Webhook(key)


def _target(url: str) -> httpx2.URL:
    try:
        target = httpx2.URL(url)
    except httpx2.InvalidURL:
        raise InvalidInput(FieldProblem("targetUrl", "is not an address")) from None
    if target.scheme not in {"http", "https"} or not target.host:
        raise InvalidInput(FieldProblem("targetUrl", "is not an http or https address"))
    return target


def _listed() -> str:
    return f"{', '.join(_HEADERS[:-1])} and {_HEADERS[-1]}"


def _check_time(header: str) -> None:
    try:
        age = datetime.now(UTC).timestamp() - float(header)
    except ValueError:
        raise WebhookRejected("The header webhook-timestamp is not a time in seconds.") from None
    if not abs(age) <= TOLERANCE_SECONDS:
        raise WebhookRejected(
            "The time of this webhook is more than 5 minutes from ours. "
            "Send it again, and check that both clocks are right."
        )


def _result(response: httpx2.Response, body: bytes) -> SendResult:
    status = response.status_code
    retry_after = retry_after_seconds(response.headers.get("retry-after", ""))
    if 200 <= status < 300:
        return SendResult(SendStatus.SENT, message_id=webhook_payload.read_answer(body))
    if status == 429:
        return _failed(
            SendErrorKind.RATE_LIMITED,
            "The platform takes no more messages for now (429).",
            retry_after,
        )
    if status in {401, 403}:
        return _failed(
            SendErrorKind.AUTH,
            f"The platform refused our signature ({status}). Set the same secret on both sides.",
        )
    if status >= 500 or status in {408, 425}:
        return _failed(
            SendErrorKind.RETRYABLE,
            f"The platform has a fault of its own ({status}).",
            retry_after,
            may_have_arrived=True,
        )
    if status == 451:
        return _failed(SendErrorKind.POLICY, "The platform's rules forbid this message (451).")
    return _failed(
        SendErrorKind.INVALID,
        f"The platform did not take the message ({status}). Check the address and the message.",
    )


def _failed(
    kind: SendErrorKind,
    error: str,
    retry_after: float | None = None,
    *,
    may_have_arrived: bool = False,
) -> SendResult:
    return SendResult(
        SendStatus.FAILED,
        error_kind=kind,
        error=error,
        retry_after=retry_after,
        may_have_arrived=may_have_arrived,
    )
