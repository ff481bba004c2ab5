"""The Telegram channel: a creator's bot, over the Telegram Bot API.

Updates come in by webhook and are verified by the secret that we gave Telegram with it; messages
go out by the methods of the API. `telegram_payload` says what the bodies look like. Messages that
a bot answers for a Telegram Business account (`business_connection`, `business_message`) are not
taken.
"""

import asyncio
import hmac
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import httpx2

from vaultcrm.adapters.channels import telegram_payload
from vaultcrm.adapters.channels.answers import read_some
from vaultcrm.adapters.channels.telegram_payload import Answer
from vaultcrm.domain.channels import (
    Capabilities,
    InboundEvent,
    OutboundMessage,
    SendErrorKind,
    SendResult,
    SendStatus,
)
from vaultcrm.domain.errors import (
    FieldProblem,
    InvalidInput,
    LimitExceeded,
    VaultError,
    WebhookRejected,
)
from vaultcrm.domain.money import Money

BASE_URL: Final = "https://api.telegram.org"
SEND_TIMEOUT_SECONDS: Final = 10.0
AUTHENTICATION_HEADER: Final = "X-Telegram-Bot-Api-Secret-Token"
ALLOWED_UPDATES: Final = ("message", "purchased_paid_media")
LEAST_SECRET_CHARACTERS: Final = 24
_TOKEN: Final = re.compile(r"([0-9]{5,20}):[A-Za-z0-9_-]{30,100}", re.ASCII)
_SECRET: Final = re.compile(r"[A-Za-z0-9_-]{1,256}", re.ASCII)
_MOST_ANSWER_BYTES: Final = 256 * 1024
_DEFAULT_WAIT_SECONDS: Final = 30


