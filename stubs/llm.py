"""A stand-in for language model providers on loopback.

It speaks Anthropic `POST /v1/messages` and OpenAI `POST /v1/chat/completions`, plain and as
server-sent events, and `GET /v1/models`. Unscripted, it answers with plausible candidates that
depend on the prompt. A script makes the next calls behave badly, one step a call:

    with serve_llm_stub() as stub:
        stub.script([Fail(429, retry_after_ms=5), Reply(candidates=[...])])
        ...                     # the adapter under test, with base address `stub.url`
        stub.requests           # what it sent

Calls that ask for a judgement meet a script of their own (`stub.script_judge`).

It refuses what the real APIs refuse: no key, an unknown or retired model, sampling parameters or
ways of thinking that a model does not take, JSON schemas outside the supported subset. It keeps
prompts as the APIs do: Claude's up to each `cache_control` that an earlier call has set, found over
20 blocks from those of this one; OpenAI's in steps of 128 tokens; each until five minutes after its
last use.

Everything is steered over HTTP (`POST /__script`, `GET /__requests`, `POST /__reset`), so the
server can as well be another process: `python -m stubs.llm --port 9000 --delay-ms 300`.
"""

import argparse
import asyncio
import contextlib
import http.client
import json
import socket
import subprocess
import sys
import threading
import time
import zlib
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

import uvicorn
from pydantic_core import from_json, to_json
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

BAD_KEY = "bad-key"
_CHARACTERS_PER_TOKEN = 4
_REQUESTS_KEPT = 200
_MOST_MARKS = 4
_LOOKBACK_BLOCKS = 20
_KEPT_SECONDS = 300.0
_PIECES = 12

# ---------------------------------------------------------------------------- the script


@dataclass(frozen=True, slots=True)
class Reply:
    """A good answer: these candidates, this analysis, this judgement, or (none given) the usual
    one.
    """

    candidates: Sequence[Mapping[str, Any]] | None = None
    analysis: Mapping[str, Any] | None = None
    judgement: Mapping[str, Any] | None = None
    thinking: str = ""
    without_usage: bool = False
    """Some OpenAI-compatible servers report no usage; Claude always does."""


@dataclass(frozen=True, slots=True)
class Fail:
    """An error status. The waiting time goes out as `retry-after-ms` or `retry-after`."""

    status: int
    retry_after_ms: int | None = None
    retry_after_seconds: int | None = None


@dataclass(frozen=True, slots=True)
class Drop:
    """The connection closes in the middle of the body."""


@dataclass(frozen=True, slots=True)
class Overload:
    """An answer that starts well and ends in an error event; status 529 when not streamed."""


@dataclass(frozen=True, slots=True)
class Slow:
    """A good answer after so many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Nonsense:
    """An answer with exactly this text."""

    text: str


@dataclass(frozen=True, slots=True)
class Page:
    """A web page with status 200, as a proxy or a wrong address gives it."""


@dataclass(frozen=True, slots=True)
class Refuse:
    """The model declines; `by_filter`: an OpenAI-compatible server's filter does."""

    by_filter: bool = False


@dataclass(frozen=True, slots=True)
class Truncate:
    """The answer ends at the token limit, in the middle."""


Step = Reply | Fail | Drop | Overload | Slow | Nonsense | Page | Refuse | Truncate
_STEPS: dict[str, type[Step]] = {
    kind.__name__: kind
    for kind in (Reply, Fail, Drop, Overload, Slow, Nonsense, Page, Refuse, Truncate)
}

# ---------------------------------------------------------------------------- what it answers

_POOL = (
    "Hey you! I was just thinking about you. How has your day been?",
    "You always know how to make me smile. What are you up to tonight?",
    "That means a lot to me, thank you! Tell me more, I want to hear everything.",
    "Haha, you are trouble. I just got home from a shoot and finally have time for you.",
    "Good question! Give me a minute, I want to answer that one properly.",
    "I missed your messages! Did the big day at work go well?",
    "Aww, that is so sweet of you. You just made my evening.",
)
_OFFER_PRICE_MINOR = 2500
_ANALYSIS = {
    "sentiment": "positive",
    "intent": "chat",
    "distress": "none",
    "possible_minor": False,
    "language": "en",
}
_JUDGEMENT: dict[str, list[Any]] = {"findings": [], "cleared": []}


