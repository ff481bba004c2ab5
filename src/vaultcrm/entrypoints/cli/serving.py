"""`vaultcrm serve`, `vaultcrm worker` and `vaultcrm migrate`."""

import asyncio
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from vaultcrm.domain.errors import DatabaseUnavailable
from vaultcrm.entrypoints.cli.environment import explained, run, say, settings_or_exit, stdout
from vaultcrm.entrypoints.cli.listening import address_of, listen_or_exit

if TYPE_CHECKING:
    from vaultcrm.settings import Settings

_LOOK_AT_DATABASE_SECONDS = 0.5
_AFTER_FAILURE_SECONDS = 15.0


def migrate() -> None:
    """Bring the database's schema up to this release. Starts the embedded server if need be."""
    from vaultcrm.bootstrap import database_url
    from vaultcrm.db.migrate import current

    settings = settings_or_exit()

    async def work() -> str | None:
        async with database_url(settings) as url:
            return await asyncio.to_thread(current, url)

    stdout.print(f"The database is at revision {run(work)}.", markup=False)


def worker(
    concurrency: Annotated[int, typer.Option(min=1, max=100, help="jobs at once")] = 8,
) -> None:
    """Run jobs: sending, answering, what comes in. Start as many as you like, on any machine."""
    from vaultcrm.entrypoints.log_lines import log_as_set
    from vaultcrm.entrypoints.logs import keep_texts_out
    from vaultcrm.entrypoints.worker.run import main as run_jobs

    keep_texts_out()
    settings = settings_or_exit()
    log_as_set(settings)
    channels_or_exit(settings)
    say("Running jobs. Ctrl+C stops it when those under way are done.")
    with explained():
        run_jobs(settings, concurrency=concurrency)


def serve(
    host: Annotated[
        str, typer.Option(metavar="ADDRESS", help="where to listen; 0.0.0.0 lets others in")
    ] = "127.0.0.1",
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

    With no DATABASE_URL this starts the embedded database and a worker too. Ctrl+C stops all.
    """
    settings = settings_or_exit()
    channels_or_exit(settings)
    listener = listen_or_exit(host, port)
    address = address_of(listener)
    if "vaultcrm_base_url" not in settings.model_fields_set:
        settings = settings.model_copy(update={"vaultcrm_base_url": address})
    serve_until_stopped(
        settings,
        listener,
        processes=processes,
        with_worker=settings.database_url is None if with_worker is None else with_worker,
        announce=lambda: stdout.print(f"Serving on {address}", markup=False),
    )


def channels_or_exit(settings: "Settings") -> None:
    """Go on when every channel that is set up can be put together, else exit with code 2."""
    from vaultcrm.entrypoints.cli.doctor_checks import State, check_channels

    wrong = [check for check in check_channels(settings) if check.state is State.FAILED]
    for check in wrong:
        say(f"{check.seen}. {check.todo}")
    if wrong:
        raise typer.Exit(2)


def serve_until_stopped(
    settings: "Settings",
    listener: socket.socket,
    *,
    processes: int,
    with_worker: bool,
    announce: Callable[[], None],
) -> None:
    """Hold the database, run web processes and worker as children, and stop them all in order.

    What dies, also the embedded database, is started again. `announce` is called once the server
    answers. Returns when SIGINT, SIGTERM or SIGHUP asks for it; a second one kills what has not
    stopped yet. Exits with 1 when a child ends by itself before the server answers.
    """
    from vaultcrm.bootstrap import database_url, revive_database
    from vaultcrm.entrypoints.cli.children import listening_to_signals, run_children

    # Each child holds the embedded database for itself: the last one to stop shuts it down, also
    # when this process is gone.
    environment = {
        "VAULTCRM_HOME": str(settings.vaultcrm_home),
        "VAULTCRM_BASE_URL": settings.vaultcrm_base_url,
        "SIMULATED_FANS": str(settings.simulated_fans).lower(),
    }

    next_look = 0.0

    async def look_after() -> None:
        nonlocal next_look
        now = asyncio.get_running_loop().time()
        if now < next_look:
            return
        next_look = now + _LOOK_AT_DATABASE_SECONDS
        try:
            if await revive_database(settings):
                say("The database was killed. It has been started again.")
        except DatabaseUnavailable as error:
            say(str(error))
            next_look += _AFTER_FAILURE_SECONDS

    async def work() -> None:
        with listening_to_signals() as told:
            async with database_url(settings):
                await run_children(
                    listener,
                    web_processes=processes,
                    with_worker=with_worker,
                    environment=environment,
                    told=told,
                    announce=announce,
                    look_after=look_after,
                )

    run(work)
