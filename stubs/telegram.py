"""A stand-in for the Telegram Bot API on loopback.

It takes `POST /bot<token>/<method>` with a JSON body for `getMe`, `setWebhook`, `sendMessage`,
`sendPhoto`, `sendVideo`, `sendMediaGroup` and `sendPaidMedia`, and refuses what Telegram refuses:
an unknown token (401) or method (404), a text or caption that is too long, a chat that is none, a
price out of range. What it accepts it keeps, in order and numbered. A behaviour makes the next
calls go wrong, one step a call:

    with serve_telegram_stub() as stub:
        stub.behave(RateLimited(7), DropAfter())
        ...                     # the channel under test, with `base_url=stub.url`
        stub.accepted           # what it took
        stub.post(stub.message(1088, "Hello"), url=...)     # updates, as Telegram posts them

Everything is steered over HTTP (`POST /_stub/behaviour`, `/_stub/post`, `/_stub/reset`, `GET
/_stub/accepted`, `/_stub/webhook`, `/_stub/calls`), so the server can as well be another process
that outlives those under test: `python -m stubs.telegram --port 0` prints its address. Unlike the
real API it registers a webhook on loopback without https, as a Bot API server of one's own does.
"""

import argparse
import contextlib
import http.client
import itertools
import json
import os
import re
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

BOT_ID = 123456789
BOT_TOKEN = f"{BOT_ID}:AAF-stub_token_of_thirty_five_chars"
_SECRET_HEADER = "X-Telegram-Bot-Api-Secret-Token"
_PATH = re.compile(r"/bot([^/]+)/([A-Za-z]+)")
_TOKEN = re.compile(r"[0-9]+:[A-Za-z0-9_-]{30,}")
_SECRET = re.compile(r"[A-Za-z0-9_-]{1,256}")
_LONGEST_HANG_SECONDS = 60

Json = dict[str, Any]

# ---------------------------------------------------------------------------- behaviour


@dataclass(frozen=True, slots=True)
class RateLimited:
    """429 with `parameters.retry_after`; nothing is accepted."""

    retry_after: int


@dataclass(frozen=True, slots=True)
class Refuse:
    """An error in the form of the API; nothing is accepted."""

    status: int
    description: str


@dataclass(frozen=True, slots=True)
class FailBefore:
    """A 5xx of the API; nothing is accepted."""

    status: int = 500


@dataclass(frozen=True, slots=True)
class FailAfter:
    """A 5xx of the API for a message that was accepted."""

    status: int = 500


@dataclass(frozen=True, slots=True)
class HangAfter:
    """The message is accepted and never answered."""


@dataclass(frozen=True, slots=True)
class DropAfter:
    """The message is accepted and the connection closed, or reset, without an answer."""

    reset: bool = False


@dataclass(frozen=True, slots=True)
class CutAfter:
    """The message is accepted and the connection closed in the middle of the answer."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Exactly this answer, as a proxy or a wrong address gives it; nothing is accepted."""

    status: int
    body: str = ""
    location: str = ""
    padding: int = 0
    """Bytes of spaces after the body."""


Step = RateLimited | Refuse | FailBefore | FailAfter | HangAfter | DropAfter | CutAfter | Answer
_STEPS: dict[str, type[Step]] = {
    kind.__name__: kind
    for kind in (
        RateLimited,
        Refuse,
        FailBefore,
        FailAfter,
        HangAfter,
        DropAfter,
        CutAfter,
        Answer,
    )
}
REFUSED_CREDENTIALS = Refuse(401, "Unauthorized")
BLOCKED = Refuse(403, "Forbidden: bot was blocked by the user")

# ---------------------------------------------------------------------------- what it knows


class _Refused(Exception):
    def __init__(self, status: int, description: str, **parameters: int) -> None:
        self.status = status
        self.body: Json = {"ok": False, "error_code": status, "description": description}
        if parameters:
            self.body["parameters"] = parameters


@dataclass
class _State:
    token: str
    lock: threading.Lock = field(default_factory=threading.Lock)
    steps: list[Step] = field(default_factory=list)
    forever: bool = False
    accepted: list[Json] = field(default_factory=list)
    calls: list[Json] = field(default_factory=list)
    webhook: Json | None = None
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(501))
    updates: Iterator[int] = field(default_factory=lambda: itertools.count(70_001))
    stopped: threading.Event = field(default_factory=threading.Event)

    def next_step(self) -> Step | None:
        with self.lock:
            if self.forever and len(self.steps) == 1:
                return self.steps[0]
            return self.steps.pop(0) if self.steps else None

    def accept(self, method: str, parameters: Json, messages: list[Json]) -> None:
        with self.lock:
            self.accepted.append(
                {
                    "ids": [message["message_id"] for message in messages],
                    "method": method,
                    "parameters": parameters,
                }
            )