def usual_candidates(prompt: str, count: int, *, selling: bool) -> list[dict[str, Any]]:
    """What the stub answers without a script. The same prompt gets the same answer."""
    first = zlib.crc32(prompt.encode()) % len(_POOL)
    return [
        {
            "message": _POOL[(first + place) % len(_POOL)],
            "suggested_price_minor": _OFFER_PRICE_MINOR if selling else None,
            "reasoning": "Warm, short, and ends on the fan.",
            "self_rating": 88 - 5 * place,
        }
        for place in range(count)
    ]


class _Wanted(Enum):
    """What a request is for, told by the form of the answer that it asks for."""

    DRAFT = "candidates"
    ANALYSIS = "sentiment"
    JUDGEMENT = "cleared"


def _wants(schema: Mapping[str, Any], system: str) -> _Wanted:
    """By a property of the schema, or, without a schema, by its name in the words of the prompt."""
    for wanted in _Wanted:
        named = schema["properties"] if schema else ()
        if wanted.value in named or (not schema and f'"{wanted.value}"' in system):
            return wanted
    return _Wanted.DRAFT


@dataclass(frozen=True, slots=True)
class _Place:
    """A place in a prompt: what stands before it, as a hash, and how many tokens that is."""

    prefix: int
    tokens: int


@dataclass(frozen=True, slots=True)
class _Asked:
    """What both APIs have in common in a request.

    `read_from` are the places up to which the prompt is read from the cache if it is kept there,
    `kept_to` those up to which it is kept from now on.
    """

    model: str
    tokens: int
    read_from: Sequence[_Place]
    kept_to: Sequence[_Place]
    turn: str
    wants: _Wanted
    count: int
    stream: bool
    usage_wanted: bool = True


@dataclass(frozen=True, slots=True)
class _Usage:
    input: int
    output: int
    cache_read: int
    cache_write: int


def _count_asked(turn: str) -> int:
    """N of "Write N different …"; 2 when the prompt does not say."""
    _, found, rest = turn.rpartition("Write ")
    number = rest.split(" ", 1)[0] if found else ""
    return int(number) if number.isdigit() and 0 < int(number) < 10 else 2


