"""The Chatwoot channel: one inbox of one account, in both directions.

Inbound webhooks are verified over `X-Chatwoot-Signature` and `X-Chatwoot-Timestamp`; outbound
messages go to the conversation messages API. `chatwoot_payload` says what the bodies look like.
"""

import asyncio
import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

import httpx2

from vaultcrm.adapters.channels import chatwoot_payload
from vaultcrm.adapters.channels.answers import read_some, retry_after_seconds
from vaultcrm.adapters.channels.writing import Writing, client_of_new_connections
from vaultcrm.domain.channels import (
    Capabilities,
    InboundEvent,
    OutboundMessage,
    SendErrorKind,
    SendResult,
    SendStatus,
)
from vaultcrm.domain.errors import FieldProblem, InvalidInput, WebhookRejected

BASE_URL: Final = "https://app.chatwoot.com"
SEND_TIMEOUT_SECONDS: Final = 10.0
LONGEST_TEXT: Final = 10_000
TOLERANCE_SECONDS: Final = 300
LEAST_SECRET_CHARACTERS: Final = 16
_SIGNATURE: Final = "x-chatwoot-signature"
_TIMESTAMP: Final = "x-chatwoot-timestamp"
_MOST_ANSWER_BYTES: Final = 1024 * 1024
_FLOODED: Final = "Too many messages"
_NOT_VALID: Final = "Validation failed"


