"""The processes of `vaultcrm serve`: started together, watched, and stopped together."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
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


@dataclass(frozen=True, slots=True)
class Child:
    name: str
    process: subprocess.Popen[bytes]


async def run_children(
    listener: socket.socket,
    *,
    web_processes: int,
    with_worker: bool,
    environment: Mapping[str, str],
    told: Told,
    announce: Callable[[], None],
) -> None:
    """Run the processes until somebody asks to stop; `announce` is called once they answer.

    Takes over the listener. Raises `typer.Exit` with code 1 when one of them ends by itself.
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
        address = address_of(listener)
        # What the children hold is enough; with ours open, a stopped server would still connect.
        listener.close()
        await _watch(children, address, told, announce)
    finally:
        listener.close()
        await _stop(children, told)


def _start(name: str, command: Sequence[str], environment: Mapping[str, str], *kept: int) -> Child:
    process = subprocess.Popen(  # noqa: S603 -- our own module
        command,
        env={**os.environ, **environment},
        # Never written to: its end tells the child that this process is gone.
        stdin=subprocess.PIPE,
        pass_fds=kept,
        # Ctrl+C in the terminal is for this process, which stops the children in order.
        start_new_session=True,
    )
    return Child(name, process)


async def _watch(
    children: Sequence[Child], address: str, told: Told, announce: Callable[[], None]
) -> None:
    announced = False
    while not told.stop.is_set():
        for child in children:
            if (status := child.process.poll()) is not None:
                say(f"{child.name} {_how_it_ended(status)}, so the rest stops too.")
                raise typer.Exit(1)
        if not announced and await _is_ready(address):
            announce()
            announced = True
        await _wait(told.stop, _LOOK_SECONDS)


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
        child.process.terminate()
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
