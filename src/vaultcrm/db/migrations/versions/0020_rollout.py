"""What a stage of the rollout shows of itself, and how the database has grown.

A complaint is about the message that was sent of a draft, so there is one for a draft at most.
"""

from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

COMPLAINTS = """
CREATE TABLE message_complaints (
    creator_id     uuid NOT NULL,
    id             uuid NOT NULL,
    generation_id  uuid NOT NULL,
    marked_by      uuid,
    marked_at      timestamptz NOT NULL,
    CONSTRAINT message_complaints_pk PRIMARY KEY (creator_id, id),
    CONSTRAINT message_complaints_once UNIQUE (creator_id, generation_id),
    CONSTRAINT message_complaints_generation_fk FOREIGN KEY (creator_id, generation_id)
        REFERENCES ai_message_generations (creator_id, id)
);
CREATE INDEX message_complaints_by_time ON message_complaints (creator_id, marked_at);
CREATE INDEX conversations_disclosure_asked ON conversations (creator_id, disclosure_asked_at)
    WHERE disclosure_asked_at IS NOT NULL;
"""

STAGES = """
-- Since when the stage holds that is in force: of the installation under the nil id, of a creator
-- under theirs, also when their own one was taken away.
CREATE TABLE rollout_stages (
    creator_id  uuid NOT NULL,
    began_at    timestamptz NOT NULL,
    CONSTRAINT rollout_stages_pk PRIMARY KEY (creator_id)
);
INSERT INTO rollout_stages (creator_id, began_at)
    SELECT creator_id, set_at FROM flag_overrides WHERE name = 'AI_ROLLOUT_STAGE';
"""

MAILS = """
-- When somebody who was told of an alert was told that it is over.
ALTER TABLE alert_mails ADD COLUMN over_sent_at timestamptz;
"""

SIZES = """
-- The size at the end of the day that begins at this midnight in UTC, as it was last looked at.
CREATE TABLE database_sizes (
    day      timestamptz NOT NULL,
    bytes    bigint NOT NULL,
    seen_at  timestamptz NOT NULL,
    CONSTRAINT database_sizes_pk PRIMARY KEY (day)
);
"""


def upgrade() -> None:
    for part in (COMPLAINTS, STAGES, MAILS, SIZES):
        op.get_bind().exec_driver_sql(part)


def downgrade() -> None:
    op.get_bind().exec_driver_sql(
        """
        DROP TABLE database_sizes;
        ALTER TABLE alert_mails DROP COLUMN over_sent_at;
        DROP TABLE rollout_stages;
        DROP INDEX conversations_disclosure_asked;
        DROP TABLE message_complaints;
        """
    )
