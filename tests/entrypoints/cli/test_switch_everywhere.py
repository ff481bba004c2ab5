"""The one switch in a real installation: two servers and a worker, and a model that takes so long
that whatever ends before it answers was stopped.
"""

import json
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg

from stubs.llm import LlmStub, llm_stub_process
from tests.entrypoints.cli.running import (
    Answer,
    Running,
    conversation_line,
    environment,
    free_port,
    running,
    vaultcrm,
    wait_until,
)
from tests.support.fixtures import with_claude

MODEL_MS = 9_000
CALLS = 6
"""Drafts asked of each server."""


def one(database_url: str, statement: str) -> Any:
    with psycopg.connect(database_url, autocommit=True) as connection:
        row = connection.execute(statement.encode()).fetchone()
    return None if row is None else row[0]


def stopped_by_process(database_url: str) -> dict[str, int]:
    """Calls that each process says it has stopped, by the kind of process and its name."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        rows = connection.execute("SELECT kind, process, counts -> 'calls' FROM processes")
        found = {f"{kind} {name}": calls for kind, name, calls in rows.fetchall()}
    return {
        name: sum(count for *_, outcome, count in calls if outcome == "stopped")
        for name, calls in found.items()
        if any(outcome == "stopped" for *_, outcome, _ in calls)
    }


def ask_everywhere(
    servers: tuple[Running, Running],
    model: LlmStub,
    token: str,
    talk: dict[str, str],
    pool: ThreadPoolExecutor,
) -> list[Future[Answer]]:
    """Drafts asked for over HTTP, and one by a worker, all of which wait for the model."""
    asks = {**talk, "generationType": "reply"}
    asked = [
        pool.submit(server.request, "POST", "/api/ai/generate", token, asks)
        for server in servers
        for _ in range(CALLS)
    ]
    says = {"creatorId": talk["creatorId"], "from": "fan", "text": "And you, how are you?"}
    path = f"/api/conversations/{talk['conversationId']}/messages"
    told = servers[0].request("POST", path, token, {**says, "id": "m-new"})
    assert told.status in {200, 201}, told.body
    wait_until(lambda: len(model.requests) == 2 * CALLS + 1, "every call to the model")
    return asked


def test_all_processes_stop_the_model_when_the_switch_is_thrown(
    database_url: str, home: Path, tmp_path: Path
) -> None:
    with llm_stub_process(MODEL_MS) as model, ThreadPoolExecutor(2 * CALLS) as pool:
        given = environment(
            home,
            DATABASE_URL=database_url,
            AI_QUIET_SECONDS="0",
            AI_TIMEOUT_SECONDS="60",
            AI_MAX_TOKENS_PER_DAY=str(10**8),
            OBSERVE_EVERY_SECONDS="1",
            **{name.upper(): str(value) for name, value in with_claude(model.url).items()},
        )
        assert vaultcrm(given, "user", "add", "ada@example.com", "--role", "admin").returncode == 0
        token = vaultcrm(given, "token", "create", "--user", "ada@example.com").stdout.strip()
        lines = conversation_line("mia", "tom", "Hello!", "Hello you.", "How are you?")
        assert vaultcrm(given, "import", "-", lines=lines).returncode == 0
        here, there = tmp_path / "here", tmp_path / "there"
        here.mkdir()
        there.mkdir()
        one_port, other_port = ("--port", str(free_port())), ("--port", str(free_port()))
        with (
            running(given, here, "serve", *one_port, "--worker") as server,
            running(given, there, "serve", *other_port, "--no-worker") as other,
        ):
            [shown] = server.request("GET", "/api/conversations", token).body["items"]
            talk = {
                "creatorId": shown["creatorId"],
                "conversationId": shown["id"],
                "fanId": shown["fanId"],
            }
            asked = ask_everywhere((server, other), model, token, talk, pool)
            reserved = "SELECT COALESCE(sum(used), 0) FROM limit_counters"
            assert one(database_url, reserved) > 0

            began = time.monotonic()
            off = {"name": "ENABLE_AI_CHAT", "value": False, "reason": "something is wrong"}
            assert server.request("POST", "/api/flags", token, off).status == 200
            answers = [each.result() for each in asked]
            wait_until(lambda: one(database_url, reserved) == 0, "that all is given back")
            took = time.monotonic() - began

            assert [answer.status for answer in answers] == [503] * 2 * CALLS
            wait_until(
                lambda: sum(stopped_by_process(database_url).values()) == 2 * CALLS + 1,
                "that every process has told of what it stopped",
            )
            stopped = stopped_by_process(database_url)
            assert sorted(name.split()[0] for name in stopped) == ["web", "web", "worker"]
            assert one(database_url, "SELECT count(*) FROM ai_message_generations") == 0
            # Far less than the model takes; how long it is in fact is said, not asserted.
            assert took < MODEL_MS / 1000
            (tmp_path / "switch.json").write_text(json.dumps([stopped, round(took, 3)]))
