"""Claude, through the `anthropic` SDK.

The SDK keeps the connections, the headers, the retries and their backoff. Request bodies are
serialised here, and answers are read from their bytes, past the SDK's typed models: a call costs
about two thirds of the CPU of `messages.create` that way (`client.post` is the SDK's own door for
it).
"""

import asyncio
import math
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import httpx2
from anthropic import (
    AnthropicError,
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    AsyncAnthropic,
    AsyncStream,
    DefaultAioHttpClient,
)
from anthropic.types import Message, RawMessageStreamEvent
from pydantic import TypeAdapter, ValidationError
from pydantic_core import to_json

from vaultcrm.adapters.llm.answers import ask_for_json
from vaultcrm.adapters.llm.calling import (
    VARIETY_TEMPERATURE,
    BrokenStream,
    Call,
    ModelDrafter,
    Reading,
)
from vaultcrm.adapters.llm.catalog import find_model
from vaultcrm.adapters.llm.repair import Answer, Ending
from vaultcrm.adapters.llm.retrying import retry_after_seconds
from vaultcrm.domain.drafting import Prompt
from vaultcrm.domain.errors import (
    DrafterError,
    DrafterMisconfigured,
    DrafterRateLimited,
    DrafterTimeout,
    DrafterUnavailable,
)
from vaultcrm.domain.generation import TokenUsage

_CONNECT_SECONDS = 5.0
_LIMITS = httpx2.Limits(max_connections=200, max_keepalive_connections=50, keepalive_expiry=30)
_KEPT = {"type": "ephemeral"}
"""Marks the end of what is kept in the provider's cache: for five minutes after its last use."""
_ENDINGS = {
    "refusal": Ending.REFUSED,
    "max_tokens": Ending.CUT_OFF,
    "model_context_window_exceeded": Ending.TOO_LONG,
}


@dataclass(frozen=True, slots=True)
class _Block:
    type: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class _Usage:
    input_tokens: int
    output_tokens: int
    cache_read_input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class _Reply:
    content: list[_Block]
    usage: _Usage
    stop_reason: str | None = None


_REPLY = TypeAdapter(_Reply)


class AnthropicDrafter(ModelDrafter):
    """Drafts by Claude. `timeout_seconds` is for one attempt; `max_retries` more are made.

    A server that asks to wait longer than `timeout_seconds` before a retry is not waited for.
    """

    name = "anthropic"

    def __init__(
        self,
        *,
        api_key: str,
        model: str,
        checker: str,
        base_url: str | None = None,
        timeout_seconds: float = 20.0,
        max_retries: int = 2,
    ) -> None:
        super().__init__(model, checker)
        self._timeout_seconds = timeout_seconds
        # The SDK's timeout is for one read. A server that sends a byte now and then ends here.
        self._longest_seconds = 2 * timeout_seconds * (max_retries + 1)
        self._client = AsyncAnthropic(
            api_key=api_key,
            base_url=base_url,
            timeout=httpx2.Timeout(timeout_seconds, connect=min(_CONNECT_SECONDS, timeout_seconds)),
            max_retries=max_retries,
            open_telemetry=False,
            http_client=DefaultAioHttpClient(
                limits=_LIMITS, event_hooks={"response": [self._forbid_long_waits]}
            ),
        )
        # The whole address, as the SDK parses what it joins anew for each call.
        self._messages_url = str(self._client.base_url.join("v1/messages"))

    async def aclose(self) -> None:
        await self._client.close()

    async def _ask(self, call: Call) -> Answer:
        try:
            async with asyncio.timeout(self._longest_seconds):
                response = await self._client.post(
                    self._messages_url, cast_to=httpx2.Response, content=to_json(_body(call))
                )
        except (AnthropicError, TimeoutError) as error:
            raise self._drafter_error(error, call.model) from error
        try:
            reply = _REPLY.validate_json(response.content)
        except ValidationError as error:
            raise DrafterMisconfigured(
                "The server did not answer in the form of the Claude API. Check ANTHROPIC_BASE_URL."
            ) from error
        return Answer(
            text="".join([block.text for block in reply.content if block.type == "text"]),
            ending=_ENDINGS.get(reply.stop_reason or "", Ending.FINISHED),
            usage=_tokens(reply.usage),
        )

    async def _read_stream(self, call: Call, reading: Reading) -> AsyncGenerator[None, None]:
        deadline = asyncio.get_running_loop().time() + self._longest_seconds
        try:
            async with asyncio.timeout_at(deadline):
                stream = await self._client.post(
                    self._messages_url,
                    cast_to=Message,
                    content=to_json({**_body(call), "stream": True}),
                    stream=True,
                    stream_cls=AsyncStream[RawMessageStreamEvent],
                )
        except (AnthropicError, TimeoutError) as error:
            raise self._drafter_error(error, call.model) from error
        async with stream:
            events = aiter(stream)
            while not reading.finished:
                try:
                    async with asyncio.timeout_at(deadline):
                        event = await anext(events)
                except (AnthropicError, httpx2.HTTPError, StopAsyncIteration) as error:
                    raise BrokenStream from error
                except TimeoutError as error:
                    raise self._drafter_error(error, call.model) from error
                if _take(event, reading):
                    yield

    async def _forbid_long_waits(self, response: httpx2.Response) -> None:
        # The SDK would sleep for as long as the server says, be it an hour.
        if response.status_code >= 400:
            asked = retry_after_seconds(response.headers)
            if asked is not None and asked > self._timeout_seconds:
                response.headers["x-should-retry"] = "false"

    def _drafter_error(self, error: AnthropicError | TimeoutError, model: str) -> DrafterError:
        """The error in our words. The provider's wording stays out: it may quote the request."""
        if isinstance(error, APITimeoutError | TimeoutError):
            return DrafterTimeout(
                f"Claude did not answer within {self._timeout_seconds:g} seconds. "
                "Try again; if this happens often, raise AI_TIMEOUT_SECONDS."
            )
        if isinstance(error, APIConnectionError):
            return DrafterUnavailable(
                "Claude cannot be reached. Check this machine's network and ANTHROPIC_BASE_URL, "
                "then try again."
            )
        if isinstance(error, APIStatusError):
            setting = "AI_MODEL" if model == self.model else "AI_MODEL_CHECKER"
            return _status_error(error, model, setting)
        return DrafterUnavailable("The call to Claude failed. Try again.")


