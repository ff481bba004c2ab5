"""The live schema keeps the rules that let it run on one PostgreSQL and on a Citus cluster.

Each rule is a function from a connection to what breaks it, and each is shown a table that breaks
it, so that a rule which sees nothing is not taken for a schema without faults.
"""

from collections.abc import Callable, Iterator

import psycopg
import pytest

from vaultcrm.db.row_security import tables_without_policy
from vaultcrm.db.tables import (
    JOB_TABLE_PREFIX,
    LOCAL_TABLES,
    REFERENCE_TABLES,
    TENANT_TABLES,
)

Connection = psycopg.Connection[tuple[str, ...]]
Rule = Callable[[Connection], set[str]]

TENANT = sorted(TENANT_TABLES)
OURS = sorted(TENANT_TABLES | REFERENCE_TABLES | LOCAL_TABLES)

RULES: dict[str, Rule] = {}


def rule(check: Rule) -> Rule:
    RULES[check.__name__] = check
    return check


def asked(connection: Connection, question: str, **values: object) -> set[str]:
    return {row[0] for row in connection.execute(question, values)}


@rule
def a_table_that_is_not_classified(connection: Connection) -> set[str]:
    """Every table is known to be a tenant's, a reference or a local one, and every known exists."""
    tables = asked(
        connection,
        "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') "
        "AND relnamespace = 'public'::regnamespace",
    )
    ours = {name for name in tables if not name.startswith(JOB_TABLE_PREFIX)}
    return ours ^ set(OURS)


@rule
def a_tenant_table_whose_creator_id_is_no_uuid_not_null(connection: Connection) -> set[str]:
    right = asked(
        connection,
        """SELECT table_name FROM information_schema.columns
           WHERE table_schema = 'public' AND column_name = 'creator_id' AND data_type = 'uuid'
             AND is_nullable = 'NO' AND column_default IS NULL""",
    )
    return set(TENANT) - right


@rule
def a_tenant_table_whose_primary_key_is_not_creator_id_and_id(connection: Connection) -> set[str]:
    right = asked(
        connection,
        """SELECT c.conrelid::regclass::text FROM pg_constraint c
           WHERE c.contype = 'p' AND c.connamespace = 'public'::regnamespace
             AND (SELECT array_agg(a.attname::text ORDER BY k.place)
                  FROM unnest(c.conkey) WITH ORDINALITY k (attnum, place)
                  JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.attnum)
                 = ARRAY['creator_id', 'id']""",
    )
    return set(TENANT) - right


@rule
def a_unique_index_of_a_tenant_table_that_does_not_begin_with_creator_id(
    connection: Connection,
) -> set[str]:
    """Of constraints and of plain indexes; one that begins with an expression has no column."""
    return asked(
        connection,
        """SELECT i.indexrelid::regclass::text FROM pg_index i
           LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
           WHERE i.indisunique AND i.indrelid = ANY (%(tables)s::regclass[])
             AND a.attname IS DISTINCT FROM 'creator_id'""",
        tables=_existing(connection, TENANT),
    )


@rule
def a_tenant_table_without_row_level_security(connection: Connection) -> set[str]:
    """Put up after every upgrade, for each of `TENANT_TABLES`."""
    return set(tables_without_policy(connection))


@rule
def a_view_of_a_tenant_table_that_asks_for_no_scope(connection: Connection) -> set[str]:
    """A view sees with its owner's eyes, and so past every policy."""
    return asked(
        connection,
        """SELECT DISTINCT v.oid::regclass::text FROM pg_class v
           JOIN pg_rewrite r ON r.ev_class = v.oid
           JOIN pg_depend d ON d.objid = r.oid AND d.classid = 'pg_rewrite'::regclass
           WHERE v.relkind IN ('v', 'm') AND d.refobjid = ANY (%(tables)s::regclass[])
             AND pg_get_viewdef(v.oid) NOT LIKE '%%''vaultcrm.creators''%%'""",
        tables=_existing(connection, TENANT),
    )


