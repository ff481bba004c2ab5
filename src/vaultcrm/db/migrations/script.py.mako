"""${message}.

Say what the change means and why it is needed; the SQL says what it does. A % in it is a plain %.
"""

from alembic import op

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = ${repr(branch_labels)}
depends_on = ${repr(depends_on)}

CHANGE = """
"""


def upgrade() -> None:
    op.get_bind().exec_driver_sql(CHANGE)


def downgrade() -> None:
    raise NotImplementedError("say here how to go back, or why there is no way")
