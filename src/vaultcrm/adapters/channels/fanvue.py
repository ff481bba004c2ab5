"""Fanvue: a creator's chats there, over Fanvue's official API.

Inbound bodies are verified over `X-Fanvue-Signature`; outbound messages go to the chat's message
endpoint under an OAuth 2.0 access token, which is renewed here. `fanvue_payload` says what the
bodies look like.
"""

import asyncio
import base64
import hashlib
import hmac
import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import quote_plus, urlencode
from uuid import UUID

import httpx2

from vaultcrm.adapters.channels import fanvue_payload
from vaultcrm.adapters.channels.answers import read_some
from vaultcrm.adapters.channels.fanvue_payload import FanvueTokens
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

__all__ = ["FanvueChannel", "FanvueTokens"]

API_URL: Final = "https://api.fanvue.com"
TOKEN_URL: Final = "https://auth.fanvue.com/oauth2/token"  # noqa: S105 - an address
API_VERSION: Final = "2025-06-26"
SIGNATURE_HEADER: Final = "x-fanvue-signature"
SEND_TIMEOUT_SECONDS: Final = 10.0
TOLERANCE_SECONDS: Final = 300
RENEW_BEFORE: Final = timedelta(seconds=60)
"""An access token with less than this left is renewed first."""
LEAST_SECRET_CHARACTERS: Final = 16
_MOST_ANSWER_BYTES: Final = 64 * 1024
_LOCAL_HOSTS: Final = frozenset({"127.0.0.1", "localhost", "::1"})
_RECONNECT: Final = "Connect the creator's account again."

SaveTokens = Callable[[FanvueTokens], Awaitable[None]]
LoadTokens = Callable[[], Awaitable[FanvueTokens]]
log = logging.getLogger(__name__)


