"""The role that the application works in: it reads and writes, but adds to the audit log only.

The owner of the tables, who migrates, is another. `role_setup` makes the role.
"""

from psycopg import AsyncConnection

from vaultcrm.db.row_scope import NOTHING, SETTING

APPLICATION_ROLE = "vaultcrm_app"
ADD_ONLY = ("audit_log", "audit_seals", "audit_checks")
"""Tables whose rows the application adds and reads, and never changes or deletes."""
READ_ONLY = ("alembic_version", "fans_to_find", "conversations_to_list")

# A login is a member of the role where it may act in it; PostgreSQL 16 tells that apart.
MAY_ACT = f"""
    EXISTS (SELECT 1 FROM pg_roles r WHERE r.rolname = '{APPLICATION_ROLE}'
            AND pg_has_role(current_user, r.oid,
                CASE WHEN current_setting('server_version_num')::int >= 160000
                     THEN 'SET' ELSE 'MEMBER' END))
"""  # noqa: S608 -- a constant of this module
IS_SET_UP = f"""
    CASE WHEN to_regclass('audit_seals') IS NULL OR to_regrole('{APPLICATION_ROLE}') IS NULL
         THEN false
         ELSE has_table_privilege('{APPLICATION_ROLE}', to_regclass('audit_log'), 'INSERT')
    END
"""
ACT = f"""
    SELECT set_config('TimeZone', 'UTC', false), set_config('{SETTING}', '{NOTHING}', false),
           CASE WHEN current_user = '{APPLICATION_ROLE}' THEN NULL
                WHEN {MAY_ACT} AND {IS_SET_UP}
                THEN set_config('role', '{APPLICATION_ROLE}', false) END
"""
"""Where the role is set up for this database and the login may, the session works in it."""


async def act_as_application(connection: AsyncConnection) -> None:
    """Read times in UTC from now on, see nobody's rows yet, and work in the application's role
    where that is set up.

    One statement when a connection is made, nothing afterwards.
    """
    await connection.execute(ACT.encode())
    # A pool takes back no connection that is in a transaction.
    await connection.commit()
