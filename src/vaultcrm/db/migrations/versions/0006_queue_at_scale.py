"""Indexes for a queue of any length: the rare among the drafts that wait.

Without them, finding the few that are worth much, call for care or are snoozed means walking past
all that wait. `vaultcrm.db.queries.queue` writes their conditions in the same words.
"""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

INDEXES = """
CREATE INDEX ai_message_generations_high_value
    ON ai_message_generations (creator_id, priority DESC, created_at, id)
    WHERE status = 'queued' AND approval_reasons && '{high_value_offer,high_tier}'::text[];
CREATE INDEX ai_message_generations_care
    ON ai_message_generations (creator_id, priority DESC, created_at, id)
    WHERE status = 'queued' AND approval_reasons && '{fan_distress,possible_minor}'::text[];
CREATE INDEX ai_message_generations_snoozed
    ON ai_message_generations (creator_id, priority DESC, created_at, id)
    WHERE status = 'queued' AND snoozed_until IS NOT NULL;
"""


def upgrade() -> None:
    op.get_bind().exec_driver_sql(INDEXES)


def downgrade() -> None:
    op.get_bind().exec_driver_sql(
        """
        DROP INDEX ai_message_generations_snoozed;
        DROP INDEX ai_message_generations_care;
        DROP INDEX ai_message_generations_high_value;
        """
    )
