"""The second wall: PostgreSQL itself shows and takes nobody's rows but those of one's own creators.

Every tenant table is tried, those of later releases too: rows are made up from the columns that a
table has, in a database whose constraints but policies are taken down.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg.sql import SQL, Composed, Identifier
from psycopg.types.json import Jsonb

from tests.support.databases import EXTERNAL, Databases
from vaultcrm.db import migrate
from vaultcrm.db.backups.restoring import restore_backup
from vaultcrm.db.backups.writing import Labels, write_backup
from vaultcrm.db.pending import Connection
from vaultcrm.db.pool import ScopedPool, open_pool
from vaultcrm.db.role_setup import let_application_log_in
from vaultcrm.db.roles import ADD_ONLY, APPLICATION_ROLE
from vaultcrm.db.row_scope import (
    EVERYTHING,
    NOTHING,
    SEE,
    put_scope_in_transaction,
    scope_of_creators,
    scope_travels,
    seeing,
)
from vaultcrm.db.row_security import (
    INSTALLATION_ROWS,
    Wall,
    ensure_row_security,
    see_wall,
    tables_without_policy,
)
from vaultcrm.db.tables import TENANT_TABLES
from vaultcrm.domain.errors import BackupFailed
from vaultcrm.domain.ids import NIL, new_id

pytestmark = pytest.mark.anyio

MINE, THEIRS = UUID(int=0xA), UUID(int=0xB)
ONLY_MINE = scope_of_creators(frozenset({MINE}))
TABLES = sorted(TENANT_TABLES)
LABELS = Labels("1.2.3", "0123456789abcdef", datetime(2026, 11, 22, 12, tzinfo=UTC))
BREAKS_THE_POLICY = "row-level security"

_CONSTRAINTS = """
    SELECT conrelid::regclass::text, conname FROM pg_constraint
    WHERE conrelid = ANY(%(tables)s::regclass[]) AND contype IN ('c', 'f', 'u')
    ORDER BY contype = 'u'
"""
_UNIQUE_INDEXES = """
    SELECT indexrelid::regclass::text FROM pg_index
    WHERE indrelid = ANY(%(tables)s::regclass[]) AND indisunique AND NOT indisprimary
"""
_COLUMNS = """
    SELECT column_name, data_type FROM information_schema.columns
    WHERE table_schema = 'public' AND table_name = %(table)s AND is_nullable = 'NO'
