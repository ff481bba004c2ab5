import asyncio
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from uuid import UUID

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from tests.support.databases import Databases
from vaultcrm.db.pool import check_reachable, open_pool
from vaultcrm.domain.errors import DatabaseUnavailable

pytestmark = pytest.mark.anyio


async def test_connections_commit_by_themselves(empty_database_url: str) -> None:
    async with await open_pool(empty_database_url, 2) as pool, pool.connection() as connection:
        await connection.execute("CREATE TABLE kept AS SELECT 1 AS number")
        async with pool.connection() as another:
            cursor = await another.execute("SELECT number FROM kept")
            assert await cursor.fetchone() == (1,)


async def test_values_come_as_their_python_types_and_times_in_utc(database_url: str) -> None:
    question = """SELECT '2026-11-01T12:00:00+02:00'::timestamptz, '{"a": [1]}'::jsonb,
                         '01890a5d-ac96-774b-bcce-b302099a8057'::uuid"""
    with psycopg.connect(database_url, autocommit=True) as elsewhere:
        database = Identifier(elsewhere.info.dbname)
        elsewhere.execute(SQL("ALTER DATABASE {} SET timezone = 'Asia/Tokyo'").format(database))
    async with await open_pool(database_url, 1) as pool, pool.connection() as connection:
        row = await (await connection.execute(question)).fetchone()
        assert row is not None
        moment, document, identity = row
        assert (moment, moment.tzinfo) == (datetime(2026, 11, 1, 10, tzinfo=UTC), UTC)
        assert document == {"a": [1]}
        assert identity == UUID("01890a5d-ac96-774b-bcce-b302099a8057")


@pytest.mark.parametrize(("behind_pgbouncer", "prepared"), [(False, 1), (True, 0)])
async def test_repeated_statements_are_prepared_except_behind_pgbouncer(
    database_url: str, behind_pgbouncer: bool, prepared: int
) -> None:
    opening = open_pool(database_url, 1, pooled_by_bouncer=behind_pgbouncer)
    async with await opening as pool, pool.connection() as connection:
        for number in range(4):
            await connection.execute("SELECT %s::int AS repeated", (number,))
        count = "SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE %s"
        row = await (await connection.execute(count, ("%repeated%",))).fetchone()
        assert row == (prepared,)


async def test_a_pool_never_opens_more_connections_than_its_size(database_url: str) -> None:
    async with await open_pool(database_url, 2) as pool, pool.connection(), pool.connection():
        with pytest.raises(psycopg.OperationalError):
            async with pool.connection(timeout=0.2):
                pass


async def test_connections_can_be_told_from_others_in_the_servers_list(database_url: str) -> None:
    question = "SELECT application_name FROM pg_stat_activity WHERE pid = pg_backend_pid()"
    async with await open_pool(database_url, 1) as pool, pool.connection() as connection:
        assert await (await connection.execute(question)).fetchone() == ("vaultcrm",)


async def test_opening_a_pool_on_nothing_says_so_at_once(closed_port: int) -> None:
    with pytest.raises(DatabaseUnavailable, match=r"Connection refused.* Start the server"):
        await open_pool(f"postgresql://127.0.0.1:{closed_port}/vaultcrm", 2)


def test_the_servers_version_is_given_as_libpq_counts_it(database_url: str) -> None:
    assert check_reachable(database_url) >= 150000


def refusal(url: str) -> str:
    with pytest.raises(DatabaseUnavailable) as refused:
        check_reachable(url)
    return str(refused.value)


def test_a_refused_connection_names_the_place_and_the_way_out(closed_port: int) -> None:
    said = refusal(f"postgresql://u:hidden@127.0.0.1:{closed_port}/vaultcrm")
    assert f"127.0.0.1, port {closed_port}, database vaultcrm" in said
    assert "Start the server" in said
    assert "hidden" not in said


def test_a_missing_socket_says_that_the_server_must_be_started() -> None:
    assert "Start the server" in refusal("postgresql://postgres@/vaultcrm?host=%2Fnowhere")


def test_an_unknown_database_says_how_to_make_it(database_server: Databases) -> None:
    with database_server.fresh(migrated=False) as gone:
        pass
    assert "CREATE DATABASE" in refusal(gone)


def test_a_wrong_password_is_said_and_not_shown() -> None:
    with stub_server(error=b"password authentication failed for user") as port:
        said = refusal(f"postgresql://u:hidden@127.0.0.1:{port}/vaultcrm?sslmode=disable")
    assert "Correct user and password in DATABASE_URL" in said
    assert "hidden" not in said


def test_a_server_older_than_15_is_refused_by_its_version() -> None:
    with stub_server(version=b"14.22") as port:
        said = refusal(f"postgresql://u@127.0.0.1:{port}/vaultcrm?sslmode=disable")
    assert "is PostgreSQL 14" in said
    assert "PostgreSQL 15 or newer" in said


@pytest.mark.parametrize("address", ["nonsense", "postgresql+psycopg://u:hidden@h/x", "http://h"])
def test_what_is_no_address_is_answered_with_the_form_of_one(address: str) -> None:
    said = refusal(address)
    assert "postgresql://user:password@host:5432/database" in said
    assert "hidden" not in said


def test_an_at_sign_in_a_password_is_explained_and_no_part_of_it_shown() -> None:
    said = refusal("postgresql://u:first@second@127.0.0.1/vaultcrm")
    assert "%40" in said
    assert "first" not in said
    assert "second" not in said


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port that is bound, so that nobody else gets it, and that nobody listens on."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


@contextmanager
def stub_server(*, version: bytes = b"18.4", error: bytes | None = None) -> Iterator[int]:
    """A loopback server that speaks PostgreSQL's protocol as far as the end of the login."""

    def packet(kind: bytes, body: bytes) -> bytes:
        return kind + struct.pack("!i", len(body) + 4) + body

    if error is not None:
        fields = b"SFATAL\0VFATAL\0C28P01\0M" + error + b"\0\0"
        answer = packet(b"E", fields)
    else:
        parameters = {b"server_version": version, b"client_encoding": b"UTF8"}
        answer = (
            packet(b"R", struct.pack("!i", 0))
            + b"".join(packet(b"S", k + b"\0" + v + b"\0") for k, v in parameters.items())
            + packet(b"Z", b"I")
        )

    def serve(listener: socket.socket) -> None:
        client, _ = listener.accept()
        with client:
            client.recv(4096)
            client.sendall(answer)
            client.recv(4096)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(10)
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        yield listener.getsockname()[1]
        thread.join()


async def test_each_connection_that_cannot_be_made_is_told_of(
    database_server: Databases, database_url: str
) -> None:
    failures: list[bool] = []
    told = asyncio.Event()

    def on_failure() -> None:
        failures.append(True)
        told.set()

    async with await open_pool(database_url, 2, on_failure=on_failure) as pool:
        async with pool.connection() as connection:
            name = connection.info.dbname
        assert failures == []
        with psycopg.connect(database_server.url, autocommit=True) as elsewhere:
            elsewhere.execute(
                SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false").format(Identifier(name))
            )
            elsewhere.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name]
            )
        with pytest.raises(psycopg.OperationalError):
            async with pool.connection(timeout=5) as connection:
                await connection.execute("SELECT 1")
        async with asyncio.timeout(30):
            await told.wait()
        assert failures