class FanvueChannel:
    """One creator's account on Fanvue.

    `webhook_secret` is the signing secret of the app's webhook, as it is shown there.
    `creator_uuid` is the creator's Fanvue user uuid: events of other creators are left out.
    `for_agency` sends through `/creators/{creator_uuid}/…`, for tokens of an agency that manages
    the creator. `save_tokens` is awaited with renewed tokens before they are used; should it raise,
    the message waits and they are saved before anything else next time, since the tokens before
    them no longer work. `load_tokens` gives what was saved last: set it where several processes
    share the account, so that one finds what another has renewed. `automated_sending` is for the
    operator who has read Fanvue's terms. `timeout_seconds` bounds one send, renewing included.

    Raises `InvalidInput` for values that cannot be used. Addresses are https; http is taken on
    this machine only.
    """

    name = "fanvue"

    def __init__(
        self,
        *,
        webhook_secret: str,
        creator_uuid: str,
        client_id: str,
        client_secret: str,
        tokens: FanvueTokens,
        save_tokens: SaveTokens,
        load_tokens: LoadTokens | None = None,
        for_agency: bool = False,
        automated_sending: bool = False,
        base_url: str = API_URL,
        token_url: str = TOKEN_URL,
        timeout_seconds: float = SEND_TIMEOUT_SECONDS,
    ) -> None:
        self.capabilities = Capabilities(
            automated_sending=automated_sending,
            idempotent_sends=False,
            longest_text=fanvue_payload.LONGEST_TEXT,
            counts_utf16=True,
            price_needs_media=True,
            least_price=fanvue_payload.LEAST_PRICE,
            greatest_price=fanvue_payload.GREATEST_PRICE,
        )
        if not 0 < timeout_seconds <= 120:
            raise InvalidInput(FieldProblem("timeoutSeconds", "is not between 0 and 120"))
        self._secret = _webhook_secret(webhook_secret)
        self._creator_uuid = _creator_uuid(creator_uuid)
        root = str(_address("baseUrl", base_url)).rstrip("/")
        self._chats = (
            f"{root}/creators/{self._creator_uuid}/chats" if for_agency else f"{root}/chats"
        )
        self._timeout_seconds = timeout_seconds
        self._client: httpx2.AsyncClient | None = None
        self._sign_in = _SignIn(
            open_client=self._open_client,
            token_url=_address("tokenUrl", token_url),
            authorization=_basic(client_id, client_secret),
            tokens=_tokens(tokens),
            save_tokens=save_tokens,
            load_tokens=load_tokens,
            timeout_seconds=timeout_seconds,
        )

    def verify(self, headers: Mapping[str, str], raw_body: bytes) -> None:
        """Raise `WebhookRejected` unless Fanvue signed this body in the last 5 minutes.

        The signature is HMAC-SHA256 over the time, a full stop and the raw body. Header names are
        compared without regard to case; one right `v0` among several is enough.
        """
        given = {name.lower(): value for name, value in headers.items()}.get(SIGNATURE_HEADER, "")
        parts = [part.strip().partition("=") for part in given.split(",")]
        times = [value for name, _, value in parts if name == "t"]
        signatures = [value for name, _, value in parts if name == "v0"]
        if len(times) != 1 or not signatures:
            raise WebhookRejected(
                "The header X-Fanvue-Signature is missing or not of the form t=<time>,v0=<hex>."
            )
        _check_time(times[0])
        signed = hmac.new(self._secret, f"{times[0]}.".encode() + raw_body, hashlib.sha256)
        expected = signed.hexdigest().encode()
        matches = [
            hmac.compare_digest(expected, signature.lower().encode("utf-8", "backslashreplace"))
            for signature in signatures
        ]
        if not any(matches):
            raise WebhookRejected(
                "The signature does not fit this body. "
                "Set the signing secret that Fanvue shows for this webhook."
            )

    def parse(self, raw_body: bytes) -> tuple[InboundEvent, ...]:
        """The event in a verified body if it concerns this creator, else (). See `read_events`."""
        return fanvue_payload.read_events(raw_body, self._creator_uuid)

    async def send(self, message: OutboundMessage) -> SendResult:
        """POST one message to the fan's chat. Fanvue knows no idempotency key for it.

        `RETRYABLE` is only what certainly did not arrive: no connection (DNS, refused, TLS), a
        time-out or a lost connection before the first byte of the body was written, 408, 425, and
        a sign-in that could not be renewed for now. 429 is `RATE_LIMITED`.

        `UNCERTAIN` is whatever leaves it open once writing the body has begun: a time-out, a lost
        connection, any 5xx (a gateway answers so for a service behind it that may have taken the
        message), and a 2xx without a `messageUuid`.

        401 renews the sign-in and sends once more; a second 401, 403 (missing scopes) and a refused
        renewal are `AUTH`. 400 with Fanvue's own reason and 451 are `POLICY`; every other 3xx and
        4xx is `INVALID`.
        """
        if (reason := fanvue_payload.unsendable(message)) is not None:
            return _failed(SendErrorKind.INVALID, reason)
        writing = Writing()
        try:
            async with asyncio.timeout(self._timeout_seconds):
                return await self._send(message, writing)
        except TimeoutError:
            return _broken(
                writing, f"Fanvue did not answer within {self._timeout_seconds:g} seconds"
            )

    async def aclose(self) -> None:
        """Give connections back, after a renewal under way has been saved."""
        await self._sign_in.settle()
        if self._client is not None:
            client, self._client = self._client, None
            await client.aclose()

    async def _send(self, message: OutboundMessage, writing: Writing) -> SendResult:
        refused = ""
        for _ in range(2):
            tokens = await self._sign_in.tokens(refused)
            if isinstance(tokens, SendResult):
                return tokens
            result = await self._post(message, tokens.access, writing)
            if result is not None:
                return result
            refused = tokens.access
            writing.begun = False
        return _failed(
            SendErrorKind.AUTH, f"Fanvue does not take our access token (401). {_RECONNECT}"
        )

    async def _post(
        self, message: OutboundMessage, access: str, writing: Writing
    ) -> SendResult | None:
        """What came of one request; None for 401."""
        address = f"{self._chats}/{UUID(message.conversation_ref)}/message"
        headers = {
            "authorization": f"Bearer {access}",
            "content-type": "application/json",
            "user-agent": "vaultcrm",
            "x-fanvue-api-version": API_VERSION,
        }
        try:
            async with self._open_client().stream(
                "POST",
                address,
                content=fanvue_payload.write_message(message),
                headers=headers,
                extensions={"trace": writing.note},
            ) as response:
                if response.status_code == 401:
                    return None
                return _result(response, await _read_some(response), message.text)
        except httpx2.TimeoutException:
            return _broken(writing, "Fanvue did not answer in time")
        except httpx2.HTTPError:
            return _broken(writing, "The connection to Fanvue could not be made or was lost")

    def _open_client(self) -> httpx2.AsyncClient:
        if self._client is None:
            self._client = client_of_new_connections(self._timeout_seconds)
        return self._client


