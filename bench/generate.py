"""`POST /api/ai/generate` against the bare SDK call: CPU, added latency, statements, bytes."""

import json
import time
from http.client import HTTPConnection
from statistics import median
from typing import Any

import psycopg

from bench.servers import Server, bare_sdk, vaultcrm
from stubs.llm import llm_stub_process

WARM_UP = 300
CALLS = 300
ROUNDS = 7
LATENCY_CALLS = 20


def generate_body(server: Server) -> bytes:
    found = server.get("/api/conversations")["items"][0]
    body = {
        "conversationId": found["id"],
        "fanId": found["fanId"],
        "creatorId": found["creatorId"],
        "generationType": "reply",
    }
    return json.dumps(body).encode()


def call_generate(server: Server, body: bytes, calls: int) -> list[float]:
    """Wall time of each call in milliseconds, one after the other on one connection."""
    connection = HTTPConnection("127.0.0.1", server.port, timeout=60)
    walls = []
    for _ in range(calls):
        at = time.perf_counter()
        connection.request("POST", "/api/ai/generate", body, server.headers)
        response = connection.getresponse()
        answer = response.read()
        walls.append((time.perf_counter() - at) * 1000)
        if response.status != 200:
            raise RuntimeError(f"generate answered {response.status}: {answer[:300]!r}")
    connection.close()
    return walls


def cpu_per_generate(server: Server, body: bytes, calls: int) -> float:
    """CPU milliseconds of the web process a call."""
    before = server.cpu_seconds()
    call_generate(server, body, calls)
    return (server.cpu_seconds() - before) * 1000 / calls


def measure_cpu() -> dict[str, Any]:
    """Paired rounds: the bare call and generate by turns, so that both see the same machine."""
    with llm_stub_process() as stub, vaultcrm(stub.url) as server, bare_sdk(stub.url) as sdk:
        body = generate_body(server)
        sdk.measure(WARM_UP)
        call_generate(server, body, WARM_UP)
        pairs = []
        for _ in range(ROUNDS):
            bare = float(sdk.measure(CALLS)["cpu_ms"])
            ours = cpu_per_generate(server, body, CALLS)
            pairs.append((bare, ours))
        stored = bytes_per_generation(server, body)
    ratios = sorted(ours / bare for bare, ours in pairs)
    return {
        "bare_ms": median(bare for bare, _ in pairs),
        "ours_ms": median(ours for _, ours in pairs),
        "ratio": median(ratios),
        "ratio_low": ratios[0],
        "ratio_high": ratios[-1],
        "bytes": stored,
    }


def bytes_per_generation(server: Server, body: bytes) -> dict[str, float]:
    """Growth of the tables, with indexes, a generation; decided ones have feedback and outbox."""
    calls = 2000
    tables = (
        "ai_message_generations", "usage", "audit_log", "ai_message_feedback", "outbox",
    )  # fmt: skip

    def sizes(connection: psycopg.Connection[Any]) -> int:
        connection.execute("VACUUM FULL " + ", ".join(tables))
        row = connection.execute(
            "SELECT sum(pg_total_relation_size(name)) FROM unnest(%s::text[]) name", (list(tables),)
        ).fetchone()
        assert row is not None
        return int(row[0])

    with psycopg.connect(server.database_url, autocommit=True) as connection:
        before = sizes(connection)
        call_generate(server, body, calls)
        queued = sizes(connection)
        ids = connection.execute(
            "SELECT id FROM ai_message_generations WHERE status = 'queued' "
            "ORDER BY created_at DESC LIMIT %s",
            (calls,),
        ).fetchall()
        client = HTTPConnection("127.0.0.1", server.port, timeout=60)
        for (generation_id,) in ids:
            decision = json.dumps(
                {"generationId": str(generation_id), "action": "approve", "sendAnyway": True}
            )
            client.request("POST", "/api/ai/approve", decision, server.headers)
            answered = client.getresponse()
            text = answered.read()
            if answered.status != 200:
                raise RuntimeError(f"approve answered {answered.status}: {text[:300]!r}")
        approved = sizes(connection)
    return {
        "queued": (queued - before) / calls,
        "with_feedback_and_outbox": (approved - before) / calls,
    }


def measure_latency() -> dict[str, float]:
    """What generate adds to a model that takes 300 ms, one client, by turns with the bare call."""
    with (
        llm_stub_process(delay_ms=300) as stub,
        vaultcrm(stub.url) as server,
        bare_sdk(stub.url) as sdk,
    ):
        body = generate_body(server)
        sdk.measure(3)
        call_generate(server, body, 3)
        bare: list[float] = []
        ours: list[float] = []
        for _ in range(4):
            bare += sdk.measure(LATENCY_CALLS // 2)["wall_ms"]
            ours += call_generate(server, body, LATENCY_CALLS // 2)
    return {
        "bare_added_ms": median(bare) - 300,
        "ours_added_ms": median(ours) - 300,
    }


