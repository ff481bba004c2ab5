"""Events as Standard Webhooks over HTTP."""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime
from typing import Final

import httpx2
from standardwebhooks import Webhook

from vaultcrm.domain.events import EventAnswer, EventCall

CALL_TIMEOUT_SECONDS: Final = 10.0
_DRAIN_SECONDS: Final = 1.0
_MOST_ANSWER_BYTES: Final = 16 * 1024


class WebhookEvents:
    """Posts events signed with each endpoint's own secret, and follows no redirect.

    `timeout_seconds` bounds a call from connecting to the head of the answer; what the body says
    does not matter.
    """

    def __init__(self, *, timeout_seconds: float = CALL_TIMEOUT_SECONDS) -> None:
        self._timeout_seconds = timeout_seconds
        self._client: httpx2.AsyncClient | None = None

    async def post(self, call: EventCall) -> EventAnswer:
        """POST one event. The answer says in words why there is no status."""
        try:
            request = self._open_client().build_request(
                "POST", call.url, content=call.body.encode(), headers=_signed(call)
            )
            async with asyncio.timeout(self._timeout_seconds):
                response = await self._open_client().send(request, stream=True)
        except (TimeoutError, httpx2.TimeoutException):
            return EventAnswer(None, f"It did not answer within {self._timeout_seconds:g} seconds.")
        except httpx2.ConnectError:
            return EventAnswer(None, "It could not be reached.")
        except (httpx2.HTTPError, httpx2.InvalidURL):
            return EventAnswer(None, "The connection was lost before it had answered.")
        await _finish(response)
        return EventAnswer(response.status_code)

    async def aclose(self) -> None:
        """Give connections back."""
        if self._client is not None:
            client, self._client = self._client, None
            await client.aclose()

    def _open_client(self) -> httpx2.AsyncClient:
        if self._client is None:
            self._client = httpx2.AsyncClient(timeout=self._timeout_seconds, follow_redirects=False)
        return self._client


def _signed(call: EventCall) -> dict[str, str]:
    now = datetime.now(UTC)
    return {
        "content-type": "application/json",
        "user-agent": "vaultcrm",
        "webhook-id": str(call.id),
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(call.secret).sign(str(call.id), now, call.body),
    }


async def _finish(response: httpx2.Response) -> None:
    """Read a short answer to its end, so that the connection can be used again; let others go."""
    read = 0
    with suppress(TimeoutError, httpx2.HTTPError):
        async with asyncio.timeout(_DRAIN_SECONDS):
            async for part in response.aiter_raw():
                read += len(part)
                if read > _MOST_ANSWER_BYTES:
                    break
    await response.aclose()
