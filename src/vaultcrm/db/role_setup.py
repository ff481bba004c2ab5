"""Make the application's role, and see whether it holds. All functions block.

Where the login may make roles it is made by itself; elsewhere docs/audit.md has the statements.
"""

from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

import psycopg
from psycopg.sql import SQL, Identifier

from vaultcrm.db.pool import connect
from vaultcrm.db.roles import ACT, ADD_ONLY, APPLICATION_ROLE, IS_SET_UP, MAY_ACT, READ_ONLY

_NOT_GRANTED = f"""
    SELECT c.relname FROM pg_class c
    WHERE c.relkind IN ('r', 'p', 'v') AND c.relnamespace = current_schema()::regnamespace
      AND NOT has_table_privilege('{APPLICATION_ROLE}', c.oid, 'SELECT')
    LIMIT 1
"""  # noqa: S608 -- a constant of ours


@dataclass(frozen=True, slots=True)
class Split:
    """Whether the application can change the audit log.

    `role` is the one that it works in on a connection of its pool, `login` the one that connects;
    `may_change` names the tables that this role could change or delete from, `may_leave` is whether
    a statement could go back to a login that can.
    """

    login: str
    role: str
    may_change: tuple[str, ...]
    may_leave: bool


_RIGHTS = """
    SELECT t.name FROM unnest(%(tables)s::text[]) t (name)
    WHERE has_table_privilege(%(role)s, to_regclass(t.name), 'UPDATE')
       OR has_table_privilege(%(role)s, to_regclass(t.name), 'DELETE')
       OR has_table_privilege(%(role)s, to_regclass(t.name), 'TRUNCATE')
       OR has_any_column_privilege(%(role)s, to_regclass(t.name), 'UPDATE')
    ORDER BY 1
"""


def see_split(url: str) -> Split:
    """How a connection of the application's pool stands to the audit log.

    Raises `DatabaseUnavailable`.
    """
    with connect(url) as connection:
        connection.execute(ACT.encode())
        row = connection.execute("SELECT session_user::text, current_user::text").fetchone()
        assert row is not None  # noqa: S101 -- a SELECT without FROM answers one row
        login, role = row
        tables = list(ADD_ONLY)

        def rights_of(name: str) -> tuple[str, ...]:
            found = connection.execute(_RIGHTS, {"tables": tables, "role": name})
            return tuple(row[0] for row in found)

        may_change = rights_of(role)
        return Split(login, role, may_change, may_leave=login != role and bool(rights_of(login)))


def ensure_application_role(url: str) -> bool:
    """Make the role and give it its rights, where that is missing and the login may.

    True when it is as it should be afterwards. Raises `DatabaseUnavailable`.
    """
    with connect(url) as connection:
        if _is_ready(connection):
            return True
        # Another process, also one that works in another database, may do the same just now.
        for _ in range(5):
            try:
                _make(connection)
                break
            except psycopg.errors.InsufficientPrivilege:
                return False
            except (psycopg.errors.InternalError, psycopg.errors.UniqueViolation):
                continue
        return _is_ready(connection)


def let_application_log_in(url: str) -> str:
    """The same address with the application's role as its user, which may log in from now on.

    For a server that trusts whoever reaches it, as the embedded one does: there no statement leads
    back to the owner. The address as it was where the role cannot be made. Raises
    `DatabaseUnavailable`.
    """
    if not ensure_application_role(url):
        return url
    with connect(url) as connection:
        row = connection.execute(
            "SELECT rolcanlogin FROM pg_roles WHERE rolname = %s", (APPLICATION_ROLE,)
        ).fetchone()
        if row != (True,):
            statement = SQL("ALTER ROLE {} LOGIN").format(Identifier(APPLICATION_ROLE))
            connection.execute(statement)
    return application_address(url)


def application_address(url: str) -> str:
    """The address with the application's role as its user, without a password."""
    parts = urlsplit(url)
    place = parts.netloc.rpartition("@")[2]
    return parts._replace(netloc=f"{APPLICATION_ROLE}@{place}").geturl()


def _is_ready(connection: psycopg.Connection) -> bool:
    is_set_up = f"SELECT (current_user = '{APPLICATION_ROLE}' OR {MAY_ACT}) AND {IS_SET_UP}"
    if connection.execute(is_set_up.encode()).fetchone() != (True,):
        return False
    if connection.execute(_NOT_GRANTED.encode()).fetchone() is not None:
        return False
    found = connection.execute(_RIGHTS, {"tables": list(ADD_ONLY), "role": APPLICATION_ROLE})
    return found.fetchone() is None


def _make(connection: psycopg.Connection) -> None:
    role = Identifier(APPLICATION_ROLE)
    row = connection.execute("SELECT to_regrole(%s)", (APPLICATION_ROLE,)).fetchone()
    if row is None or row[0] is None:
        with suppress(psycopg.errors.DuplicateObject):
            connection.execute(SQL("CREATE ROLE {} NOLOGIN").format(role))
    may_act = connection.execute(f"SELECT {MAY_ACT}".encode()).fetchone()
    if may_act != (True,):
        connection.execute(SQL("GRANT {} TO CURRENT_USER").format(role))
    row = connection.execute("SELECT current_schema(), to_regclass('audit_seals')").fetchone()
    if row is None or row[0] is None or row[1] is None:
        return
    schema = Identifier(row[0])
    with connection.transaction():
        for statement in (
            "GRANT USAGE ON SCHEMA {schema} TO {role}",
            "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {role}",
            "GRANT USAGE, SELECT, UPDATE ON ALL SEQUENCES IN SCHEMA {schema} TO {role}",
            "GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA {schema} TO {role}",
        ):
            connection.execute(SQL(statement).format(schema=schema, role=role))
        for table in ADD_ONLY:
            revoke = SQL("REVOKE UPDATE, DELETE, TRUNCATE ON {} FROM {}")
            connection.execute(revoke.format(Identifier(table), role))
        for table in READ_ONLY:
            revoke = SQL("REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON {} FROM {}")
            connection.execute(revoke.format(Identifier(table), role))
