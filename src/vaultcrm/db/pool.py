"""Connections: one pool a process, each connection in autocommit mode and in UTC."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Self

import psycopg
from psycopg.abc import ConnDict
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from vaultcrm.db.pending import Connection
from vaultcrm.db.roles import act_as_application
from vaultcrm.db.row_scope import ScopedConnection, put_scope
from vaultcrm.domain.errors import DatabaseUnavailable

OLDEST_SERVER = 150000
"""PostgreSQL 15, in libpq's numbers."""

_CONNECT_SECONDS = 5
_FILL_SECONDS = 15
_IDLE_CONNECTIONS = 4

# What libpq or the server says, and what to do about it. The first that is found counts.
_ADVICE = (
    ("Connection refused", "Start the server, or correct host and port in DATABASE_URL."),
    ("No such file or directory", "Start the server, or correct the socket in DATABASE_URL."),
    ("failed to resolve host", "Correct the host in DATABASE_URL."),
    ("timeout", "See that the server is up and that no firewall stands in between."),
    ("authentication failed", "Correct user and password in DATABASE_URL."),
    ("no password supplied", "Write the password into DATABASE_URL."),
    ("no pg_hba.conf entry", "Allow this machine and user in the server's pg_hba.conf."),
    ('role "', "Correct the user in DATABASE_URL, or make it with CREATE ROLE."),
    ('database "', "Correct the database's name in DATABASE_URL, or make it with CREATE DATABASE."),
    ("the database system is", "Wait until the server has started, and try again."),
    ("too many clients", "Lower DATABASE_POOL_SIZE, or raise the server's max_connections."),
    ("remaining connection slots", "Lower DATABASE_POOL_SIZE, or raise max_connections."),
)


class ScopedPool(AsyncConnectionPool[Connection]):
    """A pool whose connections show whoever takes one the rows of their own creators, and no more.

    What a connection showed before is replaced before it is given, by a statement of its own where
    it differs (`vaultcrm.db.row_scope`).
    """

    async def getconn(self, timeout: float | None = None) -> Connection:  # noqa: ASYNC109 -- the pool's own
        connection = await super().getconn(timeout)
        try:
            await put_scope(connection)
        except BaseException:
            await self.putconn(connection)
            raise
        return connection

    @asynccontextmanager
    async def unscoped(self) -> AsyncIterator[Connection]:
        """A connection that shows what its last user saw. For two kinds of statements only: those
        over tables without creators, that find out who asks, and those that bring a scope along.
        """
        connection = await super().getconn()
        try:
            async with connection:
                yield connection
        finally:
            await self.putconn(connection)


async def open_pool(
    url: str,
    size: int,
    *,
    pooled_by_bouncer: bool = False,
    on_failure: Callable[[], None] | None = None,
) -> ScopedPool:
    """An open pool of at most `size` connections, to be closed by the caller.

    Connections are in autocommit mode (transactions are opened where they are needed), prepare a
    statement when it comes the second time, read times in UTC, and work in the application's role
    where that is set up (`vaultcrm.db.roles`). `pooled_by_bouncer`: the URL
    leads to PgBouncer in transaction mode, where a prepared statement may meet another server
    connection, so none is prepared. `on_failure` is called each time that a connection cannot be
    made later on. Raises `DatabaseUnavailable`.
    """
    await asyncio.to_thread(check_reachable, url)
    pool = ScopedPool(
        connect_string(url),
        open=False,
        min_size=min(_IDLE_CONNECTIONS, size),
        max_size=size,
        # Statements and no start-up options: PgBouncer takes the one and refuses the other.
        configure=act_as_application,
        connection_class=_telling_of_failures(on_failure) if on_failure else ScopedConnection,
        name="vaultcrm",
        kwargs={
            "autocommit": True,
            "prepare_threshold": None if pooled_by_bouncer else 1,
        },
    )
    try:
        await pool.open(wait=True, timeout=_FILL_SECONDS)
    except PoolTimeout as error:
        raise DatabaseUnavailable(
            f"The database at {_place(url)} answers, but did not give {pool.min_size} connections "
            f"in {_FILL_SECONDS} seconds. Lower DATABASE_POOL_SIZE, or raise the server's "
            "max_connections."
        ) from error
    return pool


def _telling_of_failures(on_failure: Callable[[], None]) -> type[ScopedConnection]:
    """Connections whose making, when it fails, is told of: the pool itself only logs it."""

    class Telling(ScopedConnection):
        @classmethod
        async def connect(cls, *arguments: Any, **named: Any) -> Self:
            try:
                return await super().connect(*arguments, **named)
            except psycopg.OperationalError:
                on_failure()
                raise

    return Telling


def check_reachable(url: str) -> int:
    """The server's version as libpq counts it (18.4 is 180004). Blocks for at most some seconds.

    Raises `DatabaseUnavailable` when nothing answers, the login is refused, or the server is older
    than `OLDEST_SERVER`.
    """
    with connect(url) as connection:
        version = connection.info.server_version
    if version < OLDEST_SERVER:
        raise DatabaseUnavailable(
            f"The server at {_place(url)} is PostgreSQL {version // 10000}. VaultCRM needs "
            f"PostgreSQL {OLDEST_SERVER // 10000} or newer: upgrade it, or name another server in "
            "DATABASE_URL."
        )
    return version


def connect(url: str) -> psycopg.Connection:
    """One blocking connection in autocommit mode, for what runs before there is a pool.

    Raises `DatabaseUnavailable`, whose text says why and what to do, and holds no password.
    """
    try:
        return psycopg.connect(connect_string(url), autocommit=True)
    except psycopg.OperationalError as error:
        said = (str(error).strip().splitlines() or ["no reason given"])[0]
        said = said.removeprefix("connection failed: ")
        advice = next((advice for sign, advice in _ADVICE if sign in said), "Check DATABASE_URL.")
        raise DatabaseUnavailable(
            f"The database at {_place(url)} cannot be reached: {said}. {advice}"
        ) from error


def connect_string(url: str) -> str:
    """The URL as a libpq string, with a time limit and an application name unless it has its own.

    Raises `DatabaseUnavailable` when it is not an address.
    """
    timeout = _parts(url).get("connect_timeout", _CONNECT_SECONDS)
    return make_conninfo(url, fallback_application_name="vaultcrm", connect_timeout=timeout)


def _place(url: str) -> str:
    parts = _parts(url)
    host = parts.get("host") or parts.get("hostaddr") or "the local socket"
    return f"{host}, port {parts.get('port', 5432)}, database {parts.get('dbname', '(none named)')}"


def _parts(url: str) -> ConnDict:
    try:
        parts = conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        # Not chained: libpq quotes the address, password and all.
        raise DatabaseUnavailable(
            "DATABASE_URL is not an address of the form "
            "postgresql://user:password@host:5432/database. Special characters in user and "
            "password are written as %40 (for @), %3A (:), %2F (/), %23 (#), %25 (%)."
        ) from None
    if "@" in str(parts.get("host") or "")[1:]:
        raise DatabaseUnavailable(
            "The user or the password in DATABASE_URL holds an @. Write it as %40."
        )
    return parts