def _bad(description: str) -> _Refused:
    return _Refused(400, f"Bad Request: {description}")


def _text_of(parameters: Json, name: str, most: int) -> str:
    text = parameters.get(name, "")
    if not isinstance(text, str):
        raise _bad(f"field {name} must be a string")
    if len(text.strip().encode("utf-16-le")) // 2 > most:
        raise _bad("message is too long" if name == "text" else "message caption is too long")
    return text.strip()


def _check_chat(parameters: Json) -> int:
    chat_id = parameters.get("chat_id")
    if chat_id is None or chat_id == "":
        raise _bad("chat_id is empty")
    if not isinstance(chat_id, int) or isinstance(chat_id, bool) or chat_id <= 0:
        raise _bad("chat not found")
    return chat_id


def _check_media(parameters: Json, least: int) -> list[Json]:
    media = parameters.get("media")
    if not isinstance(media, list) or not least <= len(media) <= 10:
        raise _bad("there must be a valid number of media")
    for item in media:
        if not isinstance(item, dict) or item.get("type") not in {"photo", "video"}:
            raise _bad("can't parse media: type is unsupported")
        _check_file(item.get("media"))
        _text_of(item, "caption", 1_024)
    return media


def _check_file(file_id: object) -> None:
    if not isinstance(file_id, str) or re.fullmatch(r"[A-Za-z0-9_-]{8,}", file_id) is None:
        raise _bad("wrong remote file identifier specified")


def _check_message(method: str, parameters: Json) -> int:
    """How many messages a call makes; `_Refused` where Telegram would not take it."""
    _check_chat(parameters)
    match method:
        case "sendMessage":
            if not _text_of(parameters, "text", 4_096):
                raise _bad("message text is empty")
            if not isinstance(parameters.get("link_preview_options", {}), dict):
                raise _bad("object expected as link_preview_options")
            return 1
        case "sendPhoto" | "sendVideo":
            _check_file(parameters.get(method.removeprefix("send").lower()))
            _text_of(parameters, "caption", 1_024)
            return 1
        case "sendMediaGroup":
            return len(_check_media(parameters, 2))
        case _:
            _check_media(parameters, 1)
            stars = parameters.get("star_count")
            if not isinstance(stars, int) or not 1 <= stars <= 25_000:
                raise _bad("STARS_AMOUNT_INVALID")
            payload = parameters.get("payload", "")
            if not isinstance(payload, str) or len(payload.encode()) > 128:
                raise _bad("PAYLOAD_INVALID")
            _text_of(parameters, "caption", 1_024)
            return 1


_SENDING = ("sendMessage", "sendPhoto", "sendVideo", "sendMediaGroup", "sendPaidMedia")


def _answer_call(state: _State, method: str, parameters: Json) -> object:
    """The `result` of one call that no step spoils."""
    if method == "getMe":
        return _bot()
    if method == "setWebhook":
        return _set_webhook(state, parameters)
    count = _check_message(method, parameters)
    chat = {"id": parameters["chat_id"], "type": "private"}
    messages = [
        {
            "message_id": next(state.numbers),
            "date": int(time.time()),
            "chat": chat,
            "from": _bot(),
        }
        for _ in range(count)
    ]
    state.accept(method, parameters, messages)
    return messages if method == "sendMediaGroup" else messages[0]


def _bot() -> Json:
    return {"id": BOT_ID, "is_bot": True, "first_name": "Stub", "username": "stub_bot"}


def _set_webhook(state: _State, parameters: Json) -> bool:
    url, secret = parameters.get("url", ""), parameters.get("secret_token", "")
    address = urlsplit(url if isinstance(url, str) else "")
    if address.scheme != "https" and address.hostname not in {"127.0.0.1", "localhost"}:
        raise _bad("bad webhook: An HTTPS URL must be provided for webhook")
    if not isinstance(secret, str) or (secret and _SECRET.fullmatch(secret) is None):
        raise _bad("secret token contains unallowed characters")
    with state.lock:
        state.webhook = parameters
    return True