class ChatwootChannel:
    """One inbox of one Chatwoot account, for one creator.

    `base_url` is an http or https address, with a path where Chatwoot lies below one.
    `api_access_token` is an agent's; `webhook_secret` is the one that Chatwoot shows beside the
    webhook. `automated_sending` is the operator's word that messages may go by themselves to the
    platform behind the inbox, and `longest_text` is what that platform takes, in characters
    (1-150,000). `timeout_seconds` bounds one send from connecting to the last byte of the answer.
    Raises `InvalidInput`, with the field, for a value that cannot be used.
    """

    name = "chatwoot"

    def __init__(
        self,
        *,
        account_id: int,
        inbox_id: int,
        api_access_token: str,
        webhook_secret: str,
        base_url: str = BASE_URL,
        automated_sending: bool = True,
        longest_text: int = LONGEST_TEXT,
        timeout_seconds: float = SEND_TIMEOUT_SECONDS,
    ) -> None:
        _check_between("longestText", longest_text, chatwoot_payload.GREATEST_TEXT)
        if not 0 < timeout_seconds < float("inf"):
            raise InvalidInput(FieldProblem("timeoutSeconds", "is not more than 0"))
        self.capabilities = Capabilities(
            automated_sending=automated_sending,
            idempotent_sends=False,
            longest_text=longest_text,
            takes_prices=False,
            takes_media=False,
        )
        self._account_id = _check_between("accountId", account_id, chatwoot_payload.GREATEST_ID)
        self._inbox_id = _check_between("inboxId", inbox_id, chatwoot_payload.GREATEST_ID)
        self._token = _checked_token(api_access_token)
        self._key = _checked_key(webhook_secret)
        self._base = _checked_base(base_url)
        self._timeout_seconds = timeout_seconds
        self._client: httpx2.AsyncClient | None = None

    def verify(self, headers: Mapping[str, str], raw_body: bytes) -> None:
        """Raise `WebhookRejected` unless Chatwoot signed this body in the last 5 minutes.

        The signature is `sha256=` and the hexadecimal HMAC-SHA256 of "<timestamp>.<body>" with the
        webhook's secret as it is shown. Header names are compared without regard to case.
        """
        given = {name.lower(): value for name, value in headers.items()}
        for name in (_TIMESTAMP, _SIGNATURE):
            if not given.get(name):
                raise WebhookRejected(
                    f"The header {name} is missing. Chatwoot signs the webhooks of an account from "
                    "version 4.11.2 on, those of an API inbox from version 4.13.0 on."
                )
        timestamp = given[_TIMESTAMP]
        _check_time(timestamp)
        signed = hmac.digest(self._key, f"{timestamp}.".encode() + raw_body, hashlib.sha256)
        expected = f"sha256={signed.hex()}".encode()
        if not hmac.compare_digest(expected, given[_SIGNATURE].encode("utf-8", "replace")):
            raise WebhookRejected(
                "The signature does not fit this body. "
                "Set the secret that Chatwoot shows beside this webhook."
            )

    def parse(self, raw_body: bytes) -> tuple[InboundEvent, ...]:
        """What the fan wrote, or a person of the team in Chatwoot; () for anything else.

        () are: other events than `message_created`, other inboxes, private notes, activity,
        templates, what bots and automation rules wrote, what we sent ourselves, and messages with
        neither text nor attachment. Raises `InvalidInput`, a path for each bad field.
        """
        return chatwoot_payload.read_events(
            raw_body, account_id=self._account_id, inbox_id=self._inbox_id
        )

    async def send(self, message: OutboundMessage) -> SendResult:
        """POST one outgoing message to its conversation.

        Chatwoot has no idempotency key, so only what certainly was not taken may be sent again:

        - `SENT`: 2xx with the id of a message.
        - `RETRYABLE`: nothing of the body was written yet, since the name was not found, no
          connection or TLS was made, or the time was over before that.
        - `RATE_LIMITED`: 429, and 422 with "Too many messages" (the conversation's own limit).
        - `AUTH`: 401, 403. `INVALID`: 3xx, 422 with "Validation failed", all other 4xx but 408,
          and what we do not send at all (price, media, template signs, length).
        - `UNCERTAIN`: time-out or lost connection from the first byte of the body on, 5xx, 408,
          another 422 (Chatwoot also answers it for a fault after the message was stored), and a
          2xx without a message's id.
        """
        reason = chatwoot_payload.unsendable(message, self.capabilities.longest_text)
        if reason is not None:
            return _failed(SendErrorKind.INVALID, reason)
        writing = Writing()
        try:
            async with asyncio.timeout(self._timeout_seconds):
                async with self._open_client().stream(
                    "POST",
                    self._url(message),
                    content=chatwoot_payload.write_message(message),
                    headers=self._headers(),
                    extensions={"trace": writing.note},
                ) as response:
                    answer = await read_some(response.aiter_raw(), _MOST_ANSWER_BYTES)
                    return _result(response, answer)
        except (TimeoutError, httpx2.TimeoutException):
            return _broken(
                writing, f"Chatwoot did not answer within {self._timeout_seconds:g} seconds"
            )
        except httpx2.ConnectError:
            return _broken(writing, "Chatwoot could not be reached")
        except (httpx2.HTTPError, OSError):
            return _broken(writing, "The connection to Chatwoot was lost")

    async def aclose(self) -> None:
        """Give connections back."""
        if self._client is not None:
            client, self._client = self._client, None
            await client.aclose()

    def _url(self, message: OutboundMessage) -> str:
        return (
            f"{self._base}/api/v1/accounts/{self._account_id}"
            f"/conversations/{message.conversation_ref}/messages"
        )

    def _headers(self) -> dict[str, str]:
        return {
            "accept": "application/json",
            # A compressed answer could be a thousand times what is read of it.
            "accept-encoding": "identity",
            "api_access_token": self._token,
            "content-type": "application/json",
            "user-agent": "vaultcrm",
        }

    def _open_client(self) -> httpx2.AsyncClient:
        if self._client is None:
            self._client = client_of_new_connections(self._timeout_seconds)
        return self._client


def _broken(writing: Writing, what: str) -> SendResult:
    """How a request ends that had no answer."""
    if writing.begun:
        return _uncertain(f"{what}, after the message was handed over.")
    return _failed(
        SendErrorKind.RETRYABLE, f"{what}. Check the address and whether Chatwoot is running."
    )


def _check_between(field: str, value: int, most: int) -> int:
    if isinstance(value, bool) or not 1 <= value <= most:
        raise InvalidInput(FieldProblem(field, f"is not a whole number from 1 to {most}"))
    return value


