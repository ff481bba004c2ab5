"""What each table holds, as a number of rows and a checksum: to tell whether two are the same."""

from collections.abc import Callable, Mapping

import psycopg
from psycopg.sql import SQL, Identifier

from vaultcrm.db.backups.manifest import TableContent

# How values are written down, whatever the database or the login is set to.
_WRITTEN_ALIKE = """
    SET DateStyle = 'ISO'; SET IntervalStyle = 'postgres'; SET TimeZone = 'UTC';
    SET bytea_output = 'hex'; SET extra_float_digits = 1; SET row_security = off
"""
_TABLES = """
    SELECT c.relname FROM pg_class c
    WHERE c.relkind = 'r' AND c.relnamespace = current_schema()::regnamespace
    ORDER BY c.relname
"""
# The sum of the first 64 bits of each row's MD5: in any order the same, and exact.
_CONTENT = """
    SELECT count(*), COALESCE(sum(('x' || left(md5(t::text), 16))::bit(64)::bigint), 0)::text
    FROM {table} t
"""


def read_tables(
    connection: psycopg.Connection, on_table: Callable[[str, int, int], None] | None = None
) -> Mapping[str, TableContent]:
    """The content of every table that the connection's transaction sees.

    `on_table` is told a table's name before it is read, its number, and how many there are.
    """
    connection.execute(_WRITTEN_ALIKE)
    names = [row[0] for row in connection.execute(_TABLES).fetchall()]
    found = {}
    for number, name in enumerate(names):
        if on_table is not None:
            on_table(name, number, len(names))
        row = connection.execute(SQL(_CONTENT).format(table=Identifier(name))).fetchone()
        assert row is not None  # noqa: S101 -- an aggregate answers one row
        found[name] = TableContent(*row)
    return found
