"""`POST /api/ai/generate` against the bare SDK call: CPU, added latency, transactions, bytes, and
what is read from the provider's cache.
"""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from http.client import HTTPConnection
from itertools import cycle, islice
from statistics import fmean, median
from typing import Any
from uuid import uuid4

import psycopg

from bench.servers import Server, bare_sdk, vaultcrm
from bench.situation import TEXTS
from stubs.llm import llm_stub_process
from vaultcrm.domain.situation import SHOWN_STEP

WARM_UP = 400
CALLS = 40
ROUNDS = 51
STORED = 2_000
MODEL_MS = 300
LATENCY_CALLS = 10
LATENCY_ROUNDS = 4

TABLES = ("ai_message_generations", "usage", "audit_log", "ai_message_feedback", "outbox")


@dataclass(frozen=True)
class Cpu:
    """Milliseconds of CPU a call, medians over the pairs; `ratios` are sorted."""

    bare_ms: float
    ours_ms: float
    ratios: Sequence[float]

    @property
    def ratio(self) -> float:
        return median(self.ratios)


@dataclass(frozen=True)
class Latency:
    """Milliseconds above the model's own time, at p50."""

    bare_ms: float
    ours_ms: float


@dataclass(frozen=True)
class Storage:
    """What a generation leaves behind. Bytes count tables and indexes after VACUUM FULL."""

    waiting_bytes: float
    approved_bytes: float
    transactions: float


@dataclass(frozen=True)
class Cached:
    """Shares of the prompt that second drafts read from the cache: after a first draft that came
    with the first message of a sitting, with the second, and so on. What is shown of a conversation
    begins later after every sixth.
    """

    shares: Sequence[float]

    @property
    def mean(self) -> float:
        return fmean(self.shares)


def generate_bodies(server: Server) -> list[bytes]:
    """A request for a reply in each conversation."""
    return [
        json.dumps(
            {
                "conversationId": found["id"],
                "fanId": found["fanId"],
                "creatorId": found["creatorId"],
                "generationType": "reply",
            }
        ).encode()
        for found in server.get("/api/conversations?limit=200")["items"]
    ]


def call(server: Server, path: str, bodies: Sequence[bytes]) -> list[tuple[float, bytes]]:
    """Wall milliseconds and answer of each call, one after the other on one connection."""
    connection = HTTPConnection("127.0.0.1", server.port, timeout=60)
    answers = []
    for body in bodies:
        began = time.perf_counter()
        connection.request("POST", path, body, server.headers)
        response = connection.getresponse()
        answer = response.read()
        answers.append(((time.perf_counter() - began) * 1000, answer))
        if response.status != 200:
            raise RuntimeError(f"{path} answered {response.status}: {answer[:300]!r}")
    connection.close()
    return answers


def call_generate(server: Server, bodies: Sequence[bytes], calls: int) -> list[float]:
    asked = list(islice(cycle(bodies), calls))
    return [wall for wall, _ in call(server, "/api/ai/generate", asked)]


def cpu_per_generate(server: Server, bodies: Sequence[bytes], calls: int) -> float:
    """CPU milliseconds of the web process a call."""
    before = server.cpu_seconds()
    call_generate(server, bodies, calls)
    return (server.cpu_seconds() - before) * 1000 / calls


def measure_cpu() -> Cpu:
    """Paired rounds: the bare call and generate by turns, so that both see the same machine."""
    with llm_stub_process() as stub, vaultcrm(stub.url) as server, bare_sdk(stub.url) as sdk:
        bodies = generate_bodies(server)
        sdk.measure(WARM_UP)
        call_generate(server, bodies, WARM_UP)
        pairs = [
            (float(sdk.measure(CALLS)["cpu_ms"]), cpu_per_generate(server, bodies, CALLS))
            for _ in range(ROUNDS)
        ]
    return Cpu(
        bare_ms=median(bare for bare, _ in pairs),
        ours_ms=median(ours for _, ours in pairs),
        ratios=sorted(ours / bare for bare, ours in pairs),
    )