# ---------------------------------------------------------------------------- the server


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, port: int, state: _State) -> None:
        self.state = state
        super().__init__(("127.0.0.1", port), _Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that gave up is what some tests are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        state = self.server.state
        with state.lock:
            known: Json = {
                "/_stub/accepted": {"accepted": list(state.accepted)},
                "/_stub/calls": {"calls": list(state.calls)},
                "/_stub/webhook": {"webhook": state.webhook},
            }
        unknown = _Refused(404, "Not Found")
        self._say(200 if self.path in known else 404, known.get(self.path, unknown.body))

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers.get("content-length") or 0))
        if self.path.startswith("/_stub/"):
            self._say(200, self._control(self.path, json.loads(raw or b"{}")))
            return
        try:
            method, parameters = self._read_call(raw)
            self._follow(self.server.state.next_step(), method, parameters)
        except _Refused as refused:
            self._say(refused.status, refused.body)

    def _read_call(self, raw: bytes) -> tuple[str, Json]:
        state = self.server.state
        found = _PATH.fullmatch(self.path)
        if found is None or _TOKEN.fullmatch(found[1]) is None:
            raise _Refused(404, "Not Found")
        if found[1] != state.token:
            raise _Refused(401, "Unauthorized")
        if found[2] not in {*_SENDING, "getMe", "setWebhook"}:
            raise _Refused(404, "Not Found: method not found")
        if self.headers.get_content_type() != "application/json":
            raise _bad("message text is empty")
        try:
            parameters = json.loads(raw)
        except ValueError:
            raise _bad("can't parse request body: it is not JSON") from None
        if not isinstance(parameters, dict):
            raise _bad("can't parse request body: object expected")
        headers = {name.lower(): value for name, value in self.headers.items()}
        call = {
            "method": found[2],
            "parameters": parameters,
            "headers": headers,
            "port": self.client_address[1],
        }
        with state.lock:
            state.calls.append(call)
        return found[2], parameters

    def _follow(self, step: Step | None, method: str, parameters: Json) -> None:
        match step:
            case RateLimited(retry_after):
                said = f"Too Many Requests: retry after {retry_after}"
                raise _Refused(429, said, retry_after=retry_after)
            case Refuse(status, description):
                raise _Refused(status, description)
            case FailBefore(status):
                raise _Refused(status, "Internal Server Error")
            case Answer():
                self._say_exactly(step)
                return
        result = _answer_call(self.server.state, method, parameters)
        match step:
            case FailAfter(status):
                raise _Refused(status, "Internal Server Error")
            case HangAfter():
                self.close_connection = True
                self.server.state.stopped.wait(_LONGEST_HANG_SECONDS)
            case DropAfter(reset):
                self.close_connection = True
                if reset:
                    linger_not = struct.pack("ii", 1, 0)
                    self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger_not)
                    os.close(self.connection.detach())
            case _:
                self._say(200, {"ok": True, "result": result}, cut=isinstance(step, CutAfter))

    def _control(self, path: str, asked: Json) -> Json:
        state = self.server.state
        match path:
            case "/_stub/behaviour":
                steps = [
                    _STEPS[step["kind"]](**{k: v for k, v in step.items() if k != "kind"})
                    for step in asked["steps"]
                ]
                with state.lock:
                    state.steps, state.forever = steps, bool(asked.get("forever", False))
            case "/_stub/post":
                return {"statuses": [self._post(update, asked) for update in asked["updates"]]}
            case "/_stub/number":
                with state.lock:
                    return {"update_id": next(state.updates), "message_id": next(state.numbers)}
            case "/_stub/reset":
                with state.lock:
                    state.steps, state.forever = [], False
                    state.accepted, state.calls, state.webhook = [], [], None
        return {}

    def _post(self, update: Json, asked: Json) -> int:
        """Post one update where the webhook is, or where and as it is asked."""
        webhook = self.server.state.webhook or {}
        secret = asked.get("secret_token", webhook.get("secret_token", ""))
        headers = {"Content-Type": "application/json"}
        if secret:
            headers[_SECRET_HEADER] = secret
        url = asked.get("url") or webhook["url"]
        status, _ = _request("POST", url, json.dumps(update).encode(), headers)
        return status

    def _say(self, status: int, body: Json, *, cut: bool = False) -> None:
        raw = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw[: len(raw) // 2] if cut else raw)
        self.close_connection = self.close_connection or cut

    def _say_exactly(self, answer: Answer) -> None:
        raw = answer.body.encode() + b" " * answer.padding
        self.send_response(answer.status)
        if answer.location:
            self.send_header("location", answer.location)
        self.send_header("content-length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - theirs
        pass


def _request(method: str, url: str, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
    address = urlsplit(url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=10)
    with contextlib.closing(connection):
        connection.request(method, address.path or "/", body, headers)
        response = connection.getresponse()
        return response.status, response.read()


# ---------------------------------------------------------------------------- for tests


@dataclass(frozen=True, slots=True)
class Accepted:
    """One call that was taken. `ids` are the numbers of the messages that it made."""

    ids: list[int]
    method: str
    parameters: Json


@dataclass(frozen=True, slots=True)
class TelegramStub:
    """A running stub, in this process or another. `url` has no path."""

    url: str
    token: str = BOT_TOKEN

    @property
    def accepted(self) -> list[Accepted]:
        """What was taken, oldest first."""
        return [Accepted(**found) for found in self._get("accepted")["accepted"]]

    @property
    def calls(self) -> list[Json]:
        """Every call with a known token: `method`, `parameters`, `headers` (lower case), `port`."""
        found: list[Json] = self._get("calls")["calls"]
        return found

    @property
    def webhook(self) -> Json | None:
        """The parameters of the last `setWebhook`."""
        found: Json | None = self._get("webhook")["webhook"]
        return found

    def behave(self, *steps: Step, forever: bool = False) -> None:
        """Each of the next calls meets one step; with `forever` the last one stays."""
        wire = [{"kind": type(step).__name__, **asdict(step)} for step in steps]
        self._post("behaviour", {"steps": wire, "forever": forever})

    def reset(self) -> None:
        """Forget behaviour, calls, webhook and what was accepted; numbers go on."""
        self._post("reset", {})

    def message(self, fan_id: int, text: str = "", **fields: Any) -> Json:
        """A new update: a fan's message. `fields` are further ones of the message."""
        numbers = self._post("number", {})
        message = {
            "message_id": numbers["message_id"],
            "date": int(time.time()),
            "chat": {"id": fan_id, "type": "private", "first_name": "Tom"},
            "from": {"id": fan_id, "is_bot": False, "first_name": "Tom"},
        }
        words = {"text": text} if text else {}
        return {"update_id": numbers["update_id"], "message": message | words | fields}

    def purchase(self, bought: Accepted) -> Json:
        """A new update: the fan who was sent paid media has paid for it."""
        fan_id = bought.parameters["chat_id"]
        return {
            "update_id": self._post("number", {})["update_id"],
            "purchased_paid_media": {
                "from": {"id": fan_id, "is_bot": False, "first_name": "Tom"},
                "paid_media_payload": bought.parameters["payload"],
            },
        }

    def post(
        self, *updates: Json, url: str | None = None, secret_token: str | None = None
    ) -> list[int]:
        """Post updates in this order, each as often as it is given; the statuses of the answers.

        Without `url` they go where the webhook is registered, with the secret given there.
        """
        asked: Json = {"updates": updates, "url": url}
        if secret_token is not None:
            asked["secret_token"] = secret_token
        statuses: list[int] = self._post("post", asked)["statuses"]
        return statuses

    def _get(self, what: str) -> Json:
        found: Json = json.loads(_request("GET", f"{self.url}/_stub/{what}", b"", {})[1])
        return found

    def _post(self, what: str, body: Json) -> Json:
        raw = json.dumps(body).encode()
        found: Json = json.loads(_request("POST", f"{self.url}/_stub/{what}", raw, {})[1])
        return found


@contextlib.contextmanager
def serve_telegram_stub(token: str = BOT_TOKEN) -> Iterator[TelegramStub]:
    """A stub in a thread of this process."""
    server = _Server(0, _State(token))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield TelegramStub(server.url, token)
    finally:
        server.state.stopped.set()
        server.shutdown()
        thread.join()
        server.server_close()


@contextlib.contextmanager
def telegram_stub_process(token: str = BOT_TOKEN) -> Iterator[TelegramStub]:
    """A stub in a process of its own, for tests that end and restart ours."""
    command = [sys.executable, "-m", "stubs.telegram", "--port", "0", "--token", token]
    process = subprocess.Popen(  # noqa: S603  # our own interpreter and module
        command, cwd=Path(__file__).parents[1], stdout=subprocess.PIPE, text=True
    )
    try:
        address = process.stdout.readline().strip() if process.stdout else ""
        if not address:
            raise RuntimeError("the stub did not start")
        yield TelegramStub(address, token)
    finally:
        process.terminate()
        process.wait(timeout=10)
        if process.stdout:
            process.stdout.close()


def main() -> None:
    """Run until stopped; the address is printed first."""
    parser = argparse.ArgumentParser(prog="python -m stubs.telegram", description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--token", default=BOT_TOKEN)
    arguments = parser.parse_args()
    server = _Server(arguments.port, _State(arguments.token))
    sys.stdout.write(server.url + "\n")
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    main()
