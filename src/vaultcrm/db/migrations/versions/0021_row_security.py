"""Row-level security: the second wall.

The policies are put up after every upgrade by `vaultcrm.db.row_security`, for tables of earlier and
later revisions alike, so that none can be forgotten; here they are only taken away.

`fans_to_find` and `conversations_to_list` are `fans` and `conversations` for searching by words and
for paging by the latest message. What these are compared by may not go before a policy's condition
(only what PostgreSQL calls leakproof may), so that with one their indexes would not be asked. The
views see with their owner's eyes and have the same condition as an ordinary one, where row-level
security binds whoever asks.
"""

from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

VIEW = """
CREATE VIEW {name} AS
SELECT creator_id, {columns}
FROM {table}
WHERE (SELECT CASE WHEN NOT row_security_active('{table}')
                     OR current_setting('vaultcrm.creators', true) = 'all' THEN true END)
      IS NOT NULL
   OR creator_id = ANY ((SELECT NULLIF(NULLIF(current_setting('vaultcrm.creators', true), ''),
                                       'all')::uuid[])::uuid[])
WITH CASCADED CHECK OPTION
"""
VIEWS = (
    ("fans_to_find", "fans", "id, handle, display_name, tier, last_seen_at, erased_at"),
    (
        "conversations_to_list",
        "conversations",
        """id, fan_id, care, mode, waiting_since, last_message_at, unread_count, created_at,
           erased_at""",
    ),
)

TAKE_DOWN = """
DO $$
DECLARE one record;
BEGIN
    FOR one IN
        SELECT p.polname, c.relname FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid
        WHERE c.relnamespace = current_schema()::regnamespace AND p.polname LIKE 'vaultcrm\\_%'
    LOOP
        EXECUTE format('DROP POLICY %I ON %I', one.polname, one.relname);
        EXECUTE format('ALTER TABLE %I DISABLE ROW LEVEL SECURITY', one.relname);
    END LOOP;
END $$
"""


def upgrade() -> None:
    for name, table, columns in VIEWS:
        op.get_bind().exec_driver_sql(VIEW.format(name=name, table=table, columns=columns))


def downgrade() -> None:
    op.get_bind().exec_driver_sql("DROP VIEW fans_to_find, conversations_to_list")
    op.get_bind().exec_driver_sql(TAKE_DOWN)