def _broken(writing: Writing, what: str) -> SendResult:
    """How a request ends that had no answer."""
    if writing.begun:
        return _uncertain(f"{what}, after the message was written.")
    return _failed(SendErrorKind.RETRYABLE, f"{what}; nothing was sent.")


class _SignIn:
    """The access token, renewed when it expires or is refused, by one task at a time.

    A refresh token works once, so a renewal is never broken off half-way: it goes on, and is saved,
    when the send that asked for it has run out of time.
    """

    def __init__(
        self,
        *,
        open_client: Callable[[], httpx2.AsyncClient],
        token_url: httpx2.URL,
        authorization: str,
        tokens: FanvueTokens,
        save_tokens: SaveTokens,
        load_tokens: LoadTokens | None,
        timeout_seconds: float,
    ) -> None:
        self._open_client = open_client
        self._token_url = token_url
        self._authorization = authorization
        self._tokens = tokens
        self._unsaved: FanvueTokens | None = None
        self._save_tokens = save_tokens
        self._load_tokens = load_tokens
        self._timeout_seconds = timeout_seconds
        self._renewal: asyncio.Task[FanvueTokens | SendResult] | None = None

    async def tokens(self, refused: str = "") -> FanvueTokens | SendResult:
        """Tokens to send with, or why there are none. `refused` is an access token that got 401."""
        if self._unsaved is None and _usable(self._tokens, refused):
            return self._tokens
        if self._renewal is None or self._renewal.done():
            self._renewal = asyncio.create_task(self._renew(refused))
        return await asyncio.shield(self._renewal)

    async def settle(self) -> None:
        """Wait for a renewal under way."""
        if self._renewal is not None and not self._renewal.done():
            await asyncio.wait({self._renewal}, timeout=2 * self._timeout_seconds)

    async def _renew(self, refused: str) -> FanvueTokens | SendResult:
        if self._unsaved is not None:
            return await self._keep(self._unsaved)
        if await self._find_newer(refused):
            return self._tokens
        renewed = await self._ask()
        if isinstance(renewed, FanvueTokens):
            return await self._keep(renewed)
        # Another process may have used the refresh token while we asked.
        if renewed.error_kind is SendErrorKind.AUTH and await self._find_newer(refused):
            return self._tokens
        return renewed

    async def _find_newer(self, refused: str) -> bool:
        """Take over what another process has saved; True when it can be sent with."""
        if self._load_tokens is None:
            return False
        try:
            self._tokens = _tokens(await self._load_tokens())
        except Exception as error:
            log.warning("saved Fanvue tokens could not be loaded: %s", type(error).__name__)
            return False
        return _usable(self._tokens, refused)

    async def _keep(self, renewed: FanvueTokens) -> FanvueTokens | SendResult:
        self._unsaved = renewed
        try:
            await self._save_tokens(renewed)
        except Exception as error:
            # Whatever went wrong there, the tokens must not be lost: those before them are spent.
            log.error("renewed Fanvue tokens could not be saved: %s", type(error).__name__)
            return _failed(
                SendErrorKind.RETRYABLE,
                "The renewed Fanvue sign-in could not be saved; nothing was sent.",
            )
        self._tokens, self._unsaved = renewed, None
        return renewed

    async def _ask(self) -> FanvueTokens | SendResult:
        """Renew at the token endpoint (RFC 6749, 6), the client in the Authorization header."""
        form = urlencode({"grant_type": "refresh_token", "refresh_token": self._tokens.refresh})
        headers = {
            "accept": "application/json",
            "authorization": self._authorization,
            "content-type": "application/x-www-form-urlencoded",
            "user-agent": "vaultcrm",
        }
        try:
            async with asyncio.timeout(self._timeout_seconds):
                async with self._open_client().stream(
                    "POST", self._token_url, content=form.encode(), headers=headers
                ) as response:
                    return self._renewed(response, await _read_some(response))
        except (TimeoutError, httpx2.HTTPError):
            return _failed(
                SendErrorKind.RETRYABLE,
                "The Fanvue sign-in could not be renewed: no answer. Nothing was sent.",
            )

    def _renewed(self, response: httpx2.Response, body: bytes) -> FanvueTokens | SendResult:
        status = response.status_code
        if 200 <= status < 300:
            tokens = fanvue_payload.read_tokens(body, self._tokens.refresh, datetime.now(UTC))
            if tokens is not None:
                return tokens
            return _failed(
                SendErrorKind.RETRYABLE,
                "The Fanvue sign-in could not be renewed: the answer cannot be read.",
            )
        if status == 429:
            return _failed(
                SendErrorKind.RATE_LIMITED,
                "Fanvue renews no sign-in for now (429).",
                _seconds(response),
            )
        if status >= 500 or status in {408, 425}:
            return _failed(
                SendErrorKind.RETRYABLE,
                f"Fanvue's sign-in has a fault of its own ({status}). Nothing was sent.",
                _seconds(response),
            )
        return _failed(
            SendErrorKind.AUTH, f"Fanvue refused to renew the sign-in ({status}). {_RECONNECT}"
        )


