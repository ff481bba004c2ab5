"""Any server that speaks OpenAI's Chat Completions: Ollama, vLLM, llama.cpp and others."""

import asyncio
import math
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Annotated, Any

import httpx2
from pydantic import Field, TypeAdapter, ValidationError
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
from vaultcrm.adapters.llm.retrying import TransientFailure, retry_after_seconds, with_retries
from vaultcrm.domain.errors import (
    DrafterMisconfigured,
    DrafterRateLimited,
    DrafterTimeout,
    DrafterUnavailable,
)
from vaultcrm.domain.generation import TokenUsage

_CONNECT_SECONDS = 5.0
_CHARACTERS_PER_TOKEN = 4


@dataclass(frozen=True, slots=True)
class _Details:
    cached_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class _Usage:
    prompt_tokens: int = 0
    completion_tokens: int = 0
    prompt_tokens_details: _Details | None = None


@dataclass(frozen=True, slots=True)
class _Message:
    content: str | None = None
    refusal: str | None = None


@dataclass(frozen=True, slots=True)
class _Choice:
    message: _Message
    finish_reason: str | None = None


@dataclass(frozen=True, slots=True)
class _Completion:
    choices: Annotated[list[_Choice], Field(min_length=1)]
    usage: _Usage | None = None


@dataclass(frozen=True, slots=True)
class _ChunkChoice:
    delta: _Message = _Message()
    finish_reason: str | None = None


@dataclass(frozen=True, slots=True)
class _Chunk:
    choices: list[_ChunkChoice]
    usage: _Usage | None = None


_COMPLETION = TypeAdapter(_Completion)
_CHUNK = TypeAdapter(_Chunk)


class OpenAiCompatibleDrafter(ModelDrafter):
    """Drafts by a server at `base_url` (which usually ends in /v1). `api_key` may be empty.

    `timeout_seconds` is for one attempt; `max_retries` more are made, the first of them after
    about `first_backoff` seconds. A server that refuses `response_format` is asked in words only
    from then on.
    """

    name = "openai_compatible"

    def __init__(
        self,
        *,
        base_url: str,
        model: str,
        checker: str,
        api_key: str = "",
        timeout_seconds: float = 20.0,
        max_retries: int = 2,
        first_backoff: float = 0.5,
    ) -> None:
        super().__init__(model, checker)
        self._timeout_seconds = timeout_seconds
        self._max_retries = max_retries
        self._first_backoff = first_backoff
        self._takes_schema = True
        self._url = f"{base_url.rstrip('/')}/chat/completions"
        headers = {"content-type": "application/json"}
        if api_key:
            headers["authorization"] = f"Bearer {api_key}"
        self._client = httpx2.AsyncClient(
            headers=headers,
            timeout=httpx2.Timeout(timeout_seconds, connect=min(_CONNECT_SECONDS, timeout_seconds)),
        )

    async def aclose(self) -> None:
        await self._client.aclose()

    async def _ask(self, call: Call) -> Answer:
        body = _body(call)
        response = await self._send(body, stream=False)
        try:
            completion = _COMPLETION.validate_json(response.content)
        except ValidationError as error:
            raise DrafterMisconfigured(
                "The server did not answer in the form of Chat Completions. "
                "Check OPENAI_BASE_URL; it usually ends in /v1."
            ) from error
        choice = completion.choices[0]
        text = choice.message.content or ""
        return Answer(
            text=text,
            ending=_ending(choice.finish_reason, choice.message.refusal),
            usage=_estimate(body, text) if completion.usage is None else _tokens(completion.usage),
        )

    async def _read_stream(self, call: Call, reading: Reading) -> AsyncGenerator[None, None]:
        body = _body(call)
        deadline = asyncio.get_running_loop().time() + 2 * self._timeout_seconds
        response = await self._send(
            {**body, "stream": True, "stream_options": {"include_usage": True}}, stream=True
        )
        try:
            lines = aiter(response.aiter_lines())
            while not reading.finished:
                async with asyncio.timeout_at(deadline):
                    line = await anext(lines)
                if _take(line, reading):
                    yield
        except (httpx2.HTTPError, StopAsyncIteration, ValidationError) as error:
            raise BrokenStream from error
        except TimeoutError as error:
            raise self._timed_out() from error
        finally:
            if not reading.usage.total:
                reading.usage = _estimate(body, reading.text)
            await response.aclose()

    async def _send(self, body: dict[str, Any], *, stream: bool) -> httpx2.Response:
        """A response with status 200, retried as needed. Raises `DrafterError`."""
        in_words = {name: value for name, value in body.items() if name != "response_format"}
        schema_sent = self._takes_schema
        response = await self._send_retrying(body if schema_sent else in_words, stream=stream)
        if response.status_code == 400 and schema_sent:
            response = await self._send_retrying(in_words, stream=stream)
            if response.status_code == 200:
                self._takes_schema = False
        if response.status_code != 200:
            raise self._refusal(response.status_code, body["model"])
        return response

    async def _send_retrying(self, body: dict[str, Any], *, stream: bool) -> httpx2.Response:
        content = to_json(body)

        async def attempt() -> httpx2.Response:
            request = self._client.build_request("POST", self._url, content=content)
            try:
                async with asyncio.timeout(self._timeout_seconds):
                    response = await self._client.send(request, stream=stream)
                    if response.status_code != 200:
                        await response.aread()
            except (httpx2.TimeoutException, TimeoutError) as error:
                raise TransientFailure(self._timed_out()) from error
            except httpx2.HTTPError as error:
                raise TransientFailure(
                    DrafterUnavailable(
                        "The model server cannot be reached. Check that it runs and that "
                        "OPENAI_BASE_URL is right, then try again."
                    )
                ) from error
            _raise_if_busy(response)
            return response

        return await with_retries(
            attempt,
            retries=self._max_retries,
            first_backoff=self._first_backoff,
            patience=self._timeout_seconds,
        )

    def _timed_out(self) -> DrafterTimeout:
        return DrafterTimeout(
            f"The model server did not answer within {self._timeout_seconds:g} seconds. "
            "Try again; if this happens often, raise AI_TIMEOUT_SECONDS or use a smaller model."
        )

    def _refusal(self, status: int, model: str) -> DrafterMisconfigured:
        """The error in our words. The server's wording stays out: it may quote the request."""
        setting = "AI_MODEL" if model == self.model else "AI_MODEL_CHECKER"
        match status:
            case 401 | 403:
                sentence = "The model server refused the API key. Check OPENAI_API_KEY."
            case 404:
                sentence = (
                    f"The model server has no model named {model}. Set {setting} to one that it "
                    "serves, and check that OPENAI_BASE_URL is right; it usually ends in /v1."
                )
            case _:
                sentence = (
                    f"The model server refused the request (status {status}). "
                    f"Check that {setting} names a chat model."
                )
        return DrafterMisconfigured(sentence)


