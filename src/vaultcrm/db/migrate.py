"""Bring a database's schema up to what this release needs, once, however many processes start.

Revisions are files in `migrations/versions/`, applied by Alembic. All functions block. They connect
to the server directly, not through PgBouncer: the lock belongs to a session.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import psycopg
import sqlalchemy
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError

from vaultcrm.db.pool import check_reachable, connect, connect_string
from vaultcrm.db.role_setup import ensure_application_role
from vaultcrm.db.row_security import ensure_row_security
from vaultcrm.domain.errors import DatabaseUnavailable

_LOCK_KEY = int.from_bytes(b"vaultcrm", "big")
_WAIT_SECONDS = 600

# Alembic keeps what it is running in module globals.
_one_at_a_time = threading.Lock()


def upgrade(url: str) -> list[str]:
    """Apply what is missing and return the ids of the revisions applied, oldest first.

    The application's role has its rights afterwards, and every tenant table its policies, where the
    login may give them.
    Every revision is a transaction of its own: after an error the ones before it stay. Of several
    processes one applies them; the others wait for it and return an empty list. Raises
    `DatabaseUnavailable` when the database cannot be reached, was migrated by a newer release, or
    is being migrated for longer than ten minutes; what a revision's SQL raises comes through.
    """
    check_reachable(url)
    if not pending(url):
        ensure_row_security(url)
        ensure_application_role(url)
        return []
    applied: list[str] = []
    config = _config()
    with _one_at_a_time, _alone(url):
        if not pending(url):
            return []
        engine = sqlalchemy.create_engine(
            "postgresql+psycopg://",
            # psycopg reads the URL itself: SQLAlchemy knows fewer forms of it.
            creator=lambda: psycopg.connect(connect_string(url)),
            poolclass=sqlalchemy.NullPool,
            # A % in a revision's SQL is a % and no placeholder.
            execution_options={"no_parameters": True},
        )
        with engine.connect() as connection:
            config.attributes.update(connection=connection, applied=applied)
            command.upgrade(config, "head")
        ensure_row_security(url)
        ensure_application_role(url)
    return applied


def current(url: str) -> str | None:
    """The revision that the database is at; None for a database without a schema of ours."""
    with connect(url) as connection:
        return _current(connection)


@cache
def head() -> str:
    """The revision that this release needs. Raises `RuntimeError` when the package holds none."""
    newest = _scripts().get_current_head()
    if newest is None:
        raise RuntimeError("The package holds no migrations: it was built without them.")
    return newest


def is_known(revision: str) -> bool:
    """Whether this release can bring a database of that revision up to what it needs."""
    try:
        return bool(_scripts().get_revisions(revision))
    except CommandError:
        return False


def pending(url: str) -> list[str]:
    """The ids of the revisions that the database still needs, in the order of their application.

    Raises `DatabaseUnavailable` when the database is at a revision that this release does not know.
    """
    at = current(url)
    newest = head()
    if at == newest:
        return []
    scripts = _scripts()
    try:
        scripts.get_revisions(at or ())
    except CommandError as error:
        raise DatabaseUnavailable(
            f"The database is at revision {at}, which this release of VaultCRM does not know: a "
            "newer release has migrated it. Install that release, or restore a backup from before."
        ) from error
    return [script.revision for script in scripts.iterate_revisions(newest, at or "base")][::-1]


def _current(connection: psycopg.Connection) -> str | None:
    row = connection.execute("SELECT to_regclass('alembic_version')").fetchone()
    if row is None or row[0] is None:
        return None
    row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return None if row is None else str(row[0])


@contextmanager
def _alone(url: str) -> Iterator[None]:
    with connect(url) as connection:
        deadline = time.monotonic() + _WAIT_SECONDS
        # Asked again and again: a statement that waits for the lock would hold a snapshot, which
        # CREATE INDEX CONCURRENTLY in the migration would wait for in turn.
        while True:
            row = connection.execute("SELECT pg_try_advisory_lock(%s)", (_LOCK_KEY,)).fetchone()
            if row == (True,):
                break
            if time.monotonic() > deadline:
                raise DatabaseUnavailable(
                    f"Another process has been migrating the database for {_WAIT_SECONDS} seconds. "
                    "Look at it in pg_stat_activity, end it if it hangs, and try again."
                )
            time.sleep(0.1)
        yield


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", "vaultcrm.db:migrations")
    config.set_main_option("path_separator", "os")
    return config


def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config())