def _usable(tokens: FanvueTokens, refused: str) -> bool:
    return tokens.access != refused and tokens.expires_at - RENEW_BEFORE > datetime.now(UTC)


def _webhook_secret(secret: str) -> bytes:
    if len(secret) < LEAST_SECRET_CHARACTERS or secret != secret.strip() or not secret.isascii():
        raise InvalidInput(
            FieldProblem(
                "webhookSecret",
                f"is not a signing secret of at least {LEAST_SECRET_CHARACTERS} characters",
            )
        )
    return secret.encode()


def _creator_uuid(value: str) -> str:
    try:
        return str(UUID(value))
    except ValueError:
        raise InvalidInput(FieldProblem("creatorUuid", "is not a UUID")) from None


def _basic(client_id: str, client_secret: str) -> str:
    """RFC 6749, 2.3.1: both are form-encoded before they are joined."""
    for name, value in (("clientId", client_id), ("clientSecret", client_secret)):
        if not fanvue_payload.is_token(value):
            raise InvalidInput(FieldProblem(name, "is empty or holds a character that it cannot"))
    pair = f"{quote_plus(client_id)}:{quote_plus(client_secret)}"
    return "Basic " + base64.b64encode(pair.encode()).decode()


def _tokens(tokens: FanvueTokens) -> FanvueTokens:
    for name, value in (("accessToken", tokens.access), ("refreshToken", tokens.refresh)):
        if not fanvue_payload.is_token(value):
            raise InvalidInput(FieldProblem(name, "is not a token"))
    if tokens.expires_at.utcoffset() is None:
        raise InvalidInput(FieldProblem("expiresAt", "has no offset from UTC"))
    return tokens


