"""Databases for tests: one server a test run, and a fresh copy of a migrated template a test.

With TEST_DATABASE_URL set, the server is that one (its user must be allowed to create databases);
else an embedded server is started, which all pytest-xdist workers of the run share.
"""

import fcntl
import os
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
from psycopg.sql import SQL, Identifier

from vaultcrm.db import migrate
from vaultcrm.db.embedded import start_embedded, stop_if_unused
from vaultcrm.domain.errors import DatabaseUnavailable

EXTERNAL = os.environ.get("TEST_DATABASE_URL") or None

_PREFIX = "vaultcrm-tests-"
_MEMORY = Path("/dev/shm")  # noqa: S108 - folders in it are made by mkdtemp
_DISK = Path("/tmp")  # noqa: S108 - folders in it are made by mkdtemp
_ROOM_BYTES = 2 * 1024**3
_YOUNG_SECONDS = 60
_TEMPLATE_LOCK = 7_033_401


@dataclass(frozen=True, slots=True)
class Run:
    """One test run: `folder` holds the homes of its servers, `template` is a database's name."""

    folder: Path
    template: str

    @property
    def home(self) -> Path:
        """The home of the server that the run's workers share."""
        return self.folder / "shared"


@contextmanager
def new_run() -> Iterator[Run]:
    """A folder and a template's name for this run; afterwards both are gone, with all servers."""
    _remove_abandoned()
    folder = _new_folder()
    run = Run(folder, f"vaultcrm_template_{secrets.token_hex(4)}")
    with _held(folder, fcntl.LOCK_SH):
        try:
            yield run
        finally:
            if EXTERNAL is not None:
                with psycopg.connect(EXTERNAL, autocommit=True) as connection:
                    _drop(connection, run.template)
            _remove(folder)


def _new_folder() -> Path:
    # Not pytest's own folders: those are closed to the user that a server runs as. In memory where
    # there is room: making a database takes 10 ms there, and 70 to 180 ms on a disk.
    in_memory = _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > _ROOM_BYTES
    return Path(tempfile.mkdtemp(prefix=_PREFIX, dir=_MEMORY if in_memory else _DISK))


def _remove(folder: Path) -> None:
    for home in folder.iterdir():
        stop_if_unused(home)
    shutil.rmtree(folder)


def _remove_abandoned() -> None:
    """Stop and remove what runs that were killed have left."""
    for folder in [*_MEMORY.glob(f"{_PREFIX}*"), *_DISK.glob(f"{_PREFIX}*")]:
        # Another run may be doing the same at this moment, or hold the folder.
        with suppress(OSError, DatabaseUnavailable):
            facts = folder.stat()
            if facts.st_uid == os.geteuid() and time.time() - facts.st_mtime > _YOUNG_SECONDS:
                with _held(folder, fcntl.LOCK_EX):
                    _remove(folder)


@contextmanager
def _held(folder: Path, kind: int) -> Iterator[None]:
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, kind | fcntl.LOCK_NB)
        yield
    finally:
        os.close(handle)


@contextmanager
def new_home(run: Run) -> Iterator[Path]:
    """An empty home for a server of one test, which is stopped and removed afterwards."""
    home = Path(tempfile.mkdtemp(dir=run.folder))
    try:
        yield home
    finally:
        stop_if_unused(home)
        shutil.rmtree(home)


@dataclass(frozen=True, slots=True)
class Databases:
    """Makes databases on the server of `url`."""

    url: str
    template: str
    strategy: str
    _connection: psycopg.Connection

    @contextmanager
    def fresh(self, *, migrated: bool = True) -> Iterator[str]:
        """The URL of a new database, with the newest schema or empty; dropped afterwards."""
        name = f"vaultcrm_test_{secrets.token_hex(6)}"
        template = self.template if migrated else "template1"
        command = SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY {}")
        self._connection.execute(
            command.format(Identifier(name), Identifier(template), Identifier(self.strategy))
        )
        try:
            yield _url(self.url, name)
        finally:
            _drop(self._connection, name)


@contextmanager
def databases(run: Run) -> Iterator[Databases]:
    """The run's server, its template ready. All workers of a run may enter this at once."""
    if EXTERNAL is not None:
        with _prepared(EXTERNAL, run, strategy="wal_log") as prepared:
            yield prepared
        return
    # Copying files needs a checkpoint, which costs little where nothing is forced to a disk.
    with (
        start_embedded(run.home, durable=False) as server,
        _prepared(server.url("postgres"), run, strategy="file_copy") as prepared,
    ):
        yield prepared


@contextmanager
def _prepared(url: str, run: Run, *, strategy: str) -> Iterator[Databases]:
    with psycopg.connect(url, autocommit=True) as connection:
        _ensure_template(connection, url, run.template)
        yield Databases(url, run.template, strategy, connection)


def _ensure_template(connection: psycopg.Connection, url: str, template: str) -> None:
    connection.execute("SELECT pg_advisory_lock(%s)", (_TEMPLATE_LOCK,))
    known = "SELECT 1 FROM pg_database WHERE datname = %s"
    if connection.execute(known, (template,)).fetchone() is None:
        # Renamed when it is complete, as its name is what the other workers look for.
        unfinished = f"{template}_new"
        _drop(connection, unfinished)
        connection.execute(SQL("CREATE DATABASE {}").format(Identifier(unfinished)))
        try:
            migrate.upgrade(_url(url, unfinished))
        except BaseException:
            _drop(connection, unfinished)
            raise
        rename = SQL("ALTER DATABASE {} RENAME TO {}")
        connection.execute(rename.format(Identifier(unfinished), Identifier(template)))
    connection.execute("SELECT pg_advisory_unlock(%s)", (_TEMPLATE_LOCK,))


def _drop(connection: psycopg.Connection, name: str) -> None:
    connection.execute(SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(Identifier(name)))


def _url(server: str, database: str) -> str:
    return urlsplit(server)._replace(path=f"/{database}").geturl()