@rule
def an_index_of_a_tenant_table_that_does_not_begin_with_creator_id(
    connection: Connection,
) -> set[str]:
    """Every hot query carries creator_id; an index that does not begin with it serves none. One of
    words cannot hold it without an extension: there the query alone carries it.
    """
    return asked(
        connection,
        """SELECT i.indexrelid::regclass::text FROM pg_index i
           JOIN pg_class x ON x.oid = i.indexrelid
           JOIN pg_am kind ON kind.oid = x.relam AND kind.amname <> 'gin'
           LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
           WHERE i.indrelid = ANY (%(tables)s::regclass[])
             AND a.attname IS DISTINCT FROM 'creator_id'""",
        tables=_existing(connection, TENANT),
    )


@rule
def a_foreign_key_of_a_tenant_table_that_does_not_begin_with_creator_id(
    connection: Connection,
) -> set[str]:
    """Between tenant tables both sides begin with it; to a reference table our side does."""
    return asked(
        connection,
        """SELECT c.conname FROM pg_constraint c
           JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]
           JOIN pg_attribute b ON b.attrelid = c.confrelid AND b.attnum = c.confkey[1]
           WHERE c.contype = 'f' AND c.conrelid = ANY (%(tables)s::regclass[])
             AND (a.attname <> 'creator_id'
                  OR (c.confrelid = ANY (%(tables)s::regclass[]) AND b.attname <> 'creator_id'))""",
        tables=_existing(connection, TENANT),
    )


@rule
def a_foreign_key_to_a_tenant_table_from_one_that_is_none(connection: Connection) -> set[str]:
    return asked(
        connection,
        """SELECT conname FROM pg_constraint
           WHERE contype = 'f' AND confrelid = ANY (%(tables)s::regclass[])
             AND conrelid <> ALL (%(tables)s::regclass[])""",
        tables=_existing(connection, TENANT),
    )


@rule
def a_foreign_key_of_a_local_or_job_table_to_another_kind(connection: Connection) -> set[str]:
    return asked(
        connection,
        """SELECT conname FROM pg_constraint
           WHERE contype = 'f' AND confrelid = ANY (%(others)s::regclass[])
             AND (conrelid = ANY (%(local)s::regclass[])
                  OR starts_with(conrelid::regclass::text, %(jobs)s))""",
        others=_existing(connection, sorted(TENANT_TABLES | REFERENCE_TABLES)),
        local=_existing(connection, sorted(LOCAL_TABLES)),
        jobs=JOB_TABLE_PREFIX,
    )


@rule
def a_foreign_key_from_a_job_table_or_to_one(connection: Connection) -> set[str]:
    return asked(
        connection,
        """SELECT conname FROM pg_constraint
           WHERE contype = 'f'
             AND starts_with(conrelid::regclass::text, %(jobs)s)
                 <> starts_with(confrelid::regclass::text, %(jobs)s)""",
        jobs=JOB_TABLE_PREFIX,
    )


@rule
def a_foreign_key_that_sets_null(connection: Connection) -> set[str]:
    return asked(
        connection,
        """SELECT conname FROM pg_constraint
           WHERE contype = 'f' AND 'n' IN (confdeltype::text, confupdtype::text)
             AND NOT starts_with(conrelid::regclass::text, %(jobs)s)""",
        jobs=JOB_TABLE_PREFIX,
    )


@rule
def a_foreign_key_that_postgresql_has_named(connection: Connection) -> set[str]:
    """A name of ours ends in _fk; PostgreSQL's own, which no migration can count on, in _fkey."""
    return asked(
        connection,
        """SELECT conname FROM pg_constraint
           WHERE contype = 'f' AND conname NOT LIKE '%%\\_fk'
             AND NOT starts_with(conrelid::regclass::text, %(jobs)s)""",
        jobs=JOB_TABLE_PREFIX,
    )


@rule
def a_number_that_the_database_makes(connection: Connection) -> set[str]:
    """No serial and no identity: ids are made by the application."""
    return asked(
        connection,
        """SELECT table_name || '.' || column_name FROM information_schema.columns
           WHERE table_schema = 'public' AND NOT starts_with(table_name, %(jobs)s)
             AND (is_identity = 'YES' OR column_default LIKE '%%nextval%%')""",
        jobs=JOB_TABLE_PREFIX,
    )