"""
_MADE_UP: dict[str, Any] = {
    "uuid": "01890a5d-ac96-774b-bcce-b302099a8057",
    "text": "x",
    "boolean": True,
    "timestamp with time zone": "2026-11-01T10:00:00Z",
    "jsonb": {},
    "ARRAY": [],
    "bytea": "\\x00",
}


@pytest.fixture(scope="module")
def walled(database_server: Databases) -> Iterator[str]:
    """A database with a row of each of two creators in every tenant table."""
    with database_server.fresh() as url:
        with psycopg.connect(url, autocommit=True) as owner:
            for table, name in owner.execute(_CONSTRAINTS, {"tables": TABLES}).fetchall():
                owner.execute(f'ALTER TABLE {table} DROP CONSTRAINT IF EXISTS "{name}" CASCADE')
            for (index,) in owner.execute(_UNIQUE_INDEXES, {"tables": TABLES}).fetchall():
                owner.execute(f"DROP INDEX {index}")
            for table in TABLES:
                for creator_id in (MINE, THEIRS):
                    owner.execute(_insert(table), (_row(owner, table, creator_id),))
        yield url


def _row(connection: psycopg.Connection, table: str, creator_id: UUID) -> Jsonb:
    columns = connection.execute(_COLUMNS, {"table": table}).fetchall()
    made_up = {name: _MADE_UP.get(kind, 1) for name, kind in columns}
    return Jsonb({**made_up, "creator_id": str(creator_id), "id": str(new_id())})


def _insert(table: str) -> Composed:
    statement = SQL("INSERT INTO {0} SELECT * FROM jsonb_populate_record(NULL::{0}, %s)")
    return statement.format(Identifier(table))


@pytest.fixture
def application(walled: str) -> Iterator[psycopg.Connection]:
    """In the application's role and with nobody's rows in sight; nothing is kept."""
    with psycopg.connect(walled) as connection:
        connection.execute(SQL("SET ROLE {}").format(Identifier(APPLICATION_ROLE)))
        yield connection
        connection.rollback()


def _owners(connection: psycopg.Connection, table: str) -> set[UUID]:
    found = connection.execute(SQL("SELECT creator_id FROM {}").format(Identifier(table)))
    return {row[0] for row in found}


def _refusal(connection: psycopg.Connection, statement: Composed, *params: Any) -> str:
    """What the database says against a statement; empty where it lets it through."""
    try:
        with connection.transaction(force_rollback=True):
            connection.execute(statement, params)
    except psycopg.errors.InsufficientPrivilege as error:
        return str(error)
    return ""


def test_a_statement_without_a_filter_sees_the_own_creators_rows_in_every_table(
    application: psycopg.Connection,
) -> None:
    application.execute(SEE, (ONLY_MINE,))
    assert [table for table in TABLES if _owners(application, table) != {MINE}] == []
    application.execute(SEE, (EVERYTHING,))
    assert [table for table in TABLES if _owners(application, table) != {MINE, THEIRS}] == []


def test_a_statement_without_a_filter_changes_and_deletes_the_own_creators_rows_alone(
    application: psycopg.Connection,
) -> None:
    application.execute(SEE, (ONLY_MINE,))
    touched = {}
    for table in sorted(TENANT_TABLES - set(ADD_ONLY)):
        for deed in ("UPDATE {} SET id = id RETURNING creator_id", "DELETE FROM {} RETURNING *"):
            with application.transaction(force_rollback=True):
                cursor = application.execute(SQL(deed).format(Identifier(table)))
                touched[table, deed] = cursor.rowcount
    assert set(touched.values()) == {1}


def test_no_row_of_a_foreign_creator_is_added_or_given_away_in_any_table(
    application: psycopg.Connection,
) -> None:
    application.execute(SEE, (ONLY_MINE,))
    for table in TABLES:
        foreign = _row(application, table, THEIRS)
        assert BREAKS_THE_POLICY in _refusal(application, _insert(table), foreign), table
        assert _refusal(application, _insert(table), _row(application, table, MINE)) == "", table
        if table not in ADD_ONLY:
            give = SQL("UPDATE {} SET creator_id = %s").format(Identifier(table))
            assert BREAKS_THE_POLICY in _refusal(application, give, THEIRS), table


@pytest.mark.parametrize("scope", [None, NOTHING])
def test_whoever_has_not_said_whose_rows_sees_and_adds_none(
    application: psycopg.Connection, scope: str | None
) -> None:
    if scope is not None:
        application.execute(SEE, (scope,))
    for table in [*TABLES, "fans_to_find", "conversations_to_list"]:
        assert _owners(application, table) == set(), table
    for table in TABLES:
        for owner in (MINE, NIL):
            refusal = _refusal(application, _insert(table), _row(application, table, owner))
            # What happens to the installation is written down also before somebody has signed in.
            free = table == "audit_log" and owner == NIL
            assert (BREAKS_THE_POLICY in refusal) is not free, table


def test_the_installations_own_rows_are_added_by_everybody_and_read_by_few(
    application: psycopg.Connection,
) -> None:
    application.execute(SEE, (ONLY_MINE,))
    for table in set(INSTALLATION_ROWS) - {"confidence_models"}:
        assert _refusal(application, _insert(table), _row(application, table, NIL)) == "", table
    application.execute(_insert("audit_log"), (_row(application, "audit_log", NIL),))
    assert _owners(application, "audit_log") == {MINE}
    application.execute(SEE, (scope_of_creators(frozenset({MINE, NIL})),))
    assert _owners(application, "audit_log") == {MINE, NIL}


def test_how_well_scores_are_kept_over_all_creators_is_read_by_whoever_is_known_and_not_added(
    application: psycopg.Connection,
) -> None:
    table = "confidence_models"
    application.execute(SEE, (EVERYTHING,))
    application.execute(_insert(table), (_row(application, table, NIL),))
    application.execute(SEE, (ONLY_MINE,))
    assert _owners(application, table) == {MINE, NIL}
    refusal = _refusal(application, _insert(table), _row(application, table, NIL))
    assert BREAKS_THE_POLICY in refusal
    application.execute(SEE, (NOTHING,))
    assert _owners(application, table) == set()


@pytest.mark.parametrize(
    ("view", "table"), [("fans_to_find", "fans"), ("conversations_to_list", "conversations")]
)
def test_what_is_searched_and_paged_over_is_walled_too_and_only_read(
    application: psycopg.Connection, view: str, table: str
) -> None:
    application.execute(SEE, (ONLY_MINE,))
    assert _owners(application, view) == {MINE}
    application.execute(SEE, (EVERYTHING,))
    assert _owners(application, view) == {MINE, THEIRS}
    for deed in ("UPDATE {} SET creator_id = creator_id", "DELETE FROM {}"):
        refusal = _refusal(application, SQL(deed).format(Identifier(view)))
        assert "permission denied" in refusal
    assert "permission denied" in _refusal(application, _insert(view), Jsonb({}))
    application.execute("SET ROLE NONE")
    assert _owners(application, view) == _owners(application, table)


@pytest.fixture
async def pool(walled: str) -> AsyncIterator[ScopedPool]:
    """Few connections for many, so that each is handed on all the time."""
    async with await open_pool(walled, 3) as opened:
        yield opened


async def _seen(connection: Connection) -> frozenset[UUID]:
    cursor = await connection.execute("SELECT creator_id FROM messages")
    return frozenset(row[0] for row in await cursor.fetchall())


SCOPES = {
    NOTHING: frozenset[UUID](),
    ONLY_MINE: frozenset({MINE}),
    scope_of_creators(frozenset({THEIRS})): frozenset({THEIRS}),
    scope_of_creators(frozenset()): frozenset[UUID](),
    EVERYTHING: frozenset({MINE, THEIRS}),
}


async def test_a_connection_never_shows_its_next_user_what_its_last_one_saw(
    pool: ScopedPool,
) -> None:
    chance = random.Random(7)  # noqa: S311 -- an order, no secret
    seen: list[tuple[str, str, frozenset[UUID]]] = []

    async def plainly(scope: str) -> None:
        async with pool.connection() as connection:
            seen.append(("plainly", scope, await _seen(connection)))
            await asyncio.sleep(0)
            seen.append(("again", scope, await _seen(connection)))

    async def in_a_transaction_that_fails(scope: str) -> None:
        async with pool.connection() as connection:
            with suppress(psycopg.errors.DivisionByZero):
                async with connection.transaction():
                    seen.append(("within", scope, await _seen(connection)))
                    await connection.execute("SELECT 1 / 0")
            seen.append(("after it", scope, await _seen(connection)))

    async def in_a_pipeline(scope: str) -> None:
        async with pool.unscoped() as connection, connection.pipeline():
            await put_scope_in_transaction(connection)
            seen.append(("piped", scope, await _seen(connection)))

    async def in_a_pipeline_that_fails(scope: str) -> None:
        with suppress(psycopg.errors.DivisionByZero):
            async with pool.unscoped() as connection, scope_travels(connection):
                await connection.execute("SELECT 1 / 0")

    async def travelling(scope: str) -> None:
        async with pool.unscoped() as connection:
            async with scope_travels(connection):
                cursor = await connection.execute("SELECT creator_id FROM messages")
            found = frozenset(row[0] for row in await cursor.fetchall())
            seen.append(("travelling", scope, found))
            seen.append(("travelled", scope, await _seen(connection)))

    async def until_it_is_cancelled(scope: str) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(chance.random() / 1000):
                await plainly(scope)

    ways = (
        plainly,
        in_a_transaction_that_fails,
        in_a_pipeline,
        in_a_pipeline_that_fails,
        travelling,
        until_it_is_cancelled,
    )

    async def somebody(scope: str) -> None:
        with seeing(scope):
            for _ in range(4):
                await chance.choice(ways)(scope)

    people = [somebody(scope) for scope in SCOPES for _ in range(12)]
    chance.shuffle(people)
    await asyncio.gather(*people)
    wrong = [(way, scope, found) for way, scope, found in seen if found != SCOPES[scope]]
    assert wrong == []
    assert {way for way, _, _ in seen} >= {"plainly", "after it", "piped", "travelling"}


async def test_whoever_comes_again_costs_no_statement(pool: ScopedPool) -> None:
    with seeing(ONLY_MINE):
        for _ in range(8):
            async with pool.connection() as connection:
                assert await _seen(connection) == {MINE}
        async with pool.connection() as connection:
            statement = """SELECT generic_plans + custom_plans FROM pg_prepared_statements
                           WHERE statement LIKE '%%set_config%%vaultcrm%%'"""
            cursor = await connection.execute(statement)
            assert sum(row[0] for row in await cursor.fetchall()) == 0


def trusted(url: str) -> str:
    """The same database as the application's role, on a server that asks for no password."""
    if EXTERNAL is not None:
        pytest.skip("the server of TEST_DATABASE_URL may ask the role for a password")
    return let_application_log_in(url)


