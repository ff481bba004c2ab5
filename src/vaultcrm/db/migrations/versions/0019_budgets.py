"""Budgets in tokens and dollars, and reservations that expire.

A budget's `subject` is a creator or a user, or the nil UUID for the whole installation; its
`ceiling` is in tokens or in millionths of a dollar. What is used of it is a row of
`limit_counters`, whose `kind` is `<scope>_<unit>_per_<period>`.

An open reservation is what one call holds of those counters: `held` is a list of
[kind, subject, window_start, amount]. The row goes when the call is settled; if its process dies,
a job takes it and gives back what it holds.
"""

from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

BUDGETS = """
CREATE TABLE budgets (
    scope    text NOT NULL,
    subject  uuid NOT NULL,
    period   text NOT NULL,
    unit     text NOT NULL,
    ceiling  bigint NOT NULL,
    reason   text NOT NULL,
    set_by   uuid NOT NULL,
    set_at   timestamptz NOT NULL,
    CONSTRAINT budgets_pk PRIMARY KEY (scope, subject, period, unit),
    CONSTRAINT budgets_scope_known CHECK (scope IN ('installation', 'creator', 'user')),
    CONSTRAINT budgets_period_known CHECK (period IN ('day', 'month')),
    CONSTRAINT budgets_unit_known CHECK (unit IN ('tokens', 'usd')),
    CONSTRAINT budgets_ceiling_not_negative CHECK (ceiling >= 0)
);
"""

RESERVATIONS = """
CREATE TABLE open_reservations (
    id          uuid NOT NULL,
    held        jsonb NOT NULL,
    expires_at  timestamptz NOT NULL,
    CONSTRAINT open_reservations_pk PRIMARY KEY (id)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
"""


def upgrade() -> None:
    for part in (BUDGETS, RESERVATIONS):
        op.get_bind().exec_driver_sql(part)


def downgrade() -> None:
    op.get_bind().exec_driver_sql(
        """
        DROP TABLE open_reservations;
        DROP TABLE budgets;
        """
    )