def _body(call: Call) -> dict[str, Any]:
    # The form is told in words as well: servers that hold a model to a schema by grammar do not
    # show it the schema, and it would fill the fields blindly.
    system = f"{call.prompt.system}\n\n{ask_for_json(call.schema)}"
    body = {
        "model": call.model,
        "max_tokens": call.max_tokens,
        "messages": [{"role": "system", "content": system}, *call.turns(call.prompt.user_turn)],
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "answer", "strict": True, "schema": call.schema},
        },
    }
    if call.user_hash:
        body["user"] = call.user_hash
    if call.varied and find_model(call.model).takes_temperature:
        body["temperature"] = VARIETY_TEMPERATURE
    return body


def _take(line: str, reading: Reading) -> bool:
    """Note what a line of the event stream says; True when the text grew.

    Raises `ValidationError` for an event that is no chunk, which is how errors look.
    """
    if not line.startswith("data:"):
        return False
    data = line.removeprefix("data:").strip()
    if data == "[DONE]":
        reading.finished = True
        return False
    chunk = _CHUNK.validate_json(data)
    if chunk.usage is not None:
        reading.usage = _tokens(chunk.usage)
    if not chunk.choices:
        return False
    choice = chunk.choices[0]
    if choice.finish_reason or choice.delta.refusal:
        ending = _ending(choice.finish_reason, choice.delta.refusal)
        reading.ending = ending if reading.ending is Ending.FINISHED else reading.ending
    reading.text += choice.delta.content or ""
    return bool(choice.delta.content)


def _raise_if_busy(response: httpx2.Response) -> None:
    status = response.status_code
    asked = retry_after_seconds(response.headers)
    if status == 429:
        wait = math.ceil(asked or 30)
        raise TransientFailure(
            DrafterRateLimited(
                f"The model server's rate limit is reached. Try again in {wait} seconds.",
                retry_after=wait,
            ),
            asked,
        )
    if status >= 500 or status in (408, 409):
        raise TransientFailure(
            DrafterUnavailable(
                f"The model server is down or overloaded (status {status}). Try again in a minute."
            ),
            asked,
        )


def _ending(finish_reason: str | None, refusal: str | None) -> Ending:
    if refusal or finish_reason == "content_filter":
        return Ending.REFUSED
    return Ending.CUT_OFF if finish_reason == "length" else Ending.FINISHED


def _tokens(usage: _Usage) -> TokenUsage:
    """The usage, with cached tokens taken out of the input."""
    details = usage.prompt_tokens_details
    cached = (details.cached_tokens if details else None) or 0
    return TokenUsage(
        input=max(0, usage.prompt_tokens - cached),
        output=usage.completion_tokens,
        cache_read=cached,
    )


def _estimate(body: dict[str, Any], text: str) -> TokenUsage:
    """The usage at four characters a token, for a server that reports none: budgets and limits
    would be blind otherwise."""
    read = sum(len(turn["content"]) for turn in body["messages"])
    return TokenUsage(
        input=-(-read // _CHARACTERS_PER_TOKEN), output=-(-len(text) // _CHARACTERS_PER_TOKEN)
    )