def _text_of(step: Step, asked: _Asked) -> str:
    match step:
        case Nonsense(text=text):
            return text
        case Refuse():
            return ""
        case Reply(analysis=dict(analysis)):
            return json.dumps(analysis)
        case Reply(judgement=dict(judgement)):
            return json.dumps(judgement)
        case Reply(candidates=list(candidates)):
            return json.dumps({"candidates": candidates}, ensure_ascii=False)
    if asked.wants is _Wanted.ANALYSIS:
        text = json.dumps(_ANALYSIS)
    elif asked.wants is _Wanted.JUDGEMENT:
        text = json.dumps(_JUDGEMENT)
    else:
        selling = "ppv_offer" in asked.turn
        text = json.dumps(
            {"candidates": usual_candidates(asked.turn, asked.count, selling=selling)}
        )
    return text[: len(text) // 2] if isinstance(step, Truncate) else text


def _usage_hidden(step: Step) -> bool:
    return isinstance(step, Reply) and step.without_usage


def _tokens(text: str) -> int:
    return -(-len(text) // _CHARACTERS_PER_TOKEN)


def _pieces(text: str) -> list[str]:
    size = max(1, -(-len(text) // _PIECES))
    return [text[at : at + size] for at in range(0, len(text), size)]


# ---------------------------------------------------------------------------- what it refuses


class _ApiError(Exception):
    """The request is not of the API's form."""

    def __init__(self, status: int, message: str) -> None:
        self.status = status
        self.message = message
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class _Rules:
    """What a model takes, written down apart from the product's own table on purpose."""

    thinking: frozenset[str]
    least_cached: int
    temperature: bool = False


_MODELS = {
    "claude-sonnet-5-5": _Rules(frozenset({"adaptive", "between_tools"}), 512),
    "claude-haiku-5-5": _Rules(frozenset({"adaptive", "disabled"}), 512),
    "claude-opus-5-5": _Rules(frozenset({"adaptive"}), 512),
    "claude-fable-5-1": _Rules(frozenset({"adaptive"}), 512),
    "claude-haiku-4-5": _Rules(frozenset({"enabled", "disabled"}), 4096, temperature=True),
}
_UNSUPPORTED_KEYWORDS = frozenset(
    {"minimum", "maximum", "minLength", "maxLength", "maxItems", "multipleOf", "uniqueItems"}
)
_ERROR_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    529: "overloaded_error",
}


def _check_schema(schema: Mapping[str, Any]) -> None:
    unsupported = _UNSUPPORTED_KEYWORDS & schema.keys()
    if unsupported:
        raise _ApiError(400, f"output_config.format.schema: {sorted(unsupported)} is not supported")
    if schema.get("type") == "object":
        if schema.get("additionalProperties") is not False:
            raise _ApiError(400, "output_config.format.schema: additionalProperties must be false")
        for part in schema["properties"].values():
            _check_schema(part)
    if schema.get("type") == "array":
        _check_schema(schema["items"])


def _read_anthropic(headers: Mapping[str, str], body: dict[str, Any]) -> _Asked:
    key = headers.get("x-api-key") or headers.get("authorization", "").removeprefix("Bearer ")
    if key in ("", BAD_KEY):
        raise _ApiError(401, "invalid x-api-key")
    if "anthropic-version" not in headers:
        raise _ApiError(400, "anthropic-version: header is required")
    for required in ("model", "max_tokens", "messages"):
        if required not in body:
            raise _ApiError(400, f"{required}: Field required")
    rules = _MODELS.get(body["model"])
    if rules is None:
        raise _ApiError(404, f"model: {body['model']}")
    if "temperature" in body and not rules.temperature:
        raise _ApiError(400, "`temperature` is not supported for this model.")
    thinking = body.get("thinking", {}).get("type")
    if thinking is not None and thinking not in rules.thinking:
        raise _ApiError(400, f'"thinking.type.{thinking}" is not supported for this model.')
    if body["messages"][-1]["role"] != "user":
        raise _ApiError(400, "This model does not support assistant message prefill.")
    said = [block for message in body["messages"] for block in _blocks(message["content"])]
    if any(not message["content"] for message in body["messages"]) or any(
        not block["text"].strip() for block in said
    ):
        raise _ApiError(400, "messages: text content blocks must be non-empty")
    schema = body.get("output_config", {}).get("format", {}).get("schema", {})
    _check_schema(schema)
    system = _blocks(body.get("system", ""))
    turns = [(one["role"], _blocks(one["content"])) for one in body["messages"]]
    blocks = [("system", block) for block in system]
    blocks += [(role, block) for role, said in turns for block in said]
    places = _places(str((body["model"], thinking, schema)), blocks)
    read_from, kept_to = _marked(blocks, places, rules.least_cached)
    turn = "".join(block["text"] for block in turns[0][1])
    return _Asked(
        model=body["model"],
        tokens=places[-1].tokens,
        read_from=read_from,
        kept_to=kept_to,
        turn=turn,
        wants=_wants(schema, "".join(block["text"] for block in system)),
        count=_count_asked(turn),
        stream=bool(body.get("stream")),
    )


def _blocks(content: str | list[dict[str, Any]]) -> list[dict[str, Any]]:
    if isinstance(content, str):
        return [{"type": "text", "text": content}] if content else []
    return content


def _places(beginning: str, blocks: Sequence[tuple[str, dict[str, Any]]]) -> list[_Place]:
    """The end of each block. What changes how a model reads makes another `beginning`."""
    found = []
    place = _Place(hash(beginning), 0)
    for role, block in blocks:
        prefix = hash((place.prefix, role, block["text"]))
        place = _Place(prefix, place.tokens + _tokens(block["text"]))
        found.append(place)
    return found


def _marked(
    blocks: Sequence[tuple[str, dict[str, Any]]], places: Sequence[_Place], least: int
) -> tuple[list[_Place], list[_Place]]:
    """Where a prompt may be read from the cache, and up to where it is kept there."""
    marks = [at for at, (_, block) in enumerate(blocks) if "cache_control" in block]
    if len(marks) > _MOST_MARKS:
        raise _ApiError(400, f"A maximum of {_MOST_MARKS} blocks with cache_control may be given.")
    seen = {at for mark in marks for at in range(max(0, mark + 1 - _LOOKBACK_BLOCKS), mark + 1)}
    read_from = [places[at] for at in sorted(seen)]
    return read_from, [places[at] for at in marks if places[at].tokens >= least]


_LEAST_CACHED_OPENAI = 1024
_CACHED_STEP_OPENAI = 128


def _read_openai(headers: Mapping[str, str], body: dict[str, Any]) -> _Asked:
    if headers.get("authorization") == f"Bearer {BAD_KEY}":
        raise _ApiError(401, "Incorrect API key provided.")
    for required in ("model", "messages"):
        if required not in body:
            raise _ApiError(400, f"you must provide a {required} parameter")
    if body["model"] not in _MODELS and not body["model"].startswith("local-"):
        raise _ApiError(404, f"The model `{body['model']}` does not exist")
    schema = body.get("response_format", {}).get("json_schema", {}).get("schema", {})
    system = "".join(m["content"] for m in body["messages"] if m["role"] == "system")
    turn = next(m["content"] for m in body["messages"] if m["role"] == "user")
    whole = "".join(f"{m['role']}\n{m['content']}\n" for m in body["messages"])
    tokens = _tokens(whole)
    places = [
        _Place(hash((body["model"], whole[: length * _CHARACTERS_PER_TOKEN])), length)
        for length in range(_LEAST_CACHED_OPENAI, tokens + 1, _CACHED_STEP_OPENAI)
    ]
    return _Asked(
        model=body["model"],
        tokens=tokens,
        read_from=places,
        kept_to=places,
        turn=turn,
        wants=_wants(schema, system),
        count=_count_asked(turn),
        stream=bool(body.get("stream")),
        usage_wanted=bool(body.get("stream_options", {}).get("include_usage")),
    )


# ---------------------------------------------------------------------------- the two dialects

_JSON = (b"content-type", b"application/json")
_EVENTS = (b"content-type", b"text/event-stream; charset=utf-8")


def _event(name: str, data: Mapping[str, Any]) -> bytes:
    return b"event: " + name.encode() + b"\ndata: " + to_json(data) + b"\n\n"


class _Anthropic:
    """The Messages API."""

    read = staticmethod(_read_anthropic)
    STOP: ClassVar[dict[type[Step], str]] = {Refuse: "refusal", Truncate: "max_tokens"}

    @staticmethod
    def error(status: int, message: str) -> bytes:
        kind = _ERROR_TYPES.get(status, "api_error")
        return to_json(
            {
                "type": "error",
                "error": {"type": kind, "message": message},
                "request_id": "req_stub",
            }
        )

    @staticmethod
    def _usage(usage: _Usage) -> dict[str, int]:
        return {
            "input_tokens": usage.input,
            "output_tokens": usage.output,
            "cache_creation_input_tokens": usage.cache_write,
            "cache_read_input_tokens": usage.cache_read,
        }

    @classmethod
    def whole(cls, step: Step, asked: _Asked, text: str, usage: _Usage) -> bytes:
        thinking = step.thinking if isinstance(step, Reply) else ""
        content: list[dict[str, Any]] = []
        if thinking:
            content.append({"type": "thinking", "thinking": thinking, "signature": "c3R1Yg=="})
        if text:
            content.append({"type": "text", "text": text})
        return to_json(
            {
                "id": "msg_stub",
                "type": "message",
                "role": "assistant",
                "model": asked.model,
                "content": content,
                "stop_reason": cls.STOP.get(type(step), "end_turn"),
                "stop_sequence": None,
                "usage": cls._usage(usage),
            }
        )

    @classmethod
    def events(cls, step: Step, asked: _Asked, text: str, usage: _Usage) -> list[bytes]:
        start: dict[str, Any] = {
            "id": "msg_stub",
            "type": "message",
            "role": "assistant",
            "model": asked.model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": {**cls._usage(usage), "output_tokens": 1},
        }
        events = [_event("message_start", {"type": "message_start", "message": start})]
        blocks: list[tuple[dict[str, Any], list[dict[str, Any]]]] = []
        if isinstance(step, Reply) and step.thinking:
            blocks.append(
                (
                    {"type": "thinking", "thinking": "", "signature": ""},
                    [
                        {"type": "thinking_delta", "thinking": step.thinking},
                        {"type": "signature_delta", "signature": "c3R1Yg=="},
                    ],
                )
            )
        if text:
            blocks.append(
                (
                    {"type": "text", "text": ""},
                    [{"type": "text_delta", "text": piece} for piece in _pieces(text)],
                )
            )
        for index, (block, deltas) in enumerate(blocks):
            opening = {"type": "content_block_start", "index": index, "content_block": block}
            events.append(_event("content_block_start", opening))
            events.append(_event("ping", {"type": "ping"}))
            events.extend(
                _event(
                    "content_block_delta",
                    {"type": "content_block_delta", "index": index, "delta": delta},
                )
                for delta in deltas
            )
            events.append(
                _event("content_block_stop", {"type": "content_block_stop", "index": index})
            )
        ending = {
            "type": "message_delta",
            "delta": {
                "stop_reason": cls.STOP.get(type(step), "end_turn"),
                "stop_sequence": None,
            },
            "usage": {"output_tokens": usage.output},
        }
        events.append(_event("message_delta", ending))
        events.append(_event("message_stop", {"type": "message_stop"}))
        return events

    @classmethod
    def error_event(cls) -> bytes:
        return b"event: error\ndata: " + cls.error(529, "Overloaded") + b"\n\n"


class _OpenAi:
    """The Chat Completions API."""

    read = staticmethod(_read_openai)
    HEAD: ClassVar[dict[str, Any]] = {"id": "chatcmpl-stub", "created": 1_760_000_000}

    @staticmethod
    def error(status: int, message: str) -> bytes:
        kind = _ERROR_TYPES.get(status, "server_error")
        return to_json({"error": {"message": message, "type": kind, "param": None, "code": None}})

    @staticmethod
    def _usage(usage: _Usage) -> dict[str, Any]:
        prompt = usage.input + usage.cache_read + usage.cache_write
        return {
            "prompt_tokens": prompt,
            "completion_tokens": usage.output,
            "total_tokens": prompt + usage.output,
            "prompt_tokens_details": {"cached_tokens": usage.cache_read},
        }

    @staticmethod
    def _finish(step: Step) -> str:
        if isinstance(step, Refuse) and step.by_filter:
            return "content_filter"
        return "length" if isinstance(step, Truncate) else "stop"

    @classmethod
    def whole(cls, step: Step, asked: _Asked, text: str, usage: _Usage) -> bytes:
        message: dict[str, Any] = {"role": "assistant", "content": text, "refusal": None}
        if isinstance(step, Refuse) and not step.by_filter:
            message |= {"content": None, "refusal": "I cannot help with that."}
        if isinstance(step, Reply) and step.thinking:
            message["content"] = f"<think>{step.thinking}</think>\n{text}"
        choice = {"index": 0, "message": message, "finish_reason": cls._finish(step)}
        completion: dict[str, Any] = {
            **cls.HEAD,
            "object": "chat.completion",
            "model": asked.model,
            "choices": [choice],
        }
        if not _usage_hidden(step):
            completion["usage"] = cls._usage(usage)
        return to_json(completion)

    @classmethod
    def _chunk(
        cls, asked: _Asked, choices: list[dict[str, Any]], usage: dict[str, Any] | None = None
    ) -> bytes:
        data: dict[str, Any] = {
            **cls.HEAD,
            "object": "chat.completion.chunk",
            "model": asked.model,
            "choices": choices,
        }
        if usage is not None:
            data["usage"] = usage
        return b"data: " + to_json(data) + b"\n\n"

    @classmethod
    def events(cls, step: Step, asked: _Asked, text: str, usage: _Usage) -> list[bytes]:
        if isinstance(step, Refuse) and not step.by_filter:
            deltas = [{"refusal": "I cannot help with that."}]
        elif isinstance(step, Reply) and step.thinking:
            deltas = [{"content": f"<think>{step.thinking}</think>\n"}]
            deltas += [{"content": piece} for piece in _pieces(text)]
        else:
            deltas = [{"content": piece} for piece in _pieces(text)]
        parts: list[dict[str, Any]] = [{"role": "assistant", "content": ""}, *deltas]
        events = [
            cls._chunk(asked, choices=[{"index": 0, "delta": delta, "finish_reason": None}])
            for delta in parts
        ]
        finish = cls._finish(step)
        events.append(
            cls._chunk(asked, choices=[{"index": 0, "delta": {}, "finish_reason": finish}])
        )
        if asked.usage_wanted and not _usage_hidden(step):
            events.append(cls._chunk(asked, choices=[], usage=cls._usage(usage)))
        events.append(b"data: [DONE]\n\n")
        return events

    @classmethod
    def error_event(cls) -> bytes:
        return b"data: " + cls.error(503, "Overloaded") + b"\n\n"


# ---------------------------------------------------------------------------- the server


@dataclass(slots=True)
class _State:
    """What one server remembers."""

    delay: float = 0.0
    script: deque[Step] = field(default_factory=deque)
    judge_script: deque[Step] = field(default_factory=deque)
    requests: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=_REQUESTS_KEPT))
    kept: dict[int, float] = field(default_factory=dict)
    """When what stands before a place was used last."""

    def read(self, asked: _Asked) -> int:
        """So many tokens of a prompt are read from the cache: the longest that is kept of it."""
        now = time.monotonic()
        found = [
            place
            for place in asked.read_from
            if now - self.kept.get(place.prefix, -_KEPT_SECONDS) < _KEPT_SECONDS
        ]
        if not found:
            return 0
        longest = max(found, key=lambda place: place.tokens)
        self.kept[longest.prefix] = now
        return longest.tokens

    def keep(self, asked: _Asked, read: int, text: str) -> _Usage:
        """Keep what was asked, from when its answer begins; what it used, `read` of it cached."""
        now = time.monotonic()
        self.kept.update((place.prefix, now) for place in asked.kept_to)
        longest = max((place.tokens for place in asked.kept_to), default=0)
        written = max(0, longest - read)
        return _Usage(
            input=asked.tokens - read - written + 8,
            output=_tokens(text) + 1,
            cache_read=read,
            cache_write=written,
        )


async def _body_of(receive: Receive) -> bytes:
    body = b""
    while True:
        message = await receive()
        part: bytes = message.get("body", b"")
        body += part
        if not message.get("more_body", False):
            return body


async def _send_whole(send: Send, status: int, body: bytes, *extra: tuple[bytes, bytes]) -> None:
    length = (b"content-length", str(len(body)).encode())
    headers = [_JSON, (b"request-id", b"req_stub"), length, *extra]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


class _Endpoint:
    """One of the two APIs, as a bare ASGI application: a benchmark must not wait for the stub."""

    def __init__(self, dialect: type[_Anthropic | _OpenAi], state: _State) -> None:
        self._dialect = dialect
        self._state = state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        body = from_json(await _body_of(receive))
        self._state.requests.append({"path": scope["path"], "headers": headers, "body": body})
        script = self._state.script
        if _is_judging(body):
            script = self._state.judge_script
        step = script.popleft() if script else Reply()
        try:
            if isinstance(step, Fail):
                raise _ApiError(step.status, "scripted")
            asked = self._dialect.read(headers, body)
            if isinstance(step, Overload) and not asked.stream:
                raise _ApiError(529, "Overloaded")
        except _ApiError as refused:
            answer = self._dialect.error(refused.status, refused.message)
            await _send_whole(send, refused.status, answer, *_wait_headers(step))
            return
        if isinstance(step, Page):
            await _send_whole(send, 200, b"<html>Welcome to the proxy</html>")
            return
        read = self._state.read(asked)
        delay = step.seconds if isinstance(step, Slow) else self._state.delay
        if delay:
            await asyncio.sleep(delay)
        text = _text_of(step, asked)
        usage = self._state.keep(asked, read, text)
        if asked.stream:
            await self._stream(send, step, self._dialect.events(step, asked, text, usage))
        elif isinstance(step, Drop):
            answer = self._dialect.whole(step, asked, text, usage)
            length = (b"content-length", str(len(answer)).encode())
            await send({"type": "http.response.start", "status": 200, "headers": [_JSON, length]})
            await _send_part(send, answer[: len(answer) // 2])
        else:
            await _send_whole(send, 200, self._dialect.whole(step, asked, text, usage))

    async def _stream(self, send: Send, step: Step, events: list[bytes]) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [_EVENTS]})
        broken = isinstance(step, Drop | Overload)
        for event in events[: len(events) // 2] if broken else events:
            await _send_part(send, event)
        if isinstance(step, Overload):
            await _send_part(send, self._dialect.error_event())
        if not isinstance(step, Drop):
            await send({"type": "http.response.body", "body": b""})


def _is_judging(body: Mapping[str, Any]) -> bool:
    """Whether a request asks for a judgement, as far as it can be told before it is read."""
    form = body.get("output_config", {}).get("format") or body.get("response_format") or body
    return f'"{_Wanted.JUDGEMENT.value}"' in json.dumps(form).replace("\\", "")


async def _send_part(send: Send, body: bytes) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": True})


def _wait_headers(step: Step) -> list[tuple[bytes, bytes]]:
    headers: list[tuple[bytes, bytes]] = []
    if isinstance(step, Fail) and step.retry_after_ms is not None:
        headers.append((b"retry-after-ms", str(step.retry_after_ms).encode()))
    if isinstance(step, Fail) and step.retry_after_seconds is not None:
        headers.append((b"retry-after", str(step.retry_after_seconds).encode()))
    return headers


def create_app(delay_ms: int = 0) -> Starlette:
    """The whole stub as an ASGI application. `delay_ms` is how long a good answer takes."""
    state = _State(delay=delay_ms / 1000)

    async def models(request: Request) -> JSONResponse:
        header = request.headers.get("authorization", "").removeprefix("Bearer ")
        key = request.headers.get("x-api-key") or header
        if key in ("", BAD_KEY):
            return JSONResponse(
                {"type": "error", "error": {"type": "authentication_error", "message": "key"}}, 401
            )
        data = [{"id": name, "type": "model", "object": "model"} for name in _MODELS]
        return JSONResponse({"object": "list", "data": data, "has_more": False})

    async def script(request: Request) -> JSONResponse:
        told = await request.json()
        script = state.judge_script if told["judge"] else state.script
        for step in told["steps"]:
            script.append(_STEPS[step.pop("kind")](**step))
        return JSONResponse({"steps": len(script)})

    async def requests(_: Request) -> JSONResponse:
        unused = len(state.script) + len(state.judge_script)
        return JSONResponse({"requests": list(state.requests), "unused": unused})

    async def reset(_: Request) -> JSONResponse:
        state.script.clear()
        state.judge_script.clear()
        state.requests.clear()
        state.kept.clear()
        return JSONResponse({})

    return Starlette(
        routes=[
            Route("/v1/messages", _Endpoint(_Anthropic, state)),
            Route("/v1/chat/completions", _Endpoint(_OpenAi, state)),
            Route("/v1/models", models),
            Route("/__script", script, methods=["POST"]),
            Route("/__requests", requests),
            Route("/__reset", reset, methods=["POST"]),
        ]
    )


# ---------------------------------------------------------------------------- for tests


@dataclass(frozen=True, slots=True)
class SeenRequest:
    """One call that the stub got. Header names are in lower case."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]

    @property
    def turn(self) -> str:
        """What the first turn of the user's says, its blocks in one."""
        said = next(one["content"] for one in self.body["messages"] if one["role"] == "user")
        return "".join(block["text"] for block in _blocks(said))


@dataclass(frozen=True, slots=True)
class LlmStub:
    """A running stub, in this process or another. `url` has no path."""

    url: str

    @property
    def openai_url(self) -> str:
        return f"{self.url}/v1"

    @property
    def judged(self) -> list[SeenRequest]:
        """Those of the last calls that asked for a judgement."""
        return [seen for seen in self.requests if _is_judging(seen.body)]

    @property
    def drafted(self) -> list[SeenRequest]:
        """Those of the last calls that asked for anything else."""
        return [seen for seen in self.requests if not _is_judging(seen.body)]

    @property
    def requests(self) -> list[SeenRequest]:
        """The last calls, oldest first (200 are kept)."""
        return [SeenRequest(**seen) for seen in self._call("GET", "/__requests")["requests"]]

    @property
    def unused_steps(self) -> int:
        """Steps of the script that no call has met yet."""
        return int(self._call("GET", "/__requests")["unused"])

    def script(self, steps: Sequence[Step]) -> None:
        """Append steps: each of the next calls meets one, then answers are good again.

        Calls that ask for a judgement have their own: see `script_judge`.
        """
        self._script(steps, judge=False)

    def script_judge(self, steps: Sequence[Step]) -> None:
        """Append steps for calls that ask for a judgement, so that a test of drafts need not know
        which of them are judged.
        """
        self._script(steps, judge=True)

    def _script(self, steps: Sequence[Step], *, judge: bool) -> None:
        wire = [{"kind": type(step).__name__, **asdict(step)} for step in steps]
        self._call("POST", "/__script", {"steps": wire, "judge": judge})

    def reset(self) -> None:
        """Forget the script, the calls and the prompt cache."""
        self._call("POST", "/__reset", {})

    def _call(
        self, method: str, path: str, body: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        address = urlsplit(self.url)
        connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=10)
        with contextlib.closing(connection):
            connection.request(method, path, None if body is None else json.dumps(body))
            answer: dict[str, Any] = json.load(connection.getresponse())
            return answer


def _server(app: Starlette, port: int) -> tuple[uvicorn.Server, socket.socket]:
    bound = socket.create_server(("127.0.0.1", port), backlog=512)
    config = uvicorn.Config(
        app, log_level="critical", access_log=False, lifespan="off", timeout_keep_alive=60
    )
    return uvicorn.Server(config), bound


def _address(bound: socket.socket) -> str:
    return f"http://127.0.0.1:{bound.getsockname()[1]}"


@contextlib.contextmanager
def serve_llm_stub(delay_ms: int = 0) -> Iterator[LlmStub]:
    """A stub in a thread of this process: for tests."""
    server, bound = _server(create_app(delay_ms), 0)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]}, daemon=True)
    thread.start()
    deadline = time.monotonic() + 10
    while not server.started:
        if time.monotonic() > deadline:
            raise RuntimeError("the stub did not start")
        time.sleep(0.005)
    try:
        yield LlmStub(_address(bound))
    finally:
        server.should_exit = True
        server.force_exit = True
        thread.join(timeout=10)
        bound.close()


@contextlib.contextmanager
def llm_stub_process(delay_ms: int = 0) -> Iterator[LlmStub]:
    """A stub in a process of its own: for benchmarks, where its CPU must not be counted."""
    command = [sys.executable, "-m", "stubs.llm", "--port", "0", "--delay-ms", str(delay_ms)]
    process = subprocess.Popen(  # noqa: S603  # our own interpreter and module
        command, cwd=Path(__file__).parents[1], stdout=subprocess.PIPE, text=True
    )
    try:
        address = process.stdout.readline().strip() if process.stdout else ""
        if not address:
            raise RuntimeError("the stub did not start")
        yield LlmStub(address)
    finally:
        process.terminate()
        process.wait(timeout=10)


def main() -> None:
    """Run until stopped; the address is printed first."""
    parser = argparse.ArgumentParser(prog="python -m stubs.llm", description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--delay-ms", type=int, default=0)
    arguments = parser.parse_args()
    server, bound = _server(create_app(arguments.delay_ms), arguments.port)
    sys.stdout.write(_address(bound) + "\n")
    sys.stdout.flush()
    server.run(sockets=[bound])


if __name__ == "__main__":
    main()
