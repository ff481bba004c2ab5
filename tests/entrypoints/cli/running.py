"""The `vaultcrm` command as a person starts it: a process of its own, in an environment of ours."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
from typer.testing import CliRunner

from vaultcrm.entrypoints.cli.main import app
from vaultcrm.settings import Settings, environment_names

COMMAND = str(Path(sys.executable).with_name("vaultcrm"))
# A test run under nohup has it ignored, and so would all that it starts.
signal.signal(signal.SIGHUP, signal.SIG_DFL)

PATIENCE_SECONDS = 60
"""How long anything may take before a test gives up on it."""


def without_settings() -> dict[str, str | None]:
    """Every name that a setting may have, to be unset: this machine may have its own."""
    return {name: None for field in Settings.model_fields for name in environment_names(field)}


def environment(home: Path, **settings: str) -> dict[str, str]:
    """This machine's environment with exactly these settings."""
    names = without_settings()
    kept = {name: value for name, value in os.environ.items() if name not in names}
    return {**kept, "VAULTCRM_HOME": str(home), **settings}


def vaultcrm(
    given: dict[str, str], *arguments: str, lines: str = ""
) -> subprocess.CompletedProcess[str]:
    """One command, run to its end."""
    return subprocess.run(
        [COMMAND, *arguments],
        env=given,
        input=lines,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_SECONDS,
    )


def in_process(
    given: Mapping[str, str], *arguments: str, lines: str = ""
) -> subprocess.CompletedProcess[str]:
    """The same in this process, which saves the start of one; for what starts no other.

    An exception that a person would see as a traceback is raised.
    """
    done = CliRunner().invoke(
        app, arguments, input=lines, env={**without_settings(), **given}, catch_exceptions=False
    )
    return subprocess.CompletedProcess(arguments, done.exit_code, done.stdout, done.stderr)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(true: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not true():
        assert time.monotonic() < deadline, f"waited in vain: {what}"
        time.sleep(0.05)


@dataclass(frozen=True)
class Answer:
    status: int
    body: Any
    headers: dict[str, str]


@dataclass(frozen=True)
class Running:
    """A command that goes on until it is stopped. `printed` is the line that it was ready with."""

    process: subprocess.Popen[str]
    printed: str
    stderr: Path

    @property
    def address(self) -> str:
        found = re.search(r"http://[^\s/]+", self.printed)
        assert found is not None
        return found.group()

    def request(self, method: str, path: str, token: str = "", body: object = None) -> Answer:
        """One request to what it serves."""
        parts = urlsplit(self.address)
        connection = HTTPConnection(parts.hostname or "", parts.port, timeout=PATIENCE_SECONDS)
        try:
            headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
            content = None if body is None else json.dumps(body)
            connection.request(method, path, content, headers if token else {})
            response = connection.getresponse()
            raw = response.read()
            is_json = "json" in response.headers.get("content-type", "")
            return Answer(
                response.status,
                json.loads(raw) if is_json else raw.decode(),
                {name.lower(): value for name, value in response.headers.items()},
            )
        finally:
            connection.close()

    def children(self) -> list[psutil.Process]:
        found: list[psutil.Process] = psutil.Process(self.process.pid).children(recursive=True)
        return found

    def child(self, word: str) -> psutil.Process:
        """The one child with this word in its command line."""
        (found,) = [child for child in self.children() if word in child.cmdline()]
        return found

    def said(self) -> str:
        """What it has written to standard error so far."""
        return self.stderr.read_text()

    def end(self) -> int:
        """Its exit status, when it has ended."""
        return self.process.wait(PATIENCE_SECONDS)


@contextmanager
def running(
    given: dict[str, str], folder: Path, *arguments: str, under: tuple[str, ...] = ()
) -> Iterator[Running]:
    """Start a command, and go on when it prints an address. Ends it in any case.

    `under` is a program that starts it, as `nohup` does.
    """
    errors = folder / "stderr.txt"
    with errors.open("w") as stderr:
        process = subprocess.Popen(
            [*under, COMMAND, *arguments],
            env=given,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            # Its own process group, as a shell gives it, so that a test can play Ctrl+C.
            start_new_session=True,
        )
    children: list[psutil.Process] = []
    try:
        assert process.stdout is not None
        line = next((line for line in process.stdout if "http://" in line), "")
        assert line, errors.read_text()
        children = psutil.Process(process.pid).children(recursive=True)
        yield Running(process, line, errors)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.wait(PATIENCE_SECONDS)
        if process.stdout is not None:
            process.stdout.close()
        for child in children:
            if child.is_running():
                child.kill()


def conversation_line(creator: str, fan: str, *texts: str) -> str:
    """One line for `vaultcrm import`: fan and creator write these texts in turns."""
    messages = [
        {
            "id": f"m{number}",
            "from": "creator" if number % 2 else "fan",
            "text": text,
            "sentAt": f"2026-11-01T10:{number:02}:00Z",
        }
        for number, text in enumerate(texts)
    ]
    content = {"creator": {"handle": creator}, "fan": {"handle": fan}, "messages": messages}
    return json.dumps({**content, "channel": "simulator"}) + "\n"