def _address(name: str, url: str) -> httpx2.URL:
    try:
        address = httpx2.URL(url)
    except httpx2.InvalidURL:
        raise InvalidInput(FieldProblem(name, "is not an address")) from None
    if address.scheme not in {"http", "https"} or not address.host:
        raise InvalidInput(FieldProblem(name, "is not an https address"))
    if address.scheme == "http" and address.host not in _LOCAL_HOSTS:
        raise InvalidInput(FieldProblem(name, "is not https: tokens would travel in the clear"))
    if address.query or address.fragment or address.userinfo:
        raise InvalidInput(FieldProblem(name, "has more than a host and a path"))
    return address


def _check_time(value: str) -> None:
    if not (value.isascii() and value.isdigit() and len(value) <= 12):
        raise WebhookRejected("The time in X-Fanvue-Signature is not a time in seconds.")
    if abs(datetime.now(UTC).timestamp() - int(value)) > TOLERANCE_SECONDS:
        raise WebhookRejected(
            "The time of this webhook is more than 5 minutes from ours. "
            "Send it again, and check that both clocks are right."
        )


async def _read_some(response: httpx2.Response) -> bytes:
    """The answer as far as it can matter; the status tells the rest if it breaks off."""
    try:
        return await read_some(response.aiter_bytes(), _MOST_ANSWER_BYTES)
    except httpx2.HTTPError:
        return b""


def _result(response: httpx2.Response, body: bytes, text: str) -> SendResult:
    status = response.status_code
    if 200 <= status < 300:
        message_id = fanvue_payload.read_sent(body)
        if message_id:
            return SendResult(SendStatus.SENT, message_id=message_id)
        return _uncertain(f"Fanvue's answer ({status}) holds no message id.")
    if status >= 500:
        return _uncertain(f"Fanvue has a fault of its own ({status}).")
    if status == 429:
        return _failed(
            SendErrorKind.RATE_LIMITED,
            "Fanvue takes no more messages for now (429).",
            _seconds(response),
        )
    if status in {408, 425}:
        return _failed(
            SendErrorKind.RETRYABLE,
            f"Fanvue did not take the request up ({status}).",
            _seconds(response),
        )
    return _refusal(status, body, text)


def _refusal(status: int, body: bytes, text: str) -> SendResult:
    if status == 403:
        return _failed(
            SendErrorKind.AUTH,
            "The Fanvue sign-in may not send here (403). "
            "Connect the creator's account again with all scopes that the app asks for.",
        )
    if status == 451:
        return _failed(SendErrorKind.POLICY, "Fanvue's rules forbid this message (451).")
    if status == 400 and (reason := fanvue_payload.read_reason(body, text)) is not None:
        said = f" Fanvue says: {reason}" if reason else ""
        return _failed(SendErrorKind.POLICY, f"Fanvue does not allow this message (400).{said}")
    if status == 404:
        return _failed(
            SendErrorKind.INVALID, "Fanvue knows no chat with this fan (404). Open it there first."
        )
    if status == 410:
        return _failed(
            SendErrorKind.INVALID,
            f"Fanvue no longer takes API version {API_VERSION} (410). Update VaultCRM.",
        )
    return _failed(SendErrorKind.INVALID, f"Fanvue did not take the message ({status}).")


def _uncertain(why: str) -> SendResult:
    return SendResult(
        SendStatus.UNCERTAIN, error=f"{why} Look in the chat on Fanvue before sending it again."
    )


def _failed(kind: SendErrorKind, error: str, retry_after: float | None = None) -> SendResult:
    return SendResult(SendStatus.FAILED, error_kind=kind, error=error, retry_after=retry_after)


def _seconds(response: httpx2.Response) -> float | None:
    """Fanvue's Retry-After is a count of seconds."""
    value = response.headers.get("retry-after", "").strip()
    return float(value[:9]) if value.isascii() and value.isdigit() else None
