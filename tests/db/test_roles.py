"""The application works in a role that adds to the audit log and cannot change it."""

import secrets
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from tests.support.databases import EXTERNAL, Databases
from vaultcrm.bootstrap import open_parts
from vaultcrm.db import migrate
from vaultcrm.db.pool import open_pool
from vaultcrm.db.role_setup import Split, ensure_application_role, see_split
from vaultcrm.db.roles import ADD_ONLY, APPLICATION_ROLE
from vaultcrm.settings import Settings

pytestmark = pytest.mark.anyio

DEEDS = ("UPDATE {} SET creator_id = creator_id", "DELETE FROM {}", "TRUNCATE {}")


@pytest.fixture
def login(database_server: Databases) -> Iterator[str]:
    """A user who may do nothing yet, on a server that asks for no password."""
    if EXTERNAL is not None:
        pytest.skip("the server of TEST_DATABASE_URL may ask new users for a password")
    name = f"login_{secrets.token_hex(4)}"
    with psycopg.connect(database_server.url, autocommit=True) as connection:
        connection.execute(SQL("CREATE ROLE {} LOGIN").format(Identifier(name)))
        try:
            yield name
        finally:
            with suppress(psycopg.Error):
                connection.execute(SQL("DROP ROLE {}").format(Identifier(name)))


def as_user(url: str, name: str) -> str:
    return url.replace("://postgres@", f"://{name}@")


async def test_a_connection_of_the_pool_can_read_and_add_and_nothing_else(
    database_url: str,
) -> None:
    async with await open_pool(database_url, 1) as pool, pool.connection() as connection:
        for table in ADD_ONLY:
            await connection.execute(f"SELECT count(*) FROM {table}".encode())  # noqa: S608 -- names of ours
            for deed in DEEDS:
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    await connection.execute(deed.format(table).encode())
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            await connection.execute("UPDATE alembic_version SET version_num = '0001'")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            await connection.execute("ALTER TABLE audit_log DISABLE TRIGGER ALL")


def test_rights_that_were_lost_or_given_by_mistake_are_put_right_by_the_next_start(
    database_url: str,
) -> None:
    with psycopg.connect(database_url, autocommit=True) as owner:
        owner.execute(f"GRANT UPDATE ON audit_log TO {APPLICATION_ROLE}".encode())
        revoke = SQL("REVOKE SELECT ON fans FROM {}")
        owner.execute(revoke.format(Identifier(APPLICATION_ROLE)))
    assert see_split(database_url).may_change == ("audit_log",)
    assert migrate.upgrade(database_url) == []
    assert see_split(database_url).may_change == ()
    with psycopg.connect(database_url, autocommit=True) as owner:
        owner.execute(f"SET ROLE {APPLICATION_ROLE}".encode())
        owner.execute("SELECT count(*) FROM fans")


async def test_a_table_that_comes_with_a_later_release_is_the_applications_too(
    database_url: str,
) -> None:
    with psycopg.connect(database_url, autocommit=True) as owner:
        owner.execute("CREATE TABLE later (id uuid)")
    assert ensure_application_role(database_url)
    async with await open_pool(database_url, 1) as pool, pool.connection() as connection:
        await connection.execute("DELETE FROM later")


def test_a_login_that_is_only_a_member_of_the_role_cannot_leave_it(
    database_url: str, login: str
) -> None:
    with psycopg.connect(database_url, autocommit=True) as owner:
        owner.execute(SQL("GRANT {} TO {}").format(Identifier(APPLICATION_ROLE), Identifier(login)))
        owner.execute(SQL("ALTER ROLE {} NOINHERIT").format(Identifier(login)))
    seen = see_split(as_user(database_url, login))
    assert seen == Split(login, APPLICATION_ROLE, (), may_leave=False)
    assert see_split(database_url).may_leave
    with psycopg.connect(database_url, autocommit=True) as owner:
        owner.execute(
            SQL("ALTER ROLE {} SET role = {}").format(
                Identifier(login), Identifier(APPLICATION_ROLE)
            )
        )
    with psycopg.connect(as_user(database_url, login)) as connection:
        assert connection.execute("SELECT current_user").fetchone() == (APPLICATION_ROLE,)
    assert see_split(as_user(database_url, login)) == seen
    # The owner's next start of an application at this database changes nothing for it.
    assert migrate.upgrade(as_user(database_url, login)) == []


def test_an_owner_who_may_make_no_roles_works_on_and_is_told(
    database_server: Databases, login: str
) -> None:
    with database_server.fresh(migrated=False) as url:
        with psycopg.connect(url, autocommit=True) as owner:
            owner.execute(SQL("GRANT CREATE ON SCHEMA public TO {}").format(Identifier(login)))
        mine = as_user(url, login)
        assert migrate.upgrade(mine)
        seen = see_split(mine)
        assert (seen.role, set(seen.may_change)) == (login, set(ADD_ONLY))
        with psycopg.connect(url, autocommit=True) as superuser:
            superuser.execute(
                SQL("GRANT {} TO {}").format(Identifier(APPLICATION_ROLE), Identifier(login))
            )
        assert migrate.upgrade(mine) == []
        assert see_split(mine) == Split(login, APPLICATION_ROLE, (), may_leave=True)


async def test_with_the_embedded_server_nothing_leads_back_to_the_owner(home: Path) -> None:
    settings = Settings(vaultcrm_home=home, database_url=None)
    async with open_parts(settings) as parts, parts.pool.connection() as connection:
        for way in ("SET ROLE NONE", "RESET ROLE", "RESET SESSION AUTHORIZATION"):
            await connection.execute(way.encode())
            cursor = await connection.execute("SELECT current_user, session_user")
            assert await cursor.fetchone() == (APPLICATION_ROLE, APPLICATION_ROLE)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            await connection.execute("SET ROLE postgres")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            await connection.execute("DELETE FROM audit_log")