class TelegramChannel:
    """One creator's bot.

    `bot_token` is what @BotFather gives (`123456789:AA…`). `webhook_secret` is ours to choose: 24
    to 256 of A-Z, a-z, 0-9, `_` and `-`; Telegram sends it along with every update. `base_url` is
    an http or https address of a Bot API server. `timeout_seconds` bounds one call from connecting
    to the last byte of the answer. Raises `InvalidInput` for what cannot be used.
    """

    name = "telegram"
    capabilities = Capabilities(
        automated_sending=True,
        idempotent_sends=False,
        longest_text=telegram_payload.LONGEST_TEXT,
        longest_caption=telegram_payload.LONGEST_CAPTION,
        counts_utf16=True,
        price_needs_media=True,
        least_price=Money(telegram_payload.LEAST_STARS, telegram_payload.STARS),
        greatest_price=Money(telegram_payload.GREATEST_STARS, telegram_payload.STARS),
    )

    def __init__(
        self,
        *,
        bot_token: str,
        webhook_secret: str,
        base_url: str = BASE_URL,
        timeout_seconds: float = SEND_TIMEOUT_SECONDS,
    ) -> None:
        self._bot_id = _bot_id(bot_token)
        self._bot_token = bot_token
        self._webhook_secret = _checked_secret(webhook_secret)
        self._base_url = _checked_base_url(base_url)
        if not 0 < timeout_seconds <= 600:
            raise InvalidInput(FieldProblem("timeoutSeconds", "is not above 0 and at most 600"))
        self._timeout_seconds = timeout_seconds
        self._client: httpx2.AsyncClient | None = None

    def verify(self, headers: Mapping[str, str], raw_body: bytes) -> None:
        """Raise `WebhookRejected` unless the body came with our secret.

        Header names are compared without regard to case, the secret in constant time. Telegram
        signs and dates nothing: what keeps an update from counting twice is its event id.
        """
        given = [
            value
            for name, value in headers.items()
            if name.lower() == AUTHENTICATION_HEADER.lower()
        ]
        if not given or not given[0]:
            raise WebhookRejected(
                f"The header {AUTHENTICATION_HEADER} is missing. "
                "Register the webhook with the secret that is set here."
            )
        # The secret has no backslash, so nothing that is escaped here can be equal to it.
        said = given[0].encode("ascii", "backslashreplace")
        if len(given) > 1 or not hmac.compare_digest(said, self._webhook_secret.encode()):
            raise WebhookRejected(
                f"The header {AUTHENTICATION_HEADER} is wrong. "
                "Register the webhook again with the secret that is set here."
            )

    def parse(self, raw_body: bytes) -> tuple[InboundEvent, ...]:
        """The event in a verified update, or () where the update does not concern us.

        Raises `InvalidInput`, a path for each bad field. A purchase is dated with the present time,
        as Telegram does not date it; all else, and each event id, is the same at every reading.
        """
        return telegram_payload.read_update(raw_body, bot_id=self._bot_id, now=datetime.now(UTC))

    async def send(self, message: OutboundMessage) -> SendResult:
        """Send one message. Telegram knows no idempotency key, so it is sent once or never.

        `ok: false` under a 2xx goes by its `error_code`, and is `INVALID` without one.

        | what happened                                         | result                          |
        |-------------------------------------------------------|---------------------------------|
        | `ok: true`                                            | `SENT`                          |
        | no connection: refused, unknown host, TLS, too slow   | `RETRYABLE`: nothing was written |
        | 429                                                   | `RATE_LIMITED`, `retry_after`   |
        | 401, 404: token withdrawn or unknown                  | `AUTH`                          |
        | 403: the fan blocked the bot, or never started it     | `POLICY`                        |
        | any other 3xx or 4xx                                  | `INVALID`                       |
        | 5xx                                                   | `UNCERTAIN`                     |
        | no whole answer after the connection was made         | `UNCERTAIN`                     |
        | 2xx whose body is not the Bot API's, or over 256 KiB  | `UNCERTAIN`                     |
        """
        if (reason := telegram_payload.unsendable(message)) is not None:
            return _failed(SendErrorKind.INVALID, reason)
        method, parameters = telegram_payload.write_request(message)
        try:
            answer = await self._call(method, parameters)
        except _NotReached as problem:
            return _failed(SendErrorKind.RETRYABLE, str(problem))
        except _Unanswered as problem:
            return SendResult(SendStatus.UNCERTAIN, error=str(problem))
        if answer.ok and 200 <= answer.status < 300:
            message_id = telegram_payload.sent_message_id(message, answer.result, self._bot_id)
            return SendResult(SendStatus.SENT, message_id=message_id)
        return _refused(answer)

    async def register_webhook(self, url: str) -> None:
        """Have Telegram post this bot's updates to `url`, with our secret. May be repeated.

        Only `ALLOWED_UPDATES` are asked for. Raises `InvalidInput` where the token or the address
        is refused, `LimitExceeded` where Telegram asks to wait, and `VaultError` where it cannot be
        reached or has a fault: then try again.
        """
        if not _is_web_address(url):
            raise InvalidInput(FieldProblem("url", "is not an http or https address"))
        parameters = {
            "url": url,
            "secret_token": self._webhook_secret,
            "allowed_updates": list(ALLOWED_UPDATES),
        }
        try:
            answer = await self._call("setWebhook", parameters)
        except (_NotReached, _Unanswered) as problem:
            raise VaultError(str(problem)) from None
        if answer.ok and 200 <= answer.status < 300:
            return
        if answer.status == 429:
            wait = _DEFAULT_WAIT_SECONDS if answer.retry_after is None else int(answer.retry_after)
            raise LimitExceeded("telegram", "Telegram asks to wait before trying again.", wait)
        if answer.status in {401, 404}:
            raise InvalidInput(FieldProblem("botToken", f"was refused ({answer.status})"))
        if 400 <= answer.status < 500:
            raise InvalidInput(FieldProblem("url", f"was refused{_as_told(answer)}"))
        raise VaultError(_refused(answer).error)

    async def aclose(self) -> None:
        """Give connections back."""
        if self._client is not None:
            client, self._client = self._client, None
            await client.aclose()

    async def _call(self, method: str, parameters: Mapping[str, Any]) -> Answer:
        """One call of the API: its answer, or `_NotReached` or `_Unanswered`."""
        try:
            async with asyncio.timeout(self._timeout_seconds):
                async with self._open_client().stream(
                    "POST",
                    f"{self._base_url}/{method}",
                    content=json.dumps(parameters, separators=(",", ":")).encode(),
                    headers={
                        "content-type": "application/json",
                        "accept-encoding": "identity",
                        "user-agent": "vaultcrm",
                    },
                ) as response:
                    # A longer answer counts as none.
                    answer = await read_some(response.aiter_raw(), _MOST_ANSWER_BYTES)
                    return telegram_payload.read_answer(response.status_code, answer)
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout):
            raise _NotReached(
                "Telegram could not be reached. Check the address and the network."
            ) from None
        except (TimeoutError, httpx2.TimeoutException):
            raise _Unanswered(
                f"Telegram did not answer within {self._timeout_seconds:g} seconds."
            ) from None
        except httpx2.HTTPError:
            raise _Unanswered("The connection was lost before Telegram had answered.") from None

    def _open_client(self) -> httpx2.AsyncClient:
        if self._client is None:
            # Connecting and TLS take a third of the time each at most, so that a connection that
            # cannot be made is known as such before the time for the whole call is over.
            self._client = httpx2.AsyncClient(
                transport=_TokenInPath(self._bot_token),
                timeout=httpx2.Timeout(self._timeout_seconds, connect=self._timeout_seconds / 3),
                follow_redirects=False,
            )
        return self._client


