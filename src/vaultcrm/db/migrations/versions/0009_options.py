"""What was asked for beside the type of a draft, and which template a message was made from.

`template_id` goes with a message from its draft or its writer through the outbox to the message
itself, so that a template's replies and purchases can be counted. A template is archived and never
deleted, yet no foreign key points at it: a message must not wait for a template's row.
"""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.get_bind().exec_driver_sql(
        """
        ALTER TABLE ai_message_generations ADD COLUMN options jsonb, ADD COLUMN template_id uuid;
        ALTER TABLE outbox ADD COLUMN template_id uuid;
        ALTER TABLE messages ADD COLUMN template_id uuid;
        CREATE INDEX messages_of_templates ON messages (creator_id, template_id, sent_at)
            WHERE template_id IS NOT NULL;
        """
    )


def downgrade() -> None:
    op.get_bind().exec_driver_sql(
        """
        DROP INDEX messages_of_templates;
        ALTER TABLE messages DROP COLUMN template_id;
        ALTER TABLE outbox DROP COLUMN template_id;
        ALTER TABLE ai_message_generations DROP COLUMN template_id, DROP COLUMN options;
        """
    )
