"""The job queue's tables and functions, as the installed procrastinate ships them.

An upgrade of procrastinate that changes its schema comes with a revision of its own.
"""

from alembic import op
from procrastinate.schema import SchemaManager

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.get_bind().exec_driver_sql(SchemaManager.get_schema())


def downgrade() -> None:
    raise NotImplementedError(
        "jobs that wait would be lost: stop the workers and drop the database"
    )