@rule
def a_value_that_the_database_makes_up(connection: Connection) -> set[str]:
    """Times and ids come from the application, so a default is a plain constant."""
    return asked(
        connection,
        """SELECT table_name || '.' || column_name FROM information_schema.columns
           WHERE table_schema = 'public' AND NOT starts_with(table_name, %(jobs)s)
             AND (column_default LIKE '%%(%%' OR is_generated = 'ALWAYS')""",
        jobs=JOB_TABLE_PREFIX,
    )


@rule
def a_trigger(connection: Connection) -> set[str]:
    return asked(
        connection,
        """SELECT tgname FROM pg_trigger
           WHERE NOT tgisinternal AND NOT starts_with(tgrelid::regclass::text, %(jobs)s)""",
        jobs=JOB_TABLE_PREFIX,
    )


@rule
def money_that_is_no_integer_or_has_no_currency(connection: Connection) -> set[str]:
    """An amount ends in _minor and its table has a currency; micro dollars name theirs.

    A template's price is in the currency of whichever fan it is offered to.
    """
    return asked(
        connection,
        """SELECT c.table_name || '.' || c.column_name FROM information_schema.columns c
           WHERE c.table_schema = 'public' AND NOT starts_with(c.table_name, %(jobs)s)
             AND (c.data_type IN ('money', 'numeric', 'real', 'double precision')
                  OR (c.column_name ~ '(price|value|revenue|amount|cost|spent)'
                      AND c.column_name !~ '(_minor|_micro_usd)$' AND c.data_type <> 'jsonb')
                  OR (c.column_name ~ '(_minor|_micro_usd)$' AND c.data_type <> 'bigint')
                  OR (c.column_name LIKE '%%\\_minor' AND c.table_name <> 'ai_message_templates'
                      AND NOT EXISTS (SELECT 1 FROM information_schema.columns k
                                      WHERE k.table_schema = c.table_schema
                                        AND k.table_name = c.table_name
                                        AND k.column_name = 'currency')))""",
        jobs=JOB_TABLE_PREFIX,
    )


@rule
def a_time_without_a_zone(connection: Connection) -> set[str]:
    return asked(
        connection,
        """SELECT table_name || '.' || column_name FROM information_schema.columns
           WHERE table_schema = 'public' AND NOT starts_with(table_name, %(jobs)s)
             AND (data_type IN ('timestamp without time zone', 'date', 'time without time zone',
                                'time with time zone')
                  OR (column_name ~ '(_at|_since|_until|_before|_start)$'
                      AND data_type <> 'timestamp with time zone'))""",
        jobs=JOB_TABLE_PREFIX,
    )


def _existing(connection: Connection, tables: list[str]) -> list[str]:
    """Those of some tables that are there; that one is missing is another rule's concern."""
    found = asked(connection, "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p')")
    return [table for table in tables if table in found]


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection]:
    with psycopg.connect(database_url, autocommit=True) as opened:
        yield opened


@pytest.mark.parametrize("name", RULES)
def test_the_schema_has_nothing_that_breaks_the_rule(connection: Connection, name: str) -> None:
    assert RULES[name](connection) == set()


