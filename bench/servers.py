"""The real processes that are measured, started for one run and stopped after it."""

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import psutil

from bench.situation import CONVERSATIONS, conversation
from vaultcrm.db.embedded import start_embedded

COMMAND = [sys.executable, "-m", "vaultcrm"]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class BareSdk:
    """The process of `bench.bare_sdk`."""

    process: subprocess.Popen[str]

    def measure(self, calls: int) -> dict[str, Any]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{calls}\n")
        self.process.stdin.flush()
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        return answer


@contextmanager
def bare_sdk(url: str) -> Iterator[BareSdk]:
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.bare_sdk", url],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield BareSdk(process)
    finally:
        process.kill()
        process.wait()


@dataclass
class Server:
    """A running VaultCRM: web processes whose CPU time can be read, and a token for them."""

    port: int
    web: list[psutil.Process]
    token: str
    database_url: str

    def cpu_seconds(self) -> float:
        """Time on the processor of all threads: to the nanosecond on Linux, else to a tick."""
        return sum(_cpu_seconds(process) for process in self.web)

    def get(self, path: str) -> Any:
        return self.request("GET", path)[1]

    def request(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, json.dumps(body), self.headers)
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        finally:
            connection.close()

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}


def _cpu_seconds(process: psutil.Process) -> float:
    tasks = list(Path(f"/proc/{process.pid}/task").glob("*/schedstat"))
    if tasks:
        return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9
    times = process.cpu_times()
    return float(times.user + times.system)


@contextmanager
def vaultcrm(
    llm_url: str, *, processes: int = 1, conversations: int = CONVERSATIONS, **settings: str
) -> Iterator[Server]:
    """Import some conversations into a fresh home and serve it with no worker."""
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="vaultcrm-bench-")))
        environment = {
            **os.environ,
            "VAULTCRM_HOME": str(home / "home"),
            "ANTHROPIC_API_KEY": "bench",
            "ANTHROPIC_BASE_URL": llm_url,
            "AI_RATE_LIMIT_PER_HOUR": "100000000",
            "AI_MAX_TOKENS_PER_DAY": "1000000000000",
            **settings,
        }
        environment.pop("DATABASE_URL", None)
        url = stack.enter_context(_database(home / "home"))
        environment["DATABASE_URL"] = url
        lines = home / "conversation.jsonl"
        lines.write_text(
            "".join(json.dumps(conversation(number)) + "\n" for number in range(conversations))
        )
        _run(environment, "import", str(lines))
        token = _run(environment, "token", "create", "--service", "bench").strip()
        port = free_port()
        process = subprocess.Popen(
            [*COMMAND, "serve", "--port", str(port), "--processes", str(processes), "--no-worker"],
            env=environment,
            stdout=subprocess.DEVNULL,
        )
        try:
            yield Server(port, _web_processes(process, port, processes), token, url)
        finally:
            process.terminate()
            process.wait(30)


@contextmanager
def _database(home: Path) -> Iterator[str]:
    with start_embedded(home) as server:
        yield server.url()


def _run(environment: dict[str, str], *arguments: str) -> str:
    done = subprocess.run(
        [*COMMAND, *arguments], env=environment, check=True, capture_output=True, text=True
    )
    return done.stdout


def _web_processes(
    parent: subprocess.Popen[bytes], port: int, expected: int
) -> list[psutil.Process]:
    """The children that listen, once one of them answers and all are there."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            connection = HTTPConnection("127.0.0.1", port, timeout=1)
            connection.request("GET", "/readyz")
            if connection.getresponse().status == 200:
                break
        except OSError:
            time.sleep(0.1)
    children = psutil.Process(parent.pid).children(recursive=True)
    listening = [
        child for child in children if any(c.laddr.port == port for c in child.net_connections())
    ]
    if len(listening) != expected:
        raise RuntimeError("the web processes did not come up")
    return listening