def _checked_token(token: str) -> str:
    if not token or not all("!" <= character <= "~" for character in token):
        raise InvalidInput(FieldProblem("apiAccessToken", "is empty or not as Chatwoot shows it"))
    return token


def _checked_key(secret: str) -> bytes:
    if not all("!" <= character <= "~" for character in secret):
        raise InvalidInput(FieldProblem("webhookSecret", "is not as Chatwoot shows it"))
    if len(secret) < LEAST_SECRET_CHARACTERS:
        raise InvalidInput(
            FieldProblem("webhookSecret", f"has less than {LEAST_SECRET_CHARACTERS} characters")
        )
    return secret.encode()


def _checked_base(url: str) -> str:
    try:
        base = httpx2.URL(url)
    except httpx2.InvalidURL:
        raise InvalidInput(FieldProblem("baseUrl", "is not an address")) from None
    if base.scheme not in {"http", "https"} or not base.host:
        raise InvalidInput(FieldProblem("baseUrl", "is not an http or https address"))
    if base.userinfo or base.query or base.fragment:
        raise InvalidInput(FieldProblem("baseUrl", "holds more than scheme, host, port and path"))
    return str(base).rstrip("/")


def _check_time(header: str) -> None:
    if not (header.isascii() and header.isdigit() and len(header) <= 12):
        raise WebhookRejected(f"The header {_TIMESTAMP} is not a time in seconds.")
    if abs(datetime.now(UTC).timestamp() - int(header)) > TOLERANCE_SECONDS:
        raise WebhookRejected(
            "The time of this webhook is more than 5 minutes from ours. "
            "Check that the clocks of Chatwoot and of this machine are right."
        )


def _result(response: httpx2.Response, body: bytes) -> SendResult:
    status = response.status_code
    if 200 <= status < 300:
        if message_id := chatwoot_payload.read_answer(body):
            return SendResult(SendStatus.SENT, message_id=message_id)
        return _uncertain(f"The answer ({status}) is not Chatwoot's: it names no message.")
    if status == 429:
        return _failed(
            SendErrorKind.RATE_LIMITED,
            "Chatwoot takes no more requests for now (429).",
            retry_after_seconds(response.headers.get("retry-after", "")),
        )
    if status in {401, 403}:
        return _failed(
            SendErrorKind.AUTH,
            f"Chatwoot refused our access token ({status}). Set one of an agent who may answer "
            "in this inbox.",
        )
    if status == 422:
        return _unprocessable(chatwoot_payload.read_error(body))
    if status >= 500 or status == 408:
        return _uncertain(f"Chatwoot has a fault of its own ({status}).")
    if 300 <= status < 400:
        return _failed(
            SendErrorKind.INVALID,
            f"The address leads elsewhere ({status}). Set the one that it leads to.",
        )
    if status == 404:
        return _failed(
            SendErrorKind.INVALID,
            "Chatwoot knows no such account or conversation (404). Check both and the address.",
        )
    return _failed(
        SendErrorKind.INVALID,
        f"Chatwoot did not take the message ({status}). Check the address and the message.",
    )


def _unprocessable(error: str) -> SendResult:
    if _FLOODED in error:
        return _failed(
            SendErrorKind.RATE_LIMITED,
            "Chatwoot takes no more messages in this conversation for now (422).",
        )
    if error.startswith(_NOT_VALID):
        return _failed(SendErrorKind.INVALID, "Chatwoot did not take the message as valid (422).")
    return _uncertain("Chatwoot met a fault with the message (422).")


def _failed(kind: SendErrorKind, error: str, retry_after: float | None = None) -> SendResult:
    return SendResult(SendStatus.FAILED, error_kind=kind, error=error, retry_after=retry_after)


def _uncertain(error: str) -> SendResult:
    return SendResult(
        SendStatus.UNCERTAIN,
        error=f"{error} Look in Chatwoot whether it is there before it is sent again.",
    )