@lru_cache(maxsize=16)
def _common(model: str) -> dict[str, Any]:
    """What every request to one model has in common."""
    thinking = find_model(model).thinking
    if thinking in ("disabled", "between_tools"):
        return {"model": model, "thinking": {"type": thinking}}
    return {"model": model}


def _body(call: Call) -> dict[str, Any]:
    card = find_model(call.model)
    system = call.prompt.system
    output: dict[str, Any] = {}
    if card.thinking == "always":
        output["effort"] = "low"
    if card.structured_output:
        output["format"] = {"type": "json_schema", "schema": call.schema}
    else:
        system = f"{system}\n\n{ask_for_json(call.schema)}"
    body = {
        **_common(call.model),
        "max_tokens": call.max_tokens,
        "system": [{"type": "text", "text": system, "cache_control": _KEPT}],
        "messages": call.turns(_content(call.prompt)),
    }
    if output:
        body["output_config"] = output
    if call.user_hash:
        body["metadata"] = {"user_id": call.user_hash}
    if call.varied and card.takes_temperature:
        body["temperature"] = VARIETY_TEMPERATURE
    return body


def _content(prompt: Prompt) -> str | list[dict[str, Any]]:
    """The conversation as one block a message, with a mark on the last one.

    An earlier call has left what it read in the cache up to its own mark. It is looked for at each
    end of a block from our mark backwards, over 20 blocks: so a draft after a few new messages
    reads all that came before them.
    """
    if not prompt.history:
        return prompt.turn
    blocks: list[dict[str, Any]] = [{"type": "text", "text": block} for block in prompt.history]
    blocks[-1]["cache_control"] = _KEPT
    blocks.append({"type": "text", "text": prompt.turn})
    return blocks


def _take(event: RawMessageStreamEvent, reading: Reading) -> bool:
    """Note what an event says; True when the text grew."""
    if event.type == "content_block_delta" and event.delta.type == "text_delta":
        reading.text += event.delta.text
        return True
    if event.type == "message_start":
        start = event.message.usage
        reading.usage = TokenUsage(
            input=start.input_tokens,
            output=start.output_tokens,
            cache_read=start.cache_read_input_tokens or 0,
            cache_write=start.cache_creation_input_tokens or 0,
        )
    elif event.type == "message_delta":
        # Its counts are totals so far, and only that of the output is always there.
        last, before = event.usage, reading.usage
        reading.usage = TokenUsage(
            input=before.input if last.input_tokens is None else last.input_tokens,
            output=last.output_tokens,
            cache_read=before.cache_read
            if last.cache_read_input_tokens is None
            else last.cache_read_input_tokens,
            cache_write=before.cache_write
            if last.cache_creation_input_tokens is None
            else last.cache_creation_input_tokens,
        )
        reading.ending = _ENDINGS.get(event.delta.stop_reason or "", Ending.FINISHED)
    elif event.type == "message_stop":
        reading.finished = True
    return False


def _tokens(usage: _Usage) -> TokenUsage:
    return TokenUsage(
        input=usage.input_tokens,
        output=usage.output_tokens,
        cache_read=usage.cache_read_input_tokens or 0,
        cache_write=usage.cache_creation_input_tokens or 0,
    )


def _status_error(error: APIStatusError, model: str, setting: str) -> DrafterError:
    request = f"request {error.request_id}" if error.request_id else "no request id"
    match error.status_code:
        case 401:
            return DrafterMisconfigured("Claude refused the API key. Check ANTHROPIC_API_KEY.")
        case 402:
            return DrafterMisconfigured(
                "The Anthropic account cannot pay for the call. Add credit to it."
            )
        case 403:
            return DrafterMisconfigured(
                f"The API key may not use {model}. Give the key's workspace access to it, or set "
                f"{setting} to another model."
            )
        case 404:
            retired = find_model(model).retired
            why = f"was retired on {retired}" if retired else "is not known to Claude"
            return DrafterMisconfigured(f"The model {model} {why}. Set {setting} to a current one.")
        case 429:
            wait = math.ceil(retry_after_seconds(error.response.headers) or 30)
            return DrafterRateLimited(
                f"Claude's rate limit is reached. Try again in {wait} seconds, or raise the "
                "limits of the Anthropic account.",
                retry_after=wait,
            )
        case status if status >= 500 or status in (408, 409):
            return DrafterUnavailable(
                f"Claude is down or overloaded (status {status}, {request}). Try again in a minute."
            )
        case status:
            return DrafterMisconfigured(
                f"Claude refused the request (status {status}, {request}). "
                f"Check that {setting} names a model that this version supports."
            )