def measure_latency() -> Latency:
    """What generate adds to a model that takes 300 ms, one client, by turns with the bare call."""
    bare: list[float] = []
    ours: list[float] = []
    with (
        llm_stub_process(delay_ms=MODEL_MS) as stub,
        vaultcrm(stub.url) as server,
        bare_sdk(stub.url) as sdk,
    ):
        bodies = generate_bodies(server)
        sdk.measure(3)
        call_generate(server, bodies, 3)
        for _ in range(LATENCY_ROUNDS):
            bare += sdk.measure(LATENCY_CALLS)["wall_ms"]
            ours += call_generate(server, bodies, LATENCY_CALLS)
    return Latency(median(bare) - MODEL_MS, median(ours) - MODEL_MS)


def measure_storage() -> Storage:
    """Growth of the database over 2,000 generations, then over their approval."""
    with llm_stub_process() as stub, vaultcrm(stub.url) as server:
        bodies = generate_bodies(server)
        call_generate(server, bodies, 10)
        with psycopg.connect(server.database_url, autocommit=True) as connection:
            empty, commits = _bytes(connection), _commits(connection)
            answers = call(server, "/api/ai/generate", list(islice(cycle(bodies), STORED)))
            transactions = (_commits(connection) - commits) / STORED
            waiting = _bytes(connection)
            ids = [json.loads(answer)["generationId"] for _, answer in answers]
            decisions = [{"generationId": one, "action": "approve"} for one in ids]
            call(server, "/api/ai/approve", [json.dumps(each).encode() for each in decisions])
            approved = _bytes(connection)
    return Storage(
        waiting_bytes=(waiting - empty) / STORED,
        approved_bytes=(approved - empty) / STORED,
        transactions=transactions,
    )


def measure_cached() -> Cached:
    """Second drafts as they come in life: after the first one our answer was sent and the fan has
    written again.
    """
    with llm_stub_process() as stub, vaultcrm(stub.url, conversations=SHOWN_STEP) as server:
        shares = [
            _second_share(server, body, place)
            for place, body in enumerate(generate_bodies(server), start=1)
        ]
    return Cached(shares)


def _second_share(server: Server, body: bytes, in_sitting: int) -> float:
    asked = json.loads(body)
    for place in range(in_sitting):
        _say(server, asked, place % 2)
    call_generate(server, [body], 1)
    _say(server, asked, 1)
    _say(server, asked, 0)
    [(_, answer)] = call(server, "/api/ai/generate", [body])
    used = json.loads(answer)["usage"]
    return float(used["cachedTokens"] / (used["inputTokens"] + used["cachedTokens"]))


def _say(server: Server, asked: dict[str, Any], sender: int) -> None:
    """One more message: the fan's for 0, the creator's for 1."""
    body = {
        "creatorId": asked["creatorId"],
        "id": uuid4().hex,
        "from": ("fan", "creator")[sender],
        "text": TEXTS[sender],
    }
    status, answer = server.request(
        "POST", f"/api/conversations/{asked['conversationId']}/messages", body
    )
    if status != 201:
        raise RuntimeError(f"a message was answered {status}: {answer}")


def _bytes(connection: psycopg.Connection[Any]) -> int:
    connection.execute("VACUUM FULL " + ", ".join(TABLES))
    return _number(
        connection,
        "SELECT sum(pg_total_relation_size(name)) FROM unnest(%s::text[]) name",
        list(TABLES),
    )


def _commits(connection: psycopg.Connection[Any]) -> int:
    """Transactions of this database so far. Other sessions report theirs when they go idle."""
    time.sleep(1.5)
    statement = "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()"
    return _number(connection, statement)


def _number(connection: psycopg.Connection[Any], statement: str, *params: object) -> int:
    row = connection.execute(statement, params or None).fetchone()
    assert row is not None
    return int(row[0])
