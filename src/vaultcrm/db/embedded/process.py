"""The server as a process: starting it, its first answer, shutting it down.

Call these within `holds.alone`.
"""

import logging
import time
from pathlib import Path

import psycopg
from psycopg import sql

from vaultcrm.db.embedded.configuration import write_settings
from vaultcrm.db.embedded.failures import failure
from vaultcrm.db.embedded.place import DATABASE, Place
from vaultcrm.db.embedded.programs import Programs
from vaultcrm.db.embedded.running import drop_reused_locks, is_running, postmaster
from vaultcrm.domain.errors import DatabaseUnavailable

log = logging.getLogger(__name__)

_MAINTENANCE_DATABASE = "postgres"
_START_SECONDS = 60
_STOP_SECONDS = 60
_LOG_BYTES = 5 * 1024 * 1024
_STILL_ATTACHED = "pre-existing shared memory block"


def bring_up(place: Place, programs: Programs, *, durable: bool) -> None:
    """Start the server unless it runs, and wait until it answers.

    Raises `DatabaseUnavailable` when it does not start, or does not answer in a minute.
    """
    deadline = time.monotonic() + _START_SECONDS
    pause = 0.05
    while True:
        problem = "" if is_running(place) else _launch(place, programs, durable=durable)
        problem = problem or _greet(place)
        if not problem:
            return
        if time.monotonic() > deadline:
            if _STILL_ATTACHED in problem:
                raise DatabaseUnavailable(
                    f"Processes of an earlier server, which was killed, still use {place.data}. "
                    "They end with the statements that they run: try again in some minutes."
                )
            raise failure(place, f"PostgreSQL did not answer in {_START_SECONDS} seconds", problem)
        time.sleep(pause)
        pause = min(2 * pause, 1.0)


def ensure_database(place: Place) -> None:
    """Make the product's database when it is missing. Raises `DatabaseUnavailable`."""
    try:
        with psycopg.connect(place.url(_MAINTENANCE_DATABASE), autocommit=True) as server:
            known = "SELECT 1 FROM pg_database WHERE datname = %s"
            if server.execute(known, (DATABASE,)).fetchone() is None:
                server.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))
    except psycopg.Error as error:
        raise failure(place, f"The database {DATABASE} could not be made", str(error)) from error


def shut_down(place: Place, programs: Programs) -> None:
    """End the server that runs. Raises `DatabaseUnavailable` when it does not end."""
    # "immediate" skips the last checkpoint: the next start replays the log instead.
    for mode in ("fast", "immediate"):
        wait = ["--wait", f"--timeout={_STOP_SECONDS}"]
        done = programs.run("pg_ctl", "stop", *wait, f"--mode={mode}", "-D", str(place.data))
        if done.returncode == 0 or postmaster(place) is None:
            return
        log.warning("PostgreSQL in %s did not stop (%s): %s", place.data, mode, done.stderr.strip())
    raise DatabaseUnavailable(
        f"The database server of {place.home} (process {postmaster(place)}) does not stop. Look at "
        f"{place.journal}."
    )


def _launch(place: Place, programs: Programs, *, durable: bool) -> str:
    """Start the server once. Empty when it runs, else why it is worth another try."""
    write_settings(place.data, place, programs.account, durable=durable)
    drop_reused_locks(place)
    journal = place.journal
    if journal.exists() and journal.stat().st_size > _LOG_BYTES:
        journal.replace(journal.with_suffix(".log.1"))
    before = journal.stat().st_size if journal.exists() else 0
    wait = ["--wait", f"--timeout={_START_SECONDS}"]
    done = programs.run("pg_ctl", "start", *wait, "-D", str(place.data), "-l", str(journal))
    if done.returncode == 0:
        return ""
    said = done.stderr
    if journal.exists():
        with journal.open("rb") as file:
            file.seek(before)
            said = file.read().decode(errors="replace") or said
    if _STILL_ATTACHED in said or is_running(place):
        return said
    raise failure(place, "PostgreSQL did not start", said)


def _greet(place: Place) -> str:
    """Empty when the server of `place` answers, else why it does not yet."""
    url = place.url(_MAINTENANCE_DATABASE)
    try:
        with psycopg.connect(url, connect_timeout=5, autocommit=True) as server:
            row = server.execute("SHOW data_directory").fetchone()
    except psycopg.OperationalError as error:
        return str(error)
    if row is None or Path(row[0]).resolve() != place.data:
        raise DatabaseUnavailable(
            f"The server that answers in {place.data} serves another folder. Stop that server, or "
            "set VAULTCRM_HOME to another folder."
        )
    return ""