FAULTS = {
    "a_table_that_is_not_classified": (
        "CREATE TABLE notes (id uuid)",
        "notes",
    ),
    "a_tenant_table_whose_creator_id_is_no_uuid_not_null": (
        "ALTER TABLE usage DROP CONSTRAINT usage_pk, ALTER creator_id DROP NOT NULL",
        "usage",
    ),
    "a_tenant_table_whose_primary_key_is_not_creator_id_and_id": (
        "ALTER TABLE usage DROP CONSTRAINT usage_pk, ADD PRIMARY KEY (id, creator_id)",
        "usage",
    ),
    "a_unique_index_of_a_tenant_table_that_does_not_begin_with_creator_id": (
        "CREATE UNIQUE INDEX usage_once ON usage (generation_id, creator_id)",
        "usage_once",
    ),
    "a_tenant_table_without_row_level_security": (
        "DROP POLICY vaultcrm_creators_1 ON usage",
        "usage",
    ),
    "a_view_of_a_tenant_table_that_asks_for_no_scope": (
        "CREATE VIEW everything_said AS SELECT * FROM messages",
        "everything_said",
    ),
    "an_index_of_a_tenant_table_that_does_not_begin_with_creator_id": (
        "CREATE INDEX usage_by_time ON usage (created_at)",
        "usage_by_time",
    ),
    "a_foreign_key_of_a_tenant_table_that_does_not_begin_with_creator_id": (
        "ALTER TABLE messages ADD CONSTRAINT m_fk FOREIGN KEY (author_user_id) REFERENCES users",
        "m_fk",
    ),
    "a_foreign_key_to_a_tenant_table_from_one_that_is_none": (
        (
            "ALTER TABLE alerts ADD creator_id uuid, ADD fan uuid, "
            "ADD CONSTRAINT a_fk FOREIGN KEY (creator_id, fan) REFERENCES fans"
        ),
        "a_fk",
    ),
    "a_foreign_key_of_a_local_or_job_table_to_another_kind": (
        "ALTER TABLE sessions ADD CONSTRAINT s_fk FOREIGN KEY (user_id) REFERENCES users",
        "s_fk",
    ),
    "a_foreign_key_from_a_job_table_or_to_one": (
        (
            "ALTER TABLE alerts ADD job bigint, "
            "ADD CONSTRAINT j_fk FOREIGN KEY (job) REFERENCES procrastinate_jobs"
        ),
        "j_fk",
    ),
    "a_foreign_key_that_sets_null": (
        (
            "ALTER TABLE flag_overrides ADD CONSTRAINT f_fk FOREIGN KEY (set_by) REFERENCES users "
            "ON DELETE SET NULL"
        ),
        "f_fk",
    ),
    "a_foreign_key_that_postgresql_has_named": (
        "ALTER TABLE flag_overrides ADD FOREIGN KEY (set_by) REFERENCES users",
        "flag_overrides_set_by_fkey",
    ),
    "a_number_that_the_database_makes": (
        "ALTER TABLE fans ADD number bigint GENERATED ALWAYS AS IDENTITY",
        "fans.number",
    ),
    "a_value_that_the_database_makes_up": (
        "ALTER TABLE fans ALTER created_at SET DEFAULT now()",
        "fans.created_at",
    ),
    "a_trigger": (
        (
            "CREATE TRIGGER touch BEFORE UPDATE ON fans FOR EACH ROW "
            "EXECUTE FUNCTION suppress_redundant_updates_trigger()"
        ),
        "touch",
    ),
    "money_that_is_no_integer_or_has_no_currency": (
        "ALTER TABLE usage ADD price_minor bigint",
        "usage.price_minor",
    ),
    "a_time_without_a_zone": (
        "ALTER TABLE fans ADD born_at timestamp",
        "fans.born_at",
    ),
}


@pytest.mark.parametrize("name", RULES)
def test_a_schema_that_breaks_the_rule_is_seen(connection: Connection, name: str) -> None:
    fault, seen = FAULTS[name]
    connection.execute(fault.encode())
    assert RULES[name](connection) == {seen}


@pytest.mark.parametrize(
    ("fault", "seen"),
    [
        ("DROP TABLE alerts", "alerts"),
        ("ALTER TABLE fans RENAME TO followers", "followers"),
    ],
)
def test_a_known_table_that_is_gone_is_seen(connection: Connection, fault: str, seen: str) -> None:
    connection.execute(fault.encode())
    assert seen in a_table_that_is_not_classified(connection)


@pytest.mark.parametrize(
    ("fault", "seen"),
    [
        ("ALTER TABLE fans ADD tips numeric", "fans.tips"),
        ("ALTER TABLE fans ADD amount bigint", "fans.amount"),
        ("ALTER TABLE fans ADD spent_minor integer", "fans.spent_minor"),
    ],
)
def test_every_way_to_keep_money_wrongly_is_seen(
    connection: Connection, fault: str, seen: str
) -> None:
    connection.execute(fault.encode())
    assert money_that_is_no_integer_or_has_no_currency(connection) == {seen}


def test_a_serial_column_is_seen(connection: Connection) -> None:
    connection.execute("ALTER TABLE fans ADD number bigserial")
    assert a_number_that_the_database_makes(connection) == {"fans.number"}
