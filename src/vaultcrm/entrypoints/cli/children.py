"""The processes of `vaultcrm serve`: started together, watched, and stopped together.

One that ends by itself is started again, each time after a longer wait; but one that ends before
the server has answered for the first time ends them all, as that is a fault in how it is set up.
"""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import typer

from vaultcrm.entrypoints.cli.environment import say
from vaultcrm.entrypoints.cli.listening import address_of

STOP_SECONDS = 25
"""How long the processes may take to stop before they are killed."""

_CHILD = (sys.executable, "-m", "vaultcrm.entrypoints.cli.child")
_LOOK_SECONDS = 0.2
_READY_SECONDS = 1.0

_FIRST_WAIT_SECONDS = 0.5
_LONGEST_WAIT_SECONDS = 30.0
_WELL_AGAIN_SECONDS = 60.0
"""A process that ran for so long is started again at once, whatever went before."""


@dataclass(frozen=True, slots=True)
class Told:
    """Whether somebody asked to stop (SIGINT, SIGTERM, SIGHUP), and whether they asked again."""

    stop: asyncio.Event = field(default_factory=asyncio.Event)
    hurry: asyncio.Event = field(default_factory=asyncio.Event)

    def note(self) -> None:
        (self.hurry if self.stop.is_set() else self.stop).set()


@contextmanager
def listening_to_signals() -> Iterator[Told]:
    """Signals are noted instead of ending the process. Inside a running event loop."""
    told = Told()
    loop = asyncio.get_running_loop()
    numbers = [signal.SIGINT, signal.SIGTERM]
    # nohup has it ignored, for a server that is to outlive its terminal.
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        numbers.append(signal.SIGHUP)
    for number in numbers:
        loop.add_signal_handler(number, told.note)
    try:
        yield told
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


@dataclass(slots=True)
class Child:
    """A process and how to start it again: `deaths` counts the short lives, `start_at` is set while
    it waits for its next one. Times are those of `time.monotonic`.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    kept: tuple[int, ...]
    process: subprocess.Popen[bytes]
    started_at: float
    deaths: int = 0
    start_at: float | None = None


async def run_children(
    listener: socket.socket,
    *,
    web_processes: int,
    with_worker: bool,
    environment: Mapping[str, str],
    told: Told,
    announce: Callable[[], None],
    look_after: Callable[[], Awaitable[None]],
) -> None:
    """Run the processes until somebody asks to stop; `announce` is called once they answer.

    Takes over the listener. `look_after` is called again and again beside them. Raises `typer.Exit`
    with code 1 when a process ends by itself before they answer.
    """
    children: list[Child] = []
    try:
        if told.stop.is_set():
            return
        for number in range(1, web_processes + 1):
            name = "The web process" if web_processes == 1 else f"Web process {number}"
            command = [*_CHILD, "web", str(listener.fileno())]
            children.append(_start(name, command, environment, listener.fileno()))
        if with_worker:
            children.append(_start("The worker", [*_CHILD, "worker"], environment))
        await _watch(children, address_of(listener), told, announce, look_after)
    finally:
        # First, so that a server that stops takes no more connections.
        listener.close()
        await _stop(children, told)


def _start(name: str, command: Sequence[str], environment: Mapping[str, str], *kept: int) -> Child:
    process = _launch(command, environment, kept)
    return Child(name, command, environment, kept, process, time.monotonic())


def _launch(
    command: Sequence[str], environment: Mapping[str, str], kept: tuple[int, ...]
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603 -- our own module
        command,
        env={**os.environ, **environment},
        # Never written to: its end tells the child that this process is gone.
        stdin=subprocess.PIPE,
        pass_fds=kept,
        # Ctrl+C in the terminal is for this process, which stops the children in order.
        start_new_session=True,
    )


async def _watch(
    children: Sequence[Child],
    address: str,
    told: Told,
    announce: Callable[[], None],
    look_after: Callable[[], Awaitable[None]],
) -> None:
    announced = False
    while not told.stop.is_set():
        await look_after()
        for child in children:
            status = child.process.poll()
            if status is not None and not announced:
                say(f"{child.name} {_how_it_ended(status)}, so the rest stops too.")
                raise typer.Exit(1)
            if status is not None:
                _bring_back(child, status)
        if not announced and await _is_ready(address):
            announce()
            announced = True
        await _wait(told.stop, _LOOK_SECONDS)


def _bring_back(child: Child, status: int) -> None:
    """Start a process that has ended, when its time has come; say so when that is found out."""
    now = time.monotonic()
    if child.start_at is None:
        lived_long = now - child.started_at > _WELL_AGAIN_SECONDS
        child.deaths = 1 if lived_long else child.deaths + 1
        wait = min(_LONGEST_WAIT_SECONDS, _FIRST_WAIT_SECONDS * 2 ** (child.deaths - 1))
        child.start_at = now + wait
        say(f"{child.name} {_how_it_ended(status)}. It starts again in {wait:g} seconds.")
    if now < child.start_at:
        return
    if child.process.stdin is not None:
        child.process.stdin.close()
    child.process = _launch(child.command, child.environment, child.kept)
    child.started_at, child.start_at = time.monotonic(), None


def _how_it_ended(status: int) -> str:
    if status < 0:
        return f"was killed by {signal.Signals(-status).name}"
    return f"ended by itself with status {status}; what it printed above says why"


async def _is_ready(address: str) -> bool:
    import httpx2

    try:
        async with httpx2.AsyncClient(timeout=_READY_SECONDS, trust_env=False) as client:
            return (await client.get(f"{address}/readyz")).is_success
    except httpx2.HTTPError:
        return False


async def _stop(children: Sequence[Child], told: Told) -> None:
    for child in children:
        child.process.terminate()  # which does nothing to one that has ended
    deadline = asyncio.get_running_loop().time() + STOP_SECONDS
    while any(child.process.poll() is None for child in children):
        if told.hurry.is_set() or asyncio.get_running_loop().time() > deadline:
            for child in children:
                child.process.kill()
        await _wait(told.hurry, 0.05)
    for child in children:
        if child.process.stdin is not None:
            child.process.stdin.close()


async def _wait(event: asyncio.Event, seconds: float) -> None:
    """Until the event, or so long; an event that is set already is waited for in vain."""
    if event.is_set():
        await asyncio.sleep(seconds)
        return
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        return
