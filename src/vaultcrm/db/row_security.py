"""Row-level security: policies that every tenant table has, put up by the tables' owner.

They bind whoever is not the owner and no superuser, the application's role above all, and let a
statement see and write the rows of the creators in the setting `vaultcrm.creators`
(`vaultcrm.db.row_scope`): `all`, or an array of ids. Where it is not set or empty nothing is seen.
The owner sees everything, so that migrations and backups are complete.

All functions block.
"""

from dataclasses import dataclass

import psycopg
from psycopg.sql import SQL, Identifier

from vaultcrm.db.pool import connect
from vaultcrm.db.roles import ACT
from vaultcrm.db.row_scope import EVERYTHING, SETTING
from vaultcrm.db.tables import TENANT_TABLES
from vaultcrm.domain.ids import NIL

POLICY = "vaultcrm_creators_1"
"""With a number: a release that has another condition gives it the next one."""
INSTALLATION_POLICY = "vaultcrm_installation_1"
_OURS = "vaultcrm\\_%"

# Each SELECT becomes an InitPlan, read once a statement, the second only where the first says no.
# IS NOT NULL of what the planner cannot know counts as nearly all rows, so that its estimates, and
# with them its plans, are those without a policy. NULLIF: a setting that was set for a transaction
# is empty after it, which is no array.
SEEN = f"""
    (SELECT CASE current_setting('{SETTING}', true) WHEN '{EVERYTHING}' THEN true END) IS NOT NULL
    OR creator_id = ANY ((SELECT NULLIF(NULLIF(current_setting('{SETTING}', true), ''),
                                        '{EVERYTHING}')::uuid[])::uuid[])
"""
# What happens to the installation is written down whoever does it, also before they have signed in;
# whoever is known may raise its alerts.
_ANYBODY_ADDS = f"FOR INSERT WITH CHECK (creator_id = '{NIL}')"
_KNOWN = f"""
    creator_id = '{NIL}' AND (SELECT COALESCE(current_setting('{SETTING}', true), '') <> '')
"""
INSTALLATION_ROWS = {
    "audit_log": _ANYBODY_ADDS,
    "event_deliveries": f"FOR ALL USING ({_KNOWN}) WITH CHECK ({_KNOWN})",
    # How well scores are kept over all creators together, which names none of them.
    "confidence_models": f"FOR SELECT USING ({_KNOWN})",
}
"""Tables whose rows of the installation itself, of the nil id, need a policy of their own."""

_WITHOUT_POLICY = """
    SELECT c.relname FROM pg_class c
    WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p')
      AND c.relname = ANY(%(tables)s)
      AND (NOT c.relrowsecurity OR ARRAY(
               SELECT p.polname::text FROM pg_policy p
               WHERE p.polrelid = c.oid AND p.polname LIKE %(ours)s ORDER BY 1)
           IS DISTINCT FROM CASE WHEN c.relname = ANY(%(installation)s)
                                 THEN %(both)s::text[] ELSE %(one)s::text[] END)
    ORDER BY c.relname
"""
_IS_CLUSTER = "SELECT to_regclass('pg_catalog.pg_dist_partition') IS NOT NULL"


def tables_without_policy(connection: psycopg.Connection) -> list[str]:
    """Tenant tables whose rows anybody sees who may read the table."""
    params = {
        "tables": sorted(TENANT_TABLES),
        "installation": sorted(INSTALLATION_ROWS),
        "ours": _OURS,
        "one": [POLICY],
        "both": sorted([POLICY, INSTALLATION_POLICY]),
    }
    return [row[0] for row in connection.execute(_WITHOUT_POLICY, params)]


def is_cluster(connection: psycopg.Connection) -> bool:
    """Whether the database is a Citus cluster, whose workers do not hear of settings."""
    return connection.execute(_IS_CLUSTER).fetchone() == (True,)


@dataclass(frozen=True, slots=True)
class Wall:
    """Whether policies stand between the application and other creators' rows.

    `without` names tables that have none, `role` is the one that the application works in, and
    `is_bound` whether policies bind it.
    """

    role: str
    is_bound: bool
    without: tuple[str, ...]


def see_wall(url: str) -> Wall:
    """How a connection of the application's pool stands to the policies.

    Raises `DatabaseUnavailable`.
    """
    with connect(url) as connection:
        connection.execute(ACT.encode())
        row = connection.execute(
            """SELECT current_user::text, r.rolsuper OR r.rolbypassrls
                      OR EXISTS (SELECT 1 FROM pg_class c
                                 WHERE c.relnamespace = current_schema()::regnamespace
                                   AND c.relname = ANY(%s) AND pg_has_role(c.relowner, 'USAGE'))
               FROM pg_roles r WHERE r.rolname = current_user""",
            (sorted(TENANT_TABLES),),
        ).fetchone()
        assert row is not None  # noqa: S101 -- whoever asks is a role
        role, passes = row
        return Wall(role, not passes, tuple(tables_without_policy(connection)))


def ensure_row_security(url: str) -> bool:
    """Put up the policies that are missing, also of tables that a later release has brought.

    True when every tenant table has them; False on a Citus cluster, which has none, and where the
    login does not own the tables. Raises `DatabaseUnavailable`.
    """
    with connect(url) as connection:
        missing = tables_without_policy(connection)
        if not missing:
            return True
        if is_cluster(connection):
            return False
        try:
            for table in missing:
                with connection.transaction():
                    _put_up(connection, table)
        except psycopg.errors.InsufficientPrivilege:
            return False
        return not tables_without_policy(connection)


def _put_up(connection: psycopg.Connection, table: str) -> None:
    name = Identifier(table)
    # Before the policies are read: of two processes one waits, and then finds them.
    connection.execute(SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(name))
    there = connection.execute(
        "SELECT polname FROM pg_policy WHERE polrelid = %s::regclass AND polname LIKE %s",
        (table, _OURS),
    ).fetchall()
    for (policy,) in there:
        drop = SQL("DROP POLICY {} ON {}").format(Identifier(policy), name)
        connection.execute(drop)
    connection.execute(SQL("ALTER TABLE {} ENABLE ROW LEVEL SECURITY").format(name))
    policies = [(POLICY, f"FOR ALL USING ({SEEN}) WITH CHECK ({SEEN})")]
    if table in INSTALLATION_ROWS:
        policies.append((INSTALLATION_POLICY, INSTALLATION_ROWS[table]))
    for policy, says in policies:
        create = SQL("CREATE POLICY {} ON {} ").format(Identifier(policy), name)
        connection.execute(create + SQL(says))