def test_a_policy_that_is_missing_is_put_up_by_the_next_start(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as owner:
        owner.execute("DROP POLICY vaultcrm_creators_1 ON messages")
        owner.execute("ALTER TABLE fans DISABLE ROW LEVEL SECURITY")
        owner.execute("DROP POLICY vaultcrm_installation_1 ON audit_log")
        # As a table looks that a later revision has brought.
        owner.execute("DROP TABLE judgements CASCADE")
        owner.execute("CREATE TABLE judgements (creator_id uuid NOT NULL, id uuid NOT NULL)")
        lost = ["audit_log", "fans", "judgements", "messages"]
        assert tables_without_policy(owner) == lost
        assert migrate.upgrade(database_url) == []
        assert tables_without_policy(owner) == []


def test_a_login_that_owns_nothing_puts_up_no_policy_and_says_so(database_url: str) -> None:
    mine = trusted(database_url)
    with psycopg.connect(database_url, autocommit=True) as owner:
        owner.execute("ALTER TABLE fans DISABLE ROW LEVEL SECURITY")
    assert not ensure_row_security(mine)
    assert ensure_row_security(database_url)
    assert ensure_row_security(mine)


def test_it_is_told_whether_the_application_is_bound(database_url: str) -> None:
    assert see_wall(database_url) == Wall(APPLICATION_ROLE, is_bound=True, without=())
    with psycopg.connect(database_url, autocommit=True) as owner:
        owner.execute("ALTER TABLE fans DISABLE ROW LEVEL SECURITY")
        assert see_wall(database_url).without == ("fans",)
        # As where nobody may make the role.
        owner.execute(f"REVOKE INSERT ON audit_log FROM {APPLICATION_ROLE}".encode())
    wall = see_wall(database_url)
    assert (wall.role != APPLICATION_ROLE, wall.is_bound) == (True, False)


def test_a_backup_holds_every_creators_rows_or_is_refused(
    database_server: Databases, walled: str, tmp_path: Path
) -> None:
    with pytest.raises(BackupFailed, match="owner"):
        write_backup(trusted(walled), tmp_path / "partial.backup", LABELS)
    assert list(tmp_path.iterdir()) == []
    whole = write_backup(walled, tmp_path / "whole.backup", LABELS)
    assert {whole.tables[table].rows for table in TABLES} == {2}
    with database_server.fresh(migrated=False) as url:
        assert restore_backup(url, tmp_path / "whole.backup", LABELS).manifest == whole
        with psycopg.connect(url) as connection:
            assert tables_without_policy(connection) == []
            connection.execute(SQL("SET ROLE {}").format(Identifier(APPLICATION_ROLE)))
            connection.execute(SEE, (ONLY_MINE,))
            assert _owners(connection, "messages") == {MINE}