class _NotReached(Exception):
    """Nothing was written. The text is a sentence for users."""


class _Unanswered(Exception):
    """The request may have been taken. The text is a sentence for users."""


class _TokenInPath(httpx2.AsyncBaseTransport):
    """Puts the token into the path below the client, whose log and errors name addresses.

    Connections are not used twice: one that the other side closes at that moment would leave it
    open whether a message was taken.
    """

    def __init__(self, bot_token: str) -> None:
        self._bot_token = bot_token
        self._below = httpx2.AsyncHTTPTransport(
            limits=httpx2.Limits(max_connections=None, max_keepalive_connections=0)
        )

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        prefix, _, method = request.url.path.rpartition("/")
        return await self._below.handle_async_request(
            httpx2.Request(
                request.method,
                request.url.copy_with(path=f"{prefix}/bot{self._bot_token}/{method}"),
                headers=request.headers,
                stream=request.stream,
                extensions=request.extensions,
            )
        )

    async def aclose(self) -> None:
        await self._below.aclose()


def _bot_id(bot_token: str) -> str:
    found = _TOKEN.fullmatch(bot_token)
    if found is None:
        raise InvalidInput(
            FieldProblem("botToken", "is not of the form 123456789:AA…; copy it from @BotFather")
        )
    return found[1]


def _checked_secret(secret: str) -> str:
    if _SECRET.fullmatch(secret) is None:
        raise InvalidInput(
            FieldProblem("webhookSecret", "is not 24 to 256 of A-Z, a-z, 0-9, _ and -")
        )
    if len(secret) < LEAST_SECRET_CHARACTERS:
        raise InvalidInput(
            FieldProblem(
                "webhookSecret",
                f"has less than {LEAST_SECRET_CHARACTERS} characters; make a longer one",
            )
        )
    return secret


def _checked_base_url(base_url: str) -> str:
    if not _is_web_address(base_url) or any(mark in base_url for mark in "?#@"):
        raise InvalidInput(
            FieldProblem("baseUrl", "is not an http or https address without query and credentials")
        )
    return base_url.rstrip("/")


def _is_web_address(url: str) -> bool:
    try:
        parsed = httpx2.URL(url)
    except (httpx2.InvalidURL, ValueError):
        return False
    port_is_one = parsed.port is None or 0 < parsed.port < 65_536
    return parsed.scheme in {"http", "https"} and bool(parsed.host) and port_is_one


def _refused(answer: Answer) -> SendResult:
    status = answer.status
    if status == 429:
        return _failed(
            SendErrorKind.RATE_LIMITED,
            "Telegram takes no more messages for now (429).",
            answer.retry_after,
        )
    if status in {401, 404}:
        return _failed(
            SendErrorKind.AUTH,
            f"Telegram does not know this bot token ({status}). "
            "Set the token that @BotFather shows.",
        )
    if status == 403:
        return _failed(
            SendErrorKind.POLICY,
            f"Telegram does not let the bot write to this fan{_as_told(answer)}. "
            "The fan can start the bot again.",
        )
    if 300 <= status < 500:
        return _failed(
            SendErrorKind.INVALID, f"Telegram did not take the message{_as_told(answer)}."
        )
    return SendResult(
        SendStatus.UNCERTAIN,
        error=f"Telegram may or may not have taken the message ({status}). Look into the chat.",
    )


def _as_told(answer: Answer) -> str:
    """Status and Telegram's own words, for the middle of a sentence."""
    told = answer.description.rstrip(".")
    return f" ({answer.status}: {told})" if told else f" ({answer.status})"


def _failed(kind: SendErrorKind, error: str, retry_after: float | None = None) -> SendResult:
    return SendResult(SendStatus.FAILED, error_kind=kind, error=error, retry_after=retry_after)
