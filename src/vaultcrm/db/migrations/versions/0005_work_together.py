"""People side by side: snoozing and escalation of waiting drafts, and channels a creator connects.

`channel_accounts` also holds the state of a channel that is set up by the environment: whether it
is paused, and how long a message waits before it leaves.
"""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

QUEUE = """
ALTER TABLE ai_message_generations
    ADD COLUMN snoozed_until timestamptz,
    ADD COLUMN escalated smallint NOT NULL DEFAULT 0;
CREATE INDEX ai_message_generations_to_escalate
    ON ai_message_generations (creator_id, escalated, created_at)
    WHERE status = 'queued';
CREATE INDEX ai_message_generations_held
    ON ai_message_generations (creator_id, claimed_by)
    WHERE status = 'queued' AND claimed_by IS NOT NULL;
"""

DELIVERY = """
CREATE INDEX outbox_in_trouble
    ON outbox (creator_id, updated_at DESC, id DESC)
    WHERE delivery_status IN ('failed', 'uncertain');
CREATE INDEX outbox_of_conversation
    ON outbox (creator_id, conversation_id, created_at DESC);
CREATE INDEX inbound_events_waiting
    ON inbound_events (creator_id, received_at)
    WHERE processed_at IS NULL;
"""

CHANNELS = """
-- `secret` is encrypted with the installation's key; `config` holds nothing secret.
CREATE TABLE channel_accounts (
    creator_id          uuid NOT NULL,
    id                  uuid NOT NULL,
    channel             text NOT NULL,
    config              jsonb NOT NULL,
    secret              bytea,
    send_delay_seconds  integer,
    paused_at           timestamptz,
    paused_reason       text,
    created_at          timestamptz NOT NULL,
    updated_at          timestamptz NOT NULL,
    CONSTRAINT channel_accounts_pk PRIMARY KEY (creator_id, id),
    CONSTRAINT channel_accounts_creator_fk FOREIGN KEY (creator_id) REFERENCES creators (id),
    CONSTRAINT channel_accounts_once UNIQUE (creator_id, channel),
    CONSTRAINT channel_accounts_delay_range CHECK (send_delay_seconds BETWEEN 0 AND 3600)
);
"""


def upgrade() -> None:
    for part in (QUEUE, DELIVERY, CHANNELS):
        op.get_bind().exec_driver_sql(part)


def downgrade() -> None:
    op.get_bind().exec_driver_sql(
        """
        DROP TABLE channel_accounts;
        DROP INDEX inbound_events_waiting;
        DROP INDEX outbox_of_conversation;
        DROP INDEX outbox_in_trouble;
        DROP INDEX ai_message_generations_held;
        DROP INDEX ai_message_generations_to_escalate;
        ALTER TABLE ai_message_generations DROP COLUMN escalated, DROP COLUMN snoozed_until;
        """
    )
