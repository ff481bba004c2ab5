"""`vaultcrm serve`, `vaultcrm worker` and `vaultcrm migrate`."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated

import httpx2
import typer

from vaultcrm.bootstrap import database_url
from vaultcrm.db import migrate as migrations
from vaultcrm.entrypoints.cli.environment import explained, run, settings_or_exit, stderr, stdout
from vaultcrm.entrypoints.worker.run import main as run_jobs
from vaultcrm.settings import Settings

STOP_SECONDS = 25


def migrate() -> None:
    """Bring the database's schema up to this release. Starts the embedded server if need be."""
    settings = settings_or_exit()

    async def work() -> str | None:
        async with database_url(settings) as url:
            return await asyncio.to_thread(migrations.current, url)

    stdout.print(f"The database is at revision {run(work)}.", markup=False)


def worker(
    concurrency: Annotated[int, typer.Option(min=1, max=100, help="jobs at once")] = 8,
) -> None:
    """Run jobs: sending, answering, what comes in. Start as many as you like, on any machine."""
    settings = settings_or_exit()
    with explained():
        run_jobs(settings, concurrency=concurrency)


def serve(
    host: Annotated[str, typer.Option(help="address to listen on")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="port to listen on")] = 8000,
    processes: Annotated[int, typer.Option(min=1, max=64, help="web processes")] = 1,
    with_worker: Annotated[
        bool | None,
        typer.Option(
            "--worker/--no-worker",
            help="a worker beside the web processes; by default when the database is embedded",
        ),
    ] = None,
) -> None:
    """Serve the console and the JSON API.

    With no DATABASE_URL this starts the embedded database and a worker too.
    """
    settings = settings_or_exit()
    beside = settings.database_url is None if with_worker is None else with_worker
    serve_until_stopped(
        settings,
        host=host,
        port=port,
        processes=processes,
        with_worker=beside,
        announce=lambda: stdout.print(f"Serving on http://{host}:{port}", markup=False),
    )


def serve_until_stopped(
    settings: Settings,
    *,
    host: str,
    port: int,
    processes: int,
    with_worker: bool,
    announce: Callable[[], None],
) -> None:
    """Hold the database, run web processes and worker as children, and stop them all in order.

    `announce` is called once the server answers. Exits with 1 when a child ends by itself; what it
    printed says why.
    """

    async def work() -> None:
        async with database_url(settings) as url:
            environment = os.environ | {
                "DATABASE_URL": url,
                "VAULTCRM_HOME": str(settings.vaultcrm_home),
                "VAULTCRM_BASE_URL": settings.vaultcrm_base_url,
                "SIMULATED_FANS": str(settings.simulated_fans).lower(),
            }
            commands = [_web_command(host, port, processes)]
            if with_worker:
                commands.append([sys.executable, "-m", "vaultcrm", "worker"])
            children = _start(commands, environment)
            try:
                await _until_one_ends_or_we_are_told(children, f"http://{host}:{port}", announce)
            finally:
                _stop(children)

    run(work)


def _web_command(host: str, port: int, processes: int) -> list[str]:
    return [
        sys.executable, "-m", "uvicorn", "--factory", "vaultcrm.entrypoints.asgi:create_app",
        "--host", host, "--port", str(port), "--workers", str(processes), "--loop", "uvloop",
        "--http", "httptools", "--no-access-log", "--no-server-header",
        "--timeout-graceful-shutdown", "10", "--log-level", "warning",
    ]  # fmt: skip


def _start(
    commands: Sequence[Sequence[str]], environment: Mapping[str, str]
) -> list[subprocess.Popen[bytes]]:
    return [
        subprocess.Popen(command, env=environment)  # noqa: S603 -- our own commands
        for command in commands
    ]


async def _until_one_ends_or_we_are_told(
    children: Sequence[subprocess.Popen[bytes]], address: str, announce: Callable[[], None]
) -> None:
    told = asyncio.Event()
    announced = False
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, told.set)
    while not told.is_set():
        for child in children:
            if child.poll() is not None:
                stderr.print("A part of the server has ended, so the rest stops too.")
                raise typer.Exit(1)
        if not announced and await _answers(address):
            announce()
            announced = True
        try:
            await asyncio.wait_for(told.wait(), timeout=0.3)
        except TimeoutError:
            continue


async def _answers(address: str) -> bool:
    try:
        async with httpx2.AsyncClient(timeout=1, trust_env=False) as client:
            return (await client.get(f"{address}/readyz")).is_success
    except httpx2.HTTPError:
        return False


def _stop(children: Sequence[subprocess.Popen[bytes]]) -> None:
    for child in children:
        if child.poll() is None:
            child.terminate()
    deadline = time.monotonic() + STOP_SECONDS
    for child in children:
        try:
            child.wait(timeout=max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
