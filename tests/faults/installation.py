"""A whole installation as it runs in earnest, and ways to kill parts of it with `kill -9`.

`vaultcrm serve` with the embedded database, two web processes and a worker, against platforms and a
model that run as processes of their own and so outlive it.
"""

import random
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import psutil

from stubs import chatwoot, webhook
from stubs.llm import llm_stub_process
from tests.entrypoints.cli.running import COMMAND, environment, free_port
from vaultcrm.db.embedded.place import DATABASE, Place, place_of
from vaultcrm.db.embedded.running import postmaster

CREATOR = "mia"
_START_SECONDS = 90
_LLM_DELAY_MS = 60
_RECOVERY = {
    "WORKER_STALLED_SECONDS": "2",
    "LOST_WORK_SECONDS": "3",
    "RECOVERY_EVERY_SECONDS": "1",
}
_FLAGS = {
    "AI_ROLLOUT_STAGE": "4",
    "AI_AUTO_SEND_THRESHOLD": "0",
    # Nobody has decided anything here that a guarantee could come from.
    "AI_AUTO_SEND_GUARANTEE": "false",
    "AI_RATE_LIMIT_PER_HOUR": "1000000",
    "AI_MAX_TOKENS_PER_DAY": "1000000000",
    "AI_QUIET_SECONDS": "0.2",
    "SEND_DELAY_PAID_SECONDS": "1",
}


class Target(StrEnum):
    """What is killed. `BACKEND` is one server process of PostgreSQL, at which the postmaster ends
    all others and recovers; `SERVER` is the parent of all processes, `ALL` is every one at once.
    """

    WEB = "web"
    WORKER = "worker"
    DATABASE = "database"
    BACKEND = "backend"
    SERVER = "server"
    ALL = "all"


STOPS_SENDING = frozenset(Target) - {Target.WEB}
"""What breaks off sends when it is killed: the worker, or the database that takes its receipts."""


@dataclass
class Installation:
    """`start` and `kill` it; `log` is what the processes have written to standard error."""

    home: Path
    port: int
    given: Mapping[str, str]
    log: Path
    chatwoot: chatwoot.ChatwootStub
    webhook: webhook.WebhookStub
    process: subprocess.Popen[bytes] | None = None
    orphans: list[psutil.Process] = field(default_factory=list)

    @property
    def place(self) -> Place:
        return place_of(self.home)

    @property
    def database_url(self) -> str:
        return self.place.url(DATABASE)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def children(self, word: str = "") -> list[psutil.Process]:
        """Web processes and worker, or those of them with this word in their command line."""
        if self.process is None:
            return []
        with suppress(psutil.Error):
            found = psutil.Process(self.process.pid).children()
            return [child for child in found if _is_ours(child, word)]
        return []

    def start(self) -> None:
        """Start the server unless it runs; the rest of an earlier one is waited for."""
        if self.process is not None and self.process.poll() is None:
            return
        _, alive = psutil.wait_procs(self.orphans, timeout=_START_SECONDS)
        if alive:
            raise RuntimeError(f"processes outlive their parent: {alive}")
        self.orphans = []
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [COMMAND, "serve", "--port", str(self.port), "--processes", "2", "--worker"],
                env=dict(self.given),
                stdout=subprocess.DEVNULL,
                stderr=log,
                start_new_session=True,
            )

    def is_ready(self) -> bool:
        """Whether the server answers and all its processes run."""
        try:
            connection = HTTPConnection("127.0.0.1", self.port, timeout=2)
            connection.request("GET", "/readyz")
            ready = connection.getresponse().status == 200
            connection.close()
        except (OSError, HTTPException):
            return False
        return ready and len(self.children()) == 3

    def until_ready(self) -> None:
        """Wait for the server, and start it again should it have ended; RuntimeError if in vain."""
        deadline = time.monotonic() + _START_SECONDS
        while not self.is_ready():
            if time.monotonic() > deadline:
                raise RuntimeError(f"the server does not come back; see {self.log}")
            self.start()
            time.sleep(0.1)

    def kill(self, target: Target, choice: random.Random) -> bool:
        """`kill -9`; false when there is nothing of that kind to kill just now."""
        match target:
            case Target.WEB | Target.WORKER:
                found = self.children(target.value)
                return bool(found) and _kill([choice.choice(found)])
            case Target.DATABASE:
                return _kill(self._postmaster())
            case Target.BACKEND:
                found = [
                    child
                    for server in self._postmaster()
                    for child in _children(server)
                    if "vaultcrm" in " ".join(_command(child))
                ]
                return bool(found) and _kill([choice.choice(found)])
            case Target.SERVER:
                return self._kill_parent([])
            case Target.ALL:
                return self._kill_parent([*self.children(), *self._postmaster()])

    def _kill_parent(self, others: list[psutil.Process]) -> bool:
        if self.process is None:
            return False
        self.orphans += self.children()
        self.process.kill()
        _kill(others)
        self.process.wait()
        return True

    def _postmaster(self) -> list[psutil.Process]:
        pid = postmaster(self.place)
        with suppress(psutil.Error):
            return [] if pid is None else [psutil.Process(pid)]
        return []

    def stop(self) -> None:
        if self.process is not None:
            orphans = [*self.orphans, *self.children()]
            self.process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(60)
            _kill([one for one in orphans if one.is_running()])


@contextmanager
def installation(home: Path, logs: Path) -> Iterator[Installation]:
    """An installation that is not started yet, with its platforms and its model, which are."""
    with ExitStack() as stack:
        model = stack.enter_context(llm_stub_process(_LLM_DELAY_MS))
        inbox = chatwoot.ChatwootStub(stack.enter_context(_stub("stubs.chatwoot")))
        platform = webhook.WebhookStub(stack.enter_context(_stub("stubs.webhook")))
        port = free_port()
        given = environment(
            home,
            ANTHROPIC_API_KEY="key",
            ANTHROPIC_BASE_URL=model.url,
            WEBHOOK_SECRET=webhook.SECRET,
            WEBHOOK_TARGET_URL=platform.target,
            **_RECOVERY,
            **_FLAGS,
        )
        made = Installation(home, port, given, logs / "server.log", inbox, platform)
        try:
            yield made
        finally:
            made.stop()


@contextmanager
def _stub(module: str) -> Iterator[str]:
    """A stub as a process of its own; its address."""
    process = subprocess.Popen(
        [sys.executable, "-m", module, "--port", "0"],
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def _is_ours(child: psutil.Process, word: str) -> bool:
    command = _command(child)
    return "vaultcrm.entrypoints.cli.child" in command and (not word or word in command)


def _command(process: psutil.Process) -> list[str]:
    with suppress(psutil.Error):
        return list(process.cmdline())
    return []


def _children(process: psutil.Process) -> list[psutil.Process]:
    with suppress(psutil.Error):
        return list(process.children())
    return []


def _kill(processes: list[psutil.Process]) -> bool:
    """Kill these at once; whether there was one."""
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    return bool(processes)
